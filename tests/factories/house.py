"""What the retailer's own systems say, for tests: articles, prices, stock and customers."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.partners.house import customers, prices, products
from chalicelib.partners.house.customers import CustomerRow
from chalicelib.partners.house.prices import PriceRow
from chalicelib.partners.house.products import ProductRow
from chalicelib.partners.provenance import BY_API
from tests.factories.partners import CALLER, NOW

SINCE = date(2026, 11, 1)


def make_product(db: Connection, sku: str, **values: Any) -> None:
    """A shirt since November."""
    given: dict[str, Any] = {
        "style": None,
        "name": "Pilot shirt, white",
        "category": "shirts",
        "department": None,
        "size": "M",
        "color": "white",
        "uom": "EA",
        "gl_class": None,
        "uniform_flag": "true",
        "weight": None,
        "active": "true",
        "effective_date": SINCE,
    }
    row = ProductRow(sku=sku, **(given | values))  # type: ignore[typeddict-item]
    [told] = products.record(db, [row], sources=[BY_API], caller=CALLER, now=NOW)
    assert told.outcome == "accepted", told


def make_price(db: Connection, sku: str, **values: Any) -> None:
    """What it costs everybody, or with ``partner_code`` one partner."""
    given: dict[str, Any] = {
        "price_book": "us-2026",
        "partner_code": None,
        "currency": "USD",
        "list_price": Decimal("34.95"),
        "contract_price": None,
        "points_price": Decimal(55),
        "min_qty": None,
        "valid_from": SINCE,
        "valid_to": None,
    }
    row = PriceRow(sku=sku, **(given | values))  # type: ignore[typeddict-item]
    [told] = prices.record(db, [row], sources=[BY_API], caller=CALLER, now=NOW)
    assert told.outcome == "accepted", told


def make_customer(db: Connection, number: str, **values: Any) -> bytes:
    """Ada as the store knows her; her id."""
    given: dict[str, Any] = {
        "source": "sfcc",
        "customer_list": None,
        "email": "ada.byron@example.com",
        "first_name": "Ada",
        "last_name": "Byron",
        "partner_code": None,
        "employee_id": None,
        "salesforce_id": None,
        "consent_marketing": None,
        "last_modified": "2026-11-19T14:05:00Z",
    }
    row = CustomerRow(customer_no=number, **(given | values))  # type: ignore[typeddict-item]
    [(told, customer_id)] = customers.record(db, [row], sources=[BY_API], caller=CALLER, now=NOW)
    assert customer_id is not None, told
    return customer_id
