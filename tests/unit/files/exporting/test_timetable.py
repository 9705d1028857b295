"""Which files are due, and that a schedule asks for each of them once."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from chalicelib.files.exporting import jobs, timetable
from chalicelib.files.exporting.registry import exports as all_exports
from chalicelib.files.models.files import export_file
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding.scheduled_exports import Name, ScheduledExport
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.exports import NOW

#: 20 November 2026, six in the morning in Chicago.
SIX = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PAYROLL = {"export": "payroll_feed", "every": "half_month", "since": "2026-10-16"}
NOTICES = {"export": "expiry_notice", "since": "2026-11-01", "mode": "delta"}


@pytest.fixture
def partner(database: Database, aws: None) -> Partner:
    """A partner that is sent its payroll feed twice a month and its notices daily, from six on."""
    with database.write() as db:
        made = points.make_earning(db, lots={"expires": {"days": 30}})
        points.earn(db, made)
        schedule(db, made.partner, PAYROLL, NOTICES)
    return made.partner


def schedule(db, partner: Partner, *entries: dict[str, Any]) -> None:
    manifest = json.dumps({"exports": entries})
    db.execute(update(partner_table).where(partner_table.c.id == partner.id).values(manifest=manifest))


def asked(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as db:
        return sorted((file.export, file.receiver, file.request_key) for file in jobs.newest_first(db, limit=100))


class TestPeriods:
    @pytest.mark.parametrize(
        ("every", "since", "before", "found"),
        [
            ("month", "2026-01-01", "2026-03-01", ["01-01..01-31", "02-01..02-28"]),
            ("month", "2026-01-10", "2026-03-01", ["02-01..02-28"]),
            ("half_month", "2026-02-01", "2026-03-16", ["02-01..02-15", "02-16..02-28", "03-01..03-15"]),
            ("half_month", "2026-02-03", "2026-03-01", ["02-16..02-28"]),
            ("week", "2026-11-02", "2026-11-16", ["11-02..11-08", "11-09..11-15"]),
            ("two_weeks", "2026-11-02", "2026-11-16", ["11-02..11-15"]),
            ("two_weeks", "2026-11-02", "2026-11-15", []),
            ("day", "2026-11-01", "2026-11-03", ["11-01..11-01", "11-02..11-02"]),
        ],
    )
    def test_follow_one_another_without_gap_and_are_over(self, every, since: str, before: str, found: list[str]):
        periods = timetable.periods(every, date.fromisoformat(since), date.fromisoformat(before))

        assert [f"{first:%m-%d}..{last:%m-%d}" for first, last in periods] == found


class TestAnEntry:
    def test_names_exports_that_partners_get(self):
        assert [name for name in get_args(Name) if not all_exports()[name].partners] == []

    @pytest.mark.parametrize("more", [{"every": "month"}, {"export": "payroll_feed"}, {"at": "6"}, {"export": "other"}])
    def test_that_makes_no_sense_is_refused(self, more: dict[str, Any]):
        with pytest.raises(ValidationError):
            ScheduledExport.model_validate(NOTICES | more)


class TestTheStoresBalances:
    @pytest.mark.usefixtures("aws")
    def test_are_sent_once_an_hour_and_once_a_night(self, database: Database):
        for minutes in (0, 30, 60):
            timetable.send_balances(database, now=NOW + timedelta(minutes=minutes))

        assert asked(database) == [
            ("balances_sfcc", "_commerce-cloud", "hour 2026-11-20T12"),
            ("balances_sfcc", "_commerce-cloud", "hour 2026-11-20T13"),
            ("balances_sfcc", "_commerce-cloud", "night 2026-11-20"),
        ]

    def test_have_no_full_file_before_one_in_the_morning(self):
        assert [each.mode for each in timetable.balances(NOW.replace(hour=0))] == ["delta"]


class TestNetSuitesOrders:
    @pytest.mark.usefixtures("aws")
    def test_are_sent_once_an_hour(self, database: Database):
        new = [timetable.send_orders(database, now=NOW + timedelta(minutes=minutes)) for minutes in (0, 30, 60)]

        assert new == [1, 0, 1]
        assert asked(database) == [
            ("netsuite_orders", "_netsuite", "hour 2026-11-20T12"),
            ("netsuite_orders", "_netsuite", "hour 2026-11-20T13"),
        ]


class TestPartnersFiles:
    def test_are_asked_for_once_by_period_and_day(self, database: Database, partner: Partner):
        assert timetable.send_to_partners(database, now=SIX) == 3
        assert timetable.send_to_partners(database, now=SIX + timedelta(hours=3)) == 0

        assert asked(database) == [
            ("expiry_notice", partner.code, "day 2026-11-20"),
            ("payroll_feed", partner.code, "2026-10-16..2026-10-31"),
            ("payroll_feed", partner.code, "2026-11-01..2026-11-15"),
        ]

    def test_wait_for_their_time_of_day(self, database: Database, partner: Partner):
        with database.write() as db:
            schedule(db, partner, NOTICES)

        assert timetable.send_to_partners(database, now=SIX - timedelta(minutes=1)) == 0
        assert timetable.send_to_partners(database, now=SIX) == 1

    def test_of_a_period_are_asked_for_on_the_day_after_it(self, database: Database, partner: Partner):
        with database.write() as db:
            schedule(db, partner, {**PAYROLL, "since": "2026-11-16"})

        assert timetable.send_to_partners(database, now=SIX.replace(day=30)) == 0
        assert timetable.send_to_partners(database, now=SIX.replace(month=12, day=1)) == 1

    def test_are_not_sent_to_who_is_suspended(self, database: Database, partner: Partner):
        with database.write() as db:
            directory.change_status(db, partner, "suspended", reason="a test", caller=points.CALLER, now=NOW)

        assert timetable.send_to_partners(database, now=SIX) == 0

    def test_that_failed_are_asked_for_again(self, database: Database, partner: Partner):
        with database.write() as db:
            schedule(db, partner, NOTICES)
        timetable.send_to_partners(database, now=SIX)
        with database.write() as db:
            db.execute(update(export_file).values(state="failed", reason_code="test", finished_at=NOW))

        assert timetable.send_to_partners(database, now=SIX + timedelta(hours=1)) == 1

        with database.read() as db:
            [file] = jobs.newest_first(db, limit=10)
        assert exports.finish(database, file).file.state == "written"
