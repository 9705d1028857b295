"""Files of code tables that were taken back in the order in which they came leave what was there before them."""

from datetime import date

from chalicelib.rules import code_tables
from tests.factories import rules
from tests.factories.files import Hub
from tests.factories.rollbacks import left, roll_back
from tests.unit.files.rollback.test_rollback_of_others import agree, entries


def test_an_entry_that_was_changed_since_goes_once_the_change_is_taken_back(hub: Hub):
    with hub.database.write() as db:
        agree(db, hub.partner.id)
        rules.code_table(db, hub.partner.id, rules.table_document("acme.grade"))

    def meaning() -> str | None:
        with hub.database.read() as db:
            return code_tables.resolve(db, ["acme.grade"], on=date(2026, 11, 2))["acme.grade"].get("G9")

    assert meaning() is None
    hub.process("code_tables", entries("acme.grade,G9,11,,true,2026-07-01,"), name="a.csv")
    hub.process("code_tables", entries("acme.grade,G9,12,,true,2026-09-01,"), name="b.csv")
    assert [each.code for each in left(hub, roll_back(hub, "a.csv"))] == ["entry_changed_since"]
    assert meaning() == "12"
    roll_back(hub, "b.csv")
    assert meaning() == "11"

    assert left(hub, roll_back(hub, "a.csv")) == []

    assert meaning() is None
