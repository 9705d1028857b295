"""However roster rows are cut into batches and in whatever order they come, the same truth results."""

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.partners.members import enrolments, members
from chalicelib.partners.members.roster import RosterRow
from chalicelib.partners.models.partners import member, member_identity
from chalicelib.storage.engine import Database
from tests.factories.partners import apply_rows, make_partner, make_program, roster_row

pytestmark = pytest.mark.usefixtures("data_key")

DAYS = [date(2026, month, 1) for month in range(1, 13)] + [date(2027, 1, 1), date(2027, 3, 1)]
HIRED = [date(2024, 10, 1), date(2026, 2, 15), date(2026, 8, 1)]
_employees = itertools.count(1)


@st.composite
def statements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows about one employee, each of another effective date."""
    rows = []
    for day in draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=6, unique=True)):
        hired = draw(st.sampled_from(HIRED))
        left = draw(st.none() | st.integers(-60, 60).map(lambda days, day=day: day + timedelta(days=days)))
        rows.append(
            {
                "effective_date": day,
                "action": draw(st.sampled_from("AACT")),
                "hire_date": hired,
                "term_date": left if left is not None and left >= hired else None,
                "job_code": draw(st.sampled_from(["CREW", "PILOT"])),
            }
        )
    return rows


def truth(db: Connection, employee_id: str) -> dict[str, Any]:
    """All that the hub believes about an employee, without ids and times of writing."""
    state = db.execute(select(member).where(member.c.employee_id == employee_id)).mappings().one()
    periods = enrolments.of_members(db, [state["id"]]).get(state["id"], [])
    identity = member_identity.c
    spells = db.execute(
        select(identity.valid_from, identity.valid_to)
        .where(
            identity.member_id == state["id"],
            identity.valid_to.is_(None) | (identity.valid_to >= identity.valid_from),
        )
        .order_by(identity.valid_from)
    ).all()
    told = ("status", "hire_date", "term_date", "effective_date", "next_effective_date", "job_code")
    return {
        "state": {name: state[name] for name in told},
        "enrolments": [(period.valid_from, period.valid_to) for period in periods],
        "employed": [tuple(spell) for spell in spells],
    }


def rows_of(employee_id: str, said: Sequence[dict[str, Any]]) -> list[RosterRow]:
    return [roster_row(employee_id, email=None, **values) for values in said]


@given(data=st.data(), said=statements())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_order_and_batches_do_not_matter(sqlite_database: Database, data: st.DataObject, said: list[dict[str, Any]]):
    number = next(_employees)
    with sqlite_database.write() as db:
        partner = make_partner(db)
        make_program(db, partner, enrolment={"when": {"==": [{"var": "job_code"}, "CREW"]}})
        in_order = sorted(said, key=lambda row: row["effective_date"])
        apply_rows(db, partner, rows_of(f"A{number}", in_order))
        rest = data.draw(st.permutations(said))
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            apply_rows(db, partner, rows_of(f"B{number}", rest[:size]))
            rest = rest[size:]

        assert truth(db, f"B{number}") == truth(db, f"A{number}")


def test_a_hire_taken_back_before_its_first_day_has_left_in_whatever_order_it_is_told(sqlite_database: Database):
    hired = {"effective_date": date(2026, 1, 1), "action": "A", "hire_date": date(2026, 2, 15)}
    back = {"effective_date": date(2026, 2, 1), "action": "T", "hire_date": date(2026, 2, 15), "term_date": None}
    again = {"effective_date": date(2026, 12, 1), "action": "A", "hire_date": date(2026, 12, 1)}
    with sqlite_database.write() as db:
        partner = make_partner(db)
        for number, said in (("D1", [hired, back, again]), ("D2", [again, hired, back])):
            for row in said:
                apply_rows(db, partner, rows_of(number, [row]))
        told = [truth(db, number)["state"] for number in ("D1", "D2")]

    assert told[0] == told[1]
    assert (told[0]["status"], told[0]["term_date"]) == ("terminated", date(2026, 1, 31))


def taken_back(said: Sequence[dict[str, Any]], day: date) -> bool:
    """Whether the last termination before a day ended an employment that had not begun."""
    last = [row for row in said if row["action"] == "T" and row["effective_date"] <= day]
    row = max(last, key=lambda row: row["effective_date"], default=None)
    return row is not None and (row["term_date"] or row["effective_date"] - timedelta(days=1)) < day


@given(said=statements())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_is_active_on_a_day_is_employed_by_the_identity(sqlite_database: Database, said: list[dict[str, Any]]):
    number = f"C{next(_employees)}"
    days = [DAYS[0] + timedelta(days=step) for step in range(0, 460, 11)]
    with sqlite_database.write() as db:
        partner = make_partner(db)
        apply_rows(db, partner, rows_of(number, said))
        employed = truth(db, number)["employed"]
        on = members.by_employee_on(db, partner.id, [(number, day) for day in days])

    if employed:
        for day in days:
            within = any(since <= day and (until is None or until >= day) for since, until in employed)
            before = day < employed[0][0] and not taken_back(said, day)
            assert on[number, day].status == ("active" if within or before else "terminated"), (day, employed)
