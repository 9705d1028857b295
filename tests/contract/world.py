"""Two partners with one of everything each, and how every endpoint is called on them.

A new endpoint whose path parameter, body, or reference in a body or filter is not declared here fails the contract
tests: nobody forgets to say what another partner must not reach.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import select, update

from chalicelib.access.keys import ApiKey
from chalicelib.access.scopes import Role
from chalicelib.access.users import User
from chalicelib.deliveries.models import delivery
from chalicelib.files.expected import expecting
from chalicelib.files.exporting.jobs import ExportFile
from chalicelib.files.intake import arrivals, way
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.trials import Trial
from chalicelib.files.trials import comparing, validating
from chalicelib.files.trials import way as trials
from chalicelib.partners.account_ids import account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.onboarding.plans import ACTIONS
from chalicelib.points.finance import settling
from chalicelib.points.models.ledger import transfer
from chalicelib.rules import canonical, golden, plan_approvals
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id
from chalicelib.web.registry import EndpointSpec
from chalicelib.workbench.backtests import Backtest
from tests.contract.finance_bodies import PLAN_YEAR
from tests.factories import backtests, exports
from tests.factories.access import make_partner_key, make_user, make_user_key
from tests.factories.deliveries import make_target as make_outside
from tests.factories.deliveries import mapping_document
from tests.factories.files import hours, hours_layout, notification
from tests.factories.finance import SETTLEMENT, make_posting
from tests.factories.gateway import Api
from tests.factories.house import make_customer, make_price, make_product
from tests.factories.partners import NOW
from tests.factories.points import Earning, adjust, earn, hold, make_earning, redeem
from tests.factories.rules import AUTHOR, accrual_document, code_table, live_ruleset, table_document
from tests.factories.terms import TERMS, increased, tender


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
    export: ExportFile
    hold: bytes
    redemption: bytes
    adjustment: bytes
    customer: bytes
    settlement: bytes
    statement: ExportFile
    increase: bytes
    tender: bytes
    posting: bytes
    file_trial: Trial
    comparison: Trial

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
            "sku": f"{self.code}-shirt",
            "customer_id": public_id("cus", self.customer),
            "hold_id": public_id("hld", self.hold),
            "redemption_id": public_id("rdm", self.redemption),
            "adjustment_id": public_id("adj", self.adjustment),
            "increase_id": public_id("inc", self.increase),
            "tender_id": public_id("tnd", self.tender),
            "posting_id": public_id("pst", self.posting),
            "account_id": public_id("acc", account_id(earning.program.id, "member", earning.member.id)),
            "file_id": self.file.public_id,
            "object_key": self.file.object_key,
            "trial_id": self.file_trial.public_id,
            "delivery_id": public_id("dlv", self.delivery),
            "user_id": public_id("usr", self.user.id),
            "key_id": public_id("key", self.key.id),
            "ruleset_id": f"{self.code}.accrual",
            "ruleset_version": public_id("rsv", earning.version.version_id),
            "case_id": f"{self.code}-case",
            "backtest_id": self.backtest.public_id,
            "export_id": self.export.public_id,
            "settlement_id": public_id("stl", self.settlement),
            "statement_id": self.statement.public_id,
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
        earning = make_earning(db, lots={"expires": {"days": 10}}, terms=TERMS | PLAN_YEAR)
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
        increase = increased(db, earning)
        tendered = tender(db, earning)
        make_product(db, f"{partner.code}-shirt")
        make_price(db, f"{partner.code}-shirt", partner_code=partner.code)
        known = make_customer(db, f"{partner.code}-1", partner_code=partner.code, employee_id="E1")
        user = make_user(db, Role.VIEWER, partner_id=partner.id)
        key, partner_key = make_partner_key(db, partner.id)
        _, admin_key = make_user_key(db, Role.ADMIN, partner_id=partner.id)
        first = select(transfer.c.id).where(transfer.c.partner_id == partner.id).order_by(transfer.c.seq).limit(1)
        entry = db.execute(first).scalar_one()
        waiting = db.execute(select(delivery.c.id).where(delivery.c.partner_id == partner.id)).scalar_one()
    assert recorded.id is not None
    file = _file_with_a_rejected_row(database, partner.code)
    settled, posted = _settled(database, partner)
    asked = backtests.asked(database, partner.id, earning.version)
    sent = exports.write(database, "balances_sfcc", partner)
    stated = exports.ask(database, "statement", partner, period=(date(2026, 9, 1), date(2026, 9, 30)))
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
        sent.file,
        held.id,
        redeemed.id,
        adjusted.id,
        known,
        settled,
        stated,
        increase,
        tendered,
        posted,
        *_tried(database, partner, file),
    )


def _tried(database: Database, partner: Partner, file: InboundFile) -> tuple[Trial, Trial]:
    """A trial that waits for its content, and a comparison that is done."""
    with database.write() as db:
        trial, _ = validating.request(db, partner, "hours", "file.csv", size_bytes=100, caller=AUTHOR, now=NOW)
        comparison = comparing.request(db, file, partner, "latest", caller=AUTHOR, now=NOW)
    trials.handle(database, {"trial": comparison.public_id}, clock=lambda: NOW, remaining_s=lambda: 900.0)
    return trial, comparison


def _settled(database: Database, partner: Partner) -> tuple[bytes, bytes]:
    """A settlement of the partner, whose manifest expects a file, and a document of it."""
    with database.write() as db:
        expected = {"layout": "hours", "since": "2026-11-18", "due": "06:00"}
        manifest = json.dumps({"expected_files": [expected], "settlement": SETTLEMENT})
        db.execute(update(partner_table).where(partner_table.c.id == partner.id).values(manifest=manifest))
        expecting.watch(db, now=NOW)
        settled = settling.settle(db, partner, "2026-09", caller=AUTHOR, now=NOW).made
        assert settled is not None
        return settled.id, make_posting(db, partner, settled.id)


def _file_with_a_rejected_row(database: Database, code: str) -> InboundFile:
    bucket, name = settings().bucket("hub-in"), f"{code}/hours/file.csv"
    # Nobody knows the employee, so that there is a row to mend.
    objects.put(bucket, name, hours("e1,E99,2026-11-02,8").encode())
    found = objects.head(bucket, name)
    assert found is not None
    file = arrivals.register_object(database, bucket, found, now=NOW)
    way.handle(database, notification(name), clock=lambda: NOW, remaining_s=lambda: 900.0)
    with database.read() as db:
        read = register.load(db, file.id)
    assert (read.state, read.rows_rejected) == ("processed", 1)
    return read


#: A case that says the same of every version: it does not apply.
GOLDEN: Mapping[str, Any] = {
    "name": "who has left earns nothing",
    "as_of": "2026-11-02",
    "given": {"status": "terminated", "quantity": "4"},
    "expect": {"applies": False},
}

#: Path parameters that name something of the hub itself, which no partner has.
OF_THE_HUB: Mapping[str, str] = {"data_class": "answers", "schedule": "expirations"}
#: Path parameters that mean something else at one endpoint.
OTHER_MEANING: Mapping[tuple[str, str], Callable[[Side], str]] = {
    ("POST /v1/file-trials/{trial_id}/reprocess", "trial_id"): lambda side: side.comparison.public_id,
    ("PUT /v1/partners/{partner_id}/onboarding", "partner_id"): lambda side: side.code,
    ("PUT /v1/customers/{customer_id}/identities/{system}", "system"): lambda _: "sap",
}
#: What an administrator of the hub writes there, where it is not something of a partner.
WRITTEN_TO: Mapping[str, Mapping[str, str]] = {"PUT /v1/partners/{partner_id}/onboarding": {"partner_id": "newcomer"}}
#: Names that are looked up within the partner that the caller or another field names, or name nothing of the hub.
OWN_NAMES = frozenset(
    {
        "employee_id", "manager_id", "event_id", "program_code", "job_code", "job_code_override", "union_code",
        "location_code", "salesforce_id", "external_id", "code", "contacts", "version", "from_version", "to_version",
        "reason_code", "company_code",
    }
)  # fmt: skip


def path_of(spec: EndpointSpec, side: Side, *, written: bool = False) -> str:
    """The endpoint's path to something of that side."""
    path = spec.path
    for name in spec.path_parameters:
        meaning = OTHER_MEANING.get((spec.route, name))
        numbered = {"version": "1", "row_no": "1", **OF_THE_HUB}
        value = numbered[name] if name in numbered else meaning(side) if meaning else side.ids[name]
        if written:
            value = WRITTEN_TO.get(spec.route, {}).get(name, value)
        path = path.replace(f"{{{name}}}", value)
    return path


def headers() -> dict[str, str]:
    """A new Idempotency-Key."""
    return {"Idempotency-Key": new_id().hex()}
