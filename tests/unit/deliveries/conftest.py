from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.deliveries import senders
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories.commerce_cloud import RunningStore, running_store
from tests.factories.deliveries import Balances, Pump, make_secret, make_target, mapping_document
from tests.factories.rules import live_ruleset


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with running_store(tmp_path / "store") as running:
        yield running
    senders.reset()


@pytest.fixture
def balances(database: Database) -> Balances:
    return Balances(database, new_id())


@pytest.fixture
def pump(database: Database, balances: Balances, store: RunningStore, data_key: None) -> Pump:
    """A pump, and one target of one lane that leads to the store."""
    make_secret()
    with database.write() as db:
        live_ruleset(db, None, mapping_document())
        config = store.config(settle_s=0)
        make_target(db, balances.partner_id, config=config, inflight_max=1, attempts_max=4)
    return Pump(database, balances)
