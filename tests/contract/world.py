"""Two partners with one of everything each, and how every endpoint is called on them.

A new endpoint whose path parameter, body, or reference in a body or filter is not declared here fails the contract
tests: nobody forgets to say what another partner must not reach.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select, update

from chalicelib.access.keys import ApiKey
from chalicelib.access.scopes import Role
from chalicelib.access.users import User
from chalicelib.deliveries.models import delivery
from chalicelib.files import arrivals, expecting, intake, register
from chalicelib.files.register import InboundFile
from chalicelib.language import parse_json
from chalicelib.partners import configuring
from chalicelib.partners.account_ids import account_id
from chalicelib.partners.models import partner as partner_table
from chalicelib.partners.plans import ACTIONS
from chalicelib.points.models import transfer
from chalicelib.rules import canonical, golden, plan_approvals
from chalicelib.settings import settings
from chalicelib.storage import engine, objects
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id
from chalicelib.web.registry import EndpointSpec
from chalicelib.workbench.backtests import Backtest
from tests.factories import backtests
from tests.factories.access import make_partner_key, make_user, make_user_key
from tests.factories.deliveries import make_target as make_outside
from tests.factories.deliveries import mapping_document
from tests.factories.files import hours, hours_layout, notification
from tests.factories.gateway import Api
from tests.factories.partners import NOW
from tests.factories.points import Earning, adjust, earn, hold, make_earning, redeem
from tests.factories.rules import AUTHOR, accrual_document, code_table, live_ruleset, table_document


@dataclass(frozen=True)
class Side:
    """One partner and what is its."""

    earning: Earning
    user: User
    key: ApiKey
    partner_key: str
    admin_key: str
    file: InboundFile
    accrual: bytes
    entry: bytes
    delivery: bytes
    backtest: Backtest
    hold: bytes
    redemption: bytes
    adjustment: bytes

    @property
    def plan_hash(self) -> bytes:
        """Of a plan that waits for approval."""
        return canonical.digest(self.code)

    @property
    def code(self) -> str:
        """The partner's code."""
        return self.earning.partner.code

    @cached_property
    def ids(self) -> Mapping[str, str]:
        """Everything that names something of this partner, by what it is called in paths, bodies and filters."""
        earning = self.earning
        return {
            "partner_id": public_id("par", earning.partner.id),
            "partner_code": self.code,
            "program_id": public_id("prg", earning.program.id),
            "member_id": public_id("mbr", earning.member.id),
            "accrual_id": public_id("acr", self.accrual),
            "entry_id": public_id("trf", self.entry),
            "hold_id": public_id("hld", self.hold),
            "redemption_id": public_id("rdm", self.redemption),
            "adjustment_id": public_id("adj", self.adjustment),
            "account_id": public_id("acc", account_id(earning.program.id, "member", earning.member.id)),
            "file_id": self.file.public_id,
            "object_key": self.file.object_key,
            "delivery_id": public_id("dlv", self.delivery),
            "user_id": public_id("usr", self.user.id),
            "key_id": public_id("key", self.key.id),
            "ruleset_id": f"{self.code}.accrual",
            "ruleset_version": public_id("rsv", earning.version.version_id),
            "case_id": f"{self.code}-case",
            "backtest_id": self.backtest.public_id,
            "plan_hash": self.plan_hash.hex(),
            "layout_id": f"{self.code}.hours",
            "subject": public_id("usr", self.user.id),
            "target": f"{self.code}-store",
            "table": f"{self.code}.table",
            "code": f"{self.code}-grade",
        }


@dataclass(frozen=True)
class World:
    """The hub with two partners."""

    mine: Side
    theirs: Side
    hub_key: str


@dataclass(frozen=True)
class Hub:
    """The whole app over a copy of the world."""

    api: Api
    database: Database
    world: World


def make_world(database: Database) -> World:
    """Two partners side by side, and an administrator of the hub."""
    with database.write() as db:
        live_ruleset(db, None, _for_several_programs(mapping_document()))
        _, hub_key = make_user_key(db)
    return World(_side(database), _side(database), hub_key)


def _for_several_programs(mapping: dict[str, Any]) -> dict[str, Any]:
    """The mapping with fields of each program's own, which a second program needs."""
    own = {name: f"{name}_{{program_code}}" for name in mapping["outputs"] if name.startswith("c_")}
    cases = [
        case | {"expect": {own.get(name, name): value for name, value in case["expect"].items()}}
        for case in mapping["cases"]
    ]
    return mapping | {"outputs": {own.get(name, name): of for name, of in mapping["outputs"].items()}, "cases": cases}


def _side(database: Database) -> Side:
    with database.write() as db:
        earning = make_earning(db, lots={"expires": {"days": 10}})
        partner = earning.partner
        layout = hours_layout() | {"id": f"{partner.code}.hours", "partner": partner.code}
        live_ruleset(db, partner.id, layout)
        code_table(db, partner.id, table_document(f"{partner.code}.table", {f"{partner.code}-grade": "1"}))
        make_outside(db, partner.id, code=f"{partner.code}-store")
        # Ten days ago and more: its points have expired, and nobody has posted that yet.
        recorded = earn(db, earning)
        # A second version decides from December on, so that there is something to take back.
        live_ruleset(
            db, partner.id, accrual_document(f"{partner.code}.accrual", rate="2"), effective_from=date(2026, 12, 1)
        )
        nothing = canonical.text({"counts": dict.fromkeys(ACTIONS, 0), "partners": []})
        plan_approvals.keep(db, canonical.digest(partner.code), nothing, partner_id=partner.id, caller=AUTHOR, now=NOW)
        golden.put(db, f"{partner.code}.accrual", f"{partner.code}-case", GOLDEN, caller=AUTHOR, now=NOW)
        earn(db, earning, event_date=date(2026, 11, 19))
        held = hold(db, earning, 300)
        redeemed = redeem(db, earning, 200)
        adjusted = adjust(db, earning, 100)
        user = make_user(db, Role.VIEWER, partner_id=partner.id)
        key, partner_key = make_partner_key(db, partner.id)
        _, admin_key = make_user_key(db, Role.ADMIN, partner_id=partner.id)
        first = select(transfer.c.id).where(transfer.c.partner_id == partner.id).order_by(transfer.c.seq).limit(1)
        entry = db.execute(first).scalar_one()
        waiting = db.execute(select(delivery.c.id).where(delivery.c.partner_id == partner.id)).scalar_one()
    bucket, name = settings().bucket("hub-in"), f"{partner.code}/hours/file.csv"
    # Nobody knows the employee, so that there is a row to mend.
    objects.put(bucket, name, hours("e1,E99,2026-11-02,8").encode())
    found = objects.head(bucket, name)
    assert found is not None
    assert recorded.id is not None
    file = arrivals.register_object(database, bucket, found, now=NOW)
    intake.handle(database, notification(name), clock=lambda: NOW, remaining_s=lambda: 900.0)
    with database.read() as db:
        file = register.load(db, file.id)
    with database.write() as db:
        expected = {"layout": "hours", "since": "2026-11-18", "due": "06:00"}
        manifest = json.dumps({"expected_files": [expected]})
        db.execute(update(partner_table).where(partner_table.c.id == partner.id).values(manifest=manifest))
        expecting.watch(db, now=NOW)
    assert (file.state, file.rows_rejected) == ("processed", 1)
    asked = backtests.asked(database, partner.id, earning.version)
    return Side(
        earning,
        user,
        key,
        partner_key,
        admin_key,
        file,
        recorded.id,
        entry,
        waiting,
        asked,
        held.id,
        redeemed.id,
        adjusted.id,
    )


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


#: A case that says the same of every version: it does not apply.
GOLDEN: Mapping[str, Any] = {
    "name": "who has left earns nothing",
    "as_of": "2026-11-02",
    "given": {"status": "terminated", "quantity": "4"},
    "expect": {"applies": False},
}

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
    "PUT /v1/members/{member_id}/enrollments/{program_id}": lambda _: {"valid_from": "2026-11-01", "tier": "gold"},
    "POST /v1/accruals": lambda side: _accrual(side, partner_code=side.code),
    "POST /v1/accruals/batch": lambda side: {"partner_code": side.code, "events": [_accrual(side)]},
    "POST /v1/accruals/preview": lambda side: _accrual(
        side, partner_code=side.code, ruleset_version=side.ids["ruleset_version"]
    ),
    "POST /v1/accruals/{accrual_id}/reverse": lambda _: {"reason": "a test"},
    "POST /v1/holds": lambda side: _of_member(side, points="1", ttl_s=600),
    "POST /v1/holds/{hold_id}/capture": lambda _: {"reference": "new", "points": "1"},
    "POST /v1/holds/{hold_id}/release": lambda _: {"points": "1"},
    "POST /v1/redemptions": lambda side: _of_member(side, lines=[{"line": "1", "points": "1"}]),
    "POST /v1/redemptions/{redemption_id}/refund": lambda _: {"reference": "new", "lines": [{"line": "1"}]},
    "POST /v1/ledger/adjustments": lambda side: _of_member(side, points="1", reason_code="correction"),
    "POST /v1/ledger/adjustments/{adjustment_id}/approve": lambda _: {"decision": "approve"},
    "POST /v1/expirations/run": lambda side: {"program_id": side.ids["program_id"]},
    "POST /v1/files/validate": lambda side: {
        "partner_code": side.code,
        "layout": "hours",
        "text": hours("e7,E1,2026-11-02,8"),
    },
    "POST /v1/files/upload-url": lambda side: {
        "partner_code": side.code,
        "layout": "hours",
        "name": "new.csv",
        "size_bytes": 100,
    },
    "POST /v1/files/{file_id}/reprocess": lambda _: {"rules": "latest"},
    "PATCH /v1/files/{file_id}/rows/{row_no}": lambda _: {"cells": {"hours": "7.5"}, "reason": "a test"},
    "POST /v1/files/{file_id}/rows/resubmit": lambda _: {"rows": [1]},
    "POST /v1/deliveries/{delivery_id}/retry": lambda _: {"action": "retry", "reason": "a test"},
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
#: Path parameters that mean something else at one endpoint.
OTHER_MEANING: Mapping[tuple[str, str], Callable[[Side], str]] = {
    ("PUT /v1/partners/{partner_id}/onboarding", "partner_id"): lambda side: side.code,
}
#: What an administrator of the hub writes there, where it is not something of a partner.
WRITTEN_TO: Mapping[str, Mapping[str, str]] = {"PUT /v1/partners/{partner_id}/onboarding": {"partner_id": "newcomer"}}
#: Names that are looked up within the partner that the caller or another field names, or name nothing of the hub.
OWN_NAMES = frozenset(
    {
        "employee_id", "manager_id", "event_id", "program_code", "job_code", "job_code_override", "union_code",
        "location_code", "code", "contacts", "version", "from_version", "to_version", "reason_code",
    }
)  # fmt: skip


def path_of(spec: EndpointSpec, side: Side, *, written: bool = False) -> str:
    """The endpoint's path to something of that side."""
    path = spec.path
    for name in spec.path_parameters:
        meaning = OTHER_MEANING.get((spec.route, name))
        value = "1" if name in {"version", "row_no"} else meaning(side) if meaning else side.ids[name]
        if written:
            value = WRITTEN_TO.get(spec.route, {}).get(name, value)
        path = path.replace(f"{{{name}}}", value)
    return path


def headers() -> dict[str, str]:
    """A new Idempotency-Key."""
    return {"Idempotency-Key": new_id().hex()}
