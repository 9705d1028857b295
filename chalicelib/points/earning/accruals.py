"""Record accrual events: decide each by the rule in force on its date and post what it earns, in one pass.

An event is identified by its partner and event id; the unique key decides who was first. A refused event is an outcome,
not an exception, and leaves nothing behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import date, datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Unavailable
from chalicelib.language import DecisionRefused, InputRefused
from chalicelib.partners.models.partners import program
from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import RowSource
from chalicelib.points.deciding import aggregates, deciding, screening
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.deciding import Bench, PointsRefused
from chalicelib.points.deciding.events import (
    CURRENT,
    Earner,
    NewAccrual,
    Outcome,
    Recorded,
    content_hash,
    other_content,
    told_before,
)
from chalicelib.points.deciding.screening import Question
from chalicelib.points.earning import correcting
from chalicelib.points.ledger import accounts, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.transfers import Earning
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules import code_table_misses
from chalicelib.rules.code_table_misses import Missed, Seen
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

__all__ = ["NewAccrual", "Outcome", "Recorded", "record"]

#: How often a batch whose period sums another writer overtook is decided anew. Each time the other's events are known.
_PASSES_MAX = 5


class _Accepted(NamedTuple):
    """An event that will be stored, unless another writer stored its id first."""

    event_id: str
    question: Question
    points_minor: int
    facts: str
    missed: tuple[Missed, ...]


class _Decided(NamedTuple):
    """One pass over the events; ``repeats`` pairs each event that the batch brought again with the first of its id."""

    accepted: list[_Accepted]
    refused: dict[int, Recorded]
    repeats: list[tuple[int, int]]


@dataclass(slots=True)
class _Batch:
    """One call of ``record``: the events, and what has become of each so far."""

    partner: Earner
    events: Sequence[NewAccrual]
    sources: Sequence[RowSource]
    caller: Caller
    now: datetime
    by_hub: bool = False
    hashes: list[bytes] = field(default_factory=list)
    outcomes: dict[int, Recorded] = field(default_factory=dict)

    def open(self) -> list[int]:
        """The events without an outcome, in order."""
        return [index for index in range(len(self.events)) if index not in self.outcomes]


def record(
    db: Connection,
    partner: Earner,
    events: Sequence[NewAccrual],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    known_at: datetime | None = None,
    by_hub: bool = False,
    now: datetime,
) -> list[Recorded]:
    """Decide and post each event of an active partner; one outcome per event, in order.

    A refused event does not touch the others. The same event id with the same content is a duplicate and carries the
    original's points; with other content it is rejected. An event with a quantity below zero corrects an earlier one
    (``points.earning.correcting``). ``known_at``: decided by the rules that were known then. ``by_hub``: the hub made
    the events itself, under ids that it refuses from everybody else. Raises nothing for bad events; Unavailable when
    other writers overtook the batch too often.
    """
    outcomes: list[Recorded] = []
    for corrects, run in groupby(zip(events, sources, strict=True), _corrects):
        some = list(run)
        said, places = [event for event, _ in some], [source for _, source in some]
        if corrects:
            outcomes += correcting.record(db, partner, said, sources=places, caller=caller, now=now)
        else:
            batch = _Batch(partner, said, places, caller, now, by_hub)
            outcomes += _record(db, batch, known_at=known_at or now)
    return outcomes


def _corrects(row: tuple[NewAccrual, RowSource]) -> bool:
    return row[0]["quantity"] < 0


def _record(db: Connection, batch: _Batch, *, known_at: datetime) -> list[Recorded]:
    """Decide and post events that earn, as ``record`` does."""
    partner, events = batch.partner, batch.events
    for index, event in enumerate(events):
        refused = screening.malformed(event, by_hub=batch.by_hub)
        if refused is None:
            batch.hashes.append(content_hash(event))
        else:
            batch.hashes.append(b"")
            batch.outcomes[index] = refused
    malformed = set(batch.outcomes)
    screened = screening.screen(db, partner.id, {index: events[index] for index in batch.open()}, now=known_at)
    batch.outcomes.update(screened.refused)
    if screened.questions:
        _decide_and_post(db, batch, screened.questions)
    # What refuses an event now may not have refused it when it first came.
    rejected_now = [index for index, each in batch.outcomes.items() if each.outcome == "rejected"]
    _answer_stored(db, batch, [index for index in rejected_now if index not in malformed])
    return [batch.outcomes[index] for index in range(len(events))]


def _decide_and_post(db: Connection, batch: _Batch, questions: Sequence[Question]) -> None:
    """Decide the events with their members' accounts locked, store the accepted ones and post what they earn.

    A missing account is opened before anything is decided, because its row is what two first events of one member wait
    for: without it each would read a period's sum without the other's points, and a cap would hold for neither. An
    account whose events are then all refused, or earn nothing, stays open without an entry; it shows and delivers
    nothing.
    """
    owners = {question.account_id: (question.program.id, question.member.id) for question in questions}
    locked = accounts.lock_members(db, batch.partner.id, owners, now=batch.now)
    spans = {
        Span.of(aggregate)
        for version in {question.version.version_id: question.version for question in questions}.values()
        for aggregate in version.compiled.aggregates.values()
    }
    # Events are most likely new, and the unique key says so when they are written: no statement is spent before. Only
    # sums must not count an event that is stored already, or that another writer stores in the meantime: so a batch
    # that sums writes behind a savepoint, and is decided anew, knowing of them, when some were.
    summing = bool(spans) and len(questions) > 1
    for _ in range(_PASSES_MAX):
        asked = [question for question in questions if question.at not in batch.outcomes]
        days = [(question.account_id, question.event["event_date"]) for question in asked]
        decided = _decide_all(asked, Bench(db, aggregates.read(db, days, sorted(spans))))
        savepoint = db.begin_nested() if summing else None
        rows = _rows(batch, decided.accepted)
        lost = bulk.insert_new(db, accrual_event, rows, key=("partner_id", "event_id", "generation"))
        overtaken = {rows[index]["event_id"] for index in lost}
        if savepoint is None or not lost:
            if savepoint is not None:
                savepoint.commit()
            batch.outcomes.update(decided.refused)
            _post(db, batch, [each for each in decided.accepted if each.event_id not in overtaken], rows, locked)
            _answer_repeated(db, batch, decided, overtaken)
            return
        savepoint.rollback()
        _answer_stored(db, batch, [question.at for question in asked if question.event["event_id"] in overtaken])
    raise Unavailable("Other writers keep storing events of this batch: send it again.", code="batch_overtaken")


def _decide_all(questions: Sequence[Question], bench: Bench) -> _Decided:
    """Decide in row order, each event seeing the sums that those before it left."""
    accepted: list[_Accepted] = []
    refused: dict[int, Recorded] = {}
    repeats: list[tuple[int, int]] = []
    first: dict[str, int] = {}
    for question in questions:
        index = question.at
        event_id = question.event["event_id"]
        if event_id in first:
            repeats.append((index, first[event_id]))
            continue
        try:
            points_minor, facts, missed = deciding.decide(bench, question)
        except (InputRefused, DecisionRefused, PointsRefused) as refusal:
            refused[index] = deciding.refused(question, refusal)
            continue
        first[event_id] = index
        points_minor = points_minor or 0
        bench.totals.add(question.account_id, question.event["event_date"], points_minor, question.event["event_type"])
        accepted.append(_Accepted(event_id, question, points_minor, facts, missed))
    return _Decided(accepted, refused, repeats)


def _rows(batch: _Batch, accepted: Sequence[_Accepted]) -> list[dict[str, Any]]:
    """The rows to store, sorted by event id: overlapping batches wait for each other instead of deadlocking."""
    rows = []
    for stored_id, (event_id, question, points_minor, facts, _) in zip(new_ids(len(accepted)), accepted, strict=True):
        index, event, of_program, member, account_id, version = question
        file_id, row_no, byte_offset, byte_length = batch.sources[index]
        rows.append(
            {
                "id": stored_id,
                "partner_id": batch.partner.id,
                "event_id": event_id,
                "content_hash": batch.hashes[index],
                "program_id": of_program.id,
                "member_id": member.id,
                "account_id": account_id,
                "event_type": event["event_type"],
                "event_date": event["event_date"],
                "outcome": "posted" if points_minor else "no_points",
                "points_minor": points_minor,
                "reversed_minor": 0,
                "generation": CURRENT,
                "ruleset_version_id": version.version_id,
                "facts": facts,
                "source_file_id": file_id,
                "row_no": row_no,
                "byte_offset": byte_offset,
                "byte_length": byte_length,
                "actor": batch.caller.actor,
                "correlation_id": batch.caller.correlation_id,
                "received_at": batch.now,
            }
        )
    rows.sort(key=_by_event_id)
    return rows


def _by_event_id(row: dict[str, Any]) -> str:
    event_id: str = row["event_id"]
    return event_id


def _post(
    db: Connection,
    batch: _Batch,
    stored: Sequence[_Accepted],
    rows: Sequence[dict[str, Any]],
    locked: dict[bytes, Locked],
) -> None:
    """Post what the stored events earn, and give them their outcome."""
    ids = {row["event_id"]: row["id"] for row in rows}
    earnings: list[Earning] = []
    today: dict[bytes, date] = {}
    expiry: dict[tuple[bytes, date], date] = {}
    for event_id, question, points_minor, _, _ in stored:
        index, event, of_program, member, account_id, version = question
        stored_id = ids[event_id]
        decided: Literal["posted", "no_points"] = "posted" if points_minor else "no_points"
        batch.outcomes[index] = Recorded(
            decided,
            event_id,
            stored_id,
            points_minor,
            version.version_id,
            of_program.id,
            member.id,
            of_program.scale,
            decided,
        )
        if not points_minor:
            continue
        if of_program.id not in today:
            today[of_program.id] = programs.business_date(batch.now, of_program)
        day = event["event_date"]
        expires_on = expiry.get((of_program.id, day))
        if expires_on is None:
            expires_on = expiry[of_program.id, day] = programs.expires_on(of_program, day)
        earnings.append(Earning(account_id, points_minor, stored_id, today[of_program.id], expires_on))
    transfers.earn(db, locked, earnings, now=batch.now)
    missed = [
        Seen(each, *batch.sources[one.question.at][:2], ids[one.event_id]) for one in stored for each in one.missed
    ]
    if missed:
        code_table_misses.record(db, batch.partner.id, missed, now=batch.now)


def _answer_repeated(db: Connection, batch: _Batch, decided: _Decided, overtaken: set[str]) -> None:
    """Let the events that another writer stored, or that this batch brought twice, speak of the stored one."""
    elsewhere = [each.question.at for each in decided.accepted if each.event_id in overtaken]
    for index, first in decided.repeats:
        if batch.events[first]["event_id"] in overtaken:
            elsewhere.append(index)
        elif batch.hashes[index] == batch.hashes[first]:
            batch.outcomes[index] = batch.outcomes[first]._replace(outcome="duplicate")
        else:
            batch.outcomes[index] = other_content(batch.events[index]["event_id"])
    _answer_stored(db, batch, elsewhere)
    if any(index not in batch.outcomes for index in elsewhere):
        raise Broken("An event id was taken when it was written and free when it was read.")


_STORED = bulk.through_key(
    select(
        accrual_event.c.event_id,
        accrual_event.c.content_hash,
        accrual_event.c.id,
        accrual_event.c.points_minor,
        accrual_event.c.ruleset_version_id,
        accrual_event.c.program_id,
        accrual_event.c.member_id,
        program.c.scale,
        accrual_event.c.outcome,
        accrual_event.c.reversed_minor,
    )
    .join(program, program.c.id == accrual_event.c.program_id)
    .where(
        accrual_event.c.partner_id == bindparam("partner_id"),
        accrual_event.c.event_id.in_(bindparam("event_ids", expanding=True)),
        accrual_event.c.generation == CURRENT,
    ),
    accrual_event,
    ("partner_id", "event_id", "generation"),
)


def _answer_stored(db: Connection, batch: _Batch, indexes: Iterable[int]) -> None:
    """Answer the events whose id is stored already: the same content is a duplicate, other content is refused."""
    wanted: dict[str, list[int]] = {}
    for index in indexes:
        wanted.setdefault(batch.events[index]["event_id"], []).append(index)
    for chunk in bulk.in_chunks(sorted(wanted)):
        for event_id, stored_hash, *original, reversed_minor in db.execute(
            _STORED, {"partner_id": batch.partner.id, "event_ids": chunk}
        ):
            for index in wanted[event_id]:
                batch.outcomes[index] = (
                    told_before(Recorded("duplicate", event_id, *original), reversed_minor)
                    if batch.hashes[index] == stored_hash
                    else other_content(event_id)
                )
