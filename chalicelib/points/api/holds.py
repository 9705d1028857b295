"""/v1/holds: reserve points for a basket or an order, capture what ships, release the rest."""

from collections.abc import Sequence
from datetime import date, datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.points import holds, redemptions
from chalicelib.points.api.redemption_shapes import LineBody, RedemptionView, lines_in
from chalicelib.points.api.whose import MemberBody, OrderNo, Reference, member_in_program, program_of
from chalicelib.points.holds import TTL_MAX, Covered, Hold, HoldEnded, NewHold, State
from chalicelib.points.lots import InsufficientPoints
from chalicelib.points.redemptions import HoldExceeded
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import HoldId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

_TTL_S_MAX = int(TTL_MAX.total_seconds())


class HoldBody(MemberBody):
    """Points to reserve, for a basket while its time lasts, or for an order without an end."""

    points: DecimalText = Field(description="How much, in the program's unit.")
    reference: Reference
    order_no: OrderNo = None
    ttl_s: int | None = Field(
        default=None,
        ge=1,
        le=_TTL_S_MAX,
        description="Seconds after which a basket's hold ends by itself; null: bound to an order, it does not end.",
        examples=[1800],
    )


class CaptureBody(Body):
    """What ships: all that is held, an amount, or lines that add up to one."""

    reference: Reference
    points: DecimalText | None = Field(default=None, description="Null: what the lines add up to, else all.")
    lines: list[LineBody] = Field(default=[], max_length=200, description="What may come back line by line.")


class ReleaseBody(Body):
    """What is given back; null: all that is still held."""

    points: DecimalText | None = None


class CoveredView(View):
    """What a hold covers of one lot; a lot has the id of the entry that opened it."""

    lot_id: PublicId
    expires_on: date
    points: AmountText = Field(description="Covered when the hold was placed.")
    open: AmountText = Field(description="Still covered.")


class HoldView(View):
    """One hold: of its points, some were captured, some released, the rest is open."""

    id: PublicId
    partner_id: PublicId
    program_id: PublicId
    member_id: PublicId
    reference: str
    order_no: str | None
    points: AmountText
    captured: AmountText
    released: AmountText
    open: AmountText
    state: State = Field(description="How it ended: lapsed when its points expired and the program lets them.")
    expires_at: datetime | None = Field(description="Null: bound to an order.")
    created_at: datetime
    lots: list[CoveredView]

    @classmethod
    def of(cls, found: Hold, covered: Sequence[Covered], scale: int) -> "HoldView":
        """The view of a hold with its lots."""
        return cls(
            id=public_id("hld", found.id),
            partner_id=public_id("par", found.partner_id),
            program_id=public_id("prg", found.program_id),
            member_id=public_id("mbr", found.member_id),
            reference=found.reference,
            order_no=found.order_no,
            points=amounts.text(found.amount_minor, scale),
            captured=amounts.text(found.captured_minor, scale),
            released=amounts.text(found.released_minor, scale),
            open=amounts.text(found.open_minor, scale),
            state=found.state,
            expires_at=found.expires_at,
            created_at=found.created_at,
            lots=[
                CoveredView(
                    lot_id=public_id("trf", each.lot_id),
                    expires_on=each.expires_on,
                    points=amounts.text(each.amount_minor, scale),
                    open=amounts.text(each.open_minor, scale),
                )
                for each in covered
            ],
        )


@endpoint(
    blueprint,
    "POST /v1/holds",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[InsufficientPoints, OtherContent, NotFound, UnknownReference, Unprocessable],
)
def place_hold(call: Call, body: HoldBody) -> Answer[HoldView]:
    """Reserve points, from the lots that expire first; the same reference again answers 200 with the first hold."""
    program, member = member_in_program(call, body)
    wanted = NewHold(
        member_id=member.id,
        amount_minor=amounts.minor(body.points, program.scale),
        reference=body.reference,
        order_no=body.order_no,
        ttl_s=body.ttl_s,
    )
    found, created = holds.place(call.db, program, wanted, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, HoldView.of(found, holds.covered(call.db, found.id), program.scale))


@endpoint(blueprint, "GET /v1/holds/{hold_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_hold(call: Call, hold_id: HoldId) -> HoldView:
    """One hold: its state, and the lots that it covers."""
    found = _visible(call, hold_id)
    program = program_of(call, found.program_id)
    return HoldView.of(found, holds.covered(call.db, found.id), program.scale)


@endpoint(
    blueprint,
    "POST /v1/holds/{hold_id}/capture",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[HoldEnded, HoldExceeded, InsufficientPoints, OtherContent, NotFound, Unprocessable],
)
def capture_hold(call: Call, hold_id: HoldId, body: CaptureBody) -> Answer[RedemptionView]:
    """Spend what a hold covers, in full or in part; the same reference again answers 200 with the first capture."""
    found = _visible(call, hold_id)
    program = program_of(call, found.program_id)
    lines = lines_in(body.lines, program.scale)
    points = None if body.points is None else amounts.minor(body.points, program.scale)
    if points is not None and lines and sum(line.amount_minor for line in lines) != points:
        raise Unprocessable("The lines do not add up to the points.", code="lines_unusable")
    made, created = redemptions.capture(
        call.db,
        program,
        found.id,
        reference=body.reference,
        amount_minor=points,
        lines=lines,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, RedemptionView.of(made))


@endpoint(
    blueprint,
    "POST /v1/holds/{hold_id}/release",
    scope=Scope.POINTS_SPEND,
    idempotent="required",
    raises=[HoldEnded, NotFound, Unprocessable],
)
def release_hold(call: Call, hold_id: HoldId, body: ReleaseBody) -> HoldView:
    """Give back what a hold still covers, or a part of it; a hold that has ended already stays as it is."""
    found = _visible(call, hold_id)
    program = program_of(call, found.program_id)
    points = None if body.points is None else amounts.minor(body.points, program.scale)
    released = holds.release(call.db, found.id, points, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return HoldView.of(released, holds.covered(call.db, found.id), program.scale)


def _visible(call: Call, hold_id: str) -> Hold:
    found = holds.by_id(call.db, raw_id("hld", hold_id))
    call.require_partner(found.partner_id)
    return found
