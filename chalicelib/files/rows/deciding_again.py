"""Rejected rows are decided again, after a roster brought the member or somebody corrected them: one batch of one file.

They are read by their own file's layout version and given to the same batch function as at first. What is accepted now
counts for the file it came in, whose receipt has to be written anew (``receipt_revision``). A row that is not rejected
any more is never given again, so nothing takes effect twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlalchemy.engine import Connection, Row

from chalicelib.access.caller import Caller
from chalicelib.files.formats.reading import one_record
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import recording
from chalicelib.files.rows.recording import Line, Outcome, Work
from chalicelib.files.rows.tallies import unmapped_columns, unseal
from chalicelib.partners.provenance import RowSource
from chalicelib.storage import bulk

#: The most rows of one batch, which is one transaction.
BATCH_ROWS = 400
_FILE = inbound_file.c
_SET = (
    "outcome", "code", "column_name", "message", "fixable", "rule_version_id", "unmapped_table", "unmapped_code",
    "unmapped_on", "resolved_at", "retried_for", "fixes_tried",
)  # fmt: skip


class Decided(NamedTuple):
    """What became of one row that was tried again; ``outcome`` is ``rejected`` when nothing has changed for it."""

    row_no: int
    outcome: str
    code: str | None
    column: str | None
    message: str | None
    fixable: bool


def decide(
    db: Connection,
    file: InboundFile,
    work: Work,
    rows: Sequence[Row[Any]],
    *,
    retried_for: bytes | None = None,
    caller: Caller | None = None,
    now: datetime,
) -> list[Decided]:
    """Try rejected rows of one file again, in order; the rows and their file's figures move together.

    ``rows`` are whole rows of ``file_row`` whose outcome is ``rejected``; ``retried_for`` is the roster that gives them
    their try.
    """
    lines = [_line(row, work) for row in rows]
    places = {row.row_no: RowSource(file.id, row.row_no, row.byte_offset, row.byte_length) for row in rows}
    readable = [line for line in lines if not isinstance(line.row, RowRefused)]
    outcomes = recording.record_rows(
        db, file, work, readable, sources=[places[line.row_no] for line in readable], caller=caller, now=now
    )
    answers = {line.row_no: outcome for line, outcome in zip(readable, outcomes, strict=True)}
    changed: list[dict[str, Any]] = []
    for row, line in zip(rows, lines, strict=True):
        outcome = Outcome(line.row) if isinstance(line.row, RowRefused) else answers[line.row_no]
        values = _changed(line.row_no, outcome, now)
        tried_for = row.retried_for if retried_for is None else retried_for
        changed.append(values | {"file_id": file.id, "retried_for": tried_for, "fixes_tried": row.fixes})
    bulk.update_by_key(db, file_row, changed, key=("file_id", "row_no"), set_=_SET)
    move(
        db,
        file.id,
        [(line.amount, values["outcome"]) for line, values in zip(lines, changed, strict=True)],
        answer=caller is not None,
        now=now,
    )
    return [
        Decided(
            values["row_no"],
            values["outcome"],
            values["code"],
            values["column_name"],
            values["message"],
            values["fixable"],
        )
        for values in changed
    ]


def move(
    db: Connection, file_id: bytes, rows: Sequence[tuple[int | None, str]], *, answer: bool = False, now: datetime
) -> None:
    """Move rejected rows, by control amount and new outcome, within their file's figures; its answer is due then.

    With ``answer`` it is due in any case: the reasons of the rejects are others, or their cells.
    """
    moved: dict[str, int] = {}
    for amount, outcome in rows:
        if outcome == "rejected":
            continue
        for name, sign in (("rejected", -1), (outcome, 1)):
            moved[f"rows_{name}"] = moved.get(f"rows_{name}", 0) + sign
            # By what the file says of the row, as its sums were: a correction does not change what arrived.
            moved[f"control_{name}"] = moved.get(f"control_{name}", 0) + sign * (amount or 0)
    if moved or answer:
        db.execute(
            update(inbound_file)
            .where(_FILE.id == file_id)
            .values(
                {name: _FILE[name] + delta for name, delta in moved.items()}
                | {"receipt_revision": _FILE.receipt_revision + 1, "changed_at": now}
            )
        )


def _line(row: Row[Any], work: Work) -> Line:
    how = work.reading.layout.spec.format
    record = one_record(unseal(row.raw, row.file_id), how)._replace(offset=row.byte_offset)
    amount = row.control_minor if row.control_readable else None
    told = work.translator.row(record)
    return Line(row.row_no, record, amount, told, work.translator.missed())


def _changed(row_no: int, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The row as the new try leaves it."""
    refused = outcome.refused
    settled = refused is None or refused.outcome != "rejected"
    return {
        "row_no": row_no,
        "outcome": "accepted" if refused is None else refused.outcome,
        "code": None if refused is None else refused.code,
        "column_name": None if refused is None else refused.column,
        "message": None if refused is None else refused.message,
        "fixable": outcome.fixable,
        "rule_version_id": None if refused is None else refused.rule_version_id,
        **unmapped_columns(refused),
        "resolved_at": now if settled else None,
    }
