"""The grant that begins a new plan year: one of the program's scheduled grants, made with the close of the old year.

It is the same event as the schedule's, so whichever comes first grants, and the other finds it granted.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Broken
from chalicelib.partners import directory, enrolments, members, terms
from chalicelib.partners.programs import Program
from chalicelib.partners.provenance import BY_API
from chalicelib.points import accruals, grants, occasions
from chalicelib.points.grants import Due

_DAY: Final = timedelta(days=1)


class Begun(NamedTuple):
    """What a member's new year begins with; ``refused`` says why the rule gave nothing, by the code of the refusal."""

    member_id: bytes
    event_id: str
    points_minor: int
    refused: str | None


def grant(
    db: Connection, program: Program, code: str, ended: Mapping[bytes, date], *, caller: Caller, now: datetime
) -> dict[bytes, Begun]:
    """Record the grant of members whose years ended on these days, on the days after them; by member.

    Who has no such occasion on that day, or whom the rule gives nothing, is left out. A partner that is not active
    grants nothing.
    """
    said = next((each for each in terms.of(program.terms).grants if each.code == code), None)
    if said is None:
        raise Broken(f"The program {program.code} has no grant {code} to begin a year with.")
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
    events = [grants.event_of(program, each) for each in due.values()]
    recorded = accruals.record(db, partner, events, sources=[BY_API] * len(events), caller=caller, now=now)
    return {
        member_id: Begun(member_id, outcome.event_id, outcome.points_minor, outcome.code)
        for member_id, outcome in zip(due, recorded, strict=True)
        if outcome.outcome == "rejected" or outcome.points_minor
    }
