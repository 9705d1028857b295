"""How employees stand with programs: the program, the member with the facts of a day, the enrolments.

A batch asks for the programs and then, chunk by chunk, for members with their enrolments; a single event asks for all
three in one statement, because requests with one event are the ones that somebody waits for.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.engine import Connection

from chalicelib.partners.members import enrolments, members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.members.roster import parsed_attributes
from chalicelib.partners.models.partners import enrolment, member
from chalicelib.partners.models.partners import program as program_table
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.storage import bulk

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
    """How the partner's employees stand on the wanted days.

    One statement for one; for many one, and another for each chunk of employees. Facts of the past cost some more.
    """
    if len(wanted) == 1:
        [single] = wanted
        return _of_one(db, partner_id, single)
    by_code = programs.of_partner(db, partner_id)
    concerned = {by_code[each.program_code].id for each in wanted if each.program_code in by_code}
    if not concerned:
        return Standing(by_code, {}, {})
    pairs = {(each.employee_id, each.day) for each in wanted}
    present, enrolled = _of_many(db, partner_id, sorted(concerned), {employee_id for employee_id, _ in pairs})
    found: dict[tuple[str, date], MemberRef] = {}
    other: list[tuple[str, date]] = []
    for pair in pairs:
        ref = present.get(pair[0])
        if ref is None:
            continue
        if _holds(ref, pair[1]):
            found[pair] = ref
        else:
            other.append(pair)
    if other:
        found |= members.by_employee_on(db, partner_id, other)
    return Standing(by_code, found, enrolled)


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


_MANY = (
    select(*_MEMBER, enrolment.c.program_id, enrolment.c.valid_from, enrolment.c.valid_to)
    .select_from(
        member.outerjoin(
            enrolment,
            and_(
                enrolment.c.member_id == member.c.id,
                enrolment.c.program_id.in_(bindparam("program_ids", expanding=True)),
                enrolments.not_void(),
            ),
        )
    )
    .where(
        member.c.partner_id == bindparam("partner_id"),
        member.c.employee_id.in_(bindparam("employee_ids", expanding=True)),
    )
)


def _of_many(
    db: Connection, partner_id: bytes, program_ids: Sequence[bytes], employee_ids: Collection[str]
) -> tuple[dict[str, MemberRef], dict[tuple[bytes, bytes], list[tuple[date, date | None]]]]:
    """The members as they are now, and every period in the programs by (program, member), in no order."""
    present: dict[str, MemberRef] = {}
    enrolled: dict[tuple[bytes, bytes], list[tuple[date, date | None]]] = {}
    for chunk in bulk.in_chunks(sorted(employee_ids)):
        given = {"partner_id": partner_id, "program_ids": program_ids, "employee_ids": chunk}
        for *columns, program_id, since, until in db.execute(_MANY, given):
            ref = MemberRef._make(columns)
            if ref.employee_id not in present:
                present[ref.employee_id] = ref._replace(attributes=parsed_attributes(str(ref.attributes)))
            # An outer join that met nobody.
            if program_id is not None:
                enrolled.setdefault((program_id, ref.id), []).append((since, until))
    return present, enrolled


def _of_one(db: Connection, partner_id: bytes, wanted: Wanted) -> Standing:
    code, employee_id, day = wanted
    row = db.execute(_ONE, {"partner_id": partner_id, **wanted._asdict()}).first()
    if row is None:
        return Standing({}, {}, {})
    fields = dict(zip(Program.__slots__, row, strict=False))
    program = Program(**programs.parsed(fields))
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
