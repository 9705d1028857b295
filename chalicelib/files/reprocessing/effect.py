"""A file of accruals is processed again with effect: exactly the difference that somebody has looked at.

The rows that end otherwise are recorded anew, and then what they had earned before is taken back: so a row that earns
more now is not refused because its points are spent. All of it is one transaction, under a lock on the file.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import groupby, islice
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict
from chalicelib.files.formats import archive
from chalicelib.files.formats.reading import records
from chalicelib.files.intake import applying
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import register
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.reprocessing import differences
from chalicelib.files.reprocessing.differences import Compared, Difference, Rules
from chalicelib.files.rows import recording, settling
from chalicelib.files.rows.recording import Line, Work
from chalicelib.files.rows.recording import Outcome as Told
from chalicelib.files.rows.tallies import Tally
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import RowSource
from chalicelib.points.corrections import taking_back
from chalicelib.points.corrections.reversals import Why
from chalicelib.points.models.ledger import accrual_event
from chalicelib.storage import bulk
from chalicelib.storage.ids import public_id

_EVENT = accrual_event.c
_ROW = file_row.c
_FILE = inbound_file.c
_UNMAPPED = ("unmapped_table", "unmapped_code", "unmapped_on")


class DifferenceChanged(Conflict):
    """The difference is not the one that was looked at: look again."""

    code = "difference_changed"


class EventCorrected(Conflict):
    """An event of the difference was corrected or taken back: what its row says alone is not what it came to."""

    code = "event_corrected"


def token(found: Compared, rules: Rules) -> str:
    """What names a difference: SHA-256, in hexadecimal, of every row of it before and after, versions included."""

    def said(outcome: differences.Outcome) -> list[Any]:
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
    file = register.lock(db, file_id)
    found = differences.compare(db, file, partner, rules, now=now)
    if token(found, rules) != difference:
        raise DifferenceChanged("The file would end otherwise than when you looked: look at the difference again.")
    rows = {each.row_no: each for each in found.differences}
    if not rows:
        return found
    work = recording.work_of(db, differences.read_by(db, file, partner, rules, now), partner)
    lines = differences.lines_among(db, file, partner, work, rows.keys())
    make(db, file, partner, work, rows, lines, rules=rules, reason=reason, caller=caller, now=now)
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


def make(
    db: Connection,
    file: InboundFile,
    partner: Partner,
    work: Work,
    rows: Mapping[int, Difference],
    lines: Sequence[Line],
    *,
    rules: Rules,
    reason: str,
    caller: Caller,
    now: datetime,
) -> None:
    """Make these rows of a locked file, which ``lines`` has, end as the differences say.

    Raises EventCorrected, PointsSpent; then everything has to be taken back.
    """
    _single_out(db, file, partner, rows.keys())
    before = _set_aside(db, file, sorted(rows))
    if any(before.values()):
        raise EventCorrected("Some of these rows were corrected or taken back since: take the whole file back instead.")
    known_at = differences.known_at(file, rules, now)
    told: dict[int, Told] = {}
    for batch in differences.batches(iter(lines)):
        good = [line for line in batch if not isinstance(line.row, RowRefused)]
        sources = [RowSource(file.id, line.row_no, line.record.offset, len(line.record.raw)) for line in good]
        kept = recording.record_rows(db, file, work, good, sources=sources, caller=caller, known_at=known_at, now=now)
        told |= {line.row_no: outcome for line, outcome in zip(good, kept, strict=True)}
        told |= {line.row_no: Told(line.row) for line in batch if isinstance(line.row, RowRefused)}
    _take_back(db, partner, before, reason, caller, now)
    _move(db, file, lines, rows, told, now)


def _single_out(db: Connection, file: InboundFile, partner: Partner, row_numbers: Collection[int]) -> None:
    """Keep each of these rows by itself that is kept within a range of duplicates or ignored rows."""
    for run in _runs_with(db, file, row_numbers):
        own = recording.work_of(db, file, partner)
        pieces: list[dict[str, Any]] = []
        refused = RowRefused(run.outcome, run.code, run.column_name, run.message, run.rule_version_id)
        with archive.open_rows(file, partner_code=partner.code, offset=run.byte_offset) as source:
            found = records(source, own.reading.layout.spec.format, offset=run.byte_offset)
            lines = applying.lines_of(islice(found, run.row_to - run.row_no + 1), own, run.row_no)
            for _, some in groupby(lines, key=lambda line: line.row_no if line.row_no in row_numbers else None):
                tally = Tally(file, run.recorded_at)
                for line in some:
                    amount = line.amount or 0 if run.control_readable else None
                    tally.refuse(line.row_no, line.record, amount, refused, fixable=run.fixable)
                pieces += tally.rows
        # What an erased row said nobody knows any more: its amount stays with a row that stays.
        stays = next((each for each in pieces if each["row_no"] not in row_numbers), pieces[-1])
        stays["control_minor"] += run.control_minor - sum(each["control_minor"] for each in pieces)
        db.execute(delete(file_row).where(_ROW.file_id == file.id, _ROW.row_no == run.row_no))
        bulk.insert(db, file_row, pieces)


def _runs_with(db: Connection, file: InboundFile, row_numbers: Collection[int]) -> list[Row[Any]]:
    """The ranges of rows among which one of these is."""
    found: dict[int, Row[Any]] = {}
    for chunk in bulk.in_chunks(sorted(row_numbers)):
        near = (_ROW.row_to > _ROW.row_no, _ROW.row_no <= max(chunk), _ROW.row_to >= min(chunk))
        for run in db.execute(select(file_row).where(_ROW.file_id == file.id, *near)):
            if any(run.row_no <= number <= run.row_to for number in chunk):
                found[run.row_no] = run
    return list(found.values())


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
        gone = dict.fromkeys(("code", "column_name", "message", *_UNMAPPED))
        return values | gone | {"outcome": "accepted", "fixable": False, "resolved_at": now}
    names = ("outcome", "code", "column_name", "message", "fixable", "rule_version_id", *_UNMAPPED)
    # A row that was a duplicate or ignored was kept without its bytes; rejects are written of them.
    raw = {"raw": fresh["raw"] or row.raw}
    return values | {name: fresh[name] for name in names} | raw | {"resolved_at": None}
