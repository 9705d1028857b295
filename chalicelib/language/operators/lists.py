"""Lists: an expression for each item, and what a list comes to as a whole.

Inside ``map``, ``filter``, ``all``, ``some`` and ``none``, ``{"var": ""}`` is the item, its fields go by their names,
and the names around the loop stay visible. ``reduce`` calls its item ``current`` and what it has ``accumulator``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from typing import Any

from chalicelib.language.bounds import LIST_LENGTH_MAX, LOOPS_NESTED_MAX
from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.conversions import as_decimal
from chalicelib.language.faults import Refusal, Report
from chalicelib.language.kinds import (
    BOOLEAN,
    INTEGER,
    NUMBERS,
    UNKNOWN,
    Kind,
    Type,
    list_of,
    object_of,
    unified,
)
from chalicelib.language.names import Scope
from chalicelib.language.narrow import proves
from chalicelib.language.operators.item_types import items_of, listed
from chalicelib.language.operators.logic import unknown
from chalicelib.language.operators.numbers import fitting
from chalicelib.language.parse import Call, Tree
from chalicelib.language.places import Narrowed, place
from chalicelib.language.rounding import ARITHMETIC
from chalicelib.language.tree import Apply, Function, Item, Loop, Node, Way

# How often the type of an accumulator may grow wider (to decimal, to nullable) before it is given up.
WIDENINGS_MAX = 3


def _too_deep(checker: Checker, call: Call) -> bool:
    if len(checker.scopes) < LOOPS_NESTED_MAX:
        return False
    checker.report.add(
        call.pointer,
        "too_deep",
        "too many loops inside one another",
        expected=f"at most {LOOPS_NESTED_MAX}",
        found="more",
        suggestion="name a part that needs no item in `let`",
    )
    return True


def _loop(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    way = Way(call.operator)
    source = listed(checker, call.arguments[0], narrowed)
    if _too_deep(checker, call):
        return wrong(call.pointer)
    item = Item(call.pointer, source.type.item or UNKNOWN, checker.slot())
    with checker.inside(Scope(item, {})):
        tree = call.arguments[1]
        body = checker.node(tree, narrowed) if way is Way.MAP else checker.value(tree, narrowed, Kind.BOOLEAN)
    if unknown(source, body):
        return wrong(call.pointer)
    kind = BOOLEAN
    if way is Way.MAP:
        kind = checker.built(call.pointer, list_of(body.type))
    elif way is Way.FILTER:
        kind = list_of(_kept(item, body, checker.shared))
    return wrong(call.pointer) if kind is UNKNOWN else Loop(call.pointer, kind, way, source, item, body)


def _kept(item: Item, body: Node, shared: Mapping[str, Node | None]) -> Type:
    """The type of the items for which ``body`` holds: what it proves not to be null is not null in any of them."""
    known = proves(body, shared, holds=True)
    name = place(item)
    kept = item.type.without_null() if name in known else item.type
    if kept.fields is None:
        return kept
    fields = {field: one.without_null() if f"{name}.{field}" in known else one for field, one in kept.fields.items()}
    return object_of(fields, nullable=kept.nullable)


def _reduce(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    source = listed(checker, call.arguments[0], narrowed)
    start = checker.node(call.arguments[2], narrowed)
    if _too_deep(checker, call) or unknown(source, start):
        return wrong(call.pointer)
    current = Item(call.pointer, source.type.item or UNKNOWN, checker.slot())
    sofar = Item(call.pointer, replace(start.type, values=None), checker.slot())
    # A sum that starts at 0 becomes a decimal by its first item: the type is tried, without noting faults, until the
    # expression gives what it is given.
    noted = checker.report
    for _ in range(WIDENINGS_MAX):
        checker.report = Report(suggestions=0)
        try:
            body = _joined(checker, call.arguments[1], narrowed, current, sofar)
        finally:
            checker.report = noted
        wider = unified(sofar.type, body.type)
        if wider is None or wider.kind is Kind.UNKNOWN or wider == sofar.type:
            break
        sofar = replace(sofar, type=replace(wider, values=None))
    body = _joined(checker, call.arguments[1], narrowed, current, sofar)
    if unknown(body):
        return wrong(call.pointer)
    kind = checker.built(call.pointer, sofar.type)
    if unified(kind, body.type) != kind:
        checker.mismatch(body, kind.kind)
        return wrong(call.pointer)
    if kind.kind is Kind.DECIMAL:
        start, body = as_decimal(start), as_decimal(body)
    return Loop(call.pointer, kind, Way.REDUCE, source, current, body, sofar, start)


def _joined(checker: Checker, tree: Tree, narrowed: Narrowed, current: Item, sofar: Item) -> Node:
    with checker.inside(Scope(None, {"current": current, "accumulator": sofar})):
        return checker.node(tree, narrowed)


def _together(*lists: Sequence[Any]) -> list[Any]:
    if sum(map(len, lists)) > LIST_LENGTH_MAX:
        raise Refusal("list_too_long", f"a list has more than {LIST_LENGTH_MAX} items")
    return list(chain.from_iterable(lists))


def _merge(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes = [checker.value(argument, narrowed, Kind.LIST) for argument in call.arguments]
    if unknown(*nodes):
        return wrong(call.pointer)
    nodes, whole = checker.common(nodes)
    return wrong(call.pointer) if whole is UNKNOWN else Apply(call.pointer, whole, _MERGE, tuple(nodes))


def _count(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.value(call.arguments[0], narrowed, Kind.LIST)
    return wrong(call.pointer) if unknown(node) else Apply(call.pointer, INTEGER, _COUNT, (node,))


def _sum(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = listed(checker, call.arguments[0], narrowed)
    item = items_of(checker, node, *NUMBERS)
    if unknown(node) or item is UNKNOWN:
        return wrong(call.pointer)
    return Apply(call.pointer, Type(item.kind), _SUMS[item.kind], (node,))


def _decimal_sum(numbers: Sequence[Decimal]) -> Decimal:
    add = ARITHMETIC.add
    total = _NOTHING
    for number in numbers:
        total = add(total, number)
    return total


_NOTHING = Decimal(0)
_MERGE = Function("merge", _together, grows=True)
_COUNT = Function("count", len)
_SUMS = {
    Kind.INTEGER: Function("sum", lambda numbers: fitting(sum(numbers)), reads=1),
    Kind.DECIMAL: Function("sum", _decimal_sum, reads=1),
}

OPERATORS = (
    Operator("map", 2, 2, "(list, x of an item) -> list of x", "The expression's value for each item.", _loop),
    Operator("filter", 2, 2, "(list, boolean of an item) -> list", "The items for which the condition holds.", _loop),
    Operator(
        "reduce",
        3,
        3,
        "(list, x of current and accumulator, x) -> x",
        "Item by item: each value is the next `accumulator`, the third argument is the first.",
        _reduce,
    ),
    Operator("all", 2, 2, "(list, boolean of an item) -> boolean", "Holds for each; of an empty list, false.", _loop),
    Operator("some", 2, 2, "(list, boolean of an item) -> boolean", "Holds for at least one item.", _loop),
    Operator("none", 2, 2, "(list, boolean of an item) -> boolean", "Holds for no item.", _loop),
    Operator("merge", 1, None, "(list of x, …) -> list of x", "The lists joined, in order.", _merge),
    Operator("count", 1, 1, "(list) -> integer", "The number of items.", _count),
    Operator("sum", 1, 1, "(list of numbers) -> number", "Their sum; of an empty list, 0.", _sum),
)
