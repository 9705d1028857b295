"""A month's settlement that dies at any statement or commit, and is run again, names and invoices each entry once."""

import gc
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select

from chalicelib.files.exporting import books
from chalicelib.files.models.files import export_file
from chalicelib.points.finance import figures, settlements, settling
from chalicelib.points.models.books import (
    posting,
    posting_line,
    settlement,
    settlement_line,
    settlement_range,
    settlement_run,
    settlement_sum,
)
from chalicelib.points.proof import checks
from chalicelib.storage.engine import Database
from tests.factories import partners, points
from tests.factories.finance import BALANCE_SHEET, SETTLEMENT, VALUE, at, settled_by, with_terms
from tests.factories.points import Earning
from tests.faults.tripwire import Mode, Tripwire, armed
from tests.faults.world import dying

LATER = datetime(2026, 11, 1, 14, tzinfo=UTC)
_TABLES = (
    settlement, settlement_line, settlement_range, settlement_run, settlement_sum, posting, posting_line, export_file
)  # fmt: skip
_SEAMS_MAX = 500
_MEMBERS = 4

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def due(database: Database, aws: None, monkeypatch: pytest.MonkeyPatch) -> Earning:
    """A partner whose October is to be settled, in three slices."""
    monkeypatch.setattr(settling, "SLICE_ACCOUNTS", 2)
    with database.write() as db:
        made = with_terms(db, points.make_earning(db), value=VALUE)
        settled_by(db, made, accounts=SETTLEMENT["accounts"] | BALANCE_SHEET)
        people = partners.make_members(db, made.partner, _MEMBERS)
        events = [points.event(employee_id=number, event_date=date(2026, 10, 1)) for number in ["E1", *people]]
        points.record(db, made.partner, events, now=at(date(2026, 10, 2)))
        points.redeem(db, made, 500, now=at(date(2026, 10, 3)))
    return made


def restore(database: Database) -> None:
    database.engine.dispose()
    with database.write() as db:
        for table in _TABLES:
            db.execute(delete(table))


def outcome(database: Database, of: Earning) -> dict[str, Any]:
    """What is settled, invoiced, posted and asked for, without the ids that each run gives anew."""
    with database.read() as db:
        [made] = settlements.of_period(db, of.partner.id, "2026-10")
        ranges = select(
            settlement_range.c.account_id, settlement_range.c.first_entry_no, settlement_range.c.last_entry_no
        )
        sums = select(settlement_sum.c.movement, settlement_sum.c.points_minor)
        asked = select(export_file.c.export, export_file.c.state)
        assert checks.check(db) == []
        return {
            "entries": made.entries,
            "ranges": sorted(map(tuple, db.execute(ranges))),
            "sums": sorted(map(tuple, db.execute(sums))),
            "lines": figures.stored(db, made.id),
            "items": [(row.gl_account, row.dr_cr, row.amount_minor) for row in db.execute(select(posting_line))],
            "files": sorted(map(tuple, db.execute(asked))),
            "state": db.execute(select(settlement_run.c.state)).scalars().all(),
        }


@pytest.mark.parametrize("mode", ["crash", "dead"])
def test_a_month_ends_as_if_nothing_had_happened(record_property, database: Database, due: Earning, mode: Mode):
    books.close_month(database, clock=lambda: LATER)
    expected = outcome(database, due)
    survived = 0
    for number in range(1, _SEAMS_MAX):
        restore(database)
        wire = Tripwire(number, mode)
        with dying() as died, armed(wire, database):
            books.close_month(database, clock=lambda: LATER)
        if not wire.tripped:
            break
        database.engine.dispose()
        # The clock goes on with what is under way, and the next day's run asks for what is missing.
        books.go_on(database, clock=lambda: LATER)
        books.close_month(database, clock=lambda: LATER)
        assert outcome(database, due) == expected, f"{mode} at seam {number}, {wire.crossed[number - 1][:90]}: {died}"
        survived += 1
    record_property("figure", f"settlement, {mode}, {database.engine.dialect.name}: {survived} crash points survived")
    gc.collect()
    assert survived > len(expected["ranges"])
