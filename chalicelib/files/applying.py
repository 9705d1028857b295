"""Pass 2: rows become effects, slice by slice.

A slice is one transaction: what its rows cause, the rows that are kept, and the checkpoint, which is compared and set.
So a slice happens once, whoever tries it and how often. Rows are translated before the transaction, to keep it short.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, cast

from sqlalchemy.engine import Connection

from chalicelib.deliveries import wake
from chalicelib.errors import Broken
from chalicelib.files import archive, controls, layouts, turns
from chalicelib.files.holding import Holding, caller_of
from chalicelib.files.layouts import Reading
from chalicelib.files.models import file_row
from chalicelib.files.reading import Record, records
from chalicelib.files.refusals import RowRefused
from chalicelib.files.register import InboundFile, header_cells
from chalicelib.files.tallies import Tally
from chalicelib.files.translating import CanonicalRow, Header, Translator
from chalicelib.files.turns import Turn
from chalicelib.partners import members
from chalicelib.partners.directory import Partner
from chalicelib.partners.provenance import RowSource
from chalicelib.partners.roster import RosterOutcome, RosterRow
from chalicelib.points import accruals
from chalicelib.points.events import NewAccrual, Recorded
from chalicelib.rules import code_table_rows
from chalicelib.rules.code_table_rows import CodeTableRow, RowTold
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database, is_mysql

#: Rejections that say nothing about who is employed by this partner.
_OF_OTHERS = frozenset({"other_partner"})


@dataclass(frozen=True, slots=True)
class Work:
    """What the slices of one file share."""

    partner: Partner
    reading: Reading
    translator: Translator

    @property
    def is_snapshot(self) -> bool:
        """Whether whoever the file does not name has left."""
        return self.reading.layout.spec.mode == "snapshot"


class Line(NamedTuple):
    """One row on its way: its number, its bytes, its control amount, and what the layout made of it."""

    row_no: int
    record: Record
    amount: int | None
    row: CanonicalRow | RowRefused


class Outcome(NamedTuple):
    """What the room that keeps such rows said: None for accepted."""

    refused: RowRefused | None
    fixable: bool = False


_ACCEPTED = Outcome(None)
_DUPLICATE = Outcome(RowRefused("duplicate", "same_content", None, None))


def work_on(database: Database, file: InboundFile, partner: Partner) -> Work:
    """Everything needed to read the rows of a checked file."""
    with database.read() as db:
        return work_of(db, file, partner)


def work_of(db: Connection, file: InboundFile, partner: Partner) -> Work:
    """The same, within a transaction that is open already."""
    reading = layouts.reading_of(db, file, partner)
    header = Header(header_cells(file), reading.layout)
    return Work(partner, reading, Translator(reading, header, partner.code))


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
        rows = _lines(records(source, work.reading.layout.spec.format, offset=file.next_offset), work, file.next_row)
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


def _lines(found: Iterator[Record], work: Work, first_row: int) -> Iterator[Line]:
    control = work.reading.layout.spec.control
    amount_of = controls.amounts(control) if control.column is not None else None
    translate, control_cell = work.translator.row, work.translator.control_cell
    for row_no, record in enumerate(found, first_row):
        amount: int | None = 0
        if amount_of is not None:
            cell = control_cell(record)
            amount = None if cell is None else amount_of(cell)
        yield Line(row_no, record, amount, translate(record))


def _apply_slice(db: Connection, turn: Turn, now: datetime, *, work: Work, lines: Sequence[Line]) -> Turn:
    turns.lock(db, turn)
    file = turn.file
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
    unnamed = _note_presence(db, turn, work, refused_lines) if work.is_snapshot else 0
    last = lines[-1].record
    values: dict[str, Any] = {
        "state": "applying",
        "slice_no": file.slice_no + 1,
        "next_row": lines[-1].row_no + 1,
        "next_offset": last.offset + len(last.raw),
        "rows_unnamed": file.rows_unnamed + unnamed,
        **tally.checkpoint(),
    }
    return turns.write(db, turn, values, now=now, slice_no=file.slice_no)


def record_rows(
    db: Connection, file: InboundFile, work: Work, lines: Sequence[Line], *, now: datetime
) -> list[Outcome]:
    """Give translated rows to the room that keeps them; one outcome each, in order."""
    if not lines:
        return []
    spec = work.reading.layout.spec
    sources = [RowSource(file.id, line.row_no, line.record.offset, len(line.record.raw)) for line in lines]
    caller = caller_of(file)
    if spec.entity == "roster":
        rows = [cast("RosterRow", line.row) for line in lines]
        snapshot = file.id if spec.mode == "snapshot" else None
        told = members.apply_roster(
            db, work.partner, rows, sources=sources, snapshot_file=snapshot, caller=caller, now=now
        )
        return [_of_statement(each, work.translator) for each in told]
    if spec.entity == "code_table":
        entries = [cast("CodeTableRow", line.row) for line in lines]
        numbers = [line.row_no for line in lines]
        said = code_table_rows.apply_rows(
            db, work.partner.id, entries, file_id=file.id, row_numbers=numbers, caller=caller, now=now
        )
        return [_of_statement(each, work.translator) for each in said]
    events = [cast("NewAccrual", line.row) for line in lines]
    recorded = accruals.record(db, work.partner, events, sources=sources, caller=caller, now=now)
    return [_of_accrual(each, work.translator) for each in recorded]


def _of_statement(told: RosterOutcome | RowTold, translator: Translator) -> Outcome:
    if told.outcome == "accepted":
        return _ACCEPTED
    if told.outcome == "duplicate":
        return _DUPLICATE
    code = told.code or "rejected"
    return Outcome(RowRefused("rejected", code, translator.column_of(told.column), told.message))


def _of_accrual(told: Recorded, translator: Translator) -> Outcome:
    if told.outcome in {"posted", "no_points"}:
        return _ACCEPTED
    if told.outcome == "duplicate":
        return _DUPLICATE
    code = told.code or "rejected"
    column = translator.column_of(told.column)
    refused = RowRefused("rejected", code, column, told.message, told.version_id, told.unmapped)
    return Outcome(refused, told.fixable)


def _note_presence(db: Connection, turn: Turn, work: Work, lines: Sequence[Line]) -> int:
    """Mark the members whom refused rows of a snapshot name: a faulty row is no absence.

    Returns how many of the rows do not even say whom they are about.
    """
    named = [work.translator.employee_id(line.record) for line in lines]
    present = sorted({employee_id for employee_id in named if employee_id is not None})
    members.mark_seen(db, work.partner.id, present, turn.id)
    return named.count(None)
