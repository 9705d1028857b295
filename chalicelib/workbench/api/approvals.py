"""/v1/rulesets/{ruleset_id}/…/approve, promote and rollback: which version decides from which date, and who says so.

They are here and not beside the other endpoints of rulesets because they look at back-tests and at decided events.
"""

from datetime import date, datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted
from chalicelib.points.history import Event
from chalicelib.rules import activation, approvals, catalogue, gates
from chalicelib.rules.gates import GatesClosed
from chalicelib.rules.showing import ApprovalView, FaultView, require_own, version_for, version_to_change
from chalicelib.settings import settings
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import RulesetId, VersionNumber
from chalicelib.web.shapes import Body, Day, PublicId, View
from chalicelib.workbench import backtests, evidence, meanwhile
from chalicelib.workbench.evidence import BacktestMissing

blueprint = Blueprint(__name__)

_RULESET = "/v1/rulesets/{ruleset_id}"
_VERSION = f"{_RULESET}/versions/{{version}}"


class ApprovalBody(Body):
    """What the approver looked at."""

    backtest_id: str | None = Field(
        default=None, description="The back-test that you saw; refused when a later one has finished since."
    )
    note: str | None = Field(default=None, max_length=500)


class StandingView(View):
    """What keeps a version from deciding."""

    required: bool = Field(description="Whether this hub asks for a second person.")
    approval: ApprovalView | None = Field(description="The latest one; null: nobody approved this version.")
    shut: list[FaultView] = Field(description="Red cases, uncovered places, lint errors, faults.")
    promotable: bool


class PromotionBody(Body):
    """From when on a version is to decide."""

    effective_from: Day = Field(description="Events dated then or later that are not decided yet.")
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class StretchView(View):
    """From this event date on the version decides, up to the next stretch."""

    effective_from: date
    version: int


class PromotionView(View):
    """What decides now. ``changed`` is false when the version decided from that date already."""

    ruleset: str
    version: int
    effective_from: date
    changed: bool
    approved_by: PublicId | None
    decided_already: int = Field(
        description="Events dated since then that other versions have decided: they stay as they are."
    )
    decides: list[StretchView]


class RollbackBody(Body):
    """From when on the version before is to decide again."""

    effective_from: Day = Field(description="Events dated then or later that are not decided yet.")
    reason: str = Field(min_length=1, max_length=500)


class DecidedView(View):
    """One event that the withdrawn version decided; it stays as it was decided."""

    accrual_id: PublicId
    event_id: str
    partner_id: PublicId
    member_id: PublicId
    program_id: PublicId
    event_date: date
    points: AmountText
    received_at: datetime

    @classmethod
    def of(cls, event: Event) -> "DecidedView":
        """The view of an event."""
        return cls.model_validate(
            {
                "accrual_id": public_id("acr", event.id),
                "event_id": event.event_id,
                "partner_id": public_id("par", event.partner_id),
                "member_id": public_id("mbr", event.member_id),
                "program_id": public_id("prg", event.program_id),
                "event_date": event.event_date,
                "points": amounts.text(event.points_minor, event.scale),
                "received_at": event.received_at,
            }
        )


class RollbackView(View):
    """What was taken back, what decides instead, and what had been decided meanwhile."""

    ruleset: str
    withdrawn_version: int
    withdrawn_version_id: PublicId = Field(description="GET /v1/accruals?ruleset_version= lists all it decided.")
    effective_from: date
    restored: list[StretchView]
    decides: list[StretchView]
    decided_meanwhile: int = Field(description="Events dated since then that the withdrawn version decided.")
    newest_decided: list[DecidedView] = Field(description=f"Up to {meanwhile.LISTED_MAX} of them, newest first.")


@endpoint(
    blueprint,
    f"POST {_VERSION}/approve",
    scope=Scope.RULES_APPROVE,
    idempotent=True,
    raises=[NotFound, NotPermitted, GatesClosed, BacktestMissing, Conflict],
)
def approve_version(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: ApprovalBody) -> ApprovalView:
    """Stand behind a version that somebody else wrote, as it is now: its text, its cases, its back-test.

    When any of these changes, the approval is void.
    """
    chosen = version_to_change(call, ruleset_id, version)
    seen = None if body.backtest_id is None else raw_id("bkt", body.backtest_id)
    if seen is not None:
        call.require_partner(backtests.load(call.db, seen).partner_id)
    found = evidence.require(call.db, chosen)
    if seen is not None and (found is None or found.backtest_id != seen):
        raise Conflict(
            "The back-test that you saw is not the latest finished one of this version: look at that one.",
            code="other_backtest",
        )
    return ApprovalView.of(
        approvals.approve(call.db, chosen, evidence=found, note=body.note, caller=call.caller, now=call.now)
    )


@endpoint(blueprint, f"GET {_VERSION}/approval", scope=Scope.RULES_READ, raises=[NotFound])
def get_approval(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> StandingView:
    """Show whether a version may be promoted, and if not, why."""
    chosen = version_for(call, ruleset_id, version)
    examined = gates.examine(call.db, chosen)
    found = approvals.standing(call.db, chosen, evidence=evidence.of(call.db, chosen), examined=examined)
    required = settings().rule_approval == "required"
    return StandingView(
        required=required,
        approval=ApprovalView.standing(found),
        shut=[FaultView.of(fault) for fault in examined.shut_for(call.partner_scope)],
        promotable=not examined.shut and (found.valid or not required),
    )


@endpoint(
    blueprint,
    f"POST {_VERSION}/promote",
    scope=Scope.RULES_WRITE,
    idempotent=True,
    raises=[NotFound, NotPermitted, GatesClosed, BacktestMissing, InvalidInput],
)
def promote_version(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: PromotionBody) -> PromotionView:
    """Let a version decide from a date on; refused while a case is red, a place not covered, or approval missing.

    What is decided already stays as it is. The same promotion again changes nothing.
    """
    chosen = version_to_change(call, ruleset_id, version)
    changed = activation.activate(
        call.db,
        ruleset_id,
        chosen.version_id,
        effective_from=body.effective_from,
        backtested=evidence.for_promotion,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    history = catalogue.history(call.db, ruleset_id)
    return PromotionView(
        ruleset=ruleset_id,
        version=version,
        effective_from=body.effective_from,
        changed=changed,
        approved_by=next((each.approved_by for each in reversed(history.activations) if each.number == version), None),
        decided_already=meanwhile.by_others(call.db, chosen, since=body.effective_from),
        decides=_stretches(history.decides),
    )


@endpoint(
    blueprint,
    f"POST {_RULESET}/rollback",
    scope=Scope.RULES_WRITE,
    idempotent=True,
    raises=[NotFound, NotPermitted, Conflict, InvalidInput],
)
def roll_back_ruleset(call: Call, ruleset_id: RulesetId, body: RollbackBody) -> RollbackView:
    """Let the version that decided before decide again from a date on, and list what was decided meanwhile.

    It needs no new approval: the version before had its own. Nothing that is decided is decided again.
    """
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    require_own(call, listed.partner_id, ruleset_id)
    done = activation.roll_back(
        call.db,
        ruleset_id,
        effective_from=body.effective_from,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    decided = meanwhile.by_version(call.db, done.withdrawn, since=body.effective_from)
    return RollbackView(
        ruleset=ruleset_id,
        withdrawn_version=done.withdrawn.number,
        withdrawn_version_id=public_id("rsv", done.withdrawn.version_id),
        effective_from=body.effective_from,
        restored=[StretchView(effective_from=day, version=each.number) for day, each in done.restored],
        decides=_stretches(catalogue.history(call.db, ruleset_id).decides),
        decided_meanwhile=decided.count,
        newest_decided=[DecidedView.of(event) for event in decided.newest],
    )


def _stretches(decides: Any) -> list[StretchView]:  # noqa: ANN401 - pairs of a day and a number
    return [StretchView(effective_from=start, version=number) for start, number in decides]
