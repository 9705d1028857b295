"""What a program still owes its members, by when it expires, as of any past moment.

The buckets add up to the members' balances as the trial balance had them then: what has expired and was not yet posted
as breakage is a bucket of its own, and so is what members owe.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.language.months import add_months
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER, Program
from chalicelib.points.finance import worth
from chalicelib.points.finance.worth import Worth
from chalicelib.points.ledger import positions
from chalicelib.points.ledger.positions import Whose
from chalicelib.records import dataclass

_DAY: Final = timedelta(days=1)
#: Where buckets end: so many months after the day asked about, that day included.
MONTHS: Final = (1, 3, 6, 12, 24)


class Span(NamedTuple):
    """A bucket: points whose last day lies from ``since`` to ``until``, both included; None is open."""

    name: str
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was left within a span. The value is in minor units of the currency; None: the program says no value."""

    span: Span
    points_minor: int
    value_minor: int | None


@dataclass(frozen=True, slots=True)
class Liability:
    """Everything that was left of a program's points before a moment; ``day`` is the date on which it is valued.

    The values of buckets add up to the whole's to the minor unit.
    """

    before: datetime
    day: date
    worth: Worth | None
    buckets: tuple[Bucket, ...]
    points_minor: int
    value_minor: int | None


def of(db: Connection, program: Program, *, before: datetime) -> Liability:
    """The liability of a program as it was before a moment, at the value of that moment's day there.

    Raises NoValue when the program says a value, but none for so early a day.
    """
    day = programs.business_date(before - timedelta(microseconds=1), program)
    spans = _spans(day)
    sums = dict.fromkeys((span.name for span in spans), 0)
    for left in positions.of_programs(db, Whose(program_id=program.id), before=before):
        sums[_name(spans, left.expires_on, owed=left.owed)] += left.minor
    total = sum(sums.values())
    value = worth.of(program)
    exact = [Decimal(0) if value is None else value.exact(sums[span.name], day) for span in spans]
    values = None if value is None else worth.adding_up(exact, worth.rounded(sum(exact, Decimal(0))))
    return Liability(
        before,
        day,
        value,
        tuple(Bucket(span, sums[span.name], None if values is None else values[at]) for at, span in enumerate(spans)),
        total,
        None if values is None else sum(values),
    )


def _spans(day: date) -> list[Span]:
    spans = [Span("expired", None, day - _DAY)]
    since = day
    for months in MONTHS:
        until = add_months(day, months)
        spans.append(Span(f"months_{months}", since, until))
        since = until + _DAY
    return [*spans, Span("later", since, NEVER - _DAY), Span("never", NEVER, None), Span("owed", None, None)]


def _name(spans: list[Span], expires_on: date, *, owed: bool) -> str:
    if owed:
        return "owed"
    for span in spans:
        if span.until is None or expires_on <= span.until:
            return span.name
    raise AssertionError("The spans cover all days.")
