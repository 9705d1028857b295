"""Points that an account earned in a calendar period, as rules read them: known under the account's lock, in row order.

The sums start from what is stored and grow with each event that the batch accepts, so the second row of a file sees
what the first one earned.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.points.models import accrual_event
from chalicelib.storage import bulk

#: The first day of the period in which a day falls.
_STARTS: Mapping[str, Callable[[date], date]] = {
    "calendar_month": lambda day: day.replace(day=1),
    "calendar_quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "calendar_year": lambda day: day.replace(month=1, day=1),
}
_LONGEST: Mapping[str, timedelta] = {
    "calendar_month": timedelta(31),
    "calendar_quarter": timedelta(92),
    "calendar_year": timedelta(366),
}

_EARNED = (
    select(accrual_event.c.account_id, accrual_event.c.event_date, func.sum(accrual_event.c.points_minor))
    .where(
        accrual_event.c.account_id.in_(bindparam("accounts", expanding=True)),
        accrual_event.c.event_date.between(bindparam("first"), bindparam("last")),
    )
    .group_by(accrual_event.c.account_id, accrual_event.c.event_date)
)


class PeriodTotals:
    """Minor units earned so far, by account, kind of period and period."""

    def __init__(self, periods: Sequence[str]) -> None:
        self._starts = [(period, _STARTS[period]) for period in periods]
        self._sums: dict[tuple[bytes, str, date], int] = {}

    def of(self, account_id: bytes, period: str, day: date) -> int:
        """What the account earned in the period around ``day``, in minor units."""
        return self._sums.get((account_id, period, _STARTS[period](day)), 0)

    def add(self, account_id: bytes, day: date, points_minor: int) -> None:
        """Count an accepted event."""
        for period, start in self._starts:
            key = (account_id, period, start(day))
            self._sums[key] = self._sums.get(key, 0) + points_minor


def read(db: Connection, wanted: Sequence[tuple[bytes, date]], periods: Sequence[str]) -> PeriodTotals:
    """The totals around each (account, day), for each kind of period; no statement when there is none.

    The accounts must be locked: then nobody else adds to what is read here.
    """
    totals = PeriodTotals(sorted(set(periods)))
    if not wanted or not periods:
        return totals
    days = [day for _, day in wanted]
    first = min(_STARTS[period](min(days)) for period in periods)
    # A little past the end of the last period: what lies beyond is summed under its own period and never asked for.
    last = max(_STARTS[period](max(days)) + _LONGEST[period] for period in periods)
    for chunk in bulk.in_chunks(sorted({account_id for account_id, _ in wanted})):
        for account_id, day, points_minor in db.execute(_EARNED, {"accounts": chunk, "first": first, "last": last}):
            totals.add(account_id, day, int(points_minor))
    return totals
