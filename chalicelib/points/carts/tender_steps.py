"""What happens to a tender: pieces are captured as they ship, given back as they return, and the rest is released.

Each step names pieces of lines; how many points and how much money they are follows exactly
(``points.carts.splitting``). The hold and the redemptions of a tender are moved by its steps alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, InvalidInput, OtherContent, UnknownReference
from chalicelib.partners.programs.programs import Program
from chalicelib.points.carts import splitting, tenders
from chalicelib.points.carts.tenders import Tender, TenderLine
from chalicelib.points.ledger import accounts
from chalicelib.points.models.ledger import redemption, redemption_line
from chalicelib.points.models.terms import tender, tender_line, tender_step
from chalicelib.points.spending import holds, redemptions, refunds
from chalicelib.points.spending.holds import HoldEnded
from chalicelib.points.spending.redemptions import Line
from chalicelib.points.spending.refunds import Wanted
from chalicelib.points.spending.refusals import HoldBound
from chalicelib.storage.ids import public_id

StepKind: TypeAlias = Literal["capture", "refund", "release"]


class Moved(NamedTuple):
    """What a capture or refund moved of one line."""

    line: str
    quantity: int
    points_minor: int
    cash_minor: int


class Step(NamedTuple):
    """A capture, refund or release, and whether it is new."""

    kind: StepKind
    reference: str
    moved: Sequence[Moved]
    new: bool


class PiecesExceeded(Conflict):
    """More pieces are to be captured, released or given back than the line has left for it."""

    code = "pieces_exceeded"


def capture(
    db: Connection,
    program: Program,
    tender_id: bytes,
    pieces: Mapping[str, int],
    *,
    reference: str,
    caller: Caller,
    now: datetime,
) -> Step:
    """Spend what points pay of the pieces that ship (none named: of all that are left), and tell the card's part.

    The same reference with the same pieces takes effect once. Raises OtherContent, PiecesExceeded, NotFound, HoldEnded
    for a cart whose time is over, also one that the card alone pays, and what ``redemptions.capture`` does.
    """
    found = _locked(db, tender_id)
    earlier = _step(db, found, "capture", reference, pieces)
    if earlier is not None:
        return earlier
    chosen = _chosen(found, pieces, lambda line: line.quantity - line.captured - line.released)
    _require_alive(db, found, now)
    moved = [Moved(line.line, number, *splitting.captured(line.sold, number)) for line, number in chosen]
    redemption_id = None
    spent = [Line(each.line, each.points_minor) for each in moved if each.points_minor]
    if spent and found.hold_id is not None:
        made, _ = redemptions.capture(
            db,
            program,
            found.hold_id,
            reference=f"{public_id('tnd', found.id)}.{sha256(reference.encode()).hexdigest()}",
            lines=spent,
            of_tender=found.id,
            caller=caller,
            now=now,
        )
        redemption_id = made.id
    for line, number in chosen:
        _count(db, found, line, captured=line.captured + number)
    return _kept(db, found, "capture", reference, pieces, moved, redemption_id=redemption_id, caller=caller, now=now)


def refund(
    db: Connection,
    program: Program,
    tender_id: bytes,
    pieces: Mapping[str, int],
    *,
    reference: str,
    reason: str | None = None,
    caller: Caller,
    now: datetime,
) -> Step:
    """Give back the points part of pieces that come back (none named: of all), and tell the card's part.

    Points go back to the lots they came from, in the order that the program had when the cart was placed. The same
    reference with the same pieces takes effect once. Raises OtherContent, PiecesExceeded, NotFound.
    """
    found = _locked(db, tender_id)
    earlier = _step(db, found, "refund", reference, pieces)
    if earlier is not None:
        return earlier
    chosen = _chosen(found, pieces, lambda line: line.captured - line.refunded)
    moved = [
        Moved(line.line, number, *splitting.given_back(line.sold, number, found.refund_order))
        for line, number in chosen
    ]
    key = f"{public_id('tnd', found.id)}.{sha256(reference.encode()).hexdigest()}"
    for redemption_id, wanted in _of_redemptions(db, found, moved).items():
        refunds.give_back(
            db,
            program,
            redemption_id,
            wanted,
            reference=key,
            reason=reason,
            of_tender=found.id,
            caller=caller,
            now=now,
        )
    for (line, number), each in zip(chosen, moved, strict=True):
        _count(
            db,
            found,
            line,
            refunded=line.refunded + number,
            refunded_points_minor=line.refunded_points_minor + each.points_minor,
            refunded_cash_minor=line.refunded_cash_minor + each.cash_minor,
        )
    return _kept(db, found, "refund", reference, pieces, moved, caller=caller, now=now)


def release(db: Connection, tender_id: bytes, *, caller: Caller, now: datetime) -> Tender:
    """Give up all pieces that are not captured, with the points that were reserved for them; again changes nothing."""
    found = _locked(db, tender_id)
    rest = [(line, line.quantity - line.captured - line.released) for line in found.lines]
    if not any(number for _, number in rest):
        return found
    if found.hold_id is not None:
        holds.release(db, found.hold_id, of_tender=found.id, caller=caller, now=now)
    for line, number in rest:
        _count(db, found, line, released=line.released + number)
    moved = [Moved(line.line, number, 0, 0) for line, number in rest if number]
    _kept(db, found, "release", "all", {}, moved, caller=caller, now=now)
    return tenders.by_id(db, tender_id)


def bind(db: Connection, tender_id: bytes, order_no: str, *, caller: Caller, now: datetime) -> Tender:
    """Bind a cart, and the points that are held for it, to the order that it became: it has no end any more.

    The same order again changes nothing. Raises HoldBound for a cart that is another order's, HoldEnded, NotFound.
    """
    found = _locked(db, tender_id)
    if found.expires_at is None:
        if found.order_no != order_no:
            raise HoldBound("The cart is bound to another order already.")
        return found
    _require_alive(db, found, now)
    if found.hold_id is not None and holds.by_id(db, found.hold_id).state == "open":
        holds.bind(db, found.hold_id, order_no, of_tender=found.id, caller=caller, now=now)
    db.execute(update(tender).where(tender.c.id == found.id).values(order_no=order_no, expires_at=None))
    return tenders.by_id(db, tender_id)


def _require_alive(db: Connection, found: Tender, now: datetime) -> None:
    """Raises HoldEnded for a cart whose pieces count as bought no more, whatever pays them."""
    if found.expires_at is not None and found.expires_at <= now:
        raise HoldEnded(f"The cart was kept until {found.expires_at.isoformat()}.")
    if found.hold_id is not None:
        state = holds.by_id(db, found.hold_id).state
        if state not in {"open", "captured"}:
            raise HoldEnded(f"The points of the cart are held no more: {state}.")


def _locked(db: Connection, tender_id: bytes) -> Tender:
    """The tender, its member's account locked from now on. Raises NotFound."""
    accounts.lock(db, tenders.by_id(db, tender_id).account_id)
    # Read again: what it was before the lock may be true no more.
    return tenders.by_id(db, tender_id)


def _chosen(
    found: Tender, pieces: Mapping[str, int], left: Callable[[TenderLine], int]
) -> list[tuple[TenderLine, int]]:
    """The lines and their pieces; of none named, all that are left. Raises PiecesExceeded, UnknownReference."""
    known = {line.line: line for line in found.lines}
    for name in pieces:
        if name not in known:
            raise UnknownReference(f"The tender has no line {name!r}.", code="unknown_line")
    chosen = []
    for line in found.lines:
        number = pieces.get(line.line, 0) if pieces else left(line)
        if number < 0 or (line.line in pieces and not number):
            raise InvalidInput("Name one piece or more of each line.", code="lines_unusable")
        if number > left(line):
            raise PiecesExceeded(f"Line {line.line!r} has {left(line)} pieces left for this.")
        if number:
            chosen.append((line, number))
    if not chosen:
        raise PiecesExceeded("No piece of this tender is left for this.")
    return chosen


def _of_redemptions(db: Connection, found: Tender, moved: Sequence[Moved]) -> dict[bytes, list[Wanted]]:
    """Which captures' lines give back how many points, the first captured ones first."""
    left = {each.line: each.points_minor for each in moved if each.points_minor}
    wanted: dict[bytes, list[Wanted]] = {}
    for redemption_id, line, rest in db.execute(_CAPTURED, {"tender_id": found.id}).all():
        part = min(left.get(line, 0), rest)
        if part:
            wanted.setdefault(redemption_id, []).append(Wanted(line, part))
            left[line] -= part
    if any(left.values()):
        raise Broken("A tender's captures spent less than its lines say.")
    return wanted


def _count(db: Connection, found: Tender, line: TenderLine, **counts: int) -> None:
    db.execute(
        update(tender_line)
        .where(tender_line.c.tender_id == found.id, tender_line.c.line_no == line.line_no)
        .values(**counts)
    )


def _step(db: Connection, found: Tender, kind: StepKind, reference: str, pieces: Mapping[str, int]) -> Step | None:
    """The step of this reference, where there was one. Raises OtherContent."""
    row = db.execute(_EARLIER, {"tender_id": found.id, "kind": kind, "reference": reference}).one_or_none()
    if row is None:
        return None
    if row.asked != _asked(pieces):
        raise OtherContent(f"The reference named another {kind} of this tender before.")
    return Step(kind, reference, [Moved(*each) for each in json.loads(row.parts)], new=False)


def _kept(
    db: Connection,
    found: Tender,
    kind: StepKind,
    reference: str,
    pieces: Mapping[str, int],
    moved: Sequence[Moved],
    *,
    redemption_id: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> Step:
    row: dict[str, Any] = {
        "tender_id": found.id,
        "kind": kind,
        "reference": reference,
        "partner_id": found.partner_id,
        "asked": _asked(pieces),
        "parts": json.dumps(moved),
        "redemption_id": redemption_id,
        "actor": caller.actor,
        "at": now,
    }
    db.execute(insert(tender_step), row)
    return Step(kind, reference, moved, new=True)


def _asked(pieces: Mapping[str, int]) -> str:
    return sha256(json.dumps(sorted(pieces.items())).encode()).hexdigest()


_EARLIER: Final = select(tender_step.c.asked, tender_step.c.parts).where(
    tender_step.c.tender_id == bindparam("tender_id"),
    tender_step.c.kind == bindparam("kind"),
    tender_step.c.reference == bindparam("reference"),
)
_CAPTURED: Final = (
    select(
        redemption_line.c.redemption_id,
        redemption_line.c.line,
        redemption_line.c.amount_minor - redemption_line.c.refunded_minor,
    )
    .join(tender_step, tender_step.c.redemption_id == redemption_line.c.redemption_id)
    .join(redemption, redemption.c.id == redemption_line.c.redemption_id)
    .where(tender_step.c.tender_id == bindparam("tender_id"), tender_step.c.kind == "capture")
    .order_by(redemption.c.seq)
)
