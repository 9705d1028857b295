"""Codes that files bring and tables lack: counted by row, until the table has them on the day that is asked for."""

from datetime import date, timedelta

import pytest

from chalicelib.files.answers import unmapped
from chalicelib.rules import code_table_editing, code_table_listing
from chalicelib.rules.code_table_editing import Wanted, Way
from chalicelib.storage.engine import Database
from tests.factories.files import Hub, hours, hours_layout, make_hub, people, people_layout, person
from tests.factories.rules import AUTHOR, accrual_document, code_table, live_ruleset, table_document

LOOKED_UP = {"lookup": ["acme.pay", {"var": "note"}]}


def pay_layout(**columns) -> dict:
    layout = hours_layout()
    return layout | {
        "columns": {**layout["columns"], "note": {**columns}},
        "fields": {**layout["fields"], "reference": {"expr": LOOKED_UP}},
    }


def pay_file(*codes: str, prefix: str = "e", day: str = "2026-11-02") -> str:
    rows = [f"{prefix}{number},E1,{day},8,{code}" for number, code in enumerate(codes)]
    return "\n".join(["event,id,day,hours,note", *rows]) + "\n"


@pytest.fixture
def paying(database: Database, aws: None) -> Hub:
    """Acme, whose hours name a kind of pay that a code table translates."""
    with database.write() as db:
        code_table(db, None, table_document("pays", partner=None))
    hub = make_hub(database, people_layout(), hours_layout())
    with database.write() as db:
        code_table(db, hub.partner.id, table_document("acme.pay", entries={"REG": "HOURS"}))
        live_ruleset(db, hub.partner.id, pay_layout())
    return hub


def lacking(hub: Hub, *, table: str = "acme.pay", after: str | None = None, limit: int = 10, partner_id=None):
    with hub.database.read() as db:
        found = code_table_listing.find(db, table, partner_id=None)
        return unmapped.of_table(db, found.id, table, partner_id=partner_id, after=after, limit=limit)


def counted(hub: Hub, **options) -> dict[str, int]:
    return {found.code: found.rows for found in lacking(hub, **options)}


def put(hub: Hub, wanted: Wanted, *, table: str = "acme.pay") -> None:
    with hub.database.write() as db:
        code_table_editing.put(db, table, wanted, way=Way.FIT, partner_id=None, caller=AUTHOR, now=hub.clock())


class TestUnmapped:
    def test_counts_the_rows_that_a_layout_refused(self, paying: Hub):
        paying.process("hours", pay_file("REG", "OT", "OT", "SICK", "OT"))

        assert counted(paying) == {"OT": 3, "SICK": 1}

    def test_shows_when_and_where_a_code_was_seen(self, paying: Hub):
        paying.process("hours", pay_file("OT"), name="one.csv")
        paying.lateness = timedelta(hours=1)
        two = paying.process("hours", pay_file("REG", "OT", "OT", prefix="f"), name="two.csv")

        [found] = lacking(paying)
        assert (found.code, found.rows, found.example) == ("OT", 3, (two.id, "two.csv", 2, None))
        assert timedelta(minutes=59) < found.last_seen - found.first_seen < timedelta(minutes=61)

    def test_counts_a_row_once_however_often_its_file_is_handled(self, paying: Hub):
        message = paying.drop("hours", pay_file("OT", "OT"))
        for _ in range(3):
            paying.handle(message)

        assert counted(paying) == {"OT": 2}

    def test_a_code_that_is_mapped_by_now_is_gone(self, paying: Hub):
        paying.process("hours", pay_file("OT", "SICK"))

        put(paying, Wanted("OT", "HOURS"))

        assert counted(paying) == {"SICK": 1}

    def test_a_code_that_is_mapped_on_other_days_only_is_there_still(self, paying: Hub):
        paying.process("hours", pay_file("OT"))
        arrived = paying.file().arrived_at.date()

        put(paying, Wanted("OT", "HOURS", arrived + timedelta(days=1)))
        assert counted(paying) == {"OT": 1}

        put(paying, Wanted("OT", "HOURS", arrived))
        assert counted(paying) == {}

    def test_a_code_whose_entry_was_ended_is_back(self, paying: Hub):
        paying.process("hours", pay_file("OT"))
        put(paying, Wanted("OT", "HOURS"))

        put(paying, Wanted("OT", "HOURS", active=False))

        assert counted(paying) == {"OT": 1}

    def test_a_code_with_a_blank_is_another_code(self, paying: Hub):
        with paying.database.write() as db:
            live_ruleset(
                db, paying.partner.id, pay_layout() | {"format": {"trim": False}, "id": "acme.raw", "name": "raw"}
            )
        paying.process("raw", pay_file("REG "))

        assert counted(paying) == {"REG ": 1}

    def test_pages_go_on_behind_the_last_code(self, paying: Hub):
        paying.process("hours", pay_file("D", "B", "A", "C"))

        assert list(counted(paying, limit=2)) == ["A", "B"]
        assert list(counted(paying, limit=2, after="B")) == ["C", "D"]

    def test_a_partner_sees_its_own_files_only(self, paying: Hub):
        paying.process("hours", pay_file("OT"))

        assert counted(paying, partner_id=paying.partner.id) == {"OT": 1}
        assert counted(paying, partner_id=b"othr" * 4) == {}

    def test_a_code_of_a_personal_column_is_not_kept(self, paying: Hub):
        layout = people_layout(id="acme.named", name="named")
        layout["fields"]["email"] = {"expr": {"lookup": ["acme.pay", {"var": "last"}]}}
        with paying.database.write() as db:
            live_ruleset(db, paying.partner.id, layout)
        paying.process(
            "named", "id,action,first,last,hired,job,country,as of\nE9,A,D,Haze,2024-10-01,C,US,2026-11-01\n"
        )

        assert [row.code for row in paying.rows()] == ["unknown_code"]
        assert counted(paying) == {}


class TestAtTheDecision:
    """Codes that a rule looks up when it decides an event, by the event's date."""

    @pytest.fixture
    def ruled(self, paying: Hub) -> Hub:
        rate = {"parse_decimal": [{"lookup": ["pays", {"var": "unit"}, {"on_miss": "quarantine"}]}]}
        rule = accrual_document("acme.accrual")
        rule["inputs"]["unit"] = {"type": "string"}
        rule["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, rate]}
        for case in rule["cases"]:
            case["given"]["unit"] = "G1"
            case["code_tables"] = {"pays": {"G1": "1.5"}}
        with paying.database.write() as db:
            live_ruleset(db, paying.partner.id, rule)
            live_ruleset(db, paying.partner.id, hours_layout())
        return paying

    def test_counts_the_rows_that_a_rule_holds(self, ruled: Hub):
        ruled.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-03,8"))

        assert {row.code for row in ruled.rows()} == {"rule_refused"}
        assert counted(ruled, table="pays") == {"HOUR": 2}

    def test_asks_on_the_day_of_the_event(self, ruled: Hub):
        ruled.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-03,8"))

        put(ruled, Wanted("HOUR", "1", date(2026, 11, 3)), table="pays")

        assert counted(ruled, table="pays") == {"HOUR": 1}

    def test_counts_a_row_whose_other_try_was_refused_for_its_code(self, ruled: Hub):
        ruled.process("hours", hours("a,E9,2026-11-02,8"))
        assert counted(ruled, table="pays") == {}

        ruled.process("people", people(person("E9")), name="people.csv")

        assert [row.code for row in ruled.rows()] == ["rule_refused"]
        assert counted(ruled, table="pays") == {"HOUR": 1}
