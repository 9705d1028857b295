"""Rows of the hub's own layouts by column: documents of a store, articles, prices, stock and customers."""


def line(line_no: int, number: str = "W-1", revision: int = 1, **values: str) -> dict[str, str]:
    """A line of a web order."""
    given = {
        "channel": "web",
        "order_no": number,
        "revision": str(revision),
        "order_ts": "2026-11-20T09:15:00Z",
        "currency": "EUR",
        "line_no": str(line_no),
        "sku": f"SHIRT-{line_no}",
        "qty": "2",
        "unit_price": "19.90",
        "ship_to_postal": "D02 X285",
        "status": "new",
    }
    return given | values


def shipped(line_no: int, shipment: str = "S-1", order: str = "W-1", **values: str) -> dict[str, str]:
    """A line of a shipment."""
    given = {
        "shipment_id": shipment,
        "order_no": order,
        "line_no": str(line_no),
        "sku": f"SHIRT-{line_no}",
        "qty_shipped": "1",
        "ship_ts": "2026-11-21T16:00:00Z",
        "warehouse": "DUB-DC",
    }
    return given | values


def returned(line_no: int, **values: str) -> dict[str, str]:
    """A line of a return."""
    given = {
        "return_no": "R-1",
        "order_no": "W-1",
        "line_no": str(line_no),
        "sku": "SHIRT-1",
        "qty": "1",
        "reason_code": "too_small",
        "received_ts": "2026-11-25T10:30:00Z",
        "refund_cash": "3.65",
    }
    return given | values


def quoted(line_no: int, **values: str) -> dict[str, str]:
    """A line of a quote."""
    given = {
        "quote_no": "Q-1",
        "revision": "1",
        "customer_no": "0001",
        "quote_ts": "2026-11-18T11:00:00Z",
        "valid_until": "2026-12-31",
        "currency": "EUR",
        "line_no": str(line_no),
        "sku": "CLOG",
        "qty": "40",
        "unit_price": "35",
        "status": "sent",
    }
    return given | values


def lead(number: str = "L-1", **values: str) -> dict[str, str]:
    """Somebody who may become a customer."""
    given = {
        "source": "web",
        "lead_id": number,
        "created_ts": "2026-11-19T08:00:00Z",
        "last_name": "Daly",
        "email": "niamh.daly@example.com",
        "country": "ie",
        "consent": "true",
    }
    return given | values


def article(sku: str = "SHIRT-M", **values: str) -> dict[str, str]:
    """A white shirt from November on."""
    given = {
        "sku": sku,
        "name": "Pilot shirt, white",
        "category": "shirts",
        "uom": "EA",
        "uniform_flag": "true",
        "active": "TRUE",
        "effective_date": "2026-11-01",
    }
    return given | values


def price(sku: str = "SHIRT-M", **values: str) -> dict[str, str]:
    """What the shirt costs everybody from November on."""
    given = {
        "sku": sku,
        "price_book": "us-2026",
        "currency": "usd",
        "list_price": "34.95",
        "points_price": "55",
        "valid_from": "2026-11-01",
    }
    return given | values


def report(sequence: int, sku: str = "SHIRT-M", on_hand: str = "120", **values: str) -> dict[str, str]:
    """How many shirts are in the warehouse."""
    given = {
        "sku": sku,
        "location_code": "DC-01",
        "on_hand": on_hand,
        "reserved": "20",
        "available": "100",
        "source_seq": str(sequence),
        "as_of": "2026-11-20T06:00:00Z",
    }
    return given | values


def customer(number: str = "0001", modified: str = "2026-11-19T14:05:00Z", **values: str) -> dict[str, str]:
    """Ada as the store knows her."""
    given = {
        "source": "sfcc",
        "customer_no": number,
        "email": "Ada.Byron@example.com",
        "first_name": "Ada",
        "last_name": "Byron",
        "last_modified": modified,
    }
    return given | values
