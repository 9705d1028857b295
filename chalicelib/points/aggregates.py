"""Points that an account earned in a calendar period, as rules read them: known under the account's lock, in row order.

The sums start from what is stored and grow with each event that the batch accepts, so the second row of a file sees
what the first one earned.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date

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
_MONTHS: Mapping[str, int] = {"calendar_month": 1, "calendar_quarter": 3, "calendar_year": 12}

_EARNED = (
    select(accrual_event.c.account_id, func.sum(accrual_event.c.points_minor))
    .where(
        accrual_event.c.account_id.in_(bindparam("accounts", expanding=True)),
        accrual_event.c.event_date.between(bindparam("first"), bindparam("last")),
    )
    .group_by(accrual_event.c.account_id)
)


class PeriodTotals:
    """Minor units earned so far, by account, kind of period and period."""

    def __init__(self, periods: Sequence[str], sums: Mapping[tuple[bytes, str, date], int] | None = None) -> None:
        self._starts = [(period, _STARTS[period]) for period in periods]
        self._sums = dict(sums or {})

    def of(self, account_id: bytes, period: str, day: date) -> int:
        """What the account earned in the period around ``day``, in minor units."""
        return self._sums.get((account_id, period, _STARTS[period](day)), 0)

    def add(self, account_id: bytes, day: date, points_minor: int) -> None:
        """Count an accepted event."""
        for period, start in self._starts:
            key = (account_id, period, start(day))
            self._sums[key] = self._sums.get(key, 0) + points_minor


def read(db: Connection, wanted: Sequence[tuple[bytes, date]], periods: Sequence[str]) -> PeriodTotals:
    """The totals around each (account, day), for each kind of period; one statement for each period that is touched.

    The accounts must be locked: then nobody else adds to what is read here.
    """
    kinds = sorted(set(periods))
    # One statement a period, which sums in the database: a file brings one or two periods and many days.
    accounts: dict[tuple[str, date], set[bytes]] = {}
    for kind in kinds:
        start = _STARTS[kind]
        for account_id, day in wanted:
            accounts.setdefault((kind, start(day)), set()).add(account_id)
    sums: dict[tuple[bytes, str, date], int] = {}
    for (kind, first), ids in accounts.items():
        last = _last_day(first, _MONTHS[kind])
        for chunk in bulk.in_chunks(sorted(ids)):
            for account_id, points_minor in db.execute(_EARNED, {"accounts": chunk, "first": first, "last": last}):
                sums[account_id, kind, first] = int(points_minor)
    return PeriodTotals(kinds, sums)


def _last_day(first: date, months: int) -> date:
    """The last day of a period that begins with a month and ends in the same year."""
    month = first.month + months - 1
    return first.replace(month=month, day=monthrange(first.year, month)[1])
