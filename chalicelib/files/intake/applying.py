"""Pass 2: rows become effects, slice by slice.

A slice is one transaction: what its rows cause, the rows that are kept, and the checkpoint, which is compared and set.
So a slice happens once, whoever tries it and how often. Rows are translated before the transaction, to keep it short.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.deliveries import wake
from chalicelib.errors import Broken
from chalicelib.files.formats import archive, controls
from chalicelib.files.formats.reading import Record, records
from chalicelib.files.intake import returning
from chalicelib.files.models.files import file_row
from chalicelib.files.register import turns
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.turns import Turn
from chalicelib.files.rows import gathering
from chalicelib.files.rows.holding import Holding
from chalicelib.files.rows.recording import Line, Outcome, Work, record_rows, work_of, work_on
from chalicelib.files.rows.tallies import Tally
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.engine import is_mysql

__all__ = [
    "Work",
    "apply_lines",
    "apply_rows",
    "collector_paused",
    "lines_of",
    "record_rows",
    "work_of",
    "work_on",
]

#: Rejections that say nothing about who is employed by this partner.
_OF_OTHERS = frozenset({"other_partner"})


def apply_rows(holding: Holding, partner: Partner) -> None:
    """Apply what is left of the file, slice by slice; the file is ``applied`` when it returns.

    Raises TimeShort between two slices when the handler's time runs out, TurnLost when another handler took over.
    """
    work = work_on(holding.database, holding.file, partner)
    configured = settings()
    size = configured.slice_rows if is_mysql(holding.database.engine) else configured.slice_rows_sqlite
    file = holding.file
    if file.rows_total is None:
        raise Broken(f"File {file.public_id} was not checked: its rows were not counted.")
    with archive.open_rows(file, partner_code=partner.code, offset=file.next_offset) as source:
        rows = lines_of(records(source, work.reading.layout.spec.format, offset=file.next_offset), work, file.next_row)
        # The trailer, if there is one, comes after the rows that were counted.
        left = islice(rows, file.rows_total - file.next_row + 1)
        while _apply_next(holding, work, islice(left, size)):
            wake.wake(now=holding.clock())
    if holding.file.next_row != file.rows_total + 1:
        raise Broken(f"The archive of {file.public_id} ends before row {file.rows_total}.")
    holding.change({"state": "applied"})


def _apply_next(holding: Holding, work: Work, left: Iterator[Line]) -> bool:
    """Apply the rows that are left of one slice; False when there are none."""
    with collector_paused():
        lines = list(left)
        if lines:
            holding.breathe()
            holding.run(partial(_apply_slice, work=work, lines=lines))
        return bool(lines)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Let nobody look for reference cycles: rows make none, and looking costs a fifth of a slice's time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def lines_of(found: Iterator[Record], work: Work, first_row: int) -> Iterator[Line]:
    """The records as translated lines, numbered from ``first_row`` on."""
    control = work.reading.layout.spec.control
    amount_of = controls.amounts(control) if control.column is not None else None
    translate, control_cell, missed = work.translator.row, work.translator.control_cell, work.translator.missed
    for row_no, record in enumerate(found, first_row):
        amount: int | None = 0
        if amount_of is not None:
            cell = control_cell(record)
            amount = None if cell is None else amount_of(cell)
        row = translate(record)
        yield Line(row_no, record, amount, row, missed())


def _apply_slice(db: Connection, turn: Turn, now: datetime, *, work: Work, lines: Sequence[Line]) -> Turn:
    turns.lock(db, turn)
    values = apply_lines(db, turn.file, work, lines, now=now)
    return turns.write(db, turn, values, now=now, slice_no=turn.file.slice_no)


def apply_lines(
    db: Connection, file: InboundFile, work: Work, lines: Sequence[Line], *, now: datetime
) -> dict[str, Any]:
    """Apply the lines that come next and keep those that are refused; how the file row moves by it."""
    if work.header.is_of_rejects:
        lines = returning.take_over(db, file, work, lines, now=now)
    good = [line for line in lines if not isinstance(line.row, RowRefused)]
    outcomes = iter(record_rows(db, file, work, good, now=now))
    tally = Tally(file, now)
    refused_lines: list[Line] = []
    for line in lines:
        outcome = Outcome(line.row) if isinstance(line.row, RowRefused) else next(outcomes)
        if outcome.refused is None:
            tally.accept(line.amount)
            continue
        tally.refuse(line.row_no, line.record, line.amount, outcome.refused, fixable=outcome.fixable)
        if outcome.refused.outcome == "rejected" and outcome.refused.code not in _OF_OTHERS:
            refused_lines.append(line)
    bulk.insert(db, file_row, tally.rows)
    gathering.note_refused(db, file, work, refused_lines)
    unnamed = _note_presence(db, file, work, refused_lines) if work.is_snapshot else 0
    last = lines[-1].record
    return {
        "state": "applying",
        "slice_no": file.slice_no + 1,
        "next_row": lines[-1].row_no + 1,
        "next_offset": last.offset + len(last.raw),
        "rows_unnamed": file.rows_unnamed + unnamed,
        **tally.checkpoint(),
    }


def _note_presence(db: Connection, file: InboundFile, work: Work, lines: Sequence[Line]) -> int:
    """Mark the members whom refused rows of a snapshot name: a faulty row is no absence.

    Returns how many of the rows do not even say whom they are about.
    """
    named = [work.translator.employee_id(line.record) for line in lines]
    present = sorted({employee_id for employee_id in named if employee_id is not None})
    members.mark_seen(db, work.partner.id, present, file.id)
    return named.count(None)
