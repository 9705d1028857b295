"""/v1/products: written by the retailer's own systems, read by partners with their own prices."""

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.storage.engine import Database
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.gateway import Api
from tests.factories.house import make_price, make_product
from tests.factories.partners import make_partner

SHIRT: dict[str, Any] = {
    "name": "Pilot shirt",
    "category": "shirts",
    "uom": "EA",
    "uniform": True,
    "weight": "0.280",
    "active": True,
    "effective_date": "2026-11-01",
}


def price(**values: Any) -> dict[str, Any]:
    return {"price_book": "us-2026", "currency": "USD", "list_price": "34.95", "valid_from": "2026-11-01"} | values


def report(sequence: int, on_hand: int = 10) -> dict[str, Any]:
    counts = {"on_hand": on_hand, "reserved": 2, "available": on_hand - 2, "source_seq": sequence}
    return {"location_code": "DC-01", "as_of": "2026-11-20T06:00:00Z", **counts}


@pytest.fixture
def hub_key(database: Database) -> str:
    """A key of a user of the whole hub."""
    with database.write() as db:
        return make_user_key(db)[1]


class TestPut:
    def test_makes_an_article_that_can_be_read(self, api: Api, hub_key: str):
        assert api.put("/v1/products/SHIRT%2FM", key=hub_key, body=SHIRT).json["outcomes"] == ["accepted"]
        api.put("/v1/products/SHIRT%2FM/prices", key=hub_key, body={"prices": [price(points_price="55.0")]})
        api.put("/v1/products/SHIRT%2FM/inventory", key=hub_key, body={"locations": [report(7)]})

        shown = api.get("/v1/products/SHIRT%2FM", key=hub_key).json

        assert (shown["sku"], shown["name"], shown["weight"], shown["available"]) == (
            "SHIRT/M",
            "Pilot shirt",
            "0.28",
            8,
        )
        assert [(each["list_price"], each["points_price"]) for each in shown["prices"]] == [("34.95", "55")]
        assert shown["inventory"][0]["as_of"] == "2026-11-20T06:00:00Z"

    def test_of_the_same_is_a_duplicate_and_of_something_else_a_correction(self, api: Api, hub_key: str):
        for body, outcome in ((SHIRT, "accepted"), (SHIRT, "duplicate"), (SHIRT | {"name": "Shirt"}, "accepted")):
            assert api.put("/v1/products/S1", key=hub_key, body=body).json["outcomes"] == [outcome]

        assert api.get("/v1/products/S1", key=hub_key).json["name"] == "Shirt"

    def test_of_older_stock_is_ignored(self, api: Api, hub_key: str):
        api.put("/v1/products/S1", key=hub_key, body=SHIRT)
        body = {"locations": [report(7), report(6, on_hand=1)]}

        assert api.put("/v1/products/S1/inventory", key=hub_key, body=body).json["outcomes"] == ["accepted", "ignored"]
        assert api.get("/v1/products/S1", key=hub_key).json["available"] == 8

    def test_takes_over_all_prices_or_none(self, api: Api, hub_key: str):
        api.put("/v1/products/S1", key=hub_key, body=SHIRT)
        body = {"prices": [price(), price(partner_code="nobody"), price(list_price="1.234")]}

        answer = api.put("/v1/products/S1/prices", key=hub_key, body=body)

        assert (answer.status, answer.code) == (422, "unknown_partner")
        assert [fault["pointer"] for fault in answer.json["faults"]] == [
            "/prices/1/partner_code",
            "/prices/2/list_price",
        ]
        assert api.get("/v1/products/S1", key=hub_key).json["prices"] == []


class TestAPartner:
    def test_sees_what_has_a_price_for_it_at_its_own_price(self, api: Api, database: Database):
        with database.write() as db:
            partner = make_partner(db, "acme")
            make_partner(db, "globex")
            for sku in ("ALL", "ACME", "GLOBEX"):
                make_product(db, sku)
            make_price(db, "ALL")
            make_price(db, "ALL", partner_code="acme", contract_price=Decimal("20.00"))
            make_price(db, "ACME", partner_code="acme")
            make_price(db, "GLOBEX", partner_code="globex")
            _, key = make_partner_key(db, partner.id)

        assert api.get("/v1/products/ALL", key=key).json["prices"][0]["contract_price"] == "20.00"
        assert api.get("/v1/products/ACME", key=key).status == 200
        assert (api.get("/v1/products/GLOBEX", key=key).status, api.get("/v1/products/NONE", key=key).status) == (
            404,
            404,
        )

    def test_cannot_ask_for_the_prices_of_another(self, api: Api, database: Database):
        with database.write() as db:
            make_partner(db, "globex")
            make_product(db, "ALL")
            make_price(db, "ALL")
            _, key = make_partner_key(db, make_partner(db, "acme").id)

        assert api.get("/v1/products/ALL", key=key, params={"partner_id": "globex"}).status == 404

    def test_changes_nothing_even_by_an_administrators_key_of_its_own(self, api: Api, database: Database):
        with database.write() as db:
            partner = make_partner(db, "acme")
            make_product(db, "ALL")
            make_price(db, "ALL")
            _, key = make_user_key(db, partner_id=partner.id)

        answer = api.put("/v1/products/ALL/prices", key=key, body={"prices": [price(list_price="0.01")]})

        assert (answer.status, answer.code) == (403, "not_the_house")
