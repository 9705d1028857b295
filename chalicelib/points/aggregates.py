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
    """Minor units earned so far, by kind of period, period and account."""

    def __init__(self, kinds: Sequence[str], sums: Mapping[tuple[str, date], dict[bytes, int]] | None = None) -> None:
        self._kinds = kinds
        self._sums = dict(sums or {})
        #: Day -> kind of period -> the sums of the period around the day.
        self._around: dict[date, dict[str, dict[bytes, int]]] = {}

    def of(self, account_id: bytes, kind: str, day: date) -> int:
        """What the account earned in the period around ``day``, in minor units."""
        return self._on(day)[kind].get(account_id, 0)

    def add(self, account_id: bytes, day: date, points_minor: int) -> None:
        """Count an accepted event."""
        for sums in self._on(day).values():
            sums[account_id] = sums.get(account_id, 0) + points_minor

    def _on(self, day: date) -> dict[str, dict[bytes, int]]:
        known = self._around.get(day)
        if known is None:
            known = {kind: self._sums.setdefault((kind, _STARTS[kind](day)), {}) for kind in self._kinds}
            self._around[day] = known
        return known


def read(db: Connection, wanted: Sequence[tuple[bytes, date]], periods: Sequence[str]) -> PeriodTotals:
    """The totals around each (account, day), for each kind of period; one statement for each period that is touched.

    The accounts must be locked: then nobody else adds to what is read here.
    """
    kinds = sorted(set(periods))
    # One statement a period, which sums in the database: a file brings one or two periods and many days.
    on_day: dict[date, set[bytes]] = {}
    for account_id, day in wanted if kinds else ():
        on_day.setdefault(day, set()).add(account_id)
    accounts: dict[tuple[str, date], set[bytes]] = {}
    for kind in kinds:
        for day, ids in on_day.items():
            accounts.setdefault((kind, _STARTS[kind](day)), set()).update(ids)
    sums: dict[tuple[str, date], dict[bytes, int]] = {}
    for (kind, first), ids in accounts.items():
        last = _last_day(first, _MONTHS[kind])
        earned = sums[kind, first] = {}
        for chunk in bulk.in_chunks(sorted(ids)):
            for account_id, points_minor in db.execute(_EARNED, {"accounts": chunk, "first": first, "last": last}):
                earned[account_id] = int(points_minor)
    return PeriodTotals(kinds, sums)


def _last_day(first: date, months: int) -> date:
    """The last day of a period that begins with a month and ends in the same year."""
    month = first.month + months - 1
    return first.replace(month=month, day=monthrange(first.year, month)[1])
