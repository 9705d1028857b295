"""Entries of code tables that come as a file (I16): the partner's own tables, by row, once, and with an answer."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import delete, func, select, update

from chalicelib.files.answers import showing
from chalicelib.files.register.register import load
from chalicelib.files.rows import conserving
from chalicelib.partners.models.partners import partner
from chalicelib.rules import code_tables
from chalicelib.rules.models import code_table_change, code_table_entry
from chalicelib.settings import Settings, settings
from tests.factories.code_tables import agree, entries
from tests.factories.files import Hub, hours_layout, people_layout
from tests.factories.partners import make_partner
from tests.factories.rules import code_table, live_ruleset, table_document

TODAY = date(2026, 11, 20)
#: Accepted, ended, twice the same, an overlap, and tables that are not acme's to change.
ROWS = (
    "acme.grade,G1,11,,true,2026-07-01,",
    "acme.grade,G3,30,Grade three,true,2026-01-01,2026-12-31",
    "acme.grade,G2,20,,false,2026-10-01,",
    "acme.grade,G3,30,Grade three,TRUE,2026-01-01,2026-12-31",
    "acme.grade,G3,31,,true,2026-06-01,2026-06-30",
    "globex.grade,G1,99,,true,2026-01-01,",
    "shared,G1,99,,true,2026-01-01,",
    "acme.grades,G1,99,,true,2026-01-01,",
)


@pytest.fixture
def tables(hub: Hub) -> Hub:
    """Acme with the hub's own layout and a table, one of another partner, and a shared one."""
    with hub.database.write() as db:
        agree(db, hub.partner.id)
        other = make_partner(db, "globex")
        code_table(db, hub.partner.id, table_document("acme.grade"))
        code_table(db, other.id, table_document("globex.grade"))
        code_table(db, None, table_document("shared", partner=None))
    return hub


@pytest.fixture
def tiny_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a slice, on both engines."""
    small = Settings.model_validate(settings().model_dump() | {"slice_rows": 2, "slice_rows_sqlite": 2})
    monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)


def said(hub: Hub, table: str = "acme.grade", *, on: date = TODAY) -> dict[str, str]:
    with hub.database.read() as db:
        return code_tables.resolve(db, [table], on=on)[table]


class TestAPartnerWhoseManifestDoesNotListTheLayout:
    def test_changes_nothing_by_file(self, tables: Hub):
        with tables.database.write() as db:
            db.execute(update(partner).values(manifest=None))

        file = tables.process("code_tables", entries(*ROWS))

        assert (file.state, file.reason_code) == ("quarantined", "layout_not_agreed")
        assert said(tables) == {"G1": "10", "G2": "20"}


class TestRows:
    def test_set_and_end_entries_of_the_partners_own_tables(self, tables: Hub):
        file = tables.process("code_tables", entries(*ROWS))

        assert (file.state, file.entity) == ("processed", "code_table")
        assert (file.rows_accepted, file.rows_duplicate, file.rows_rejected) == (3, 1, 4)
        assert said(tables) == {"G1": "11", "G3": "30"}
        assert said(tables, on=date(2026, 6, 30)) == {"G1": "10", "G2": "20", "G3": "30"}

    def test_leave_other_tables_as_they_were_and_say_why(self, tables: Hub):
        tables.process("code_tables", entries(*ROWS))

        assert {row.row_no: (row.code, row.column_name) for row in tables.rows() if row.outcome == "rejected"} == {
            5: ("entry_overlaps", "effective_from"),
            6: ("unknown_code_table", "table"),
            7: ("shared_code_table", "table"),
            8: ("unknown_code_table", "table"),
        }
        assert said(tables, "globex.grade") == said(tables, "shared") == {"G1": "10", "G2": "20"}

    def test_do_not_tell_whether_another_partner_has_a_table(self, tables: Hub):
        tables.process("code_tables", entries(*ROWS))

        theirs, nobodys = (row.message for row in tables.rows() if row.code == "unknown_code_table")
        assert theirs == nobodys

    @pytest.mark.parametrize(
        ("row", "code", "column"),
        [
            ("acme.grade,G9,1,,yes,2026-01-01,", "not_in_values", "active"),
            ("acme.grade,G9,1,,true,2026-02-30,", "bad_date", "effective_from"),
            ("acme.grade,G9,1,,true,1899-12-31,", "date_out_of_range", "effective_from"),
            ("acme.grade,G9,1,,true,2026-02-01,2026-01-31", "ends_before_it_starts", "effective_to"),
            ("acme.grade,,1,,true,2026-01-01,", "missing_value", "code"),
            ("acme.grade,G9,1,,false,2026-01-01,", "unknown_entry", "code"),
            (f"acme.grade,{'G' * 101},1,,true,2026-01-01,", "too_long", "code"),
            (f"acme.grade,G9,{'1' * 201},,true,2026-01-01,", "too_long", "value"),
        ],
    )
    def test_that_say_nothing_usable_are_refused_by_name(self, tables: Hub, row: str, code: str, column: str):
        tables.process("code_tables", entries(row))

        assert [(each.code, each.column_name) for each in tables.rows()] == [(code, column)]
        assert said(tables) == {"G1": "10", "G2": "20"}

    def test_let_what_has_no_end_go_on_after_them(self, tables: Hub):
        file = tables.process("code_tables", entries("acme.grade,G1,11,,true,2026-03-01,2026-03-31"))

        assert file.rows_accepted == 1
        days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1)]
        assert [said(tables, on=day)["G1"] for day in days] == ["10", "11", "11", "10"]

    def test_whose_value_is_not_what_the_table_declares_are_refused(self, tables: Hub):
        declared = {"type": "decimal", "scale": 4, "min": "0.5", "max": "2"}
        with tables.database.write() as db:
            code_table(db, tables.partner.id, table_document("acme.rate", {"USD": "0.8547"}, value=declared))

        tables.process(
            "code_tables",
            entries(
                "acme.rate,USD,8.621,,true,2026-10-01,",
                "acme.rate,USD,0.8621,,true,2026-11-01,",
                "acme.rate,USD,none,,false,2027-01-01,",
            ),
        )

        assert [(row.row_no, row.code, row.column_name) for row in tables.rows()] == [(1, "bad_value", "value")]
        assert said(tables, "acme.rate") == {"USD": "0.8621"}
        assert said(tables, "acme.rate", on=date(2027, 1, 1)) == {}

    def test_that_end_what_has_ended_are_duplicates(self, tables: Hub):
        ended = "acme.grade,G2,20,,false,2026-10-01,"
        tables.process("code_tables", entries(ended))

        file = tables.process("code_tables", entries(ended, "acme.grade,G1,10,,true,1900-01-01,"), name="again.csv")

        assert (file.rows_duplicate, file.rows_accepted) == (2, 0)


class TestRowsOfATableThatDecidesPoints:
    """Where rules need approval, no file changes what an accrual rule, or a layout of accruals, looks up."""

    ROW = "acme.grade,G1,11,,true,2026-07-01,"

    @pytest.fixture
    def approval_required(self, tables: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A hub that asks for a second person; hours are looked up in acme.grade, rosters in acme.status."""
        layout = hours_layout()
        layout["fields"] = layout["fields"] | {"reference": {"expr": {"lookup": ["acme.grade", {"var": "hours"}]}}}
        roster = people_layout()
        roster["fields"] = roster["fields"] | {"country": {"expr": {"lookup": ["acme.status", {"var": "country"}]}}}
        with tables.database.write() as db:
            code_table(db, tables.partner.id, table_document("acme.status"))
            live_ruleset(db, tables.partner.id, layout)
            live_ruleset(db, tables.partner.id, roster)
        monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
        settings.cache_clear()
        yield
        monkeypatch.undo()
        settings.cache_clear()

    @pytest.mark.usefixtures("approval_required")
    def test_are_rejected_and_the_others_are_not(self, tables: Hub):
        same = "acme.grade,G2,20,,true,1900-01-01,"

        file = tables.process("code_tables", entries(self.ROW, same, "acme.status,G1,11,,true,2026-01-01,"))

        assert (file.rows_accepted, file.rows_duplicate, file.rows_rejected) == (1, 1, 1)
        [rejected] = [row for row in tables.rows() if row.outcome == "rejected"]
        assert (rejected.code, rejected.column_name) == ("approval_required", "table")
        assert "acme.grade decides points of acme.hours: " in rejected.message
        assert said(tables) == {"G1": "10", "G2": "20"}
        assert said(tables, "acme.status")["G1"] == "11"

    @pytest.mark.usefixtures("tables")
    def test_are_accepted_where_rules_need_no_approval(self, tables: Hub):
        assert tables.process("code_tables", entries(self.ROW)).rows_accepted == 1


class TestOnce:
    @pytest.mark.usefixtures("tiny_slices")
    def test_slices_come_to_the_same_as_one(self, tables: Hub):
        file = tables.process("code_tables", entries(*ROWS))

        assert (file.state, file.slice_no, file.rows_accepted) == ("processed", 4, 3)
        assert said(tables) == {"G1": "11", "G3": "30"}

    def test_the_same_file_again_is_a_duplicate(self, tables: Hub):
        tables.process("code_tables", entries(*ROWS))
        with tables.database.read() as db:
            kept = db.execute(select(func.count()).select_from(code_table_entry)).scalar_one()

        again = tables.process("code_tables", entries(*ROWS), name="again.csv")

        assert (again.state, again.reason_code) == ("duplicate", "same_file")
        with tables.database.read() as db:
            assert db.execute(select(func.count()).select_from(code_table_entry)).scalar_one() == kept

    def test_what_was_true_before_another_file_may_be_true_again(self, tables: Hub):
        for name, value in (("one.csv", "11"), ("two.csv", "12"), ("three.csv", "11")):
            file = tables.process("code_tables", entries(f"acme.grade,G1,{value},,true,2026-07-01,"), name=name)

        assert file.state == "processed"
        assert said(tables)["G1"] == "11"

    def test_a_row_that_corrects_an_earlier_one_of_its_slice_leaves_one_entry(self, tables: Hub):
        rows = [f"acme.grade,G7,{value},,true,2026-07-01," for value in "123"]

        file = tables.process("code_tables", entries(*rows))

        assert (file.state, file.rows_accepted, said(tables)["G7"]) == ("processed", 3, "3")
        with tables.database.read() as db:
            stored = select(func.count()).where(code_table_entry.c.entry_code == "G7")
            assert db.execute(stored).scalar_one() == 1


class TestTheAnswer:
    def test_the_receipt_says_what_was_changed_where(self, tables: Hub):
        tables.process("code_tables", entries(*ROWS))

        receipt = tables.receipt(layout="code_tables")
        assert receipt["code_tables"] == [{"table": "acme.grade", "entries_set": 2, "entries_ended": 1}]
        assert receipt["rejects"] == "acme/code_tables/rejects_file.csv"

    def test_a_trailer_that_does_not_agree_quarantines_the_file(self, tables: Hub):
        file = tables.process("code_tables", entries(*ROWS, trailer="#TRAILER,7"))

        assert (file.state, file.reason_code) == ("quarantined", "control_mismatch")
        assert said(tables) == {"G1": "10", "G2": "20"}

    def test_accepted_rows_are_listed(self, tables: Hub):
        file = tables.process("code_tables", entries(*ROWS))

        with tables.database.read() as db:
            listed = showing.rows(db, file, outcome="accepted", after=0, limit=10)
        assert [row.row_no for row in listed] == [1, 2, 3]

    def test_a_change_that_is_missing_breaks_conservation(self, tables: Hub):
        file = tables.process("code_tables", entries(*ROWS))

        with tables.database.write() as db:
            assert conserving.breaks(db, load(db, file.id)) == []
            db.execute(delete(code_table_change).where(code_table_change.c.row_no == 1))
            assert conserving.breaks(db, load(db, file.id)) == ["accepted rows and changed entries: 3 is not 2"]
