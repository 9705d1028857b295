"""What the schedule does to points, and what a day brings: grants, expiry, years that end, people who leave."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from random import Random

from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import accrual_event
from chalicelib.points.plan_years import closing
from chalicelib.points.terms import close_outs, grants, terminations
from tests.factories import points
from tests.factories.points import CALLER
from tests.unit.points.stories.ledger_story import (
    EMPLOYEES,
    FIRST,
    GRANT_POINTS,
    LIFE,
    PERIODS,
    PROGRAMS,
    YEAR_ENDS,
    Key,
    Step,
    Story,
)


def _of_program(story: Story, code: str) -> list[Key]:
    return [key for key in story.of if key[1] == code]


def grant(story: Story, random: Random) -> Step:
    """Each period is granted on its first day, once, to who is employed then."""
    code = random.choice(PROGRAMS)
    program = story.of["E1", code].program
    day = story.today

    def real(db, now):
        return grants.grant_some(db, program, FIRST + timedelta(days=day), caller=CALLER, now=now)

    def plain(reference, made):
        del made
        for first, after in pairwise(PERIODS):
            name = f"period {first}"
            due = first <= day and (reference.last_day is None or first <= reference.last_day)
            if due and name not in reference.granted_ever:
                reference.granted_ever.add(name)
                reference.give(name, first + LIFE, GRANT_POINTS, "issuance")
                reference.grant(name, first, after - 1, reference.given[name].lot)

    return Step("grant", real, dict.fromkeys(_of_program(story, code), plain), as_due=True)


def expire(story: Story, random: Random) -> Step:
    code = random.choice(PROGRAMS)
    day = FIRST + timedelta(days=story.today)
    return Step(
        "expire",
        lambda db, now: points.expire(db, story.of["E1", code], day, now=now),
        dict.fromkeys(_of_program(story, code), lambda reference, _: reference.expire()),
        as_due=True,
    )


def close_out(story: Story, random: Random) -> Step:
    """Who has left is closed, where there is anything."""
    code = random.choice(PROGRAMS)

    def plain(reference, made):
        del made
        if reference.balance > 0 or any(reference.holds.values()):
            reference.leave()

    return Step(
        "close_out",
        lambda db, now: close_outs.close_some(db, story.of["E1", code].program, caller=CALLER, now=now),
        dict.fromkeys(_of_program(story, code), plain),
        as_due=True,
    )


def close_year(story: Story, random: Random) -> Step | None:
    code = random.choice(PROGRAMS)
    if story.today <= YEAR_ENDS or code in story.closed:
        return None
    story.closed.add(code)
    program = story.of["E1", code].program

    def real(db, now):
        close, _ = closing.begin(db, program, FIRST.year - 1, caller=CALLER, now=now)
        return closing.run_slice(db, program, close.id, now=now)

    keys = _of_program(story, code)
    plain = dict.fromkeys(keys, lambda reference, _: reference.close_year(YEAR_ENDS))
    return Step("close_year", real, plain, as_due=True)


def leave(story: Story, random: Random) -> Step | None:
    """A member's last day was, or is to come."""
    staying = [each for each in EMPLOYEES if each not in story.left]
    # The second one first: the first one's story is to be a long one.
    employee = staying[-1] if staying else None
    if employee is None or story.today < 2:
        return None
    story.left.add(employee)
    last_day = story.today + random.randint(-2, 3)

    def real(db, now):
        of = story.of[employee, PROGRAMS[0]]
        known = members.by_ids(db, [of.member.id])[of.member.id]
        [then] = members.as_of(db, [known], programs.business_date(now, of.partner))
        day = FIRST + timedelta(days=last_day)
        return terminations.terminate(db, of.partner, then, day, reason="a test", caller=CALLER, now=now)

    def plain(reference, made):
        del made
        reference.last_day = last_day
        reference.leave()

    return Step("leave", real, {(employee, code): plain for code in PROGRAMS})


def wait(story: Story, random: Random) -> None:
    """Some days go by."""
    story.today += random.randint(1, 4)


def granted_events(story: Story) -> None:
    """Let grants be corrected and reversed like what was sent."""
    known = {event_id for *_, event_id in story.events}
    with story.database.read() as db:
        for key, of in story.of.items():
            own = accrual_event.select().where(
                accrual_event.c.account_id == of.account_id, accrual_event.c.event_id.like("grant.%")
            )
            story.events += [
                (key, f"period {(row.event_date - FIRST).days}", row.id)
                for row in db.execute(own).all()
                if row.id not in known
            ]


#: What the schedule does, which may happen while anything else does.
JOBS: tuple[Callable[[Story, Random], Step | None], ...] = (grant, expire, close_out, close_year)
