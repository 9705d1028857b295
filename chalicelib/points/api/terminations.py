"""/v1/members/{member_id}/terminate and close-outs: the end of an employment, and of the points with it."""

from datetime import date, datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import worth
from chalicelib.points.ledger import balances
from chalicelib.points.terms import close_outs, terminations
from chalicelib.points.terms.close_outs import CloseOut
from chalicelib.points.terms.terminations import TerminatedOtherwise
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import MemberId
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)


class TerminationBody(Body):
    """When an employment ends."""

    last_day: Day = Field(description="Last day of employment; it may be to come.")
    reason: str = Field(min_length=1, max_length=500)


class TakenView(View):
    """What was taken from a member who had left: forfeited, paid out, or clawed back of a grant."""

    program_id: PublicId
    program_code: str
    kind: Literal["forfeiture", "pay_out", "claw_back"]
    points: AmountText
    due: AmountText = Field(description="What should have been taken; what was spent already is not there.")
    value: AmountText | None = Field(description="What the points are worth in money; null: the program has no price.")
    currency: str | None
    entry_id: PublicId
    business_date: date
    closed_at: datetime

    @classmethod
    def of(cls, taken: CloseOut, program: Program) -> "TakenView":
        """The view of one taking."""
        # As the books and the payroll feed have it.
        found = worth.of(program)
        value = None
        if found is not None and found.said.on(taken.business_date) is not None:
            exact = found.exact(taken.amount_minor, taken.business_date)
            value = amounts.text(worth.rounded(exact), found.decimals)
        return cls(
            program_id=public_id("prg", program.id),
            program_code=program.code,
            kind=taken.kind,
            points=amounts.text(taken.amount_minor, program.scale),
            due=amounts.text(taken.due_minor, program.scale),
            value=value,
            currency=None if found is None or value is None else found.currency,
            entry_id=public_id("trf", taken.transfer_id),
            business_date=taken.business_date,
            closed_at=taken.closed_at,
        )


class EndingView(View):
    """What a program does with the points."""

    program_id: PublicId
    program_code: str
    policy: Literal["forfeit", "grace", "pay_out"]
    due_on: date = Field(description="The day on which they are taken; until then they may be spent.")
    held: Literal["keep", "release"]
    claw_back: bool
    available: AmountText
    held_points: AmountText


class TerminationView(View):
    """A member who has left or will, what programs do about it, and what was taken so far."""

    member_id: PublicId
    status: Literal["active", "terminated"]
    last_day: date | None
    programs: list[EndingView] = Field(description="Programs that say nothing keep the points until they expire.")
    taken: list[TakenView]


@endpoint(
    blueprint,
    "POST /v1/members/{member_id}/terminate",
    scope=Scope.MEMBERS_WRITE,
    idempotent=True,
    raises=[NotFound, TerminatedOtherwise, Unprocessable],
)
def terminate_member(call: Call, member_id: MemberId, body: TerminationBody) -> TerminationView:
    """End an employment with its last day; points are forfeited, kept for a grace or paid out as each program says.

    A day to come is announced: the schedule does what is due once it has come. The same day again changes nothing.
    """
    member = _member(call, member_id)
    partner = directory.known(call.db, member.partner_id)
    directory.require_active(partner)
    terminations.terminate(
        call.db, partner, member, body.last_day, reason=body.reason, caller=call.caller, now=call.now
    )
    call.after_commit(lambda: wake(now=clock.now()))
    return _view(call, _member(call, member_id))


@endpoint(blueprint, "GET /v1/members/{member_id}/close-out", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_close_out(call: Call, member_id: MemberId) -> TerminationView:
    """Show what programs do with the points of a member who has left or will, and what was taken so far."""
    return _view(call, _member(call, member_id))


def _member(call: Call, text: str) -> MemberRef:
    member_id = raw_id("mbr", text)
    found = members.by_ids(call.db, [member_id]).get(member_id)
    if found is None:
        raise NotFound("There is no such member.")
    call.require_partner(found.partner_id)
    partner = directory.known(call.db, found.partner_id)
    [today] = members.as_of(call.db, [found], programs.business_date(call.now, partner))
    return today


def _view(call: Call, member: MemberRef) -> TerminationView:
    had = {each.program_id: each for each in balances.of(call.db, member.id, now=call.now)}
    endings = [] if member.term_date is None else terminations.endings(call.db, member.id, member.term_date)
    taken = close_outs.of_member(call.db, member.id)
    known = programs.by_ids(call.db, [each.program_id for each in taken])
    shown = []
    for each in endings:
        program, balance = each.program, had.get(each.program.id)
        shown.append(
            EndingView(
                program_id=public_id("prg", program.id),
                program_code=program.code,
                policy=each.terms.policy,
                due_on=each.due_on,
                held=each.terms.held,
                claw_back=each.terms.claw_back,
                available=amounts.text(0 if balance is None else balance.available_minor, program.scale),
                held_points=amounts.text(0 if balance is None else balance.held_minor, program.scale),
            )
        )
    return TerminationView(
        member_id=public_id("mbr", member.id),
        status="active" if member.status == "active" else "terminated",
        last_day=member.term_date,
        programs=shown,
        taken=[TakenView.of(each, known[each.program_id]) for each in taken],
    )
