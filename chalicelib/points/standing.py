"""How employees stand with programs: the program, the member with the facts of a day, the enrolments.

A batch asks once for each kind of thing; a single event asks for all three in one statement, because requests with one
event are the ones that somebody waits for.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.engine import Connection

from chalicelib.language import parse_json
from chalicelib.partners import enrolments, members, programs
from chalicelib.partners.members import MemberRef
from chalicelib.partners.models import enrolment, member
from chalicelib.partners.models import program as program_table
from chalicelib.partners.programs import Program
from chalicelib.partners.roster import parsed_attributes

_Periods = Sequence[tuple[date, date | None]]


class Wanted(NamedTuple):
    """Whom one event concerns, and when."""

    program_code: str
    employee_id: str
    day: date


class Standing(NamedTuple):
    """What there is of what was wanted: programs by code, members by (employee id, day), periods by their ids."""

    programs: Mapping[str, Program]
    members: Mapping[tuple[str, date], MemberRef]
    enrolled: Mapping[tuple[bytes, bytes], _Periods]


def of(db: Connection, partner_id: bytes, wanted: Collection[Wanted]) -> Standing:
    """How the partner's employees stand on the wanted days. One statement for one, three for many."""
    if len(wanted) == 1:
        [single] = wanted
        return _of_one(db, partner_id, single)
    by_code = programs.of_partner(db, partner_id)
    concerned = sorted({by_code[each.program_code].id for each in wanted if each.program_code in by_code})
    known = members.by_employee_on(
        db, partner_id, {(each.employee_id, each.day) for each in wanted} if concerned else ()
    )
    enrolled = enrolments.in_force(db, concerned, sorted({each.id for each in known.values()})) if known else {}
    return Standing(by_code, known, enrolled)


_PROGRAM = tuple(program_table.c[name] for name in Program.__slots__)
_MEMBER = tuple(member.c[name] for name in MemberRef._fields)
_ONE = (
    select(*_PROGRAM, *_MEMBER, enrolment.c.id.label("enrolment_id"))
    .select_from(
        program_table.outerjoin(
            member,
            and_(member.c.partner_id == program_table.c.partner_id, member.c.employee_id == bindparam("employee_id")),
        ).outerjoin(
            enrolment,
            and_(
                enrolment.c.member_id == member.c.id,
                enrolment.c.program_id == program_table.c.id,
                enrolment.c.valid_from <= bindparam("day"),
                or_(enrolment.c.valid_to.is_(None), enrolment.c.valid_to >= bindparam("day")),
            ),
        )
    )
    .where(program_table.c.partner_id == bindparam("partner_id"), program_table.c.code == bindparam("program_code"))
    .limit(1)
)


def _of_one(db: Connection, partner_id: bytes, wanted: Wanted) -> Standing:
    code, employee_id, day = wanted
    row = db.execute(_ONE, {"partner_id": partner_id, **wanted._asdict()}).first()
    if row is None:
        return Standing({}, {}, {})
    fields = dict(zip(Program.__slots__, row, strict=False))
    rule = fields["enrolment"]
    program = Program(
        **{**fields, "lots": parse_json(fields["lots"]), "enrolment": None if rule is None else parse_json(rule)}
    )
    columns = row[len(_PROGRAM) : -1]
    # An outer join that met nobody.
    if columns[0] is None:
        return Standing({code: program}, {}, {})
    found = MemberRef._make(columns)
    found = found._replace(attributes=parsed_attributes(str(found.attributes)))
    if not _holds(found, day):
        found = members.by_employee_on(db, partner_id, [(employee_id, day)])[employee_id, day]
    enrolled: Mapping[tuple[bytes, bytes], _Periods] = (
        {} if row.enrolment_id is None else {(program.id, found.id): [(day, day)]}
    )
    return Standing({code: program}, {(employee_id, day): found}, enrolled)


def _holds(found: MemberRef, day: date) -> bool:
    """Whether the facts of today surely are those of the day, so that the history need not be asked."""
    since = max(found.effective_date, found.hire_date)
    later = found.next_effective_date
    return found.status == "active" and since <= day and (later is None or day < later)
