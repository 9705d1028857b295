"""/v1/increase-requests: ask for more than a program gives; a manager of the partner decides."""

from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound, OtherContent, UnknownReference, Unprocessable
from chalicelib.points.api.asked_shapes import AskedView, CommentedBody, shown
from chalicelib.points.api.whose import MemberBody, Reference, member_in_program, narrowed, program_of
from chalicelib.points.terms import increases, managers
from chalicelib.points.terms.increases import Increase, IncreaseDecided, NotOffered, OwnIncrease, State, TooMuch
from chalicelib.points.terms.managers import NotAManager
from chalicelib.storage.ids import raw_id
from chalicelib.web import amounts, clock, pages
from chalicelib.web.amounts import DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import IncreaseId

blueprint = Blueprint(__name__)


class IncreaseBody(MemberBody):
    """More points or pieces for a member, and why."""

    points: DecimalText = Field(description="In the program's unit.")
    reference: Reference
    reason: str = Field(min_length=1, max_length=500, examples=["Two shirts torn on duty on 3 November."])


class IncreaseDecisionBody(CommentedBody):
    """What the manager says."""

    decision: Literal["approve", "refuse"]


class IncreaseQuery(PageQuery):
    """Which requests; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Of this member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    state: State | None = Field(default=None, description="`pending` ones wait for a decision.")


class IncreaseView(AskedView):
    """One request. ``pending``: it waits for a manager."""

    reason: str
    state: State

    @classmethod
    def of(cls, found: Increase) -> "IncreaseView":
        """The view of one request."""
        return cls(**shown("inc", found), reason=found.reason, state=found.state)


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
    wanted = narrowed(call, query.partner_id, query.member_id, None)
    rows = increases.newest_first(
        call.db,
        partner_id=wanted.partner_id,
        member_id=wanted.member_id,
        state=query.state,
        before_seq=pages.after_seq(call, query),
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
    raises=[NotAManager, OwnIncrease, IncreaseDecided, NotOffered, TooMuch, NotFound],
)
def decide_increase(call: Call, increase_id: IncreaseId, body: IncreaseDecisionBody) -> IncreaseView:
    """Grant or refuse a request for more; never one's own.

    A manager of the partner decides. The retailer's approvers may only where the program lets them.
    """
    found = _visible(call, increase_id)
    program = program_of(call, found.program_id)
    managers.require(call.db, program, found, call.principal)
    decided = increases.decide(
        call.db,
        program,
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
