"""What an expression says, apart from how it is spelled: equal forms decide every record alike.

Only spellings that can make no difference are taken for one another. ``and`` is compared as a set where none of its
parts can refuse a record: where one can, the parts before it decide whether it is asked at all, and the order counts.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from chalicelib.language.faults import Report, at
from chalicelib.language.operators import GRAMMAR
from chalicelib.language.parse import Call, Fields, Items, Literal, Tree, expression
from chalicelib.language.rounding import plain
from chalicelib.records import dataclass

_INTERVAL = re.compile(r"\s*([\[(])\s*([^,\[\]()\s]*)\s*,\s*([^,\[\]()\s]*)\s*([\])])\s*")
_REVERSED: Final[Mapping[str, str]] = MappingProxyType({">": "<", ">=": "<="})
_OPPOSITE: Final[Mapping[str, str]] = MappingProxyType({"<": "<=", "<=": "<"})
_DEFAULTS: Final[Mapping[str, object]] = MappingProxyType({"on_miss": "error", "decimal_mark": ".", "group_mark": ""})
#: Operators that have an answer for all arguments of their types.
_TOTAL: Final = frozenset(
    {"==", "!=", "<", "<=", ">", ">=", "and", "or", "!", "if", "?:", "in_range", "coalesce", "is_null"}
    | {"trim", "length", "months_between", "years_between"}
)
_NULL: Final = ("null",)
_TRUTH: Final = (("boolean", False), ("boolean", True))


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one document's expressions. ``names`` and ``tables``: what a ``let`` or a table is called now."""

    definitions: Mapping[str, Tree] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """What a name is called now."""
        head, dot, rest = name.partition(".")
        return f"{self.names.get(head, head)}{dot}{rest}" if name not in self.names else self.names[name]

    def of(self, tree: Tree) -> Hashable:
        """The form of an expression."""
        match tree:
            case Literal(value=value):
                return constant(value)
            case Items(items=items):
                return ("items", *map(self.of, items))
            case Fields(entries=entries):
                return ("fields", *sorted(((name, self.of(part)) for name, part in entries.items()), key=repr))
            case Call():
                return self._call(tree)
        return ("wrong", tree.pointer)

    def _call(self, call: Call) -> Hashable:  # noqa: C901, PLR0911 - one return for each spelling
        operator, parts = call.operator, call.arguments
        match operator:
            case "var" if len(parts) == 1 and isinstance(parts[0], Literal):
                return ("var", self.name(str(parts[0].value)))
            case "table" if parts and isinstance(parts[0], Literal):
                name = str(parts[0].value)
                return ("table", self.tables.get(name, name), *map(self.of, parts[1:]))
            case "and" | "or":
                return self._joined(operator, call)
            case "!" if len(parts) == 1:
                return _not(self.of(parts[0]))
            case "is_null" if len(parts) == 1:
                return ("is_null", self.of(parts[0]))
            case "==" | "!=" if len(parts) == 2:
                return self._equal(operator, parts)
            case ">" | ">=":
                return (_REVERSED[operator], tuple(map(self.of, reversed(parts))), ())
            case "+" | "*" | "min" | "max" if len(parts) == 2:
                return (operator, *sorted(map(self.of, parts), key=repr))
            case "?:":
                return ("if", tuple(map(self.of, parts)), ())
            case "in" if len(parts) == 2 and isinstance(parts[1], Items) and _written_list(parts[1]):
                return ("in", self.of(parts[0]), *sorted(set(map(self.of, parts[1].items)), key=repr))
            case "in_range" if len(parts) == 2 and isinstance(parts[1], Literal):
                return _range(self.of(parts[0]), str(parts[1].value))
        return (operator, tuple(map(self.of, parts)), self.options(call))

    def options(self, call: Call) -> Hashable:
        """The options of a call but those that are as they are anyway."""
        return tuple(
            (name, self.of(option))
            for name, option in sorted(call.options.items())
            if not (isinstance(option, Literal) and option.value == _DEFAULTS.get(name, _NULL))
        )

    def parts(self, call: Call) -> list[Tree]:
        """The conditions that an ``and`` or an ``or`` joins, those inside an inner one of its kind too."""
        found: list[Tree] = []
        for part in call.arguments:
            if isinstance(part, Call) and part.operator == call.operator:
                found.extend(self.parts(part))
            else:
                found.append(part)
        return found

    def _joined(self, operator: str, call: Call) -> Hashable:
        parts = self.parts(call)
        forms = list(dict.fromkeys(map(self.of, parts)))
        if len(forms) == 1:
            return forms[0]
        if all(map(self.answers, parts)):
            forms.sort(key=repr)
        return (operator, *forms)

    def _equal(self, operator: str, parts: tuple[Tree, ...]) -> Hashable:
        left, right = sorted(map(self.of, parts), key=repr)
        same: Hashable = ("==", left, right)
        if _NULL in (left, right):
            same = ("is_null", right if left == _NULL else left)
        elif left in _TRUTH:
            # What is true is compared with a boolean: it is one.
            same = right if left[1] else _not(right)
        return same if operator == "==" else _not(same)

    def answers(self, tree: Tree, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an expression has an answer for every record, so that it does not matter when it is asked."""
        if not isinstance(tree, Call):
            return isinstance(tree, Literal)
        parts = tree.arguments
        match tree.operator:
            case "missing" | "missing_some":
                return True
            case "in":
                return len(parts) == 2 and self.answers(parts[0], seen) and _written_list(parts[1])
            case "var":
                name = str(parts[0].value) if parts and isinstance(parts[0], Literal) else ""
                return self._defined(name, seen)
        return tree.operator in _TOTAL and not tree.options and all(self.answers(part, seen) for part in parts)

    def _defined(self, name: str, seen: frozenset[str]) -> bool:
        """Whether what a name stands for has an answer for every record; what a record brings has."""
        head = name if name in self.definitions else name.partition(".")[0]
        if head not in self.definitions:
            return True
        return head not in seen and self.answers(self.definitions[head], seen | {head})


def constant(value: object) -> Hashable:  # noqa: PLR0911 - one return for each type
    """A constant apart from how it is spelled: 1.0 is 1.00. 1 is an integer, and another thing."""
    match value:
        case None:
            return _NULL
        case bool():
            return ("boolean", value)
        case int():
            return ("integer", value)
        case Decimal():
            return ("decimal", plain(value))
        case str():
            return ("text", value)
        case Mapping():
            return ("object", *sorted(((str(name), constant(one)) for name, one in value.items()), key=repr))
        case list() | tuple():
            return ("list", *map(constant, value))
    return ("other", repr(value))


def trees(raw: Mapping[str, Any], pointer: str) -> dict[str, Tree]:
    """Named expressions of a document, parsed, each with its place."""
    return {name: parsed(one, at(pointer, name)) for name, one in raw.items()}


def parsed(raw: object, pointer: str) -> Tree:
    """One expression at its place."""
    return expression(raw, pointer, GRAMMAR, Report(suggestions=0))


def _not(form: Hashable) -> Hashable:
    match form:
        case ("not", inner):
            return inner
        case ("<" | "<=" as operator, (left, right), ()):
            return (_OPPOSITE[operator], (right, left), ())
    return ("not", form)


def _written_list(tree: Tree) -> bool:
    return isinstance(tree, Items) and all(isinstance(one, Literal) for one in tree.items)


def _range(item: Hashable, written: str) -> Hashable:
    """What lies in an interval; with one bound that is a comparison, as with two dates or numbers."""
    match = _INTERVAL.fullmatch(written)
    if match is None:
        return ("in_range", item, ("text", written))
    opening, low, high, closing = match.groups()
    if low and not high:
        return ("<" if opening == "(" else "<=", (_bound(low), item), ())
    if high and not low:
        return ("<" if closing == ")" else "<=", (item, _bound(high)), ())
    return ("in_range", item, (opening, _bound(low), _bound(high), closing))


def _bound(text: str) -> Hashable:
    try:
        number = Decimal(text)
    except InvalidOperation:
        # A date, or no bound at all.
        return ("text", text)
    return constant(int(number) if number == number.to_integral_value() else number)
