"""Scheduled grants: events that the hub makes itself, as a program's terms say, and its rule decides.

Each is an accrual like any other, under an id that follows from member, program and occasion: so it is granted once,
however often a business date is run, and its lineage and proof are those of every accrual. A run looks back over days
that were missed, and over those for which a roster may still have brought somebody an occasion.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from sqlalchemy import bindparam, exists, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.partners import directory
from chalicelib.partners.members import enrolments, members
from chalicelib.partners.models.partners import enrolment, member
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Grant
from chalicelib.partners.provenance import BY_API
from chalicelib.points.deciding.events import HUBS_OWN, NewAccrual, Recorded
from chalicelib.points.earning import accruals
from chalicelib.points.models.ledger import accrual_event
from chalicelib.points.models.terms import grant_progress
from chalicelib.points.terms import occasions
from chalicelib.points.terms.occasions import Occasion
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id

_DAY: Final = timedelta(days=1)
_QUANTITY: Final = Decimal("0.000001")
#: Members of one transaction.
_MEMBERS_READ: Final = 250
#: Programs of one page.
_PROGRAMS_READ: Final = 100


@dataclass(slots=True)
class Granted:
    """What came of a program's grants for a business date. ``rejected`` counts refusals by their code."""

    members: int = 0
    events: int = 0
    posted: int = 0
    points_minor: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Granted") -> None:
        """Count another slice too."""
        self.members += other.members
        self.events += other.events
        self.posted += other.posted
        self.points_minor += other.points_minor
        self.rejected.update(other.rejected)


class Page(NamedTuple):
    """What was granted to some members; ``last`` continues behind them, None when they were the last."""

    granted: Granted
    last: str | None


class Due(NamedTuple):
    """One occasion of one member, and the id of the event that grants it."""

    grant: Grant
    employee_id: str
    occasion: Occasion
    event_id: str


def event_id(program: Program, grant: Grant, member_id: bytes, key: date) -> str:
    """The id of the event of one occasion of one member."""
    return f"{HUBS_OWN}{key}.{grant.code}.{public_id('mbr', member_id)[4:]}.{public_id('prg', program.id)[4:]}"


def occasion_of(text: str) -> tuple[date, str] | None:
    """The occasion's key and the grant's code in the id of an event; None for an event that is no grant."""
    parts = text.removeprefix(HUBS_OWN).split(".")
    if not text.startswith(HUBS_OWN) or len(parts) != 4:
        return None
    try:
        return date.fromisoformat(parts[0]), parts[1]
    except ValueError:
        return None


def grant_some(
    db: Connection,
    program: Program,
    day: date,
    *,
    after: str = "",
    caller: Caller,
    dry_run: bool = False,
    now: datetime,
) -> Page:
    """Grant what is due by a business date to the members that follow ``after``, up to a bound, and note how far.

    A grant that was refused is tried again by the next run. ``dry_run``: tell what would be granted, keep nothing.
    """
    partner = directory.known(db, program.partner_id)
    own = terms.of(program.terms).grants
    known = db.execute(_PROGRESS, {"program_id": program.id}).one_or_none()
    refs = members.matching(
        db,
        [
            member.c.partner_id == program.partner_id,
            member.c.employee_id > after,
            exists().where(enrolment.c.member_id == member.c.id, enrolment.c.program_id == program.id),
        ],
        limit=_MEMBERS_READ,
    )
    last = refs[-1].employee_id if len(refs) == _MEMBERS_READ else None
    periods = enrolments.of_members(db, [ref.id for ref in refs])
    through = None if known is None else known.through
    due: list[Due] = []
    for ref in members.as_of(db, refs, day):
        stays = [(each.valid_from, each.valid_to) for each in periods.get(ref.id, []) if each.program_id == program.id]
        for grant in own:
            due += [
                Due(grant, ref.employee_id, each, event_id(program, grant, ref.id, each.key))
                for each in occasions.of(
                    grant, ref.hire_date, stays, first=_first(program, grant, through, day), last=day
                )
            ]
    granted = Granted(members=len(refs))
    if partner.status == "active":
        _record(db, program, _open(db, program.partner_id, due), granted, caller=caller, dry_run=dry_run, now=now)
    if not dry_run:
        _note(db, program, through, day, last, now)
    return Page(granted, last)


def grant_all(
    db: Connection, program: Program, day: date, *, members_max: int, caller: Caller, dry_run: bool, now: datetime
) -> tuple[Granted, bool]:
    """Grant to a program's members until more than ``members_max`` were looked at; and whether none are left.

    It goes on where a run of the same date stopped; a dry run begins anew.
    """
    granted, after = Granted(), "" if dry_run else _stopped(db, program, day)
    while True:
        page = grant_some(db, program, day, after=after, caller=caller, dry_run=dry_run, now=now)
        granted.add(page.granted)
        if page.last is None:
            return granted, True
        if granted.members > members_max:
            return granted, False
        after = page.last


def run(database: Database, *, caller: Caller, clock: Callable[[], datetime]) -> Granted:
    """Grant in every program what is due on its own date of now, in slices, each in a transaction of its own.

    A run that died goes on where it stopped, on the same date. Raises SomeFailed once all others were granted.
    """
    granted = Granted()
    before: bytes | None = None
    with Round("periodic_accruals") as each:
        while True:
            with database.read() as db:
                some = programs.search(db, status="active", after=before, limit=_PROGRAMS_READ)
            for program in some:
                with each.turn(public_id("prg", program.id)):
                    if terms.of(program.terms).grants:
                        granted.add(_run_one(database, program, caller, clock))
            if len(some) < _PROGRAMS_READ:
                return granted
            before = some[-1].id


def _run_one(database: Database, program: Program, caller: Caller, clock: Callable[[], datetime]) -> Granted:
    day = programs.business_date(clock(), program)
    with database.read() as db:
        after = _stopped(db, program, day)
    granted = Granted()
    while True:
        page = database.run(
            lambda db, after=after: grant_some(db, program, day, after=after, caller=caller, now=clock())  # type: ignore[misc]
        )
        granted.add(page.granted)
        if page.last is None:
            return granted
        after = page.last


def _stopped(db: Connection, program: Program, day: date) -> str:
    """Behind whom a run of a business date that is not done goes on."""
    known = db.execute(_PROGRESS, {"program_id": program.id}).one_or_none()
    return str(known.after) if known is not None and known.business_date == day else ""


def _first(program: Program, grant: Grant, through: date | None, day: date) -> date:
    """The first day whose occasions are looked for: what was missed, and what a late roster may have brought."""
    earliest = max(program.effective_from, grant.since or program.effective_from)
    if through is None:
        return earliest
    return max(earliest, min(through + _DAY, day - timedelta(days=grant.late_days)))


def _open(db: Connection, partner_id: bytes, due: Sequence[Due]) -> list[Due]:
    """What has not been granted yet."""
    done: set[str] = set()
    for chunk in bulk.in_chunks(sorted(each.event_id for each in due)):
        done.update(db.execute(_DONE, {"partner_id": partner_id, "event_ids": chunk}).scalars())
    return sorted((each for each in due if each.event_id not in done), key=lambda each: each.occasion.day)


def _record(
    db: Connection,
    program: Program,
    due: Sequence[Due],
    granted: Granted,
    *,
    caller: Caller,
    dry_run: bool,
    now: datetime,
) -> None:
    savepoint = db.begin_nested() if dry_run else None
    for done in record(db, program, due, caller=caller, now=now):
        granted.events += 1
        granted.posted += done.outcome == "posted"
        granted.points_minor += done.points_minor if done.outcome == "posted" else 0
        if done.outcome == "rejected":
            granted.rejected[done.code or "rejected"] += 1
    if savepoint is not None:
        savepoint.rollback()


def record(db: Connection, program: Program, due: Sequence[Due], *, caller: Caller, now: datetime) -> list[Recorded]:
    """Grant occasions that are due to members of an active partner; one outcome for each, in order."""
    partner = directory.known(db, program.partner_id)
    events = [_event_of(program, each) for each in due]
    return accruals.record(db, partner, events, sources=[BY_API] * len(events), caller=caller, by_hub=True, now=now)


def _event_of(program: Program, due: Due) -> NewAccrual:
    """The event that grants an occasion."""
    grant, occasion = due.grant, due.occasion
    return NewAccrual(
        program_code=program.code,
        event_id=due.event_id,
        employee_id=due.employee_id,
        event_type=grant.event_type,
        event_date=occasion.day,
        quantity=(Decimal(grant.quantity) * occasion.share).quantize(_QUANTITY, ROUND_HALF_UP),
        unit=grant.unit,
        amount=None,
        currency=None,
        pay_period=occasion.key.isoformat(),
        job_code_override=None,
        category=grant.code,
        reference=None,
        description=None,
    )


def _note(db: Connection, program: Program, through: date | None, day: date, last: str | None, now: datetime) -> None:
    done = max(through or day, day)
    row = {
        "program_id": program.id,
        "partner_id": program.partner_id,
        "through": done if last is None else through,
        "business_date": None if last is None else day,
        "after": last or "",
        "changed_at": now,
    }
    bulk.upsert(
        db, grant_progress, [row], key=("program_id",), update=("through", "business_date", "after", "changed_at")
    )


_PROGRESS: Final = select(grant_progress.c.through, grant_progress.c.business_date, grant_progress.c.after).where(
    grant_progress.c.program_id == bindparam("program_id")
)
_DONE: Final = select(accrual_event.c.event_id).where(
    accrual_event.c.partner_id == bindparam("partner_id"),
    accrual_event.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
