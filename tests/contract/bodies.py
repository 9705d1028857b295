"""A body of each endpoint that takes one, which succeeds for an administrator of the hub."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.language import parse_json
from chalicelib.partners.onboarding import configuring
from chalicelib.rules import canonical
from chalicelib.storage import engine
from chalicelib.storage.ids import new_id
from tests.contract.finance_bodies import FINANCE_BODIES
from tests.contract.house_bodies import HOUSE_BODIES
from tests.contract.terms_bodies import TERMS_BODIES
from tests.contract.world import GOLDEN, Side
from tests.factories.files import hours
from tests.factories.rules import AUTHOR, accrual_document


def _accrual(side: Side, **more: Any) -> dict[str, Any]:
    return {
        "program_code": "uniform",
        "event_id": f"new-{new_id().hex()}",
        "employee_id": "E1",
        "event_type": "HOURS",
        "event_date": "2026-11-03",
        "quantity": "4",
        "unit": "HOUR",
        **more,
    }


def _of_member(side: Side, **more: Any) -> dict[str, Any]:
    named = {"partner_code": side.code, "program_code": "uniform", "employee_id": "E1"}
    return {**named, "reference": f"new-{new_id().hex()}", **more}


def _roster(side: Side) -> dict[str, Any]:
    return {
        "partner_code": side.code,
        "employee_id": "E77",
        "action": "A",
        "first_name": "Ada",
        "last_name": "Byron",
        "hire_date": "2026-01-01",
        "job_code": "CREW",
        "country": "US",
        "effective_date": "2026-01-01",
    }


def _program(side: Side) -> dict[str, Any]:
    return {
        "partner_code": side.code,
        "code": "second",
        "name": "Second",
        "kind": "accrual",
        "unit": "points",
        "scale": 2,
        "time_zone": "America/Chicago",
        "ruleset": f"{side.code}.accrual",
        "effective_from": "2026-01-01",
        "lots": {"expires": None},
    }


def _bundle(side: Side) -> dict[str, Any]:
    manifest = {
        "code": "newcomer",
        "name": "Newcomer",
        "time_zone": "America/Chicago",
        "contacts": [],
        "programs": [{**_program(side), "ruleset": "newcomer.accrual"}],
    }
    del manifest["programs"][0]["partner_code"]
    return {"manifest": manifest, "rulesets": [accrual_document("newcomer.accrual")]}


def _configuration(side: Side) -> dict[str, Any]:
    bundle = _bundle(side)
    return {"manifests": [bundle["manifest"]], "rulesets": bundle["rulesets"]}


def _planned(side: Side) -> dict[str, Any]:
    """The same with its plan, which says what would be new for a newcomer whom nobody knows."""
    documents = {"layouts": [], "code_tables": [], **_configuration(side)}
    now = datetime.now(UTC)
    with engine.database().write() as db:
        found = configuring.configure(
            db, parse_json(canonical.text(documents)), shared=True, dry_run=True, caller=AUTHOR, now=now
        )
    return {**documents, "plan_hash": found.digest.hex()}


#: A body of each endpoint that takes one, which succeeds for an administrator of the hub.
BODIES: Mapping[str, Callable[[Side], dict[str, Any]]] = {
    "POST /v1/users": lambda side: {
        "email": "new@example.com",
        "name": "New",
        "role": "viewer",
        "partner_id": side.ids["partner_id"],
    },
    "PATCH /v1/users/{user_id}": lambda _: {"name": "Renamed"},
    "POST /v1/api-keys": lambda side: {
        "name": "new",
        "scopes": ["files:read"],
        "partner_id": side.ids["partner_id"],
    },
    "POST /v1/api-keys/{key_id}/rotate": lambda _: {"overlap_hours": 1},
    "POST /v1/partners/{partner_id}/status": lambda _: {"status": "suspended", "reason": "a test"},
    "PUT /v1/partners/{partner_id}/onboarding": _bundle,
    "POST /v1/config/plan": _configuration,
    "POST /v1/config/plans/{plan_hash}/approve": lambda _: {"note": "a test"},
    "POST /v1/config/apply": _planned,
    "POST /v1/programs": _program,
    "POST /v1/members": _roster,
    "POST /v1/members/{member_id}/erase": lambda _: {"reason": "a test"},
    "PUT /v1/members/{member_id}/enrollments/{program_id}": lambda _: {"valid_from": "2026-11-01", "tier": "gold"},
    **FINANCE_BODIES,
    **HOUSE_BODIES,
    **TERMS_BODIES,
    "POST /v1/accruals": lambda side: _accrual(side, partner_code=side.code),
    "POST /v1/accruals/batch": lambda side: {"partner_code": side.code, "events": [_accrual(side)]},
    "POST /v1/accruals/preview": lambda side: _accrual(
        side, partner_code=side.code, ruleset_version=side.ids["ruleset_version"]
    ),
    "POST /v1/accruals/{accrual_id}/reverse": lambda _: {"reason": "a test"},
    "POST /v1/holds": lambda side: _of_member(side, points="1", ttl_s=600),
    "POST /v1/holds/{hold_id}/bind": lambda _: {"order_no": "order-1"},
    "POST /v1/holds/{hold_id}/capture": lambda _: {"reference": "new", "points": "1"},
    "POST /v1/holds/{hold_id}/release": lambda _: {"points": "1"},
    "POST /v1/redemptions": lambda side: _of_member(side, lines=[{"line": "1", "points": "1"}]),
    "POST /v1/redemptions/{redemption_id}/refund": lambda _: {"reference": "new", "lines": [{"line": "1"}]},
    "POST /v1/ledger/adjustments": lambda side: _of_member(side, points="1", reason_code="correction"),
    "POST /v1/ledger/adjustments/{adjustment_id}/approve": lambda _: {"decision": "approve"},
    "PUT /v1/retention/{data_class}": lambda _: {"days": 30, "reason": "a test"},
    "POST /v1/ledger/verify": lambda side: {"part": "sums", "program_id": side.ids["program_id"]},
    "POST /v1/expirations/run": lambda side: {"program_id": side.ids["program_id"]},
    "POST /v1/files/validate": lambda side: {
        "partner_code": side.code,
        "layout": "hours",
        "text": hours("e7,E1,2026-11-02,8"),
    },
    "POST /v1/file-trials": lambda side: {"partner_code": side.code, "layout": "hours", "size_bytes": 100},
    "POST /v1/files/upload-url": lambda side: {
        "partner_code": side.code,
        "layout": "hours",
        "name": "new.csv",
        "size_bytes": 100,
    },
    "POST /v1/schedules/{schedule}/run": lambda _: {"business_date": "2026-11-20"},
    "POST /v1/exports": lambda side: {"export": "balances_sfcc", "partner_code": side.code},
    "POST /v1/files/{file_id}/comparisons": lambda _: {"rules": "latest"},
    "POST /v1/file-trials/{trial_id}/reprocess": lambda _: {"reason": "a test"},
    "POST /v1/files/{file_id}/reprocess": lambda _: {"rules": "latest"},
    "POST /v1/files/{file_id}/rollback": lambda _: {"reason": "a test"},
    "PATCH /v1/files/{file_id}/rows/{row_no}": lambda _: {"cells": {"hours": "7.5"}, "reason": "a test"},
    "POST /v1/files/{file_id}/rows/resubmit": lambda _: {"rows": [1]},
    "POST /v1/deliveries/{delivery_id}/retry": lambda _: {"action": "retry", "reason": "a test"},
    "POST /v1/rulesets": lambda side: {"document": accrual_document(f"{side.code}.another")},
    "POST /v1/rulesets/{ruleset_id}/versions": lambda side: {
        "document": accrual_document(side.ids["ruleset_id"], rate="3")
    },
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/simulate": lambda side: {"accrual_id": side.ids["accrual_id"]},
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/backtests": lambda side: {
        "partner_code": side.code,
        "from_date": "2026-11-01",
    },
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/approve": lambda _: {"note": "a test"},
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/promote": lambda _: {"effective_from": "2027-01-01"},
    "POST /v1/rulesets/{ruleset_id}/rollback": lambda _: {"effective_from": "2026-12-05", "reason": "a test"},
    "PUT /v1/code-tables/{table}/entries/{code}": lambda _: {
        "value": "2",
        "effective_from": "2026-07-01",
        "ends_earlier": True,
        "reason": "a test",
    },
    "PUT /v1/rulesets/{ruleset_id}/cases/{case_id}": lambda _: {**GOLDEN, "why": "a test"},
}
