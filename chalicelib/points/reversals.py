"""Reversals: an accrual is taken back in full, from its own lot first; what is gone is the program's policy.

Points of one account are alike, so what the accrual's own lot does not have any more is taken from the member's other
free points. Only when those do not suffice the points count as spent: then the reversal is refused, takes what there
is, or leaves the account overdrawn. What expired of the accrual's lot was never the member's, and is not asked for.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Unprocessable
from chalicelib.partners import programs
from chalicelib.partners.programs import NEVER, Program
from chalicelib.points import accounts, ledger, lots, policy
from chalicelib.points.accounts import Locked
from chalicelib.points.history import Event
from chalicelib.points.ledger import NewLot
from chalicelib.points.lots import Taken
from chalicelib.points.models import lot, lot_use, reversal, transfer
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id


@dataclass(frozen=True, slots=True)
class Reversal:
    """An accrual taken back: ``amount_minor`` is what it had earned, and the four others say what became of that.

    ``recovered_minor`` was taken from lots, ``overdrawn_minor`` is owed, ``lost_minor`` was spent and is given up,
    ``expired_minor`` had expired. ``transfer_id`` None: nothing was taken.
    """

    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    accrual_event_id: bytes
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


class _Own(NamedTuple):
    """The lot that the accrual earned, and how much of it has expired."""

    id: bytes
    free_minor: int
    expired_minor: int


def reverse(
    db: Connection, program: Program, event: Event, *, reason: str, caller: Caller, now: datetime
) -> tuple[Reversal, bool]:
    """Take back what an event earned, and say what became of it; whether that was done now.

    An event is taken back once; asking again returns the first reversal. Raises PointsSpent by the program's policy,
    Unprocessable when the event earned nothing.
    """
    if not event.points_minor:
        raise Unprocessable("The event earned nothing: there is nothing to take back.", code="nothing_to_reverse")
    holder = accounts.lock(db, event.account_id)
    earlier = of_event(db, event.id)
    if earlier is not None:
        return earlier, False
    today = programs.business_date(now, program)
    own = _own(db, event)
    due = event.points_minor - own.expired_minor
    taken = _take(db, holder, own, due, today)
    recovered = sum(each.amount_minor for each in taken)
    missing = due - recovered
    chosen = policy.of(program).reversal
    if missing and chosen == "refuse":
        raise PointsSpent("The points of this accrual are spent, and the program refuses to take back what is spent.")
    owed = missing if chosen == "overdraft" else 0
    reversal_id = new_id()
    transfer_id = None
    if recovered + owed:
        transfer_id = ledger.post(
            db,
            holder,
            -(recovered + owed),
            kind="reversal",
            source_id=reversal_id,
            uses=taken,
            opens=NewLot(-owed, NEVER) if owed else None,
            business_date=today,
            now=now,
        )
        ledger.finish(db, holder, now=now)
    made = Reversal(
        reversal_id,
        holder.partner_id,
        holder.program_id,
        holder.id,
        event.id,
        transfer_id,
        event.points_minor,
        recovered,
        owed,
        missing - owed,
        own.expired_minor,
        chosen,
        reason,
        today,
        now,
    )
    _keep(db, made, caller)
    return made, True


def of_event(db: Connection, event_id: bytes) -> Reversal | None:
    """The reversal of an accrual event, if there is one."""
    row = db.execute(_OF_EVENT, {"event_id": event_id}).one_or_none()
    return None if row is None else Reversal(*row)


def _take(db: Connection, holder: Locked, own: _Own, due: int, today: date) -> list[Taken]:
    """What to take: the accrual's own lot first, also after its last day, then what expires first."""
    first = min(due, own.free_minor)
    others = [each for each in lots.free(db, holder.id, today, needed_minor=due + own.free_minor) if each.id != own.id]
    # What an earlier reversal left owed is to be repaid from these.
    available = max(0, sum(each.free_minor for each in others) - holder.overdrawn_minor)
    taken = lots.first(others, min(due - first, available))
    return [Taken(own.id, first), *taken] if first else taken


def _own(db: Connection, event: Event) -> _Own:
    row = db.execute(_OWN, {"event_id": event.id}).one_or_none()
    if row is None:
        raise Broken("An event that earned points has no lot.")
    return _Own(row[0], row[1], int(row[2]))


def _keep(db: Connection, made: Reversal, caller: Caller) -> None:
    row = {name: getattr(made, name) for name in Reversal.__slots__}
    bulk.insert(db, reversal, [row | {"actor": caller.actor, "correlation_id": caller.correlation_id}])
    audit.record(
        db,
        caller=caller,
        action="accrual.reversed",
        subject=public_id("acr", made.accrual_event_id),
        partner_id=made.partner_id,
        after={
            name: getattr(made, name)
            for name in ("amount_minor", "recovered_minor", "overdrawn_minor", "lost_minor", "expired_minor")
        },
        reason=made.reason,
        now=made.reversed_at,
    )


_OF_EVENT: Final = select(*(reversal.c[name] for name in Reversal.__slots__)).where(
    reversal.c.accrual_event_id == bindparam("event_id")
)
_expiry = transfer.alias("expiry")
_EXPIRED: Final = (
    select(func.coalesce(func.sum(lot_use.c.amount_minor), 0))
    .join(_expiry, _expiry.c.id == lot_use.c.transfer_id)
    .where(lot_use.c.lot_id == lot.c.id, _expiry.c.kind == "expiry")
    .correlate(lot)
    .scalar_subquery()
)
_OWN: Final = (
    select(lot.c.id, lot.c.remaining_minor - lot.c.held_minor, _EXPIRED)
    .join(transfer, transfer.c.id == lot.c.id)
    .where(transfer.c.source_id == bindparam("event_id"), transfer.c.kind == "accrual")
)
