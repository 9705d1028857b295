"""Which files are due: the store's balances, NetSuite's orders, and what manifests say that partners are sent.

Each file has a key of its business date or period, so asking for it again asks for nothing. What a schedule missed
within ``LOOK_BACK`` is asked for by its next run; so is what has failed.
"""

import calendar
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.errors import InvalidInput
from chalicelib.files.exporting import asking, running
from chalicelib.files.exporting.jobs import ExportFile
from chalicelib.files.exporting.registry import Mode, export_named
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding.scheduled_exports import Every, ScheduledExport
from chalicelib.partners.programs.programs import zone
from chalicelib.points.finance.months import SETTLING
from chalicelib.records import dataclass
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)
#: How far back a run looks for files of periods that were not asked for. Files of a day are asked for on that day.
LOOK_BACK: Final = timedelta(days=40)
#: From this hour on, UTC, the store gets the day's full file.
_FULL_FROM_HOUR: Final = 1
_BALANCES: Final = "balances_sfcc"
_ORDERS: Final = "netsuite_orders"
_BY_SCHEDULE: Final = Caller("system:exports", "schedule")
_DAY: Final = timedelta(days=1)
_WEEKS: Final[dict[Every, timedelta]] = {"week": timedelta(days=7), "two_weeks": timedelta(days=14)}


@dataclass(frozen=True, slots=True)
class Due:
    """One file that is to be there. ``partner`` None: for the export's system."""

    export: str
    partner: Partner | None
    mode: Mode
    key: str
    period: tuple[date, date] | None = None


def balances(now: datetime) -> list[Due]:
    """The delta of this hour, and from one o'clock on the full file of this day; both in UTC."""
    at = now.astimezone(UTC)
    found = [Due(_BALANCES, None, "delta", f"hour {at:%Y-%m-%dT%H}")]
    if at.hour >= _FULL_FROM_HOUR:
        found.append(Due(_BALANCES, None, "full", f"night {at:%Y-%m-%d}"))
    return found


def orders(now: datetime) -> list[Due]:
    """The delta of this hour, in UTC."""
    return [Due(_ORDERS, None, "delta", f"hour {now.astimezone(UTC):%Y-%m-%dT%H}")]


def of_partners(db: Connection, now: datetime) -> Iterator[Due]:
    """What active partners are to be sent by now, by their manifests as they were applied last."""
    for partner in asking.active_partners(db):
        yield from of_partner(db, partner, now)


def of_partner(db: Connection, partner: Partner, now: datetime) -> Iterator[Due]:
    """What one partner is to be sent by now, by its manifest as it was applied last."""
    text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
    for document in json.loads(text or "{}").get("exports", ()):
        yield from due(ScheduledExport.model_validate(document), partner, now)


def due(scheduled: ScheduledExport, partner: Partner, now: datetime) -> Iterator[Due]:
    """The files of one entry of a manifest that are to be there by now, the earliest first."""
    here = now.astimezone(zone(partner.time_zone))
    hour, minute = map(int, scheduled.at.split(":"))
    # The latest day on which a file could be sent.
    today = here.date() if here.time() >= time(hour, minute) else here.date() - _DAY
    if not export_named(scheduled.export).has_period:
        if today == here.date() and today >= scheduled.since:
            yield Due(scheduled.export, partner, scheduled.mode, f"day {today}")
        return
    # What was posted within a period may be committed some minutes after its end.
    over = (now - SETTLING).astimezone(zone(partner.time_zone)).date()
    for first, last in periods(scheduled.every, scheduled.since, min(today, over)):
        if last >= here.date() - LOOK_BACK:
            yield Due(scheduled.export, partner, scheduled.mode, f"{first}..{last}", (first, last))


def periods(every: Every, since: date, before: date) -> Iterator[tuple[date, date]]:
    """The whole periods from the one that begins on ``since``, or first after it, to the last that ends before a day.

    Months and their halves (to the 15th, and from the 16th on) are the calendar's.
    """
    first = _begin(every, since)
    while (last := _end(every, first)) < before:
        yield first, last
        first = last + _DAY


def ask(database: Database, wanted: Sequence[Due], *, caller: Caller, now: datetime) -> int:
    """Ask for each file, in a transaction of its own, and tell the workers of those that are new; how many are.

    One that cannot be asked for, since its partner was suspended just now, does not keep the others from being sent.
    """
    asked = 0
    for each in wanted:
        try:
            file, fresh = database.run(lambda db, each=each: _asked(db, each, caller, now))  # type: ignore[misc]
        except InvalidInput as error:
            log.warning("A file that is due cannot be asked for.", extra={"export": each.export, "code": error.code})
            continue
        if fresh:
            running.announce(file.id)
            asked += 1
    return asked


def _asked(db: Connection, each: Due, caller: Caller, now: datetime) -> tuple[ExportFile, bool]:
    return asking.ask(
        db,
        export_named(each.export),
        each.partner,
        mode=each.mode,
        period=each.period,
        request_key=each.key,
        caller=caller,
        now=now,
    )


def _begin(every: Every, since: date) -> date:
    if every == "month" and since.day != 1:
        return _end("month", since) + _DAY
    if every == "half_month" and since.day not in {1, 16}:
        return _end("half_month", since) + _DAY
    return since


def _end(every: Every, first: date) -> date:
    """The last day of the period that ``first`` is in; of weeks, that it begins."""
    if every == "day":
        return first
    if every in _WEEKS:
        return first + _WEEKS[every] - _DAY
    if every == "half_month" and first.day <= 15:
        return first.replace(day=15)
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])


def send_balances(database: Database, *, now: datetime) -> int:
    """What the schedule of the store's balances does: ask for what is due; how many files are new."""
    return ask(database, balances(now), caller=_BY_SCHEDULE, now=now)


def send_orders(database: Database, *, now: datetime) -> int:
    """What the schedule of NetSuite's orders does: ask for what is due; how many files are new."""
    return ask(database, orders(now), caller=_BY_SCHEDULE, now=now)


def send_to_partners(database: Database, *, now: datetime) -> int:
    """What the schedule of partners' files does: ask for what is due; how many files are new.

    Raises SomeFailed once all other partners' were asked for.
    """
    with database.read() as db:
        partners = list(asking.active_partners(db))
    asked = 0
    with Round("partner_exports") as each:
        for partner in partners:
            with each.turn(partner.code):
                with database.read() as db:
                    wanted = list(of_partner(db, partner, now))
                asked += ask(database, wanted, caller=_BY_SCHEDULE, now=now)
    return asked
