"""Tenders: a cart that points pay first, as far as they go, and a card the rest.

The hub reserves the points part (``points.spending.holds``) and tells the store what to charge to the card, line by
line. A cart of which the program does not pay a line is refused as a whole.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Fault, InvalidInput, NotFound, OtherContent, Unprocessable
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Tender as TenderTerms
from chalicelib.points.carts import eligibility, splitting
from chalicelib.points.carts.eligibility import IN_PIECES, CartLine, Verdict
from chalicelib.points.carts.splitting import Part, Priced, RefundOrder, Sold
from chalicelib.points.ledger import accounts
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.ledger.transfers import AMOUNT_MINOR_MAX
from chalicelib.points.models.terms import tender, tender_line
from chalicelib.points.spending import holds, refusals
from chalicelib.points.spending.holds import NewHold
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id


@dataclass(frozen=True, slots=True)
class NewTender:
    """A cart to pay. ``points_max_minor``: the member wants to spend no more points; ``ttl_s`` as of a hold."""

    lines: Sequence[CartLine]
    reference: str
    order_no: str | None = None
    ttl_s: int | None = None
    points_max_minor: int | None = None


@dataclass(frozen=True, slots=True)
class TenderLine:
    """One line; ``price_minor`` is of all its pieces and is what points paid of it and ``cash_minor``."""

    line_no: int
    line: str
    sku: str | None
    garment_group: str | None
    quantity: int
    price_minor: int
    points_minor: int
    cash_minor: int
    captured: int = 0
    released: int = 0
    refunded: int = 0
    refunded_points_minor: int = 0
    refunded_cash_minor: int = 0

    @property
    def sold(self) -> Sold:
        """The line as the arithmetic takes it."""
        return Sold(*(getattr(self, name) for name in Sold._fields))


@dataclass(frozen=True, slots=True)
class Tender:
    """A cart with its parts. Points in minor units of the program, money in minor units of ``currency``.

    ``refund_order`` is what comes back first of a line that was paid with both: the program's word when it was placed.
    """

    id: bytes
    partner_id: bytes
    program_id: bytes
    member_id: bytes
    account_id: bytes
    reference: str
    order_no: str | None
    hold_id: bytes | None
    currency: str
    decimals: int
    refund_order: RefundOrder
    points_minor: int
    cash_minor: int
    asked: str
    expires_at: datetime | None
    created_at: datetime
    lines: tuple[TenderLine, ...] = ()


class NotEligible(Unprocessable):
    """The program does not pay for a line of the cart; ``faults`` says for each of them why."""

    code = "not_eligible"


class TenderNotOffered(Unprocessable):
    """The program has no price in money."""

    code = "tender_not_offered"


def quote(db: Connection, program: Program, member: MemberRef, wanted: NewTender, *, now: datetime) -> Tender:
    """What points and card would pay; nothing is written or reserved. Raises as ``place`` does."""
    own = offered(program)
    lines = _parts(db, program, own, member, wanted, now)
    return _tender(program, own, member, wanted, lines, now)


def place(
    db: Connection, program: Program, member: MemberRef, wanted: NewTender, *, caller: Caller, now: datetime
) -> tuple[Tender, bool]:
    """Reserve the points part of a cart; the tender, and whether it is new.

    The same reference with the same cart returns the first tender, whatever became of it. Raises OtherContent,
    NotEligible, TenderNotOffered, InsufficientPoints where points do not suffice and no card may pay, InvalidInput for
    a line without a price in the program's currency, refusals.HoldWithoutEnd, and what ``holds.place`` does.
    """
    refusals.require_end(wanted.ttl_s, wanted.order_no)
    own = offered(program)
    of = account_id(program.id, MEMBER, member.id)
    # Before anything is read: two carts of one member must not both see the pieces that are left.
    accounts.lock_members(db, program.partner_id, {of: (program.id, member.id)}, now=now)
    earlier = db.execute(_BY_REFERENCE, {"program_id": program.id, "reference": wanted.reference}).scalar_one_or_none()
    if earlier is not None:
        found = by_id(db, earlier)
        if found.asked != _asked(member, wanted):
            raise OtherContent("The reference named another cart before.")
        return found, False
    made = _tender(program, own, member, wanted, _parts(db, program, own, member, wanted, now), now)
    if made.points_minor:
        hold = NewHold(member.id, made.points_minor, public_id("tnd", made.id), wanted.order_no, wanted.ttl_s)
        held, _ = holds.place(db, program, hold, caller=caller, now=now)
        made = replace(made, hold_id=held.id)
    row = {name: getattr(made, name) for name in Tender.__slots__ if name != "lines"}
    row |= {
        "business_date": programs.business_date(now, program),
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
    }
    if bulk.insert_new(db, tender, [row], key=("program_id", "reference")):
        raise OtherContent("The reference is being used for another member's cart.")
    named = {"tender_id": made.id, "partner_id": made.partner_id}
    bulk.insert(
        db,
        tender_line,
        [{**named, **{name: getattr(line, name) for name in TenderLine.__slots__}} for line in made.lines],
    )
    return made, True


def by_id(db: Connection, tender_id: bytes) -> Tender:
    """One tender with its lines as they are now. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": tender_id}).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such tender.")
    lines = tuple(TenderLine(*line) for line in db.execute(_LINES, {"id": tender_id}))
    return Tender(**row, lines=lines)


def offered(program: Program) -> TenderTerms:
    """The program's terms for paying with points and a card. Raises TenderNotOffered."""
    own = terms.of(program.terms).tender
    if own is None:
        raise TenderNotOffered("The program has no price in money.")
    return own


def _parts(
    db: Connection, program: Program, own: TenderTerms, member: MemberRef, wanted: NewTender, now: datetime
) -> list[TenderLine]:
    found = eligibility.check(db, member, wanted.lines, program_code=program.code, now=now)
    refused = [
        Fault(f"/lines/{number}", said.reason, f"{said.line.line}: {said.message}")
        for number, said in enumerate(found.verdicts)
        if not said.eligible
    ]
    if refused:
        raise NotEligible("The program does not pay for every line of this cart.", faults=refused)
    [(_, available, _)] = found.wallets
    if wanted.points_max_minor is not None:
        available = min(available, wanted.points_max_minor)
    priced = [_priced(number, said, program, own) for number, said in enumerate(found.verdicts)]
    # Minor units of money that one minor unit of points pays.
    value = Fraction(Decimal(own.point_value).scaleb(own.decimals - program.scale))
    parts = splitting.split(priced, available, value)
    if not own.card and any(_short(line, part, value) for line, part in zip(priced, parts, strict=True)):
        raise InsufficientPoints("The points do not suffice, and the program takes no card for the rest.")
    return [
        TenderLine(
            number,
            said.line.line,
            said.line.sku,
            said.garment_group,
            line.quantity,
            line.price_minor,
            part.points_minor,
            part.cash_minor,
        )
        for number, (said, line, part) in enumerate(zip(found.verdicts, priced, parts, strict=True), start=1)
    ]


def _short(line: Priced, part: Part, value: Fraction) -> bool:
    """Whether more points would pay more of a line; what is worth less than one of them is not short."""
    if line.points_minor is not None:
        return part.points_minor < line.points_minor
    return part.cash_minor > 0 and (not value or part.cash_minor >= value)


def _priced(number: int, said: Verdict, program: Program, own: TenderTerms) -> Priced:
    line = said.line
    if line.price is None or line.currency != own.currency or line.price < 0:
        message = f"A line has a price in {own.currency}."
        raise InvalidInput(message, code="price_missing", faults=[Fault(f"/lines/{number}/price", "missing", message)])
    scaled = line.price.scaleb(own.decimals)
    if scaled != int(scaled):
        message = f"{own.currency} has {own.decimals} decimals here."
        raise InvalidInput(message, code="excess_digits", faults=[Fault(f"/lines/{number}/price", "digits", message)])
    if scaled * line.quantity > AMOUNT_MINOR_MAX:
        most = Decimal(AMOUNT_MINOR_MAX).scaleb(-own.decimals)
        message = f"All pieces of a line cost {most} {own.currency} at most."
        faults = [Fault(f"/lines/{number}/price", "price_out_of_range", message)]
        raise InvalidInput(message, code="price_out_of_range", faults=faults)
    return Priced(line.quantity, int(scaled) * line.quantity, said.points_minor, program.kind in IN_PIECES)


def _tender(
    program: Program,
    own: TenderTerms,
    member: MemberRef,
    wanted: NewTender,
    lines: Sequence[TenderLine],
    now: datetime,
) -> Tender:
    return Tender(
        id=new_id(),
        partner_id=program.partner_id,
        program_id=program.id,
        member_id=member.id,
        account_id=account_id(program.id, MEMBER, member.id),
        reference=wanted.reference,
        order_no=wanted.order_no,
        hold_id=None,
        currency=own.currency,
        decimals=own.decimals,
        refund_order=own.refund,
        points_minor=sum(line.points_minor for line in lines),
        cash_minor=sum(line.cash_minor for line in lines),
        asked=_asked(member, wanted),
        expires_at=None if wanted.ttl_s is None else now + timedelta(seconds=wanted.ttl_s),
        created_at=now,
        lines=tuple(lines),
    )


def _asked(member: MemberRef, wanted: NewTender) -> str:
    told = [member.id.hex(), wanted.order_no, wanted.ttl_s, wanted.points_max_minor]
    lines = [[str(getattr(line, name)) for name in CartLine.__slots__] for line in wanted.lines]
    return sha256(json.dumps([told, lines]).encode()).hexdigest()


_TENDER: Final = select(*(tender.c[name] for name in Tender.__slots__ if name != "lines"))
_BY_ID: Final = _TENDER.where(tender.c.id == bindparam("id"))
_BY_REFERENCE: Final = select(tender.c.id).where(
    tender.c.program_id == bindparam("program_id"), tender.c.reference == bindparam("reference")
)
_LINES: Final = (
    select(*(tender_line.c[name] for name in TenderLine.__slots__))
    .where(tender_line.c.tender_id == bindparam("id"))
    .order_by(tender_line.c.line_no)
)
