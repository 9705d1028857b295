"""A file of accruals is processed again with effect: exactly the difference that somebody has looked at.

The rows that end otherwise are recorded anew, and then what they had earned before is taken back: so a row that earns
more now is not refused because its points are spent. All of it is one transaction, under a lock on the file.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict
from chalicelib.files import deciding_again, recording, reprocessing, settling
from chalicelib.files.models import file_row, inbound_file
from chalicelib.files.recording import Line
from chalicelib.files.recording import Outcome as Told
from chalicelib.files.refusals import RowRefused
from chalicelib.files.register import InboundFile
from chalicelib.files.reprocessing import Compared, Difference, Rules
from chalicelib.files.tallies import Tally
from chalicelib.partners import programs
from chalicelib.partners.directory import Partner
from chalicelib.partners.provenance import RowSource
from chalicelib.points import taking_back
from chalicelib.points.models import accrual_event
from chalicelib.points.reversals import Why
from chalicelib.storage import bulk
from chalicelib.storage.ids import public_id

_EVENT = accrual_event.c
_ROW = file_row.c
_FILE = inbound_file.c


class DifferenceChanged(Conflict):
    """The difference is not the one that was looked at: look again."""

    code = "difference_changed"


class EventCorrected(Conflict):
    """An event of the difference was corrected or taken back: what its row says alone is not what it came to."""

    code = "event_corrected"


def token(found: Compared, rules: Rules) -> str:
    """What names a difference: SHA-256, in hexadecimal, of every row of it before and after, versions included."""

    def said(outcome: reprocessing.Outcome) -> list[Any]:
        return [part.hex() if isinstance(part, bytes) else part for part in outcome]

    rows = [[each.row_no, said(each.before), said(each.after)] for each in found.differences]
    return sha256(json.dumps([rules, rows], ensure_ascii=False).encode()).hexdigest()


def apply(
    db: Connection,
    file_id: bytes,
    partner: Partner,
    rules: Rules,
    *,
    difference: str,
    reason: str,
    caller: Caller,
    now: datetime,
) -> Compared:
    """Make the rows of a difference end as it says; what it was.

    Raises DifferenceChanged when ``difference`` names another one by now, PointsSpent when points that are to be taken
    back are spent and the program refuses, and what ``reprocessing.compare`` raises.
    """
    file = deciding_again.lock(db, file_id)
    found = reprocessing.compare(db, file, partner, rules, now=now)
    if token(found, rules) != difference:
        raise DifferenceChanged("The file would end otherwise than when you looked: look at the difference again.")
    rows = {each.row_no: each for each in found.differences}
    if not rows:
        return found
    work = recording.work_of(db, reprocessing.read_by(db, file, partner, rules, now), partner)
    lines = reprocessing.lines_among(db, file, partner, work, rows.keys())
    before = _set_aside(db, file, sorted(rows))
    if any(before.values()):
        raise EventCorrected("Some of these rows were corrected or taken back since: take the whole file back instead.")
    known_at = (file.started_at or now) if rules == "same" else now
    told: dict[int, Told] = {}
    for batch in reprocessing.batches(iter(lines)):
        good = [line for line in batch if not isinstance(line.row, RowRefused)]
        sources = [RowSource(file.id, line.row_no, line.record.offset, len(line.record.raw)) for line in good]
        kept = recording.record_rows(db, file, work, good, sources=sources, caller=caller, known_at=known_at, now=now)
        told |= {line.row_no: outcome for line, outcome in zip(good, kept, strict=True)}
        told |= {line.row_no: Told(line.row) for line in batch if isinstance(line.row, RowRefused)}
    _take_back(db, partner, before, reason, caller, now)
    _move(db, file, lines, rows, told, now)
    settling.settle_again(db, file.id, now=now)
    audit.record(
        db,
        caller=caller,
        action="file.reprocessed",
        subject=file.public_id,
        partner_id=file.partner_id,
        after={
            "difference": difference,
            "rows": len(rows),
            "points_minor": {public_id("prg", key): [*pair] for key, pair in found.points_minor.items()},
        },
        reason=reason,
        now=now,
    )
    return found


def _set_aside(db: Connection, file: InboundFile, row_numbers: Sequence[int]) -> dict[bytes, int]:
    """Let the rows' events give up their ids, and count in no period; what of each had been taken back before."""
    found: dict[bytes, int] = {}
    for chunk in bulk.in_chunks(row_numbers):
        own = (_EVENT.source_file_id == file.id, _EVENT.generation == 0, _EVENT.row_no.in_(chunk))
        found |= {
            row.id: row.reversed_minor for row in db.execute(select(_EVENT.id, _EVENT.reversed_minor).where(*own))
        }
        # Below zero: recorded anew by the same file, which counts its rows once.
        db.execute(update(accrual_event).where(*own).values(generation=-_EVENT.seq, reversed_minor=_EVENT.points_minor))
    return found


def _take_back(
    db: Connection, partner: Partner, before: Mapping[bytes, int], reason: str, caller: Caller, now: datetime
) -> None:
    """Take back what the events that were set aside had earned. Raises PointsSpent."""
    of_program = {program.id: program for program in programs.of_partner(db, partner.id).values()}
    why = Why("reprocess", reason, caller)
    for chunk in bulk.in_chunks(sorted(before)):
        taking_back.superseded(db, {key: before[key] for key in chunk}, why, of_program=of_program, now=now)


def _move(
    db: Connection,
    file: InboundFile,
    lines: Sequence[Line],
    rows: Mapping[int, Difference],
    told: Mapping[int, Told],
    now: datetime,
) -> None:
    """Let the kept rows and the file's figures be as the rows have ended."""
    kept = {
        row.row_no: row
        for chunk in bulk.in_chunks(sorted(rows))
        for row in db.execute(select(file_row).where(_ROW.file_id == file.id, _ROW.row_no.in_(chunk)))
    }
    tally = Tally(file, now)
    moved: dict[str, int] = {}
    for line in lines:
        outcome = told[line.row_no]
        before = rows[line.row_no].before.outcome
        after = "accepted" if outcome.refused is None else outcome.refused.outcome
        if outcome.refused is not None:
            tally.refuse(line.row_no, line.record, line.amount, outcome.refused, fixable=outcome.fixable)
        row = kept.get(line.row_no)
        amount = line.amount or 0
        if row is not None:
            amount = row.control_minor
        for name, sign in ((before, -1), (after, 1)):
            moved[f"rows_{name}"] = moved.get(f"rows_{name}", 0) + sign
            moved[f"control_{name}"] = moved.get(f"control_{name}", 0) + sign * amount
    fresh = {row["row_no"]: row for row in tally.rows}
    again = [_again(kept[number], fresh.get(number), now) for number in sorted(kept)]
    for chunk in bulk.in_chunks(sorted(kept)):
        db.execute(delete(file_row).where(_ROW.file_id == file.id, _ROW.row_no.in_(chunk)))
    bulk.insert(db, file_row, [*again, *(row for number, row in sorted(fresh.items()) if number not in kept)])
    values = {name: _FILE[name] + delta for name, delta in moved.items() if delta}
    db.execute(
        update(inbound_file)
        .where(_FILE.id == file.id)
        .values(values | {"receipt_revision": _FILE.receipt_revision + 1, "changed_at": now})
    )


def _again(row: Any, fresh: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - a row
    """A row that is kept already, as it has ended now: its corrections and its place stay."""
    values = dict(row._mapping)  # noqa: SLF001 - the public name of a row's names and values
    if fresh is None:
        gone = dict.fromkeys(("code", "column_name", "message", "unmapped_table", "unmapped_code", "unmapped_on"))
        return values | gone | {"outcome": "accepted", "fixable": False, "resolved_at": now}
    names = ("outcome", "code", "column_name", "message", "fixable", "rule_version_id")
    return values | {name: fresh[name] for name in names} | {"resolved_at": None}
