"""The books' schedules: each month's settlements and statements, and each night's postings for SAP.

A month is settled and stated once for a partner, and a night's postings are asked for once, so running again changes
nothing. A partner that cannot be settled does not keep the others from it.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.errors import Conflict, InvalidInput
from chalicelib.files.exporting import asking, running, timetable
from chalicelib.files.exporting.timetable import Due
from chalicelib.files.exports import sap_postings, settlement, statement
from chalicelib.partners import directory
from chalicelib.partners.account_ids import HOUSE
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.points.finance import months, settlements, settling
from chalicelib.points.finance.months import Month
from chalicelib.points.finance.settlements import Settlement
from chalicelib.points.finance.settling import Run
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)
_BY_SCHEDULE: Final = Caller("system:books", "schedule")
#: Runs of one page.
_RUNS_READ: Final = 100


class Closing(NamedTuple):
    """A partner and its month that is over; ``settled``: by a settlement that stands."""

    partner: Partner
    month: Month
    settled: bool


class Closed(NamedTuple):
    """What a run did: settlements made, files asked for, and partners whose month could not be settled, by code."""

    settled: int
    asked: int
    refused: dict[str, str]


def due(db: Connection, now: datetime) -> Iterator[Closing]:
    """The latest month that is over, of every active partner whose manifest says how it is settled: a dry run."""
    for partner in asking.active_partners(db):
        closing = _due_of(db, partner, now)
        if closing is not None:
            yield closing


def _due_of(db: Connection, partner: Partner, now: datetime) -> Closing | None:
    text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
    if json.loads(text or "{}").get("settlement") is None:
        return None
    month = months.latest_over(partner, now)
    made = settlements.of_period(db, partner.id, month.name)
    return Closing(partner, month, bool(made) and made[-1].kind == "settlement")


def close_month(database: Database, *, clock: Callable[[], datetime]) -> Closed:
    """Settle the latest month of each partner that is due, and ask for its settlement's file and its statements.

    Raises SomeFailed once all others were settled.
    """
    with database.read() as db:
        partners = list(asking.active_partners(db))
    desk = _Desk(database, clock)
    with Round("monthly_books") as each:
        for partner in partners:
            with each.turn(partner.code):
                with database.read() as db:
                    closing = _due_of(db, partner, clock())
                if closing is not None:
                    desk.close(closing)
    return desk.closed


def go_on(database: Database, *, clock: Callable[[], datetime]) -> Closed:
    """Carry every settlement that is under way to its end, and ask for the files of those that a schedule began.

    Raises SomeFailed once all others were ended.
    """
    desk, after = _Desk(database, clock), HOUSE
    with Round("settlements") as each:
        while True:
            with database.read() as db:
                found = settling.under_way(db, after=after, limit=_RUNS_READ)
                partners = {run.partner_id: directory.known(db, run.partner_id) for run in found}
            for run in found:
                partner = partners[run.partner_id]
                with each.turn(partner.code), desk.unless_refused(partner):
                    made = desk.end(run)
                    if run.actor == _BY_SCHEDULE.actor:
                        desk.send(partner, months.named(run.period, partner), made)
            if len(found) < _RUNS_READ:
                return desk.closed
            after = found[-1].id


class _Desk:
    """What a run does for one partner after the other, and what it did so far."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.closed = Closed(0, 0, {})

    @contextmanager
    def unless_refused(self, partner: Partner) -> Iterator[None]:
        """Note what a person has to mend in the partner's manifest, or in a program's; the next run goes on."""
        try:
            yield
        except (InvalidInput, Conflict) as error:
            log.warning("A month cannot be settled.", extra={"partner": partner.code, "code": error.code})
            self.closed.refused[partner.code] = error.code

    def close(self, closing: Closing) -> None:
        """Settle a partner's month and send what goes out for it, unless a person has to mend something."""
        partner, name = closing.partner, closing.month.name
        with self.unless_refused(partner):
            progress = self._database.run(
                lambda db: settling.begin(db, partner, name, caller=_BY_SCHEDULE, now=self._clock())
            )
            made = progress.made
            if made is None and progress.run is not None:
                made = self.end(progress.run)
            self.send(partner, closing.month, made)

    def end(self, run: Run) -> Settlement:
        """Carry a settlement to its end."""
        made = settling.run_all(self._database, run, clock=self._clock)
        self.closed = self.closed._replace(settled=self.closed.settled + 1)
        return made

    def send(self, partner: Partner, month: Month, made: Settlement | None) -> None:
        """Ask for a settlement's file and the month's statements, and tell the workers of those that are new."""
        if made is None:
            return
        fresh = self._database.run(lambda db: _ask(db, partner, month, made, self._clock()))
        for file_id in fresh:
            running.announce(file_id)
        self.closed = self.closed._replace(asked=self.closed.asked + len(fresh))


def send_postings(database: Database, *, now: datetime) -> int:
    """Ask for what SAP was not sent yet, once a day of UTC; how many files are new."""
    night = Due(sap_postings.NAME, None, "delta", f"night {now.astimezone(UTC):%Y-%m-%d}")
    return timetable.ask(database, [night], caller=_BY_SCHEDULE, now=now)


def _ask(db: Connection, partner: Partner, month: Month, made: Settlement, now: datetime) -> list[bytes]:
    days = (month.first_day, month.last_day)
    files = [
        asking.ask(db, settlement.EXPORT, partner, reference=made.reference, caller=_BY_SCHEDULE, now=now),
        asking.ask(db, statement.EXPORT, partner, period=days, caller=_BY_SCHEDULE, now=now),
    ]
    return [file.id for file, fresh in files if fresh]
