"""The end of an employment by request: the roster row that says so, and what it means for the member's points."""

from datetime import date, datetime, timedelta
from typing import cast

from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Fault, Unprocessable
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef, RosterRow
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Termination
from chalicelib.partners.provenance import BY_API
from chalicelib.points.terms import close_outs
from chalicelib.records import dataclass
from chalicelib.storage.ids import public_id

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """What a program does with the member's points. ``due_on`` is the day on which they are taken."""

    program: Program
    terms: Termination
    due_on: date


class TerminatedOtherwise(Conflict):
    """The employment ended on another day already: a correction is a roster row of its own."""

    code = "terminated_otherwise"


def terminate(
    db: Connection, partner: Partner, member: MemberRef, last_day: date, *, reason: str, caller: Caller, now: datetime
) -> bool:
    """End the member's employment with its last day, which may be to come, and close what is due; whether it is new.

    It is a roster row as a file would bring it, so enrolments end with it; the schedule closes what is due later. The
    same day again changes nothing. Raises TerminatedOtherwise for who left on another day, Unprocessable with the
    roster's own code for a row that it refuses.
    """
    today = programs.business_date(now, partner)
    new = member.term_date != last_day
    if new:
        if member.status == "terminated":
            raise TerminatedOtherwise(f"The employment ended on {member.term_date} already.")
        row = _row(db, member, last_day)
        [said] = members.apply_roster(db, partner, [row], sources=[BY_API], caller=caller, now=now)
        if said.outcome == "rejected":
            fault = Fault("/last_day", said.code or "rejected", said.message or "")
            raise Unprocessable(fault.message, code=fault.code, faults=[fault])
        audit.record(
            db,
            caller=caller,
            action="member.terminated",
            subject=public_id("mbr", member.id),
            partner_id=partner.id,
            after={"last_day": last_day},
            reason=reason,
            now=now,
        )
    [then] = members.as_of(db, [members.by_ids(db, [member.id])[member.id]], today)
    accounts = close_outs.accounts_of(db, member.id)
    found = programs.by_ids(db, list(accounts))
    for program_id, account_id in sorted(accounts.items(), key=lambda each: each[1]):
        close_outs.close(db, found[program_id], then, account_id, caller=caller, now=now)
    return new


def endings(db: Connection, member_id: bytes, last_day: date) -> list[Ending]:
    """What the programs in which the member has points do after a last day, by program code; not the silent ones."""
    found = programs.by_ids(db, list(close_outs.accounts_of(db, member_id)))
    made = []
    for program in sorted(found.values(), key=lambda each: each.code):
        ending = terms.of(program.terms).termination
        if ending is not None:
            made.append(Ending(program, ending, ending.due_on(last_day)))
    return made


def _row(db: Connection, member: MemberRef, last_day: date) -> RosterRow:
    personal = members.personal(db, [member.id])[member.id]
    # Brought forward, it is said after the day that was announced: of two words about an end, the later one holds.
    last = last_day if member.term_date is None else max(last_day, member.term_date)
    said = {
        **personal,
        **member.attributes,
        "employee_id": member.employee_id,
        "action": "T",
        "hire_date": member.hire_date,
        "term_date": last_day,
        "job_code": member.job_code,
        "country": member.country,
        "effective_date": last + _DAY,
    }
    # The personal fields and attributes of a member, with these, are the fields of a row.
    return cast("RosterRow", said)
