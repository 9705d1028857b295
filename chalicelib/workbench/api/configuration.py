"""/v1/config: the configuration of an environment, as a folder of files has it: what would change, and changing it.

A plan is made of everything at once. Applying takes the same documents and the plan's hash, and does what the plan says
or nothing. A plan that changes money otherwise than by a rule is kept for another person, who reads and approves it. It
is in this room because approvals are bound to back-tests, which this room knows.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound, NotPermitted
from chalicelib.partners import directory
from chalicelib.partners.onboarding import configuring, onboarding
from chalicelib.partners.onboarding.configuring import Configured, PlanOutdated
from chalicelib.partners.onboarding.plans import ACTIONS
from chalicelib.rules import plan_approvals
from chalicelib.rules.plan_approvals import KeptPlan
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import PlanHash
from chalicelib.web.shapes import Body, View, Written
from chalicelib.workbench import evidence
from chalicelib.workbench.api.onboarding import StepView

blueprint = Blueprint(__name__)

_BODY_BYTES_MAX = 4 << 20
_MANIFESTS_MAX = 200
_DOCUMENTS_MAX = 2000
_SHA256 = r"^[0-9a-f]{64}$"


class ConfigurationBody(Body):
    """Manifests of partners, and the documents that they and others use; what is left out stays as it is."""

    manifests: list[dict[str, Any]] = Field(min_length=1, max_length=_MANIFESTS_MAX)
    layouts: list[dict[str, Any]] = Field(default_factory=list, max_length=_DOCUMENTS_MAX)
    rulesets: list[dict[str, Any]] = Field(default_factory=list, max_length=_DOCUMENTS_MAX)
    code_tables: list[dict[str, Any]] = Field(default_factory=list, max_length=_DOCUMENTS_MAX)


class PlannedBody(ConfigurationBody):
    """The documents that were planned, and the plan."""

    plan_hash: Annotated[str, Written("[0-9a-f]{64}", "A plan's hash has 64 hexadecimal digits, in small letters.")] = (
        Field(description="Of the plan: what happens is exactly that, or nothing.")
    )


class PartnerStepsView(View):
    """The steps for one partner, in the order in which they are taken."""

    partner: str
    steps: list[StepView]


class CountsView(View):
    """How many steps there are of each kind."""

    create: int
    change: int
    unchanged: int
    awaits_approval: int
    awaits_promotion: int
    withdrawn: int
    behind: int


class ConfigurationView(View):
    """What applying the documents changed, or would change."""

    plan_hash: str = Field(pattern=_SHA256, description="Of the documents, of what they found here, and of the steps.")
    applied: bool
    needs_approval: bool = Field(
        description="Steps of it change money otherwise than by a rule: another person approves the plan first."
    )
    counts: CountsView
    partners: list[PartnerStepsView]

    @classmethod
    def of(cls, found: Configured) -> "ConfigurationView":
        """The view of a plan."""
        return cls(
            plan_hash=found.digest.hex(),
            applied=not found.dry_run,
            needs_approval=bool(found.needs_approval),
            counts=CountsView(**{action: found.count(action) for action in ACTIONS}),
            partners=[
                PartnerStepsView(partner=plan.partner, steps=[StepView.of(step) for step in plan.steps])
                for plan in found.plans
            ],
        )


class PlanEventView(View):
    """A person approved the plan, or applied it, which uses the approvals up."""

    event: Literal["approved", "applied"]
    actor: str
    note: str | None
    at: datetime


class KeptPlanView(View):
    """A plan that needs approval, as the hub made it: what an approver reads."""

    plan_hash: str = Field(pattern=_SHA256)
    planned_by: str
    planned_at: datetime
    counts: CountsView
    partners: list[PartnerStepsView] = Field(description="Without the steps that change nothing.")
    events: list[PlanEventView] = Field(description="Oldest first.")

    @classmethod
    def of(cls, plan: KeptPlan) -> "KeptPlanView":
        """The view of a kept plan."""
        return cls(
            plan_hash=plan.plan_hash.hex(),
            planned_by=plan.planned_by,
            planned_at=plan.created_at,
            events=[
                PlanEventView(event=each.event, actor=each.actor, note=each.note, at=each.created_at)
                for each in plan.events
            ],
            **json.loads(plan.content),
        )


class PlanApprovalBody(Body):
    """What the approver has to say."""

    note: str | None = Field(default=None, max_length=500)


@endpoint(
    blueprint,
    "POST /v1/config/plan",
    scope=Scope.PARTNERS_ADMIN,
    idempotent=True,
    raises=[onboarding.BundleRefused, NotFound],
    body_bytes_max=_BODY_BYTES_MAX,
    exact_numbers=True,
)
def plan_configuration(call: Call, body: ConfigurationBody) -> ConfigurationView:
    """Show what applying the documents would change, partner by partner; nothing is changed.

    The plan's hash is what `POST /v1/config/apply` takes. Every wrong place of every document is named. A plan that
    `needs_approval` is kept: another person reads and approves it under its hash.
    """
    documents = body.model_dump()
    found = _configured(call, documents, dry_run=True, expected=None)
    view = ConfigurationView.of(found)
    if found.needs_approval:
        _keep(call, documents, view)
    return view


@endpoint(blueprint, "GET /v1/config/plans/{plan_hash}", scope=Scope.RULES_READ, raises=[NotFound])
def get_plan(call: Call, plan_hash: PlanHash) -> KeptPlanView:
    """Show a plan that needs approval, as the hub made it, and who approved or applied it."""
    return KeptPlanView.of(
        plan_approvals.find(call.db, bytes.fromhex(plan_hash), partner_id=call.partner_scope),
    )


@endpoint(
    blueprint,
    "POST /v1/config/plans/{plan_hash}/approve",
    scope=Scope.RULES_APPROVE,
    idempotent=True,
    raises=[NotFound, NotPermitted],
)
def approve_plan(call: Call, plan_hash: PlanHash, body: PlanApprovalBody) -> KeptPlanView:
    """Stand behind a plan, which another person then applies. Applying uses the approval up; after 30 days it ends."""
    return KeptPlanView.of(
        plan_approvals.approve(
            call.db,
            bytes.fromhex(plan_hash),
            note=body.note,
            partner_id=call.partner_scope,
            key_id=call.principal.key_id,
            caller=call.caller,
            now=call.now,
        )
    )


@endpoint(
    blueprint,
    "POST /v1/config/apply",
    scope=Scope.PARTNERS_ADMIN,
    idempotent=True,
    raises=[onboarding.BundleRefused, NotFound, NotPermitted, PlanOutdated],
    body_bytes_max=_BODY_BYTES_MAX,
    exact_numbers=True,
)
def apply_configuration(call: Call, body: PlannedBody) -> ConfigurationView:
    """Do exactly what a plan says, all of it in one transaction, or refuse because the environment has changed since.

    Where rules need approval, versions are saved and await it; they decide once they are approved and promoted. A plan
    that `needs_approval` is refused (`approval_required`) until another person has approved it.
    """
    documents = body.model_dump(exclude={"plan_hash"})
    return ConfigurationView.of(_configured(call, documents, dry_run=False, expected=bytes.fromhex(body.plan_hash)))


def _keep(call: Call, documents: dict[str, Any], view: ConfigurationView) -> None:
    """Keep a plan for its approver; one of a single partner's own documents is within reach of that partner's."""
    said = view.model_dump(mode="json", include={"counts", "partners"})
    for one in said["partners"]:
        one["steps"] = [step for step in one["steps"] if step["action"] != "unchanged"]
    manifests, *others = (documents[kind] for kind in ("manifests", "layouts", "rulesets", "code_tables"))
    alone = len(manifests) == 1 and all(each.get("partner") is not None for kind in others for each in kind)
    partner_id = directory.named(call.db, str(manifests[0]["code"])).id if alone else None
    plan_approvals.keep(
        call.db,
        bytes.fromhex(view.plan_hash),
        json.dumps(said, ensure_ascii=False),
        partner_id=partner_id,
        caller=call.caller,
        now=call.now,
    )


def _configured(call: Call, documents: dict[str, Any], *, dry_run: bool, expected: bytes | None) -> Configured:
    bound = call.partner_scope is not None
    if bound:
        # Whoever is bound to a partner may change that one only; another's code is unknown to them.
        for manifest in documents["manifests"]:
            call.require_partner(directory.named(call.db, str(manifest.get("code"))).id)
    return configuring.configure(
        call.db,
        documents,
        shared=not bound,
        backtested=evidence.for_promotion,
        dry_run=dry_run,
        expected=expected,
        caller=call.caller,
        now=call.now,
    )
