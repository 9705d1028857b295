"""The small world, on each engine."""

import gc
import json
from collections.abc import Iterator

import pytest

from chalicelib.settings import settings
from chalicelib.storage import secrets
from chalicelib.storage.engine import Database
from tests.factories import rules
from tests.factories.code_tables import agree
from tests.factories.commerce_cloud import running_store
from tests.factories.deliveries import make_secret, make_target
from tests.factories.files import hours_layout, make_hub, people_layout
from tests.faults.world import World


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three rows a slice on both engines."""
    monkeypatch.setenv("INTERLINE_SLICE_ROWS", "3")
    monkeypatch.setenv("INTERLINE_SLICE_ROWS_SQLITE", "3")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def world(
    database: Database, aws: None, small_slices: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Partner acme with members E1 to E3, layouts for rosters, snapshots and hours, and a store that knows them."""
    with running_store(tmp_path_factory.mktemp("store")) as store:
        staff = people_layout(id="acme.staff", name="staff", rank=11, mode="snapshot", terminate_share_max="0.5")
        hub = make_hub(database, people_layout(), staff, hours_layout())
        make_secret()
        secrets.forget()
        with database.write() as db:
            mapping = json.loads((rules.RULES / "rulesets" / "commerce-cloud.balance.json").read_text())
            rules.live_ruleset(db, None, mapping)
            agree(db, hub.partner.id)
            rules.code_table(db, hub.partner.id, rules.table_document("acme.grade"))
            make_target(db, hub.partner.id, config=store.config(), mapping=mapping["id"])
        yield World(database, store)
        # What died handlers left must not be found by a test that has nothing to do with them.
        gc.collect()
