"""Codes that a table lacks, and that records were decided without: counted once, with how they were treated."""

from datetime import date

import pytest

from chalicelib.files.answers import unmapped
from chalicelib.files.answers.unmapped import UnmappedCode
from chalicelib.rules import code_table_editing, code_table_listing
from chalicelib.rules.code_table_editing import Wanted, Way
from chalicelib.settings import Settings, settings
from chalicelib.storage.engine import Database
from tests.factories.files import Hub, hours, hours_layout, make_hub, people, people_layout, person
from tests.factories.points import event, record
from tests.factories.rules import AUTHOR, accrual_document, code_table, live_ruleset, table_document


def of(hub: Hub, table: str = "acme.pay") -> dict[str, UnmappedCode]:
    with hub.database.read() as db:
        found = code_table_listing.find(db, table, partner_id=None)
        return {
            each.code: each for each in unmapped.of_table(db, found.id, table, partner_id=None, after=None, limit=9)
        }


def treated(hub: Hub, table: str = "acme.pay") -> dict[str, tuple[int, int, int]]:
    """By code, how many records were refused, decided with a default, decided with null."""
    return {code: (each.refused, each.defaulted, each.nulled) for code, each in of(hub, table).items()}


def put(hub: Hub, wanted: Wanted, *, table: str = "acme.pay") -> None:
    with hub.database.write() as db:
        code_table_editing.put(db, table, wanted, way=Way.FIT, partner_id=None, caller=AUTHOR, now=hub.clock())


def noted_layout(miss: dict, **column) -> dict:
    """Hours whose note is translated into the reference."""
    layout = hours_layout()
    return layout | {
        "columns": {**layout["columns"], "note": column},
        "fields": {**layout["fields"], "reference": {"expr": {"lookup": ["acme.pay", {"var": "note"}, miss]}}},
    }


def noted_file(*codes: str, prefix: str = "e", member: str = "E1") -> str:
    rows = [f"{prefix}{number},{member},2026-11-02,8,{code}" for number, code in enumerate(codes)]
    return "\n".join(["event,id,day,hours,note", *rows]) + "\n"


DEFAULT = {"on_miss": "default", "default": "OTHER"}
NULL = {"on_miss": "null"}


@pytest.fixture
def paying(database: Database, aws: None) -> Hub:
    hub = make_hub(database, people_layout(), hours_layout())
    with database.write() as db:
        code_table(db, hub.partner.id, table_document("acme.pay", entries={"REG": "HOURS"}))
    return hub


def reading(hub: Hub, layout: dict) -> None:
    with hub.database.write() as db:
        live_ruleset(db, hub.partner.id, layout)


class TestByALayout:
    @pytest.mark.parametrize(("miss", "counts"), [(DEFAULT, (0, 3, 0)), (NULL, (0, 0, 3))], ids=["default", "null"])
    def test_accepted_rows_are_counted_with_how_they_were_treated(self, paying: Hub, miss, counts):
        reading(paying, noted_layout(miss))

        file = paying.process("hours", noted_file("REG", "OT", "OT", "SICK", "OT"))

        assert file.rows_accepted == 5
        assert treated(paying) == {"OT": counts, "SICK": tuple(each // 3 for each in counts)}
        assert of(paying)["OT"].example == (file.id, "file.csv", 2, None)

    def test_rows_of_every_slice_are_counted_once(self, paying: Hub, monkeypatch: pytest.MonkeyPatch):
        small = Settings.model_validate(settings().model_dump() | {"slice_rows": 2, "slice_rows_sqlite": 2})
        monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)
        reading(paying, noted_layout(DEFAULT))

        paying.process("hours", noted_file(*["OT"] * 7))

        assert treated(paying) == {"OT": (0, 7, 0)}

    def test_a_duplicate_is_not_counted_again(self, paying: Hub):
        reading(paying, noted_layout(DEFAULT))
        paying.process("hours", noted_file("OT"), name="one.csv")
        paying.process("hours", noted_file("OT"), name="two.csv")

        assert treated(paying) == {"OT": (0, 1, 0)}

    def test_a_row_that_is_refused_otherwise_counts_when_it_is_accepted(self, paying: Hub):
        reading(paying, noted_layout(DEFAULT))
        paying.process("hours", noted_file("OT", member="E9"))
        before = treated(paying)

        paying.process("people", people(person("E9")), name="people.csv")

        assert (before, treated(paying)) == ({}, {"OT": (0, 1, 0)})

    def test_a_code_of_a_personal_column_is_not_kept(self, paying: Hub):
        layout = people_layout(id="acme.people")
        layout["fields"]["email"] = {"expr": {"lookup": ["acme.pay", {"var": "last"}, DEFAULT]}}
        reading(paying, layout)
        file = paying.process("people", people(person("E9")))

        assert (file.rows_accepted, treated(paying)) == (1, {})

    def test_who_is_absent_of_a_snapshot_is_looked_for_without_counting(
        self, paying: Hub, monkeypatch: pytest.MonkeyPatch
    ):
        single = Settings.model_validate(settings().model_dump() | {"slice_rows": 1, "slice_rows_sqlite": 1})
        monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: single)
        layout = people_layout(mode="snapshot", terminate_share_max="1", id="acme.people")
        layout["fields"]["employee_id"] = {"expr": {"lookup": ["acme.pay", {"var": "id"}, DEFAULT]}}
        reading(paying, layout)
        put(paying, Wanted("E1", "E1"))

        # The first row is refused; that it names somebody is read apart, before the second one is applied.
        file = paying.process("people", people(person("E8").replace("2024", "never"), person("E1", action="C")))

        assert (file.rows_rejected, file.rows_accepted) == (1, 1)
        assert treated(paying) == {}


class TestByARule:
    @pytest.fixture
    def ruled(self, paying: Hub) -> Hub:
        miss = {"on_miss": "default", "default": "1.5"}
        rate = {"parse_decimal": [{"lookup": ["acme.pay", {"var": "unit"}, miss]}]}
        rule = accrual_document("acme.accrual")
        rule["inputs"]["unit"] = {"type": "string"}
        rule["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, rate]}
        rule["cases"].append(rule["cases"][0] | {"name": "any other unit", "given": dict(rule["cases"][0]["given"])})
        for case, unit in zip(rule["cases"], ("G1", "G1", "G2"), strict=True):
            case["given"]["unit"] = unit
            case["code_tables"] = {"acme.pay": {"G1": "1.5"}}
        with paying.database.write() as db:
            live_ruleset(db, paying.partner.id, rule)
        return paying

    def test_events_of_a_file_are_counted(self, ruled: Hub):
        file = ruled.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-03,8"))

        assert file.rows_accepted == 2
        assert treated(ruled) == {"HOUR": (0, 2, 0)}
        assert of(ruled)["HOUR"].example[:3] == (file.id, "file.csv", 1)

    def test_by_the_day_of_the_event(self, ruled: Hub):
        ruled.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-03,8"))

        put(ruled, Wanted("HOUR", "1", date(2026, 11, 3)))

        assert treated(ruled) == {"HOUR": (0, 1, 0)}

    def test_events_of_the_api_are_counted_and_one_is_shown(self, ruled: Hub):
        with ruled.database.write() as db:
            first, _ = record(db, ruled.partner, [event(event_id="a"), event(event_id="b")])
            record(db, ruled.partner, [event(event_id="a"), event(event_id="c", employee_id="nobody")])

        assert treated(ruled) == {"HOUR": (0, 2, 0)}
        assert of(ruled)["HOUR"].example == (None, None, None, first.id)

    def test_what_one_rule_refuses_and_another_decides_stands_side_by_side(self, ruled: Hub):
        reading(ruled, noted_layout({"on_miss": "error"}))
        ruled.process("hours", noted_file("HOUR", "REG"))

        # One row was refused by the layout for its note, the other was decided by the rule for its unit.
        assert treated(ruled) == {"HOUR": (1, 1, 0)}
        assert of(ruled)["HOUR"].rows == 2
