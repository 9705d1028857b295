"""/v1/tenders: pay a cart with points first and a card for the rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import InvalidInput, NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs.programs import Program
from chalicelib.points.api.eligibility import QUANTITY_MAX, CartLineBody, require_names
from chalicelib.points.api.holds import BindBody
from chalicelib.points.api.whose import MemberBody, OrderNo, Reference, member_in_program, program_of
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tender_steps import PiecesExceeded, Step
from chalicelib.points.carts.tenders import NewTender, NotEligible, Tender, TenderNotOffered
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.spending.holds import TTL_MAX, HoldEnded
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.points.spending.refusals import HoldBound, HoldWithoutEnd
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import TenderId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

_TTL_S_MAX = int(TTL_MAX.total_seconds())


class QuoteBody(MemberBody):
    """A cart, and how many points the member wants to spend."""

    lines: list[CartLineBody] = Field(min_length=1, max_length=200)
    points_max: DecimalText | None = Field(None, description="Spend no more points than these; null: all there are.")


class TenderBody(QuoteBody):
    """A cart to pay, for as long as its basket lasts or for an order."""

    reference: Reference
    order_no: OrderNo = None
    ttl_s: int | None = Field(
        default=None,
        ge=1,
        le=_TTL_S_MAX,
        description="Seconds for which a basket's points are held; null: bound to `order_no`, without an end.",
        examples=[1800],
    )


class PiecesBody(Body):
    """Pieces of one line."""

    line: str = Field(min_length=1, max_length=40, examples=["1"])
    quantity: int = Field(ge=1, le=QUANTITY_MAX)


class TenderCaptureBody(Body):
    """What ships; no lines: all that is left."""

    reference: Reference
    lines: list[PiecesBody] = Field(default=[], max_length=200)


class TenderRefundBody(TenderCaptureBody):
    """What comes back; no lines: all that was captured."""

    reason: str | None = Field(default=None, max_length=200)


class TenderLineView(View):
    """One line: its price is what points pay of it, and what the card does."""

    line: str
    sku: str | None
    garment_group: str | None
    quantity: int
    price: AmountText = Field(description="Of all pieces, in money.")
    points: AmountText
    cash: AmountText
    captured: int = Field(description="Pieces.")
    released: int
    refunded: int


class QuoteView(View):
    """What points and card pay, line by line."""

    program_id: PublicId
    member_id: PublicId
    currency: str
    points: AmountText
    cash: AmountText
    lines: list[TenderLineView]


class TenderView(QuoteView):
    """A cart with its parts; the points part is held by ``hold_id``, null where the card pays all."""

    id: PublicId
    partner_id: PublicId
    reference: str
    order_no: str | None
    hold_id: PublicId | None
    expires_at: datetime | None
    created_at: datetime


class MovedLineView(View):
    """What moved of one line."""

    line: str
    quantity: int
    points: AmountText
    cash: AmountText


class StepView(View):
    """What was captured or comes back: the points are done, the money is for the card."""

    tender_id: PublicId
    kind: Literal["capture", "refund", "release"]
    reference: str
    points: AmountText
    cash: AmountText
    currency: str
    lines: list[MovedLineView]


_REFUSALS = [
    NotEligible,
    TenderNotOffered,
    InsufficientPoints,
    InvalidInput,
    NotFound,
    UnknownReference,
    Unprocessable,
]


@endpoint(blueprint, "POST /v1/tenders/quote", scope=Scope.LEDGER_READ, idempotent=False, raises=_REFUSALS)
def quote_tender(call: Call, body: QuoteBody) -> QuoteView:
    """Tell what points and a card would pay of a cart, line by line; nothing is reserved."""
    program, member, wanted = _wanted(call, body, reference="quote")
    return QuoteView.model_validate(_shown(program, tenders.quote(call.db, program, member, wanted, now=call.now)))


@endpoint(
    blueprint,
    "POST /v1/tenders",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[*_REFUSALS, EmploymentEnded, HoldWithoutEnd, OtherContent],
)
def place_tender(call: Call, body: TenderBody) -> Answer[TenderView]:
    """Hold what points pay of a cart and tell what the card pays; the same reference again answers 200."""
    program, member, wanted = _wanted(call, body, reference=body.reference, order_no=body.order_no, ttl_s=body.ttl_s)
    made, created = tenders.place(call.db, program, member, wanted, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, _view(program, made))


@endpoint(blueprint, "GET /v1/tenders/{tender_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_tender(call: Call, tender_id: TenderId) -> TenderView:
    """Show a tender with what was captured, released and given back of each line."""
    program, found = _visible(call, tender_id)
    return _view(program, found)


@endpoint(
    blueprint,
    "POST /v1/tenders/{tender_id}/bind",
    scope=Scope.POINTS_SPEND,
    idempotent=True,
    raises=[HoldBound, HoldEnded, NotFound],
)
def bind_tender(call: Call, tender_id: TenderId, body: BindBody) -> TenderView:
    """Bind a cart to the order that it became: it ends no more; the same order again changes nothing."""
    program, found = _visible(call, tender_id)
    bound = tender_steps.bind(call.db, found.id, body.order_no, caller=call.caller, now=call.now)
    return _view(program, bound)


@endpoint(
    blueprint,
    "POST /v1/tenders/{tender_id}/capture",
    scope=Scope.POINTS_SPEND,
    idempotent=True,
    raises=[PiecesExceeded, HoldEnded, EmploymentEnded, OtherContent, NotFound, UnknownReference, Unprocessable],
)
def capture_tender(call: Call, tender_id: TenderId, body: TenderCaptureBody) -> StepView:
    """Spend the points part of the pieces that ship, and tell what the card pays of them."""
    program, found = _visible(call, tender_id)
    step = tender_steps.capture(
        call.db, program, found.id, _pieces(body.lines), reference=body.reference, caller=call.caller, now=call.now
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return _step(program, found, step)


@endpoint(
    blueprint,
    "POST /v1/tenders/{tender_id}/refund",
    scope=Scope.POINTS_SPEND,
    idempotent=True,
    raises=[PiecesExceeded, OtherContent, NotFound, UnknownReference, Unprocessable],
)
def refund_tender(call: Call, tender_id: TenderId, body: TenderRefundBody) -> StepView:
    """Give back the points part of pieces that came back, and tell what goes back to the card."""
    program, found = _visible(call, tender_id)
    step = tender_steps.refund(
        call.db,
        program,
        found.id,
        _pieces(body.lines),
        reference=body.reference,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return _step(program, found, step)


@endpoint(
    blueprint,
    "POST /v1/tenders/{tender_id}/release",
    scope=Scope.POINTS_SPEND,
    idempotent="required",
    raises=[NotFound],
)
def release_tender(call: Call, tender_id: TenderId) -> TenderView:
    """Give up all pieces that are not captured, and the points that were held for them."""
    program, found = _visible(call, tender_id)
    released = tender_steps.release(call.db, found.id, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return _view(program, released)


def _wanted(
    call: Call, body: QuoteBody, *, reference: str, order_no: str | None = None, ttl_s: int | None = None
) -> tuple[Program, MemberRef, NewTender]:
    program, member = member_in_program(call, body)
    lines = [each.cart_line() for each in body.lines]
    require_names(lines)
    most = None if body.points_max is None else amounts.minor(body.points_max, program.scale)
    return program, member, NewTender(lines, reference, order_no, ttl_s, most)


def _visible(call: Call, text: str) -> tuple[Program, Tender]:
    found = tenders.by_id(call.db, raw_id("tnd", text))
    call.require_partner(found.partner_id)
    return program_of(call, found.program_id), found


def _pieces(lines: Sequence[PiecesBody]) -> dict[str, int]:
    named = {each.line: each.quantity for each in lines}
    if len(named) != len(lines):
        raise InvalidInput("Every line is named once.", code="lines_unusable")
    return named


def _shown(program: Program, found: Tender) -> dict[str, object]:
    scale, decimals = program.scale, found.decimals
    return {
        "program_id": public_id("prg", program.id),
        "member_id": public_id("mbr", found.member_id),
        "currency": found.currency,
        "points": amounts.text(found.points_minor, scale),
        "cash": amounts.text(found.cash_minor, decimals),
        "lines": [
            TenderLineView(
                line=each.line,
                sku=each.sku,
                garment_group=each.garment_group,
                quantity=each.quantity,
                price=amounts.text(each.price_minor, decimals),
                points=amounts.text(each.points_minor, scale),
                cash=amounts.text(each.cash_minor, decimals),
                captured=each.captured,
                released=each.released,
                refunded=each.refunded,
            )
            for each in found.lines
        ],
    }


def _view(program: Program, found: Tender) -> TenderView:
    return TenderView.model_validate(
        {
            **_shown(program, found),
            "id": public_id("tnd", found.id),
            "partner_id": public_id("par", found.partner_id),
            "reference": found.reference,
            "order_no": found.order_no,
            "hold_id": None if found.hold_id is None else public_id("hld", found.hold_id),
            "expires_at": found.expires_at,
            "created_at": found.created_at,
        }
    )


def _step(program: Program, found: Tender, step: Step) -> StepView:
    return StepView(
        tender_id=public_id("tnd", found.id),
        kind=step.kind,
        reference=step.reference,
        points=amounts.text(sum(each.points_minor for each in step.moved), program.scale),
        cash=amounts.text(sum(each.cash_minor for each in step.moved), found.decimals),
        currency=found.currency,
        lines=[
            MovedLineView(
                line=each.line,
                quantity=each.quantity,
                points=amounts.text(each.points_minor, program.scale),
                cash=amounts.text(each.cash_minor, found.decimals),
            )
            for each in step.moved
        ],
    )
