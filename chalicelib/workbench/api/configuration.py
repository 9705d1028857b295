"""/v1/config: the configuration of an environment, as a folder of files has it: what would change, and changing it.

A plan is made of everything at once. Applying takes the same documents and the plan's hash, and does what the plan says
or nothing. It is in this room because approvals are bound to back-tests, which this room knows.
"""

from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.partners import configuring, directory, onboarding
from chalicelib.partners.configuring import Configured, PlanOutdated
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
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


class ConfigurationView(View):
    """What applying the documents changed, or would change."""

    plan_hash: str = Field(pattern=_SHA256, description="Of the documents, of what they found here, and of the steps.")
    applied: bool
    counts: CountsView
    partners: list[PartnerStepsView]

    @classmethod
    def of(cls, found: Configured) -> "ConfigurationView":
        """The view of a plan."""
        kinds: tuple[Literal["create", "change", "unchanged", "awaits_approval"], ...] = (
            "create",
            "change",
            "unchanged",
            "awaits_approval",
        )
        return cls(
            plan_hash=found.digest.hex(),
            applied=not found.dry_run,
            counts=CountsView(**{kind: found.count(kind) for kind in kinds}),
            partners=[
                PartnerStepsView(partner=plan.partner, steps=[StepView.of(step) for step in plan.steps])
                for plan in found.plans
            ],
        )


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

    The plan's hash is what `POST /v1/config/apply` takes. Every wrong place of every document is named.
    """
    return ConfigurationView.of(_configured(call, body.model_dump(), dry_run=True, expected=None))


@endpoint(
    blueprint,
    "POST /v1/config/apply",
    scope=Scope.PARTNERS_ADMIN,
    idempotent=True,
    raises=[onboarding.BundleRefused, NotFound, PlanOutdated],
    body_bytes_max=_BODY_BYTES_MAX,
    exact_numbers=True,
)
def apply_configuration(call: Call, body: PlannedBody) -> ConfigurationView:
    """Do exactly what a plan says, all of it in one transaction, or refuse because the environment has changed since.

    Where rules need approval, versions are saved and await it; they decide once they are approved and promoted.
    """
    documents = body.model_dump(exclude={"plan_hash"})
    return ConfigurationView.of(_configured(call, documents, dry_run=False, expected=bytes.fromhex(body.plan_hash)))


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
