"""Points that an account earned in a calendar period, as rules read them: known under the account's lock, in row order.

The sums start from what is stored and grow with each event that the batch accepts, so the second row of a file sees
what the first one earned, in its own period and, where a rule looks back, in a later one. A sum may be of the events of
some types only, so that what is granted above a cap does not fill it.
"""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeAlias

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.language.declared import Aggregate
from chalicelib.language.faults import Refusal
from chalicelib.language.months import add_months
from chalicelib.points.models.ledger import accrual_event
from chalicelib.storage import bulk

#: The first day of the period in which a day falls.
_STARTS: Mapping[str, Callable[[date], date]] = {
    "calendar_month": lambda day: day.replace(day=1),
    "calendar_quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "calendar_year": lambda day: day.replace(month=1, day=1),
}
_MONTHS: Mapping[str, int] = {"calendar_month": 1, "calendar_quarter": 3, "calendar_year": 12}

_EARNED = (
    # What was taken back is not earned: a cap is free for it again.
    select(accrual_event.c.account_id, func.sum(accrual_event.c.points_minor - accrual_event.c.reversed_minor))
    .where(
        accrual_event.c.account_id.in_(bindparam("accounts", expanding=True)),
        accrual_event.c.event_date.between(bindparam("first"), bindparam("last")),
    )
    .group_by(accrual_event.c.account_id)
)
_EARNED_BY_TYPES = _EARNED.where(accrual_event.c.event_type.in_(bindparam("event_types", expanding=True)))

#: What a sum is of: kind of period, event types (none: all of them), first day of the period.
_Sum: TypeAlias = tuple[str, tuple[str, ...], date]


class Span(NamedTuple):
    """What is summed, as seen from a day: the calendar period around it, or the one that is ``back`` periods earlier.

    ``event_types``: only events of these types count; of none, all do.
    """

    kind: str
    back: int = 0
    event_types: tuple[str, ...] = ()

    @classmethod
    def of(cls, declared: Aggregate) -> "Span":
        """What a rule's aggregate sums."""
        return cls(declared.period, declared.back, declared.event_types)

    def counts(self, event_type: str) -> bool:
        """Whether events of a type are in the sum."""
        return not self.event_types or event_type in self.event_types


class _OnDay(NamedTuple):
    """The sums that a rule sees on a day, and those to which an event of the day counts."""

    seen: dict[Span, dict[bytes, int]]
    of_all: list[dict[bytes, int]]
    of_types: list[tuple[tuple[str, ...], dict[bytes, int]]]


class PeriodTotals:
    """Minor units earned so far, by what is summed and account."""

    def __init__(self, spans: Sequence[Span], sums: Mapping[_Sum, dict[bytes, int]] | None = None) -> None:
        self._spans = spans
        self._counted = sorted({(span.kind, span.event_types) for span in spans})
        self._sums = dict(sums or {})
        self._on: dict[date, _OnDay] = {}

    def of(self, account_id: bytes, span: Span, day: date) -> int:
        """What the account earned in the period as seen from ``day``, in minor units."""
        return self._known(day).seen[span].get(account_id, 0)

    def add(self, account_id: bytes, day: date, points_minor: int, event_type: str) -> None:
        """Count an accepted event."""
        known = self._known(day)
        for sums in known.of_all:
            sums[account_id] = sums.get(account_id, 0) + points_minor
        for event_types, sums in known.of_types:
            if event_type in event_types:
                sums[account_id] = sums.get(account_id, 0) + points_minor

    def _known(self, day: date) -> _OnDay:
        known = self._on.get(day)
        if known is None:
            known = self._on[day] = _OnDay({}, [], [])
            for span in self._spans:
                known.seen[span] = self._sums.setdefault((span.kind, span.event_types, _first_day(span, day)), {})
            for kind, event_types in self._counted:
                sums = self._sums.setdefault((kind, event_types, _STARTS[kind](day)), {})
                if event_types:
                    known.of_types.append((event_types, sums))
                else:
                    known.of_all.append(sums)
        return known


def read(db: Connection, wanted: Sequence[tuple[bytes, date]], spans: Sequence[Span]) -> PeriodTotals:
    """The totals as seen from each (account, day), for each span; one statement for each sum of a period.

    The accounts must be locked: then nobody else adds to what is read here.
    """
    # One statement a period, which sums in the database: a file brings one or two periods and many days.
    on_day: dict[date, set[bytes]] = {}
    for account_id, day in wanted if spans else ():
        on_day.setdefault(day, set()).add(account_id)
    accounts: dict[_Sum, set[bytes]] = {}
    for span in spans:
        for day, ids in on_day.items():
            accounts.setdefault((span.kind, span.event_types, _first_day(span, day)), set()).update(ids)
    sums: dict[_Sum, dict[bytes, int]] = {}
    for (kind, event_types, first), ids in accounts.items():
        asked = {"first": first, "last": _last_day(first, _MONTHS[kind])}
        earned = sums[kind, event_types, first] = {}
        for chunk in bulk.in_chunks(sorted(ids)):
            if event_types:
                rows = db.execute(_EARNED_BY_TYPES, {**asked, "accounts": chunk, "event_types": event_types})
            else:
                rows = db.execute(_EARNED, {**asked, "accounts": chunk})
            for account_id, points_minor in rows:
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
