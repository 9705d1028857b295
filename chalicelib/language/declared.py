"""What a document declares: inputs, outputs and period aggregates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.language.kinds import Kind, Type, Value


@dataclass(frozen=True, slots=True)
class Declared:
    """One input as declared.

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
        return Type(
            kind,
            nullable=self.nullable,
            values=self.values if self.type == "enum" else None,
            item=self.items.of if self.items else None,
            fields={name: field.of for name, field in self.fields.items()} if self.fields else None,
        )


@dataclass(frozen=True, slots=True)
class DeclaredOutput:
    """One output as declared. ``columns``: the inputs that its expression reads, in order, through ``let`` and tables.

    A decimal output has exactly ``scale`` places; without ``rounding`` an excess digit refuses the record.
    """

    type: str
    scale: int | None = None
    rounding: str | None = None
    nullable: bool = False
    personal: bool = False
    values: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def reading(self, columns: tuple[str, ...]) -> "DeclaredOutput":
        """The same output, knowing what it reads."""
        return replace(self, columns=columns)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What the caller sums before it decides: output ``of`` over the ``period`` that the event's date lies in."""

    of: str
    period: str
