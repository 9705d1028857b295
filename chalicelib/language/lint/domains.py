"""What a place can hold, as far as a rule tells: null or not, and a set of values that is never too small."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.language.declared import Declared
from chalicelib.language.faults import clip
from chalicelib.language.intervals import Anything, Cell, Interval, Members
from chalicelib.language.kinds import Kind, Type, json_value
from chalicelib.language.lint.spans import Spans
from chalicelib.records import dataclass

PICKS_MAX = 256
_SHOWN_MAX = 200
DATES = Interval(date.min, date.max)


@dataclass(frozen=True, slots=True)
class Picks:
    """Just ``values``, or every value but them. Texts and booleans."""

    values: frozenset[Any]
    excluded: bool = False

    def is_empty(self) -> bool:
        """Whether no value is left."""
        return not self.values and not self.excluded

    def contains(self, value: object) -> bool:
        """Whether ``value`` is possible."""
        return (value in self.values) is not self.excluded

    def meet(self, other: "Picks") -> "Picks":
        """The values of both."""
        if self.excluded and other.excluded:
            return Picks(self.values | other.values, excluded=True)
        if self.excluded:
            return Picks(other.values - self.values)
        return Picks(self.values - other.values if other.excluded else self.values & other.values)

    def join(self, other: "Picks") -> "Picks":
        """The values of one or the other."""
        if not self.excluded and not other.excluded:
            joined = self.values | other.values
            return Picks(joined) if len(joined) <= PICKS_MAX else Picks(frozenset(), excluded=True)
        if self.excluded and other.excluded:
            return Picks(self.values & other.values, excluded=True)
        left, right = (self, other) if self.excluded else (other, self)
        return Picks(left.values - right.values, excluded=True)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Lists and objects: nothing is known of them."""

    def is_empty(self) -> bool:
        """Never."""
        return False

    def contains(self, _: object) -> bool:
        """Always."""
        return True


Values = Picks | Spans | Opaque


@dataclass(frozen=True, slots=True)
class Domain:
    """``null``: null is possible. ``values``: what else is."""

    values: Values
    null: bool = False

    def allows(self, value: Any) -> bool:  # noqa: ANN401 - any value or null
        """Whether ``value`` is possible."""
        return self.null if value is None else self.values.contains(value)

    def is_empty(self) -> bool:
        """Whether nothing is possible: no record gets here."""
        return not self.null and self.values.is_empty()

    def meet(self, other: "Domain") -> "Domain":
        """What both allow."""
        null = self.null and other.null
        if self.values.is_empty() or other.values.is_empty():
            return Domain(NO_VALUE, null)
        if isinstance(self.values, Spans) and isinstance(other.values, Spans):
            return Domain(self.values.meet(other.values), null)
        if isinstance(self.values, Picks) and isinstance(other.values, Picks):
            return Domain(self.values.meet(other.values), null)
        return Domain(other.values if isinstance(self.values, Opaque) else self.values, null)

    def join(self, other: "Domain") -> "Domain":
        """What one or the other allows."""
        null = self.null or other.null
        if self.values.is_empty():
            return Domain(other.values, null)
        if other.values.is_empty():
            return Domain(self.values, null)
        if isinstance(self.values, Spans) and isinstance(other.values, Spans):
            return Domain(self.values.join(other.values), null)
        if isinstance(self.values, Picks) and isinstance(other.values, Picks):
            return Domain(self.values.join(other.values), null)
        return Domain(OPAQUE, null)

    def without_null(self) -> "Domain":
        """The same where null is ruled out."""
        return replace(self, null=False) if self.null else self

    def listed(self, count_max: int) -> list[Any] | None:
        """Every value, null first, when there are no more than ``count_max``; else None."""
        found: list[Any] | None = None
        if isinstance(self.values, Picks) and not self.values.excluded and len(self.values.values) <= count_max:
            found = sorted(self.values.values, key=str)
        elif isinstance(self.values, Spans):
            found = self.values.values(count_max)
        return None if found is None else [*([None] if self.null else []), *found]


OPAQUE = Opaque()
NO_VALUE = Picks(frozenset())
TEXTS = Picks(frozenset(), excluded=True)
BOTH = Domain(Picks(frozenset({True, False})))
NULL_ONLY = Domain(NO_VALUE, null=True)


def truth(held: bool) -> Domain:  # noqa: FBT001 - a boolean is the value
    """The domain of one boolean."""
    return Domain(Picks(frozenset({held})))


def of_type(kind: Type) -> Domain:
    """Every value of a type."""
    values: Values = OPAQUE
    match kind.kind:
        case Kind.NULL:
            return NULL_ONLY
        case Kind.STRING:
            values = TEXTS if kind.values is None else Picks(frozenset(kind.values))
        case Kind.BOOLEAN:
            values = BOTH.values
        case Kind.INTEGER:
            values = Spans.of([Interval()], Decimal(1))
        case Kind.DECIMAL:
            values = Spans.of([Interval()])
        case Kind.DATE:
            values = Spans.of([DATES])
        case Kind.UNKNOWN:
            return Domain(OPAQUE, null=True)
    return Domain(values, kind.nullable)


def of_declared(declared: Declared) -> Domain:
    """What an input may hold as it is declared."""
    found = of_type(declared.of)
    if not isinstance(found.values, Spans):
        return found
    bounds = Spans.of([Interval(declared.min, declared.max)], step_of(declared))
    return Domain(found.values.meet(bounds), found.null)


def step_of(declared: Declared) -> Decimal | None:
    """The distance of neighbouring values of an input."""
    if declared.type == "integer":
        return Decimal(1)
    return None if declared.scale is None else Decimal((0, (1,), -declared.scale))


def of_values(values: Iterable[Any]) -> Domain:
    """Just these values, which have one type; None among them stands for null."""
    found = list(values)
    some = [value for value in found if value is not None]
    null = len(some) < len(found)
    if not some:
        return Domain(NO_VALUE, null)
    if all(isinstance(value, str | bool) for value in some):
        return Domain(Picks(frozenset(some)), null)
    if all(isinstance(value, int | Decimal | date) for value in some):
        return Domain(Spans.of((Interval(value, value) for value in some), _fineness(some)), null)
    return Domain(OPAQUE, null)


def of_cell(cell: Cell, column: Values) -> Values:
    """The values of a column that a table's cell takes."""
    match cell:
        case Anything():
            return column
        case Interval() if isinstance(column, Spans):
            return column.meet(Spans.of([cell]))
        case Members(values=values) if isinstance(column, Spans):
            return column.meet(Spans.of(Interval(value, value) for value in values))
        case Members(values=values) if isinstance(column, Picks):
            return column.meet(Picks(values))
    return column


def minus(column: Values, cell: Cell) -> Values:
    """The values of a column that a table's cell does not take."""
    match cell:
        case Anything():
            return NO_VALUE
        case Interval() if isinstance(column, Spans):
            return column.without([cell])
        case Members(values=values) if isinstance(column, Spans):
            return column.without([Interval(value, value) for value in values])
        case Members(values=values) if isinstance(column, Picks):
            return column.meet(Picks(values, excluded=True))
    return column


def _fineness(values: list[Any]) -> Decimal | None:
    if isinstance(values[0], date):
        return None
    exponents = [value.as_tuple().exponent for value in values if isinstance(value, Decimal)]
    return Decimal((0, (1,), min([0, *(exponent for exponent in exponents if isinstance(exponent, int))])))


def words(domain: Domain) -> str:
    """``6 or more``, ``one of A, B``: the domain as a message names it."""
    parts = ["null"] if domain.null else []
    values = domain.values
    if isinstance(values, Picks) and values.values:
        names = clip(", ".join(sorted(_shown(value) for value in values.values)), _SHOWN_MAX)
        parts.append(f"anything but {names}" if values.excluded else names)
    elif isinstance(values, Spans):
        parts.extend(interval_words(one) for one in values.intervals[:4])
        if len(values.intervals) > 4:
            parts.append("…")
    elif not values.is_empty():
        parts.append("anything")
    return " or ".join(parts) or "nothing"


def interval_words(one: Interval) -> str:
    """An interval as a table writes it, or its only value."""
    low = None if one.low == date.min else one.low
    high = None if one.high == date.max else one.high
    if low is not None and low == high:
        return _shown(low)
    opening = "[" if low is not None and one.low_included else "("
    closing = "]" if high is not None and one.high_included else ")"
    return f"{opening}{'' if low is None else _shown(low)},{'' if high is None else _shown(high)}{closing}"


def _shown(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(json_value(value))
