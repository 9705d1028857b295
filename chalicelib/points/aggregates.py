"""Points that an account earned in a calendar period, as rules read them: known under the account's lock, in row order.

The sums start from what is stored and grow with each event that the batch accepts, so the second row of a file sees
what the first one earned, in its own period and, where a rule looks back, in a later one.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.language.declared import Aggregate
from chalicelib.language.faults import Refusal
from chalicelib.language.months import add_months
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


class Span(NamedTuple):
    """A calendar period as seen from a day: the one around it, or the one that is ``back`` periods earlier."""

    kind: str
    back: int = 0

    @classmethod
    def of(cls, declared: Aggregate) -> "Span":
        """The period over which a rule's aggregate sums."""
        return cls(declared.period, declared.back)


class PeriodTotals:
    """Minor units earned so far, by kind of period, its first day, and account."""

    def __init__(self, spans: Sequence[Span], sums: Mapping[tuple[str, date], dict[bytes, int]] | None = None) -> None:
        self._spans = spans
        self._kinds = sorted({span.kind for span in spans})
        self._sums = dict(sums or {})
        #: Day -> the sums that a rule sees on it, and those to which an event of it counts.
        self._on: dict[date, tuple[dict[Span, dict[bytes, int]], list[dict[bytes, int]]]] = {}

    def of(self, account_id: bytes, span: Span, day: date) -> int:
        """What the account earned in the period as seen from ``day``, in minor units."""
        return self._known(day)[0][span].get(account_id, 0)

    def add(self, account_id: bytes, day: date, points_minor: int) -> None:
        """Count an accepted event."""
        for sums in self._known(day)[1]:
            sums[account_id] = sums.get(account_id, 0) + points_minor

    def _known(self, day: date) -> tuple[dict[Span, dict[bytes, int]], list[dict[bytes, int]]]:
        known = self._on.get(day)
        if known is None:
            seen = {span: self._sums.setdefault((span.kind, _first_day(span, day)), {}) for span in self._spans}
            counted = [self._sums.setdefault((kind, _STARTS[kind](day)), {}) for kind in self._kinds]
            known = self._on[day] = (seen, counted)
        return known


def read(db: Connection, wanted: Sequence[tuple[bytes, date]], spans: Sequence[Span]) -> PeriodTotals:
    """The totals as seen from each (account, day), for each span; one statement for each period that is touched.

    The accounts must be locked: then nobody else adds to what is read here.
    """
    # One statement a period, which sums in the database: a file brings one or two periods and many days.
    on_day: dict[date, set[bytes]] = {}
    for account_id, day in wanted if spans else ():
        on_day.setdefault(day, set()).add(account_id)
    accounts: dict[tuple[str, date], set[bytes]] = {}
    for span in spans:
        for day, ids in on_day.items():
            accounts.setdefault((span.kind, _first_day(span, day)), set()).update(ids)
    sums: dict[tuple[str, date], dict[bytes, int]] = {}
    for (kind, first), ids in accounts.items():
        last = _last_day(first, _MONTHS[kind])
        earned = sums[kind, first] = {}
        for chunk in bulk.in_chunks(sorted(ids)):
            for account_id, points_minor in db.execute(_EARNED, {"accounts": chunk, "first": first, "last": last}):
                earned[account_id] = int(points_minor)
    return PeriodTotals(spans, sums)


def bounds(span: Span, day: date) -> tuple[date, date]:
    """The first and the last day of the period as seen from a day."""
    first = _first_day(span, day)
    return first, _last_day(first, _MONTHS[span.kind])


def around(first: date, last: date, spans: Sequence[Span]) -> tuple[date, date]:
    """The days from ``first`` to ``last``, widened to all of the periods that are seen from any of them."""
    starts = [bounds(span, first)[0] for span in spans]
    ends = [bounds(span, last)[1] for span in spans]
    return min([first, *starts]), max([last, *ends])


def period_start(kind: str, day: date) -> date:
    """The first day of the period of this kind in which a day falls."""
    return _STARTS[kind](day)


def _first_day(span: Span, day: date) -> date:
    first = _STARTS[span.kind](day)
    if not span.back:
        return first
    try:
        return add_months(first, -_MONTHS[span.kind] * span.back)
    except Refusal:
        # Before the calendar begins nobody earned anything; its first period has the same answer.
        return date.min


def _last_day(first: date, months: int) -> date:
    """The last day of a period that begins with a month and ends in the same year."""
    month = first.month + months - 1
    return first.replace(month=month, day=monthrange(first.year, month)[1])
