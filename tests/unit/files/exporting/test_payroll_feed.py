"""O2: what a partner's payroll has to know of a period."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.points.spending.refunds import Wanted
from chalicelib.storage.engine import Database
from tests.factories import exports, partners, points
from tests.factories.points import NOW, Earning

pytestmark = pytest.mark.usefixtures("aws")
NAME = "payroll_feed"
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
LATER = datetime(2026, 12, 1, 11, 0, tzinfo=UTC)
VALUE = {"value": {"currency": "USD", "values": [{"since": "2026-01-01", "value": "0.5"}]}}


@pytest.fixture
def earning(database: Database) -> Earning:
    """E1 has earned 15 points, at half a dollar each, on 20 November."""
    with database.write() as db:
        made = points.make_earning(db, terms=VALUE)
        points.earn(db, made)
    return made


def feed(database: Database, earning: Earning, period: tuple[date, date] = NOVEMBER) -> list[dict[str, Any]]:
    return exports.write(database, NAME, earning.partner, period=period, now=LATER).rows


class TestTheFeed:
    def test_says_what_was_given_spent_and_taxed(self, database: Database, earning: Earning):
        with database.write() as db:
            redeemed = points.redeem(db, earning, 300, 101)
            points.refund(db, earning, redeemed, Wanted("1"))

        [row] = feed(database, earning)

        assert row == {
            "partner_code": earning.partner.code,
            "employee_id": "E1",
            "program_code": "uniform",
            "period_start": date(2026, 11, 1),
            "period_end": date(2026, 11, 30),
            "points_accrued": Decimal("15.00"),
            "points_redeemed": Decimal("1.01"),
            "points_expired": Decimal("0.00"),
            "taxable_amount": Decimal("0.51"),
            "payroll_deduction": Decimal("0.00"),
            "currency": "USD",
        }

    def test_counts_what_expired(self, database: Database):
        with database.write() as db:
            made = points.make_earning(db, lots={"expires": {"days": 10}})
            points.earn(db, made)
            points.expire(db, made, NOW.date())

        [row] = feed(database, made)

        assert (row["points_accrued"], row["points_expired"], row["taxable_amount"]) == (15, 15, None)

    def test_has_each_movement_in_the_feed_of_one_period(self, database: Database, earning: Earning):
        halves = [(date(2026, 11, 1), date(2026, 11, 15)), (date(2026, 11, 16), date(2026, 11, 30))]

        found = [feed(database, earning, half) for half in halves]

        # The event is of 2 November and came on the 20th.
        assert [[row["points_accrued"] for row in rows] for rows in found] == [[], [15]]

    def test_begins_and_ends_with_the_partners_days(self, database: Database, earning: Earning):
        assert earning.partner.time_zone == "America/Chicago"
        late = datetime(2026, 12, 1, 5, 59, tzinfo=UTC)
        with database.write() as db:
            points.redeem(db, earning, 100, now=late)
            points.redeem(db, earning, 200, now=late.replace(hour=6))

        november, december = feed(database, earning), feed(database, earning, (date(2026, 12, 1), date(2026, 12, 31)))

        assert [row["points_redeemed"] for row in (*november, *december)] == [1, 2]

    def test_is_sent_without_rows_too(self, database: Database, earning: Earning):
        sent = exports.write(database, NAME, earning.partner, period=(date(2026, 1, 1), date(2026, 1, 31)), now=LATER)

        assert (sent.file.state, sent.rows) == ("written", [])


DECEMBER = (date(2026, 12, 1), date(2026, 12, 31))
JANUARY = (date(2027, 1, 1), date(2027, 1, 31))


class TestDeducting:
    """E1 owes five points, half a dollar each, from 20 November on."""

    @pytest.fixture
    def owing(self, database: Database, earning: Earning) -> Earning:
        with database.write() as db:
            owing = points.with_rules(db, earning, corrections={"reversal": "overdraft"})
            second = points.earn(db, owing)
            points.redeem(db, owing, 2_000)
            points.reverse(db, owing, second)
        return owing

    @staticmethod
    def deducted(database: Database, owing: Earning, *periods: tuple[date, date]) -> list[list[Decimal]]:
        return [[row["payroll_deduction"] for row in feed(database, owing, period)] for period in periods]

    def test_is_of_those_alone_who_have_left(self, database: Database, owing: Earning):
        assert self.deducted(database, owing, NOVEMBER) == [[0]]
        with database.write() as db:
            exports.terminate(db, owing.partner, "E1", date(2026, 11, 25))

        assert self.deducted(database, owing, NOVEMBER) == [[Decimal("2.50")]]

    def test_tells_a_debt_once(self, database: Database, owing: Earning):
        with database.write() as db:
            exports.terminate(db, owing.partner, "E1", date(2026, 11, 30))

        assert self.deducted(database, owing, NOVEMBER, DECEMBER, JANUARY) == [[Decimal("2.50")], [], []]

    def test_tells_it_when_the_hub_hears_late_that_somebody_had_left(self, database: Database, owing: Earning):
        assert self.deducted(database, owing, NOVEMBER) == [[0]]
        with database.write() as db:
            row = partners.roster_row("E1", action="T", term_date=date(2026, 11, 25), effective_date=date(2026, 11, 26))
            assert partners.apply_rows(db, owing.partner, [row], now=LATER.replace(day=5)) == ["accepted"]

        assert self.deducted(database, owing, DECEMBER, JANUARY) == [[Decimal("2.50")], []]

    def test_has_what_is_owed_anew_after_that(self, database: Database, owing: Earning):
        with database.write() as db:
            third = points.earn(db, owing, hours=20)
            points.redeem(db, owing, 2_500)
            exports.terminate(db, owing.partner, "E1", date(2026, 11, 25))
            points.reverse(db, owing, third, now=LATER.replace(day=5))

        # The 30 points of twenty hours had repaid the five, and all of the rest was spent: 30 are owed.
        assert self.deducted(database, owing, NOVEMBER, DECEMBER, JANUARY) == [[0], [15], []]

    def test_leaves_out_what_was_repaid_by_the_end_of_the_period(self, database: Database, owing: Earning):
        with database.write() as db:
            points.earn(db, owing, hours=2)
            exports.terminate(db, owing.partner, "E1", date(2026, 11, 25))

        assert self.deducted(database, owing, NOVEMBER) == [[1]]
