"""The books' schedules: each month's settlements and statements, and each night's postings for SAP.

A month is settled and stated once for a partner, and a night's postings are asked for once, so running again changes
nothing. A partner that cannot be settled does not keep the others from it.
"""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput
from chalicelib.files.exporting import asking, running, timetable
from chalicelib.files.exporting.timetable import Due
from chalicelib.files.exports import sap_postings, settlement, statement
from chalicelib.partners.directory import Partner
from chalicelib.partners.models import partner as partner_table
from chalicelib.points.finance import months, settlements
from chalicelib.points.finance.months import Month
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)
_BY_SCHEDULE: Final = Caller("system:books", "schedule")


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
        text = db.execute(select(partner_table.c.manifest).where(partner_table.c.id == partner.id)).scalar_one()
        if json.loads(text or "{}").get("settlement") is None:
            continue
        month = months.latest_over(partner, now)
        made = settlements.of_period(db, partner.id, month.name)
        yield Closing(partner, month, bool(made) and made[-1].kind == "settlement")


def close_month(database: Database, *, now: datetime) -> Closed:
    """Settle the latest month of each partner that is due, and ask for its settlement's file and its statements."""
    with database.read() as db:
        wanted = list(due(db, now))
    settled, asked, refused = 0, 0, {}
    for closing in wanted:
        try:
            new, files = database.run(lambda db, each=closing: _close(db, each, now))  # type: ignore[misc]
        except (InvalidInput, Conflict) as error:
            # Its manifest, or a program's, lacks something: a person has to mend it and settle by hand.
            log.warning("A month cannot be settled.", extra={"partner": closing.partner.code, "code": error.code})
            refused[closing.partner.code] = error.code
            continue
        settled += new
        asked += len(files)
        for file_id in files:
            running.announce(file_id)
    return Closed(settled, asked, refused)


def send_postings(database: Database, *, now: datetime) -> int:
    """Ask for what SAP was not sent yet, once a day of UTC; how many files are new."""
    night = Due(sap_postings.NAME, None, "delta", f"night {now.astimezone(UTC):%Y-%m-%d}")
    return timetable.ask(database, [night], caller=_BY_SCHEDULE, now=now)


def _close(db: Connection, closing: Closing, now: datetime) -> tuple[bool, list[bytes]]:
    partner, month = closing.partner, closing.month
    made, new = settlements.settle(db, partner, month.name, caller=_BY_SCHEDULE, now=now)
    files = [
        asking.ask(db, settlement.EXPORT, partner, reference=made.reference, caller=_BY_SCHEDULE, now=now),
        asking.ask(
            db, statement.EXPORT, partner, period=(month.first_day, month.last_day), caller=_BY_SCHEDULE, now=now
        ),
    ]
    return new, [file.id for file, fresh in files if fresh]
