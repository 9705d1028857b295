"""The types of the language and how two of them become one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from chalicelib.language.faults import clip
from chalicelib.records import dataclass

Value: TypeAlias = bool | int | Decimal | str | date | list["Value"] | dict[str, "Value"] | None
# Table -> code -> value, already resolved by the caller to the entries in force on the day of the decision.
CodeTables: TypeAlias = Mapping[str, Mapping[str, str]]


class Kind(StrEnum):
    """What a value is. ``UNKNOWN`` stands for a place that was already reported as wrong: it causes no second fault."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"
    NULL = "null"
    UNKNOWN = "unknown"


_WORDS = {
    Kind.STRING: "text",
    Kind.INTEGER: "an integer",
    Kind.DECIMAL: "a decimal",
    Kind.DATE: "a date",
    Kind.BOOLEAN: "a boolean",
    Kind.LIST: "a list",
    Kind.OBJECT: "an object",
    Kind.NULL: "null",
    Kind.UNKNOWN: "anything",
}


@dataclass(frozen=True, slots=True)
class Type:
    """The type of an expression.

    ``values``: the only texts it can have (an enum, a literal), or None for any. ``item``: of a list.
    ``fields``: of an object, by name. ``size``: how many types it is made of, itself included; ``depth``: how deep.
    """

    kind: Kind
    nullable: bool = False
    values: tuple[str, ...] | None = None
    item: "Type | None" = None
    fields: Mapping[str, "Type"] | None = None
    size: int = field(default=1, compare=False)
    depth: int = field(default=0, compare=False)

    @property
    def words(self) -> str:
        """The type as a sentence names it."""
        return words(self.kind) + (" or null" if self.nullable and self.kind is not Kind.NULL else "")

    def without_null(self) -> "Type":
        """The same type where null has been ruled out."""
        return replace(self, nullable=False) if self.nullable else self

    def with_null(self) -> "Type":
        """The same type where null is possible."""
        return self if self.nullable or self.kind is Kind.UNKNOWN else replace(self, nullable=True)


NULL = Type(Kind.NULL, nullable=True)
UNKNOWN = Type(Kind.UNKNOWN)
TEXT = Type(Kind.STRING)
INTEGER = Type(Kind.INTEGER)
DECIMAL = Type(Kind.DECIMAL)
DATE = Type(Kind.DATE)
BOOLEAN = Type(Kind.BOOLEAN)
NUMBERS = (Kind.INTEGER, Kind.DECIMAL)


def list_of(item: Type | None, *, nullable: bool = False) -> Type:
    """The type of a list; of None, that of an empty one, which goes with every list."""
    if item is None:
        return Type(Kind.LIST, nullable)
    return Type(Kind.LIST, nullable, item=item, size=1 + item.size, depth=1 + item.depth)


def object_of(fields: Mapping[str, Type], *, nullable: bool = False) -> Type:
    """The type of an object with exactly these fields."""
    size = 1 + sum(one.size for one in fields.values())
    depth = 1 + max((one.depth for one in fields.values()), default=0)
    return Type(Kind.OBJECT, nullable, fields=fields, size=size, depth=depth)


def words(*kinds: Kind) -> str:
    """``an integer or a decimal``."""
    return " or ".join(_WORDS[kind] for kind in kinds)


def unified(left: Type, right: Type) -> Type | None:  # noqa: PLR0911 - one return for each kind
    """The type that holds the values of both, or None when there is none: nothing is ever coerced to text."""
    if Kind.UNKNOWN in (left.kind, right.kind):
        return UNKNOWN
    if left.kind is Kind.NULL:
        return right.with_null()
    if right.kind is Kind.NULL:
        return left.with_null()
    nullable = left.nullable or right.nullable
    if left.kind is Kind.STRING and right.kind is Kind.STRING:
        values = None
        if left.values is not None and right.values is not None:
            values = tuple(dict.fromkeys(left.values + right.values))
        return Type(Kind.STRING, nullable, values)
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return Type(left.kind if left.kind is right.kind else Kind.DECIMAL, nullable)
    if left.kind is not right.kind:
        return None
    if left.kind is Kind.LIST:
        return _unified_lists(left, right, nullable=nullable)
    if left.kind is Kind.OBJECT:
        return _unified_objects(left, right, nullable=nullable)
    return replace(left, nullable=nullable)


def _unified_lists(left: Type, right: Type, *, nullable: bool) -> Type | None:
    # An empty list has no item type of its own and goes with every list.
    if left.item is None or right.item is None:
        return list_of(left.item or right.item, nullable=nullable)
    item = _unified_parts(left.item, right.item)
    return None if item is None else list_of(item, nullable=nullable)


def _unified_objects(left: Type, right: Type, *, nullable: bool) -> Type | None:
    if left.fields is right.fields:
        return replace(left, nullable=nullable)
    if left.fields is None or right.fields is None or left.fields.keys() != right.fields.keys():
        return None
    fields = {name: _unified_parts(one, right.fields[name]) for name, one in left.fields.items()}
    known = {name: one for name, one in fields.items() if one is not None}
    return object_of(known, nullable=nullable) if len(known) == len(fields) else None


def _unified_parts(left: Type, right: Type) -> Type | None:
    # What is inside a list or an object is not converted, so integers and decimals stay apart there.
    if left.kind is not right.kind and Kind.NULL not in (left.kind, right.kind):
        return None
    return unified(left, right)


def json_value(value: Any) -> Any:  # noqa: ANN401 - any typed value to any JSON value
    """A typed value as JSON shows it: decimals as text at their scale, dates in ISO 8601.

    For values whose size is bounded: records and outputs. What a rule builds on the way may share parts without end and
    is shown by ``Showing``.
    """
    return _json(value, [-1], None)


VALUES_SHOWN_MAX = 10_000
CHARACTERS_SHOWN_MAX = 200
CUT = "…"


class Showing:
    """Shows values as ``json_value`` does, up to ``values_max`` in all; what is more, and long texts, is cut off."""

    def __init__(self, values_max: int = VALUES_SHOWN_MAX) -> None:
        self._left = [values_max]

    def of(self, value: Any) -> Any:  # noqa: ANN401 - any typed value to any JSON value
        """``value`` as JSON, as much of it as there is room for."""
        return _json(value, self._left, CHARACTERS_SHOWN_MAX)


def _json(  # noqa: PLR0911 - one return for each kind of value
    value: Any,  # noqa: ANN401 - any typed value
    left: list[int],
    characters_max: int | None,
) -> Any:  # noqa: ANN401 - any JSON value
    if left[0] == 0:
        return CUT
    left[0] -= 1
    match value:
        case None | bool() | int():
            return value
        case str():
            return value if characters_max is None else clip(value, characters_max)
        case dict():
            return {key: _json(item, left, characters_max) for key, item in _until_cut(value.items(), left)}
        case list() | tuple():
            return [_json(item, left, characters_max) for item in _until_cut(value, left)]
        case set() | frozenset():
            return sorted((_json(item, left, characters_max) for item in _until_cut(value, left)), key=str)
    return value.isoformat() if hasattr(value, "isoformat") else format(value, "f")


def _until_cut(items: Iterable[Any], left: list[int]) -> Iterator[Any]:
    """The items up to the first for which there is no room."""
    for item in items:
        yield item
        if left[0] == 0:
            return
