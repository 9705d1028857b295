"""When the files of a partner are due: the deliveries of one expected file, as moments. Pure.

Each moment belongs to one delivery at most: a delivery's time begins half-way between the due time before and its own,
but not before the one before may be given up. So a late file is one of the delivery that is missing, and an early one
of the next.
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from chalicelib.partners.onboarding.expected_files import ExpectedFile
from chalicelib.records import dataclass

#: The longest time between two deliveries, and some more: a month; where a day of the month has to be a certain day of
#: the week, too, 14 months.
_PERIOD_DAYS_MAX = 35
_RARE_DAYS_MAX = 430
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. A file that arrives from ``opens_at`` on and before ``closes_at`` is the one that is meant."""

    opens_at: datetime
    due_at: datetime
    deadline_at: datetime
    closes_at: datetime


def deliveries(expected: ExpectedFile, time_zone: ZoneInfo, *, since: datetime, until: datetime) -> list[Delivery]:
    """The deliveries that are open or due between two moments, in order; none before the file is expected at all."""
    is_rare = expected.weekdays is not None and expected.month_days is not None
    period = timedelta(days=_RARE_DAYS_MAX if is_rare else _PERIOD_DAYS_MAX)
    first = since.astimezone(time_zone).date() - 2 * period
    last = until.astimezone(time_zone).date() + 2 * period
    hour, minute = (int(part) for part in expected.due.split(":"))
    due = [datetime.combine(day, time(hour, minute), time_zone).astimezone(UTC) for day in _days(expected, first, last)]
    grace = timedelta(minutes=expected.grace_minutes)
    # Between two due times; after the latest one of the first there is no question.
    borders = [min(max(one + (other - one) / 2, one + grace), other) for one, other in pairwise(due)]
    begin = datetime.combine(expected.since, time.min, time_zone).astimezone(UTC)
    return [
        Delivery(opens, moment, min(moment + grace, closes), closes)
        for opens, moment, closes in zip(borders, due[1:], borders[1:], strict=False)
        if moment >= begin and closes > since and opens <= until
    ]


def _days(expected: ExpectedFile, first: date, last: date) -> Iterator[date]:
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        if expected.weekdays is not None and _WEEKDAYS[day.weekday()] not in expected.weekdays:
            continue
        if expected.month_days is not None and not _is_month_day(day, expected.month_days):
            continue
        yield day


def _is_month_day(day: date, wanted: list[int]) -> bool:
    end = calendar.monthrange(day.year, day.month)[1]
    return day.day in wanted or (day.day == end and any(number > end for number in wanted))
