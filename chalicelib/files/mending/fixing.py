"""Correcting cells of a rejected row: the row as it stands, and for ever what it was before, by whom and why.

A correction posts nothing; the row is tried again when it is resubmitted. ``file_row.raw`` is the row as corrected, in
the layout's encoding, so that whatever reads rejected rows reads the corrected one; as it arrived it is in the archive,
where its offset and length point.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Fault, InvalidInput, NotFound
from chalicelib.files.answers import rejects
from chalicelib.files.formats import controls
from chalicelib.files.formats.marking import MASK
from chalicelib.files.formats.reading import RECORD_BYTES_MAX, Record, kept_encoding, one_record
from chalicelib.files.models.files import file_row, file_row_fix
from chalicelib.files.register import register
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows.recording import Work
from chalicelib.files.rows.tallies import seal, unseal
from chalicelib.records import dataclass
from chalicelib.rules.layouts import Format

_ROW = file_row.c
_FIX = file_row_fix.c
#: Columns that a correction of an unknown one is told.
_COLUMNS_SHOWN = 30


class RowNotRejected(Conflict):
    """Only a rejected row can be corrected: this one was accepted, is a duplicate or means nothing."""

    code = "row_not_rejected"


class FileNotFinished(Conflict):
    """Rows are corrected once their file is processed: this one is in work, or was refused as a whole."""

    code = "file_not_processed"


class CellsUnusable(InvalidInput):
    """Cells of the correction cannot stand in the row; ``faults`` names each column."""

    code = "cells_unusable"


@dataclass(frozen=True, slots=True)
class Fix:
    """One correction: ``cells`` maps the sender's headers to what stood there before and after."""

    fix_no: int
    source: str
    source_file_id: bytes | None
    source_row_no: int | None
    cells: Mapping[str, tuple[str, str]]
    reason: str | None
    actor: str
    fixed_at: datetime


@dataclass(frozen=True, slots=True)
class Fixed:
    """A corrected row and what the layout still finds wrong with it; None: the layout can read it."""

    row: Row[Any]
    fix: Fix
    still: RowRefused | None


def require_processed(file: InboundFile) -> None:
    """Raise FileNotFinished unless the file is processed."""
    if file.state != "processed" or file.finished_at is None:
        raise FileNotFinished(f"The file is {file.state}: rows are mended once their file is processed.")


def row_of(db: Connection, file: InboundFile, row_no: int) -> Row[Any] | None:
    """What is kept of a row; None when it was accepted at once. Raises NotFound when the file has no such row."""
    if file.rows_total is None or not 0 < row_no < file.next_row:
        raise NotFound("The file has no such row, or has not come to it yet.")
    return db.execute(
        select(file_row)
        .where(_ROW.file_id == file.id, _ROW.row_no <= row_no, _ROW.row_to >= row_no)
        .order_by(_ROW.row_no.desc())
        .limit(1)
    ).first()


def fix(
    db: Connection,
    file: InboundFile,
    work: Work,
    row_no: int,
    cells: Mapping[str, str],
    *,
    reason: str | None,
    caller: Caller,
    now: datetime,
) -> Fixed:
    """Correct cells of a rejected row, named by the sender's headers; the row stays rejected until it is resubmitted.

    The same cells again change nothing more and give the latest correction back. Raises NotFound, FileNotFinished,
    RowNotRejected, and CellsUnusable for unknown columns and for text that the file could not hold.
    """
    file = register.lock(db, file.id)
    require_processed(file)
    row = row_of(db, file, row_no)
    if row is None or row.outcome != "rejected":
        raise RowNotRejected(f"Row {row_no} is {'accepted' if row is None else row.outcome}: nothing is to be mended.")
    how = work.reading.layout.spec.format
    before = _cells(row, work)
    after = _after(before, work, cells, row)
    changed = _changed(work.header.cells, before, after)
    raw = _raw(after, how)
    record = one_record(raw, how)
    if not changed and row.fixes:
        return Fixed(row, history(db, file, row_no)[-1], _still(record, work))
    made = Fix(row.fixes + 1, "api", None, None, changed, reason, caller.actor, now)
    keep(db, file, row_no, made, caller)
    db.execute(
        update(file_row)
        .where(_ROW.file_id == file.id, _ROW.row_no == row_no)
        .values(raw=seal(raw, file.id), fixes=made.fix_no, control_fixed_minor=_control(record, work))
    )
    audit.record(
        db,
        caller=caller,
        action="file.row_fixed",
        subject=file.public_id,
        partner_id=file.partner_id,
        # The values may be personal: they are kept sealed with the row.
        after={"row_no": row_no, "fix_no": made.fix_no, "columns": sorted(changed)},
        reason=reason,
        now=now,
    )
    corrected = db.execute(select(file_row).where(_ROW.file_id == file.id, _ROW.row_no == row_no)).one()
    return Fixed(corrected, made, _still(record, work))


def keep(db: Connection, file: InboundFile, row_no: int, made: Fix, caller: Caller) -> None:
    """Write one correction down."""
    text = json.dumps({header: list(pair) for header, pair in made.cells.items()}, ensure_ascii=False)
    db.execute(
        insert(file_row_fix),
        {
            "file_id": file.id,
            "row_no": row_no,
            "fix_no": made.fix_no,
            "partner_id": file.partner_id,
            "source": made.source,
            "source_file_id": made.source_file_id,
            "source_row_no": made.source_row_no,
            "cells": seal(text.encode(), file.id),
            "reason": made.reason,
            "actor": made.actor,
            "correlation_id": caller.correlation_id,
            "fixed_at": made.fixed_at,
        },
    )


def history(db: Connection, file: InboundFile, row_no: int) -> list[Fix]:
    """All corrections of a row, the first one first."""
    found = db.execute(select(file_row_fix).where(_FIX.file_id == file.id, _FIX.row_no == row_no).order_by(_FIX.fix_no))
    return [
        Fix(
            row.fix_no,
            row.source,
            row.source_file_id,
            row.source_row_no,
            {header: (pair[0], pair[1]) for header, pair in json.loads(unseal(row.cells, file.id)).items()},
            row.reason,
            row.actor,
            row.fixed_at,
        )
        for row in found
    ]


def corrected(db: Connection, file: InboundFile, row_no: int) -> bytes | None:
    """The bytes of a row as it was corrected here; None when it was not."""
    row = db.execute(
        select(_ROW.raw).where(_ROW.file_id == file.id, _ROW.row_no == row_no, _ROW.fixes > 0, _ROW.raw.is_not(None))
    ).first()
    return None if row is None else unseal(row.raw, file.id)


def _cells(row: Row[Any], work: Work) -> list[str] | None:
    """The row's cells; None when which cell belongs to which column is unknown."""
    record = one_record(unseal(row.raw, row.file_id), work.reading.layout.spec.format)
    return record.cells if record.fault is None and len(record.cells) == len(work.header.cells) else None


def _named(header: Sequence[str]) -> str:
    more = "" if len(header) <= _COLUMNS_SHOWN else f" and {len(header) - _COLUMNS_SHOWN} more"
    return ", ".join(f"`{cell}`" for cell in header[:_COLUMNS_SHOWN]) + more


def _after(before: Sequence[str] | None, work: Work, given: Mapping[str, str], row: Row[Any]) -> list[str]:
    """The corrected cells. Raises CellsUnusable."""
    header = work.header.cells
    places = {cell: at for at, cell in enumerate(header)}
    faults: list[Fault] = []
    encoding = kept_encoding(work.reading.layout.spec.format)
    for name, text in given.items():
        if name not in places:
            faults.append(
                _fault(name, "unknown_column", f"The file has no column of this name; it has {_named(header)}.")
            )
        elif text == MASK:
            faults.append(_fault(name, "masked", "This is how a hidden cell is shown: leave the column out."))
        elif "\0" in text:
            faults.append(_fault(name, "nul_byte", "A cell holds no NUL byte."))
        elif text.encode(encoding, "replace").decode(encoding) != text:
            faults.append(_fault(name, "not_in_encoding", f"A character of it does not exist in {encoding}."))
    if before is None and (missing := [name for name in header if name and name not in given]):
        message = f"The row is not of the right form ({row.code}): give all of its cells."
        faults.extend(_fault(name, "cell_missing", message) for name in missing)
    if faults:
        raise CellsUnusable("Cells of the correction cannot stand in the row.", faults=faults)
    return [given.get(name, "" if before is None else before[at]) for at, name in enumerate(header)]


def _fault(column: str, code: str, message: str) -> Fault:
    return Fault(f"/cells/{column.replace('~', '~0').replace('/', '~1')}", code, message)


def _changed(header: Sequence[str], before: Sequence[str] | None, after: Sequence[str]) -> dict[str, tuple[str, str]]:
    was = [""] * len(header) if before is None else before
    return {name: (was[at], after[at]) for at, name in enumerate(header) if was[at] != after[at]}


def _raw(cells: Sequence[str], how: Format) -> bytes:
    text = io.StringIO()
    # Carriage returns are quoted only where they end lines.
    csv.writer(text, delimiter=how.delimiter, quotechar=how.quote, lineterminator="\r\n").writerow(cells)
    raw = (text.getvalue().removesuffix("\r\n") + "\n").encode(kept_encoding(how))
    if len(raw) > RECORD_BYTES_MAX:
        raise CellsUnusable(f"The corrected row would be longer than {RECORD_BYTES_MAX} bytes.")
    return raw


def _control(record: Record, work: Work) -> int | None:
    control = work.reading.layout.spec.control
    cell = work.translator.control_cell(record)
    return None if control.column is None or cell is None else controls.amounts(control)(cell)


def _still(record: Record, work: Work) -> RowRefused | None:
    row = work.translator.row(record)
    return row if isinstance(row, RowRefused) else None


def differences(
    row: Row[Any], sent: Mapping[str, str], header: Sequence[str], how: Format
) -> dict[str, tuple[str, str]]:
    """What a row that came back in a file of rejects says otherwise than the row as it stands, by header."""
    was = dict(zip(header, rejects.cells_of(row, how, width=len(header)), strict=True))
    return {name: (was[name], sent[name]) for name in header if name in sent and was[name] != sent[name]}
