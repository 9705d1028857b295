"""Refunds: lines that come back give their points to the lots they were taken from.

The lines of a redemption lie over its lots in their order, so each line knows which lots it took: the first line took
what expires first. Of a line that comes back in part, what expires last comes back first. Points come back with their
old last day, or with the program's grace where that is later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.partners import programs
from chalicelib.partners.programs import NEVER, Program
from chalicelib.points import accounts, ledger, lots, overdrafts, policy, redemptions
from chalicelib.points.ledger import NewLot
from chalicelib.points.lots import Taken, Use
from chalicelib.points.models import redemption_line, refund, refund_line
from chalicelib.points.redemptions import SoldLine
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id


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


def give_back(
    db: Connection,
    program: Program,
    redemption_id: bytes,
    wanted: Sequence[Wanted],
    *,
    reference: str,
    reason: str | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[Refund, bool]:
    """Give back the points of some lines; the refund, and whether it is new.

    ``reference`` is the shop's own: the same one with the same content is refunded once of a redemption. What an
    account owes is repaid first. Raises OtherContent, LineRefunded, RefundExceedsLine, UnknownReference for a line that
    was never sold, NotFound.
    """
    sold = redemptions.by_id(db, redemption_id)
    holder = accounts.lock(db, sold.account_id)
    lines = {each.line: each for each in redemptions.lines_of(db, redemption_id)}
    earlier = _earlier(db, redemption_id, reference)
    if earlier is not None:
        return _again(db, earlier, lines, wanted), False
    parts = _parts(lines, wanted)
    amount_minor = sum(parts.values())
    today = programs.business_date(now, program)
    returned, opened = _returned(
        _laid_over(list(lines.values()), lots.used_by(db, sold.transfer_id), parts),
        today=today,
        grace_days=policy.of(program).refund_grace_days,
    )
    refund_id = new_id()
    transfer_id = ledger.post(
        db,
        holder,
        amount_minor,
        kind="refund",
        source_id=refund_id,
        uses=returned,
        opens=opened,
        business_date=today,
        now=now,
    )
    made = Refund(refund_id, redemption_id, reference, transfer_id, amount_minor, reason, today, now)
    _keep(db, made, holder.partner_id, {lines[line].line_no: amount for line, amount in parts.items()}, caller)
    overdrafts.repay(db, holder, day=today)
    ledger.finish(db, holder, now=now)
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


def _laid_over(lines: Sequence[SoldLine], uses: Sequence[Use], parts: Mapping[str, int]) -> list[Use]:
    """How much of each lot comes back."""
    spans = []
    start = 0
    for each in lines:
        end = start + each.amount_minor - each.refunded_minor
        if each.line in parts:
            spans.append((end - parts[each.line], end))
        start += each.amount_minor
    found = []
    start = 0
    for lot_id, amount_minor, expires_on in uses:
        end = start + amount_minor
        part = sum(max(0, min(end, until) - max(start, since)) for since, until in spans)
        if part:
            found.append(Use(lot_id, part, expires_on))
        start = end
    return found


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
    bulk.insert(db, refund, [row])
    given = {"refund_id": made.id, "redemption_id": made.redemption_id, "partner_id": partner_id}
    db.execute(_LINE, [{**given, "line_no": number, "amount_minor": parts[number]} for number in sorted(parts)])
    db.execute(
        _COUNT, [{"of": made.redemption_id, "number": number, "amount": parts[number]} for number in sorted(parts)]
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
_LINE: Final = insert(refund_line)
_COUNT: Final = (
    update(redemption_line)
    .where(redemption_line.c.redemption_id == bindparam("of"), redemption_line.c.line_no == bindparam("number"))
    .values(refunded_minor=redemption_line.c.refunded_minor + bindparam("amount"))
)


def _earlier(db: Connection, redemption_id: bytes, reference: str) -> Refund | None:
    row = db.execute(_EARLIER, {"redemption_id": redemption_id, "reference": reference}).one_or_none()
    return None if row is None else Refund(*row)
