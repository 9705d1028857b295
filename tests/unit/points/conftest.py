"""A partner whose member earns, for the tests of the points room."""

from collections.abc import Callable

import pytest

from chalicelib.points.proof import checks
from chalicelib.storage.engine import Database
from tests.factories import points, samples
from tests.factories.deliveries import make_target
from tests.factories.files import Hub
from tests.factories.points import Earning


@pytest.fixture
def earning(database: Database, data_key: None) -> Earning:
    """A partner with a program, a rule of 1.5 points an hour, and the member E1."""
    with database.write() as db:
        return points.make_earning(db)


@pytest.fixture
def provable(database: Database):
    """The ledger must add up when the test ends."""
    yield
    with database.read() as db:
        assert checks.check(db) == []


@pytest.fixture
def onboard(database: Database, provable: None) -> Callable[[str], Hub]:
    """Onboards a sample partner; the ledger must add up when the story ends."""
    return lambda code: samples.onboard(database, code)


@pytest.fixture
def balance_target(database: Database, earning: Earning) -> bytes:
    """A store of the partner that takes balances; its id."""
    with database.write() as db:
        return make_target(db, earning.partner.id).id
