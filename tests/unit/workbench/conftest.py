"""A partner whose member earns, for the tests of the workbench."""

import pytest

from chalicelib.storage.engine import Database
from tests.factories import points
from tests.factories.points import Earning


@pytest.fixture
def earning(database: Database, data_key: None) -> Earning:
    """A partner with a program, a rule of 1.5 points an hour, and the member E1."""
    with database.write() as db:
        return points.make_earning(db)
