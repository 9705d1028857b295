"""Rows that are lines of documents come together at the end of their file; see ``documents``.

Each step is one transaction and may happen again: a document that is whole does not wait for the file any more.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.documents import completing, gaps, saying
from chalicelib.documents.gaps import Revision
from chalicelib.documents.kinds import Kind
from chalicelib.documents.models import document_gap
from chalicelib.documents.saying import Place
from chalicelib.files.models.files import file_row, file_row_fix
from chalicelib.files.register import turns
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.turns import Turn
from chalicelib.files.rows.holding import Holding, caller_of
from chalicelib.files.rows.recording import Line, Work
from chalicelib.partners.provenance import Told

#: Documents of one transaction, and transactions of one file: it has no more rows than that.
_DOCUMENTS_MAX: Final = 200
_STEPS_MAX: Final = 100_000
_ROW = file_row.c
_FIX = file_row_fix.c
_GAP = document_gap.c


def note_refused(db: Connection, file: InboundFile, work: Work, lines: Sequence[Line]) -> None:
    """Keep the documents of rows that their layout refused from being whole, where the rows say which they are."""
    kind = completing.kind_of(work.reading.layout.spec.entity)
    if kind is None:
        return
    found: dict[gaps.RowPlace, Place] = {}
    for line in lines:
        # Rows that the room itself refused are noted there.
        row = work.translator.place_of(line.record) if isinstance(line.row, RowRefused) else None
        if row is None:
            continue
        where = saying.place(kind, {"line_no": Decimal(1)} | row)
        if not isinstance(where, Told):
            known_line = "line_no" in row or not kind.line
            found[file.id, line.row_no] = where if known_line else where._replace(line_no=None)
    gaps.note(db, work.partner.id, kind.name, found)


def gather(holding: Holding) -> None:
    """Save the documents that this file makes whole. Raises TimeShort between two steps, and TurnLost."""
    kind = completing.kind_of(holding.file.entity)
    if kind is None:
        return
    holding.run(partial(_free, kind=kind))
    for _ in range(_STEPS_MAX):
        with holding.database.read() as db:
            found = completing.open_in(db, holding.file.id, limit=_DOCUMENTS_MAX)
        if not found:
            return
        holding.breathe()
        holding.run(partial(_finish, kind=kind, revisions=[revision for _, revision in found]))


def gather_all(db: Connection, file: InboundFile, *, now: datetime) -> None:
    """The same in one transaction, for a file that is only tried."""
    kind = completing.kind_of(file.entity)
    if kind is None:
        return
    _freed(db, file, kind)
    for _ in range(_STEPS_MAX):
        found = completing.open_in(db, file.id, limit=_DOCUMENTS_MAX)
        if not found:
            return
        _finished(db, file, kind, [revision for _, revision in found], now)


def _free(db: Connection, turn: Turn, now: datetime, *, kind: Kind) -> Turn:
    turns.lock(db, turn)
    _freed(db, turn.file, kind)
    return turns.write(db, turn, {}, now=now)


def _finish(db: Connection, turn: Turn, now: datetime, *, kind: Kind, revisions: Collection[Revision]) -> Turn:
    turns.lock(db, turn)
    _finished(db, turn.file, kind, revisions, now)
    return turns.write(db, turn, {}, now=now)


def _finished(db: Connection, file: InboundFile, kind: Kind, revisions: Collection[Revision], now: datetime) -> None:
    completing.finish(db, file.partner_id, file.id, kind, revisions, caller=caller_of(file), now=now)


def _freed(db: Connection, file: InboundFile, kind: Kind) -> None:
    """Rejected rows of other files that came back in this one are in nobody's way any more."""
    came_back = (
        select(_GAP.file_id, _GAP.row_no)
        .join(file_row_fix, (_FIX.file_id == _GAP.file_id) & (_FIX.row_no == _GAP.row_no))
        .join(file_row, (_ROW.file_id == _GAP.file_id) & (_ROW.row_no == _GAP.row_no))
        .where(_FIX.source_file_id == file.id, _ROW.outcome != "rejected", _GAP.kind == kind.name)
    )
    freed = gaps.close(db, {(row.file_id, row.row_no) for row in db.execute(came_back)})
    completing.reopen(db, file.partner_id, kind, freed, file_id=file.id)
