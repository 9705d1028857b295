"""JSON text -> document -> expression trees. Structure only: names and types are the next stage's business."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from types import MappingProxyType
from typing import Any, NoReturn

from chalicelib.language.bounds import ARGUMENTS_MAX, DOCUMENT_BYTES_MAX, EXPRESSION_DEPTH_MAX
from chalicelib.language.faults import FAULTS_MAX, Report, RuleFault, RuleRefused, at, shown
from chalicelib.language.kinds import Value
from chalicelib.records import dataclass

NUMBER_CHARACTERS_MAX = 64
# The one operator whose argument has names of its own.
OBJECT = "object"
#: Operators of plain JsonLogic and its relatives that the language does not have, and what says the same in it.
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "===": "write `==`: nothing is converted here",
        "!==": "write `!=`: nothing is converted here",
        "!!": 'write a comparison, like {"!=": [x, null]}',
        "?": "write `if`",
        "switch": "write `if` with several conditions, or a table",
        "now": 'a decision has no clock: its date is {"var": "as_of"}',
        "today": 'a decision has no clock: its date is {"var": "as_of"}',
        "log": "leave it out: an explanation shows every value",
        "method": "values have no methods: look for an operator",
        "contains": "write `in`",
        "concat": "write `cat`",
        "len": "write `length` of a text, `count` of a list",
        "avg": "write `sum` divided by `count`",
        "pow": "write `*`",
    }
)
# An escape that may be half of a character: JSON's grammar allows it, no UTF-8 can hold it.
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")


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
class Fields:
    """The expressions of an object that is built: ``{"object": {name: expression}}``."""

    pointer: str
    entries: Mapping[str, "Tree"]


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


Tree = Literal | Items | Fields | Call | Wrong
# Operator -> how many arguments come before its options object, and the names of the options.
Grammar = Mapping[str, tuple[int, tuple[str, ...]]]


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - a JSON document is any value
    """Read JSON exactly: numbers with a fraction become ``Decimal``; raises ``RuleRefused``.

    Refused: a name that an object has twice (``repeated_name``, with its place), NaN and Infinity, numbers of absurd
    length, text that is no UTF-8 or could not be written as such, a document over 4 MB or nested beyond reason
    (``not_json``).
    """
    if len(text) > DOCUMENT_BYTES_MAX:
        _not_json(f"at most {DOCUMENT_BYTES_MAX} bytes", f"{len(text)} bytes")
    repeating: list[_Repeating] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeating.append(_Repeating(pairs))
        return repeating[-1]

    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        document = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_constant, object_pairs_hook=object_of
        )
    except UnicodeDecodeError as error:
        _not_json("UTF-8", f"byte {error.start} is not")
    except json.JSONDecodeError as error:
        found = f"{error.msg[0].lower()}{error.msg[1:]} at line {error.lineno} column {error.colno}"
        _not_json("JSON", found, message=found)
    except RecursionError:
        _not_json("a document of reasonable depth", "too many nested levels")
    if _MAYBE_HALF.search(text) and not _is_unicode(document):
        _not_json("Unicode text", "half of a surrogate pair")
    if repeating:
        raise RuleRefused(list(islice(_repeated(document), FAULTS_MAX)))
    return document


class _Repeating(dict[str, Any]):
    """An object as a document must not have it: ``names`` are those that it has more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.names = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]


def _repeated(document: object) -> Iterator[RuleFault]:
    """Every name that an object of the document has twice, in the document's order."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, _Repeating):
            for name in value.names:
                message = f"{shown(name)} is there twice; which of the two counts would be a guess"
                yield RuleFault(at(pointer, name), "repeated_name", message, "every name once", f"{shown(name)} twice")
        if isinstance(value, dict):
            waiting.extend((at(pointer, name), inner) for name, inner in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((at(pointer, index), inner) for index, inner in reversed(list(enumerate(value))))


def _is_unicode(document: object) -> bool:
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_json(expected: str, found: str, *, message: str | None = None) -> NoReturn:
    told = message or f"expected {expected}, found {found}"
    raise RuleRefused([RuleFault("", "not_json", told, expected, found)])


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
    # It was noted when the document was examined.
    return Wrong(pointer)


def _call(raw: Mapping[str, Any], pointer: str, grammar: Grammar, report: Report, depth: int) -> Tree:
    if len(raw) != 1:
        expected = "an operator: an object with one key"
        hint = "to build an object, write `object`"
        found = shown(dict(raw))
        report.add(pointer, "not_an_operator", "not an operator", expected=expected, found=found, suggestion=hint)
        return Wrong(pointer)
    [(operator, written)] = raw.items()
    if operator not in grammar:
        report.unknown(pointer, "operator", operator, grammar, suggestion=ELSEWHERE.get(operator))
        return Wrong(pointer)
    inside = at(pointer, operator)
    # {"trim": x} is short for {"trim": [x]}.
    listed = isinstance(written, list | tuple)
    arguments: list[Any] = list(written) if listed else [written]
    if operator == OBJECT and len(arguments) == 1 and isinstance(arguments[0], Mapping):
        place = at(inside, 0) if listed else inside
        return Call(pointer, operator, (_fields(arguments[0], place, grammar, report, depth + 1),), {})
    places = [at(inside, index) if listed else inside for index in range(len(arguments))]
    options: dict[str, Tree] = {}
    before, names = grammar[operator]
    if names and len(arguments) > before and isinstance(arguments[-1], Mapping):
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


def _fields(raw: Mapping[str, Any], pointer: str, grammar: Grammar, report: Report, depth: int) -> Fields:
    entries: dict[str, Tree] = {}
    for name, value in raw.items():
        if not name or not name.isprintable():
            report.add(at(pointer, name), "bad_name", "not a name", expected="printable characters", found=shown(name))
        entries[name] = expression(value, at(pointer, name), grammar, report, depth + 1)
    return Fields(pointer, entries)


def references(tree: Tree) -> tuple[set[str], set[str]]:
    """The names of variables and of decision tables that an expression mentions."""
    variables: set[str] = set()
    tables: set[str] = set()
    pending: list[Tree] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Items):
            pending.extend(node.items)
        elif isinstance(node, Fields):
            pending.extend(node.entries.values())
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
