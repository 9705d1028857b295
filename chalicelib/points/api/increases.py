"""/v1/increase-requests: ask for more than a program gives; a manager of the partner decides."""

from datetime import datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.partners import directory, members
from chalicelib.points import increases
from chalicelib.points.api.whose import MemberBody, Reference, member_in_program, program_of
from chalicelib.points.increases import Increase, IncreaseDecided, NotOffered, OwnIncrease, State, TooMuch
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock, pages
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import IncreaseId
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class IncreaseBody(MemberBody):
    """More points or pieces for a member, and why."""

    points: DecimalText = Field(description="In the program's unit.")
    reference: Reference
    reason: str = Field(min_length=1, max_length=500, examples=["Two shirts torn on duty on 3 November."])


class IncreaseDecisionBody(Body):
    """What the manager says."""

    decision: Literal["approve", "refuse"]
    comment: str | None = Field(default=None, max_length=500)


class IncreaseQuery(PageQuery):
    """Which requests; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Of this member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    state: State | None = Field(default=None, description="`pending` ones wait for a decision.")


class IncreaseView(View):
    """One request. ``pending``: it waits for a manager."""

    id: PublicId
    partner_id: PublicId
    program_id: PublicId
    member_id: PublicId
    reference: str
    points: AmountText
    reason: str
    state: State
    entry_id: PublicId | None = Field(description="The grant in the ledger; null: not granted, or not yet.")
    author: str
    decided_by: str | None
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, found: Increase) -> "IncreaseView":
        """The view of one request."""
        return cls(
            id=public_id("inc", found.id),
            partner_id=public_id("par", found.partner_id),
            program_id=public_id("prg", found.program_id),
            member_id=public_id("mbr", found.member_id),
            reference=found.reference,
            points=amounts.text(found.amount_minor, found.scale),
            reason=found.reason,
            state=found.state,
            entry_id=None if found.transfer_id is None else public_id("trf", found.transfer_id),
            author=found.author,
            decided_by=found.decided_by,
            decision_comment=found.decision_comment,
            created_at=found.created_at,
            decided_at=found.decided_at,
        )


@endpoint(
    blueprint,
    "POST /v1/increase-requests",
    scope=Scope.INCREASES_WRITE,
    status=201,
    idempotent=True,
    raises=[NotOffered, TooMuch, OtherContent, NotFound, UnknownReference, Unprocessable],
)
def request_increase(call: Call, body: IncreaseBody) -> Answer[IncreaseView]:
    """Ask for more points or pieces for a member; nothing is given until a manager of the partner agrees.

    The same reference again answers 200 with the first request.
    """
    program, member = member_in_program(call, body)
    found, created = increases.request(
        call.db,
        program,
        member.id,
        amounts.minor(body.points, program.scale),
        reference=body.reference,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    return Answer(201 if created else 200, IncreaseView.of(found))


@endpoint(blueprint, "GET /v1/increase-requests", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_increases(call: Call, query: IncreaseQuery) -> Page[IncreaseView]:
    """List requests for more, newest first."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    member_id = None
    if query.member_id is not None:
        member_id = raw_id("mbr", query.member_id)
        known = members.by_ids(call.db, [member_id]).get(member_id)
        if known is None:
            raise NotFound("There is no such member.")
        call.require_partner(known.partner_id)
    rows = increases.newest_first(
        call.db,
        partner_id=partner_id,
        member_id=member_id,
        state=query.state,
        before_seq=_before(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=IncreaseView.of, position=lambda found: (found.seq,))


@endpoint(blueprint, "GET /v1/increase-requests/{increase_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_increase(call: Call, increase_id: IncreaseId) -> IncreaseView:
    """Show one request for more."""
    return IncreaseView.of(_visible(call, increase_id))


@endpoint(
    blueprint,
    "POST /v1/increase-requests/{increase_id}/approve",
    scope=Scope.INCREASES_APPROVE,
    idempotent=True,
    raises=[OwnIncrease, IncreaseDecided, NotOffered, TooMuch, NotFound],
)
def decide_increase(call: Call, increase_id: IncreaseId, body: IncreaseDecisionBody) -> IncreaseView:
    """Grant or refuse a request for more; never one's own."""
    found = _visible(call, increase_id)
    decided = increases.decide(
        call.db,
        program_of(call, found.program_id),
        found.id,
        approve=body.decision == "approve",
        comment=body.comment,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return IncreaseView.of(decided)


def _visible(call: Call, text: str) -> Increase:
    found = increases.by_id(call.db, raw_id("inc", text))
    call.require_partner(found.partner_id)
    return found


def _before(call: Call, query: IncreaseQuery) -> int | None:
    match pages.position(call, query):
        case None:
            return None
        case (int(seq),):
            return seq
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")
