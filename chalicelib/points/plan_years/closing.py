"""The end of a plan year: what is carried over, what is forfeited, and the grant that begins the new year.

A close works through a program's members in the order of their ids, slice by slice, each slice in one transaction with
the checkpoint: it may die anywhere and go on. A plan year of a program is closed once, and a member's year within it is
closed once, so running it again changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.errors import Broken
from chalicelib.partners.account_ids import HOUSE, MEMBER
from chalicelib.partners.account_ids import account_id as id_of
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.finance_terms import PlanYear
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, overdrafts, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.models.books import plan_year_close, plan_year_member
from chalicelib.points.plan_years import beginning, calendar, carrying, year_lots
from chalicelib.points.plan_years.beginning import Begun
from chalicelib.points.plan_years.calendar import Year
from chalicelib.points.plan_years.closes import Close, LaterYearClosed, NotClosed, PlanYearOpen, Totals, of_row, of_year
from chalicelib.points.plan_years.year_posting import Closed, YearPosting, member_row
from chalicelib.points.terms import expirations
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id

#: Members of one slice.
SLICE_MEMBERS: Final = 200
#: Members that are looked at together in a trial.
_TRIAL_MEMBERS: Final = 500
#: Closes of one page: those of rolling years are under way for a year, and keep nobody else's from being carried on.
_CLOSES_READ: Final = 100


def begin(db: Connection, program: Program, named: int, *, caller: Caller, now: datetime) -> tuple[Close, bool]:
    """Open the close of a plan year under the program's terms of now; it, and whether it is new.

    Raises NotClosed, PlanYearOpen, LaterYearClosed.
    """
    earlier = of_year(db, program.id, named)
    if earlier is not None:
        return earlier, False
    rule = required(program, named, now)
    if db.execute(_LATER, {"program_id": program.id, "named": named}).scalar_one():
        raise LaterYearClosed(f"A plan year of {program.code} after {named} was closed already.")
    own = {grant.code: grant.model_dump_json() for grant in terms.of(program.terms).grants}
    row = {
        "id": new_id(),
        "partner_id": program.partner_id,
        "program_id": program.id,
        "plan_year": named,
        "state": "running",
        "rules": rule.model_dump_json(),
        "grant_rules": None if rule.grant is None else own[rule.grant],
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
        raise NotClosed(
            f"The program {program.code} does not say how its plan years end: its `terms` in the manifest need"
            " `plan_year`."
        )
    if not calendar.over(rule, named, programs.business_date(now, program)):
        raise PlanYearOpen(f"The plan year {named} of {program.code} is not over yet.")
    return rule


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
    close = of_row(db.execute(_LOCK, {"id": close_id}).mappings().one())
    if close.done:
        return close
    today = programs.business_date(now, program)
    ids = year_lots.next_members(db, program.id, after=close.checkpoint, limit=SLICE_MEMBERS)
    years = _due(db, program, close.rule, close.plan_year, ids, today)
    if close.rule.begins is None:
        years = _not_yet(db, close.id, years)
    totals = _close_years(db, program, close, years, today, now)
    ended = len(ids) < SLICE_MEMBERS
    done = ended and calendar.over_for_all(close.rule, close.plan_year, today)
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


def run(database: Database, *, clock: Callable[[], datetime]) -> int:
    """Carry on every close that is under way to the end of its members; how many slices that took.

    Raises SomeFailed once all others were carried on.
    """
    slices, after = 0, HOUSE
    with Round("plan_years") as each:
        while True:
            with database.read() as db:
                waiting = db.execute(_RUNNING, {"after": after, "at_most": _CLOSES_READ}).all()
            for row in waiting:
                with each.turn(public_id("prg", row.program_id)):
                    slices += _carry_on(database, row, clock)
            if len(waiting) < _CLOSES_READ:
                return slices
            after = waiting[-1].id


def _carry_on(database: Database, row: Any, clock: Callable[[], datetime]) -> int:  # noqa: ANN401 - a row of _RUNNING
    """Carry one close on to the end of its members; how many slices that took."""
    with database.read() as db:
        program = programs.by_id(db, row.program_id)
    if program is None:
        raise Broken("A plan year is being closed of a program that there is not.")
    if _done_today(row, program, clock()):
        return 0
    slices = 0
    while True:
        slices += 1
        close = database.run(lambda db: run_slice(db, program, row.id, now=clock()))
        if close.checkpoint == HOUSE:
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
        member_id: calendar.of_member(rule, named, enrolled.get(member_id, program.effective_from))
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
    lapsed: set[bytes] = set()
    if rule.held == "lapse":
        lapsed = _lapse(db, holders, {key: years[member_id] for key, member_id in members.items()}, today, now)
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
    for account_id in sorted(lapsed - {holder.id for holder in posting.changed}):
        # All that was held stays where it is: nothing is posted, and yet it is held no more.
        transfers.finish(db, holders[account_id], now=now)
    begun: dict[bytes, Begun] = {}
    if close.grant is not None:
        ended = {member_id: year.last_day for member_id, year in years.items()}
        begun = beginning.grant(db, program, close.grant, ended, caller=close.caller, now=now)
        for each in begun.values():
            totals = totals.begun(each)
    rows = [
        member_row(close.partner_id, close.id, account_id, closed[member_id], begun.get(member_id), now)
        for account_id, member_id in sorted(members.items())
        # Of a rolling year that nothing was left of, too: what a refund gives back later is not the close's any more.
        if closed[member_id].carried.before_minor
        or member_id in begun
        or (rule.begins is None and account_id in holders)
    ]
    bulk.insert(db, plan_year_member, rows)
    return totals


def _lapse(
    db: Connection, holders: Mapping[bytes, Locked], years: Mapping[bytes, Year], today: date, now: datetime
) -> set[bytes]:
    """Take lots of ended years out of holds; the accounts of which there were any. Their counters move along."""
    lapsed = set()
    for account_id, left in year_lots.unspent(db, list(holders), today).items():
        ended = years[account_id].last_day
        held = {each.id for each in left if each.held_minor and each.came_on <= ended}
        if held:
            expirations.lapse(db, holders[account_id], held, now=now)
            lapsed.add(account_id)
    return lapsed


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


_LATER: Final = select(func.count()).where(
    plan_year_close.c.program_id == bindparam("program_id"), plan_year_close.c.plan_year > bindparam("named")
)
_LOCK: Final = select(plan_year_close).where(plan_year_close.c.id == bindparam("id")).with_for_update()
_RUNNING: Final = (
    select(*(plan_year_close.c[name] for name in ("id", "program_id", "checkpoint", "created_at", "changed_at")))
    .where(plan_year_close.c.state == "running", plan_year_close.c.id > bindparam("after"))
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
