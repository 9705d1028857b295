"""/v1/redemptions: spend points at once, look up what was spent, and give lines back."""

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import InvalidInput, NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.points.api.redemption_shapes import (
    LineBody,
    RedemptionDetailView,
    RedemptionView,
    RefundView,
    lines_in,
    lots_shown,
    sold_shown,
)
from chalicelib.points.api.whose import MemberBody, OrderNo, Reference, member_in_program, narrowed, program_of
from chalicelib.points.ledger import lots
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.spending import redemptions, refunds
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.points.spending.redemptions import Redemption, RedemptionFilter
from chalicelib.points.spending.refunds import LineRefunded, RefundExceedsLine, Wanted
from chalicelib.points.spending.refusals import BelongsToTender
from chalicelib.storage.ids import raw_id
from chalicelib.web import amounts, clock, pages
from chalicelib.web.amounts import DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import RedemptionId
from chalicelib.web.shapes import Body, Day

blueprint = Blueprint(__name__)


class RedemptionBody(MemberBody):
    """Points to spend at once, by line."""

    reference: Reference
    order_no: OrderNo = None
    lines: list[LineBody] = Field(min_length=1, max_length=200)


class RefundedLineBody(Body):
    """A line that comes back; points null: all that has not come back yet."""

    line: str = Field(min_length=1, max_length=40, examples=["1"])
    points: DecimalText | None = None


class RefundBody(Body):
    """Lines that come back."""

    reference: Reference
    reason: str | None = Field(default=None, max_length=200)
    lines: list[RefundedLineBody] = Field(min_length=1, max_length=200)


class RedemptionQuery(PageQuery):
    """Which redemptions; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Id of a member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    program_id: str | None = Field(
        default=None, description="Id of a program.", examples=["prg_01m80ezmgbefm8btvg41ypyz86"]
    )
    order_no: str | None = Field(default=None, description="The shop's order number.", examples=["SO-10047"])
    since: Day | None = Field(default=None, description="First business day.")
    until: Day | None = Field(default=None, description="Last business day.")


@endpoint(
    blueprint,
    "POST /v1/redemptions",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[
        InsufficientPoints,
        EmploymentEnded,
        OtherContent,
        NotFound,
        InvalidInput,
        UnknownReference,
        Unprocessable,
    ],
)
def redeem_points(call: Call, body: RedemptionBody) -> Answer[RedemptionView]:
    """Spend points at once, without a hold; the same reference again answers 200 with the first redemption."""
    program, member = member_in_program(call, body)
    made, created = redemptions.redeem(
        call.db,
        program,
        member.id,
        lines_in(body.lines, program.scale),
        reference=body.reference,
        order_no=body.order_no,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, RedemptionView.of(made))


@endpoint(blueprint, "GET /v1/redemptions", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_redemptions(call: Call, query: RedemptionQuery) -> Page[RedemptionView]:
    """Redemptions, newest first."""
    found = redemptions.newest_first(
        call.db, _filter(call, query), before_seq=pages.after_seq(call, query), limit=query.limit + 1
    )
    return pages.page(call, query, found, view=RedemptionView.of, position=lambda made: (made.seq or 0,))


@endpoint(blueprint, "GET /v1/redemptions/{redemption_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_redemption(call: Call, redemption_id: RedemptionId) -> RedemptionDetailView:
    """One redemption with its lines, the lots it took from, and its refunds."""
    found = _visible(call, redemption_id)
    return RedemptionDetailView(
        redemption=RedemptionView.of(found),
        lines=sold_shown(redemptions.lines_of(call.db, found.id), found.scale),
        lots=lots_shown(lots.used_by(call.db, found.transfer_id), found.scale),
        refunds=[
            RefundView.of(each, lots.used_by(call.db, each.transfer_id), found.scale)
            for each in refunds.of_redemption(call.db, found.id)
        ],
    )


@endpoint(
    blueprint,
    "POST /v1/redemptions/{redemption_id}/refund",
    scope=Scope.POINTS_SPEND,
    status=201,
    idempotent=True,
    raises=[
        LineRefunded,
        RefundExceedsLine,
        BelongsToTender,
        OtherContent,
        NotFound,
        UnknownReference,
        Unprocessable,
    ],
)
def refund_redemption(call: Call, redemption_id: RedemptionId, body: RefundBody) -> Answer[RefundView]:
    """Give lines back to the lots they were taken from; the same reference again answers 200 with the first refund."""
    found = _visible(call, redemption_id)
    program = program_of(call, found.program_id)
    wanted = [
        Wanted(each.line, None if each.points is None else amounts.minor(each.points, program.scale))
        for each in body.lines
    ]
    made, created = refunds.give_back(
        call.db,
        program,
        found.id,
        wanted,
        reference=body.reference,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    uses = lots.used_by(call.db, made.transfer_id)
    return Answer(201 if created else 200, RefundView.of(made, uses, program.scale))


def _visible(call: Call, redemption_id: str) -> Redemption:
    found = redemptions.by_id(call.db, raw_id("rdm", redemption_id))
    call.require_partner(found.partner_id)
    return found


def _filter(call: Call, query: RedemptionQuery) -> RedemptionFilter:
    """The filter, with nothing in it that is another partner's. Raises NotFound."""
    of = narrowed(call, query.partner_id, query.member_id, query.program_id)
    return RedemptionFilter(**of._asdict(), order_no=query.order_no, since=query.since, until=query.until)
