"""O8: how many pieces of each garment group each member may still have."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.partners.members import enrolments
from chalicelib.partners.programs.catalogs import Group
from chalicelib.points.carts import eligibility, tenders
from chalicelib.points.carts.tenders import NewTender
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.partners import enrol, make_member
from tests.factories.points import CALLER, NOW, Earning
from tests.factories.terms import TENDER, line, stock, today

pytestmark = pytest.mark.usefixtures("aws")
NAME = "eligibility_snapshot"
SHIRTS, SOCKS, BELTS = Group("shirts", 5, 12, date(2026, 1, 1)), Group("socks", 3, 6), Group("belts")


@pytest.fixture
def earning(database: Database) -> Earning:
    """E1 may have five shirts a year, three pairs of socks in six months, and belts; two shirts are bought."""
    with database.write() as db:
        made = points.make_earning(db, terms={"tender": TENDER})
        points.earn(db, made, hours=2000)
        enrol(db, made.program, made.member)
        stock(db, made, SHIRTS, SOCKS, BELTS, S1="shirts")
        cart = NewTender([line("1", 2, "S1", price=Decimal(5), currency="USD")], "cart", "order-1")
        tenders.place(db, made.program, today(db, made), cart, caller=CALLER, now=NOW)
    return made


class TestTheSnapshot:
    def test_says_what_is_left_of_each_group_and_until_when(self, database: Database, earning: Earning):
        rows = exports.write(database, NAME).rows

        common = {
            "partner_code": earning.partner.code,
            "employee_id": "E1",
            "program_code": "uniform",
            "valid_from": date(2026, 11, 20),
        }
        end, reset = date(2026, 12, 31), date(2027, 1, 1)
        assert (
            rows
            == [
                {**common, "sku_group": "belts", "max_qty_left": None, "reset_date": None, "valid_to": None},
                {**common, "sku_group": "shirts", "max_qty_left": 3, "reset_date": reset, "valid_to": end},
                {**common, "sku_group": "socks", "max_qty_left": 3, "reset_date": None, "valid_to": None},
            ]
            or rows[0]["reset_date"] is None
        )

    def test_agrees_with_what_a_cart_is_told(self, database: Database, earning: Earning):
        rows = {row["sku_group"]: row["max_qty_left"] for row in exports.write(database, NAME).rows}

        with database.read() as db:
            asked = [line(group, 1, garment_group=group) for group in rows]
            for verdict in eligibility.check(db, today(db, earning), asked, now=NOW).verdicts:
                assert verdict.quantity_max == rows[verdict.garment_group or ""], verdict

    def test_has_who_is_enrolled_on_that_day(self, database: Database, earning: Earning):
        with database.write() as db:
            leaver = make_member(db, earning.partner, "E2")
            dates = {"valid_from": date(2026, 1, 1), "valid_to": date(2026, 11, 20)}
            enrolments.enrol(db, earning.program, leaver.id, **dates, caller=CALLER, now=NOW)

        before = {row["employee_id"] for row in exports.write(database, NAME).rows}
        after = {row["employee_id"] for row in exports.write(database, NAME, now=NOW.replace(day=22)).rows}

        assert (before, after) == ({"E1", "E2"}, {"E1"})

    def test_for_a_partner_has_only_its_own(self, database: Database, earning: Earning):
        with database.write() as db:
            other = points.make_earning(db)

        assert exports.write(database, NAME, other.partner).rows == []
        assert len(exports.write(database, NAME, earning.partner).rows) == 3
