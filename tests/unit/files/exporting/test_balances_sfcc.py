"""O1: the balances that the store is sent."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from chalicelib.partners import directory
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.exports import NOW

pytestmark = pytest.mark.usefixtures("aws")
NAME = "balances_sfcc"


class TestTheFullFile:
    def test_says_what_each_member_may_spend(self, database: Database):
        with database.write() as db:
            earning = points.make_earning(db, lots={"expires": {"days": 100}})
            points.earn(db, earning)
            points.hold(db, earning, 300)

        sent = exports.write(database, NAME)

        assert sent.file.object_key == f"_commerce-cloud/{NAME}/{NAME}_2026-11-20_00000001.csv"
        assert sent.rows == [
            {
                "customer_no": None,
                "partner_code": earning.partner.code,
                "employee_id": "E1",
                "program_code": "uniform",
                "available_points": Decimal("12.00"),
                "held_points": Decimal("3.00"),
                "pending_points": Decimal("0.00"),
                "next_expiry_date": date(2027, 2, 10),
                "next_expiry_points": Decimal("12.00"),
                "currency_value": None,
                "currency": None,
                "as_of": NOW,
                "seq": 2,
            }
        ]

    def test_values_points_as_the_terms_of_their_program_do(self, database: Database):
        values = [{"since": "2026-01-01", "value": "0.125"}]
        with database.write() as db:
            earning = points.make_earning(db, terms={"value": {"currency": "USD", "values": values}})
            points.earn(db, earning)

        [row] = exports.write(database, NAME).rows

        assert (row["available_points"], row["currency_value"], row["currency"]) == (15, Decimal("1.88"), "USD")

    def test_leaves_out_partners_that_are_not_active(self, database: Database):
        with database.write() as db:
            gone, stays = points.make_earning(db), points.make_earning(db)
            points.earn(db, gone)
            points.earn(db, stays)
            directory.change_status(db, gone.partner, "suspended", reason="a test", caller=points.CALLER, now=NOW)

        sent = exports.write(database, NAME)

        assert [row["partner_code"] for row in sent.rows] == [stays.partner.code]

    def test_for_a_partner_has_only_its_own(self, database: Database):
        with database.write() as db:
            mine, theirs = points.make_earning(db), points.make_earning(db)
            points.earn(db, mine)
            points.earn(db, theirs)

        sent = exports.write(database, NAME, mine.partner)

        assert {row["partner_code"] for row in sent.rows} == {mine.partner.code}
        assert (sent.file.object_key or "").startswith(f"{mine.partner.code}/{NAME}/")

    def test_has_every_balance_of_more_than_one_read(self, database: Database, monkeypatch):
        monkeypatch.setattr("chalicelib.files.exports.balances_sfcc._ACCOUNTS", 2)
        with database.write() as db:
            earnings = [points.make_earning(db) for _ in range(5)]
            for earning in earnings:
                points.earn(db, earning)

        sent = exports.write(database, NAME)

        assert sorted(row["partner_code"] for row in sent.rows) == sorted(each.partner.code for each in earnings)


class TestADelta:
    def test_begins_with_everything_and_then_has_what_changed(self, database: Database):
        with database.write() as db:
            first, second = points.make_earning(db), points.make_earning(db)
            points.earn(db, first)
            points.earn(db, second)
        assert len(exports.write(database, NAME, mode="delta").rows) == 2
        with database.write() as db:
            points.earn(db, second)

        sent = exports.write(database, NAME, mode="delta")

        assert [(row["partner_code"], row["seq"]) for row in sent.rows] == [(second.partner.code, 2)]
        assert sent.file.file_seq == 2
        assert (sent.file.object_key or "").endswith(f"{NAME}_2026-11-20_00000002_delta.csv")

    def test_sees_a_hold_which_posts_nothing(self, database: Database):
        with database.write() as db:
            earning = points.make_earning(db)
            points.earn(db, earning)
        exports.write(database, NAME, mode="delta")
        with database.write() as db:
            points.hold(db, earning, 100)

        [row] = exports.write(database, NAME, mode="delta").rows

        assert (row["held_points"], row["seq"]) == (1, 2)

    def test_without_changes_sends_nothing_and_uses_no_number(self, database: Database):
        with database.write() as db:
            earning = points.make_earning(db)
            points.earn(db, earning)
        exports.write(database, NAME, mode="delta")

        nothing = exports.write(database, NAME, mode="delta").file
        following = exports.write(database, NAME, now=NOW + timedelta(hours=1)).file

        assert (nothing.state, nothing.file_seq, nothing.object_key) == ("empty", None, None)
        assert following.file_seq == 2

    def test_is_not_shortened_by_a_full_file_between(self, database: Database):
        with database.write() as db:
            earning = points.make_earning(db)
            points.earn(db, earning)
        exports.write(database, NAME, mode="delta")
        with database.write() as db:
            points.earn(db, earning)
        exports.write(database, NAME)

        assert len(exports.write(database, NAME, mode="delta").rows) == 1

    def test_of_one_receiver_knows_nothing_of_anothers(self, database: Database):
        with database.write() as db:
            earning = points.make_earning(db)
            points.earn(db, earning)
        exports.write(database, NAME, mode="delta")

        assert len(exports.write(database, NAME, earning.partner, mode="delta").rows) == 1
