"""Holds: points reserved for a basket or an order, and still the member's until they are captured.

A hold names the lots that it covers, first expiring first (docs/decisions/0029). What it covers is not available to
anyone else; a capture spends it, a release gives it back. A hold for a basket ends by itself; one that is bound to an
order does not. A hold that pays a cart with a card (``points.carts``) belongs to its tender, which alone moves it: it
would not know otherwise which of its pieces were paid.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, NotFound, OtherContent
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, lots, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import InsufficientPoints, Taken
from chalicelib.points.models.ledger import account, hold, hold_lot, lot
from chalicelib.points.models.terms import tender
from chalicelib.points.spending import leaving, refusals
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.points.spending.refusals import HoldBound
from chalicelib.records import dataclass
from chalicelib.storage import bulk, prepared
from chalicelib.storage.ids import new_id, public_id

State: TypeAlias = Literal["open", "captured", "released", "expired", "lapsed"]

#: A basket is held for so long at most; an order's hold has no end.
TTL_MAX: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewHold:
    """Points to reserve. ``reference`` is the shop's own: the same one is held once in a program.

    ``ttl_s`` None binds the hold to the order of ``order_no``: it has no end of its own.
    """

    member_id: bytes
    amount_minor: int
    reference: str
    order_no: str | None = None
    ttl_s: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. Amounts are minor units of the program; ``state`` is how it ended, or ``open``.

    ``tender_id``: the cart that it pays, which alone moves it; None for a hold of its own.
    """

    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    member_id: bytes
    tender_id: bytes | None
    reference: str
    order_no: str | None
    amount_minor: int
    captured_minor: int
    released_minor: int
    state: State
    ttl_s: int | None
    expires_at: datetime | None
    created_at: datetime
    changed_at: datetime

    @property
    def open_minor(self) -> int:
        """What is still reserved."""
        return self.amount_minor - self.captured_minor - self.released_minor


@dataclass(frozen=True, slots=True)
class Covered:
    """What a hold covers of one lot: ``open_minor`` of the ``amount_minor`` it covered at first."""

    lot_id: bytes
    expires_on: date
    amount_minor: int
    open_minor: int


class HoldEnded(Conflict):
    """The hold was captured or released in full, or its time is over."""

    code = "hold_ended"


def place(db: Connection, program: Program, wanted: NewHold, *, caller: Caller, now: datetime) -> tuple[Hold, bool]:
    """Reserve points of a member in a program; the hold, and whether it is new.

    The same reference with the same content returns the first hold, whatever became of it. Raises OtherContent for
    other content, InsufficientPoints when less is available, EmploymentEnded, HoldWithoutEnd, Unprocessable for an
    amount that cannot be moved.
    """
    transfers.require_amount(wanted.amount_minor)
    refusals.require_end(wanted.ttl_s, wanted.order_no)
    of = account_id(program.id, MEMBER, wanted.member_id)
    try:
        holder = accounts.lock(db, of)
    except NotFound:
        raise InsufficientPoints("The member never had any points in this program.") from None
    # The reference is most likely new, and the unique key says so when the hold is written: only when it is not, or
    # when the points do not suffice, is the first hold looked for.
    today = programs.business_date(now, program)
    try:
        leaving.require_spendable(db, program, wanted.member_id, today)
        taken = lots.take(db, holder, wanted.amount_minor, today)
    except (InsufficientPoints, EmploymentEnded):
        earlier = _first(db, program, wanted)
        if earlier is None:
            raise
        return _again(earlier, of, wanted), False
    expires_at = None if wanted.ttl_s is None else now + timedelta(seconds=wanted.ttl_s)
    row: dict[str, Any] = {
        "id": new_id(),
        "partner_id": holder.partner_id,
        "program_id": program.id,
        "account_id": of,
        "reference": wanted.reference,
        "order_no": wanted.order_no,
        "amount_minor": wanted.amount_minor,
        "captured_minor": 0,
        "released_minor": 0,
        "state": "open",
        "ttl_s": wanted.ttl_s,
        "expires_at": expires_at,
        "sweep_at": expires_at,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "created_at": now,
        "changed_at": now,
    }
    if bulk.insert_new(db, hold, [row], key=("program_id", "reference")):
        earlier = _first(db, program, wanted)
        if earlier is None:
            raise Broken("A reference was taken when the hold was written and free when it was read.")
        return _again(earlier, of, wanted), False
    bulk.insert(
        db,
        hold_lot,
        [
            {"hold_id": row["id"], "lot_id": lot_id, "partner_id": holder.partner_id, "amount_minor": amount,
             "captured_minor": 0, "released_minor": 0}
            for lot_id, amount in taken
        ],
    )  # fmt: skip
    lots.cover(db, taken)
    holder.debits_pending += wanted.amount_minor
    holder.hold_changes += 1
    transfers.finish(db, holder, now=now)
    made = {**row, "member_id": wanted.member_id, "tender_id": None}
    return Hold(**{name: made[name] for name in Hold.__slots__}), True


def by_id(db: Connection, hold_id: bytes) -> Hold:
    """One hold. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": hold_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such hold.")
    return Hold(*row)


def covered(db: Connection, hold_id: bytes) -> list[Covered]:
    """The lots that a hold covers or covered, first expiring first."""
    rows = db.execute(_COVERED, {"hold_id": hold_id})
    return [Covered(lot_id, day, amount, amount - gone) for lot_id, day, amount, gone in rows]


def locked(db: Connection, hold_id: bytes) -> tuple[Hold, Locked, list[Covered]]:
    """The hold, its account, whose row this transaction holds locked from now on, and what the hold covers.

    Raises NotFound.
    """
    try:
        holder = accounts.lock(db, hold_id, _HOLDER)
    except NotFound:
        raise NotFound("There is no such hold.") from None
    rows = db.execute(_WITH_LOTS, {"id": hold_id}).all()
    covers = [Covered(lot_id, day, amount, amount - gone) for *_, lot_id, day, amount, gone in rows]
    return Hold(*rows[0][: len(Hold.__slots__)]), holder, covers


def release(
    db: Connection,
    hold_id: bytes,
    amount_minor: int | None = None,
    *,
    of_tender: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> Hold:
    """Give back what a hold still covers, or so much of it; the hold as it is then.

    A hold that has ended stays as it is when all was asked. ``of_tender`` names the tender that asks. Raises HoldEnded
    when some was asked of a hold that covers less, BelongsToTender, NotFound.
    """
    found, holder, covers = locked(db, hold_id)
    refusals.require_own(found.tender_id, of_tender)
    if amount_minor is None and not found.open_minor:
        return found
    asked = found.open_minor if amount_minor is None else amount_minor
    transfers.require_amount(asked)
    if asked > found.open_minor:
        raise HoldEnded("The hold covers less than is to be released.")
    uncover(db, holder, found, covers, asked, ended="released", now=now)
    transfers.finish(db, holder, now=now)
    _tell(db, found, "released", {"amount_minor": asked}, caller, now)
    return by_id(db, hold_id)


def bind(
    db: Connection, hold_id: bytes, order_no: str, *, of_tender: bytes | None = None, caller: Caller, now: datetime
) -> Hold:
    """Bind an open hold to the order that its basket became: it has no end any more.

    Binding it to the same order again changes nothing. Raises HoldBound for one that is another order's, HoldEnded,
    BelongsToTender, NotFound.
    """
    found, *_ = locked(db, hold_id)
    refusals.require_own(found.tender_id, of_tender)
    if found.expires_at is None:
        if found.order_no != order_no:
            raise HoldBound("The hold is bound to another order already.")
        return found
    require_open(found, now)
    db.execute(_BIND, {"of": hold_id, "order": order_no, "at": now})
    _tell(db, found, "bound", {"order_no": order_no}, caller, now)
    return by_id(db, hold_id)


def require_open(found: Hold, now: datetime) -> None:
    """Raises HoldEnded, also for a hold whose time is over and which nobody has swept yet."""
    if not found.open_minor:
        raise HoldEnded(f"The hold has ended: {found.state}.")
    if found.expires_at is not None and found.expires_at <= now:
        raise HoldEnded(f"The hold was kept until {found.expires_at.isoformat()}.")


def uncover(
    db: Connection,
    holder: Locked,
    found: Hold,
    of: Sequence[Covered],
    amount_minor: int,
    *,
    ended: State,
    now: datetime,
) -> list[Taken]:
    """Take so much out of a hold without spending it, what expires last first; what became free of which lot.

    The account's counters move along; ``ledger.finish`` writes them. ``ended`` is the state of the hold should nothing
    be left in it.
    """
    freed = _last(of, amount_minor)
    lots.cover(db, [Taken(lot_id, -amount) for lot_id, amount in freed])
    _change(db, found, freed, captured=0, released=amount_minor, ended=ended, now=now)
    holder.debits_pending -= amount_minor
    holder.hold_changes += 1
    return freed


def spent(db: Connection, holder: Locked, found: Hold, taken: Sequence[Taken], *, now: datetime) -> None:
    """Note what a capture took out of a hold, whose lots it took from already. The account's counters move along."""
    amount_minor = sum(each.amount_minor for each in taken)
    _change(db, found, taken, captured=amount_minor, released=0, ended="captured", now=now)
    holder.debits_pending -= amount_minor


def _last(of: Sequence[Covered], amount_minor: int) -> list[Taken]:
    # What expires first stays covered, since that is what the hold was placed for.
    freed: list[Taken] = []
    left = amount_minor
    for each in reversed(of):
        part = min(left, each.open_minor)
        if part:
            freed.append(Taken(each.lot_id, part))
            left -= part
    return freed


def _change(
    db: Connection, found: Hold, of: Sequence[Taken], *, captured: int, released: int, ended: State, now: datetime
) -> None:
    given = {"of": found.id, "captured": captured, "released": released, "at": now}
    if captured + released == found.open_minor:
        prepared.write(db, _CLOSE, {**given, "ended": ended})
    else:
        prepared.write(db, _KEEP, given)
    column = "captured_minor" if captured else "released_minor"
    bulk.add(
        db,
        hold_lot,
        {lot_id: (amount,) for lot_id, amount in of},
        key="lot_id",
        columns=(column,),
        within={"hold_id": found.id},
    )


def _again(earlier: Hold, of: bytes, wanted: NewHold) -> Hold:
    first = (earlier.account_id, earlier.amount_minor, earlier.ttl_s)
    # A basket that became an order has its number, which whoever placed the hold did not know.
    became = earlier.ttl_s is not None and earlier.expires_at is None
    if first != (of, wanted.amount_minor, wanted.ttl_s) or not (became or earlier.order_no == wanted.order_no):
        raise OtherContent("The reference was held before for another member, amount, time or order.")
    return earlier


def _tell(db: Connection, of: Hold, what: str, after: dict[str, Any], caller: Caller, now: datetime) -> None:
    # Nothing else says who it was: a capture has its redemption, a release leaves no row of its own.
    audit.record(
        db,
        caller=caller,
        action=f"hold.{what}",
        subject=public_id("hld", of.id),
        partner_id=of.partner_id,
        after=after,
        now=now,
    )


_ELSEWHERE: Final = {"member_id": account.c.owner_id, "tender_id": tender.c.id}
_HOLD: Final = (
    select(*(_ELSEWHERE[name].label(name) if name in _ELSEWHERE else hold.c[name] for name in Hold.__slots__))
    .join_from(hold, account, account.c.id == hold.c.account_id)
    .outerjoin(tender, tender.c.hold_id == hold.c.id)
)
_BY_ID: Final = _HOLD.where(hold.c.id == bindparam("id"))
_BY_REFERENCE: Final = _HOLD.where(
    hold.c.program_id == bindparam("program_id"), hold.c.reference == bindparam("reference")
)
_LOT: Final = (
    hold_lot.c.lot_id,
    lot.c.expires_on,
    hold_lot.c.amount_minor,
    hold_lot.c.captured_minor + hold_lot.c.released_minor,
)
_WITH_LOTS: Final = (
    _BY_ID.add_columns(*_LOT)
    .join(hold_lot, hold_lot.c.hold_id == hold.c.id)
    .join(lot, lot.c.id == hold_lot.c.lot_id)
    .order_by(lot.c.expires_on, lot.c.id)
)
#: The hold itself is not locked before its account: everybody takes them in that order.
_HOLDER: Final = accounts.named_by(select(hold.c.account_id).where(hold.c.id == bindparam("id")).scalar_subquery())
_COVERED: Final = (
    select(*_LOT)
    .join(lot, lot.c.id == hold_lot.c.lot_id)
    .where(hold_lot.c.hold_id == bindparam("hold_id"))
    .order_by(lot.c.expires_on, lot.c.id)
)
_KEEP: Final = (
    update(hold)
    .where(hold.c.id == bindparam("of"))
    .values(
        captured_minor=hold.c.captured_minor + bindparam("captured"),
        released_minor=hold.c.released_minor + bindparam("released"),
        changed_at=bindparam("at"),
    )
)
_CLOSE: Final = _KEEP.values(state=bindparam("ended"), sweep_at=None)
_BIND: Final = (
    update(hold)
    .where(hold.c.id == bindparam("of"))
    .values(order_no=bindparam("order"), expires_at=None, sweep_at=None, changed_at=bindparam("at"))
)


def _first(db: Connection, program: Program, wanted: NewHold) -> Hold | None:
    row = db.execute(_BY_REFERENCE, {"program_id": program.id, "reference": wanted.reference}).one_or_none()
    return None if row is None else Hold(*row)
