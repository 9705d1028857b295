"""/v1/holds: reserve points for a basket or an order, bind them to it, capture what ships, release the rest."""

from collections.abc import Sequence
from datetime import date, datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.audit import AuditEvent, AuditFilter
from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.points.api.ledger import OpenedView
from chalicelib.points.api.redemption_shapes import LineBody, RedemptionView, lines_in
from chalicelib.points.api.whose import MemberBody, OrderNo, Reference, member_in_program, program_of
from chalicelib.points.earning import causes
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.spending import holds, redemptions
from chalicelib.points.spending.holds import TTL_MAX, Covered, Hold, HoldEnded, NewHold, State
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.points.spending.redemptions import HoldExceeded
from chalicelib.points.spending.refusals import BelongsToTender, HoldBound, HoldWithoutEnd
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
#: Changes that a hold's lineage shows.
_CHANGES_MAX = 200


class HoldBody(MemberBody):
    """Points to reserve, for a basket while its time lasts, or for an order without an end."""

    points: DecimalText = Field(description="How much, in the program's unit.")
    reference: Reference
    order_no: OrderNo = None
    ttl_s: int | None = Field(
        default=None,
        ge=1,
        le=_TTL_S_MAX,
        description="Seconds after which a basket's hold ends by itself; null: bound to `order_no`, it does not end.",
        examples=[1800],
    )


class BindBody(Body):
    """The order that a basket became."""

    order_no: str = Field(min_length=1, max_length=100, description="The shop's order number.", examples=["SO-10047"])


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
    tender_id: PublicId | None = Field(description="The cart that it pays, which alone moves it; null: none.")
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
            tender_id=None if found.tender_id is None else public_id("tnd", found.tender_id),
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


class OriginView(View):
    """A lot that a hold covers, and the entry that opened it."""

    lot_id: PublicId
    opened_by: OpenedView


class ChangeView(View):
    """A release of points, or the order that a basket became."""

    action: str = Field(examples=["hold.released", "hold.bound"])
    at: datetime
    actor: str
    correlation_id: str
    points: AmountText | None = Field(description="Released.")
    order_no: str | None

    @classmethod
    def of(cls, told: AuditEvent, scale: int) -> "ChangeView":
        """The view of one entry of the audit trail about a hold."""
        after = told.after or {}
        released = after.get("amount_minor")
        return cls(
            action=told.action,
            at=told.at,
            actor=told.actor,
            correlation_id=told.correlation_id,
            points=None if released is None else amounts.text(released, scale),
            order_no=after.get("order_no"),
        )


class HoldLineageView(View):
    """Why a hold is as it is: who placed it, what opened its lots, what captured, released or bound it."""

    hold: HoldView
    placed_by: str
    correlation_id: str
    lots: list[OriginView]
    captures: list[RedemptionView] = Field(description="Each has an entry, whose lineage leads on.")
    changes: list[ChangeView] = Field(description="The latest 200; what time or the program ended has no request.")


@endpoint(
    blueprint,
    "POST /v1/holds",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[
        InsufficientPoints,
        EmploymentEnded,
        HoldWithoutEnd,
        OtherContent,
        NotFound,
        UnknownReference,
        Unprocessable,
    ],
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


@endpoint(blueprint, "GET /v1/holds/{hold_id}/lineage", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_hold_lineage(call: Call, hold_id: HoldId) -> HoldLineageView:
    """Trace a hold to who placed it, to what opened its lots, and to what became of it."""
    found = _visible(call, hold_id)
    scale = program_of(call, found.program_id).scale
    covered = holds.covered(call.db, found.id)
    opened = causes.of_lots(call.db, [each.lot_id for each in covered])
    placed = causes.of_hold(call.db, found.id)
    about = AuditFilter(partner_id=found.partner_id, subject=public_id("hld", found.id))
    told = audit.newest_first(call.db, about, before_seq=None, limit=_CHANGES_MAX)
    return HoldLineageView(
        hold=HoldView.of(found, covered, scale),
        placed_by=placed.actor,
        correlation_id=placed.correlation_id,
        lots=[OriginView(lot_id=public_id("trf", key), opened_by=OpenedView.of(opened[key])) for key in opened],
        captures=[RedemptionView.of(each) for each in redemptions.of_hold(call.db, found.id)],
        changes=[ChangeView.of(each, scale) for each in reversed(told)],
    )


@endpoint(
    blueprint,
    "POST /v1/holds/{hold_id}/bind",
    scope=Scope.POINTS_SPEND,
    idempotent=True,
    raises=[HoldBound, HoldEnded, BelongsToTender, NotFound],
)
def bind_hold(call: Call, hold_id: HoldId, body: BindBody) -> HoldView:
    """Bind a basket's hold to the order that it became: it ends no more; the same order again changes nothing."""
    found = _visible(call, hold_id)
    program = program_of(call, found.program_id)
    bound = holds.bind(call.db, found.id, body.order_no, caller=call.caller, now=call.now)
    return HoldView.of(bound, holds.covered(call.db, found.id), program.scale)


@endpoint(
    blueprint,
    "POST /v1/holds/{hold_id}/capture",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[
        HoldEnded,
        HoldExceeded,
        BelongsToTender,
        EmploymentEnded,
        InsufficientPoints,
        OtherContent,
        NotFound,
        Unprocessable,
    ],
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
    raises=[HoldEnded, BelongsToTender, NotFound, Unprocessable],
)
def release_hold(call: Call, hold_id: HoldId, body: ReleaseBody) -> HoldView:
    """Give back what a hold still covers, or a part of it; a hold that has ended already stays as it is."""
    found = _visible(call, hold_id)
    program = program_of(call, found.program_id)
    points = None if body.points is None else amounts.minor(body.points, program.scale)
    released = holds.release(call.db, found.id, points, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return HoldView.of(released, holds.covered(call.db, found.id), program.scale)


def _visible(call: Call, hold_id: str) -> Hold:
    found = holds.by_id(call.db, raw_id("hld", hold_id))
    call.require_partner(found.partner_id)
    return found
