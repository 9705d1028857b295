"""/v1/rulesets/{ruleset_id}/…/approve, promote and rollback: which version decides from which date, and who says so.

They are here and not beside the other endpoints of rulesets because they look at back-tests and at decided events.
"""

from datetime import date, datetime
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, Fault, InvalidInput, NotFound, NotPermitted
from chalicelib.points.ledger.history import Event
from chalicelib.rules import activation, approvals, catalogue, gates, rivals
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
from chalicelib.workbench import backtests, bindings, evidence, meanwhile
from chalicelib.workbench.bindings import Binding
from chalicelib.workbench.evidence import BacktestMissing, BacktestNotNamed, BacktestOutdated

blueprint = Blueprint(__name__)

_RULESET = "/v1/rulesets/{ruleset_id}"
_VERSION = f"{_RULESET}/versions/{{version}}"
_BOUND_AS = {"program": "prg", "target": "tgt"}
#: Back-tests that one approval names: one of each partner that uses the ruleset.
_BACKTESTS_MAX = 200


class ApprovalBody(Body):
    """What the approver looked at."""

    backtest_id: str | None = Field(
        default=None,
        description="The back-test that you saw; needed where events were decided, and refused when a later one has"
        " finished since.",
    )
    backtest_ids: list[str] = Field(
        default_factory=list,
        max_length=_BACKTESTS_MAX,
        description="Instead, for a ruleset that every partner uses: that of each partner.",
    )
    effective_from: Day | None = Field(
        default=None,
        description="The first day from which it may come to decide; null: today (UTC), or the first day of its"
        " document where that is later.",
    )
    note: str | None = Field(default=None, max_length=500)


class StandingView(View):
    """What keeps a version from deciding."""

    required: bool = Field(description="Whether this hub asks for a second person.")
    approval: ApprovalView | None = Field(description="The latest one; null: nobody approved this version.")
    shut: list[FaultView] = Field(
        description="Red cases, uncovered places, lint errors, faults, rulesets that decide the same, a back-test that"
        " is missing."
    )
    promotable: bool = Field(description="From the day that was approved, or else from today on.")


class PromotionBody(Body):
    """From when on a version is to decide."""

    effective_from: Day = Field(description="Events dated then or later that are not decided yet.")
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class BindingView(View):
    """Something that asks the ruleset: a program, a target, or a partner's files of that layout."""

    kind: Literal["program", "target", "layout"]
    partner_id: PublicId
    partner_code: str
    code: str
    id: PublicId | None = Field(description="Null of a layout: a file names it by its folder.")

    @classmethod
    def of(cls, binding: Binding) -> "BindingView":
        """The view of a binding."""
        object_id = binding.object_id
        return cls(
            kind=binding.kind,
            partner_id=public_id("par", binding.partner_id),
            partner_code=binding.partner_code,
            code=binding.code,
            id=None if object_id is None else public_id(_BOUND_AS[binding.kind], object_id),
        )


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
    asked_by: list[BindingView] = Field(description="What asks the ruleset; empty: it decides nothing.")
    notice: str | None = Field(description="Why it decides nothing, in a sentence; null: something asks it.")


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
    newest_decided: list[DecidedView] = Field(
        description=f"Up to {meanwhile.LISTED_MAX} of them, newest first; none for a key without `accruals:read`."
    )


@endpoint(
    blueprint,
    f"POST {_VERSION}/approve",
    scope=Scope.RULES_APPROVE,
    idempotent=True,
    raises=[
        NotFound,
        NotPermitted,
        GatesClosed,
        InvalidInput,
        Conflict,
        BacktestMissing,
        BacktestNotNamed,
        BacktestOutdated,
    ],
)
def approve_version(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: ApprovalBody) -> ApprovalView:
    """Stand behind a version that somebody else wrote, as it is now: its text, its cases, its back-test.

    When any of these changes, the approval is void; it can be used for 30 days, and from the day that it names on.
    """
    chosen = version_to_change(call, ruleset_id, version)
    key_id = call.principal.key_id
    approvals.require_may_approve(call.db, chosen, key_id=key_id, caller=call.caller)
    named = {raw_id("bkt", one) for one in (body.backtest_id, *body.backtest_ids) if one is not None}
    for one in sorted(named):
        call.require_partner(backtests.load(call.db, one).partner_id)
    examined = gates.examine(call.db, chosen)
    examined.require()
    given = approvals.approve(
        call.db,
        chosen,
        evidence=evidence.for_approval(call.db, chosen, named, examined=examined, now=call.now),
        effective_from=body.effective_from,
        note=body.note,
        key_id=key_id,
        caller=call.caller,
        now=call.now,
    )
    return ApprovalView.of(given)


@endpoint(blueprint, f"GET {_VERSION}/approval", scope=Scope.RULES_READ, raises=[NotFound])
def get_approval(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> StandingView:
    """Show whether a version may be promoted, and if not, why."""
    chosen = version_for(call, ruleset_id, version)
    examined = gates.examine(call.db, chosen)
    runs = evidence.of(call.db, chosen)
    found = approvals.standing(call.db, chosen, evidence=runs, examined=examined, now=call.now)
    required = settings().rule_approval == "required"
    day = approvals.first_day(chosen, call.now) if found.approval is None else found.approval.effective_from
    more = [*rivals.of(call.db, chosen, effective_from=day, now=call.now)]
    try:
        evidence.for_promotion(call.db, chosen)
    except BacktestMissing as missing:
        # Of what every partner uses, one partner's user does not learn what others have.
        foreign = call.partner_scope is not None and chosen.partner_id is None
        told = "Partners' events were decided that no back-test has looked at." if foreign else missing.message
        more.append(Fault("/backtest", missing.code, told))
    return StandingView(
        required=required,
        approval=ApprovalView.standing(found),
        shut=[FaultView.of(fault) for fault in (*examined.shut_for(call.partner_scope), *more)],
        promotable=not examined.shut and not more and (found.valid or not required),
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
    asked_by = _asked_by(call, ruleset_id)
    return PromotionView(
        ruleset=ruleset_id,
        version=version,
        effective_from=body.effective_from,
        changed=changed,
        approved_by=next((each.approved_by for each in reversed(history.activations) if each.number == version), None),
        decided_already=meanwhile.by_others(call.db, chosen, since=body.effective_from),
        decides=_stretches(history.decides),
        asked_by=[BindingView.of(each) for each in asked_by],
        notice=None if asked_by else bindings.silence(chosen.kind),
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
        # Taking back must not wait for a right to read records: then they are counted and not listed.
        newest_decided=[
            DecidedView.of(event) for event in decided.newest if Scope.ACCRUALS_READ in call.principal.scopes
        ],
    )


def _asked_by(call: Call, ruleset_id: str) -> list[Binding]:
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    return bindings.of(call.db, listed, partner_id=call.partner_scope, now=call.now)


def _stretches(decides: Any) -> list[StretchView]:  # noqa: ANN401 - pairs of a day and a number
    return [StretchView(effective_from=start, version=number) for start, number in decides]
