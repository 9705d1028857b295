"""Bodies of the endpoints of the books, which succeed for an administrator of the hub."""

from collections.abc import Callable, Mapping
from typing import Any, Final

#: How a program's plan years end.
PLAN_YEAR: Final[Mapping[str, Any]] = {"plan_year": {"carry_over": {"percent": "20"}}}

FINANCE_BODIES: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "POST /v1/programs/{program_id}/plan-year": lambda _: {"plan_year": 2025},
    "POST /v1/settlements": lambda side: {"partner_id": side.ids["partner_id"], "period": "2026-10"},
    "POST /v1/erp/postings/{posting_id}/ack": lambda _: {
        "system": "sap",
        "company_code": "1000",
        "status": "POSTED",
        "doc_no": "1900004711",
        "posted_at": "2026-11-20T02:10:00Z",
    },
    "POST /v1/statements": lambda side: {"partner_code": side.code, "period": "2026-10"},
}
