"""Which days a plan year has: of every member alike (calendar, fiscal), or of each one's own (rolling).

A plan year is named by the calendar year in which it begins: the fiscal year from 1 July 2026 on is 2026, and so is the
rolling year of who was enrolled on 15 March 2024 that begins on 15 March 2026.
"""

from datetime import date, timedelta
from typing import Final, NamedTuple

from chalicelib.language.months import add_years
from chalicelib.partners.programs.finance_terms import PlanYear

_DAY: Final = timedelta(days=1)


class Year(NamedTuple):
    """A plan year's days, both included."""

    first_day: date
    last_day: date


def fixed(rule: PlanYear, named: int) -> Year | None:
    """The days that every member shares; None when the program's years are rolling."""
    if rule.begins is None:
        return None
    month, day = map(int, rule.begins.split("-"))
    return Year(date(named, month, day), date(named + 1, month, day) - _DAY)


def of_member(rule: PlanYear, named: int, enrolled: date) -> Year | None:
    """The days of a member who was first enrolled on that day; None when no year of the member's has that name."""
    shared = fixed(rule, named)
    if shared is not None:
        return shared
    number, rest = divmod(named - enrolled.year, rule.years)
    if rest or number < 0:
        return None
    first = add_years(enrolled, number * rule.years)
    return Year(first, add_years(enrolled, (number + 1) * rule.years) - _DAY)


def over(rule: PlanYear, named: int, today: date) -> bool:
    """Whether the year is over for some member, at the latest by now."""
    shared = fixed(rule, named)
    return (shared.last_day if shared else date(named + rule.years - 1, 12, 31)) < today


def over_for_all(rule: PlanYear, named: int, today: date) -> bool:
    """Whether it is over for every member."""
    shared = fixed(rule, named)
    return (shared.last_day if shared else date(named + rule.years, 12, 30)) < today
