"""Corrections: adjustments with a second person, and accruals taken back."""

from datetime import date, datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import InvalidInput, NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.points.api.asked_shapes import AskedView, CommentedBody, shown
from chalicelib.points.api.whose import MemberBody, Reference, member_in_program, narrowed, program_of
from chalicelib.points.corrections import adjustments, reversals
from chalicelib.points.corrections.adjustments import Adjustment, Decided, NewAdjustment, OwnAdjustment, State
from chalicelib.points.corrections.reversals import PointsSpent, Reversal
from chalicelib.points.ledger import history, policy
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock, pages
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import AccrualId, AdjustmentId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class AdjustmentBody(MemberBody):
    """Points to give or, below zero, to take."""

    points: DecimalText = Field(description="Below zero: taken.")
    reference: Reference
    reason_code: str = Field(max_length=40, description="One of the program's reasons.", examples=["correction"])
    comment: str | None = Field(default=None, max_length=500)


class DecisionBody(CommentedBody):
    """What the second person says."""

    decision: Literal["approve", "reject"]


class AdjustmentQuery(PageQuery):
    """Which adjustments; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Of this member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    program_id: str | None = Field(
        default=None, description="Of this program.", examples=["prg_01m80ezmgbefm8btvg41ypyz86"]
    )
    state: State | None = Field(default=None, description="`pending` ones wait for a second person.")


class ReverseBody(Body):
    """Why an accrual is taken back."""

    reason: str = Field(min_length=1, max_length=500)


class AdjustmentView(AskedView):
    """One adjustment. ``pending``: it waits for a second person."""

    reason_code: str
    comment: str | None
    state: State

    @classmethod
    def of(cls, found: Adjustment) -> "AdjustmentView":
        """The view of one adjustment."""
        return cls(**shown("adj", found), reason_code=found.reason_code, comment=found.comment, state=found.state)


class ReversalView(View):
    """An accrual taken back: its points are what was recovered, is owed, was given up, and had expired."""

    id: PublicId
    accrual_id: PublicId
    entry_id: PublicId | None = Field(description="Null: nothing could be taken.")
    points: AmountText
    recovered: AmountText = Field(description="Taken from the member's lots.")
    overdrawn: AmountText = Field(description="Owed: what is earned next repays it.")
    lost: AmountText = Field(description="Spent, and given up by the program's policy.")
    expired: AmountText = Field(description="Had expired, so nobody had it.")
    policy: policy.Reversal
    reason: str
    business_date: date
    reversed_at: datetime

    @classmethod
    def of(cls, made: Reversal, scale: int) -> "ReversalView":
        """The view of one reversal."""
        return cls(
            id=public_id("rev", made.id),
            accrual_id=public_id("acr", made.accrual_event_id),
            entry_id=None if made.transfer_id is None else public_id("trf", made.transfer_id),
            points=amounts.text(made.amount_minor, scale),
            recovered=amounts.text(made.recovered_minor, scale),
            overdrawn=amounts.text(made.overdrawn_minor, scale),
            lost=amounts.text(made.lost_minor, scale),
            expired=amounts.text(made.expired_minor, scale),
            policy=made.policy,
            reason=made.reason,
            business_date=made.business_date,
            reversed_at=made.reversed_at,
        )


@endpoint(
    blueprint,
    "POST /v1/ledger/adjustments",
    scope=Scope.LEDGER_ADJUST,
    status=201,
    idempotent=True,
    raises=[InsufficientPoints, OtherContent, NotFound, InvalidInput, UnknownReference, Unprocessable],
)
def request_adjustment(call: Call, body: AdjustmentBody) -> Answer[AdjustmentView]:
    """Give or take points with a reason; above the program's threshold they wait for a second person.

    The same reference again answers 200 with the first adjustment.
    """
    program, member = member_in_program(call, body)
    wanted = NewAdjustment(
        member_id=member.id,
        amount_minor=amounts.minor(body.points, program.scale),
        reference=body.reference,
        reason_code=body.reason_code,
        comment=body.comment,
    )
    found, created = adjustments.request(call.db, program, wanted, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, AdjustmentView.of(found))


@endpoint(blueprint, "GET /v1/ledger/adjustments", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_adjustments(call: Call, query: AdjustmentQuery) -> Page[AdjustmentView]:
    """List adjustments, newest first: those that wait for a second person, also when a file asked for them."""
    wanted = narrowed(call, query.partner_id, query.member_id, query.program_id)
    rows = adjustments.newest_first(
        call.db, **wanted._asdict(), state=query.state, before_seq=pages.after_seq(call, query), limit=query.limit + 1
    )
    return pages.page(call, query, rows, view=AdjustmentView.of, position=lambda found: (found.seq,))


@endpoint(blueprint, "GET /v1/ledger/adjustments/{adjustment_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_adjustment(call: Call, adjustment_id: AdjustmentId) -> AdjustmentView:
    """Show one adjustment."""
    found = adjustments.by_id(call.db, raw_id("adj", adjustment_id))
    call.require_partner(found.partner_id)
    return AdjustmentView.of(found)


@endpoint(
    blueprint,
    "POST /v1/ledger/adjustments/{adjustment_id}/approve",
    scope=Scope.LEDGER_APPROVE,
    idempotent=True,
    raises=[OwnAdjustment, Decided, InsufficientPoints, NotFound],
)
def decide_adjustment(call: Call, adjustment_id: AdjustmentId, body: DecisionBody) -> AdjustmentView:
    """Approve or reject an adjustment that waits; never one's own."""
    found = adjustments.by_id(call.db, raw_id("adj", adjustment_id))
    call.require_partner(found.partner_id)
    decided = adjustments.decide(
        call.db,
        program_of(call, found.program_id),
        found.id,
        approve=body.decision == "approve",
        comment=body.comment,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return AdjustmentView.of(decided)


@endpoint(
    blueprint,
    "POST /v1/accruals/{accrual_id}/reverse",
    scope=Scope.LEDGER_ADJUST,
    status=201,
    idempotent=True,
    raises=[PointsSpent, NotFound, Unprocessable],
)
def reverse_accrual(call: Call, accrual_id: AccrualId, body: ReverseBody) -> Answer[ReversalView]:
    """Take back what an accrual earned; once, so the same again answers 200 with the first reversal."""
    event = history.event(call.db, raw_id("acr", accrual_id))
    call.require_partner(event.partner_id)
    program = program_of(call, event.program_id)
    made, created = reversals.reverse(call.db, program, event, reason=body.reason, caller=call.caller, now=call.now)
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(201 if created else 200, ReversalView.of(made, program.scale))
