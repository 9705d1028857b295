"""Refunds: lines that come back give their points to the lots they were taken from.

The lines of a redemption lie over its lots in their order, so each line knows which lots it took: the first line took
what expires first. Of a line that comes back in part, what expires last comes back first. Points come back with their
old last day, or with the program's grace where that is later.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import (
    Broken,
    Conflict,
    InvalidInput,
    NotFound,
    OtherContent,
    UnknownReference,
    Unprocessable,
)
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER, Program
from chalicelib.points.ledger import accounts, laying, losses, lots, overdrafts, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.laying import Laid
from chalicelib.points.ledger.losses import Because
from chalicelib.points.ledger.lots import Taken, Use
from chalicelib.points.ledger.transfers import NewLot
from chalicelib.points.models.ledger import redemption, redemption_line, refund, refund_line
from chalicelib.points.spending import redemptions, refusals
from chalicelib.points.spending.redemptions import SoldLine
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids


class Wanted(NamedTuple):
    """A line that comes back; ``amount_minor`` None: all that has not come back yet."""

    line: str
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Points given back. ``transfer_id`` is its entry in the ledger."""

    id: bytes
    redemption_id: bytes
    reference: str
    transfer_id: bytes
    amount_minor: int
    reason: str | None
    business_date: date
    refunded_at: datetime


class LineRefunded(Conflict):
    """The line came back in full already."""

    code = "line_refunded"


class RefundExceedsLine(Unprocessable):
    """More is to be given back than was paid for the line and has not come back yet."""

    code = "refund_exceeds_line"


class _Repeated(Broken):
    """The reference was refunded before; not a fault unless that refund cannot be found."""


def give_back(
    db: Connection,
    program: Program,
    redemption_id: bytes,
    wanted: Sequence[Wanted],
    *,
    reference: str,
    reason: str | None = None,
    of_tender: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[Refund, bool]:
    """Give back the points of some lines; the refund, and whether it is new.

    ``reference`` is the shop's own: the same one with the same content is refunded once of a redemption. What a
    reversal had given up of the points is taken, and what the account owes is repaid first. ``of_tender`` names the
    tender that asks. Raises OtherContent, LineRefunded, RefundExceedsLine, UnknownReference for a line that was never
    sold, refusals.BelongsToTender, NotFound.
    """
    holder = _lock(db, redemption_id)
    found, tender_id = redemptions.lines_and_tender(db, redemption_id)
    refusals.require_own(tender_id, of_tender)
    lines = {each.line: each for each in found}
    today = programs.business_date(now, program)
    refund_id, transfer_id = new_ids(2)
    # The reference is most likely new, and its unique key says so: only when it is not, or when the lines cannot come
    # back, is the first refund looked for.
    try:
        parts = _parts(lines, wanted)
        amount_minor = sum(parts.values())
        made = Refund(refund_id, redemption_id, reference, transfer_id, amount_minor, reason, today, now)
        numbered = {lines[line].line_no: amount for line, amount in parts.items()}
        _keep(db, made, holder.partner_id, numbered, caller)
    except (InvalidInput, Conflict, _Repeated) as refusal:
        return _again(db, _earlier(db, redemption_id, reference, refusal), lines, wanted), False
    uses = lots.used_by(db, redemption_id, _USED)
    returned, opened = _returned(
        laying.returning(
            [Laid(each.line_no, each.amount_minor, each.refunded_minor) for each in lines.values()], uses, numbered
        ),
        today=today,
        grace_days=policy.of(program).refund_grace_days,
    )
    transfers.post(
        db,
        holder,
        amount_minor,
        kind="refund",
        source_id=refund_id,
        uses=returned,
        opens=opened,
        business_date=today,
        now=now,
        transfer_id=transfer_id,
    )
    lost = losses.of_account(db, holder.id)
    if lost:
        back = [Taken(each.lot_id, -each.amount_minor) for each in returned]
        back += [Taken(transfer_id, opened.amount_minor)] if opened is not None else []
        sold_at = redemptions.by_id(db, redemption_id).redeemed_at
        losses.regain(db, holder, lost, back, spent_at=sold_at, because=Because(refund_id, today, caller, now))
    overdrafts.repay(db, holder, day=today, now=now)
    transfers.finish(db, holder, now=now)
    return made, True


def of_redemption(db: Connection, redemption_id: bytes) -> list[Refund]:
    """The refunds of a redemption, oldest first."""
    return [Refund(*row) for row in db.execute(_OF_REDEMPTION, {"redemption_id": redemption_id})]


def by_id(db: Connection, refund_id: bytes) -> Refund:
    """One refund. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": refund_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such refund.")
    return Refund(*row)


def _parts(lines: Mapping[str, SoldLine], wanted: Sequence[Wanted]) -> dict[str, int]:
    """How much of each line comes back. Raises as ``give_back`` says."""
    if not wanted or len({each.line for each in wanted}) != len(wanted):
        raise Unprocessable("Name every line that comes back, each once.", code="lines_unusable")
    parts = {}
    for line, amount_minor in wanted:
        sold = lines.get(line)
        if sold is None:
            raise UnknownReference("The redemption has no line of this name.", code="unknown_line")
        rest = sold.amount_minor - sold.refunded_minor
        if not rest:
            raise LineRefunded("The line came back in full already.")
        part = rest if amount_minor is None else amount_minor
        if not 0 < part <= rest:
            raise RefundExceedsLine("More is to be given back than was paid for the line and has not come back yet.")
        parts[line] = part
    return parts


def _returned(parts: Sequence[Use], *, today: date, grace_days: int) -> tuple[list[Taken], NewLot | None]:
    """What goes back to which lot, and the lot that is opened for what would expire before its grace is over."""
    kept_until = date.min
    if grace_days:
        kept_until = NEVER if (NEVER - today).days <= grace_days else today + timedelta(days=grace_days)
    returned = [Taken(each.lot_id, -each.amount_minor) for each in parts if each.expires_on >= kept_until]
    graced = sum(each.amount_minor for each in parts if each.expires_on < kept_until)
    return returned, NewLot(graced, kept_until) if graced else None


def _again(db: Connection, earlier: Refund, lines: Mapping[str, SoldLine], wanted: Sequence[Wanted]) -> Refund:
    kept: dict[int, int] = {row[0]: row[1] for row in db.execute(_KEPT, {"refund_id": earlier.id})}
    asked = {lines[each.line].line_no: each.amount_minor for each in wanted if each.line in lines}
    same = asked.keys() == kept.keys() and len(asked) == len(wanted)
    if not same or any(amount not in {None, kept[line]} for line, amount in asked.items()):
        raise OtherContent("The reference refunded other lines of this redemption before.")
    return earlier


def _keep(db: Connection, made: Refund, partner_id: bytes, parts: Mapping[int, int], caller: Caller) -> None:
    row = {name: getattr(made, name) for name in Refund.__slots__}
    row |= {"partner_id": partner_id, "actor": caller.actor, "correlation_id": caller.correlation_id}
    if bulk.insert_new(db, refund, [row], key=("redemption_id", "reference")):
        raise _Repeated("A reference was taken when it was written and free when it was read.")
    given = {"refund_id": made.id, "redemption_id": made.redemption_id, "partner_id": partner_id}
    bulk.insert(
        db, refund_line, [{**given, "line_no": number, "amount_minor": parts[number]} for number in sorted(parts)]
    )
    bulk.add(
        db,
        redemption_line,
        {number: (amount,) for number, amount in parts.items()},
        key="line_no",
        columns=("refunded_minor",),
        within={"redemption_id": made.redemption_id},
    )


_REFUND: Final = select(*(refund.c[name] for name in Refund.__slots__))
_BY_ID: Final = _REFUND.where(refund.c.id == bindparam("id"))
_OF_REDEMPTION: Final = _REFUND.where(refund.c.redemption_id == bindparam("redemption_id")).order_by(refund.c.id)
_EARLIER: Final = _REFUND.where(
    refund.c.redemption_id == bindparam("redemption_id"), refund.c.reference == bindparam("reference")
)
_KEPT: Final = select(refund_line.c.line_no, refund_line.c.amount_minor).where(
    refund_line.c.refund_id == bindparam("refund_id")
)
#: Neither of what these read from a redemption ever changes.
_HOLDER: Final = accounts.named_by(
    select(redemption.c.account_id).where(redemption.c.id == bindparam("id")).scalar_subquery()
)
_USED: Final = lots.uses_of(
    select(redemption.c.transfer_id).where(redemption.c.id == bindparam("transfer_id")).scalar_subquery()
)


def _lock(db: Connection, redemption_id: bytes) -> Locked:
    try:
        return accounts.lock(db, redemption_id, _HOLDER)
    except NotFound:
        raise NotFound("There is no such redemption.") from None


def _earlier(db: Connection, redemption_id: bytes, reference: str, refusal: Exception) -> Refund:
    """The first refund of a reference. Raises ``refusal`` when there is none."""
    row = db.execute(_EARLIER, {"redemption_id": redemption_id, "reference": reference}).one_or_none()
    if row is None:
        raise refusal
    return Refund(*row)
