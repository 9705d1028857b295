"""What a function's result can be, from what its arguments can be. A function that is not here can give anything.

Arithmetic rounds in one direction as its arguments grow, so the results of the bounds bound the results.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

from chalicelib.language.faults import Refusal
from chalicelib.language.intervals import Interval
from chalicelib.language.kinds import Kind
from chalicelib.language.lint.domains import Domain, of_type
from chalicelib.language.lint.knowledge import Signs
from chalicelib.language.lint.spans import Spans, Step
from chalicelib.language.rounding import ARITHMETIC
from chalicelib.language.tree import Apply, Form

Call = Callable[..., Any]
# Numbers beyond this are not followed: the program refuses most of them anyway.
_FAR = Decimal(10) ** 60


def computed(node: Apply, arguments: Sequence[Domain], signs: Signs) -> Domain:
    """The domain of a call; ``signs``: how its arguments can compare, if they are two dates."""
    whole = of_type(node.type)
    values = [argument.values for argument in arguments]
    null = node.type.nullable and any(argument.null for argument in arguments)
    if not isinstance(whole.values, Spans):
        return whole
    spans = [one for one in values if isinstance(one, Spans)]
    if len(spans) < len(values) or not spans:
        return whole
    found = _spans(node, spans, signs)
    return whole if found is None else Domain(whole.values.meet(found), null)


def _spans(node: Apply, values: list[Spans], signs: Signs) -> Spans | None:  # noqa: PLR0911 - one return for each function
    name = node.function.name
    if node.function.form is Form.FIXED or name in {"decimal", "integer", "round"}:
        return _monotone(node.function.call, values, _step_of_rounded(node, values[0]))
    if name in _COUNTS:
        return _counted(node.function.call, values, signs)
    if node.function.form is Form.FOLD and name in _FOLDS:
        found = values[0]
        for other in values[1:]:
            found = _FOLDS[name](found, other)
        return found
    if name in {"min", "max"}:
        return _extreme(values, largest=name == "max")
    if name == "-" and len(values) == 1:
        return Spans.of((_negated(one) for one in values[0].intervals), values[0].step)
    if name == "abs":
        negative = Spans.of((_negated(one) for one in values[0].intervals), values[0].step)
        return values[0].join(negative).meet(Spans.of([Interval(0, None)]))
    if node.type.kind is Kind.DATE and name in {"start_of", "end_of", "date_add"}:
        return _monotone(node.function.call, values, None)
    return None


def _step_of_rounded(node: Apply, value: Spans) -> Step:
    if node.function.form is Form.FIXED:
        unit: Decimal = node.function.data[1]
        return unit
    return Decimal(1) if node.function.name == "integer" else value.step if node.function.name == "decimal" else None


def _monotone(call: Call, values: list[Spans], step: Step) -> Spans | None:
    """The range of a function that never falls while its arguments rise."""
    low = _called(call, [one.low for one in values])
    high = _called(call, [one.high for one in values])
    if isinstance(values[0].low, date) and (low is None or high is None):
        return None
    return Spans.of([Interval(low, high)], step)


def _called(call: Call, arguments: Sequence[Any]) -> Any:  # noqa: ANN401 - the function's result
    if any(argument is None for argument in arguments):
        return None
    try:
        return call(*arguments)
    except (Refusal, ArithmeticError):
        return None


_COUNTS = frozenset({"days_between", "months_between", "years_between"})


def _counted(call: Call, values: list[Spans], signs: Signs) -> Spans:
    """Days, months or years from a first to a second date: more, the earlier the first and the later the second."""
    first, second = values
    low = 0 if ">" not in signs else _called(call, [first.high, second.low])
    high = 0 if "<" not in signs else _called(call, [first.low, second.high])
    return Spans.of([Interval(low, high)], Decimal(1))


def _extreme(values: list[Spans], *, largest: bool) -> Spans:
    lows = [one.low for one in values]
    highs = [one.high for one in values]
    if largest:
        known = [low for low in lows if low is not None]
        low, high = (max(known) if known else None), (None if None in highs else max(highs))
    else:
        known = [high for high in highs if high is not None]
        low, high = (None if None in lows else min(lows)), (min(known) if known else None)
    joined = values[0]
    for one in values[1:]:
        joined = joined.join(one)
    return joined.meet(Spans.of([Interval(low, high)]))


def _negated(one: Interval) -> Interval:
    return Interval(
        None if one.high is None else -one.high,
        None if one.low is None else -one.low,
        one.high_included,
        one.low_included,
    )


def _exactly(left: Any, right: Any, join: Callable[[Any, Any], Any]) -> Any:  # noqa: ANN401 - numbers
    """``join`` as the program computes it; None beyond what is followed."""
    if left is None or right is None:
        return None
    try:
        found = join(left, right)
    except (InvalidOperation, Overflow):
        return None
    return found if -_FAR < found < _FAR else None


def _add(left: Any, right: Any) -> Any:  # noqa: ANN401 - numbers
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return ARITHMETIC.add(Decimal(left), Decimal(right))


def _multiply(left: Any, right: Any) -> Any:  # noqa: ANN401 - numbers
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    return ARITHMETIC.multiply(Decimal(left), Decimal(right))


def _sum(left: Spans, right: Spans) -> Spans:
    bounds = Interval(_exactly(left.low, right.low, _add), _exactly(left.high, right.high, _add))
    return Spans.of([bounds], _finer(left.step, right.step))


def _difference(left: Spans, right: Spans) -> Spans:
    return _sum(left, Spans.of((_negated(one) for one in right.intervals), right.step))


def _product(left: Spans, right: Spans) -> Spans:
    step = None if left.step is None or right.step is None else left.step * right.step
    corners = [_corner(one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
    if left.low is None or left.high is None or right.low is None or right.high is None:
        # Without all bounds only the sign is followed.
        return Spans.of([_signed(left, right)], step)
    known = [corner for corner in corners if corner is not None]
    if len(known) < len(corners):
        return Spans.of([Interval()], step)
    return Spans.of([Interval(min(known), max(known))], step)


def _corner(left: Any, right: Any) -> Any:  # noqa: ANN401 - numbers
    return _exactly(left, right, _multiply)


def _signed(left: Spans, right: Spans) -> Interval:
    if all(one.low is not None and one.low >= 0 for one in (left, right)):
        return Interval(_corner(left.low, right.low), None)
    if all(one.high is not None and one.high <= 0 for one in (left, right)):
        return Interval(_corner(left.high, right.high), None)
    for one, other in ((left, right), (right, left)):
        if one.low is not None and one.low >= 0 and other.high is not None and other.high <= 0:
            return Interval(None, _corner(one.low, other.high))
    return Interval()


def _quotient(left: Spans, right: Spans) -> Spans:
    """Bounded where the divisor keeps one sign."""
    ends = (right.low, right.high)
    if left.low is None or left.high is None or None in ends or (right.low <= 0 <= right.high):
        same = all(one.low is not None and one.low >= 0 for one in (left, right))
        return Spans.of([Interval(0, None) if same else Interval()])
    corners = [_exactly(one, other, _divide) for one in (left.low, left.high) for other in ends]
    if any(corner is None for corner in corners):
        return Spans.of([Interval()])
    return Spans.of([Interval(min(corners), max(corners))])


def _divide(left: Any, right: Any) -> Any:  # noqa: ANN401 - numbers
    return ARITHMETIC.divide(Decimal(left), Decimal(right))


def _rest(left: Spans, right: Spans) -> Spans:
    """With the sign of the first, nearer to zero than the second."""
    low = 0 if left.low is not None and left.low >= 0 else None
    high = 0 if left.high is not None and left.high <= 0 else None
    if right.low is not None and right.high is not None:
        size = max(abs(right.low), abs(right.high))
        low = -size if low is None else low
        high = size if high is None else high
    return Spans.of([Interval(low, high)], _finer(left.step, right.step))


def _finer(left: Step, right: Step) -> Step:
    return None if left is None or right is None else min(left, right)


_FOLDS: dict[str, Callable[[Spans, Spans], Spans]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "%": _rest,
}


#: Of two dates: what one of them says of the other.
COUNTERPARTS = {"months_between": "years_between", "years_between": "months_between"}


def counted_alike(name: str, other: Domain) -> Domain:
    """Years from months or months from years, between the same days: twelve whole months are a whole year."""
    values = other.values
    low, high = (values.low, values.high) if isinstance(values, Spans) else (None, None)
    if name == "years_between":
        low, high = (None if one is None else _years(int(one)) for one in (low, high))
    else:
        # No year, before or after, is up to eleven months.
        low = None if low is None else low * 12 - (0 if low > 0 else 11)
        high = None if high is None else high * 12 + (0 if high < 0 else 11)
    return Domain(Spans.of([Interval(low, high)], Decimal(1)))


def _years(months: int) -> int:
    return months // 12 if months >= 0 else -(-months // 12)
