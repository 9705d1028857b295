"""/v1/members: a partner's employees, what is known about them, and in which programs they are.

Names, mail, phone and address are shown to keys with the scope ``members:personal``; to others each is ``***`` where
there is something to show. Searching by name or mail needs that scope too: an answer would confirm a guess.
"""

from datetime import date
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, Fault, InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import enrolments, members, searching
from chalicelib.partners.members.enrolments import Enrolment
from chalicelib.partners.members.members import MemberRef, RosterRow
from chalicelib.partners.members.searching import MemberFilter
from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import BY_API
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.amounts import DecimalText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import MemberId, ProgramId
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import Body, Day, PublicId, View, Written

blueprint = Blueprint(__name__)

_MASK = "***"
_Key = Annotated[
    str, Field(min_length=1, max_length=64), Written(r"\S(?:.*\S)?", "It neither begins nor ends with a space.")
]
_Country = Annotated[str, Written("[A-Z]{2}", "Write a country by its two capital letters, such as US.")]
_Text = Annotated[str | None, Field(min_length=1, max_length=200)]


class PersonalView(View):
    """Personal fields; ``***`` stands for a value that the key may not see."""

    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    ship_to_line1: str | None
    ship_to_city: str | None
    ship_to_region: str | None
    ship_to_postal: str | None


class EnrolmentView(View):
    """One period in a program; both dates belong to it, ``valid_to`` null is open."""

    id: PublicId
    program_id: PublicId
    program_code: str
    valid_from: date
    valid_to: date | None
    tier: str | None
    source: Literal["rule", "api"]


class MemberView(View):
    """A member as of today. ``term_date`` is the last day of employment where it ended or will end."""

    id: PublicId
    partner_id: PublicId
    employee_id: str
    status: Literal["active", "terminated"]
    hire_date: date
    term_date: date | None
    job_code: str | None
    country: str | None
    grade: str | None
    department: str | None
    cost_center: str | None
    location_code: str | None
    currency: str | None
    union_code: str | None
    fte_pct: str | None
    manager_id: str | None
    effective_date: date = Field(description="Of the roster row that says this.")
    next_effective_date: date | None = Field(description="When what is already known changes it.")
    personal: PersonalView


class MemberProfileView(MemberView):
    """A member with its enrolments."""

    enrolments: list[EnrolmentView]


class UpsertedView(MemberProfileView):
    """The member after the row, and whether the row said anything new."""

    outcome: Literal["accepted", "duplicate"]


class RosterRowBody(Body):
    """One roster row (layout I1): a full statement about one employee from its effective date on."""

    partner_code: str | None = Field(None, description="A partner's own key may leave it out.")
    employee_id: _Key
    action: Literal["A", "C", "T"] = Field(description="A hires, C changes, T terminates.")
    first_name: str = Field(min_length=1, max_length=200)
    last_name: str = Field(min_length=1, max_length=200)
    email: _Text = None
    phone: _Text = None
    hire_date: Day
    term_date: Day | None = Field(None, description="Last day of employment.")
    job_code: _Key
    grade: _Text = None
    department: _Text = None
    cost_center: _Text = None
    location_code: _Text = None
    country: _Country = Field(description="ISO 3166-1 alpha-2.", examples=["US"])
    currency: _Text = None
    union_code: _Text = None
    fte_pct: DecimalText | None = Field(None, description="Part-time factor in percent.")
    manager_id: _Text = None
    ship_to_line1: _Text = None
    ship_to_city: _Text = None
    ship_to_region: _Text = None
    ship_to_postal: _Text = None
    effective_date: Day


class MemberQuery(PageQuery):
    """Which members."""

    partner_id: str | None = Field(None, description="Id or code of a partner.", examples=["aurora-air"])
    employee_id: str | None = Field(
        None, max_length=64, description="The partner's own number of the employee.", examples=["10047"]
    )
    last_name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The whole name, in any letter case; needs the scope `members:personal`.",
        examples=["Miller"],
    )
    email: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The whole address, in any letter case; needs the scope `members:personal`.",
        examples=["kim@example.com"],
    )
    status: Literal["active", "terminated"] | None = Field(None, description="Whether they are employed today.")


class EnrolmentBody(Body):
    """From when to when, and in which tier; ``valid_to`` is the last day."""

    valid_from: Day
    valid_to: Day | None = None
    tier: Annotated[str | None, Field(min_length=1, max_length=40)] = None


@endpoint(blueprint, "GET /v1/members", scope=Scope.MEMBERS_READ, raises=[NotFound, NotPermitted])
def list_members(call: Call, query: MemberQuery) -> Page[MemberView]:
    """Find members by partner, employee id, last name, email or status."""
    if (query.last_name or query.email) and not _sees_personal(call):
        raise NotPermitted(f"Searching by name or mail needs the scope {Scope.MEMBERS_PERSONAL}.", code="scope_missing")
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    wanted = MemberFilter(partner_id, query.employee_id, query.last_name, query.email, query.status)
    rows = searching.search(call.db, wanted, after=_after(call, query), limit=query.limit + 1, now=call.now)
    personal = members.personal(call.db, [ref.id for ref in rows])
    return pages.page(
        call,
        query,
        rows,
        view=lambda ref: MemberView(**_shown(call, ref, personal[ref.id])),
        position=lambda ref: (ref.partner_id, ref.employee_id),
    )


@endpoint(
    blueprint,
    "POST /v1/members",
    scope=Scope.MEMBERS_WRITE,
    status=201,
    idempotent=True,
    raises=[InvalidInput, NotFound, Unprocessable],
)
def upsert_member(call: Call, body: RosterRowBody) -> Answer[UpsertedView]:
    """Apply one roster row: hire, change or terminate an employee; a member that was known is answered with 200."""
    partner = _partner_of(call, body.partner_code)
    directory.require_active(partner)
    fields = body.model_dump(exclude={"partner_code"})
    row = RosterRow(**fields)  # type: ignore[typeddict-item]
    known = members.by_employee(call.db, partner.id, [body.employee_id])
    [result] = members.apply_roster(call.db, partner, [row], sources=[BY_API], caller=call.caller, now=call.now)
    if result.outcome == "rejected" or result.member_id is None:
        fault = Fault(f"/{result.column}", result.code or "rejected", result.message or "")
        raise Unprocessable(fault.message, code=fault.code, faults=[fault])
    if result.outcome == "accepted":
        audit.record(
            call.db,
            caller=call.caller,
            action="member.upserted",
            subject=public_id("mbr", result.member_id),
            partner_id=partner.id,
            after={"action": body.action, "effective_date": body.effective_date},
            now=call.now,
        )
    shown = _profile(call, _standing(call, result.member_id))
    return Answer(200 if known else 201, UpsertedView(**shown, outcome=result.outcome))


@endpoint(blueprint, "GET /v1/members/{member_id}", scope=Scope.MEMBERS_READ, raises=[NotFound])
def get_member(call: Call, member_id: MemberId) -> MemberProfileView:
    """Show one member as of today, with enrolments."""
    return MemberProfileView(**_profile(call, visible(call, member_id)))


@endpoint(
    blueprint,
    "PUT /v1/members/{member_id}/enrollments/{program_id}",
    scope=Scope.MEMBERS_WRITE,
    raises=[NotFound, Conflict, InvalidInput],
)
def put_enrolment(call: Call, member_id: MemberId, program_id: ProgramId, body: EnrolmentBody) -> EnrolmentView:
    """Enrol a member by hand from a day on, change the tier from then on, or end it with a last day.

    From then on the program's rule leaves this member alone; the end of employment still ends the enrolment.
    """
    member = visible(call, member_id)
    program = programs.by_id(call.db, raw_id("prg", program_id))
    if program is None or program.partner_id != member.partner_id:
        raise NotFound(f"There is no program {program_id!r} at the member's partner.")
    enrolment = enrolments.enrol(
        call.db,
        program,
        member.id,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        tier=body.tier,
        caller=call.caller,
        now=call.now,
    )
    return _enrolment(enrolment, program.code)


def visible(call: Call, text: str) -> MemberRef:
    """The member of an id as of today, if the caller may see it. Raises NotFound."""
    member = _standing(call, raw_id("mbr", text))
    call.require_partner(member.partner_id)
    return member


def _standing(call: Call, member_id: bytes) -> MemberRef:
    found = members.by_ids(call.db, [member_id]).get(member_id)
    if found is None:
        raise NotFound("There is no such member.")
    [standing] = searching.standing_now(call.db, [found], now=call.now)
    return standing


def _partner_of(call: Call, code: str | None) -> Partner:
    if code is not None:
        partner = directory.named(call.db, code)
    elif call.partner_scope is not None:
        partner = directory.known(call.db, call.partner_scope)
    else:
        raise InvalidInput(
            "Say whose employee it is.",
            code="partner_missing",
            faults=[Fault("/partner_code", "missing", "A key that is not bound to a partner names one.")],
        )
    call.require_partner(partner.id)
    return partner


def _after(call: Call, query: MemberQuery) -> tuple[bytes, str] | None:
    match pages.position(call, query):
        case None:
            return None
        case (bytes(partner_id), str(employee_id)):
            return partner_id, employee_id
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")


def _sees_personal(call: Call) -> bool:
    return Scope.MEMBERS_PERSONAL in call.principal.scopes


def _profile(call: Call, ref: MemberRef) -> dict[str, Any]:
    periods = enrolments.of_members(call.db, [ref.id]).get(ref.id, [])
    known = programs.by_ids(call.db, [period.program_id for period in periods])
    personal = members.personal(call.db, [ref.id])[ref.id]
    return {
        **_shown(call, ref, personal),
        "enrolments": [_enrolment(period, known[period.program_id].code) for period in periods],
    }


def _shown(call: Call, ref: MemberRef, personal: dict[str, str | None]) -> dict[str, Any]:
    if not _sees_personal(call):
        personal = {name: None if value is None else _MASK for name, value in personal.items()}
    fte_pct = ref.attributes["fte_pct"]
    return {
        **ref.attributes,
        **{name: getattr(ref, name) for name in ("employee_id", "status", "hire_date", "term_date", "job_code")},
        "id": public_id("mbr", ref.id),
        "partner_id": public_id("par", ref.partner_id),
        "country": ref.country,
        "fte_pct": None if fte_pct is None else format(fte_pct, "f"),
        "effective_date": ref.effective_date,
        "next_effective_date": ref.next_effective_date,
        "personal": PersonalView(**personal),
    }


def _enrolment(period: Enrolment, program_code: str) -> EnrolmentView:
    return EnrolmentView(
        id=public_id("enr", period.id),
        program_id=public_id("prg", period.program_id),
        program_code=program_code,
        valid_from=period.valid_from,
        valid_to=period.valid_to,
        tier=period.tier,
        source=period.source,
    )
