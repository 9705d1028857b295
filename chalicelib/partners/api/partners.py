"""/v1/partners: who the partners are, whether the hub acts for them, and how they are onboarded.

``{partner_id}`` is the partner's id (``par_…``) or its code (``aurora-air``); onboarding takes the code.
"""

from datetime import date, datetime
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries import targets
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners import directory, onboarding, programs
from chalicelib.partners.directory import Partner, Status
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import PartnerCode, PartnerId
from chalicelib.web.shapes import Body, Day, PublicId, Query, View

blueprint = Blueprint(__name__)


class PartnerView(View):
    """One partner. ``status_from`` is the first day of the status, in the partner's time zone."""

    id: PublicId
    code: str
    name: str
    industry: str | None
    time_zone: str
    status: Status
    status_from: date
    status_reason: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, partner: Partner) -> "PartnerView":
        """The view of a partner."""
        return cls(**_shown(partner))


class ContactView(View):
    """Whom to ask at the partner."""

    role: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class ProgramLine(View):
    """One of the partner's programs."""

    id: PublicId
    code: str
    name: str
    status: str


class TargetLine(View):
    """One outside system that receives the partner's data."""

    id: PublicId
    code: str
    connector: str
    mapping: str
    status: str


class PartnerProfileView(PartnerView):
    """One partner with whom to ask, its programs and its outside systems."""

    contacts: list[ContactView]
    programs: list[ProgramLine]
    targets: list[TargetLine]


class PartnerQuery(PageQuery):
    """Which partners."""

    status: Status | None = Field(None, description="Whether the hub acts for them.")
    industry: str | None = Field(None, max_length=100, description="As their manifest names it.", examples=["airline"])


class StatusChange(Body):
    """A new status and why."""

    status: Status
    reason: str = Field(min_length=1, max_length=500)
    effective_date: Day | None = Field(
        None, description="First day of the status in the partner's time zone; not in the future. Null: today."
    )


class OnboardingQuery(Query):
    """How to apply."""

    dry_run: bool = Field(False, description="Only show what would change.")


class OnboardingBundle(Body):
    """A partner's manifest and the rule documents that go with it."""

    manifest: dict[str, Any]
    layouts: list[dict[str, Any]] = Field(default_factory=list)
    rulesets: list[dict[str, Any]] = Field(default_factory=list)
    code_tables: list[dict[str, Any]] = Field(default_factory=list)


class StepView(View):
    """What happened to one object; ``awaits_approval``: it is stored and decides once a second person approved it."""

    kind: str
    code: str
    action: Literal["create", "change", "unchanged", "awaits_approval"]
    before: dict[str, Any]
    after: dict[str, Any]


class PlanView(View):
    """What applying the bundle changed, or would change."""

    partner: str
    dry_run: bool
    changed: bool
    steps: list[StepView]

    @classmethod
    def of(cls, plan: onboarding.Plan) -> "PlanView":
        """The view of a plan."""
        steps = [
            StepView(
                kind=step.kind, code=step.code, action=step.action, before=dict(step.before), after=dict(step.after)
            )
            for step in plan.steps
        ]
        return cls(partner=plan.partner, dry_run=plan.dry_run, changed=plan.changed, steps=steps)


@endpoint(blueprint, "GET /v1/partners", scope=Scope.PARTNERS_READ)
def list_partners(call: Call, query: PartnerQuery) -> Page[PartnerView]:
    """List partners by code."""
    rows = directory.search(
        call.db,
        only=call.partner_scope,
        status=query.status,
        industry=query.industry,
        after=pages.after_text(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=PartnerView.of, position=lambda partner: (partner.code,))


@endpoint(blueprint, "GET /v1/partners/{partner_id}", scope=Scope.PARTNERS_READ, raises=[NotFound])
def get_partner(call: Call, partner_id: PartnerId) -> PartnerProfileView:
    """Show one partner with its contacts, programs and outside systems."""
    partner = visible(call, partner_id)
    return PartnerProfileView(
        **_shown(partner),
        contacts=[ContactView(**contact) for contact in partner.contacts],
        programs=[
            ProgramLine(id=public_id("prg", program.id), code=program.code, name=program.name, status=program.status)
            for program in programs.of_partner(call.db, partner.id).values()
        ],
        targets=[
            TargetLine(
                id=public_id("tgt", target.id),
                code=target.code,
                connector=target.connector,
                mapping=target.mapping_code,
                status=target.status,
            )
            for target in targets.of_partner(call.db, partner.id)
        ],
    )


@endpoint(
    blueprint,
    "POST /v1/partners/{partner_id}/status",
    scope=Scope.PARTNERS_ADMIN,
    idempotent=True,
    raises=[NotFound, InvalidInput],
)
def change_partner_status(call: Call, partner_id: PartnerId, body: StatusChange) -> PartnerView:
    """Activate, suspend or offboard a partner, with a reason; the same status again changes nothing."""
    partner = visible(call, partner_id)
    changed = directory.change_status(
        call.db,
        partner,
        body.status,
        reason=body.reason,
        effective_date=body.effective_date,
        caller=call.caller,
        now=call.now,
    )
    return PartnerView.of(changed)


@endpoint(
    blueprint,
    "PUT /v1/partners/{partner_id}/onboarding",
    scope=Scope.PARTNERS_ADMIN,
    raises=[onboarding.BundleRefused, NotFound],
    body_bytes_max=4 << 20,
    exact_numbers=True,
)
def onboard_partner(call: Call, partner_id: PartnerCode, query: OnboardingQuery, body: OnboardingBundle) -> PlanView:
    """Apply one onboarding bundle: create or change a partner, its programs, layouts, rules and targets.

    The path takes the partner's code. With ``dry_run=true`` nothing changes and the answer is the plan. A bundle in
    which anything is wrong changes nothing, and every wrong place is named.
    """
    bound = call.partner_scope is not None
    if bound:
        # Whoever is bound to a partner may change that one only; another's code is unknown to them.
        visible(call, partner_id)
    plan = onboarding.apply(
        call.db,
        body.model_dump(),
        code=partner_id,
        shared=not bound,
        dry_run=query.dry_run,
        caller=call.caller,
        now=call.now,
    )
    return PlanView.of(plan)


def visible(call: Call, text: str) -> Partner:
    """The partner of an id or code, if the caller may see it. Raises NotFound."""
    partner = directory.named(call.db, text)
    call.require_partner(partner.id)
    return partner


def _shown(partner: Partner) -> dict[str, Any]:
    shown = {name: getattr(partner, name) for name in PartnerView.model_fields if name != "id"}
    return {"id": public_id("par", partner.id), **shown}
