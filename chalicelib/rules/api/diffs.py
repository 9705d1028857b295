"""/v1/rulesets/{ruleset_id}/diff: what changed between two versions, in sentences."""

from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.language import json_value
from chalicelib.rules import catalogue
from chalicelib.rules.diffing.change import Change, Kind
from chalicelib.rules.showing import version_for
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import INTEGER_MAX, RulesetId
from chalicelib.web.shapes import Query, View

blueprint = Blueprint(__name__)


class ChangeView(View):
    """One change that means something; how a document is spelled is none."""

    kind: Kind
    what: str = Field(description="The change in a sentence.")
    pointer_before: str | None = Field(description="JSON Pointer into the earlier version; null: it was not there.")
    pointer_after: str | None = Field(description="JSON Pointer into the later version; null: it is not there.")
    before: Any = Field(description="What stood there.")
    after: Any = Field(description="What stands there.")

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        """The view of a change."""
        return cls(
            kind=change.kind,
            what=change.what,
            pointer_before=change.pointer_before,
            pointer_after=change.pointer_after,
            before=json_value(change.before),
            after=json_value(change.after),
        )


class DiffView(View):
    """Every difference between two versions, in the order in which a document is read."""

    ruleset: str
    from_version: int | None = Field(description="Null: there was none before, so everything is new.")
    to_version: int
    changes: list[ChangeView] = Field(description="Empty: both decide alike and say the same.")


class DiffQuery(Query):
    """Which versions."""

    from_version: int | None = Field(
        None,
        ge=1,
        le=INTEGER_MAX,
        description="The earlier one; without it the one that decides today, or else the one before the other.",
        examples=[1],
    )
    to_version: int | None = Field(
        None, ge=1, le=INTEGER_MAX, description="The later one; without it the latest.", examples=[2]
    )


@endpoint(blueprint, "GET /v1/rulesets/{ruleset_id}/diff", scope=Scope.RULES_READ, raises=[NotFound])
def get_diff(call: Call, ruleset_id: RulesetId, query: DiffQuery) -> DiffView:
    """Say what changed between two versions: conditions, rows, rates, rounding, cases; never the spelling of JSON."""
    from chalicelib.rules.diffing.comparing import diff

    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    later = query.to_version or listed.latest_number
    earlier = query.from_version
    if earlier is None:
        earlier = later - 1 if listed.live is None else listed.live.number
    after = version_for(call, ruleset_id, later)
    before = version_for(call, ruleset_id, earlier).document if earlier else {}
    return DiffView(
        ruleset=ruleset_id,
        from_version=earlier or None,
        to_version=later,
        changes=[ChangeView.of(change) for change in diff(before, after.document)],
    )
