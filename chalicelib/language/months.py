"""Days, months and years between dates. The month-end rule: a day that the month does not have becomes its last.

So 31 January plus one month is 28 or 29 February, and from 31 January to 28 February of a common year is one month.
"""

from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, date, timedelta

from chalicelib.language.faults import Refusal


def months_between(start: date, end: date) -> int:
    """Whole months from ``start`` to ``end``: the most that can be added to ``start`` without passing ``end``.

    Negative when ``end`` is earlier.
    """
    if end < start:
        return -months_between(end, start)
    months = (end.year - start.year) * 12 + end.month - start.month
    if end.day < start.day and end.day != monthrange(end.year, end.month)[1]:
        months -= 1
    return months


def days_between(start: date, end: date) -> int:
    """Days from ``start`` to ``end``; negative when ``end`` is earlier."""
    return (end - start).days


def years_between(start: date, end: date) -> int:
    """Whole years from ``start`` to ``end``; negative when ``end`` is earlier. 29 February falls on the 28th."""
    months = months_between(start, end)
    return months // 12 if months >= 0 else -(-months // 12)


def add_months(day: date, months: int) -> date:
    """``day`` moved by ``months``, on the month's last day where it has no such day; raises ``Refusal``."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise Refusal("date_out_of_range", "the date lies outside the years 1 to 9999")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def add_years(day: date, years: int) -> date:
    """``day`` moved by ``years``; 29 February falls on the 28th. Raises ``Refusal``."""
    return add_months(day, years * 12)


def add_days(day: date, days: int) -> date:
    """``day`` moved by ``days``; raises ``Refusal``."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise Refusal("date_out_of_range", "the date lies outside the years 1 to 9999") from None
