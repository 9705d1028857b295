"""Rejected rows of a processed file are decided again because somebody asks for it, most often after mending them.

Only rows that are rejected now are tried, under a lock on their file: a row is accepted once, however often and by
however many it is resubmitted. What is accepted counts for the file that the row came in.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken
from chalicelib.files.mending import fixing
from chalicelib.files.models.files import file_row
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import deciding_again, recording, settling
from chalicelib.files.rows.deciding_again import Decided
from chalicelib.partners import directory
from chalicelib.records import dataclass
from chalicelib.storage import bulk

_ROW = file_row.c


@dataclass(frozen=True, slots=True)
class Resubmitted:
    """What became of each row that was asked for; ``left`` corrected rows were not tried because they are too many.

    ``untried`` are those that were not rejected any more, or never, with the outcome that they have.
    """

    file: InboundFile
    tried: list[Decided]
    untried: list[tuple[int, str]]
    left: int


def resubmit(
    db: Connection, file_id: bytes, row_numbers: Sequence[int] | None, *, caller: Caller, now: datetime
) -> Resubmitted:
    """Decide rejected rows again: those of these numbers, or all that were corrected since they were last tried.

    At most ``deciding_again.BATCH_ROWS`` at a time. Raises NotFound for numbers that the file does not have,
    FileNotFinished, Unprocessable when the partner is not active.
    """
    file = register.lock(db, file_id)
    fixing.require_processed(file)
    partner = directory.by_id(db, file.partner_id)
    if partner is None:
        raise Broken(f"File {file.public_id} belongs to no partner.")
    directory.require_active(partner)
    untried: list[tuple[int, str]] = []
    if row_numbers is None:
        wanted = _corrected(db, file)
    else:
        wanted = []
        for number in sorted(set(row_numbers)):
            row = fixing.row_of(db, file, number)
            if row is None or row.outcome != "rejected":
                untried.append((number, "accepted" if row is None else row.outcome))
            else:
                wanted.append(number)
    batch = wanted[: deciding_again.BATCH_ROWS]
    tried: list[Decided] = []
    if batch:
        work = recording.work_of(db, file, partner)
        rows = [
            row
            for chunk in bulk.in_chunks(batch)
            for row in db.execute(
                select(file_row).where(_ROW.file_id == file.id, _ROW.row_no.in_(chunk)).order_by(_ROW.row_no)
            )
        ]
        tried = deciding_again.decide(db, file, work, rows, caller=caller, now=now)
        settling.settle_again(db, file.id, now=now)
        audit.record(
            db,
            caller=caller,
            action="file.rows_resubmitted",
            subject=file.public_id,
            partner_id=file.partner_id,
            after={outcome: sum(1 for row in tried if row.outcome == outcome) for outcome in _OUTCOMES},
            now=now,
        )
    return Resubmitted(register.lock(db, file_id), tried, untried, len(wanted) - len(batch))


_OUTCOMES = ("accepted", "rejected", "duplicate", "ignored")


def corrected_rows(db: Connection, file: InboundFile) -> int:
    """How many rejected rows were corrected and not tried since."""
    query = select(func.count()).where(
        _ROW.file_id == file.id, _ROW.outcome == "rejected", _ROW.fixes > _ROW.fixes_tried
    )
    return db.execute(query).scalar() or 0


def _corrected(db: Connection, file: InboundFile) -> list[int]:
    query = (
        select(_ROW.row_no)
        .where(_ROW.file_id == file.id, _ROW.outcome == "rejected", _ROW.fixes > _ROW.fixes_tried)
        .order_by(_ROW.row_no)
    )
    return list(db.execute(query).scalars())
