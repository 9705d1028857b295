"""Whose points a request is about: the partner, the member and the program that a body or a path names."""

from typing import Annotated, NamedTuple

from pydantic import Field

from chalicelib.errors import Fault, InvalidInput, NotFound, UnknownReference
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.storage.ids import raw_id
from chalicelib.web.call import Call
from chalicelib.web.shapes import Body

#: Programs that one request may go through.
_PROGRAMS_MAX = 200

PartnerCode = Annotated[
    str | None,
    Field(max_length=40, description="Needed with a key that is not bound to a partner.", examples=["aurora-air"]),
]
#: What the caller calls something; the same one again is the same thing again.
Reference = Annotated[
    str, Field(min_length=1, max_length=100, description="Your own key of it: the same one takes effect once.")
]
OrderNo = Annotated[str | None, Field(max_length=100, description="The shop's order number.")]


class MemberBody(Body):
    """Whose points, and in which program."""

    partner_code: PartnerCode = None
    program_code: str = Field(min_length=1, max_length=40, examples=["uniform"])
    employee_id: str = Field(min_length=1, max_length=64, examples=["10047"])


def member_in_program(call: Call, body: MemberBody) -> tuple[Program, MemberRef]:
    """The program and the member that a body names. Raises NotFound, InvalidInput, UnknownReference, Unprocessable."""
    partner = partner_of(call, body.partner_code)
    program = programs.of_partner(call.db, partner.id).get(body.program_code)
    if program is None:
        raise UnknownReference("The partner has no program of this code.", code="unknown_program")
    return program, member_of_partner(call, partner, body.employee_id)


def partner_of(call: Call, code: str | None) -> Partner:
    """The active partner of a code, or the key's own. Raises NotFound, InvalidInput, Unprocessable."""
    if code is not None:
        partner = directory.by_code(call.db, code)
        if partner is None:
            raise NotFound(f"There is no partner {code!r}, or it is not yours.")
        call.require_partner(partner.id)
    elif call.partner_scope is None:
        message = "Name the partner: this key is not bound to one."
        fault = Fault("/partner_code", "partner_code_missing", message)
        raise InvalidInput(message, code="partner_code_missing", faults=[fault])
    else:
        partner = directory.known(call.db, call.partner_scope)
    directory.require_active(partner)
    return partner


def member_of_partner(call: Call, partner: Partner, employee_id: str) -> MemberRef:
    """The partner's employee of a number, as of today. Raises UnknownReference."""
    member = members.by_employee(call.db, partner.id, [employee_id]).get(employee_id)
    if member is None:
        raise UnknownReference("The partner has no employee of this number.", code="unknown_member")
    [today] = members.as_of(call.db, [member], programs.business_date(call.now, partner))
    return today


def program_of(call: Call, program_id: bytes) -> Program:
    """The program of something that is stored, if the caller may see it. Raises NotFound."""
    program = programs.by_id(call.db, program_id)
    if program is None:
        raise NotFound("There is no such program.")
    call.require_partner(program.partner_id)
    return program


class Narrowed(NamedTuple):
    """What a list is about; None: everything that the caller may see of it."""

    partner_id: bytes | None
    member_id: bytes | None
    program_id: bytes | None


def narrowed(call: Call, partner: str | None, member: str | None, program: str | None) -> Narrowed:
    """The partner (id or code), member and program that a filter names, none of them another partner's.

    Raises NotFound.
    """
    partner_id = call.partner_scope
    if partner is not None:
        partner_id = directory.named(call.db, partner).id
        call.require_partner(partner_id)
    member_id = None
    if member is not None:
        found = members.named(call.db, raw_id("mbr", member))
        if found is None:
            raise NotFound("There is no such member.")
        call.require_partner(found.partner_id)
        member_id = found.id
    program_id = None if program is None else program_of(call, raw_id("prg", program)).id
    return Narrowed(partner_id, member_id, program_id)


def programs_named(call: Call, partner: str | None, program: str | None) -> list[Program]:
    """The programs that a body names, which the caller may see. Raises NotFound, InvalidInput for too many."""
    partner_id = call.partner_scope
    if partner is not None:
        partner_id = directory.named(call.db, partner).id
        call.require_partner(partner_id)
    if program is not None:
        found = program_of(call, raw_id("prg", program))
        if partner_id not in {None, found.partner_id}:
            raise NotFound("The partner has no such program.")
        return [found]
    some = programs.search(call.db, partner_id=partner_id, limit=_PROGRAMS_MAX + 1)
    if len(some) > _PROGRAMS_MAX:
        raise InvalidInput("There are too many programs for one request: name a partner.", code="too_many_programs")
    return some
