"""Allowance plans that come as a file (I3): figures that grant rules look up, by job, grade and plan year."""

from datetime import date

import pytest
from sqlalchemy import func, select

from chalicelib.files.register.rollbacks import Rollback
from chalicelib.files.rows import conserving
from chalicelib.partners.models.house import allowance_plan
from chalicelib.rules import code_tables
from chalicelib.rules.models import code_table as code_table_rows
from chalicelib.settings import settings
from tests.factories.files import Hub, hours_layout
from tests.factories.partners import make_partner
from tests.factories.rollbacks import left, roll_back
from tests.factories.rules import code_table, live_ruleset, table_document
from tests.factories.shared_layouts import agree, content

LAYOUT = "allowance_plans"
IN_THE_YEAR = date(2027, 6, 1)
TABLES = ("allowance", "cap", "carryover", "grace-days")


def plan(**values: str) -> dict[str, str]:
    """250 points for cabin crew of grade 2, of which a fifth may be carried over."""
    given = {
        "partner_code": "acme",
        "program_code": "uniform",
        "plan_year": "2027",
        "job_code": "CREW",
        "grade": "2",
        "points": "250.00",
        "carryover_pct": "20",
        "grace_days": "30",
        "valid_from": "2027-01-01",
        "valid_to": "2027-12-31",
    }
    return given | values


@pytest.fixture
def planned(hub: Hub) -> Hub:
    """Acme, whose program has tables of most figures; globex has some of the same name."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, LAYOUT)
        other = make_partner(db, "globex")
        for figure in TABLES:
            code_table(db, hub.partner.id, table_document(f"acme.uniform-{figure}", {"PILOT": "1"}))
            code_table(db, other.id, table_document(f"globex.uniform-{figure}", {"PILOT": "1"}))
    return hub


def said(hub: Hub, figure: str, *, partner: str = "acme", on: date = IN_THE_YEAR) -> dict[str, str]:
    with hub.database.read() as db:
        table = f"{partner}.uniform-{figure}"
        return code_tables.resolve(db, [table], on=on)[table]


def kept(hub: Hub) -> int:
    with hub.database.read() as db:
        return int(db.execute(select(func.count()).select_from(allowance_plan)).scalar_one())


class TestAPlan:
    def test_is_looked_up_by_job_and_grade_in_its_year(self, planned: Hub):
        file = planned.process(LAYOUT, content(LAYOUT, plan(), plan(grade="", points="180")))

        assert (file.state, file.rows_accepted, file.control_accepted) == ("processed", 2, 430_000_000)
        assert said(planned, "allowance") == {"PILOT": "1", "CREW/2": "250.00", "CREW": "180.00"}
        assert said(planned, "carryover")["CREW/2"] == "20"
        assert said(planned, "grace-days")["CREW/2"] == "30"
        assert said(planned, "allowance", on=date(2028, 1, 1)) == {"PILOT": "1"}

    def test_of_another_year_stands_beside_it(self, planned: Hub):
        later = plan(plan_year="2028", points="260", valid_from="2028-01-01", valid_to="2028-12-31")

        planned.process(LAYOUT, content(LAYOUT, later, plan()))

        assert said(planned, "allowance")["CREW/2"] == "250.00"
        assert said(planned, "allowance", on=date(2028, 6, 1))["CREW/2"] == "260.00"

    def test_is_corrected_by_a_later_row_about_the_same(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan()))

        file = planned.process(LAYOUT, content(LAYOUT, plan(points="255"), plan(points="255")), name="two.csv")

        assert (file.rows_accepted, file.rows_duplicate, kept(planned)) == (1, 1, 2)
        assert said(planned, "allowance")["CREW/2"] == "255.00"

    def test_may_be_again_what_it_was_before_another_file(self, planned: Hub):
        for number, points in enumerate(("250", "255", "250")):
            planned.process(LAYOUT, content(LAYOUT, plan(points=points)), name=f"{number}.csv")

        assert said(planned, "allowance")["CREW/2"] == "250.00"


class TestRowsThatCannotBeUsed:
    def test_say_why_and_change_nothing(self, planned: Hub):
        rows = (
            plan(program_code="travel"),
            plan(partner_code="globex"),
            plan(valid_to="2026-12-31"),
            plan(plan_year="2026"),
            plan(points="-1"),
            plan(points="1.005"),
            plan(carryover_pct="101"),
            plan(grace_days="1.5"),
            plan(first_order_bonus="25"),
            plan(points=""),
        )

        planned.process(LAYOUT, content(LAYOUT, *rows))

        assert [(row.row_no, row.code, row.column_name) for row in planned.rows()] == [
            (1, "unknown_program", "program_code"),
            (2, "other_partner", "partner_code"),
            (3, "ends_before_it_starts", "valid_to"),
            (4, "date_out_of_range", "plan_year"),
            (5, "amount_out_of_range", "points"),
            (6, "excess_digits", "points"),
            (7, "amount_out_of_range", "carryover_pct"),
            (8, "inexact", "grace_days"),
            # The program has no table of first orders: the row's other figures are not taken over either.
            (9, "unknown_code_table", "first_order_bonus"),
            (10, "missing_value", "points"),
        ]
        assert said(planned, "allowance") == said(planned, "allowance", partner="globex") == {"PILOT": "1"}
        assert kept(planned) == 0

    def test_never_reach_the_table_of_another_partner(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan()))

        assert said(planned, "allowance", partner="globex") == {"PILOT": "1"}


class TestATableThatDecidesPoints:
    def test_is_not_changed_by_a_file_where_rules_need_approval(self, planned: Hub, monkeypatch: pytest.MonkeyPatch):
        layout = hours_layout()
        layout["fields"] |= {"reference": {"expr": {"lookup": ["acme.uniform-allowance", {"var": "hours"}]}}}
        with planned.database.write() as db:
            live_ruleset(db, planned.partner.id, layout)
        monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
        settings.cache_clear()

        file = planned.process(LAYOUT, content(LAYOUT, plan()))

        monkeypatch.undo()
        settings.cache_clear()
        assert file.rows_rejected == 1
        assert [(row.code, row.column_name) for row in planned.rows()] == [("approval_required", "points")]
        assert (said(planned, "allowance"), said(planned, "cap"), kept(planned)) == ({"PILOT": "1"}, {"PILOT": "1"}, 0)


class TestTheFile:
    def test_is_refused_where_the_manifest_does_not_list_the_layout(self, planned: Hub):
        with planned.database.write() as db:
            agree(db, planned.partner.id)

        file = planned.process(LAYOUT, content(LAYOUT, plan()))

        assert (file.state, file.reason_code, kept(planned)) == ("quarantined", "layout_not_agreed", 0)

    def test_is_refused_when_its_trailer_does_not_agree(self, planned: Hub):
        file = planned.process(LAYOUT, content(LAYOUT, plan(), trailer="#TRAILER,1,251"))

        assert (file.state, file.reason_code) == ("quarantined", "control_mismatch")

    def test_of_the_same_content_changes_nothing_again(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan()))

        again = planned.process(LAYOUT, content(LAYOUT, plan()), name="again.csv")

        assert (again.state, again.reason_code, kept(planned)) == ("duplicate", "same_file", 1)


def tables_named(hub: Hub, run: Rollback) -> set[str]:
    """The tables of which an entry had to stay."""
    ids = {each.subject_id for each in left(hub, run)}
    with hub.database.read() as db:
        return set(db.execute(select(code_table_rows.c.code).where(code_table_rows.c.id.in_(ids))).scalars())


class TestAPlanThatWasWrong:
    def test_is_taken_back_and_may_come_again(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan()), name="first.csv")
        before = [said(planned, figure) for figure in TABLES]
        wrong = content(LAYOUT, plan(points="999", carryover_pct="99"), plan(grade="", points="1"))
        planned.process(LAYOUT, wrong)
        after = [said(planned, figure) for figure in TABLES]
        assert after != before

        run = roll_back(planned)

        assert (run.undone, run.left_over, planned.file().state) == (2, 0, "rolled_back")
        assert [said(planned, figure) for figure in TABLES] == before
        again = planned.process(LAYOUT, wrong, name="again.csv")
        assert (again.rows_accepted, again.rows_duplicate) == (2, 0)
        assert [said(planned, figure) for figure in TABLES] == after
        # What holds is what the first file said, once this one is gone too.
        roll_back(planned, "again.csv")
        third = planned.process(LAYOUT, content(LAYOUT, plan()) + "\n", name="third.csv")
        assert (third.rows_accepted, third.rows_duplicate) == (0, 1)

    def test_stays_where_an_entry_was_changed_since(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan(points="999"), plan(job_code="COOK", points="1")))
        planned.process(LAYOUT, content(LAYOUT, plan(points="300")), name="later.csv")

        run = roll_back(planned)

        changed = {"acme.uniform-allowance"}
        assert {(each.kind, each.entry_code, each.code) for each in left(planned, run)} == {
            ("entry", "CREW/2", "entry_changed_since")
        }
        assert (run.undone, changed <= tables_named(planned, run)) == (1, True)
        assert said(planned, "allowance") == {"PILOT": "1", "CREW/2": "300.00"}

    def test_leaves_its_rows_as_they_were_told(self, planned: Hub):
        planned.process(LAYOUT, content(LAYOUT, plan(), plan(grade="")))

        roll_back(planned)

        file = planned.file()
        with planned.database.read() as db:
            assert conserving.breaks(db, file) == []
        assert (file.rows_accepted, kept(planned)) == (2, 2)
