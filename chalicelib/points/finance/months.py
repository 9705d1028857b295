"""The periods of the books: calendar months of a partner, by their last moment there."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Final

from chalicelib.errors import Conflict, InvalidInput
from chalicelib.partners.programs.programs import Zoned, business_date
from chalicelib.points.ledger import positions
from chalicelib.records import dataclass

_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
#: How long after its end a period is open still: longer than a Lambda lives, and with it any transaction that posted
#: within the period.
SETTLING: Final = timedelta(minutes=20)


class PeriodOpen(Conflict):
    """The period is not over yet, or only for some minutes."""

    code = "period_open"


@dataclass(frozen=True, slots=True)
class Month:
    """One month: its days, and the moments between which its entries were posted (``since`` included)."""

    name: str
    first_day: date
    last_day: date
    since: datetime
    until: datetime


def named(text: str, place: Zoned) -> Month:
    """The month ``2026-10`` of a partner. Raises InvalidInput."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise InvalidInput("A period is a month, such as 2026-10.", code="period_malformed")
    year, month = int(found[1]), int(found[2])
    first = date(year, month, 1)
    last = date(year, month, monthrange(year, month)[1])
    since = positions.end_of(first - timedelta(days=1), place)
    return Month(text, first, last, since, positions.end_of(last, place))


def latest_over(place: Zoned, now: datetime) -> Month:
    """The last month that is over for a partner."""
    today = business_date(now - SETTLING, place)
    return named((today.replace(day=1) - timedelta(days=1)).strftime("%Y-%m"), place)


def require_over(month: Month, now: datetime) -> None:
    """Raises PeriodOpen."""
    if now < month.until + SETTLING:
        raise PeriodOpen(f"The period {month.name} can be closed from {(month.until + SETTLING).isoformat()} on.")
