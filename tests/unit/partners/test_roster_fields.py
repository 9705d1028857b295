"""The roster's fields are the same wherever they are listed."""

from datetime import date
from decimal import Decimal
from typing import Any, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.partners.members import enrolments, roster
from chalicelib.partners.members.periods import Period, reconciled
from chalicelib.partners.members.roster import Entry, RosterRow
from chalicelib.rules import entities, facts
from tests.factories.partners import roster_row


def test_a_row_has_exactly_the_fields_that_layouts_provide():
    assert list(get_type_hints(RosterRow)) == list(entities.ROSTER)


def test_the_same_fields_are_personal_for_layouts_and_for_storage():
    assert {name for name, field in entities.ROSTER.items() if field.personal} == roster.PERSONAL


def test_every_field_is_kept_in_exactly_one_place():
    columns = {"employee_id", "action", "hire_date", "term_date", "job_code", "country", "effective_date"}
    assert len(columns) + len(roster.PERSONAL) + len(roster.ATTRIBUTES) == len(entities.ROSTER)
    assert columns | roster.PERSONAL | set(roster.ATTRIBUTES) == set(entities.ROSTER)


def test_a_condition_may_read_every_member_fact_and_nothing_personal():
    row = roster_row(grade="G5")
    entry = Entry(
        b"", row["effective_date"], 1, "hire", row["hire_date"], None, "CREW", "US", roster.attributes(row), b""
    )
    assert enrolments.facts_of(entry).keys() == facts.MEMBER.keys()
    assert not facts.MEMBER.keys() & roster.PERSONAL


def test_equal_rows_have_equal_contents_and_any_other_field_changes_them():
    row = roster_row()
    assert roster.content(row) == roster.content(roster_row())
    others: dict[str, Any] = dict.fromkeys(row, "another")
    others |= {name: date(2026, 6, 1) for name in ("hire_date", "term_date", "effective_date")}
    others["fte_pct"] = Decimal(50)
    del others["employee_id"]  # rows are compared within one member
    for name, value in others.items():
        assert roster.content(roster_row(**{name: value})) != roster.content(row), name


def test_the_digits_of_a_part_time_factor_do_not_make_another_content():
    assert roster.content(roster_row(fte_pct=Decimal(50))) == roster.content(roster_row(fte_pct=Decimal("50.00")))
    for nought in ("0", "0.00", "-0", "-0.0"):
        assert roster.content(roster_row(fte_pct=Decimal(nought))) == roster.content(roster_row(fte_pct=Decimal(0)))


days = st.dates(date(2026, 1, 1), date(2026, 3, 1))


@st.composite
def courses(draw: st.DrawFn, start: date = date(2026, 1, 1)) -> list[tuple[date, date | None]]:
    """Ordered, disjoint, not touching periods; the last may be open."""
    bounds = sorted(draw(st.sets(days.filter(lambda day: day >= start), max_size=6)))
    found: list[tuple[date, date | None]] = []
    for since, until in zip(bounds[::2], bounds[1::2], strict=False):
        if not found or (since - found[-1][1]).days > 1:  # type: ignore[operator]
            found.append((since, until))
    if len(bounds) % 2 and (not found or (bounds[-1] - found[-1][1]).days > 1):  # type: ignore[operator]
        found.append((bounds[-1], None))
    return found


def covered(periods: list[tuple[date, date | None]], day: date) -> bool:
    return any(since <= day and (until is None or until >= day) for since, until in periods)


@given(stored=courses(), wanted=courses(), since=days)
def test_reconciled_periods_are_the_stored_before_the_day_and_the_wanted_from_it_on(stored, wanted, since):
    wanted = [(max(start, since), until) for start, until in wanted if until is None or until >= since]
    before = [Period(str(at).encode(), *period) for at, period in enumerate(stored)]

    changes = reconciled(before, wanted, since)

    ends = dict(changes.ends)
    after = [(one.since, ends.get(one.id, one.until)) for one in before] + changes.added
    assert len({start for start, _ in after}) == len(after)
    for number in range(70):
        day = date.fromordinal(date(2026, 1, 1).toordinal() - 3 + number)
        expected = covered(stored, day) if day < since else covered(wanted, day)
        assert covered(after, day) == expected, day
    assert reconciled([Period(b"", *one) for one in sorted(after)], wanted, since) == ([], [])
