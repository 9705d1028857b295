"""Sets of numbers or dates as sorted intervals without common values, on a grid where the values have one.

A grid makes "more than 5" of integers the same as "at least 6", so that what lies between two rows of a table is found
to be nothing where no value can lie there.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from chalicelib.language.intervals import Interval
from chalicelib.records import dataclass

# More intervals than this become the one that spans them all: a larger set, so every "never" stays true.
INTERVALS_MAX = 256
_WIDE = Context(prec=120)
DAY = timedelta(days=1)
#: The day of examples, unless a case or the rule says which.
EXAMPLE_DAY = date(2026, 1, 1)
#: And a day long before it, for rules that ask for years of service.
LONG_AGO = date(2001, 1, 1)

_LINE = (Interval(),)

# Distance of neighbouring values: a power of ten, or None for numbers of any fineness. Dates lie a day apart.
Step = Decimal | None


@dataclass(frozen=True, slots=True)
class Spans:
    """The values in ``intervals``, of a multiple of ``step``."""

    intervals: tuple[Interval, ...]
    step: Step = None

    @classmethod
    def of(cls, intervals: Iterable[Interval], step: Step = None) -> "Spans":
        """The union of ``intervals``."""
        return cls(_united([found for one in intervals if (found := _on_grid(one, step)) is not None]), step)

    @property
    def low(self) -> Any:  # noqa: ANN401 - a number or a date
        """The least bound, None when there is none."""
        return self.intervals[0].low if self.intervals else None

    @property
    def high(self) -> Any:  # noqa: ANN401 - a number or a date
        """The greatest bound, None when there is none."""
        return self.intervals[-1].high if self.intervals else None

    def is_empty(self) -> bool:
        """Whether no value is left."""
        return not self.intervals

    def contains(self, value: Any) -> bool:  # noqa: ANN401 - a number or a date
        """Whether ``value`` lies in one of the intervals."""
        return any(one.contains(value) for one in self.intervals)

    def meet(self, other: "Spans") -> "Spans":
        """The values of both."""
        step = _coarser(self.step, other.step)
        for one, whole in ((self, other), (other, self)):
            if whole.intervals == _LINE and one.step == step:
                return one
        return Spans.of((_common(left, right) for left in self.intervals for right in other.intervals), step)

    def join(self, other: "Spans") -> "Spans":
        """The values of one or the other."""
        step = None if self.step is None or other.step is None else min(self.step, other.step)
        return Spans.of((*self.intervals, *other.intervals), step)

    def without(self, other: Sequence[Interval]) -> "Spans":
        """The values that lie in none of ``other``."""
        found = self
        for one in other:
            found = found.meet(Spans.of(complement(one), self.step))
        return found

    def values(self, count_max: int) -> list[Any] | None:
        """Every value, when there are no more than ``count_max``; else None."""
        found: list[Any] = []
        for one in self.intervals:
            if one.low is None or one.high is None:
                return None
            step = DAY if isinstance(one.low, date) else self.step
            value = one.low
            while one.contains(value):
                if len(found) == count_max or (step is None and value != one.high):
                    return None
                found.append(value)
                if value == one.high or step is None:
                    break
                value = _moved(value, step)
        return found

    def some(self, day: date = EXAMPLE_DAY) -> Any:  # noqa: ANN401 - a number or a date
        """One value that is in the set, an unobtrusive one: the end of an interval nearest to zero, or to a day."""
        return example(self.intervals[0], self.step, day)


def complement(one: Interval) -> list[Interval]:
    """What lies before and after an interval."""
    found = []
    if one.low is not None:
        found.append(Interval(None, one.low, low_included=True, high_included=not one.low_included))
    if one.high is not None:
        found.append(Interval(one.high, None, low_included=not one.high_included, high_included=True))
    return found


def example(  # noqa: PLR0911 - one return for each form
    one: Interval, step: Step, day: date = EXAMPLE_DAY
) -> Any:  # noqa: ANN401 - a number or a date
    """A value of an interval that is not empty."""
    low, high = one.low, one.high
    if low is None and high is None:
        return 0
    if isinstance(low or high, date):
        # A day of these years, rather than the first or the last day that there is.
        return day if one.contains(day) else low if low is not None and low > day else high or low
    if low is not None and high is not None and one.high_included and high <= 0:
        return high
    if low is not None and one.low_included:
        return low
    if high is not None and one.high_included:
        return high
    if low is not None and high is not None:
        middle = _WIDE.divide(_WIDE.add(Decimal(low), Decimal(high)), Decimal(2))
        return _rounded(middle, step, ROUND_FLOOR) if step is not None else middle
    return low + 1 if low is not None else high - 1


def _on_grid(one: Interval, step: Step) -> Interval | None:
    """The interval with bounds that are values themselves, where values have a grid; None when nothing is left."""
    low, high = one.low, one.high
    if isinstance(low, date) or isinstance(high, date):
        low = low if low is None or one.low_included else _moved(low, DAY)
        high = high if high is None or one.high_included else _moved(high, -DAY)
        one = Interval(low, high)
    elif step is not None and (low is not None or high is not None):
        if low is not None:
            rounded = _rounded(low, step, ROUND_CEILING)
            low = rounded if one.low_included or rounded != low else _moved(rounded, step)
        if high is not None:
            rounded = _rounded(high, step, ROUND_FLOOR)
            high = rounded if one.high_included or rounded != high else _moved(rounded, -step)
        one = Interval(low, high)
    return None if one.is_empty() else one


def _rounded(value: int | Decimal, step: Decimal, rounding: str) -> int | Decimal:
    if isinstance(value, int) and step <= 1:
        return value
    whole = _WIDE.divide(Decimal(value), step).to_integral_value(rounding=rounding)
    found = _WIDE.multiply(whole, step)
    return int(found) if step == 1 else found


def _moved(value: Any, step: Any) -> Any:  # noqa: ANN401 - a number or a date and its step
    if isinstance(value, date):
        try:
            return value + step
        except OverflowError:
            return value
    if isinstance(value, int):
        return value + int(step) if step == int(step) else Decimal(value) + step
    return _WIDE.add(value, step)


def _coarser(left: Step, right: Step) -> Step:
    if left is None or right is None:
        return left if right is None else right
    return max(left, right)


def _common(left: Interval, right: Interval) -> Interval:
    low, low_included = left.low, left.low_included
    if low is None or (right.low is not None and right.low > low):
        low, low_included = right.low, right.low_included
    elif right.low == low:
        low_included = low_included and right.low_included
    high, high_included = left.high, left.high_included
    if high is None or (right.high is not None and right.high < high):
        high, high_included = right.high, right.high_included
    elif right.high == high:
        high_included = high_included and right.high_included
    return Interval(low, high, low_included, high_included)


def _united(intervals: list[Interval]) -> tuple[Interval, ...]:
    """Sorted, and joined where they meet."""
    unbounded = [one for one in intervals if one.low is None]
    bounded = sorted((one for one in intervals if one.low is not None), key=lambda one: (one.low, not one.low_included))
    found: list[Interval] = []
    for one in (*unbounded, *bounded):
        if found and not _apart(found[-1], one):
            found[-1] = _hull(found[-1], one)
        else:
            found.append(one)
    if len(found) > INTERVALS_MAX:
        return (_hull(found[0], found[-1]),)
    return tuple(found)


def _apart(left: Interval, right: Interval) -> bool:
    """Whether a value lies between ``left`` and ``right``, which does not begin before it."""
    if left.high is None or right.low is None:
        return False
    return bool(left.high < right.low) or (left.high == right.low and not (left.high_included or right.low_included))


def _hull(left: Interval, right: Interval) -> Interval:
    """From the beginning of ``left``, which is not after that of ``right``, to the later end."""
    if left.high is None or right.high is None:
        return Interval(left.low, None, left.low_included)
    if left.high == right.high:
        return Interval(left.low, left.high, left.low_included, left.high_included or right.high_included)
    last = left if left.high > right.high else right
    return Interval(left.low, last.high, left.low_included, last.high_included)
