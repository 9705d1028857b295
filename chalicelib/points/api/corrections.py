"""Corrections: adjustments with a second person, accruals taken back, and expiry by business date."""

from datetime import date, datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import InvalidInput, NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.partners import programs
from chalicelib.partners.programs import Program
from chalicelib.points import adjustments, expirations, history, policy, reversals
from chalicelib.points.adjustments import Adjustment, Decided, NewAdjustment, OwnAdjustment, State
from chalicelib.points.api.ledger import DayToCome
from chalicelib.points.api.whose import MemberBody, Reference, member_in_program, program_of, programs_named
from chalicelib.points.expirations import Expiry
from chalicelib.points.lots import InsufficientPoints
from chalicelib.points.reversals import PointsSpent, Reversal
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import AccrualId, AdjustmentId
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)

#: Accounts expired in one request; more are left to another request or to the night.
_ACCOUNTS_MAX = 1_000


class AdjustmentBody(MemberBody):
    """Points to give or, below zero, to take."""

    points: DecimalText = Field(description="Below zero: taken.")
    reference: Reference
    reason_code: str = Field(max_length=40, description="One of the program's reasons.", examples=["correction"])
    comment: str | None = Field(default=None, max_length=500)


class DecisionBody(Body):
    """What the second person says."""

    decision: Literal["approve", "reject"]
    comment: str | None = Field(default=None, max_length=500)


class ReverseBody(Body):
    """Why an accrual is taken back."""

    reason: str = Field(min_length=1, max_length=500)


class ExpiryBody(Body):
    """Which business date to run, and where."""

    business_date: Day | None = Field(default=None, description="Null: each program's own date.")
    partner_id: str | None = Field(default=None, description="Id or code of a partner.")
    program_id: str | None = Field(default=None, description="Only this program.")
    dry_run: bool = Field(default=False, description="Tell what would expire, and change nothing.")


class AdjustmentView(View):
    """One adjustment. ``pending``: it waits for a second person."""

    id: PublicId
    partner_id: PublicId
    program_id: PublicId
    member_id: PublicId
    reference: str
    points: AmountText
    reason_code: str
    comment: str | None
    state: State
    entry_id: PublicId | None
    author: str
    decided_by: str | None = Field(description="Null: nobody had to.")
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, found: Adjustment) -> "AdjustmentView":
        """The view of one adjustment."""
        return cls(
            id=public_id("adj", found.id),
            partner_id=public_id("par", found.partner_id),
            program_id=public_id("prg", found.program_id),
            member_id=public_id("mbr", found.member_id),
            reference=found.reference,
            points=amounts.text(found.amount_minor, found.scale),
            reason_code=found.reason_code,
            comment=found.comment,
            state=found.state,
            entry_id=None if found.transfer_id is None else public_id("trf", found.transfer_id),
            author=found.author,
            decided_by=found.decided_by,
            decision_comment=found.decision_comment,
            created_at=found.created_at,
            decided_at=found.decided_at,
        )


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


class ProgramExpiryView(View):
    """What expired, or would, in one program."""

    program_id: PublicId
    program: str
    unit: str
    business_date: date
    accounts: int
    points: AmountText
    kept: AmountText = Field(description="Its last day is over too, and a hold keeps it.")

    @classmethod
    def of(cls, program: Program, day: date, found: Expiry) -> "ProgramExpiryView":
        """The view of one program's expiry."""
        return cls(
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            business_date=day,
            accounts=found.accounts,
            points=amounts.text(found.expired_minor, program.scale),
            kept=amounts.text(found.kept_minor, program.scale),
        )


class ExpiryView(View):
    """What a business date expired, or would. Not complete: send the same again for the rest."""

    dry_run: bool
    complete: bool
    programs: list[ProgramExpiryView]


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


@endpoint(
    blueprint,
    "POST /v1/expirations/run",
    scope=Scope.LEDGER_ADJUST,
    idempotent=True,
    raises=[DayToCome, NotFound],
)
def run_expirations(call: Call, body: ExpiryBody) -> ExpiryView:
    """Post what was not spent by its last day, as of a business date; running a date again changes nothing."""
    shown: list[ProgramExpiryView] = []
    complete = True
    for program in programs_named(call, body.partner_id, body.program_id):
        today = programs.business_date(call.now, program)
        day = body.business_date or today
        if day > today:
            raise DayToCome(f"{day} is still to come: in {program.time_zone} it is {today}.")
        if body.dry_run:
            found = expirations.preview(call.db, program, day)
        else:
            left = _ACCOUNTS_MAX - sum(each.accounts for each in shown)
            if left <= 0:
                complete = False
                break
            found, whole = expirations.post_some(call.db, program, day, accounts_max=left, now=call.now)
            complete = complete and whole
        shown.append(ProgramExpiryView.of(program, day, found))
    if not body.dry_run:
        call.after_commit(lambda: wake(now=clock.now()))
    return ExpiryView(dry_run=body.dry_run, complete=complete, programs=shown)
