"""Variables, comparison, and the connectives, which evaluate only what they need."""

import operator as python
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.faults import shown
from chalicelib.language.intervals import interval
from chalicelib.language.kinds import BOOLEAN, NUMBERS, UNKNOWN, Kind, Type, unified
from chalicelib.language.narrow import proves
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed, place
from chalicelib.language.tree import (
    Apply,
    Choice,
    Const,
    Either,
    Every,
    FirstValue,
    Form,
    Function,
    Node,
    Sequence,
)

COMPARABLE = (Kind.STRING, *NUMBERS, Kind.DATE, Kind.BOOLEAN)
ORDERED = (*NUMBERS, Kind.DATE)

NOT = Function("!", python.not_, Form.NOT)
IS_NULL = Function("is_null", lambda value: value is None, Form.IS_NULL)
CONTAINED = Function("in", lambda item, container: item in container, Form.CONTAINED)
# In a list or a text of the record, which has to be gone through; a written list is a set.
FOUND_IN = replace(CONTAINED, reads=1, read=1)


def _chain(compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    return lambda *values: all(compare(left, right) for left, right in pairwise(values))


_COMPARISONS = {
    symbol: Function(symbol, _chain(compare), Form.COMPARE, symbol)
    for symbol, compare in {
        "==": python.eq,
        "!=": python.ne,
        "<": python.lt,
        "<=": python.le,
        ">": python.gt,
        ">=": python.ge,
    }.items()
}


def unknown(*nodes: Node) -> bool:
    """Whether one of the nodes was already reported, so that its user cannot be typed."""
    return any(node.type.kind is Kind.UNKNOWN for node in nodes)


def _var(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    name = checker.constant(call.arguments[0], "the name of a field", lambda value: isinstance(value, str))
    return wrong(call.pointer) if name is None else checker.variable(name, call.pointer, narrowed)


def _equality(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes = [checker.node(argument, narrowed) for argument in call.arguments]
    if unknown(*nodes):
        return wrong(call.pointer)
    for tested, other in (nodes, reversed(nodes)):
        if other.type.kind is Kind.NULL:
            return _null_test(checker, call, tested, narrowed)
    nodes, whole = checker.common([checker.required(node, *COMPARABLE) for node in nodes])
    if whole is UNKNOWN or unknown(*nodes):
        return wrong(call.pointer)
    left, right = nodes
    if whole.kind is Kind.STRING and not _may_be_equal(left, right):
        constant = next((node for node in nodes if isinstance(node, Const)), right)
        known = (left if constant is right else right).type.values or ()
        checker.report.add(
            constant.pointer,
            "not_in_values",
            f"{shown(constant.value) if isinstance(constant, Const) else 'this'} is never equal to the other side",
            expected="one of " + ", ".join(known),
            found=shown(constant.value) if isinstance(constant, Const) else "other values",
            misspelt=(constant.value, known) if isinstance(constant, Const) else None,
        )
        return wrong(call.pointer)
    return Apply(call.pointer, BOOLEAN, _COMPARISONS[call.operator], (left, right))


def _may_be_equal(left: Node, right: Node) -> bool:
    if left.type.values is None or right.type.values is None:
        return True
    return not set(left.type.values).isdisjoint(right.type.values)


def _null_test(checker: Checker, call: Call, tested: Node, narrowed: Narrowed) -> Node:
    if not tested.type.nullable and place(tested) not in narrowed:
        checker.report.add(
            call.pointer,
            "never_null",
            "this is never null, so the test has only one answer",
            expected="something that may be null",
            found=tested.type.words,
            suggestion='declare it with "nullable": true, or compare it with ""'
            if tested.type.kind is Kind.STRING
            else 'declare it with "nullable": true',
        )
        return wrong(call.pointer)
    test = Apply(call.pointer, BOOLEAN, IS_NULL, (tested,))
    return test if call.operator == "==" else Apply(call.pointer, BOOLEAN, NOT, (test,))


def _order(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes, whole = checker.common([checker.value(argument, narrowed, *ORDERED) for argument in call.arguments])
    if whole is UNKNOWN or unknown(*nodes):
        return wrong(call.pointer)
    return Apply(call.pointer, BOOLEAN, _COMPARISONS[call.operator], tuple(nodes))


def _connective(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    conjunction = call.operator == "and"
    parts: list[Node] = []
    for argument in call.arguments:
        part = checker.value(argument, narrowed, Kind.BOOLEAN)
        # What follows is only evaluated when every part so far was true (and) or false (or).
        narrowed |= proves(part, checker.shared, holds=conjunction)
        parts.append(part)
    if unknown(*parts):
        return wrong(call.pointer)
    return (Every if conjunction else Either)(call.pointer, BOOLEAN, tuple(parts))


def _not(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    part = checker.value(call.arguments[0], narrowed, Kind.BOOLEAN)
    return wrong(call.pointer) if unknown(part) else Apply(call.pointer, BOOLEAN, NOT, (part,))


def _if(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    if len(call.arguments) % 2 == 0:
        checker.report.add(
            call.pointer,
            "wrong_arity",
            f"`{call.operator}` needs a last argument that says what otherwise",
            expected="condition, value, …, otherwise",
            found=f"{len(call.arguments)} arguments",
            suggestion="write null as the last argument if the result may be null",
        )
        return wrong(call.pointer)
    conditions: list[Node] = []
    branches: list[Node] = []
    for condition, branch in zip(call.arguments[:-1:2], call.arguments[1::2], strict=True):
        held = checker.value(condition, narrowed, Kind.BOOLEAN)
        conditions.append(held)
        branches.append(checker.node(branch, narrowed | proves(held, checker.shared, holds=True)))
        narrowed |= proves(held, checker.shared, holds=False)
    branches.append(checker.node(call.arguments[-1], narrowed))
    if unknown(*conditions, *branches):
        return wrong(call.pointer)
    branches, whole = checker.common(branches)
    if whole is UNKNOWN:
        return wrong(call.pointer)
    return Choice(call.pointer, whole, tuple(zip(conditions, branches[:-1], strict=True)), branches[-1])


def _coalesce(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes = [checker.node(argument, narrowed) for argument in call.arguments]
    if unknown(*nodes):
        return wrong(call.pointer)
    nodes, whole = checker.common(nodes)
    if whole is UNKNOWN:
        return wrong(call.pointer)
    # One value that is never null is enough.
    whole = whole if all(node.type.nullable for node in nodes) else whole.without_null()
    return FirstValue(call.pointer, whole, tuple(nodes))


def _is_null(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.node(call.arguments[0], narrowed)
    if unknown(node):
        return wrong(call.pointer)
    return _null_test(checker, Call(call.pointer, "==", call.arguments, {}), node, narrowed)


def _in(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    item = checker.value(call.arguments[0], narrowed, *COMPARABLE)
    container = checker.value(call.arguments[1], narrowed, Kind.LIST, Kind.STRING)
    if unknown(item, container):
        return wrong(call.pointer)
    if container.type.kind is Kind.STRING:
        item = checker.required(item, Kind.STRING)
    else:
        item, container = _listed(checker, item, container)
    if unknown(item, container):
        return wrong(call.pointer)
    function = CONTAINED if isinstance(container, Const) else FOUND_IN
    return Apply(call.pointer, BOOLEAN, function, (item, container))


def _listed(checker: Checker, item: Node, container: Node) -> tuple[Node, Node]:
    """The item and the list brought to one type; a written list becomes a set."""
    of = container.type.item
    if of is None:
        return item, container
    if isinstance(container, Const):
        return _written(checker, item, container, of)
    if isinstance(container, Sequence):
        nodes, whole = checker.common([item, *container.items])
        listed = Sequence(container.pointer, container.type, tuple(nodes[1:]))
        return nodes[0], wrong(container.pointer) if whole is UNKNOWN else listed
    return (checker.mismatch(item, of.kind) if unified(item.type, of) is None else item), container


def _written(checker: Checker, item: Node, container: Const, of: Type) -> tuple[Node, Node]:
    if not _members_known(checker, item, container):
        return item, wrong(container.pointer)
    nodes, whole = checker.common([item, *(Const(container.pointer, of, member) for member in container.value)])
    if whole is UNKNOWN:
        return item, wrong(container.pointer)
    values = frozenset(node.value for node in nodes[1:] if isinstance(node, Const))
    return nodes[0], Const(container.pointer, container.type, values)


def _members_known(checker: Checker, item: Node, container: Const) -> bool:
    known = item.type.values
    if known is None or container.type.item is None or container.type.item.kind is not Kind.STRING:
        return True
    stray = [member for member in container.value if member not in known]
    for member in stray:
        checker.report.add(
            container.pointer,
            "not_in_values",
            f"{shown(member)} is never equal to the other side",
            expected="values out of " + ", ".join(known),
            found=shown(member),
            misspelt=(member, known),
        )
    return not stray


def _in_range(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.value(call.arguments[0], narrowed, *ORDERED)
    written = checker.constant(call.arguments[1], 'an interval like "[6,24)"', lambda value: isinstance(value, str))
    if unknown(node) or written is None:
        return wrong(call.pointer)
    bounds = interval(written, node.type, call.arguments[1].pointer, checker.report)
    if bounds is None:
        return wrong(call.pointer)
    return Apply(call.pointer, BOOLEAN, Function("in_range", bounds.contains, data=bounds), (node,))


OPERATORS = (
    Operator("var", 1, 1, "(name) -> the field", "An input, a `let`, an aggregate or `as_of`; `a.b` in objects.", _var),
    Operator("==", 2, 2, "(x, x) -> boolean", "Equal, of one type; with null: whether it is null.", _equality),
    Operator("!=", 2, 2, "(x, x) -> boolean", "Not equal, of one type; with null: whether it has a value.", _equality),
    *(
        Operator(symbol, 2, 3, "(number|date, …) -> boolean", f"{words}; with three arguments, between.", _order)
        for symbol, words in {
            "<": "Less than",
            "<=": "At most",
            ">": "Greater than",
            ">=": "At least",
        }.items()
    ),
    Operator("and", 1, None, "(boolean, …) -> boolean", "All hold; stops at the first that does not.", _connective),
    Operator("or", 1, None, "(boolean, …) -> boolean", "One holds; stops at the first that does.", _connective),
    Operator("!", 1, 1, "(boolean) -> boolean", "Does not hold.", _not),
    Operator("if", 3, None, "(condition, x, …, otherwise) -> x", "The value behind the first true condition.", _if),
    Operator("?:", 3, 3, "(condition, x, otherwise) -> x", "`if` with one condition.", _if),
    Operator("in", 2, 2, "(x, list of x) or (text, text) -> boolean", "Is in the list; is a part of the text.", _in),
    Operator("in_range", 2, 2, '(number|date, "[low,high)") -> boolean', "Lies in the interval.", _in_range),
    Operator("coalesce", 1, None, "(x or null, …) -> x", "The first argument that is not null.", _coalesce),
    Operator("is_null", 1, 1, "(x or null) -> boolean", "Has no value.", _is_null),
)
