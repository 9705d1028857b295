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


def _words(node: Node, depth: int) -> str:  # noqa: C901, PLR0911 - one return for each construct
    if depth == 0 and children(node):
        return "…"
    match node:
        case Const(value=value):
            return value_words(value)
        case Fact(name=name):
            return name
        case Shared(name=name):
            return f"table {name.removeprefix(HIT)}" if name.startswith(HIT) else name
        case Every(arguments=parts):
            return _joined(parts, " and ", depth)
        case Either(arguments=parts):
            return _joined(parts, " or ", depth)
        case Choice(arms=arms, otherwise=otherwise):
            ways = [f"{_words(value, depth - 1)} if {_words(held, depth - 1)}" for held, value in arms[:3]]
            return ", ".join([*ways, f"else {_words(otherwise, depth - 1)}"])
        case FirstValue(arguments=parts):
            return " or else ".join(_words(part, depth - 1) for part in parts)
        case Lookup(table=table, key=key):
            return f"{table}[{_words(key, depth - 1)}]"
        case Loop(way=way, source=source):
            return f"{way.value} of {_words(source, depth - 1)}"
        case Apply():
            return _applied(node, depth)
    told = ", ".join(_words(part, depth - 1) for part in children(node))
    return f"[{told}]" if told else "the item"


def _applied(node: Apply, depth: int) -> str:  # noqa: C901, PLR0911 - one return for each form
    function, arguments = node.function, node.arguments
    match function.form:
        case Form.COMPARE:
            return _joined(arguments, f" {symbol(function.symbol)} ", depth)
        case Form.NOT:
            return f"not {_words(arguments[0], depth)}"
        case Form.IS_NULL:
            return f"{_words(arguments[0], depth)} is null"
        case Form.CONTAINED:
            return f"{_words(arguments[0], depth)} in {_words(arguments[1], depth)}"
        case Form.FOLD:
            return _joined(arguments, f" {symbol(function.name)} ", depth)
        case Form.SUBSCRIPT:
            return _subscript(node, depth)
        case Form.FIXED | Form.SHAPED:
            return _words(arguments[0], depth)
        case Form.TABLE:
            return f"table {function.data.name}"
    if function.name in {"decimal", "integer", "one_of"}:
        return _words(arguments[0], depth)
    if isinstance(function.data, Interval):
        return f"{_words(arguments[0], depth)} in {cell_words(function.data)}"
    return f"{function.name}({', '.join(_words(part, depth - 1) for part in arguments)})"


def _subscript(node: Apply, depth: int) -> str:
    whole, key = node.arguments
    if isinstance(whole, Shared) and whole.name.startswith(HIT):
        return f"table {whole.name.removeprefix(HIT)}"
    name = key.value if isinstance(key, Const) else "…"
    return f"{_words(whole, depth)}.{name}"


def _joined(parts: tuple[Node, ...], between: str, depth: int) -> str:
    texts = [_words(part, depth - 1) for part in parts]
    nested = (Every, Either, Choice)
    return between.join(
        f"({text})" if isinstance(part, nested) else text for part, text in zip(parts, texts, strict=True)
    )
