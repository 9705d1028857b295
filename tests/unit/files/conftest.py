"""The hub of most tests of files."""

import pytest

from chalicelib.deliveries import wake
from chalicelib.storage.engine import Database
from tests.factories.files import Hub, make_hub


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
