"""The hub of most tests of files."""

import pytest

from chalicelib.deliveries import wake
from chalicelib.storage.engine import Database
from tests.factories.files import Hub, make_hub


@pytest.fixture
def hub(database: Database, data_key: None) -> Hub:
    """Partner acme with a roster and an hours layout and three members, on an empty inbox."""
    wake.reset()
    return make_hub(database)
