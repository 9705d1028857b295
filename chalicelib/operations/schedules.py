"""What the hub does by the clock: each job, when it runs, when it last did, and how a person runs it now.

A job does what is due and finds nothing more to do when it is run again: so running it by hand is always safe. Who asks
is told that it is queued; the workers run it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.access import audit, heartbeats
from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.operations import firing
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import queues
from chalicelib.storage.engine import Database
from chalicelib.web import clock

log = logging.getLogger(__name__)
QUEUE: Final = "schedules"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One job. ``when`` is EventBridge's expression, in UTC.

    ``run`` does it at a moment; None: only the clock runs it, each minute or so. ``run_for`` does it for a business
    date, of jobs that have one. ``would`` says in sentences what it would do, of jobs that can.
    """

    name: str
    when: str
    purpose: str
    run: Callable[[Database, Caller, datetime], object] | None = None
    run_for: Callable[[Database, date, datetime], object] | None = None
    would: Callable[[Connection, date | None, datetime], Sequence[str]] | None = None


class Ended(NamedTuple):
    """When a job last ended that the clock began, and one that a person did. One of them is not None."""

    by_clock: heartbeats.Heartbeat | None
    by_hand: heartbeats.Heartbeat | None

    @property
    def latest(self) -> heartbeats.Heartbeat:
        """The later of the two."""
        return max((beat for beat in self if beat is not None), key=lambda beat: beat.at)


class Timing(NamedTuple):
    """``next_at``: when a job is due next; None: at a rate, and it never ran.

    ``drift_s``: seconds from when it was last due to the first end after that, by the clock or by hand; while there is
    none, to now. None: it never ran.
    """

    next_at: datetime | None
    drift_s: int | None


def named(name: str) -> Schedule:
    """The job of that name. Raises NotFound."""
    found = SCHEDULES.get(name)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}: there are {', '.join(SCHEDULES)}.", code="schedule_unknown")
    return found


def latest(db: Connection) -> dict[str, Ended]:
    """When each job last ended, by name; those that never did are left out."""
    beats = heartbeats.latest(db)
    found: dict[str, Ended] = {}
    for name in SCHEDULES:
        by_clock, by_hand = beats.get(name), beats.get(_by_hand(name))
        if by_clock is not None or by_hand is not None:
            found[name] = Ended(by_clock, by_hand)
    return found


def timing(of: Schedule, ended: Ended | None, *, now: datetime) -> Timing:
    """When a job is due next, and how late it was the last time, or is."""
    plan = firing.parse(of.when)
    clocked = None if ended is None or ended.by_clock is None else ended.by_clock.at
    if isinstance(plan, firing.Cron):
        next_at, due = plan.after(now), plan.until(now)
    elif clocked is None:
        return Timing(None, None)
    else:
        # Nobody but EventBridge knows when a rate began: it is due so much time after it ended.
        due = clocked + plan.every
        if due > now:
            return Timing(due, 0)
        next_at = due + ((now - due) // plan.every + 1) * plan.every
    if ended is None or due is None:
        return Timing(next_at, None)
    since = [beat.at for beat in ended if beat is not None and beat.at >= due]
    return Timing(next_at, int((min(since, default=now) - due).total_seconds()))


def preview(db: Connection, name: str, day: date | None, *, now: datetime) -> Sequence[str]:
    """What the job would do, in sentences. Raises NotFound, and InvalidInput for a job that cannot tell."""
    found = _runnable(name, day)
    if found.would is None:
        raise InvalidInput(f"The schedule {name} cannot tell what it would do.", code="schedule_without_dry_run")
    return found.would(db, day, now)


def ask(db: Connection, name: str, day: date | None, *, caller: Caller, now: datetime) -> None:
    """Have a worker run the job now, for a business date if one is given.

    Raises NotFound, InvalidInput for a job that is not run by hand or knows no dates, and Unavailable when the queue
    does not answer.
    """
    _runnable(name, day)
    wanted = {"schedule": name, "business_date": None if day is None else day.isoformat(), "actor": caller.actor}
    audit.record(db, caller=caller, action="schedule.asked_to_run", subject=name, after=wanted, now=now)
    # Before the commit: a job that runs although nobody was told is harmless, one that is promised and lost is not.
    queues.send(settings().queue(QUEUE), {**wanted, "correlation_id": caller.correlation_id})


def handle(database: Database, message: Mapping[str, Any], *, now: datetime) -> None:
    """Run the job that a message names, as its own schedule would. Foreign messages are acknowledged by returning."""
    try:
        day = date.fromisoformat(message["business_date"]) if message.get("business_date") else None
        found = _runnable(str(message.get("schedule")), day)
    except (NotFound, InvalidInput, ValueError) as error:
        log.warning("A message names no schedule that could be run.", extra={"code": str(error)})
        return
    ok = False
    try:
        if day is not None and found.run_for is not None:
            found.run_for(database, day, now)
        elif found.run is not None:
            found.run(database, Caller(str(message.get("actor")), str(message.get("correlation_id"))), now)
        ok = True
    finally:
        database.run(lambda db: heartbeats.beat(db, _by_hand(found.name), ok=ok, now=now))


def _by_hand(name: str) -> str:
    """Under which name a run by hand is noted: it says nothing about the clock."""
    return f"{name} by hand"


def _runnable(name: str, day: date | None) -> Schedule:
    found = named(name)
    if found.run is None:
        raise InvalidInput(f"The schedule {name} runs all the time: there is nothing to start.", code="schedule_busy")
    if day is not None and found.run_for is None:
        raise InvalidInput(
            f"The schedule {name} is not run for a business date: leave it out.", code="schedule_without_date"
        )
    return found


def _balances(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.files.exporting import timetable

    return timetable.send_balances(database, now=now)


def _would_send_balances(_db: Connection, _day: date | None, now: datetime) -> list[str]:
    from chalicelib.files.exporting import timetable

    return [f"{due.export}, {due.mode}, {due.key}" for due in timetable.balances(now)]


def _orders(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.files.exporting import timetable

    return timetable.send_orders(database, now=now)


def _would_send_orders(_db: Connection, _day: date | None, now: datetime) -> list[str]:
    from chalicelib.files.exporting import timetable

    return [f"{due.export}, {due.mode}, {due.key}" for due in timetable.orders(now)]


def _to_partners(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.files.exporting import timetable

    return timetable.send_to_partners(database, now=now)


def _would_send_to_partners(db: Connection, _day: date | None, now: datetime) -> list[str]:
    from chalicelib.files.exporting import timetable

    return [
        f"{due.export} to {due.partner.code}, {due.mode}, {due.key}"
        for due in timetable.of_partners(db, now)
        if due.partner is not None
    ]


def _expire(database: Database, _caller: Caller, _now: datetime) -> object:
    from chalicelib.points.terms import expirations

    return expirations.run(database, clock=clock.now)


def _expire_for(database: Database, day: date, _now: datetime) -> object:
    from chalicelib.points.terms import expirations

    return expirations.run(database, day=day, clock=clock.now)


def _missing_files(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.files.expected import expecting

    return expecting.run(database, now=now)


def _release_holds(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.points.spending import hold_sweeper

    return hold_sweeper.sweep(database, now=now)


def _checkpoint(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.points.proof import checkpoints

    return checkpoints.run(database, now=now)


def _erase(database: Database, _caller: Caller, _now: datetime) -> object:
    from chalicelib.operations import erasure

    return erasure.run(database, clock=clock.now)


def _forget(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.operations import retaining

    return retaining.run(database, now=now)


def _would_forget(db: Connection, _day: date | None, now: datetime) -> Sequence[str]:
    from chalicelib.operations import retaining

    return retaining.told(db, now)


def _grant(database: Database, caller: Caller, _now: datetime) -> object:
    from chalicelib.points.terms import grants

    return grants.run(database, caller=caller, clock=clock.now)


def _close_out(database: Database, caller: Caller, _now: datetime) -> object:
    from chalicelib.points.terms import close_outs

    return close_outs.run(database, caller=caller, clock=clock.now)


def _plan_years(database: Database, _caller: Caller, _now: datetime) -> object:
    from chalicelib.points.plan_years import closing

    return closing.run(database, clock=clock.now)


def _postings(database: Database, _caller: Caller, now: datetime) -> object:
    from chalicelib.files.exporting import books

    return books.send_postings(database, now=now)


def _books(database: Database, _caller: Caller, _now: datetime) -> object:
    from chalicelib.files.exporting import books

    return books.close_month(database, clock=clock.now)


def _settlements(database: Database, _caller: Caller, _now: datetime) -> object:
    from chalicelib.files.exporting import books

    return books.go_on(database, clock=clock.now)


def _would_close_books(db: Connection, _day: date | None, now: datetime) -> list[str]:
    from chalicelib.files.exporting import books

    return [
        f"{each.partner.code}, {each.month.name}: {'settled already' if each.settled else 'to be settled'}"
        for each in books.due(db, now)
    ]


_ALL: Final = (
    Schedule("outbox_pump", "rate(1 minute)", "Deliver what is due to outside systems."),
    Schedule("intake_sweeper", "rate(1 minute)", "Queue again the files that an event lost."),
    Schedule("backtest_sweeper", "rate(1 minute)", "Go on with back-tests that nobody works on."),
    Schedule("export_sweeper", "rate(1 minute)", "Go on with exports that nobody works on."),
    Schedule("missing_files", "rate(15 minutes)", "Compare the files that came with those expected.", _missing_files),
    Schedule("hold_sweeper", "rate(5 minutes)", "Give back what baskets held for too long.", _release_holds),
    Schedule("erasures", "rate(5 minutes)", "Go on with forgetting those who asked for it.", _erase),
    Schedule("plan_years", "rate(5 minutes)", "Go on with plan years that are being closed.", _plan_years),
    Schedule("settlements", "rate(5 minutes)", "Go on with settlements that are under way.", _settlements),
    Schedule("ledger_checkpoint", "rate(1 hour)", "Chain and sign what the ledger has got.", _checkpoint),
    Schedule(
        "balances_export",
        "cron(5 * * * ? *)",
        "Send the store the balances that changed, and each night all of them.",
        _balances,
        would=_would_send_balances,
    ),
    Schedule(
        "partner_exports",
        "cron(20 * * * ? *)",
        "Send partners the files that their manifests name.",
        _to_partners,
        would=_would_send_to_partners,
    ),
    Schedule(
        "netsuite_orders",
        "cron(35 * * * ? *)",
        "Send NetSuite the orders that are new or have another revision.",
        _orders,
        would=_would_send_orders,
    ),
    Schedule("periodic_accruals", "cron(0 1 * * ? *)", "Grant what programs give by themselves.", _grant),
    Schedule("close_outs", "cron(30 1 * * ? *)", "Settle the points of members who have left.", _close_out),
    Schedule("expirations", "cron(0 2 * * ? *)", "Post what was not spent by its last day.", _expire, _expire_for),
    Schedule(
        "retention",
        "cron(0 3 * * ? *)",
        "Forget what has been kept for long enough.",
        _forget,
        would=_would_forget,
    ),
    Schedule("sap_postings", "cron(0 23 * * ? *)", "Send SAP the postings of the day.", _postings),
    Schedule(
        "monthly_books",
        "cron(0 13 1-3 * ? *)",
        "Settle the month before and state it to partners.",
        _books,
        would=_would_close_books,
    ),
)
#: Every job by name, in the order of the day.
SCHEDULES: Final[Mapping[str, Schedule]] = MappingProxyType({each.name: each for each in _ALL})
