"""Sets of values as rule files write them: ``[6,24)``, ``(,6)``, ``[60,)``, a literal, a list of them, ``-``: any."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.language.faults import Refusal, Report, shown
from chalicelib.language.kinds import Kind, Type, words
from chalicelib.language.reading import DECIMAL_TEXT, iso_date
from chalicelib.records import dataclass

ANY = "-"
_INTERVAL = re.compile(r"\s*([\[(])\s*([^,\[\]()\s]*)\s*,\s*([^,\[\]()\s]*)\s*([\])])\s*")


@dataclass(frozen=True, slots=True)
class Interval:
    """The values between ``low`` and ``high``; a bound of None is open to infinity."""

    low: Any = None
    high: Any = None
    low_included: bool = True
    high_included: bool = True

    def contains(self, value: Any) -> bool:  # noqa: ANN401 - a number or a date, as the bounds are
        """Whether ``value``, of the type of the bounds, lies in the interval."""
        low, high = self.low, self.high
        if low is not None and not (low <= value if self.low_included else low < value):
            return False
        return high is None or (value <= high if self.high_included else value < high)

    def is_empty(self) -> bool:
        """Whether no value can lie in it."""
        if self.low is None or self.high is None or self.low < self.high:
            return False
        return bool(self.low > self.high) or not (self.low_included and self.high_included)

    def meets(self, other: "Interval") -> bool:
        """Whether a value could lie in both."""
        return not self.begins_after(other) and not other.begins_after(self)

    def covers(self, other: "Interval") -> bool:
        """Whether every value of ``other`` lies in this one."""
        low_covered = self.low is None or (
            other.low is not None
            and (self.low < other.low or (self.low == other.low and (self.low_included or not other.low_included)))
        )
        high_covered = self.high is None or (
            other.high is not None
            and (
                self.high > other.high or (self.high == other.high and (self.high_included or not other.high_included))
            )
        )
        return bool(low_covered and high_covered)

    def begins_after(self, other: "Interval") -> bool:
        """Whether every value of this one is greater than every value of ``other``."""
        if self.low is None or other.high is None:
            return False
        return bool(self.low > other.high) or (
            self.low == other.high and not (self.low_included and other.high_included)
        )


@dataclass(frozen=True, slots=True)
class Members:
    """A finite set of values, also ``ordered`` for questions about intervals."""

    values: frozenset[Any]
    ordered: tuple[Any, ...]

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Members":
        """The set of ``values``, which have one type."""
        distinct = frozenset(values)
        return cls(distinct, tuple(sorted(distinct)))

    def contains(self, value: Any) -> bool:  # noqa: ANN401 - any scalar
        """Whether ``value`` is one of them."""
        return value in self.values


@dataclass(frozen=True, slots=True)
class Anything:
    """Every value."""

    def contains(self, _: Any) -> bool:  # noqa: ANN401 - any scalar
        """Always."""
        return True


Cell = Interval | Members | Anything


def meet(left: Cell, right: Cell) -> bool:
    """Whether a value could lie in both cells."""
    if isinstance(left, Anything) or isinstance(right, Anything):
        return True
    if isinstance(left, Members):
        if isinstance(right, Members):
            return not left.values.isdisjoint(right.values)
        return _holds_one_of(right, left)
    if isinstance(right, Members):
        return _holds_one_of(left, right)
    return left.meets(right)


def _holds_one_of(interval: Interval, members: Members) -> bool:
    first = 0 if interval.low is None else bisect_left(members.ordered, interval.low)
    # The first value may be the bound itself, which need not belong to the interval; then the next one decides.
    return any(interval.contains(value) for value in members.ordered[first : first + 2])


def covers(left: Cell, right: Cell) -> bool:
    """Whether every value of ``right`` lies in ``left``."""
    if isinstance(left, Anything):
        return True
    if isinstance(right, Anything):
        return False
    if isinstance(right, Members):
        if isinstance(left, Members):
            return right.values <= left.values
        return left.contains(right.ordered[0]) and left.contains(right.ordered[-1])
    return isinstance(left, Interval) and left.covers(right)


def cell(raw: object, kind: Type, pointer: str, report: Report) -> Cell | None:
    """Read one condition cell of a column of type ``kind``; None, and a fault, when it is none."""
    if raw == ANY:
        return Anything()
    if isinstance(raw, list | tuple):
        members = [_scalar(item, kind, pointer, report) for item in raw]
        if not raw:
            _fault(report, pointer, "at least one value", "an empty list")
        return None if not raw or any(value is None for value in members) else Members.of(members)
    if isinstance(raw, str) and kind.kind is not Kind.STRING and raw.lstrip()[:1] in {"[", "("}:
        return interval(raw, kind, pointer, report)
    value = _scalar(raw, kind, pointer, report)
    return None if value is None else Members.of([value])


def interval(raw: str, kind: Type, pointer: str, report: Report) -> Interval | None:
    """Read ``[low,high)`` over numbers or dates; None, and a fault, when it is none."""
    match = _INTERVAL.fullmatch(raw)
    if match is None or kind.kind not in {Kind.INTEGER, Kind.DECIMAL, Kind.DATE}:
        _fault(report, pointer, 'an interval like "[6,24)", "(,6)" or "[60,)"', shown(raw))
        return None
    opening, low, high, closing = match.groups()
    found = Interval(
        _bound(low, kind, pointer, report), _bound(high, kind, pointer, report), opening == "[", closing == "]"
    )
    if (found.low is None and low) or (found.high is None and high):
        return None
    if found.is_empty():
        _fault(report, pointer, "an interval that holds a value", shown(raw))
        return None
    return found


def _bound(text: str, kind: Type, pointer: str, report: Report) -> Any:  # noqa: ANN401 - a number or a date
    return _scalar(text, kind, pointer, report) if text else None


def _scalar(raw: object, kind: Type, pointer: str, report: Report) -> Any:  # noqa: ANN401 - any scalar
    """A literal of the column's type; numbers may be written as text. None, and a fault, when it is none."""
    value: Any
    if kind.kind in {Kind.INTEGER, Kind.DECIMAL}:
        value = _number(raw)
        if kind.kind is Kind.DECIMAL and isinstance(value, int):
            value = Decimal(value)
    elif kind.kind is Kind.DATE and isinstance(raw, str):
        value = _date(raw)
    elif kind.kind is Kind.STRING and isinstance(raw, str):
        if kind.values is not None and raw not in kind.values:
            _fault(report, pointer, "one of " + ", ".join(kind.values), shown(raw), kind.values)
            return None
        value = raw
    else:
        value = raw if kind.kind is Kind.BOOLEAN and isinstance(raw, bool) else None
    if value is None and kind.kind is not Kind.UNKNOWN:
        _fault(report, pointer, words(kind.kind), shown(raw))
    return value


def _number(raw: object) -> int | Decimal | None:
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and DECIMAL_TEXT.fullmatch(raw):
        return Decimal(raw) if "." in raw else int(raw)
    return None


def _date(text: str) -> date | None:
    try:
        return iso_date(text)
    except Refusal:
        return None


def _fault(report: Report, pointer: str, expected: str, found: str, known: tuple[str, ...] = ()) -> None:
    message = f"expected {expected}, found {found}"
    report.add(pointer, "bad_cell", message, expected=expected, found=found, misspelt=(found.strip('"'), known))
