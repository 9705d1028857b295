"""The grant that begins a new plan year: one of the program's scheduled grants, made with the close of the old year.

It is the same event as the schedule's, so whichever comes first grants, and the other finds it granted.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners import directory
from chalicelib.partners.members import enrolments, members
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Grant
from chalicelib.points.terms import grants, occasions
from chalicelib.points.terms.grants import Due

_DAY: Final = timedelta(days=1)


class Begun(NamedTuple):
    """What a member's new year begins with; ``refused`` says why the rule gave nothing, by the code of the refusal."""

    member_id: bytes
    event_id: str
    points_minor: int
    refused: str | None


def grant(
    db: Connection, program: Program, said: Grant, ended: Mapping[bytes, date], *, caller: Caller, now: datetime
) -> dict[bytes, Begun]:
    """Record the grant of members whose years ended on these days, on the days after them; by member.

    ``said`` is the grant as the close has kept it: the program's terms may say something else by now. Who has no such
    occasion on that day, or whom the rule gives nothing, is left out. A partner that is not active grants nothing.
    """
    partner = directory.known(db, program.partner_id)
    if partner.status != "active":
        return {}
    people = members.by_ids(db, sorted(ended))
    stays = enrolments.of_members(db, sorted(people)) if people else {}
    due: dict[bytes, Due] = {}
    for member_id in sorted(people):
        day = ended[member_id] + _DAY
        [ref] = members.as_of(db, [people[member_id]], day)
        within = [
            (each.valid_from, each.valid_to) for each in stays.get(member_id, []) if each.program_id == program.id
        ]
        for found in occasions.of(said, ref.hire_date, within, first=day, last=day):
            event_id = grants.event_id(program, said, member_id, found.key)
            due[member_id] = Due(said, ref.employee_id, found, event_id)
    recorded = grants.record(db, program, list(due.values()), caller=caller, now=now)
    return {
        member_id: Begun(member_id, outcome.event_id, outcome.points_minor, outcome.code)
        for member_id, outcome in zip(due, recorded, strict=True)
        if outcome.outcome == "rejected" or outcome.points_minor
    }
