"""The types of the language and how two of them become one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

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
    ``fields``: of an object, by name.
    """

    kind: Kind
    nullable: bool = False
    values: tuple[str, ...] | None = None
    item: "Type | None" = None
    fields: Mapping[str, "Type"] | None = None

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
    if left.kind is Kind.LIST and right.kind is Kind.LIST:
        return _unified_lists(left, right, nullable=nullable)
    if left.kind is not right.kind or (left.kind is Kind.OBJECT and left.fields != right.fields):
        return None
    return replace(left, nullable=nullable)


def _unified_lists(left: Type, right: Type, *, nullable: bool) -> Type | None:
    # An empty list has no item type of its own and goes with every list.
    if left.item is None or right.item is None:
        return Type(Kind.LIST, nullable, item=left.item or right.item)
    # Items are not converted one by one, so lists of integers and of decimals stay apart.
    if left.item.kind is not right.item.kind:
        return None
    item = unified(left.item, right.item)
    return None if item is None else Type(Kind.LIST, nullable, item=item)


def json_value(value: Any) -> Any:  # noqa: ANN401 - any typed value to any JSON value
    """A typed value as JSON shows it: decimals as text at their scale, dates in ISO 8601."""
    match value:
        case None | bool() | int() | str():
            return value
        case dict():
            return {key: json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
        case set() | frozenset():
            return sorted((json_value(item) for item in value), key=str)
    return value.isoformat() if hasattr(value, "isoformat") else format(value, "f")
