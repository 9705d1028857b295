"""A file layout in plain words: what the file looks like, which columns it has, which rows are passed over."""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.rules.layouts import Column, Control, Format
from chalicelib.rules.rendering.parts import escaped, grid
from chalicelib.rules.rendering.words import Words

_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def layout_sections(document: Mapping[str, Any], words: Words) -> Iterator[str]:
    """The file, its columns, and the rows that are passed over."""
    yield from ["## The file", "", *_file(document), ""]
    rows = []
    for name, raw in _mapping(document, "columns").items():
        column = Column.model_validate(raw)
        there = "must be there" if column.required else "may be left out"
        remarks = [there, "may be empty" if column.may_be_empty else "never empty"]
        remarks += ["personal"] if column.personal else []
        rows.append([name, column.header or name, "; ".join(remarks), column.sample, column.description])
    header = ["column", "in the file", "remarks", "example", "meaning"]
    yield from ["## Columns", "", *grid(header, rows), ""]
    if document.get("ignore_when") is not None:
        told = escaped(words.condition(document["ignore_when"]))
        yield from ["## Rows that are passed over", "", f"A row is passed over when {told}.", ""]


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _file(document: Mapping[str, Any]) -> Iterator[str]:
    how = Format.model_validate(dict(_mapping(document, "format")))
    entity, rank = escaped(document.get("entity")), document.get("rank")
    yield f"- Each row is one {entity}; of files that come together, rank {rank}."
    quote, matched = escaped(how.quote), "exactly" if how.header == "exact" else "whatever their case and blanks"
    yield (
        f"- Text in {how.encoding}, cells parted by {_MARKS[how.delimiter]}, in quotes {quote} where needed;"
        f" headers are matched {matched};"
        f" blanks around cells are {'dropped' if how.trim else 'kept'}."
    )
    if document.get("mode") == "snapshot":
        share = document.get("terminate_share_max")
        yield f"- A snapshot: who is not in it has left, refused above a share of {escaped(share)}."
    else:
        yield "- What changed: who is not in it stays as they are."
    if document.get("partner_column"):
        yield f"- Column {escaped(document['partner_column'])} names the partner of a row."
    yield _control(Control.model_validate(dict(_mapping(document, "control"))))


def _control(control: Control) -> str:
    if control.kind == "none":
        return "- Nothing states that the file is whole."
    where = f"a last line {escaped(control.marker)}" if control.kind == "trailer" else "a second file .ctl"
    summed = f" and the sum of {escaped(control.column)}" if control.column else ""
    need = "must state" if control.required else "may state"
    return f"- The sender {need} the number of rows{summed} in {where}."
