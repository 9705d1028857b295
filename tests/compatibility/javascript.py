"""ECMAScript's conversions and comparisons (ECMA-262, section 7) over JSON values, and JsonLogic's operators on them.

A number is a ``float``, an array a ``list``, an object a ``dict``; "undefined" is an argument that is not there. Arrays
and objects are compared by identity, as JavaScript does. Left out: prototypes (``{"var": "constructor"}``), and texts
are counted in code points, which differ from JavaScript's UTF-16 units beyond the Basic Multilingual Plane.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from chalicelib.language.faults import Refusal

NAN: Final = math.nan
_SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_AROUND = re.compile(f"^[{_SPACE}]+|[{_SPACE}]+$")
_DECIMAL = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_PREFIXED = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+")
_INDEX = re.compile(r"0|[1-9][0-9]*")


def truthy(value: Any) -> bool:
    """JsonLogic's truth: JavaScript's, but an empty array is false."""
    match value:
        case None | False | "" | []:
            return False
        case float():
            return value != 0 and not math.isnan(value)
    return True


def number(value: Any) -> float:
    """ToNumber."""
    match value:
        case None | False:
            return 0.0
        case True:
            return 1.0
        case float():
            return value
        case str():
            return _number_of(value)
    return _number_of(text(value))


def _number_of(written: str) -> float:
    stripped = _AROUND.sub("", written)
    if not stripped:
        return 0.0
    if _PREFIXED.fullmatch(stripped):
        return float(int(stripped, 0))
    return float(stripped) if _DECIMAL.fullmatch(stripped) else NAN


def leading_number(value: Any) -> float:
    """``parseFloat``: the number that a text begins with."""
    found = _DECIMAL.match(_AROUND.sub("", text(value)))
    return float(found[0]) if found else NAN


def text(value: Any) -> str:
    """ToString."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _number_text(value)
        case str():
            return value
        case list():
            return joined(value, ",")
    return "[object Object]"


def joined(values: list[Any], separator: str) -> str:
    """``Array.prototype.join``, which leaves null out."""
    return separator.join("" if value is None else text(value) for value in values)


def _number_text(value: float) -> str:
    """Number::toString, radix 10."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign, parts, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, parts))
    point = len(digits) + int(exponent)
    if len(digits) <= point <= 21:
        written = digits.ljust(point, "0")
    elif 0 < point <= 21:
        written = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        written = "0." + "0" * -point + digits
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        written = f"{digits[0]}{fraction}e{point - 1:+d}"
    return f"-{written}" if sign else written


def strictly_equal(left: Any, right: Any) -> bool:
    """``===``."""
    if type(left) is not type(right):
        return False
    return left is right if isinstance(left, list | dict) else bool(left == right)


def loosely_equal(left: Any, right: Any) -> bool:
    """``==``."""
    if left is None or right is None:
        return left is right
    if type(left) is type(right):
        return strictly_equal(left, right)
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        return False
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return number(left) == number(right)


def _primitive(value: Any) -> Any:
    return text(value) if isinstance(value, list | dict) else value


def _less(left: Any, right: Any) -> bool:
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    return number(left) < number(right)


def _at_most(left: Any, right: Any) -> bool:
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return left <= right
    return number(left) <= number(right)


def _between(compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    """Of two arguments, or three; with fewer, one side is undefined, which is neither less nor more than anything."""

    def call(*values: Any) -> bool:
        if len(values) < 2:
            return False
        return compare(values[0], values[1]) and (len(values) < 3 or compare(values[1], values[2]))

    return call


def _equality(compare: Callable[[Any, Any], bool], *, same: bool, undefined_is_null: bool) -> Callable[..., bool]:
    def call(*values: Any) -> bool:
        if len(values) >= 2:
            return compare(values[0], values[1]) is same
        equal = not values or (undefined_is_null and values[0] is None)
        return equal is same

    return call


def _divided(*values: Any) -> float:
    left, right = _two_numbers(values)
    if right == 0:
        return NAN if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _rest(*values: Any) -> float:
    left, right = _two_numbers(values)
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return NAN
    return math.fmod(left, right)


def _difference(*values: Any) -> float:
    left, right = _two_numbers(values)
    return -left if len(values) == 1 else left - right


def _two_numbers(values: tuple[Any, ...]) -> tuple[float, float]:
    left, right, *_ = *map(number, values), NAN, NAN
    return left, right


def _extreme(choose: Callable[[list[float]], float], nothing: float) -> Callable[..., float]:
    def call(*values: Any) -> float:
        numbers = [number(value) for value in values]
        if any(map(math.isnan, numbers)):
            return NAN
        return choose(numbers) if numbers else nothing

    return call


def _in(*values: Any) -> bool:
    if len(values) < 2 or not isinstance(values[1], str | list):
        return False
    item, container = values[:2]
    if isinstance(container, str):
        return bool(container) and text(item) in container
    return any(strictly_equal(item, member) for member in container)


def _cat(*values: Any) -> str:
    return joined(list(values), "")


def _substr(*values: Any) -> str:
    if not values:
        return "undefined"
    source = text(values[0])
    start = _whole(values[1]) if len(values) > 1 else 0
    first = max(len(source) + start, 0) if start < 0 else start
    rest = source[first:]
    if len(values) < 3:
        return rest
    length = number(values[2])
    return rest[: max(len(rest) + _whole(length), 0)] if length < 0 else rest[: _whole(length)]


def _whole(value: Any) -> int:
    """ToIntegerOrInfinity, where no text is as long as a million."""
    given = number(value)
    return 0 if math.isnan(given) else int(max(min(given, 1e6), -1e6))


def _merge(*values: Any) -> list[Any]:
    return reduce(lambda whole, value: [*whole, *value] if isinstance(value, list) else [*whole, value], values, [])


def var(data: Any, *values: Any) -> Any:
    """The value at a path into ``data``; the second of ``values`` where there is none."""
    default = values[1] if len(values) > 1 else None
    if not values or values[0] is None or values[0] == "":
        return data
    for name in text(values[0]).split("."):
        match data:
            case dict() if name in data:
                data = data[name]
            case list() | str() if name == "length":
                data = float(len(data))
            case list() | str() if _INDEX.fullmatch(name) and int(name) < len(data):
                data = data[int(name)]
            case _:
                return default
    return data


def missing(data: Any, *values: Any) -> list[Any]:
    """The paths, as arguments or as one array, at which there is null, an empty text or nothing."""
    paths = values[0] if values and isinstance(values[0], list) else list(values)
    found = [(path, var(data, *path) if isinstance(path, list) else var(data, path)) for path in paths]
    return [path for path, value in found if value is None or value == ""]


def missing_some(data: Any, *values: Any) -> list[Any]:
    """The missing ones of an array of paths, unless enough are there."""
    if len(values) < 2 or not isinstance(values[1], list):
        raise Refusal("type_error", "missing_some needs an array of paths")
    absent = missing(data, values[1])
    return [] if len(values[1]) - len(absent) >= number(values[0]) else absent


# Operators of arguments that are all evaluated.
EAGER: dict[str, Callable[..., Any]] = {
    "==": _equality(loosely_equal, same=True, undefined_is_null=True),
    "!=": _equality(loosely_equal, same=False, undefined_is_null=True),
    "===": _equality(strictly_equal, same=True, undefined_is_null=False),
    "!==": _equality(strictly_equal, same=False, undefined_is_null=False),
    "<": _between(_less),
    "<=": _between(_at_most),
    ">": lambda *values: len(values) > 1 and _less(values[1], values[0]),
    ">=": lambda *values: len(values) > 1 and _at_most(values[1], values[0]),
    "/": _divided,
    "%": _rest,
    "-": _difference,
    "min": _extreme(min, math.inf),
    "max": _extreme(max, -math.inf),
    "in": _in,
    "cat": _cat,
    "substr": _substr,
    "merge": _merge,
    "log": lambda *values: values[0] if values else None,
}
# Operators that read the data too, which are their first argument.
READING: dict[str, Callable[..., Any]] = {"var": var, "missing": missing, "missing_some": missing_some}


def from_json(value: Any) -> Any:
    """A JSON value with every number a double."""
    match value:
        case bool():
            return value
        case int() | Decimal() | float():
            return float(value)
        case list():
            return [from_json(item) for item in value]
        case dict():
            return {name: from_json(item) for name, item in value.items()}
    return value


def to_json(value: Any) -> Any:
    """What JSON.stringify would write of it, read back."""
    match value:
        case float():
            return value + 0.0 if math.isfinite(value) else None
        case list():
            return [to_json(item) for item in value]
        case dict():
            return {name: to_json(item) for name, item in value.items()}
    return value


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: true is not 1, and 2 is 2.0."""
    match left, right:
        case (list(), list()):
            return len(left) == len(right) and all(map(same, left, right))
        case (dict(), dict()):
            return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
        case (bool(), _) | (_, bool()):
            return left is right
    return bool(left == right)
