"""What the checker converts, once, when a rule is loaded: integers beside decimals, text literals beside dates."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from chalicelib.language.faults import Refusal
from chalicelib.language.kinds import DATE, NUMBERS, Kind
from chalicelib.language.reading import iso_date
from chalicelib.language.tree import Apply, Choice, Const, FirstValue, Function, Node


def as_date(node: Node) -> Node:
    """Text literals that are ISO dates, alone or in the branches of an ``if``, as dates; anything else unchanged."""
    match node:
        case Const(value=str(text)) if (day := _iso_date(text)) is not None:
            return Const(node.pointer, DATE, day)
        case Choice(arms=arms, otherwise=otherwise):
            kept = tuple((condition, as_date(branch)) for condition, branch in arms)
            last = as_date(otherwise)
            if {branch.type.kind for branch in (*(branch for _, branch in kept), last)} <= {Kind.DATE, Kind.NULL}:
                return Choice(node.pointer, replace(DATE, nullable=node.type.nullable), kept, last)
    return node


def _iso_date(text: str) -> date | None:
    try:
        return iso_date(text)
    except Refusal:
        return None


def dates_where_dates_are(nodes: Sequence[Node]) -> Sequence[Node]:
    """Text literals among dates as dates."""
    if any(node.type.kind is Kind.DATE for node in nodes):
        return [as_date(node) if node.type.kind is Kind.STRING else node for node in nodes]
    return nodes


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


def as_written(node: Node) -> Node:
    """What ``as_decimal`` converted, for functions that take integers among decimals; anything else unchanged."""
    return node.arguments[0] if isinstance(node, Apply) and node.function is _TO_DECIMAL else node


def conversion(found: Kind, wanted: tuple[Kind, ...]) -> str | None:  # noqa: PLR0911 - one return for each pair
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
    if found is Kind.LIST and not {*wanted}.isdisjoint(NUMBERS):
        return "make one number of it with `sum` or `count`"
    if wanted == (Kind.BOOLEAN,):
        return _TESTS.get(found)
    if Kind.LIST in wanted:
        return "write one value as a list in brackets"
    return None


_TESTS = {
    Kind.STRING: 'compare it, like {"!=": [x, ""]}',
    Kind.INTEGER: 'compare it, like {">": [x, 0]}',
    Kind.DECIMAL: 'compare it, like {">": [x, 0]}',
    Kind.LIST: 'ask for its length, like {">": [{"count": [x]}, 0]}',
}
_TO_DECIMAL = Function("decimal", Decimal)
_NULL_TO_DECIMAL = Function("decimal", lambda value: None if value is None else Decimal(value))
