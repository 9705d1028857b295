"""The samples of the hub's own layouts go their way: what St. Brigid and the retailer's systems send."""

import pytest

from chalicelib.documents import known
from chalicelib.documents.kinds import KINDS
from chalicelib.partners.house import customers, prices, products, stock
from chalicelib.points.proof import checks
from chalicelib.rules import code_tables
from chalicelib.storage.engine import Database
from tests.factories.files import Hub
from tests.factories.samples import drop, earned, onboard, rejected

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def hospital(database: Database) -> Hub:
    """St. Brigid with its staff."""
    hub = onboard(database, "st-brigid")
    drop(hub, "st-brigid/hr_roster/staff_2026-11.csv")
    return hub


@pytest.fixture
def house(hospital: Hub) -> Hub:
    """The retailer's own systems, beside St. Brigid."""
    return onboard(hospital.database, "house")


class TestStBrigid:
    def test_brings_its_balances_over(self, hospital: Hub):
        drop(hospital, "st-brigid/opening_balances/balances_2026-10-31.csv")

        file = hospital.file("balances_2026-10-31.csv")
        assert (file.state, file.rows_accepted, file.rows_duplicate) == ("processed", 4, 1)
        assert rejected(hospital, file.name) == {"unknown_member": 1, "amount_out_of_range": 1}
        assert earned(hospital, "scrubs") == {"B-101": "118.50", "B-103": "57.25"}
        with hospital.database.read() as db:
            assert checks.check(db) == []

    def test_corrects_points_and_what_is_too_much_for_one_person_waits(self, hospital: Hub):
        drop(hospital, "st-brigid/opening_balances/balances_2026-10-31.csv")

        drop(hospital, "st-brigid/adjustments/adjustments_2026-11.csv")

        file = hospital.file("adjustments_2026-11.csv")
        # One that waits for a second person, and one that takes more than there is and waits, too.
        assert (file.state, file.rows_accepted) == ("processed", 4)
        assert rejected(hospital, file.name) == {"own_adjustment": 1, "unknown_reason": 1}
        with hospital.database.read() as db:
            assert checks.check(db) == []

    def test_plans_the_allowances_of_a_year(self, hospital: Hub):
        drop(hospital, "st-brigid/allowance_plans/plans_2027.csv")

        file = hospital.file("plans_2027.csv")
        assert (file.state, file.rows_accepted) == ("processed", 3)
        assert rejected(hospital, file.name) == {"amount_out_of_range": 1}
        table = "st-brigid.scrubs-allowance"
        with hospital.database.read() as db:
            said = code_tables.resolve(db, [table], on=hospital.clock().date().replace(year=2027))[table]
        assert said == {"RN": "250.00", "RN/senior": "275.00", "HCA": "220.00"}


class TestTheHouse:
    def test_says_what_there_is_what_it_costs_and_where_it_is(self, house: Hub):
        drop(house, "house/products/products_2026-11-20.csv")
        drop(house, "house/prices/prices_2026-11-20.csv")
        drop(house, "house/inventory/stock_2026-11-20T06.csv")

        figures = {
            file.name: (file.state, file.rows_accepted, file.rows_rejected, file.rows_ignored)
            for file in house.files()
            if file.partner_id == house.partner.id
        }
        assert figures == {
            "products_2026-11-20.csv": ("processed", 4, 1, 0),
            "prices_2026-11-20.csv": ("processed", 4, 2, 0),
            "stock_2026-11-20T06.csv": ("processed", 3, 0, 1),
        }
        today = house.clock().date()
        with house.database.read() as db:
            of_hospital = prices.partner_ids(db, ["st-brigid"])["st-brigid"]
            [cost] = prices.of(db, ["SCRUB-TOP-TEAL-M"], on=today, partner_id=of_hospital)
            assert (cost.contract_price, cost.points_price) == ("19.90", "32.5")
            assert products.of(db, ["CLOG-WHT-39"], on=today)["CLOG-WHT-39"].active
            assert stock.of(db, ["CLOG-WHT-39"])["CLOG-WHT-39"][0].available == 12

    def test_knows_one_person_under_two_numbers(self, house: Hub):
        drop(house, "house/customers/customers_2026-11-20.csv")

        file = house.file("customers_2026-11-20.csv")
        assert (file.state, file.rows_accepted, file.rows_ignored) == ("processed", 3, 1)
        assert rejected(house, file.name) == {"unknown_member": 1}
        with house.database.read() as db:
            [known] = customers.by_email(db, "a.byrne@work.example.com")
            found = customers.by_id(db, known)
        assert found is not None
        assert found.identities == {"sfcc": "00012345", "salesforce": "0035g00000ABCDE"}
        assert found.fields["last_name"].value == "Byrne-Kelly"

    def test_moves_orders_shipments_returns_quotes_and_leads(self, house: Hub):
        for path in (
            "orders/orders_2026-11-20.csv",
            "shipments/shipments_2026-11-21.csv",
            "returns/returns_2026-11-25.csv",
            "quotes/quotes_2026-11-18.csv",
            "leads/leads_2026-11-19.csv",
        ):
            drop(house, f"house/{path}")

        assert rejected(house, "orders_2026-11-20.csv") == {"contradicts": 1}
        assert rejected(house, "shipments_2026-11-21.csv") == {"unknown_order": 1}
        assert rejected(house, "leads_2026-11-19.csv") == {"not_in_values": 1}
        with house.database.read() as db:
            order = known.newest(db, house.partner.id, KINDS["order"], ("web", "W-1000451"))
            quote = known.newest(db, house.partner.id, KINDS["quote"], ("", "Q-2026-0042"))
            assert known.newest(db, house.partner.id, KINDS["order"], ("web", "W-1000453")) is None
        assert order is not None
        assert [each["sku"] for each in order.lines] == ["SCRUB-TOP-TEAL-M", "CLOG-WHT-39"]
        assert quote is not None
        assert quote.revision == 2
