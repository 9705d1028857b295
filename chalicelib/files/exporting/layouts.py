"""Layouts of files that the hub sends: columns in their order, with types. Reading by one gives what was written by it.

A cell never says more than its type: decimals have exactly the digits of their row, days are ISO 8601, moments are UTC
with microseconds. An empty cell is null; an empty text is written as one, too.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.errors import Broken
from chalicelib.files.formats.controls import SUM_SCALE
from chalicelib.files.formats.marking import harmless, restored
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.rules.layouts import Control, Format
from chalicelib.web.shapes import Written

Type: TypeAlias = Literal["string", "enum", "integer", "decimal", "date", "datetime"]
#: What a cell stands for.
Value: TypeAlias = str | int | Decimal | date | datetime | None

_MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_NAME: Final = Written("[a-z][a-z0-9_]{0,39}", "A name has up to 40 small letters, digits and underscores.")
_NO_CELL: Final = ""
#: The files of layouts, beside the modules that fill them.
FOLDER: Final = Path(__file__).resolve().parents[1] / "exports"
#: What every file of rejects has behind its sender's columns.
_REJECTS: Final = FOLDER.parent / "answers" / "rejects.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class OutColumn(_Part):
    """One column. ``scale`` is the most decimals of a decimal; ``values`` closes an enum; ``header`` is its name."""

    type: Type = "string"
    header: str | None = None
    nullable: bool = False
    personal: bool = False
    scale: Annotated[int, Field(ge=0, le=SUM_SCALE)] = SUM_SCALE
    values: Annotated[tuple[str, ...], Field(strict=False)] = ()
    description: str = ""
    sample: str = ""


class _Document(_Part):
    """``beside``: whose columns stand before these, of a file that answers another and is read as that one is."""

    id: Annotated[str, _NAME]
    kind: Literal["layout"]
    direction: Literal["outbound"]
    owner: str
    why: str
    beside: str | None = None
    format: Format = Format(trim=False)
    control: Control = Control(kind="trailer", required=True)
    columns: Annotated[dict[str, OutColumn], Field(min_length=2)]


@dataclass(frozen=True, slots=True)
class OutLayout:
    """A layout ready to write and to read. ``digest`` is the hash of its document."""

    id: str
    why: str
    format: Format
    control: Control
    columns: Mapping[str, OutColumn]
    digest: bytes

    @property
    def headers(self) -> list[str]:
        """The header line, in order."""
        return [column.header or name for name, column in self.columns.items()]


def parse(document: Mapping[str, Any]) -> OutLayout:
    """The layout of a document. Raises Broken for one that could not be written or read: it ships with the hub."""
    try:
        read = _Document.model_validate(dict(document))
    except ValidationError as error:
        raise Broken(f"The layout {document.get('id')!r} is not one: {error}") from error
    layout = OutLayout(
        read.id,
        read.why,
        read.format,
        read.control,
        read.columns,
        canonical.digest(canonical.text(document)),
    )
    summed = read.control.column
    if len(set(layout.headers)) != len(layout.headers):
        raise Broken(f"The layout {read.id} names a column twice.")
    if read.format.trim or (read.control.kind == "trailer") != (read.beside is None):
        raise Broken(
            f"The layout {read.id} must keep blanks, and have a trailer unless it stands beside other columns, so that"
            " what is read is what was sent."
        )
    if summed is not None and read.columns.get(summed, OutColumn()).type not in {"decimal", "integer"}:
        raise Broken(f"The layout {read.id} sums a column that has no numbers.")
    if any((column.type == "enum") != bool(column.values) for column in read.columns.values()):
        raise Broken(f"The layout {read.id} must list the values of its enums, and of nothing else.")
    return layout


@lru_cache(maxsize=64)
def named(name: str) -> OutLayout:
    """The layout of an export, read once a process."""
    return parse(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def of_rejects() -> OutLayout:
    """The columns that we add to a file of rejects."""
    return parse(json.loads(_REJECTS.read_text(encoding="utf-8")))


def cell_writers(layout: OutLayout) -> list[Callable[[Any], str]]:
    """What turns the value of each column into a cell. They raise Broken for a value that is not of its type."""
    return [_writer(name, column) for name, column in layout.columns.items()]


def cell_readers(layout: OutLayout) -> dict[str, Callable[[str], Value]]:
    """What turns a cell of each column into its value. They raise Broken for one that we did not write."""
    return {name: _reader(name, column) for name, column in layout.columns.items()}


def _writer(name: str, column: OutColumn) -> Callable[[Any], str]:
    told = _WRITTEN[column.type]
    values, scale = frozenset(column.values), column.scale

    def write(value: Any) -> str:  # noqa: ANN401 - whatever a row has there
        if value is None or value == _NO_CELL:
            if column.nullable:
                return _NO_CELL
            raise Broken(f"An export has nothing in its column {name}.")
        try:
            cell = told(value)
        except (TypeError, AttributeError, ValueError) as error:
            raise Broken(f"An export has a {type(value).__name__} in its column {name}.") from error
        if (values and cell not in values) or (column.type == "decimal" and len(cell.partition(".")[2]) > scale):
            raise Broken(f"An export has a value in its column {name} that its layout does not allow.")
        return cell

    return write


def _reader(name: str, column: OutColumn) -> Callable[[str], Value]:
    understood = _READ[column.type]
    values = frozenset(column.values)

    def read(cell: str) -> Value:
        if cell == _NO_CELL:
            if column.nullable:
                return None
            raise Broken(f"The column {name} is empty.")
        try:
            value = understood(cell)
        except (ValueError, InvalidOperation) as error:
            raise Broken(f"{cell!r} in the column {name} is no {column.type}.") from error
        if values and value not in values:
            raise Broken(f"{cell!r} in the column {name} is none of its values.")
        return value

    return read


def _text(value: str) -> str:
    # No table has a NUL, and no encoding half a character.
    return harmless(str.replace(value, "\0", "\ufffd"))


def _number(value: Decimal) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError("not a finite decimal")
    return format(value, "f")


def _whole(value: int) -> str:
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    return int.__format__(value, "d")


def _day(value: date) -> str:
    if isinstance(value, datetime):
        raise TypeError("a moment is no day")
    return value.isoformat()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime(_MOMENT)


def moment_of(cell: str) -> datetime:
    """The moment that a cell says. Raises ValueError."""
    return datetime.strptime(cell, _MOMENT).replace(tzinfo=UTC)


def moment(value: datetime) -> str:
    """A moment as cells say it."""
    return _moment(value)


_WRITTEN: Final[Mapping[Type, Callable[[Any], str]]] = {
    "string": _text,
    "enum": _text,
    "integer": _whole,
    "decimal": _number,
    "date": _day,
    "datetime": _moment,
}
_READ: Final[Mapping[Type, Callable[[str], Value]]] = {
    "string": restored,
    "enum": restored,
    "integer": int,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "datetime": moment_of,
}
