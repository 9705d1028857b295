"""Back-tests as people see them: sums by program and unit, the biggest movers with both traces, members and records."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from chalicelib.partners.models.partners import member, program
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.deciding import deciding
from chalicelib.points.deciding.deciding import Proof
from chalicelib.points.earning import lineage
from chalicelib.points.ledger import history
from chalicelib.records import dataclass
from chalicelib.rules import versions
from chalicelib.rules.versions import LiveVersion
from chalicelib.workbench.backtests import Backtest
from chalicelib.workbench.models import backtest_member, backtest_record


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The figures of one program; amounts in its minor units, ``changes`` as ``tallies.CHANGES``."""

    program: Program
    then_minor: int
    now_minor: int
    members: int
    members_changed: int
    events: int
    changes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MovedEvent:
    """One event that moves, with the explanation of both versions; None where there is none.

    A row that was rejected has no ``accrual_id`` and no explanation of then.
    """

    accrual_id: bytes | None
    event_id: str
    event_date: date
    file_id: bytes | None
    row_no: int | None
    then_minor: int
    now_minor: int
    refusal: Mapping[str, str | None] | None
    trace_then: Mapping[str, Any] | None
    trace_now: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class MovedMember:
    """One member's account in one program that moves, and the event that moves it most."""

    member_id: bytes
    employee_id: str
    program: Program
    events: int
    changed: int
    then_minor: int
    now_minor: int
    event: MovedEvent | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a back-test has found so far. ``reasons``: kind of change -> code and field -> how many."""

    programs: Sequence[ProgramResult]
    #: The versions that decided the events, and how many each.
    versions: Sequence[tuple[LiveVersion, int]]
    reasons: Mapping[str, Mapping[str, int]]
    members: Sequence[MovedMember]
    events: Sequence[tuple[MovedEvent, Program]]


class Difference(NamedTuple):
    """What the draft changes for one member in one program, in minor units of ``scale``."""

    account_id: bytes
    member_id: bytes
    employee_id: str
    program_code: str
    unit: str
    scale: int
    events: int
    changed: int
    then_minor: int
    now_minor: int


class Record(NamedTuple):
    """One record that is refused now and was not, or the reverse."""

    number: int
    kind: Literal["refused", "accepted"]
    member_id: bytes
    program_code: str
    unit: str
    scale: int
    event_id: str
    event_date: date
    accrual_id: bytes | None
    file_id: bytes | None
    row_no: int | None
    then_minor: int
    now_minor: int
    code: str | None
    field: str | None
    message: str | None


def result(db: Connection, asked: Backtest) -> Result | None:
    """What a back-test has found so far, None before its first slice; movers are explained once it is done."""
    if asked.summary is None:
        return None
    said = json.loads(asked.summary)
    of_partner = {each.id: each for each in programs.of_partner(db, asked.partner_id).values()}
    found = [
        ProgramResult(of_partner[bytes.fromhex(program_id)], **figures)
        for program_id, figures in said["programs"].items()
    ]
    decided = [
        (versions.version(db, bytes.fromhex(version_id)), events) for version_id, events in said["versions"].items()
    ]
    done = asked.state == "done"
    draft = versions.version(db, asked.version_id)
    members = said["movers"]["members"] if done else []
    numbers = _employee_ids(db, [bytes.fromhex(each["member_id"]) for each in members])
    events = said["movers"]["events"] if done else []
    return Result(
        programs=sorted(found, key=lambda each: each.program.code),
        versions=sorted(decided, key=lambda pair: (pair[0].ruleset_code, pair[0].number)),
        reasons=said["reasons"],
        members=[
            MovedMember(
                member_id=bytes.fromhex(each["member_id"]),
                employee_id=numbers[bytes.fromhex(each["member_id"])],
                program=of_partner[bytes.fromhex(each["program_id"])],
                events=each["events"],
                changed=each["changed"],
                then_minor=each["then_minor"],
                now_minor=each["now_minor"],
                event=None if each["event"] is None else _moved(db, draft, each["event"]),
            )
            for each in members
        ],
        events=[(_moved(db, draft, each), of_partner[bytes.fromhex(each["program_id"])]) for each in events],
    )


def members_of(db: Connection, asked: Backtest, *, changed: bool, after: bytes | None, limit: int) -> list[Difference]:
    """Up to ``limit`` members by account; ``changed``: only those for whom something changes."""
    column = backtest_member.c
    conditions: list[ColumnElement[bool]] = [column.backtest_id == asked.id]
    if changed:
        conditions.append(column.changed > 0)
    if after is not None:
        conditions.append(column.account_id > after)
    query = (
        select(
            column.account_id,
            column.member_id,
            member.c.employee_id,
            program.c.code,
            program.c.unit,
            program.c.scale,
            column.events,
            column.changed,
            column.then_minor,
            column.now_minor,
        )
        .join_from(backtest_member, member, member.c.id == column.member_id)
        .join(program, program.c.id == column.program_id)
        .where(*conditions)
        .order_by(column.account_id)
        .limit(limit)
    )
    return [Difference._make(row) for row in db.execute(query)]


def records_of(
    db: Connection, asked: Backtest, *, kind: Literal["refused", "accepted"] | None, after: int | None, limit: int
) -> list[Record]:
    """Up to ``limit`` records by number after ``after``; of one kind, or all that are kept."""
    column = backtest_record.c
    conditions: list[ColumnElement[bool]] = [column.backtest_id == asked.id]
    if kind is not None:
        conditions.append(column.kind == kind)
    if after is not None:
        conditions.append(column.number > after)
    own = {"program_code": program.c.code, "unit": program.c.unit, "scale": program.c.scale}
    query = (
        select(*(own[name] if name in own else column[name] for name in Record._fields))
        .join_from(backtest_record, program, program.c.id == column.program_id)
        .where(*conditions)
        .order_by(column.number)
        .limit(limit)
    )
    return [Record._make(row) for row in db.execute(query)]


def _moved(db: Connection, draft: LiveVersion, said: Mapping[str, Any]) -> MovedEvent:
    day = date.fromisoformat(said["event_date"])
    accrual_id = None if said["accrual_id"] is None else bytes.fromhex(said["accrual_id"])
    then = None if accrual_id is None else lineage.decided_by(db, history.event(db, accrual_id)).trace
    now = said["trace"]
    if said["facts"] is not None:
        proof = Proof.of(said["facts"])
        now = draft.compiled.explain(deciding.given(draft, proof), as_of=day, code_tables=proof.lookups)
    return MovedEvent(
        accrual_id=accrual_id,
        event_id=said["event_id"],
        event_date=day,
        file_id=None if said["file_id"] is None else bytes.fromhex(said["file_id"]),
        row_no=said["row_no"],
        then_minor=said["then_minor"],
        now_minor=said["now_minor"],
        refusal=said["refusal"],
        trace_then=then,
        trace_now=now,
    )


def _employee_ids(db: Connection, member_ids: Sequence[bytes]) -> dict[bytes, str]:
    query = select(member.c.id, member.c.employee_id).where(member.c.id.in_(sorted(set(member_ids))))
    return {row.id: row.employee_id for row in db.execute(query)}
