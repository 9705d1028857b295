"""Types and nullability: parse trees become typed nodes, or faults with a pointer, what was expected and a suggestion.

Nothing is coerced between text and other types. A text literal next to a date is read as a date, and an integer next to
a decimal is a decimal; both happen here, once, and never at run time by accident.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from decimal import Decimal
from typing import Any

from chalicelib.language.bounds import CHECKS_MAX, INTEGER_MAX, TYPE_DEPTH_MAX, TYPE_SIZE_MAX
from chalicelib.language.conversions import as_date, as_decimal, conversion, dates_where_dates_are
from chalicelib.language.faults import Report, RuleRefused, shown
from chalicelib.language.kinds import (
    BOOLEAN,
    DECIMAL,
    INTEGER,
    NULL,
    UNKNOWN,
    Kind,
    Type,
    list_of,
    unified,
    words,
)
from chalicelib.language.names import Scope, resolve
from chalicelib.language.parse import Call, Items, Literal, Tree
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Const, Fact, Node, Shared
from chalicelib.language.tree import (
    Sequence as ListNode,
)
from chalicelib.records import dataclass

_DATED = re.compile(r"[0-9]{1,4}([-./ ])[0-9]{1,2}\1[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the language: what it takes, what it gives, and how a call of it is checked.

    ``arguments_max`` is None for any number. ``options`` names the keys of its options object. ``signature`` and
    ``summary`` are for people and for generated schemas.
    """

    name: str
    arguments_min: int
    arguments_max: int | None
    signature: str
    summary: str
    check: Callable[["Checker", Call, Narrowed], Node]
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class Checker:
    """Checks expressions against the names in scope."""

    report: Report
    operators: Mapping[str, Operator]
    facts: Mapping[str, Type]
    # Filled in dependency order; a name that failed maps to None, so that its users are not blamed.
    shared: dict[str, Node | None] = field(default_factory=dict)
    # Table -> output column -> (place in the row, type); None for a table that failed.
    tables: dict[str, Mapping[str, tuple[int, Type]] | None] = field(default_factory=dict)
    code_tables: set[str] = field(default_factory=set)
    # The loops around the expression that is being checked, from the outside.
    scopes: list[Scope] = field(default_factory=list)
    _slots: int = 0
    _spent: int = 0

    def node(self, tree: Tree, narrowed: Narrowed) -> Node:
        """The typed node of any expression."""
        self.spend(1, tree.pointer)
        match tree:
            case Literal():
                return _constant(tree)
            case Items():
                return self._list(tree, narrowed)
            case Call():
                return self._call(tree, narrowed)
        return wrong(tree.pointer)

    def value(self, tree: Tree, narrowed: Narrowed, *kinds: Kind) -> Node:
        """The typed node of an expression that must be one of ``kinds`` and never null."""
        return self.required(self.node(tree, narrowed), *kinds)

    def required(self, node: Node, *kinds: Kind) -> Node:
        """``node``, if it is one of ``kinds`` and never null; else a fault and an unknown node."""
        if node.type.kind is Kind.UNKNOWN:
            return node
        if Kind.DATE in kinds and node.type.kind not in kinds:
            node = as_date(node)
        if node.type.kind not in kinds and node.type.kind is not Kind.NULL:
            return self.mismatch(node, *kinds)
        if node.type.nullable:
            return self.may_be_null(node, words(*kinds))
        return node

    def mismatch(self, node: Node, *kinds: Kind, suggestion: str | None = None) -> Node:
        """Note that ``node`` has another type than ``kinds``; without ``suggestion``, the operator that converts."""
        self.report.add(
            node.pointer,
            "wrong_type",
            f"expected {words(*kinds)}, found {described(node)}",
            expected=words(*kinds),
            found=described(node),
            suggestion=suggestion or _meant_as_date(node, kinds) or conversion(node.type.kind, kinds),
        )
        return wrong(node.pointer)

    def may_be_null(
        self, node: Node, expected: str, other_way: str = "use it only where an `if` has tested it against null"
    ) -> Node:
        """Note that ``node`` may be null where a value is needed; ``other_way``: what helps beside a default."""
        name = f"`{node.name}`" if isinstance(node, Fact | Shared) else "this"
        self.report.add(
            node.pointer,
            "may_be_null",
            f"{name} may be null where {expected} is needed",
            expected=f"{expected}, never null",
            found=node.type.words,
            suggestion=f"give a value with `coalesce`, or {other_way}",
        )
        return wrong(node.pointer)

    def common(self, nodes: Sequence[Node]) -> tuple[list[Node], Type]:
        """The nodes brought to one type, and that type; a fault and an unknown type when there is none."""
        nodes = dates_where_dates_are(nodes)
        self.spend(sum(node.type.size for node in nodes), nodes[0].pointer)
        whole = nodes[0].type
        for node in nodes[1:]:
            joined = unified(whole, node.type)
            if joined is None:
                meant = (_meant_as_date(one, [other.type.kind for other in nodes]) for one in nodes)
                self.mismatch(node, whole.kind, suggestion=next(filter(None, meant), None))
                return list(nodes), UNKNOWN
            whole = joined
        if whole.kind is Kind.DECIMAL:
            nodes = [as_decimal(node) for node in nodes]
        return list(nodes), whole

    def constant(self, tree: Tree, expected: str, accepts: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - any literal
        """The value of an argument that must be written out; None, and a fault, when it is not ``expected``."""
        if isinstance(tree, Literal) and tree.value is not None and accepts(tree.value):
            return tree.value
        found = shown(tree.value) if isinstance(tree, Literal) else "an expression"
        self.report.add(
            tree.pointer, "bad_literal", f"expected {expected}, found {found}", expected=expected, found=found
        )
        return None

    def choice(self, tree: Tree, choices: Sequence[str]) -> str | None:
        """One of ``choices``, written out; None, and a fault, otherwise."""
        if isinstance(tree, Literal) and isinstance(tree.value, str) and tree.value not in choices:
            expected = "one of " + ", ".join(choices)
            self.report.add(
                tree.pointer,
                "bad_literal",
                f"expected {expected}, found {shown(tree.value)}",
                expected=expected,
                found=shown(tree.value),
                misspelt=(tree.value, choices),
            )
            return None
        found = self.constant(tree, "one of " + ", ".join(choices), lambda value: isinstance(value, str))
        return found if isinstance(found, str) else None

    def variable(self, name: str, pointer: str, narrowed: Narrowed) -> Node:
        """The fact, ``let``, item or field that ``name`` stands for."""
        return resolve(self, name, pointer, narrowed)

    def slot(self) -> int:
        """A number that no other item of a loop has."""
        self._slots += 1
        return self._slots

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[None]:
        """What is checked meanwhile stands inside a loop that binds ``scope``."""
        self.scopes.append(scope)
        try:
            yield
        finally:
            self.scopes.pop()

    def built(self, pointer: str, kind: Type) -> Type:
        """``kind``, the type of a list or an object; a fault, and the unknown type, when it is too large."""
        if kind.size <= TYPE_SIZE_MAX and kind.depth <= TYPE_DEPTH_MAX:
            return kind
        self.report.add(
            pointer,
            "too_large",
            "this is made of too many lists and objects",
            expected=f"at most {TYPE_SIZE_MAX} fields in all, nested at most {TYPE_DEPTH_MAX} deep",
            found="more",
        )
        return UNKNOWN

    def spend(self, count: int, pointer: str) -> None:
        """Count what checking costs; raises ``RuleRefused`` for a document whose types are compared without end."""
        self._spent += count
        if self._spent > CHECKS_MAX:
            message = "checking this rule takes too long"
            self.report.add(pointer, "too_large", message, expected="fewer and smaller types", found="more")
            raise RuleRefused(self.report.faults)

    def _call(self, call: Call, narrowed: Narrowed) -> Node:
        operator = self.operators[call.operator]
        count, low, high = len(call.arguments), operator.arguments_min, operator.arguments_max
        if count < low or (high is not None and count > high):
            counts = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
            self.report.add(
                call.pointer,
                "wrong_arity",
                f"`{call.operator}` takes {counts} arguments, found {count}",
                expected=f"{counts} arguments: {operator.signature}",
                found=str(count),
            )
            return wrong(call.pointer)
        return operator.check(self, call, narrowed)

    def _list(self, tree: Items, narrowed: Narrowed) -> Node:
        if not tree.items:
            return Const(tree.pointer, list_of(None), [])
        nodes, item = self.common([self.node(item, narrowed) for item in tree.items])
        if item.kind is Kind.UNKNOWN:
            return wrong(tree.pointer)
        whole = self.built(tree.pointer, list_of(item))
        if whole is UNKNOWN:
            return wrong(tree.pointer)
        if all(isinstance(node, Const) for node in nodes):
            return Const(tree.pointer, whole, [node.value for node in nodes if isinstance(node, Const)])
        return ListNode(tree.pointer, whole, tuple(nodes))


def wrong(pointer: str) -> Node:
    """The node of a place that was already reported."""
    return Const(pointer, UNKNOWN, None)


def described(node: Node) -> str:
    """A node as a fault names it."""
    if isinstance(node, Const) and not isinstance(node.value, list):
        return f"{node.type.words} {shown(node.value)}" if node.value is not None else "null"
    return node.type.words


def _constant(tree: Literal) -> Node:
    match tree.value:
        case None:
            return Const(tree.pointer, NULL, None)
        case bool():
            return Const(tree.pointer, BOOLEAN, tree.value)
        case int():
            # Larger ones were noted when the document was examined.
            return Const(tree.pointer, INTEGER if abs(tree.value) <= INTEGER_MAX else UNKNOWN, tree.value)
        case Decimal():
            return Const(tree.pointer, DECIMAL, tree.value)
    return Const(tree.pointer, Type(Kind.STRING, values=(str(tree.value),)), tree.value)


def _meant_as_date(node: Node, kinds: Sequence[Kind]) -> str | None:
    """How to write a date, for a text like 1/31/2026 where a date is needed."""
    text = node.value if isinstance(node, Const) else None
    dated = isinstance(text, str) and _DATED.fullmatch(text) and Kind.DATE in kinds
    return "write dates as 2026-01-31" if dated else None
