"""Translated rows on their way to the room that keeps them: members, points, code tables, or one of ``handlers``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.files.formats import layouts
from chalicelib.files.formats.layouts import Reading
from chalicelib.files.formats.reading import Record
from chalicelib.files.formats.translating import CanonicalRow, Header, Translator, translator_of
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile, header_cells
from chalicelib.files.rows.handlers import HANDLERS
from chalicelib.files.rows.holding import caller_of
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.members.roster import RosterOutcome, RosterRow
from chalicelib.partners.provenance import RowSource, Told
from chalicelib.points.deciding.events import NewAccrual, Recorded
from chalicelib.points.earning import accruals
from chalicelib.records import dataclass
from chalicelib.rules import code_table_misses, code_table_rows
from chalicelib.rules.code_table_misses import Missed, Seen
from chalicelib.rules.code_table_rows import CodeTableRow, RowTold
from chalicelib.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Work:
    """What the slices of one file share."""

    partner: Partner
    reading: Reading
    header: Header
    translator: Translator

    @property
    def is_snapshot(self) -> bool:
        """Whether whoever the file does not name has left. Rejects that came back name a few rows of a snapshot."""
        return self.reading.layout.spec.mode == "snapshot" and not self.header.is_of_rejects


class Line(NamedTuple):
    """One row on its way: its number, its bytes, its control amount, and what the layout made of it.

    ``missed``: codes that its tables lacked, and that it was told without.
    """

    row_no: int
    record: Record
    amount: int | None
    row: CanonicalRow | RowRefused
    missed: tuple[Missed, ...] = ()


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
    return Work(partner, reading, header, translator_of(reading, header, partner.code))


def record_rows(
    db: Connection,
    file: InboundFile,
    work: Work,
    lines: Sequence[Line],
    *,
    sources: Sequence[RowSource] | None = None,
    caller: Caller | None = None,
    known_at: datetime | None = None,
    now: datetime,
) -> list[Outcome]:
    """Give translated rows to the room that keeps them; one outcome each, in order.

    ``sources`` says where in the archive the rows are when they are tried again, by themselves; ``caller`` by whom.
    ``known_at``: accruals are decided by the rules that were known then.
    What accepted rows looked up in vain is counted.
    """
    if not lines:
        return []
    outcomes = _kept_rows(db, file, work, lines, sources=sources, caller=caller, known_at=known_at, now=now)
    seen = [
        Seen(missed, file.id, line.row_no)
        for line, outcome in zip(lines, outcomes, strict=True)
        if line.missed and outcome.refused is None
        for missed in line.missed
    ]
    if seen:
        code_table_misses.record(db, work.partner.id, seen, now=now)
    return outcomes


def _kept_rows(
    db: Connection,
    file: InboundFile,
    work: Work,
    lines: Sequence[Line],
    *,
    sources: Sequence[RowSource] | None,
    caller: Caller | None,
    known_at: datetime | None,
    now: datetime,
) -> list[Outcome]:
    """What the room that keeps such rows says of each."""
    spec = work.reading.layout.spec
    alone = sources is not None
    if sources is None:
        sources = [RowSource(file.id, line.row_no, line.record.offset, len(line.record.raw)) for line in lines]
    caller = caller or caller_of(file)
    if spec.entity == "roster":
        rows = [cast("RosterRow", line.row) for line in lines]
        snapshot = file.id if spec.mode == "snapshot" and not alone else None
        if spec.mode == "snapshot" and alone:
            # Whom a snapshot names is employed; but a row alone says nothing about who is absent from a later one.
            rows = [cast("RosterRow", {**row, "action": "A"}) if row["action"] == "C" else row for row in rows]
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
    handler = HANDLERS.get(spec.entity)
    if handler is not None:
        given: dict[str, Any] = {"alone": alone} if handler.gathers else {}
        kept = handler.record(
            db, work.partner, [line.row for line in lines], sources=sources, caller=caller, now=now, **given
        )
        return [_of_kept(each, work.translator) for each in kept]
    events = [cast("NewAccrual", line.row) for line in lines]
    recorded = accruals.record(db, work.partner, events, sources=sources, caller=caller, known_at=known_at, now=now)
    return [_of_accrual(each, work.translator) for each in recorded]


def _of_statement(told: RosterOutcome | RowTold, translator: Translator) -> Outcome:
    if told.outcome == "accepted":
        return _ACCEPTED
    if told.outcome == "duplicate":
        return _DUPLICATE
    code = told.code or "rejected"
    return Outcome(RowRefused("rejected", code, translator.column_of(told.column), told.message))


def _of_kept(told: Told, translator: Translator) -> Outcome:
    if told.outcome == "accepted":
        return _ACCEPTED
    column = translator.column_of(told.column)
    return Outcome(RowRefused(told.outcome, told.code or told.outcome, column, told.message), told.fixable)


def _of_accrual(told: Recorded, translator: Translator) -> Outcome:
    if told.outcome in {"posted", "no_points"}:
        return _ACCEPTED
    if told.outcome == "duplicate":
        return _DUPLICATE if told.code is None else Outcome(RowRefused("duplicate", told.code, None, told.message))
    code = told.code or "rejected"
    column = translator.column_of(told.column)
    refused = RowRefused("rejected", code, column, told.message, told.version_id, told.unmapped)
    return Outcome(refused, told.fixable)
