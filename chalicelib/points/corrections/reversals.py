"""Reversals: what an accrual earned is taken back, its own lot first; what is gone is the program's policy.

Points of one account are alike, so what the accrual's own lot does not have any more is taken from the member's other
free points. Only when those do not suffice the points count as spent: then the reversal is refused, takes what there
is, or leaves the account overdrawn. What lapsed of the accrual's points, in its lot or where they went unspent, was
never the member's, and what was clawed back of them is taken already: neither is asked for. Points that are only held
are not spent: where the program gives up what is spent, they must be released or captured first.

An accrual may be taken back in parts, by corrections, and a part may be given back when the correction was wrong.
"""

from dataclasses import field
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, OtherContent, Unprocessable
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER, Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points.corrections import own_lots
from chalicelib.points.corrections.own_lots import Own
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import accounts, losses, lots, overdrafts, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.history import Event
from chalicelib.points.ledger.losses import Because, Loss
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.ledger.transfers import NewLot
from chalicelib.points.models.ledger import accrual_event, lot, reversal
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

Cause: TypeAlias = Literal["request", "correction", "rollback", "reprocess"]


@dataclass(frozen=True, slots=True)
class Reversal:
    """Points of an accrual taken back: ``amount_minor`` of what it had earned, and what became of them.

    ``recovered_minor`` was taken from lots, ``overdrawn_minor`` is owed, ``lost_minor`` was spent and is given up,
    ``expired_minor`` had expired or was clawed back; below zero all of them: given back. ``transfer_id`` None: nothing
    was taken.
    """

    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    accrual_event_id: bytes
    part: int
    cause: Cause
    undoes_id: bytes | None
    transfer_id: bytes | None
    amount_minor: int
    recovered_minor: int
    overdrawn_minor: int
    lost_minor: int
    expired_minor: int
    policy: policy.Reversal
    reason: str
    business_date: date
    reversed_at: datetime


class PointsSpent(Unprocessable):
    """The points of the accrual are spent, and the program does not take back what is spent."""

    code = "points_spent"


class PointsHeld(PointsSpent):
    """Points of the accrual are only held, and the program would give up what is spent of them."""

    code = "points_held"


class IdTaken(OtherContent):
    """Another event is corrected under the same id, by somebody who was quicker."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why points are taken back, and by whom. ``said`` is what a correction is: the columns of its own."""

    cause: Cause
    reason: str
    caller: Caller
    source: RowSource = BY_API
    said: dict[str, Any] = field(default_factory=dict)


def reverse(
    db: Connection, program: Program, event: Event, *, reason: str, caller: Caller, now: datetime
) -> tuple[Reversal, bool]:
    """Take back what is left of what an event earned, and say what became of it; whether that was done now.

    Where nothing is left, the latest reversal is returned. Raises PointsSpent by the program's policy, Unprocessable
    when the event earned nothing.
    """
    if not event.points_minor:
        raise Unprocessable("The event earned nothing: there is nothing to take back.", code="nothing_to_reverse")
    holder = accounts.lock(db, event.account_id)
    own = own_lots.of_event(db, event.id)
    if own.reversed_minor == event.points_minor:
        earlier = of_event(db, event.id)
        if earlier is None:
            raise Broken("An event was taken back by no reversal.")
        return earlier, False
    why = Why("request", reason, caller)
    made = take(db, program, holder, event, event.points_minor - own.reversed_minor, why, own=own, now=now)
    transfers.finish(db, holder, now=now)
    note(db, made, "accrual.reversed", caller)
    return made, True


def take(
    db: Connection,
    program: Program,
    holder: Locked,
    event: Event,
    amount_minor: int,
    why: Why,
    *,
    own: Own | None = None,
    now: datetime,
) -> Reversal:
    """Take back a part of what an event earned from its locked account, which the caller finishes.

    ``amount_minor`` is at most what is left of its points. Raises PointsSpent by the program's policy, and IdTaken when
    another event was corrected under the same id meanwhile; then nothing is written.
    """
    own = own or own_lots.of_event(db, event.id)
    today = programs.business_date(now, program)
    expired = own.expired_of(event.points_minor, amount_minor)
    due = amount_minor - expired
    taken, owed, lost = collect(db, program, holder, own, due, today)
    recovered = due - owed - lost
    made = Reversal(
        id=new_id(),
        partner_id=holder.partner_id,
        program_id=holder.program_id,
        account_id=holder.id,
        accrual_event_id=event.id,
        part=own.parts + 1,
        cause=why.cause,
        undoes_id=None,
        transfer_id=new_id() if recovered + owed else None,
        amount_minor=amount_minor,
        recovered_minor=recovered,
        overdrawn_minor=owed,
        lost_minor=lost,
        expired_minor=expired,
        policy=policy.of(program).reversal,
        reason=why.reason,
        business_date=today,
        reversed_at=now,
    )
    # First of all, since another correction under the same id may be quicker: then nothing was moved here.
    _keep(db, made, why)
    if made.transfer_id is not None:
        transfers.post(
            db,
            holder,
            -(recovered + owed),
            kind="reversal",
            source_id=made.id,
            uses=taken,
            opens=NewLot(-owed, NEVER) if owed else None,
            business_date=today,
            now=now,
            transfer_id=made.transfer_id,
        )
    return made


def collect(
    db: Connection, program: Program, holder: Locked, own: Own, due: int, today: date
) -> tuple[list[Taken], int, int]:
    """What of an amount due to take from which lots, what is owed, and what is given up, by the program's policy.

    Nothing is written. Raises PointsSpent when something is missing and the policy refuses, and PointsHeld when holds
    have what it would give up.
    """
    taken = _take(db, holder, own, due, today)
    missing = due - sum(each.amount_minor for each in taken)
    chosen = policy.of(program).reversal
    if missing and chosen == "refuse":
        raise PointsSpent("The points of this record are spent, and the program refuses to take back what is spent.")
    if missing and chosen == "partial" and own_lots.held_minor(db, holder.id, own.lot_id, today):
        raise PointsHeld("Points of this record are held: once they are released or captured it can be taken back.")
    owed = missing if chosen == "overdraft" else 0
    return taken, owed, missing - owed


def give_back(
    db: Connection, program: Program, holder: Locked, wrong: Reversal, why: Why, *, now: datetime
) -> Reversal:
    """Give back what a reversal took from a locked account, which the caller finishes: to the lots it was taken from.

    What was owed and is repaid meanwhile comes as a lot that lives as long as the accrual's own.
    """
    today = programs.business_date(now, program)
    own = own_lots.of_event(db, wrong.accrual_event_id)
    uses = [] if wrong.transfer_id is None else lots.used_by(db, wrong.transfer_id)
    owed = 0 if not wrong.overdrawn_minor else _still_owed(db, wrong.transfer_id)
    repaid = wrong.overdrawn_minor - owed
    given = [Taken(use.lot_id, -use.amount_minor) for use in uses if use.lot_id != wrong.transfer_id]
    if owed and wrong.transfer_id is not None:
        given.append(Taken(wrong.transfer_id, -owed))
    reversal_id = new_id()
    transfer_id = None
    amount = wrong.recovered_minor + wrong.overdrawn_minor
    if amount:
        holder.overdrawn_minor -= owed
        transfer_id = transfers.post(
            db,
            holder,
            amount,
            kind="reversal",
            source_id=reversal_id,
            uses=given,
            opens=NewLot(repaid, _last_day(db, own.lot_id)) if repaid else None,
            business_date=today,
            now=now,
        )
    because = Because(reversal_id, today, why.caller, now)
    back = [Taken(each.lot_id, -each.amount_minor) for each in given if each.lot_id != wrong.transfer_id]
    if repaid and transfer_id is not None:
        back.append(Taken(transfer_id, repaid))
    if wrong.lost_minor:
        loss = Loss("reversal", wrong.id, wrong.lost_minor, wrong.reversed_at)
        back += losses.return_regained(db, holder, loss, because)
    if back:
        lost = [each for each in losses.of_account(db, holder.id) if each.id != wrong.id]
        losses.regain(db, holder, lost, back, spent_at=wrong.reversed_at, because=because)
    overdrafts.repay(db, holder, day=today, now=now)
    made = Reversal(
        id=reversal_id,
        partner_id=wrong.partner_id,
        program_id=wrong.program_id,
        account_id=wrong.account_id,
        accrual_event_id=wrong.accrual_event_id,
        part=own.parts + 1,
        cause=why.cause,
        undoes_id=wrong.id,
        transfer_id=transfer_id,
        amount_minor=-wrong.amount_minor,
        recovered_minor=-wrong.recovered_minor,
        overdrawn_minor=-wrong.overdrawn_minor,
        lost_minor=-wrong.lost_minor,
        expired_minor=-wrong.expired_minor,
        policy=wrong.policy,
        reason=why.reason,
        business_date=today,
        reversed_at=now,
    )
    _keep(db, made, why)
    return made


def of_event(db: Connection, event_id: bytes) -> Reversal | None:
    """The latest reversal of an accrual event that was not given back, if there is one."""
    row = db.execute(_OF_EVENT, {"event_id": event_id}).first()
    return None if row is None else Reversal(*row)


def of_corrections(db: Connection, ids: list[bytes]) -> list[Reversal]:
    """The reversals of these ids that hold their event id, the latest first."""
    return [Reversal(*row) for row in db.execute(_BY_IDS, {"ids": ids})]


def row_of(made: Reversal, why: Why) -> dict[str, Any]:
    """The row of a reversal, its correction's own columns included."""
    file_id, row_no, byte_offset, byte_length = why.source
    row: dict[str, Any] = {name: getattr(made, name) for name in Reversal.__slots__}
    row |= {"event_id": None, "content_hash": None, "generation": CURRENT, "facts": None}
    row |= {"source_file_id": file_id, "row_no": row_no, "byte_offset": byte_offset, "byte_length": byte_length}
    return row | {"actor": why.caller.actor, "correlation_id": why.caller.correlation_id} | why.said


def note(db: Connection, made: Reversal, action: str, caller: Caller) -> None:
    """Leave a reversal in the audit trail."""
    names = ("amount_minor", "recovered_minor", "overdrawn_minor", "lost_minor", "expired_minor")
    audit.record(
        db,
        caller=caller,
        action=action,
        subject=public_id("acr", made.accrual_event_id),
        partner_id=made.partner_id,
        after={name: getattr(made, name) for name in names},
        reason=made.reason,
        now=made.reversed_at,
    )


def _take(db: Connection, holder: Locked, own: Own, due: int, today: date) -> list[Taken]:
    """What to take: the accrual's own lot first, also after its last day, then what expires first."""
    first = min(due, own.free_minor)
    taken = [Taken(own.lot_id, first)] if first else []
    if first == due:
        return taken
    free = lots.free(db, holder.id, today, needed_minor=due + own.free_minor)
    others = [each for each in free if each.id != own.lot_id]
    # What an earlier reversal left owed is to be repaid from these.
    available = max(0, sum(each.free_minor for each in others) - holder.overdrawn_minor)
    return [*taken, *lots.first(others, min(due - first, available))]


def _keep(db: Connection, made: Reversal, why: Why) -> None:
    row = row_of(made, why)
    if row["event_id"] is None:
        bulk.insert(db, reversal, [row])
    elif bulk.insert_new(db, reversal, [row], key=("partner_id", "event_id", "generation")):
        raise IdTaken("Another event was corrected under this id at the same moment.")
    db.execute(_COUNT, {"of": made.accrual_event_id, "amount": made.amount_minor})


def _still_owed(db: Connection, overdraft_id: bytes | None) -> int:
    return -int(db.execute(select(lot.c.remaining_minor).where(lot.c.id == overdraft_id)).scalar_one())


def _last_day(db: Connection, lot_id: bytes) -> date:
    day: date = db.execute(select(lot.c.expires_on).where(lot.c.id == lot_id)).scalar_one()
    return day


_REVERSAL: Final = select(*(reversal.c[name] for name in Reversal.__slots__))
_undoing = reversal.alias("undoing")
_OF_EVENT: Final = (
    _REVERSAL.outerjoin_from(reversal, _undoing, _undoing.c.undoes_id == reversal.c.id)
    .where(
        reversal.c.accrual_event_id == bindparam("event_id"),
        reversal.c.undoes_id.is_(None),
        _undoing.c.id.is_(None),
    )
    .order_by(reversal.c.part.desc())
    .limit(1)
)
_BY_IDS: Final = _REVERSAL.where(
    reversal.c.id.in_(bindparam("ids", expanding=True)), reversal.c.generation == CURRENT
).order_by(reversal.c.seq.desc())
_COUNT: Final = (
    update(accrual_event)
    .where(accrual_event.c.id == bindparam("of"))
    .values(reversed_minor=accrual_event.c.reversed_minor + bindparam("amount"))
)
