"""Bulk tables carry no foreign keys (docs/decisions/0018); tables that people fill do."""

import importlib

import pytest

from chalicelib.storage import tables

# Importing the app brings every room's tables together.
importlib.import_module("app")
BULK = ("account", "accrual_event", "transfer", "lot", "lot_use", "hold", "redemption", "delivery", "file_row")


@pytest.mark.parametrize("name", BULK)
def test_a_table_that_is_written_in_bulk_has_no_foreign_key(name: str):
    assert [key.target_fullname for key in tables.metadata.tables[name].foreign_keys] == []


def test_a_member_belongs_to_a_partner_that_exists():
    assert [key.target_fullname for key in tables.metadata.tables["member"].foreign_keys] == ["partner.id"]
