"""Bodies of the endpoints of what is the retailer's own, which succeed for an administrator of the hub."""

from collections.abc import Callable, Mapping
from typing import Any, Final

HOUSE_BODIES: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "PUT /v1/products/{sku}": lambda _: {
        "name": "New shirt",
        "category": "shirts",
        "uom": "EA",
        "uniform": True,
        "active": True,
        "effective_date": "2026-11-02",
    },
    "PUT /v1/products/{sku}/prices": lambda side: {
        "prices": [
            {
                "price_book": "us-2026",
                "partner_code": side.code,
                "currency": "USD",
                "list_price": "29.95",
                "valid_from": "2026-11-02",
            }
        ]
    },
    "PUT /v1/products/{sku}/inventory": lambda _: {
        "locations": [
            {
                "location_code": "DC-01",
                "on_hand": 5,
                "reserved": 1,
                "available": 4,
                "source_seq": 7,
                "as_of": "2026-11-20T06:00:00Z",
            }
        ]
    },
    "POST /v1/customers": lambda side: {
        "source": "salesforce",
        "customer_no": "003A",
        "email": "new@example.com",
        "partner_code": side.code,
        "employee_id": "E1",
        "last_modified": "2026-11-20T06:00:00Z",
    },
    "PUT /v1/customers/{customer_id}/identities/{system}": lambda _: {"external_id": "0000100234"},
}
