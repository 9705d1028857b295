"""When a grant is due to a member: the occasions of hire dates, anniversaries and periods. Pure: days in, days out."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple, TypeAlias

from chalicelib.partners.programs import plan_periods
from chalicelib.partners.programs.plan_periods import PlanPeriod
from chalicelib.partners.programs.terms import Grant

#: A member's days in a program, oldest first; the last day None: open.
Stays: TypeAlias = Sequence[tuple[date, date | None]]

_SHARE: Final = Decimal("0.000001")
_WHOLE: Final = Decimal(1)


class Occasion(NamedTuple):
    """One grant that is due on ``day``. ``key`` tells it from the grant's other occasions, however the day moves.

    ``share``: which part of the grant's quantity is due.
    """

    key: date
    day: date
    share: Decimal = _WHOLE


def of(grant: Grant, hire_date: date, stays: Stays, *, first: date, last: date) -> list[Occasion]:
    """The occasions of a grant from ``first`` to ``last`` for a member with these days in the program, in order.

    An occasion outside the member's days in the program is none: leave that ends an enrolment earns nothing.
    """
    if not stays or first > last:
        return []
    return sorted(
        each
        for each in _all(grant, hire_date, stays, first, last)
        if first <= each.day <= last and _within(stays, each.day)
    )


def _all(grant: Grant, hire_date: date, stays: Stays, first: date, last: date) -> Iterator[Occasion]:
    match grant.on:
        case "hire":
            yield Occasion(hire_date, hire_date)
        case "enrolment":
            yield Occasion(stays[0][0], stays[0][0])
        case "anniversary":
            yield from _every(hire_date, 12, first, last, since=1)
        case "rolling":
            yield from _every(stays[0][0], grant.months, first, last, since=0)
        case "period":
            # One period earlier too: its last days may be those of a leaver within the window.
            period = plan_periods.around(grant.anchor, grant.months, first)
            while period.first <= last:
                found = _in_period(grant, stays, period)
                if found is not None:
                    yield found
                period = period.next(grant.months)


def _every(base: date, months: int, first: date, last: date, *, since: int) -> Iterator[Occasion]:
    """The days that are whole multiples of ``months`` after ``base``, from the ``since``-th on."""
    number = max(since, ((first.year - base.year) * 12 + first.month - base.month) // months - 1)
    while (day := plan_periods.plus(base, number * months)) <= last:
        yield Occasion(day, day)
        number += 1


def _in_period(grant: Grant, stays: Stays, period: PlanPeriod) -> Occasion | None:
    days = [
        (max(since, period.first), period.last if until is None else min(until, period.last))
        for since, until in stays
        if since <= period.last and (until is None or until >= period.first)
    ]
    if not days:
        return None
    if grant.paid == "advance":
        day = days[0][0]
        if day != period.first and not grant.joiners:
            return None
        share = _share(grant, period, day, period.last, (period.last - day).days + 1)
    else:
        day = days[-1][1]
        if day != period.last and not grant.joiners:
            return None
        share = _share(grant, period, days[0][0], day, sum((until - since).days + 1 for since, until in days))
    return Occasion(period.first, day, share)


def _share(grant: Grant, period: PlanPeriod, since: date, until: date, days: int) -> Decimal:
    if grant.pro_rata is None:
        return _WHOLE
    if grant.pro_rata == "days":
        part, whole = days, period.days
    else:
        part = (until.year - since.year) * 12 + until.month - since.month + 1
        last_month = period.last - timedelta(days=period.last.day - 1)
        whole = (last_month.year - period.first.year) * 12 + last_month.month - period.first.month + 1
    if part >= whole:
        return _WHOLE
    return (Decimal(part) / Decimal(whole)).quantize(_SHARE, ROUND_HALF_UP)


def _within(stays: Stays, day: date) -> bool:
    return any(since <= day and (until is None or day <= until) for since, until in stays)
