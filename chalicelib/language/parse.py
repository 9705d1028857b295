"""JSON text -> document -> expression trees. Structure only: names and types are the next stage's business."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from chalicelib.language.bounds import ARGUMENTS_MAX, DOCUMENT_BYTES_MAX, EXPRESSION_DEPTH_MAX
from chalicelib.language.faults import Report, RuleFault, RuleRefused, at, shown
from chalicelib.language.kinds import Value

NUMBER_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant of the document."""

    pointer: str
    value: Value


@dataclass(frozen=True, slots=True)
class Items:
    """A list written in the document."""

    pointer: str
    items: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``{operator: [arguments]}``; ``options`` are the named ones of a last argument like ``{"on_miss": "null"}``."""

    pointer: str
    operator: str
    arguments: tuple["Tree", ...]
    options: Mapping[str, "Tree"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A place that was already reported."""

    pointer: str


Tree = Literal | Items | Call | Wrong
# Operator -> how many arguments come before its options object, and the names of the options.
Grammar = Mapping[str, tuple[int, tuple[str, ...]]]


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - a JSON document is any value
    """Read JSON exactly: numbers with a fraction become ``Decimal``; raises ``RuleRefused``.

    Refused: duplicate keys, NaN and Infinity, numbers of absurd length, text that is not UTF-8, a document over
    4 MB or nested beyond reason.
    """
    if len(text) > DOCUMENT_BYTES_MAX:
        _not_json(f"at most {DOCUMENT_BYTES_MAX} bytes", f"{len(text)} bytes")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_object
        )
    except UnicodeDecodeError as error:
        _not_json("UTF-8", f"byte {error.start} is not")
    except json.JSONDecodeError as error:
        _not_json("JSON", f"{error.msg} at line {error.lineno} column {error.colno}")
    except RecursionError:
        _not_json("a document of reasonable depth", "too many nested levels")


def _not_json(expected: str, found: str) -> NoReturn:
    message = f"expected {expected}, found {found}"
    raise RuleRefused([RuleFault("", "not_json", message, expected, found)])


def _decimal(text: str) -> Decimal:
    if len(text) > NUMBER_CHARACTERS_MAX:
        _not_json(f"numbers of at most {NUMBER_CHARACTERS_MAX} characters", f"{len(text)}")
    try:
        return Decimal(text)
    except InvalidOperation:
        _not_json("a number whose exponent can be held", text)


def _integer(text: str) -> int:
    if len(text) > NUMBER_CHARACTERS_MAX:
        _not_json(f"numbers of at most {NUMBER_CHARACTERS_MAX} characters", f"{len(text)}")
    return int(text)


def _constant(text: str) -> NoReturn:
    _not_json("a finite number", text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                _not_json("every key once", f"{shown(name)} twice")
            seen.add(name)
    return found


def expression(raw: object, pointer: str, grammar: Grammar, report: Report, depth: int = 1) -> Tree:
    """Read one expression; faults go to ``report`` and leave a ``Wrong`` in their place."""
    if depth > EXPRESSION_DEPTH_MAX and isinstance(raw, Mapping | list | tuple):
        report.add(
            pointer,
            "too_deep",
            "the expression is nested too deeply",
            expected=f"at most {EXPRESSION_DEPTH_MAX} levels",
            found="more",
            suggestion="name a part of it in `let`",
        )
        return Wrong(pointer)
    if isinstance(raw, Mapping):
        return _call(raw, pointer, grammar, report, depth)
    if isinstance(raw, list | tuple):
        items = (expression(item, at(pointer, index), grammar, report, depth + 1) for index, item in enumerate(raw))
        return Items(pointer, tuple(items))
    if raw is None or isinstance(raw, bool | int | Decimal | str):
        return Literal(pointer, raw)
    report.add(pointer, "bad_literal", "this value is not allowed", expected="JSON", found=shown(raw))
    return Wrong(pointer)


def _call(raw: Mapping[str, Any], pointer: str, grammar: Grammar, report: Report, depth: int) -> Tree:
    if len(raw) != 1:
        expected = "an operator: an object with one key"
        report.add(pointer, "not_an_operator", "not an operator", expected=expected, found=shown(dict(raw)))
        return Wrong(pointer)
    [(operator, written)] = raw.items()
    if operator not in grammar:
        report.unknown(pointer, "operator", operator, grammar)
        return Wrong(pointer)
    inside = at(pointer, operator)
    # {"trim": x} is short for {"trim": [x]}.
    listed = isinstance(written, list | tuple)
    arguments: list[Any] = list(written) if listed else [written]
    places = [at(inside, index) if listed else inside for index in range(len(arguments))]
    options: dict[str, Tree] = {}
    before, names = grammar[operator]
    if names and len(arguments) == before + 1 and isinstance(arguments[-1], Mapping):
        place = places.pop()
        for name, value in arguments.pop().items():
            if name not in names:
                report.unknown(at(place, name), "option", name, names)
                continue
            options[name] = expression(value, at(place, name), grammar, report, depth + 1)
    if len(arguments) > ARGUMENTS_MAX:
        expected = f"at most {ARGUMENTS_MAX} arguments"
        report.add(inside, "too_large", "too many arguments", expected=expected, found=str(len(arguments)))
        return Wrong(pointer)
    return Call(
        pointer,
        operator,
        tuple(
            expression(argument, place, grammar, report, depth + 1)
            for argument, place in zip(arguments, places, strict=True)
        ),
        options,
    )


def references(tree: Tree) -> tuple[set[str], set[str]]:
    """The names of variables and of decision tables that an expression mentions."""
    variables: set[str] = set()
    tables: set[str] = set()
    pending: list[Tree] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Items):
            pending.extend(node.items)
        elif isinstance(node, Call):
            pending.extend(node.arguments)
            pending.extend(node.options.values())
            first = node.arguments[0] if node.arguments else None
            if isinstance(first, Literal) and isinstance(first.value, str):
                if node.operator == "var":
                    variables.add(first.value)
                elif node.operator == "table":
                    tables.add(first.value)
    return variables, tables
