"""/v1/retention: how long each class of data is kept."""

from datetime import datetime
from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound, NotPermitted
from chalicelib.operations import retaining
from chalicelib.operations.retaining import NeverForgotten, Policy, TooShort
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import DataClass
from chalicelib.web.shapes import Body, View

blueprint = Blueprint(__name__)


class PolicyBody(Body):
    """How long, from the next night on."""

    days: int | None = Field(description="Days; null: for ever.", ge=1)
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class PolicyView(View):
    """How long one class is kept."""

    data_class: str
    holds: str
    days: int | None = Field(description="Null: for ever.")
    days_default: int | None
    days_min: int
    changed_by: str | None = Field(description="Null: nobody said anything else than the default.")
    changed_at: datetime | None

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        """The view of one policy."""
        return cls(
            data_class=policy.of.name,
            holds=policy.of.holds,
            days=policy.days,
            days_default=policy.of.days,
            days_min=policy.of.days_min,
            changed_by=policy.changed_by,
            changed_at=policy.changed_at,
        )


class PoliciesView(View):
    """Every class; what is in none is kept for ever."""

    classes: list[PolicyView]


@endpoint(blueprint, "GET /v1/retention", scope=Scope.RETENTION_ADMIN, raises=[NotPermitted])
def list_policies(call: Call) -> PoliciesView:
    """List how long each class of data is kept."""
    _require_hub(call)
    return PoliciesView(classes=[PolicyView.of(policy) for policy in retaining.policies(call.db)])


@endpoint(
    blueprint,
    "PUT /v1/retention/{data_class}",
    scope=Scope.RETENTION_ADMIN,
    raises=[NotPermitted, NeverForgotten, TooShort, NotFound],
)
def put_policy(call: Call, data_class: DataClass, body: PolicyBody) -> PolicyView:
    """Keep a class of data for so long; a dry run of the nightly retention schedule says what would go."""
    _require_hub(call)
    return PolicyView.of(
        retaining.change(call.db, data_class, body.days, reason=body.reason, caller=call.caller, now=call.now)
    )


def _require_hub(call: Call) -> None:
    if call.partner_scope is not None:
        raise NotPermitted("How long data is kept is the whole hub's matter: your key is bound to a partner.")
