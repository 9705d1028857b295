"""Typed expressions in short words, as messages, coverage and explanations name them: ``tenure_months ≥ 6``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chalicelib.language.faults import clip
from chalicelib.language.intervals import Cell, Interval, Members
from chalicelib.language.kinds import Showing, json_value
from chalicelib.language.places import HIT
from chalicelib.language.tree import (
    Apply,
    Choice,
    Const,
    Either,
    Every,
    Fact,
    FirstValue,
    Form,
    Lookup,
    Loop,
    Node,
    Shared,
    children,
)

CHARACTERS_MAX = 120
_DEPTH_MAX = 4
_CUT = "…"
#: What holds its parts together more tightly is greater.
LOOSE, EITHER, BOTH, TEST, SUM, PRODUCT, ONE = range(7)
_TESTS = frozenset({Form.COMPARE, Form.NOT, Form.IS_NULL, Form.CONTAINED})
# Values inside a list or an object that are looked at before the text is clipped.
_VALUES_MAX = 40
_SYMBOLS: Mapping[str, str] = MappingProxyType({"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "*": "×", "/": "÷"})


def symbol(name: str) -> str:
    """An operator as a sentence writes it."""
    return _SYMBOLS.get(name, name)


def words(node: Node) -> str:
    """An expression, clipped to what a message can hold."""
    return clip(_words(node, _DEPTH_MAX), CHARACTERS_MAX)


def value_words(value: object) -> str:
    """A value as a sentence writes it: texts in quotes, lists short."""
    shown: Any = Showing(_VALUES_MAX).of(value)
    if isinstance(value, str):
        return f"“{clip(value)}”"
    if isinstance(shown, list):
        return "[" + clip(", ".join(value_words(item) for item in shown)) + "]"
    if isinstance(shown, dict):
        return "{" + clip(", ".join(f"{name}: {value_words(item)}" for name, item in shown.items())) + "}"
    return {None: "null", True: "true", False: "false"}.get(shown, str(shown)) if _is_word(shown) else str(shown)


def _is_word(value: object) -> bool:
    return value is None or isinstance(value, bool)


def cell_words(cell: Cell) -> str:
    """A condition cell of a table as the table writes it."""
    match cell:
        case Interval(low=low, high=high):
            opening, closing = "[" if cell.low_included else "(", "]" if cell.high_included else ")"
            start, end = ("" if bound is None else str(json_value(bound)) for bound in (low, high))
            return f"{opening if start else '('}{start},{end}{closing if end else ')'}"
        case Members(ordered=(only,)):
            return str(json_value(only)) if not isinstance(only, bool) else value_words(only)
        case Members(ordered=ordered):
            return "[" + clip(", ".join(str(json_value(one)) for one in ordered)) + "]"
    return "-"


def holds_together(node: Node) -> int:  # noqa: PLR0911 - one return for each construct
    """How tightly the words of an expression hold together: inside a tighter one they stand in brackets."""
    match node:
        case Choice() | FirstValue():
            return LOOSE
        case Either():
            return EITHER
        case Every():
            return BOTH
        case Loop():
            return TEST
        case Apply(function=function):
            if passed_through(node):
                return holds_together(node.arguments[0])
            if function.form in _TESTS or isinstance(function.data, Interval):
                return TEST
            if function.form is Form.FOLD:
                return PRODUCT if function.name in {"*", "/", "%"} else SUM
    return ONE


def passed_through(node: Apply) -> bool:
    """Whether the words are those of the first argument: a conversion that nobody wrote."""
    return node.function.form in {Form.FIXED, Form.SHAPED} or node.function.name in {"decimal", "integer", "one_of"}


def _inside(node: Node, depth: int, level: int) -> str:
    """A part, in brackets where it would fall apart."""
    text = _words(node, depth)
    return f"({text})" if holds_together(node) < level and text != _CUT else text


def _words(node: Node, depth: int) -> str:  # noqa: C901, PLR0911 - one return for each construct
    if depth == 0 and children(node):
        return _CUT
    match node:
        case Const(value=value):
            return value_words(value)
        case Fact(name=name):
            return name
        case Shared(name=name):
            return f"table {name.removeprefix(HIT)}" if name.startswith(HIT) else name
        case Every(arguments=parts):
            return _joined(parts, " and ", depth, BOTH + 1)
        case Either(arguments=parts):
            return _joined(parts, " or ", depth, EITHER + 1)
        case Choice(arms=arms, otherwise=otherwise):
            ways = [
                f"{_inside(value, depth - 1, TEST)} if {_inside(held, depth - 1, EITHER)}" for held, value in arms[:3]
            ]
            return ", ".join([*ways, f"else {_inside(otherwise, depth - 1, TEST)}"])
        case FirstValue(arguments=parts):
            return _joined(parts, " or else ", depth, TEST)
        case Lookup(table=table, key=key):
            return f"{table}[{_words(key, depth - 1)}]"
        case Loop(way=way, source=source):
            return f"{way.value} of {_inside(source, depth - 1, ONE)}"
        case Apply():
            return _applied(node, depth)
    told = ", ".join(_words(part, depth - 1) for part in children(node))
    return f"[{told}]" if told else "the item"


def _applied(node: Apply, depth: int) -> str:  # noqa: PLR0911 - one return for each form
    function, arguments = node.function, node.arguments
    match function.form:
        case Form.COMPARE:
            return _joined(arguments, f" {symbol(function.symbol)} ", depth, SUM)
        case Form.NOT:
            return f"not {_inside(arguments[0], depth, ONE)}"
        case Form.IS_NULL:
            return f"{_inside(arguments[0], depth, SUM)} is null"
        case Form.CONTAINED:
            return f"{_inside(arguments[0], depth, SUM)} in {_inside(arguments[1], depth, SUM)}"
        case Form.FOLD:
            first, *others = arguments
            level = holds_together(node)
            # What is joined from the left needs no brackets there.
            told = [_inside(first, depth - 1, level), *(_inside(part, depth - 1, level + 1) for part in others)]
            return f" {symbol(function.name)} ".join(told)
        case Form.SUBSCRIPT:
            return _subscript(node, depth)
        case Form.TABLE:
            return f"table {function.data.name}"
    if passed_through(node):
        return _words(arguments[0], depth)
    if isinstance(function.data, Interval):
        return f"{_inside(arguments[0], depth, SUM)} in {cell_words(function.data)}"
    return f"{function.name}({', '.join(_words(part, depth - 1) for part in arguments)})"


def _subscript(node: Apply, depth: int) -> str:
    whole, key = node.arguments
    if isinstance(whole, Shared) and whole.name.startswith(HIT):
        return f"table {whole.name.removeprefix(HIT)}"
    name = key.value if isinstance(key, Const) else "…"
    return f"{_inside(whole, depth, ONE)}.{name}"


def _joined(parts: tuple[Node, ...], between: str, depth: int, level: int) -> str:
    return between.join(_inside(part, depth - 1, level) for part in parts)
