"""O2: what a partner's payroll has to know of a period."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.points.refunds import Wanted
from chalicelib.storage.engine import Database
from tests.factories import exports, points
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

    def test_deducts_what_somebody_who_has_left_owes(self, database: Database, earning: Earning):
        with database.write() as db:
            owing = points.with_rules(db, earning, corrections={"reversal": "overdraft"})
            second = points.earn(db, owing)
            points.redeem(db, owing, 2_000)
            points.reverse(db, owing, second)
        assert feed(database, earning)[0]["payroll_deduction"] == 0
        with database.write() as db:
            exports.terminate(db, earning.partner, "E1", date(2026, 11, 25))

        [row] = feed(database, earning)

        assert row["payroll_deduction"] == Decimal("2.50")

    def test_is_sent_without_rows_too(self, database: Database, earning: Earning):
        sent = exports.write(database, NAME, earning.partner, period=(date(2026, 1, 1), date(2026, 1, 31)), now=LATER)

        assert (sent.file.state, sent.rows) == ("written", [])
