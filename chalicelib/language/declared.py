"""What a document declares: inputs, outputs and period aggregates."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Literal

from chalicelib.language.kinds import Kind, Type, Value, list_of, object_of, words
from chalicelib.records import dataclass

#: What becomes of a look-up that finds nothing and refuses nothing: a value of the rule's own stands in, or null.
Treated = Literal["default", "null"]


@dataclass(frozen=True, slots=True)
class Declared:
    """One input as declared; ``personal`` if a part of it is.

    ``required``: it must be present. ``nullable``: it may be null. ``min`` and ``max`` are inclusive. ``scale``: the
    most decimal places that are accepted. ``empty_is_null``: the empty text of a file's column stands for null.
    """

    type: str
    scale: int | None = None
    values: tuple[str, ...] = ()
    required: bool = True
    nullable: bool = False
    min: Value = None
    max: Value = None
    normalize: tuple[str, ...] = ()
    personal: bool = False
    empty_is_null: bool = False
    items: "Declared | None" = None
    fields: Mapping[str, "Declared"] | None = None

    @property
    def of(self) -> Type:
        """The type that expressions see."""
        kind = Kind.STRING if self.type == "enum" else Kind(self.type)
        if kind is Kind.LIST:
            return list_of(self.items.of if self.items else None, nullable=self.nullable)
        if kind is Kind.OBJECT:
            return object_of({name: field.of for name, field in (self.fields or {}).items()}, nullable=self.nullable)
        return Type(kind, nullable=self.nullable, values=self.values if self.type == "enum" else None)


@dataclass(frozen=True, slots=True)
class DeclaredOutput:
    """One output as declared. ``columns``: the inputs that its expression reads, in order, through ``let`` and tables.

    A decimal output has exactly ``scale`` places; without ``rounding`` an excess digit refuses the record. ``items`` of
    a list and ``fields`` of an object are declared alike; with ``omit_null`` a field that is null is left out.
    """

    type: str
    scale: int | None = None
    rounding: str | None = None
    nullable: bool = False
    personal: bool = False
    values: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    items: "DeclaredOutput | None" = None
    fields: Mapping[str, "DeclaredOutput"] | None = None
    omit_null: bool = False

    @property
    def words(self) -> str:
        """The type as a sentence names it."""
        return words(Kind.STRING if self.type == "enum" else Kind(self.type))

    def reading(self, columns: tuple[str, ...]) -> "DeclaredOutput":
        """The same output, knowing what it reads."""
        return replace(self, columns=columns)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the caller sums before it decides: output ``of`` over the ``period`` that the event's date lies in.

    ``back``: over that many periods earlier instead; 1 is the period before. ``event_types``, in order: only events
    of these types count; of none, all do.
    """

    of: str
    period: str
    back: int = 0
    event_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document keeps its inputs, as a JSON Pointer.

    ``shown_by_cases``: it is a ruleset, whose cases show what it decides and whose inputs are those that it reads; the
    columns of a file are there whether a layout reads them or not. It may decide from ``first`` to ``last``, both days
    included; None is no bound.
    """

    inputs: str = "/inputs"
    shown_by_cases: bool = True
    first: date | None = None
    last: date | None = None

    def in_force(self, day: date) -> bool:
        """Whether it may decide on a day."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)
