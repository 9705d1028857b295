"""The end of a plan year: what is carried over, what is forfeited, and the grant that begins the new year.

A close works through a program's members in the order of their ids, slice by slice, each slice in one transaction with
the checkpoint: it may die anywhere and go on. A plan year of a program is closed once, and a member's year within it is
closed once, so running it again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, Unprocessable
from chalicelib.partners import programs, terms
from chalicelib.partners.account_ids import HOUSE, MEMBER
from chalicelib.partners.account_ids import account_id as id_of
from chalicelib.partners.finance_terms import PlanYear
from chalicelib.partners.programs import Program
from chalicelib.points import accounts, expirations, overdrafts
from chalicelib.points.accounts import Locked
from chalicelib.points.finance import beginning, carrying, plan_years, year_lots
from chalicelib.points.finance.beginning import Begun
from chalicelib.points.finance.carrying import Carried
from chalicelib.points.finance.plan_years import Year
from chalicelib.points.finance.year_posting import Closed, YearPosting, member_row
from chalicelib.points.finance_models import plan_year_close, plan_year_member
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id

#: Members of one slice.
SLICE_MEMBERS: Final = 200
#: Members that are looked at together in a trial.
_TRIAL_MEMBERS: Final = 500
#: Closes that one sweep carries on.
_CLOSES_MAX: Final = 100


class PlanYearOpen(Conflict):
    """The plan year is not over yet."""

    code = "plan_year_open"


class NotClosed(Unprocessable):
    """The program says nothing of how its plan years end."""

    code = "plan_year_not_closed"


class Totals(NamedTuple):
    """Sums over members, in minor units. before = carried + forfeited; ``held_minor`` is a part of what is carried."""

    members: int = 0
    before_minor: int = 0
    carried_minor: int = 0
    held_minor: int = 0
    forfeited_minor: int = 0
    grants: int = 0
    granted_minor: int = 0
    grants_refused: int = 0

    def plus(self, carried: Carried) -> "Totals":
        """With one member more."""
        return self._replace(
            members=self.members + 1,
            before_minor=self.before_minor + carried.before_minor,
            carried_minor=self.carried_minor + carried.carried_minor,
            held_minor=self.held_minor + carried.held_minor,
            forfeited_minor=self.forfeited_minor + carried.forfeited_minor,
        )

    def begun(self, begun: Begun) -> "Totals":
        """With a grant more, or one that was refused."""
        return self._replace(
            grants=self.grants + (begun.refused is None),
            granted_minor=self.granted_minor + begun.points_minor,
            grants_refused=self.grants_refused + (begun.refused is not None),
        )


@dataclass(frozen=True, slots=True)
class Close:
    """One close; ``done``: every member's year of that name is closed."""

    id: bytes
    partner_id: bytes
    program_id: bytes
    plan_year: int
    done: bool
    rule: PlanYear
    checkpoint: bytes
    totals: Totals
    actor: str
    correlation_id: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def caller(self) -> Caller:
        """Who asked for it, in whose name it goes on."""
        return Caller(self.actor, self.correlation_id)


def begin(db: Connection, program: Program, named: int, *, caller: Caller, now: datetime) -> tuple[Close, bool]:
    """Open the close of a plan year under the program's terms of now; it, and whether it is new.

    Raises NotClosed, PlanYearOpen.
    """
    earlier = of_year(db, program.id, named)
    if earlier is not None:
        return earlier, False
    rule = required(program, named, now)
    row = {
        "id": new_id(),
        "partner_id": program.partner_id,
        "program_id": program.id,
        "plan_year": named,
        "state": "running",
        "rules": rule.model_dump_json(),
        "checkpoint": HOUSE,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "created_at": now,
        "changed_at": now,
    }
    taken = bulk.insert_new(db, plan_year_close, [row], key=("program_id", "plan_year"))
    made = of_year(db, program.id, named)
    if made is None:
        raise Broken("The close of a plan year was there when it was written and gone when it was read.")
    if not taken:
        _note(db, made, "plan_year.close_begun", caller, now)
    return made, not taken


def required(program: Program, named: int, now: datetime) -> PlanYear:
    """How the program's plan years end. Raises NotClosed, and PlanYearOpen while the year is over for nobody."""
    rule = terms.of(program.terms).plan_year
    if rule is None:
        raise NotClosed(f"The program {program.code} does not say how its plan years end.")
    if not plan_years.over(rule, named, programs.business_date(now, program)):
        raise PlanYearOpen(f"The plan year {named} of {program.code} is not over yet.")
    return rule


def of_year(db: Connection, program_id: bytes, named: int) -> Close | None:
    """The close of a program's plan year, if there is one."""
    row = db.execute(_OF_YEAR, {"program_id": program_id, "named": named}).mappings().one_or_none()
    return None if row is None else _close(row)


def preview(db: Connection, program: Program, named: int, *, members_max: int, now: datetime) -> tuple[Totals, bool]:
    """What a close would carry over and forfeit, and whether it looked at all members; nothing is written or locked.

    What the new year's grant gives is decided by the rules when it is made, and is not foretold. Raises NotClosed,
    PlanYearOpen.
    """
    rule = required(program, named, now)
    today = programs.business_date(now, program)
    totals, after, looked_at = Totals(), HOUSE, 0
    while looked_at < members_max:
        ids = year_lots.next_members(db, program.id, after=after, limit=_TRIAL_MEMBERS)
        years = _due(db, program, rule, named, ids, today)
        of = {member_id: id_of(program.id, MEMBER, member_id) for member_id in years}
        left = year_lots.unspent(db, list(of.values()), today)
        owed = year_lots.overdrawn(db, list(of.values()))
        for member_id, year in years.items():
            found = year_lots.of_year(
                left.get(of[member_id], []),
                year.last_day,
                owed_minor=owed.get(of[member_id], 0),
                lapses=rule.held == "lapse",
            )
            if found:
                totals = totals.plus(carrying.part(rule.carry_over, found, scale=program.scale, last_day=year.last_day))
        looked_at += len(ids)
        if len(ids) < _TRIAL_MEMBERS:
            return totals, True
        after = ids[-1]
    return totals, False


def run_slice(db: Connection, program: Program, close_id: bytes, *, now: datetime) -> Close:
    """Close the years of the next members; the close as it is then. One that is done stays as it is."""
    close = _close(db.execute(_LOCK, {"id": close_id}).mappings().one())
    if close.done:
        return close
    today = programs.business_date(now, program)
    ids = year_lots.next_members(db, program.id, after=close.checkpoint, limit=SLICE_MEMBERS)
    years = _due(db, program, close.rule, close.plan_year, ids, today)
    if close.rule.begins is None:
        years = _not_yet(db, close.id, years)
    totals = _close_years(db, program, close, years, today, now)
    ended = len(ids) < SLICE_MEMBERS
    done = ended and plan_years.over_for_all(close.rule, close.plan_year, today)
    # Who is not due yet is looked at again from the beginning.
    checkpoint = HOUSE if ended else ids[-1]
    close = replace(close, totals=totals, checkpoint=checkpoint, done=done, finished_at=now if done else None)
    db.execute(
        _PROGRESS,
        {
            "of": close.id,
            "now_state": "done" if done else "running",
            "after": checkpoint,
            "at": now,
            "ended": close.finished_at,
            **{f"new_{name}": amount for name, amount in totals._asdict().items()},
        },
    )
    if done:
        _note(db, close, "plan_year.closed", close.caller, now)
    return close


def run(database: Database, *, now: datetime) -> int:
    """Carry on every close that is under way to the end of its members; how many slices that took."""
    with database.read() as db:
        waiting = db.execute(_RUNNING, {"at_most": _CLOSES_MAX}).all()
    slices = 0
    for row in waiting:
        with database.read() as db:
            program = programs.by_id(db, row.program_id)
        if program is None:
            raise Broken("A plan year is being closed of a program that there is not.")
        if _done_today(row, program, now):
            continue
        close_id = row.id
        while True:
            close = database.run(lambda db, of=program, which=close_id: run_slice(db, of, which, now=now))  # type: ignore[misc]
            slices += 1
            if close.checkpoint == HOUSE:
                break
    return slices


def _done_today(row: Any, program: Program, now: datetime) -> bool:  # noqa: ANN401 - a row of _RUNNING
    """Whether all members were looked at on this business date: of a rolling year, the next are due tomorrow."""
    today = programs.business_date(now, program)
    ended = row.checkpoint == HOUSE and row.changed_at > row.created_at
    return ended and programs.business_date(row.changed_at, program) == today


def _due(
    db: Connection, program: Program, rule: PlanYear, named: int, member_ids: Sequence[bytes], today: date
) -> dict[bytes, Year]:
    """Each member's year of that name, where it is over."""
    enrolled = year_lots.enrolled_since(db, program.id, member_ids) if rule.begins is None else {}
    found = {
        member_id: plan_years.of_member(rule, named, enrolled.get(member_id, program.effective_from))
        for member_id in member_ids
    }
    return {member_id: year for member_id, year in found.items() if year is not None and year.last_day < today}


def _not_yet(db: Connection, close_id: bytes, years: Mapping[bytes, Year]) -> dict[bytes, Year]:
    done = set(db.execute(_DONE, {"close_id": close_id, "members": sorted(years)}).scalars())
    return {member_id: year for member_id, year in years.items() if member_id not in done}


def _close_years(
    db: Connection, program: Program, close: Close, years: Mapping[bytes, Year], today: date, now: datetime
) -> Totals:
    rule, totals = close.rule, close.totals
    members = {id_of(program.id, MEMBER, member_id): member_id for member_id in years}
    holders = {holder.id: holder for holder in accounts.lock_existing(db, members)}
    if rule.held == "lapse":
        _lapse(db, holders, {key: years[member_id] for key, member_id in members.items()}, today, now)
    for holder in holders.values():
        overdrafts.repay(db, holder, day=today, now=now)
    # Read again under the locks, once holds have lapsed and debts are repaid.
    left = year_lots.unspent(db, list(holders), today)
    posting = YearPosting(program, today, now)
    closed: dict[bytes, Closed] = {}
    for account_id in sorted(members):
        member_id = members[account_id]
        year = years[member_id]
        found = year_lots.of_year(left.get(account_id, []), year.last_day)
        carried = carrying.part(rule.carry_over, found, scale=program.scale, last_day=year.last_day)
        closed[member_id] = Closed(new_id(), member_id, year, carried)
        if carried.before_minor:
            totals = totals.plus(carried)
            posting.add(closed[member_id], holders[account_id])
    posting.write(db)
    begun: dict[bytes, Begun] = {}
    if rule.grant is not None:
        ended = {member_id: year.last_day for member_id, year in years.items()}
        begun = beginning.grant(db, program, rule.grant, ended, caller=close.caller, now=now)
        for each in begun.values():
            totals = totals.begun(each)
    rows = [
        member_row(close.partner_id, close.id, account_id, closed[member_id], begun.get(member_id), now)
        for account_id, member_id in sorted(members.items())
        if closed[member_id].carried.before_minor or member_id in begun
    ]
    bulk.insert(db, plan_year_member, rows)
    return totals


def _lapse(
    db: Connection, holders: Mapping[bytes, Locked], years: Mapping[bytes, Year], today: date, now: datetime
) -> None:
    for account_id, left in year_lots.unspent(db, list(holders), today).items():
        ended = years[account_id].last_day
        held = {each.id for each in left if each.held_minor and each.came_on <= ended}
        if held:
            expirations.lapse(db, holders[account_id], held, now=now)


def _note(db: Connection, close: Close, action: str, caller: Caller, now: datetime) -> None:
    audit.record(
        db,
        caller=caller,
        action=action,
        subject=public_id("prg", close.program_id),
        partner_id=close.partner_id,
        after={"plan_year": close.plan_year, **close.totals._asdict()},
        now=now,
    )


def _close(row: RowMapping) -> Close:
    return Close(
        row["id"],
        row["partner_id"],
        row["program_id"],
        row["plan_year"],
        row["state"] == "done",
        PlanYear.model_validate_json(row["rules"]),
        row["checkpoint"],
        Totals(*(row[name] for name in Totals._fields)),
        row["actor"],
        row["correlation_id"],
        row["created_at"],
        row["finished_at"],
    )


_OF_YEAR: Final = select(plan_year_close).where(
    plan_year_close.c.program_id == bindparam("program_id"), plan_year_close.c.plan_year == bindparam("named")
)
_LOCK: Final = select(plan_year_close).where(plan_year_close.c.id == bindparam("id")).with_for_update()
_RUNNING: Final = (
    select(
        *(plan_year_close.c[name] for name in ("id", "program_id", "checkpoint", "created_at", "changed_at")),
    )
    .where(plan_year_close.c.state == "running")
    .order_by(plan_year_close.c.id)
    .limit(bindparam("at_most"))
)
_DONE: Final = select(plan_year_member.c.member_id).where(
    plan_year_member.c.close_id == bindparam("close_id"),
    plan_year_member.c.member_id.in_(bindparam("members", expanding=True)),
)
_PROGRESS: Final = (
    update(plan_year_close)
    .where(plan_year_close.c.id == bindparam("of"))
    .values(
        state=bindparam("now_state"),
        checkpoint=bindparam("after"),
        changed_at=bindparam("at"),
        finished_at=bindparam("ended"),
        **{name: bindparam(f"new_{name}") for name in Totals._fields},
    )
)
