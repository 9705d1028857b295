"""Whom a row of a file of points concerns: an open program of the partner and one of its members, or why neither."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from chalicelib.errors import InvalidInput
from chalicelib.partners import identifiers
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import Told, refused
from chalicelib.points.deciding.standing import Standing, Wanted
from chalicelib.web import amounts


class Concerned(NamedTuple):
    """A program, one of its partner's members, and an amount in the program's minor units."""

    program: Program
    member: MemberRef
    amount_minor: int


def unusable(row: Mapping[str, Any], identifying: Sequence[str], longest: Mapping[str, int]) -> Told | None:
    """The refusal of a row that could not be kept: an identifier that cannot be told apart, a text that is too long."""
    for name in identifying:
        found = identifiers.unusable(name, row[name])
        if found is not None:
            return refused(found[0], name, found[1])
    for name, characters in longest.items():
        text = row[name]
        if text is not None and len(text) > characters:
            return refused("too_long", name, f"{name} has more than {characters} characters.")
    return None


def of(found: Standing, wanted: Wanted, amount: Decimal, *, column: str) -> Concerned | Told:
    """Whom the row concerns and with how much; ``column`` is named when the amount has too many decimals."""
    program = found.programs.get(wanted.program_code)
    if program is None:
        return refused("unknown_program", "program_code", "The partner has no program of this code.")
    if program.status != "active":
        return refused("program_closed", "program_code", f"The program {program.code} is closed.")
    member = found.members.get((wanted.employee_id, wanted.day))
    if member is None:
        message = "The partner has no employee of this number: send the roster, then this row again."
        return refused("unknown_member", "employee_id", message, fixable=True)
    try:
        return Concerned(program, member, amounts.minor(amount, program.scale))
    except InvalidInput as error:
        return refused(error.code, column, error.message)
