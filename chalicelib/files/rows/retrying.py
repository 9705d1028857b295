"""Another try for rows that were refused because nobody knew the employee, or the order that they name.

A roster, or a file of orders, has just been processed.

The rows are read again by their own file's layout version and given to the same batch function; what is accepted now
counts for the file it came in, whose receipt is written anew. ``retried_for`` on the row says which roster tried it
last, so that a handler that dies half-way goes on and does not begin again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection, Row

from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import register, turns
from chalicelib.files.register.refusals import TimeShort
from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.register.turns import Turn
from chalicelib.files.rows import deciding_again, recording, settling
from chalicelib.files.rows.deciding_again import BATCH_ROWS
from chalicelib.files.rows.holding import Holding
from chalicelib.files.rows.recording import Work
from chalicelib.storage.engine import Database

#: What a file of an entity may mend in others.
MENDS: Final = MappingProxyType({"roster": "unknown_member", "order": "unknown_order"})
#: Batches of one message; each marks its rows as tried, so that the next message goes on behind them.
_BATCHES_MAX = 1000
_ROW = file_row.c
_FILE = inbound_file.c


def retry(holding: Holding) -> None:
    """Try all open rows of the partner once that this file may mend. Raises TimeShort between batches."""
    code = MENDS.get(holding.file.entity or "")
    if code is None:
        return
    partner = holding.partner()
    for _ in range(_BATCHES_MAX):
        rows = _open_rows(holding, code)
        if not rows:
            return
        holding.breathe()
        file = _loaded(holding.database, rows[0].file_id)
        work = recording.work_on(holding.database, file, partner)
        of_file = [row.row_no for row in rows if row.file_id == file.id]
        batch = of_file[:BATCH_ROWS]
        holding.run(
            partial(_retry, file=file, work=work, code=code, row_numbers=batch, last=len(of_file) == len(batch))
        )
    raise TimeShort(f"The tries for file {holding.file.public_id} continue by a new message.")


def files_to_answer(holding: Holding) -> list[bytes]:
    """The ids of the partner's finished files whose receipt is older than their figures."""
    with holding.database.read() as db:
        query = (
            select(_FILE.id)
            .where(
                _FILE.partner_id == holding.file.partner_id,
                _FILE.finished_at.is_not(None),
                _FILE.receipt_written < _FILE.receipt_revision,
            )
            .order_by(_FILE.id)
        )
        return list(db.execute(query).scalars())


def _open_rows(holding: Holding, code: str) -> Sequence[Row[Any, Any]]:
    with holding.database.read() as db:
        return db.execute(
            select(_ROW.file_id, _ROW.row_no)
            .join(inbound_file, _FILE.id == _ROW.file_id)
            .where(
                _ROW.partner_id == holding.file.partner_id,
                _FILE.state == "processed",
                _ROW.code == code,
                _ROW.resolved_at.is_(None),
                or_(_ROW.retried_for.is_(None), _ROW.retried_for != holding.file.id),
            )
            .order_by(_ROW.file_id, _ROW.row_no)
            # One more than a batch tells whether the batch is its file's last.
            .limit(BATCH_ROWS + 1)
        ).all()


def _loaded(database: Database, file_id: bytes) -> InboundFile:
    with database.read() as db:
        return load(db, file_id)


def _retry(
    db: Connection,
    turn: Turn,
    now: datetime,
    *,
    file: InboundFile,
    work: Work,
    code: str,
    row_numbers: Sequence[int],
    last: bool,
) -> Turn:
    """One batch of rows of one file, in one transaction with their file's figures.

    With the ``last`` batch the figures are counted again, as before the file was first called processed.
    """
    turns.lock(db, turn)
    locked = register.lock(db, file.id)
    # Read under the lock: somebody may have corrected one, or had one accepted, since they were listed.
    rows = db.execute(
        select(file_row)
        .where(_ROW.file_id == file.id, _ROW.row_no.in_(row_numbers), _ROW.outcome == "rejected", _ROW.code == code)
        .order_by(_ROW.row_no)
    ).all()
    if rows and locked.state == "processed":
        deciding_again.decide(db, file, work, rows, retried_for=turn.id, now=now)
    if last:
        settling.settle_again(db, file.id, now=now)
    return turns.write(db, turn, {}, now=now)
