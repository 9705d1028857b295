"""Whatever the ledger posts, a member's ledger can show."""

from typing import get_args

from chalicelib.points.api import ledger as shown
from chalicelib.points.ledger.transfers import HOUSE_OF


def test_every_kind_of_entry_can_be_shown_and_names_its_source():
    named = get_args(shown.EntryView.model_fields["kind"].annotation)

    assert set(named) == set(shown._SOURCES) == set(HOUSE_OF)
