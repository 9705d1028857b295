"""Another try for rows that were refused because nobody knew the employee: a roster has just been processed.

The rows are read again by their own file's layout version and given to the same batch function; what is accepted now
counts for the file it came in, whose receipt is written anew. ``retried_for`` on the row says which roster tried it
last, so that a handler that dies half-way goes on and does not begin again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.files import applying, settling, turns
from chalicelib.files.applying import Line, Outcome, Work
from chalicelib.files.holding import Holding
from chalicelib.files.models import file_row, inbound_file
from chalicelib.files.reading import one_record
from chalicelib.files.refusals import RowRefused, TimeShort
from chalicelib.files.register import InboundFile, load
from chalicelib.files.tallies import unmapped_columns, unseal
from chalicelib.files.turns import Turn
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database

#: What a roster may mend.
CODE = "unknown_member"
_BATCH_ROWS = 400
#: Batches of one message; each marks its rows as tried, so that the next message goes on behind them.
_BATCHES_MAX = 1000
_ROW = file_row.c
_FILE = inbound_file.c


def retry_unknown_members(holding: Holding) -> None:
    """Try all open ``unknown_member`` rows of the partner once for this roster. Raises TimeShort between batches."""
    partner = holding.partner()
    for _ in range(_BATCHES_MAX):
        rows = _open_rows(holding)
        if not rows:
            return
        holding.breathe()
        file = _loaded(holding.database, rows[0].file_id)
        work = applying.work_on(holding.database, file, partner)
        of_file = [row for row in rows if row.file_id == file.id]
        lines = [_line(row, work) for row in of_file[:_BATCH_ROWS]]
        holding.run(partial(_retry, file=file, work=work, lines=lines, last=len(of_file) == len(lines)))
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


def _open_rows(holding: Holding) -> Sequence[Row[Any]]:
    with holding.database.read() as db:
        return db.execute(
            select(file_row)
            .where(
                _ROW.partner_id == holding.file.partner_id,
                _ROW.code == CODE,
                _ROW.resolved_at.is_(None),
                or_(_ROW.retried_for.is_(None), _ROW.retried_for != holding.file.id),
            )
            .order_by(_ROW.file_id, _ROW.row_no)
            # One more than a batch tells whether the batch is its file's last.
            .limit(_BATCH_ROWS + 1)
        ).all()


def _loaded(database: Database, file_id: bytes) -> InboundFile:
    with database.read() as db:
        return load(db, file_id)


def _line(row: Row[Any], work: Work) -> Line:
    how = work.reading.layout.spec.format
    record = one_record(unseal(row.raw, row.file_id), how)._replace(offset=row.byte_offset)
    amount = row.control_minor if row.control_readable else None
    return Line(row.row_no, record, amount, work.translator.row(record))


def _retry(
    db: Connection,
    turn: Turn,
    now: datetime,
    *,
    file: InboundFile,
    work: Work,
    lines: Sequence[Line],
    last: bool,
) -> Turn:
    """One batch of rows of one file, in one transaction with their file's figures.

    With the ``last`` batch the figures are counted again, as before the file was first called processed.
    """
    turns.lock(db, turn)
    readable = [line for line in lines if not isinstance(line.row, RowRefused)]
    outcomes = applying.record_rows(db, file, work, readable, now=now)
    answers = dict(zip((line.row_no for line in readable), outcomes, strict=True))
    changed = [
        _changed(line, answers.get(line.row_no, Outcome(line.row if isinstance(line.row, RowRefused) else None)), now)
        for line in lines
    ]
    for values in changed:
        values |= {"file_id": file.id, "retried_for": turn.id}
    bulk.update_by_key(db, file_row, changed, key=("file_id", "row_no"), set_=_SET)
    moved = _moved(lines, changed)
    if moved:
        db.execute(
            update(inbound_file)
            .where(_FILE.id == file.id)
            .values(
                {name: inbound_file.c[name] + delta for name, delta in moved.items()}
                | {"receipt_revision": _FILE.receipt_revision + 1, "changed_at": now}
            )
        )
    if last:
        settling.settle_again(db, file.id, now=now)
    return turns.write(db, turn, {}, now=now)


_SET = (
    "outcome", "code", "column_name", "message", "fixable", "rule_version_id", "unmapped_table", "unmapped_code",
    "unmapped_on", "resolved_at", "retried_for",
)  # fmt: skip


def _changed(line: Line, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The row as the new try leaves it."""
    refused = outcome.refused
    settled = refused is None or refused.outcome != "rejected"
    return {
        "row_no": line.row_no,
        "outcome": "accepted" if refused is None else refused.outcome,
        "code": None if refused is None else refused.code,
        "column_name": None if refused is None else refused.column,
        "message": None if refused is None else refused.message,
        "fixable": outcome.fixable,
        "rule_version_id": None if refused is None else refused.rule_version_id,
        **unmapped_columns(refused),
        "resolved_at": now if settled else None,
    }


def _moved(lines: Sequence[Line], changed: Sequence[dict[str, Any]]) -> dict[str, int]:
    """By how much the file's counters and control sums move; empty when every row stays rejected."""
    moved: dict[str, int] = {}
    for line, values in zip(lines, changed, strict=True):
        if values["outcome"] == "rejected":
            continue
        for outcome, sign in (("rejected", -1), (values["outcome"], 1)):
            moved[f"rows_{outcome}"] = moved.get(f"rows_{outcome}", 0) + sign
            moved[f"control_{outcome}"] = moved.get(f"control_{outcome}", 0) + sign * (line.amount or 0)
    return moved
