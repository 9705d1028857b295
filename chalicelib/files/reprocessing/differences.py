"""What a file of accruals would come to if it were taken back and loaded again: the difference, row by row.

It is worked out by doing just that in a transaction which is taken back: the file's events are set aside, its rows are
given to the same batch function again, and what they are then is compared with what they were. Corrected rows go as
corrected; rows that came back in another file are that file's business.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, NamedTuple

from sqlalchemy import Column, ColumnElement, delete, select, true
from sqlalchemy.engine import Connection

from chalicelib.errors import Unprocessable
from chalicelib.files.formats import archive, layouts
from chalicelib.files.formats.reading import one_record, records
from chalicelib.files.formats.translating import ERASED_ROW
from chalicelib.files.intake import applying
from chalicelib.files.mending import fixing
from chalicelib.files.models.files import file_row
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import recording
from chalicelib.files.rows.recording import Line, Work
from chalicelib.files.rows.tallies import unseal
from chalicelib.partners.directory import Partner
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.models.ledger import accrual_event, reversal
from chalicelib.records import dataclass
from chalicelib.storage import bulk

Rules = Literal["same", "latest"]
#: It holds its locks, on one machine the only one, until it is taken back.
ROWS_MAX = 5_000
#: Rows whose outcome differs that are named.
DIFFERENCES_MAX = 200
_BATCH_ROWS = 500
_ROW = file_row.c
_EVENT = accrual_event.c
_ELSEWHERE = frozenset({"resubmitted", "settled_already"})
#: In place of the version that decided a row: it corrected an earlier event, and stays as it is.
_CORRECTION = bytes(16)


class Outcome(NamedTuple):
    """What became of a row: ``code`` says why it is not accepted; points are those of its event."""

    outcome: str
    code: str | None = None
    event_id: str | None = None
    points_minor: int = 0
    program_id: bytes | None = None
    version_id: bytes | None = None

    @property
    def effect(self) -> tuple[Any, ...]:
        """What makes a difference to anybody."""
        return (self.outcome, self.code, self.event_id, self.points_minor, self.program_id)


class Difference(NamedTuple):
    """One row that would end otherwise."""

    row_no: int
    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True)
class Compared:
    """All rows of a file, before and after. ``points_minor`` has program id -> points before and after."""

    rows: int
    differing: int
    newly_accepted: int
    newly_refused: int
    differences: Sequence[Difference]
    points_minor: Mapping[bytes, tuple[int, int]]


def compare(db: Connection, file: InboundFile, partner: Partner, rules: Rules, *, now: datetime) -> Compared:
    """Load a processed file of accruals again, in thought.

    ``same``: by the layout and the rules that were known when it came, with members and enrolments as known now;
    ``latest``: by those in force now. Raises FileNotFinished, Unprocessable for other files, for a layout that is gone
    and for more than ``ROWS_MAX`` rows; NotFound when the archive does not have the file.
    """
    require_comparable(file)
    if (file.rows_total or 0) > ROWS_MAX:
        message = (
            f"The file has {file.rows_total} rows; at most {ROWS_MAX} are compared at once: ask for a trial of it."
        )
        raise Unprocessable(message, code="too_large_to_try")
    work = recording.work_of(db, read_by(db, file, partner, rules, now), partner)
    return compare_lines(db, file, work, lines_of(db, file, partner, work), known_at=known_at(file, rules, now))


def require_comparable(file: InboundFile) -> None:
    """Raise FileNotFinished, or Unprocessable for files of other kinds."""
    fixing.require_processed(file)
    if file.entity != "accrual":
        raise Unprocessable("Only a file of accruals can be processed again.", code="file_not_of_accruals")


def known_at(file: InboundFile, rules: Rules, now: datetime) -> datetime:
    """By the rules that were known when a file is decided again."""
    return (file.started_at or now) if rules == "same" else now


def compare_lines(
    db: Connection,
    file: InboundFile,
    work: Work,
    lines: Iterable[Line],
    *,
    known_at: datetime,
    rows: Collection[int] | None = None,
) -> Compared:
    """Load lines of a file again, in thought; ``rows`` are their numbers, None: they are all of the file's.

    Rows that share an employee or an event id have to be among them, all or none.
    """
    before = _outcomes(db, file, rows)
    savepoint = db.begin_nested()
    try:
        for condition in _among(_EVENT.row_no, rows):
            db.execute(delete(accrual_event).where(_EVENT.source_file_id == file.id, condition))
        refused: dict[int, Outcome] = {}
        for some in batches(own_lines(lines, before)):
            refused |= _again(db, file, work, some, known_at)
        # Nobody knows any more what an erased row said: what it did stays as it is.
        erased = {row_no: before[row_no] for row_no, why in refused.items() if why.code == ERASED_ROW.code}
        after = _events(db, file, rows) | _corrections(db, file, rows) | refused | erased
    finally:
        savepoint.rollback()
    return _compared(before, after)


def read_by(db: Connection, file: InboundFile, partner: Partner, rules: Rules, now: datetime) -> InboundFile:
    """The file as it would be registered now, as far as its reading goes."""
    if rules == "same":
        return file
    live = layouts.in_force(db, partner, file.layout_name, now=now)
    if live is None or live[1].spec.entity != file.entity:
        message = f"There is no layout {file.layout_name} of accruals any more."
        raise Unprocessable(message, code="layout_gone")
    return replace(file, layout_version_id=live[0].version_id, started_at=now)


def _among(row_no: Column[int], rows: Collection[int] | None) -> Iterator[ColumnElement[bool]]:
    """The conditions by which rows are read, one statement each; None: all rows at once."""
    if rows is None:
        yield true()
        return
    for chunk in bulk.in_chunks(sorted(rows)):
        yield row_no.in_(chunk)


def _outcomes(db: Connection, file: InboundFile, rows: Collection[int] | None = None) -> dict[int, Outcome]:
    """What every row of the file is now, or each of ``rows``."""
    found = _events(db, file, rows) | _corrections(db, file, rows)
    spanned = true() if not rows else (_ROW.row_no <= max(rows)) & (_ROW.row_to >= min(rows))
    kept = db.execute(
        select(_ROW.row_no, _ROW.row_to, _ROW.outcome, _ROW.code).where(
            _ROW.file_id == file.id, _ROW.outcome != "accepted", spanned
        )
    )
    wanted = None if rows is None else set(rows)
    for row_no, row_to, outcome, code in kept:
        numbers = range(row_no, row_to + 1)
        found |= dict.fromkeys(
            numbers if wanted is None else [each for each in numbers if each in wanted], Outcome(outcome, code)
        )
    return found


def _events(db: Connection, file: InboundFile, rows: Collection[int] | None) -> dict[int, Outcome]:
    query = select(
        _EVENT.row_no, _EVENT.event_id, _EVENT.points_minor, _EVENT.program_id, _EVENT.ruleset_version_id
    ).where(_EVENT.source_file_id == file.id, _EVENT.generation == CURRENT)
    return {
        row_no: Outcome("accepted", None, *rest)
        for condition in _among(_EVENT.row_no, rows)
        for row_no, *rest in db.execute(query.where(condition))
    }


def _corrections(db: Connection, file: InboundFile, rows: Collection[int] | None) -> dict[int, Outcome]:
    of = reversal.c
    query = select(of.row_no, of.event_id, of.program_id).where(
        of.source_file_id == file.id, of.cause == "correction", of.generation == CURRENT
    )
    return {
        row.row_no: Outcome("accepted", None, row.event_id, 0, row.program_id, _CORRECTION)
        for condition in _among(of.row_no, rows)
        for row in db.execute(query.where(condition))
    }


def lines_of(db: Connection, file: InboundFile, partner: Partner, work: Work) -> Iterator[Line]:
    """The rows of a file as corrected, in order."""
    how = work.reading.layout.spec.format
    fixed = {
        row.row_no: unseal(row.raw, file.id)
        for row in db.execute(select(_ROW.row_no, _ROW.raw).where(_ROW.file_id == file.id, _ROW.fixes > 0))
        if row.raw is not None
    }
    with archive.open_rows(file, partner_code=partner.code, offset=0) as source:
        found = records(source, how)
        next(found, None)
        for line in applying.lines_of(islice(found, file.rows_total or 0), work, 1):
            if line.row_no in fixed:
                record = one_record(fixed[line.row_no], how)._replace(offset=line.record.offset)
                yield line._replace(record=record, row=work.translator.row(record))
            else:
                yield line


def own_lines(lines: Iterable[Line], before: Mapping[int, Outcome]) -> Iterator[Line]:
    """The rows that are this file's still, and no corrections of others."""
    for line in lines:
        if before[line.row_no].code not in _ELSEWHERE and before[line.row_no].version_id != _CORRECTION:
            yield line


def lines_among(
    db: Connection, file: InboundFile, partner: Partner, work: Work, row_numbers: Container[int]
) -> list[Line]:
    """The rows of these numbers, as corrected, in order."""
    before = _outcomes(db, file)
    return [line for line in own_lines(lines_of(db, file, partner, work), before) if line.row_no in row_numbers]


def batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """The lines, so many at a time as are recorded together."""
    while batch := list(islice(lines, _BATCH_ROWS)):
        yield batch


def _again(db: Connection, file: InboundFile, work: Work, lines: Sequence[Line], now: datetime) -> dict[int, Outcome]:
    """Record one batch; the rows that are not accepted."""
    good = [line for line in lines if not isinstance(line.row, RowRefused)]
    told = iter(recording.record_rows(db, file, work, good, now=now))
    refused = [(line.row_no, line.row if isinstance(line.row, RowRefused) else next(told).refused) for line in lines]
    return {row_no: Outcome(why.outcome, why.code) for row_no, why in refused if why is not None}


def _compared(before: Mapping[int, Outcome], after: Mapping[int, Outcome]) -> Compared:
    points: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0])
    for side, outcomes in enumerate((before, after)):
        for outcome in outcomes.values():
            if outcome.program_id is not None:
                points[outcome.program_id][side] += outcome.points_minor
    differing = [
        Difference(row_no, one, after.get(row_no, one))
        for row_no, one in sorted(before.items())
        if one.effect != after.get(row_no, one).effect
    ]
    return _counted(len(before), differing, {key: (then, now) for key, (then, now) in sorted(points.items())})


def of_rows(found: Compared, rows: Container[int]) -> Compared:
    """The comparison with the differences of these rows only: the others end as they were."""
    points = {program_id: [*pair] for program_id, pair in found.points_minor.items()}
    kept: list[Difference] = []
    for each in found.differences:
        if each.row_no in rows:
            kept.append(each)
            continue
        for outcome, sign in ((each.before, 1), (each.after, -1)):
            if outcome.program_id is not None:
                points[outcome.program_id][1] += sign * outcome.points_minor
    return _counted(found.rows, kept, {program_id: (before, after) for program_id, (before, after) in points.items()})


def _counted(rows: int, differing: Sequence[Difference], points: Mapping[bytes, tuple[int, int]]) -> Compared:
    return Compared(
        rows,
        len(differing),
        sum(1 for each in differing if each.after.outcome == "accepted" != each.before.outcome),
        sum(1 for each in differing if each.before.outcome == "accepted" != each.after.outcome),
        differing,
        points,
    )
