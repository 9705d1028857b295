"""Good bodies of the endpoints around a program's terms: eligibility, grants, leaving, increases, tenders."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.storage.ids import new_id


def _of_member(side: Any, **more: Any) -> dict[str, Any]:
    return {"partner_code": side.code, "program_code": "uniform", "employee_id": "E1", **more}


def _cart(side: Any, **more: Any) -> dict[str, Any]:
    line = {"line": "1", "quantity": 1, "price": "0.01", "currency": "USD"}
    return _of_member(side, lines=[line], **more)


def _check(side: Any) -> dict[str, Any]:
    return {"partner_code": side.code, "employee_id": "E1", "lines": [{"line": "1", "quantity": 1}]}


#: A body of each of them, which succeeds for an administrator of the hub.
TERMS_BODIES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "POST /v1/grants/run": lambda side: {"program_id": side.ids["program_id"]},
    "POST /v1/eligibility/check": _check,
    "PUT /v1/programs/{program_id}/catalog": lambda _: {"items": [{"kind": "sku", "code": "S1"}]},
    "POST /v1/members/{member_id}/terminate": lambda _: {"last_day": "2026-11-15", "reason": "a test"},
    "POST /v1/increase-requests": lambda side: _of_member(
        side, points="1", reason="a test", reference=f"new-{new_id().hex()}"
    ),
    "POST /v1/increase-requests/{increase_id}/approve": lambda _: {"decision": "approve"},
    "POST /v1/tenders/quote": _cart,
    "POST /v1/tenders": lambda side: _cart(side, reference=f"new-{new_id().hex()}", order_no="SO-10047"),
    "POST /v1/tenders/{tender_id}/bind": lambda _: {"order_no": "order-1"},
    "POST /v1/tenders/{tender_id}/capture": lambda _: {"reference": "new"},
    "POST /v1/tenders/{tender_id}/refund": lambda _: {
        "reference": "new",
        "lines": [{"line": "shipped", "quantity": 1}],
    },
}
