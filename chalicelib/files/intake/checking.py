"""Pass 1: read the whole object and decide whether it may be applied at all. Touches nothing but what it returns.

Encoding, header, number of rows, control figures, expansion, and for a snapshot whom it leaves out.
"""

from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import date
from typing import IO, cast

from chalicelib.files.formats import controls
from chalicelib.files.formats.controls import Stated
from chalicelib.files.formats.layouts import Reading
from chalicelib.files.formats.reading import RECORD_BYTES_MAX, Measured, Record, records
from chalicelib.files.formats.translating import Header, Translator, translator_of
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.register.refusals import FileRefused, RowRefused
from chalicelib.records import dataclass
from chalicelib.rules.layouts import Layout

#: How many rows pass between two signs of life.
_ALIVE_ROWS = 20_000
#: The most columns that are named in warnings.
_WARNINGS_MAX = 20


@dataclass(slots=True)
class Checked:
    """What pass 1 found. ``refused`` says why the file cannot be used; the other figures are then as far as it got.

    ``total`` is the sum of the control column in millionths, without the ``unreadable`` cells. ``employee_ids`` are
    those that a snapshot names, and ``latest_date`` is the latest effective date of its usable rows.
    ``of_rejects``: the file is rejects that came back.
    """

    sha256: bytes = b""
    size_bytes: int = 0
    compressed: bool = False
    header: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    first_row_offset: int = 0
    rows: int = 0
    total: int = 0
    unreadable: int = 0
    stated: Stated | None = None
    employee_ids: set[str] = field(default_factory=set)
    latest_date: date | None = None
    of_rejects: bool = False
    refused: FileRefused | None = None


def check(
    source: IO[bytes],
    reading: Reading,
    *,
    partner_code: str,
    sidecar: bytes | None,
    expanded_bytes_max: int,
    alive: Callable[[], None],
) -> Checked:
    """Read ``source`` to its end, calling ``alive`` now and then. An unusable file is a result, not an exception."""
    measured = Measured(source)
    found = Checked()
    try:
        content, found.compressed = content_of(
            measured, reading.layout.spec.format, expanded_bytes_max=expanded_bytes_max
        )
        _read(content, reading, partner_code, found, alive)
        measured.drain()
        _control(reading.layout, sidecar, found, measured.digest)
    except FileRefused as refused:
        found.refused = refused
        measured.drain()
    found.sha256 = measured.digest
    found.size_bytes = measured.bytes_read
    return found


def begins_like_rejects(source: IO[bytes], reading: Reading) -> bool:
    """Whether the header at the beginning of ``source`` is that of rejects that came back; unusable ones are not."""
    how = reading.layout.spec.format
    try:
        content, _ = content_of(Measured(source), how, expanded_bytes_max=RECORD_BYTES_MAX)
        first = next(records(content, how), None)
        return first is not None and Header(first.cells, reading.layout).is_of_rejects
    except FileRefused:
        # It is read as a whole later, and refused then with the reason.
        return False


def _read(content: IO[bytes], reading: Reading, partner_code: str, found: Checked, alive: Callable[[], None]) -> None:
    spec = reading.layout.spec
    rows = records(content, spec.format)
    first = next(rows, None)
    if first is None:
        raise FileRefused("empty_file", "The file is empty.")
    found.header = first.cells
    header = Header(first.cells, reading.layout)
    named = [name for name in header.unknown if name]
    found.warnings = [f"Column `{name}` is not in the layout and was not read." for name in named[:_WARNINGS_MAX]]
    if len(named) > _WARNINGS_MAX:
        found.warnings.append(f"{len(named) - _WARNINGS_MAX} more columns are not in the layout and were not read.")
    found.first_row_offset = first.offset + len(first.raw)
    translator = translator_of(reading, header, partner_code)
    amount_of = controls.amounts(spec.control)
    sums = spec.control.column is not None
    snapshot = spec.mode == "snapshot" and not header.is_of_rejects
    found.of_rejects = header.is_of_rejects
    for record in _data_rows(rows, reading.layout, found):
        found.rows += 1
        if sums:
            cell = translator.control_cell(record)
            amount = None if cell is None else amount_of(cell)
            if amount is None:
                found.unreadable += 1
            else:
                found.total += amount
        if snapshot:
            _note_presence(found, translator, record, dated=reading.dated_by_rows)
        if found.rows % _ALIVE_ROWS == 0:
            alive()
    if not found.rows:
        raise FileRefused("no_rows", "The file has a header and no rows.")


def _note_presence(found: Checked, translator: Translator, record: Record, *, dated: bool) -> None:
    """Note whom a row of a snapshot names, and with ``dated`` from when on."""
    employee_id = translator.employee_id(record)
    if employee_id is not None:
        found.employee_ids.add(employee_id)
    if not dated:
        return
    row = translator.row(record)
    if not isinstance(row, RowRefused):
        effective = cast("date", row["effective_date"])
        found.latest_date = effective if found.latest_date is None else max(found.latest_date, effective)


def _data_rows(rows: Iterator[Record], layout: Layout, found: Checked) -> Iterator[Record]:
    """The records before the trailer, which is noted. Raises FileRefused when rows follow it."""
    control = layout.spec.control
    marker = control.marker if control.kind == "trailer" else None
    for record in rows:
        if found.stated is not None:
            raise FileRefused("rows_after_trailer", f"Rows follow the line that begins with {control.marker}.")
        if marker is not None and record.cells and record.cells[0].strip() == marker:
            found.stated = controls.of_trailer(record.cells, control, layout.headers)
        else:
            yield record


def _control(layout: Layout, sidecar: bytes | None, found: Checked, sha256: bytes) -> None:
    control = layout.spec.control
    if control.kind == "sidecar" and sidecar is not None:
        found.stated = controls.of_sidecar(sidecar, control, layout.headers)
    if found.of_rejects and found.stated is None:
        # Whoever mends rejects may send some of them and leave others for later.
        return
    if found.stated is not None:
        controls.compare(found.stated, rows=found.rows, total=found.total, sha256=sha256)
    elif control.required and control.kind == "trailer":
        raise FileRefused(
            "control_missing", f"The last line must begin with {control.marker}: without it the file may be cut off."
        )
    elif control.required:
        raise FileRefused("control_missing", "The sidecar that states rows and sum did not come.")
