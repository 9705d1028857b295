"""Arithmetic. Integers stay integers (of at most 18 digits) except under ``/``; with a decimal, all are decimals."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

from chalicelib.language.bounds import INTEGER_MAX, SCALE_MAX
from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.conversions import as_decimal, as_written
from chalicelib.language.faults import Refusal
from chalicelib.language.kinds import DECIMAL, NUMBERS, UNKNOWN, Kind
from chalicelib.language.operators.item_types import items_of, with_items
from chalicelib.language.operators.logic import ORDERED, unknown
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.rounding import ARITHMETIC, ROUNDING_MODES, quantizer, unit
from chalicelib.language.tree import Apply, Form, Function, Node


def fitting(number: int) -> int:
    """``number``; raises ``Refusal`` when it has too many digits."""
    if -INTEGER_MAX <= number <= INTEGER_MAX:
        return number
    raise Refusal("number_too_large", "an integer has more than 18 digits")


def _divided(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise Refusal("division_by_zero", "division by zero")
    return ARITHMETIC.divide(left, right)


def _decimal_rest(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise Refusal("division_by_zero", "division by zero")
    return ARITHMETIC.remainder(left, right)


def _integer_rest(left: int, right: int) -> int:
    if not right:
        raise Refusal("division_by_zero", "division by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _folded(join: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(join, values)


def _fold(name: str, join: Callable[[Any, Any], Any]) -> Function:
    return Function(name, _folded(join), Form.FOLD, data=join)


_INTEGERS = {
    "+": _fold("+", lambda left, right: fitting(left + right)),
    "-": _fold("-", lambda left, right: fitting(left - right)),
    "*": _fold("*", lambda left, right: fitting(left * right)),
    "%": _fold("%", _integer_rest),
}
_DECIMALS = {
    "+": _fold("+", ARITHMETIC.add),
    "-": _fold("-", ARITHMETIC.subtract),
    "*": _fold("*", ARITHMETIC.multiply),
    "%": _fold("%", _decimal_rest),
    "/": _fold("/", _divided),
}


def _one_of(pick: Callable[[Any], Any]) -> Callable[[Sequence[Any]], Any]:
    def picked(items: Sequence[Any]) -> Any:  # noqa: ANN401 - a number or a date
        if not items:
            raise Refusal("empty_list", "an empty list has no least or greatest item")
        return pick(items)

    return picked


_NEGATIVE = {Kind.INTEGER: Function("-", lambda number: -number), Kind.DECIMAL: Function("-", ARITHMETIC.minus)}
_ABSOLUTE = {Kind.INTEGER: Function("abs", abs), Kind.DECIMAL: Function("abs", ARITHMETIC.abs)}
_EXTREMES = {"min": Function("min", min), "max": Function("max", max)}
_EXTREMES_OF = {"min": Function("min", _one_of(min), reads=1), "max": Function("max", _one_of(max), reads=1)}


def _arithmetic(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes = [checker.value(argument, narrowed, *NUMBERS) for argument in call.arguments]
    if unknown(*nodes):
        return wrong(call.pointer)
    nodes, whole = checker.common(nodes)
    if call.operator == "/":
        whole, nodes = DECIMAL, [as_decimal(node) for node in nodes]
    if len(nodes) == 1:
        return Apply(call.pointer, whole, _NEGATIVE[whole.kind], tuple(nodes))
    if whole.kind is Kind.INTEGER:
        return Apply(call.pointer, whole, _INTEGERS[call.operator], tuple(nodes))
    # Decimal arithmetic converts integers itself, exactly and faster than a call of ours would.
    return Apply(call.pointer, whole, _DECIMALS[call.operator], tuple(as_written(node) for node in nodes))


def _extreme(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    if len(call.arguments) == 1:
        only = checker.node(call.arguments[0], narrowed)
        if only.type.kind is Kind.LIST:
            return _extreme_of(checker, call, only)
    nodes, whole = checker.common([checker.value(argument, narrowed, *ORDERED) for argument in call.arguments])
    if whole is UNKNOWN or unknown(*nodes):
        return wrong(call.pointer)
    return nodes[0] if len(nodes) == 1 else Apply(call.pointer, whole, _EXTREMES[call.operator], tuple(nodes))


def _extreme_of(checker: Checker, call: Call, node: Node) -> Node:
    """The least or greatest item of a list."""
    node = with_items(checker, checker.required(node, Kind.LIST))
    item = items_of(checker, node, *ORDERED)
    if unknown(node) or item is UNKNOWN:
        return wrong(call.pointer)
    return Apply(call.pointer, item, _EXTREMES_OF[call.operator], (node,))


def _abs(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.value(call.arguments[0], narrowed, *NUMBERS)
    return wrong(call.pointer) if unknown(node) else Apply(call.pointer, node.type, _ABSOLUTE[node.type.kind], (node,))


def _round(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.value(call.arguments[0], narrowed, *NUMBERS)
    scale = checker.constant(
        call.arguments[1],
        f"the number of decimal places, 0 to {SCALE_MAX}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SCALE_MAX,
    )
    mode = checker.choice(call.arguments[2], tuple(ROUNDING_MODES))
    if unknown(node) or scale is None or mode is None:
        return wrong(call.pointer)
    quantize, step = quantizer(mode), unit(scale)
    return Apply(call.pointer, DECIMAL, Function("round", lambda number: quantize(number, step)), (as_decimal(node),))


OPERATORS = (
    Operator("+", 2, None, "(number, …) -> number", "Sum.", _arithmetic),
    Operator("-", 1, 2, "(number, number) -> number", "Difference; of one argument, its negative.", _arithmetic),
    Operator("*", 2, None, "(number, …) -> number", "Product.", _arithmetic),
    Operator(
        "/",
        2,
        2,
        "(number, number) -> decimal",
        "Quotient to 28 significant digits, half to even; by zero it refuses the record.",
        _arithmetic,
    ),
    Operator(
        "%",
        2,
        2,
        "(number, number) -> number",
        "Rest of the division, with the sign of the first number; by zero it refuses the record.",
        _arithmetic,
    ),
    Operator(
        "min", 1, None, "(number|date, …) or (list) -> the same", "The least; of an empty list, refused.", _extreme
    ),
    Operator(
        "max", 1, None, "(number|date, …) or (list) -> the same", "The greatest; or of a list, as `min`.", _extreme
    ),
    Operator("abs", 1, 1, "(number) -> number", "Without its sign.", _abs),
    Operator(
        "round",
        3,
        3,
        "(number, scale, mode) -> decimal",
        "Rounded to `scale` decimal places by a mode: " + ", ".join(ROUNDING_MODES) + ".",
        _round,
    ),
)
