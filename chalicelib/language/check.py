"""Types and nullability: parse trees become typed nodes, or faults with a pointer, what was expected and a suggestion.

Nothing is coerced between text and other types. A text literal next to a date is read as a date, and an integer next to
a decimal is a decimal; both happen here, once, and never at run time by accident.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.language.bounds import INTEGER_MAX
from chalicelib.language.faults import Refusal, Report, shown
from chalicelib.language.kinds import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    NULL,
    UNKNOWN,
    Kind,
    Type,
    unified,
    words,
)
from chalicelib.language.parse import Call, Items, Literal, Tree
from chalicelib.language.reading import iso_date
from chalicelib.language.tree import (
    Apply,
    Choice,
    Const,
    Fact,
    FirstValue,
    Form,
    Function,
    Node,
    Shared,
)
from chalicelib.language.tree import (
    Sequence as ListNode,
)

# Places (facts, lets, fields of objects) that are known not to be null here.
Narrowed = frozenset[str]
NOTHING: Narrowed = frozenset()


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

    def node(self, tree: Tree, narrowed: Narrowed) -> Node:
        """The typed node of any expression."""
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

    def mismatch(self, node: Node, *kinds: Kind) -> Node:
        """Note that ``node`` has another type than ``kinds``."""
        self.report.add(
            node.pointer,
            "wrong_type",
            f"expected {words(*kinds)}, found {described(node)}",
            expected=words(*kinds),
            found=described(node),
            suggestion=_conversion(node.type.kind, kinds),
        )
        return wrong(node.pointer)

    def may_be_null(self, node: Node, expected: str) -> Node:
        """Note that ``node`` may be null where a value is needed."""
        name = f"`{node.name}`" if isinstance(node, Fact | Shared) else "this"
        self.report.add(
            node.pointer,
            "may_be_null",
            f"{name} may be null where {expected} is needed",
            expected=f"{expected}, never null",
            found=node.type.words,
            suggestion="give a value with `coalesce`, or use it only where an `if` has tested it against null",
        )
        return wrong(node.pointer)

    def common(self, nodes: Sequence[Node]) -> tuple[list[Node], Type]:
        """The nodes brought to one type, and that type; a fault and an unknown type when there is none."""
        nodes = _dates_where_dates_are(nodes)
        whole = nodes[0].type
        for node in nodes[1:]:
            joined = unified(whole, node.type)
            if joined is None:
                self.mismatch(node, whole.kind)
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
        """The fact, ``let`` or object field that ``name`` stands for."""
        if name in self.facts:
            return _narrow(Fact(pointer, self.facts[name], name), narrowed)
        if name in self.shared and not name.startswith(HIT):
            definition = self.shared[name]
            if definition is None:
                return wrong(pointer)
            return _narrow(Shared(pointer, definition.type, name), narrowed)
        root, dot, rest = name.partition(".")
        if dot and (root in self.facts or root in self.shared):
            return self._field(self.variable(root, pointer, narrowed), rest.split("."), narrowed)
        known = [*self.facts, *(name for name in self.shared if not name.startswith(HIT))]
        self.report.unknown(pointer, "field", name, known)
        return wrong(pointer)

    def _field(self, node: Node, path: list[str], narrowed: Narrowed) -> Node:
        for name in path:
            node = self.required(node, Kind.OBJECT)
            if node.type.kind is Kind.UNKNOWN:
                return node
            fields = node.type.fields or {}
            if name not in fields:
                self.report.unknown(node.pointer, "field", name, fields)
                return wrong(node.pointer)
            key = Const(node.pointer, Type(Kind.STRING), name)
            node = _narrow(Apply(node.pointer, fields[name], _FIELD, (node, key)), narrowed)
        return node

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
            return Const(tree.pointer, Type(Kind.LIST), [])
        nodes, item = self.common([self.node(item, narrowed) for item in tree.items])
        if item.kind is Kind.UNKNOWN:
            return wrong(tree.pointer)
        whole = Type(Kind.LIST, item=item)
        if all(isinstance(node, Const) for node in nodes):
            return Const(tree.pointer, whole, [node.value for node in nodes if isinstance(node, Const)])
        return ListNode(tree.pointer, whole, tuple(nodes))


# The row that a table's conditions select is shared under its own kind of name, which no document can spell.
HIT = "table\0"


def wrong(pointer: str) -> Node:
    """The node of a place that was already reported."""
    return Const(pointer, UNKNOWN, None)


def place(node: Node) -> str | None:
    """The name under which a node's nullness is known, or None when it has none."""
    if isinstance(node, Fact | Shared):
        return node.name
    if isinstance(node, Apply) and node.function is _FIELD and isinstance(node.arguments[1], Const):
        base = place(node.arguments[0])
        return None if base is None else f"{base}.{node.arguments[1].value}"
    return None


def as_date(node: Node) -> Node:
    """Text literals that are ISO dates, alone or in the branches of an ``if``, as dates; anything else unchanged."""
    match node:
        case Const(value=str(text)) if (day := _iso_date(text)) is not None:
            return Const(node.pointer, DATE, day)
        case Choice(arms=arms, otherwise=otherwise):
            kept = tuple((condition, as_date(branch)) for condition, branch in arms)
            last = as_date(otherwise)
            if {branch.type.kind for branch in (*(branch for _, branch in kept), last)} <= {Kind.DATE, Kind.NULL}:
                return Choice(node.pointer, Type(Kind.DATE, nullable=node.type.nullable), kept, last)
    return node


def _iso_date(text: str) -> date | None:
    try:
        return iso_date(text)
    except Refusal:
        return None


def as_decimal(node: Node) -> Node:
    """An integer as a decimal; anything else unchanged."""
    if node.type.kind is not Kind.INTEGER:
        return node
    decimal = replace(node.type, kind=Kind.DECIMAL)
    match node:
        case Const(value=value):
            return Const(node.pointer, decimal, Decimal(value))
        case Choice(arms=arms, otherwise=otherwise):
            kept = tuple((condition, as_decimal(branch)) for condition, branch in arms)
            return Choice(node.pointer, decimal, kept, as_decimal(otherwise))
        case FirstValue(arguments=arguments):
            return FirstValue(node.pointer, decimal, tuple(as_decimal(argument) for argument in arguments))
    return Apply(node.pointer, decimal, _NULL_TO_DECIMAL if node.type.nullable else _TO_DECIMAL, (node,))


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


def _narrow(node: Node, narrowed: Narrowed) -> Node:
    if node.type.nullable and place(node) in narrowed:
        return replace(node, type=node.type.without_null())
    return node


def _dates_where_dates_are(nodes: Sequence[Node]) -> Sequence[Node]:
    if any(node.type.kind is Kind.DATE for node in nodes):
        return [as_date(node) if node.type.kind is Kind.STRING else node for node in nodes]
    return nodes


def _conversion(found: Kind, wanted: tuple[Kind, ...]) -> str | None:
    """The operator that turns one type into another, as a suggestion."""
    if Kind.STRING in wanted and found in {Kind.INTEGER, Kind.DECIMAL, Kind.DATE}:
        return "write it as text with `to_text`"
    if found is Kind.STRING:
        if Kind.DECIMAL in wanted:
            return "read the number with `parse_decimal`"
        if Kind.INTEGER in wanted:
            return "read the number with `parse_integer`"
        if Kind.DATE in wanted:
            return 'read the date with `parse_date`; a literal is written like "2026-10-01"'
    if found is Kind.DECIMAL and Kind.INTEGER in wanted:
        return "declare a decimal, or a rounding"
    return None


def _field_of(value: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any typed value
    if name not in value:
        raise Refusal("missing", f"the field {name} is missing")
    return value[name]


_FIELD = Function("field", _field_of, Form.SUBSCRIPT)
_TO_DECIMAL = Function("decimal", Decimal)
_NULL_TO_DECIMAL = Function("decimal", lambda value: None if value is None else Decimal(value))
