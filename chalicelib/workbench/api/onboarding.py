"""PUT /v1/partners/{partner_id}/onboarding: one bundle makes a partner live. ``{partner_id}`` is the partner's code.

It is here and not beside the other endpoints of partners because its rules come to decide through the same gates as
promoted ones: an approval is bound to back-tests, which this room knows.
"""

from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound, NotPermitted
from chalicelib.partners import directory
from chalicelib.partners.onboarding import onboarding
from chalicelib.partners.onboarding.plans import Action
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import PartnerCode
from chalicelib.web.shapes import Body, Query, View
from chalicelib.workbench import evidence

blueprint = Blueprint(__name__)


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
    """What happened to one object."""

    kind: str
    code: str
    action: Action = Field(
        description="Of a stored version that files do not let decide: `awaits_approval` by a second person;"
        " `awaits_promotion` by a person, because it would take days away from a version that was promoted by hand;"
        " `withdrawn` by a rollback; `behind` what the hub has."
    )
    before: dict[str, Any]
    after: dict[str, Any] = Field(
        description="Of an activation, `decides` here and in `before` is the whole timeline: versions and since when."
    )
    changes: list[str] = Field(description="What changes in a document, or what keeps it from deciding, in sentences.")
    needs_approval: bool = Field(
        description="It changes money otherwise than by a rule: another person must approve the plan."
    )

    @classmethod
    def of(cls, step: onboarding.Step) -> "StepView":
        """The view of a step."""
        return cls(
            kind=step.kind,
            code=step.code,
            action=step.action,
            before=dict(step.before),
            after=dict(step.after),
            changes=list(step.changes),
            needs_approval=step.needs_approval,
        )


class PlanView(View):
    """What applying the bundle changed, or would change."""

    partner: str
    dry_run: bool
    changed: bool
    steps: list[StepView]

    @classmethod
    def of(cls, plan: onboarding.Plan) -> "PlanView":
        """The view of a plan."""
        steps = [StepView.of(step) for step in plan.steps]
        return cls(partner=plan.partner, dry_run=plan.dry_run, changed=plan.changed, steps=steps)


@endpoint(
    blueprint,
    "PUT /v1/partners/{partner_id}/onboarding",
    scope=Scope.PARTNERS_ADMIN,
    raises=[onboarding.BundleRefused, NotFound, NotPermitted],
    body_bytes_max=4 << 20,
    exact_numbers=True,
)
def onboard_partner(call: Call, partner_id: PartnerCode, query: OnboardingQuery, body: OnboardingBundle) -> PlanView:
    """Apply one onboarding bundle: create or change a partner, its programs, layouts, rules and targets.

    The path takes the partner's code. With ``dry_run=true`` nothing changes and the answer is the plan. A bundle in
    which anything is wrong changes nothing, and every wrong place is named. Where rules need approval, steps that
    change money otherwise than by a rule are refused here (`approval_required`): they go by a plan that another person
    approves.
    """
    bound = call.partner_scope is not None
    if bound:
        # Whoever is bound to a partner may change that one only; another's code is unknown to them.
        call.require_partner(directory.named(call.db, partner_id).id)
    plan = onboarding.apply(
        call.db,
        body.model_dump(),
        code=partner_id,
        shared=not bound,
        backtested=evidence.for_promotion,
        dry_run=query.dry_run,
        caller=call.caller,
        now=call.now,
    )
    return PlanView.of(plan)
