"""Code tables: a document is the whole content of its table; entries are dated and what was replaced is kept."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.errors import Conflict, InvalidInput, UnknownReference
from chalicelib.language import RuleRefused
from chalicelib.rules import code_tables, snapshots
from chalicelib.rules.models import code_table, code_table_entry
from tests.factories.rules import AUTHOR, document, table_document

ACME = b"acme" * 4
OTHER = b"othr" * 4
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def apply(db, written, *, partner_id=ACME, now=NOW) -> bool:
    return code_tables.apply(db, written, partner_id=partner_id, caller=AUTHOR, now=now)


def grades(*entries, **changes):
    return table_document("acme.grade", entries=None, **changes) | {"entries": list(entries)}


def dated(code, value, first=None, last=None):
    return {"code": code, "value": value, "effective_from": first, "effective_to": last}


def faults(wrong) -> dict[str, str]:
    with pytest.raises(RuleRefused) as refused:
        code_tables.check(wrong)
    return {fault.pointer: fault.code for fault in refused.value.faults}


class TestApply:
    def test_the_entries_hold_at_once(self, database):
        with database.write() as db:
            assert apply(db, table_document(entries={"G1": "10", "G2": "20"})) is True

            assert code_tables.resolve(db, ["acme.grade"], on=TODAY) == {"acme.grade": {"G1": "10", "G2": "20"}}

    def test_the_same_document_again_changes_nothing(self, database):
        with database.write() as db:
            apply(db, grades(dated("G1", "10"), dated("G2", "20")))

            assert apply(db, grades(dated("G2", "20"), dated("G1", "10")), now=LATER) is False
            assert db.execute(select(func.count()).select_from(audit_event)).scalar_one() == 1

    def test_what_a_table_begins_with_is_not_laid_over_what_it_has(self, database):
        document = table_document(entries={"same": "1"}) | {"entries_begin": True}
        with database.write() as db:
            assert apply(db, document) is True
            apply(db, table_document(entries={"same": "2", "new": "4"}), now=LATER)
            before = snapshots.of_table(db, "acme.grade")

            assert apply(db, document, now=LATER) is False

            assert snapshots.told(before, code_tables.check(document)) == []
            assert code_tables.resolve(db, ["acme.grade"], on=TODAY) == {"acme.grade": {"same": "2", "new": "4"}}
            assert faults(document | {"entries_begin": "yes"}) == {"/entries_begin": "bad_flag"}

    def test_replaces_removes_and_adds_and_keeps_what_was(self, database):
        with database.write() as db:
            apply(db, table_document(entries={"same": "1", "other": "2", "gone": "3"}))
            apply(db, table_document(entries={"same": "1", "other": "20", "new": "4"}), now=LATER)

            now = code_tables.resolve(db, ["acme.grade"], on=TODAY)
            before = code_tables.resolve(db, ["acme.grade"], on=TODAY, known_at=NOW)
            kept = db.execute(select(func.count()).select_from(code_table_entry)).scalar_one()

        assert now == {"acme.grade": {"same": "1", "other": "20", "new": "4"}}
        assert before == {"acme.grade": {"same": "1", "other": "2", "gone": "3"}}
        assert kept == 5

    def test_a_table_belongs_to_one_partner(self, database):
        with database.write() as db:
            apply(db, table_document())

            with pytest.raises(Conflict):
                apply(db, table_document(entries={"G1": "99"}), partner_id=OTHER)
            assert code_tables.resolve(db, ["acme.grade"], on=TODAY)["acme.grade"]["G1"] == "10"

    def test_a_shared_table_has_no_partner_and_a_partners_has(self, database):
        with database.write() as db:
            with pytest.raises(InvalidInput):
                apply(db, table_document(), partner_id=None)
            with pytest.raises(InvalidInput):
                apply(db, table_document("grades", partner=None), partner_id=ACME)
            assert apply(db, table_document("grades", partner=None), partner_id=None)

    def test_codes_are_told_apart_by_case_and_blanks(self, database):
        with database.write() as db:
            apply(db, table_document(entries={"g": "1", "G": "2", "g ": "3", "ß": "4", "ss": "5"}))

            assert code_tables.resolve(db, ["acme.grade"], on=TODAY)["acme.grade"] == {
                "g": "1",
                "G": "2",
                "g ": "3",
                "ß": "4",
                "ss": "5",
            }


class TestDates:
    def test_an_entry_holds_from_its_first_to_its_last_day(self, database):
        raised = grades(
            dated("G1", "30", None, "2026-06-30"),
            dated("G1", "35", "2026-07-01"),
            dated("G2", "50", "2026-03-01", "2026-03-31"),
        )
        with database.write() as db:
            apply(db, raised)
            tables = code_tables.dated(db, ["acme.grade"])

        on = {day: tables.on(date.fromisoformat(day))["acme.grade"] for day in ("1999-01-01", "2026-03-01")}
        assert on == {"1999-01-01": {"G1": "30"}, "2026-03-01": {"G1": "30", "G2": "50"}}
        assert tables.on(date(2026, 3, 31))["acme.grade"] == {"G1": "30", "G2": "50"}
        assert tables.on(date(2026, 4, 1))["acme.grade"] == {"G1": "30"}
        assert tables.on(date(2026, 6, 30))["acme.grade"] == {"G1": "30"}
        assert tables.on(date(2026, 7, 1))["acme.grade"] == {"G1": "35"}
        assert tables.on(date.max)["acme.grade"] == {"G1": "35"}

    def test_days_between_two_changes_share_one_resolution(self, database):
        with database.write() as db:
            apply(db, grades(dated("G1", "30", None, "2026-06-30"), dated("G1", "35", "2026-07-01")))
            tables = code_tables.dated(db, ["acme.grade"])

        assert tables.on(date(2026, 7, 1)) is tables.on(date(2026, 12, 31))
        assert tables.on(date(2026, 7, 1)) is not tables.on(date(2026, 6, 30))


class TestResolve:
    def test_an_unknown_table_is_named(self, database):
        with database.write() as db:
            apply(db, table_document())

            with pytest.raises(UnknownReference, match=r"acme\.grades"):
                code_tables.resolve(db, ["acme.grade", "acme.grades"], on=TODAY)

    def test_no_tables_need_no_statement(self, database):
        with database.read() as db:
            assert code_tables.resolve(db, [], on=TODAY) == {}


class TestCheck:
    def test_names_every_wrong_entry(self):
        wrong = grades(
            {"code": "", "value": "1"},
            {"code": "G1", "valu": "1"},
            dated("G2", "1", "2026-02-30"),
            dated("G3", "1", "2026-02-02", "2026-02-01"),
            "G4",
        )

        assert faults(wrong) == {
            "/entries/0/code": "bad_entry",
            "/entries/1/valu": "unknown_field",
            "/entries/1/value": "bad_entry",
            "/entries/2/effective_from": "bad_date",
            "/entries/3/effective_to": "bad_period",
            "/entries/4": "bad_entry",
        }

    def test_a_code_has_one_value_on_any_day(self):
        with pytest.raises(RuleRefused) as refused:
            code_tables.check(grades(dated("G1", "1", None, "2026-06-30"), dated("G1", "2", "2026-06-30")))

        [fault] = refused.value.faults
        assert fault.code == "overlap"
        assert "2026-06-30" in fault.message

    def test_two_entries_of_one_code_and_day_overlap(self):
        assert faults(grades(dated("G1", "1"), dated("G1", "2"))) == {"/entries": "overlap"}

    @pytest.mark.parametrize("entries", [None, [], {}])
    def test_a_table_has_entries(self, entries):
        assert faults(table_document() | {"entries": entries}) == {"/entries": "bad_entries"}

    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            ({"value": "1"}, ("/entries/0/code", "`code` is needed", "nothing")),
            ({"code": None, "value": "1"}, ("/entries/0/code", "`code` is needed", "null")),
            ({"code": "", "value": "1"}, ("/entries/0/code", "`code` is empty", '""')),
            ({"code": "G" * 101, "value": "1"}, ("/entries/0/code", "`code` is too long", "101 characters")),
            ({"code": "G1", "value": "1" * 201}, ("/entries/0/value", "`value` is too long", "201 characters")),
            ({"code": "G1", "value": 1}, ("/entries/0/value", "`value` is not text", "1")),
            ({"code": "G1", "value": ["1"]}, ("/entries/0/value", "`value` is not text", "a list of 1")),
        ],
    )
    def test_says_what_is_wrong_with_a_text(self, entry: dict, told: tuple[str, str, str]):
        with pytest.raises(RuleRefused) as refused:
            code_tables.check(grades(entry))

        [fault] = refused.value.faults
        assert (fault.pointer, fault.message, fault.found) == told
        assert fault.expected.startswith("text of 1 to ")

    def test_a_number_is_told_how_to_be_written(self):
        with pytest.raises(RuleRefused, match=r'write "0\.8621"'):
            code_tables.check(grades({"code": "USD", "value": Decimal("0.8621")}))

    @pytest.mark.parametrize(
        ("written", "message"),
        [("acme." + "g" * 100, "`id` is too long"), (7, "`id` is not text"), (" ", "`id` is empty")],
    )
    def test_says_what_is_wrong_with_an_id(self, written: object, message: str):
        with pytest.raises(RuleRefused) as refused:
            code_tables.check(table_document(partner=None) | {"id": written})

        assert [(fault.pointer, fault.message) for fault in refused.value.faults] == [("/id", message)]

    def test_a_misspelt_key_of_the_document_is_refused(self):
        assert faults(table_document(entrys=[])) == {"/entrys": "unknown_field"}


RATES = {"type": "decimal", "scale": 4, "min": "0.5", "max": "2"}


class TestDeclaredValues:
    @pytest.mark.parametrize(
        ("declared", "value", "message"),
        [
            (RATES, "8.621", "expected at most 2"),
            (RATES, "0.08621", "expected at most 4 decimal places"),
            (RATES, "0.4", "expected at least 0.5"),
            (RATES, "0,86", "expected a number as text, like 12.50"),
            ({"type": "integer", "max": 40}, "41", "expected at most 40"),
            ({"type": "enum", "values": ["HOURS", "BONUS"]}, "HOUR", "expected one of HOURS, BONUS"),
        ],
    )
    def test_are_asked_of_every_entry(self, declared: dict, value: str, message: str):
        right = {"code": "right", "value": "1" if declared["type"] != "enum" else "BONUS"}

        with pytest.raises(RuleRefused) as refused:
            code_tables.check(grades(right, {"code": "wrong", "value": value}, value=declared))

        [fault] = refused.value.faults
        assert (fault.pointer, fault.code, fault.message) == ("/entries/1/value", "bad_value", message)

    @pytest.mark.parametrize(
        ("declared", "pointer", "code"),
        [
            ({"type": "decimal", "min": "1"}, "/value/scale", "missing_key"),
            ({"type": "decimal", "scale": 2, "min": "2", "max": "1"}, "/value/max", "wrong_value"),
            ({"type": "string"}, "/value/type", "unknown_type"),
            ({"type": "integer", "nullable": True}, "/value/nullable", "unknown_key"),
            ({}, "/value/type", "missing_key"),
            ("decimal", "/value", "wrong_type"),
        ],
    )
    def test_are_declared_rightly(self, declared: object, pointer: str, code: str):
        assert (pointer, code) in faults(grades(dated("G1", "1"), value=declared)).items()

    def test_a_declaration_is_a_change_of_its_own(self, database):
        plain = grades(dated("G1", "1"))
        with database.write() as db:
            apply(db, plain)
            before = db.execute(select(code_table.c.content_hash)).scalar_one()
            seen = snapshots.of_table(db, "acme.grade")

            assert apply(db, plain | {"value": RATES}, now=LATER) is True
            assert apply(db, plain | {"value": RATES}, now=LATER) is False
            assert db.execute(select(code_table.c.content_hash)).scalar_one() != before
            [told] = snapshots.told(seen, code_tables.check(plain | {"value": RATES}))
        assert told.startswith("values: any text -> {")

    def test_the_rates_of_the_programs_are_declared(self):
        for name in ("metro-transit.night-rate", "vega-motors.eur-rate", "harbor-hotels.grade-allowance"):
            written = document(f"code-tables/{name}")
            typed_wrong = written | {"entries": [{"code": "X", "value": "862.1"}]}

            assert code_tables.check(written).values.stored is not None
            assert faults(typed_wrong) == {"/entries/0/value": "bad_value"}


class TestOwnTables:
    @pytest.mark.parametrize(
        "code",
        [
            "aurora-air.action",
            "aurora-air.event-type",
            "harbor-hotels.status",
            "harbor-hotels.pay-code",
            "harbor-hotels.grade-allowance",
        ],
    )
    def test_apply_and_apply_again_without_a_change(self, database, code):
        written = document(f"code-tables/{code}")
        with database.write() as db:
            assert apply(db, written) is True
            assert apply(db, written, now=LATER) is False
            stored = db.execute(select(code_table.c.code)).scalar_one()

        assert stored == code
