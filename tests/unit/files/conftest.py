"""The hub of most tests of files."""

from collections.abc import Iterator

import pytest

from chalicelib.deliveries import wake
from chalicelib.storage.engine import Database
from tests.factories import receipts
from tests.factories.files import Hub, make_hub


@pytest.fixture(autouse=True)
def every_receipt_conforms(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the hub of a test has written is what readers of receipts are told to expect."""
    yield
    if "aws" in request.fixturenames:
        assert receipts.faults_of_all() == {}


@pytest.fixture
def hub(database: Database, aws: None) -> Hub:
    """Partner acme with a roster and an hours layout and three members, on an empty inbox."""
    wake.reset()
    return make_hub(database)


@pytest.fixture
def light_hub(sqlite_database: Database, aws: None) -> Hub:
    """The same on SQLite alone, for what is decided before a row reaches the database."""
    wake.reset()
    return make_hub(sqlite_database)
