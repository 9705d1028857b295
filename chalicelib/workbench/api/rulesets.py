"""GET /v1/rulesets/{ruleset_id}: one ruleset with what it says, what asks it, and how that came about."""

from datetime import date, datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.rules import canonical, catalogue, versions
from chalicelib.rules.catalogue import Activated, Saved
from chalicelib.rules.showing import SHA256, RulesetView
from chalicelib.storage.ids import public_id
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import RulesetId
from chalicelib.web.shapes import PublicId, View
from chalicelib.workbench import bindings
from chalicelib.workbench.api.approvals import BindingView, StretchView

blueprint = Blueprint(__name__)


class DefinitionView(View):
    """What the ruleset says: by the live version, or else by the latest one."""

    version: int
    live: bool
    content: str = Field(description="The canonical JSON text of that version.")


class SavedView(View):
    """One version in a ruleset's history."""

    version: int
    version_id: PublicId
    content_hash: str = Field(pattern=SHA256, description="SHA-256 of the version's content.")
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, saved: Saved) -> "SavedView":
        """The view of a saved version."""
        return cls(
            version=saved.number,
            version_id=public_id("rsv", saved.version_id),
            content_hash=saved.content_hash.hex(),
            created_at=saved.created_at,
            created_by=saved.created_by,
        )


class ActivationView(View):
    """Since ``activated_at``, the version decided events dated ``effective_from`` or later, until another did."""

    version: int
    effective_from: date
    activated_at: datetime
    activated_by: str
    approved_by: str | None
    withdraws_version: int | None = Field(description="A rollback: the version that it took back.")

    @classmethod
    def of(cls, activated: Activated) -> "ActivationView":
        """The view of an activation."""
        return cls(
            version=activated.number,
            effective_from=activated.effective_from,
            activated_at=activated.activated_at,
            activated_by=activated.activated_by,
            approved_by=activated.approved_by,
            withdraws_version=activated.withdraws_number,
        )


class RulesetDetailView(RulesetView):
    """One ruleset with everything that was saved and activated, oldest first, and all that asks it."""

    why: str | None = Field(description="Of the live version, or else of the latest one.")
    definition: DefinitionView
    bindings: list[BindingView]
    versions: list[SavedView]
    activations: list[ActivationView]
    decides: list[StretchView]


@endpoint(blueprint, "GET /v1/rulesets/{ruleset_id}", scope=Scope.RULES_READ, raises=[NotFound])
def get_ruleset(call: Call, ruleset_id: RulesetId) -> RulesetDetailView:
    """Show one ruleset: what it says, who owns it, what asks it, its versions, and which decides from which date.

    Whoever is bound to a partner sees what asks it of that partner only.
    """
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    history = catalogue.history(call.db, ruleset_id)
    shown = listed.live or versions.by_number(call.db, ruleset_id, listed.latest_number)
    return RulesetDetailView(
        **RulesetView.of(listed).model_dump(),
        why=shown.document.get("why"),
        definition=DefinitionView(
            version=shown.number, live=listed.live is not None, content=canonical.text(shown.document)
        ),
        bindings=[
            BindingView.of(each) for each in bindings.of(call.db, listed, partner_id=call.partner_scope, now=call.now)
        ],
        versions=[SavedView.of(saved) for saved in history.versions],
        activations=[ActivationView.of(activated) for activated in history.activations],
        decides=[StretchView(effective_from=start, version=number) for start, number in history.decides],
    )
