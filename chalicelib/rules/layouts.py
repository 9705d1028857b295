"""Layouts: what a partner's file looks like and how each canonical field comes from its columns.

The columns have short names for the expressions and the headers that the partner really writes. A layout must provide
every field of its entity (``rules.entities``) that may not be null; its expressions are those of the rule language.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.language import Compiled, RuleRefused, compile_fields
from chalicelib.language.faults import Report, at, shown
from chalicelib.records import dataclass
from chalicelib.rules.entities import ENTITIES, PLACES, Entity, EntityField
from chalicelib.web.shapes import Written
from chalicelib.web.wording import sentence

#: Encodings whose line feed is one byte and never part of another character: rows can be addressed by bytes. UTF-16,
#: whose is not, becomes UTF-8 before it is cut into rows.
Encoding = Literal["utf-8", "utf-16", "cp1252", "iso-8859-1", "iso-8859-15", "ascii"]

#: The field that says whom a row is about.
_WHOSE = "employee_id"
#: The field that numbers the lines of a document.
_LINE = "line_no"
_ENVELOPE = frozenset({"$schema", "id", "kind", "owner", "why", "partner", "effective"})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Format(_Part):
    """How the bytes become cells. UTF-8 may begin with a byte order mark. ``trim`` strips blanks around every cell.

    ``header``: ``loose`` matches names whatever their case and inner blanks, ``exact`` does not.
    """

    encoding: Encoding = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    quote: Literal['"', "'"] = '"'
    header: Literal["exact", "loose"] = "loose"
    trim: bool = True


class Control(_Part):
    """How the sender proves that the file is whole.

    ``trailer``: the last line is ``marker,<rows>,<sum>``. ``sidecar``: a JSON object ``{"rows", "sum", "sha256"}`` in
    ``<name>.ctl``. ``column`` is summed; its numbers and the stated sum use the marks given here.
    """

    kind: Literal["trailer", "sidecar", "none"] = "none"
    required: bool = False
    column: str | None = None
    marker: str = "#TRAILER"
    decimal_mark: Literal[".", ","] = "."
    group_mark: Literal["", ".", ",", " ", "'"] = ""


class Column(_Part):
    """One column, called ``header`` by its sender.

    ``required``: the header must name it. ``nullable``: its cells may be empty; by default those of optional columns.
    """

    header: str | None = None
    required: bool = True
    nullable: bool | None = None
    personal: bool = False
    description: str = ""
    sample: str = ""

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty cell is a null rather than a fault."""
        return not self.required if self.nullable is None else self.nullable


class LayoutField(_Part):
    """How one canonical field comes about."""

    expr: Any
    rounding: str | None = None
    description: str = ""


class LayoutDocument(_Part):
    """The layout's own part of a rule document."""

    name: Annotated[
        str, Written("[a-z0-9][a-z0-9_-]{0,63}", "A name has up to 64 small letters, digits, hyphens and underscores.")
    ]
    entity: Entity
    rank: Annotated[int, Field(ge=0, le=1000)]
    mode: Literal["delta", "snapshot"] = "delta"
    terminate_share_max: Annotated[Decimal | None, Field(strict=False, ge=0, le=1)] = None
    format: Format = Format()
    control: Control = Control()
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    partner_column: str | None = None
    let: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    ignore_when: Any = None
    fields: dict[str, LayoutField]


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout ready to read files. ``partner`` None: shared. ``headers`` maps short column names to the sender's.

    ``identity`` computes ``employee_id`` alone, for rows that are refused as a whole; None where rows are of nobody.
    ``places`` compute to which line of which document a row belongs, and failing that, to which document.
    """

    code: str
    partner: str | None
    spec: LayoutDocument
    compiled: Compiled
    identity: Compiled | None
    places: tuple[Compiled, ...] = ()

    @property
    def headers(self) -> Mapping[str, str]:
        """What the sender calls each column."""
        return {name: column.header or name for name, column in self.spec.columns.items()}


def check(document: Mapping[str, Any]) -> None:
    """Refuse a layout document that could not read a file: RuleRefused with every fault and its JSON Pointer."""
    parse(document)


def parse(document: Mapping[str, Any]) -> Layout:
    """The layout of a document. Costs a compilation: keep it. Raises RuleRefused."""
    spec = _spec(document)
    code, partner = str(document.get("id", "")), document.get("partner")
    report = Report()
    _examine(spec, code, partner, report)
    report.refuse_if_any()
    columns = {
        name: {"nullable": column.may_be_empty, "personal": column.personal} for name, column in spec.columns.items()
    }
    compiled = compile_fields(
        columns, _outputs(spec), let=spec.let, ignore_when=spec.ignore_when, tables=spec.tables, pointer=""
    )
    _examine_personal(spec, compiled, report)
    report.refuse_if_any()
    identity = None
    if _WHOSE in spec.fields:
        whose = _output(ENTITIES[spec.entity][_WHOSE], spec.fields[_WHOSE])
        identity = compile_fields(columns, {_WHOSE: whose}, let=spec.let, tables=spec.tables)
    places = tuple(
        compile_fields(
            columns,
            {name: _output(ENTITIES[spec.entity][name], spec.fields[name]) for name in names},
            let=spec.let,
            tables=spec.tables,
        )
        for names in _places(spec.entity)
    )
    return Layout(code=code, partner=partner, spec=spec, compiled=compiled, identity=identity, places=places)


def _places(entity: Entity) -> list[list[str]]:
    """The fields that say where a row belongs, the line's number included, and the same without it."""
    names = PLACES.get(entity, ())
    without = [name for name in names if name != _LINE]
    return [list(each) for each in dict.fromkeys((tuple(names), tuple(without))) if each]


def _spec(document: Mapping[str, Any]) -> LayoutDocument:
    try:
        return LayoutDocument.model_validate({key: value for key, value in document.items() if key not in _ENVELOPE})
    except ValidationError as error:
        report = Report()
        for wrong in error.errors():
            place = tuple(part for part in wrong["loc"] if isinstance(part, str | int))
            pointer = at("", *place)
            if wrong["type"] == "extra_forbidden":
                report.unknown(pointer, "field", str(place[-1]), _known_names(place))
            else:
                told = sentence(wrong)
                report.add(pointer, "bad_layout", told, expected=told, found=shown(wrong.get("input")))
        raise RuleRefused(report.faults) from error


def _known_names(place: Sequence[str | int]) -> Sequence[str]:
    model: type[BaseModel] = LayoutDocument
    parts: Mapping[str, type[BaseModel]] = {
        "format": Format,
        "control": Control,
        "columns": Column,
        "fields": LayoutField,
    }
    if len(place) > 1:
        model = parts[str(place[0])]
    return sorted(model.model_fields)


def _examine(spec: LayoutDocument, code: str, partner: object, report: Report) -> None:
    """What one field alone cannot show: names that must exist, modes that must fit."""
    expected = f"{partner}.{spec.name}" if partner else spec.name
    if code != expected:
        message = "the id of a layout is its name, after the partner's code and a dot when it is a partner's own"
        report.add("/id", "bad_id", message, expected=expected, found=shown(code))
    _examine_fields(spec, report)
    _examine_headers(spec, report)
    if spec.control.kind == "none" and (spec.control.required or spec.control.column):
        message = "a control of kind none controls nothing"
        report.add("/control/kind", "no_control", message, expected="trailer or sidecar", found="none")
    if spec.mode == "snapshot" and (spec.entity != "roster" or spec.terminate_share_max is None):
        message = (
            "a snapshot is a roster, and says in `terminate_share_max` which share of the members it may terminate"
        )
        report.add("/mode", "bad_snapshot", message, expected="terminate_share_max from 0 to 1", found="none")
    if spec.mode == "delta" and spec.terminate_share_max is not None:
        message = "only a snapshot terminates who is absent"
        report.add("/terminate_share_max", "bad_snapshot", message, expected="nothing", found="a share")


def _examine_fields(spec: LayoutDocument, report: Report) -> None:
    for pointer, column in (("/partner_column", spec.partner_column), ("/control/column", spec.control.column)):
        if column is not None and column not in spec.columns:
            report.unknown(pointer, "column", column, spec.columns)
    fields = ENTITIES[spec.entity]
    for name in spec.fields:
        if name not in fields:
            report.unknown(at("/fields", name), "field", name, fields)
    for name, field in fields.items():
        if not field.nullable and name not in spec.fields:
            message = f"every {spec.entity} row needs `{name}`, and no field provides it"
            report.add(
                at("/fields", name),
                "field_missing",
                message,
                expected="an expression",
                found="no such field",
            )


def _examine_headers(spec: LayoutDocument, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, column in spec.columns.items():
        header = header_key(column.header or name, spec.format)
        if header in seen:
            message = f"columns `{seen[header]}` and `{name}` have the same header"
            report.add(at("/columns", name, "header"), "same_header", message, expected="another header", found=header)
        seen[header] = name
        if not column.required and column.nullable is False:
            message = f"column `{name}` may be absent, so its value may be null"
            report.add(at("/columns", name, "nullable"), "not_nullable", message, expected="true", found="false")


def _examine_personal(spec: LayoutDocument, compiled: Compiled, report: Report) -> None:
    """Personal columns feed personal fields only: nothing else of a row may enter facts, ledger and logs."""
    for name, output in compiled.outputs.items():
        if name not in spec.fields:
            continue
        marked = [column for column in output.columns if spec.columns[column].personal]
        pointer = at("/fields", name, "expr")
        if output.personal and output.columns and not marked:
            message = f"`{name}` is personal, but none of its columns is marked so"
            report.add(
                pointer,
                "column_not_personal",
                message,
                expected="a personal column",
                found=", ".join(output.columns),
                suggestion=f'add "personal": true to column `{output.columns[0]}`',
            )
        if not output.personal and marked:
            message = f"`{name}` is not personal and must not be made of the personal column `{marked[0]}`"
            report.add(pointer, "personal_column", message, expected="other columns", found=marked[0])


def header_key(header: str, how: Format) -> str:
    """What two header names must share to be the same column."""
    return header if how.header == "exact" else " ".join(header.split()).casefold()


def _outputs(spec: LayoutDocument) -> dict[str, dict[str, Any]]:
    fields = ENTITIES[spec.entity]
    return {name: _output(fields[name], field) for name, field in spec.fields.items()}


def _output(declared: EntityField, field: LayoutField) -> dict[str, Any]:
    output: dict[str, Any] = {
        "type": declared.type,
        "nullable": declared.nullable,
        "personal": declared.personal,
        "expr": field.expr,
    }
    if declared.scale is not None:
        output["scale"] = declared.scale
    if declared.values:
        output["values"] = list(declared.values)
    if field.rounding is not None:
        output["rounding"] = field.rounding
    return output
