"""A program's rule meets the members who are there already: when the program is new, or its rule has changed."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.partners.members import enrolments, roster, writing
from chalicelib.partners.members.drafting import Draft
from chalicelib.partners.models.partners import member
from chalicelib.partners.programs.programs import Program
from chalicelib.storage import bulk


def enrol_members(db: Connection, program: Program, *, since: date, now: datetime) -> int:
    """Let the program's rule decide from ``since`` on about every member of its partner; how many periods changed.

    Members are locked a chunk at a time, in the order of their employee ids.
    """
    changed = 0
    last = ""
    while True:
        numbers = list(
            db.execute(
                select(member.c.employee_id)
                .where(member.c.partner_id == program.partner_id, member.c.employee_id > last)
                .order_by(member.c.employee_id)
                .limit(bulk.CHUNK)
            ).scalars()
        )
        if not numbers:
            return changed
        last = numbers[-1]
        held = writing.lock(db, program.partner_id, numbers)
        histories = writing.live_entries(db, [known.id for known in held.values()])
        drafts = [
            Draft(known.id, known.employee_id, known, course=roster.spans(histories[known.id]), since=since)
            for known in held.values()
        ]
        changed += enrolments.apply_rule(db, program.partner_id, [program], drafts, now=now)
