"""A hub that knows a person who will be erased."""

import pytest

from chalicelib.partners.members.members import MemberRef
from chalicelib.storage.engine import Database
from tests.factories.erasure import fill, roster_layout
from tests.factories.files import Hub, hours_layout, make_hub


@pytest.fixture
def hub(database: Database, aws: None) -> Hub:
    """Partner acme, whose roster layout has mail addresses and managers."""
    return make_hub(database, roster_layout(), hours_layout(), members=("E1",))


@pytest.fixture
def full(hub: Hub) -> MemberRef:
    """The person, known by request and by files of every kind."""
    return fill(hub)
