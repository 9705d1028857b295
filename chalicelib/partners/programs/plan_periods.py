"""Periods of months that follow one another from an anchor: plan years, quarters, limits' periods. Pure."""

from datetime import date, timedelta
from typing import NamedTuple

from chalicelib.language.faults import Refusal
from chalicelib.language.months import add_months

_DAY = timedelta(days=1)


class PlanPeriod(NamedTuple):
    """One period; both days belong to it."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def next(self, months: int) -> "PlanPeriod":
        """The period of so many months after this one."""
        first = self.last + _DAY
        return PlanPeriod(first, plus(first, months) - _DAY)


def around(anchor: date, months: int, day: date) -> PlanPeriod:
    """The period in which a day is; one begins on ``anchor``, a day from 1 to 28."""
    number = (day.year - anchor.year) * 12 + day.month - anchor.month
    if day.day < anchor.day:
        number -= 1
    first = plus(anchor, number // months * months)
    return PlanPeriod(first, plus(first, months) - _DAY)


def plus(day: date, months: int) -> date:
    """So many months later; the first or the last day of the calendar where there is none."""
    try:
        return add_months(day, months)
    except Refusal:
        return date.min if months < 0 else date.max
