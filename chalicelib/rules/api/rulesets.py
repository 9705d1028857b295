"""/v1/rulesets: which rules there are, which version decides, and what a version says to one record.

``{ruleset_id}`` is the ruleset's code (``aurora-air.accrual``), ``{version}`` its number. A key that is bound to a
partner sees the partner's rulesets and the shared ones.
"""

from datetime import date, datetime
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.language import CaseResult, json_value
from chalicelib.rules import canonical, catalogue, simulation, versions
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.amounts import DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import RulesetId, VersionNumber
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)

_RULESET = "/v1/rulesets/{ruleset_id}"
_VERSION = f"{_RULESET}/versions/{{version}}"
_SHA256 = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the version's content.")


class LiveView(View):
    """The version that decides events of today (UTC)."""

    version: int
    version_id: PublicId
    content_hash: str = _SHA256


class RulesetView(View):
    """One ruleset. ``partner_id`` null: every partner may use it."""

    code: str
    kind: str
    partner_id: PublicId | None
    owner: str
    created_at: datetime
    latest_version: int
    live: LiveView | None

    @classmethod
    def of(cls, listed: catalogue.Listed) -> "RulesetView":
        """The view of one entry of the catalogue."""
        live = listed.live
        return cls(
            code=listed.code,
            kind=listed.kind,
            partner_id=_partner(listed.partner_id),
            owner=listed.owner,
            created_at=listed.created_at,
            latest_version=listed.latest_number,
            live=live
            and LiveView(
                version=live.number,
                version_id=public_id("rsv", live.version_id),
                content_hash=live.content_hash.hex(),
            ),
        )


class SavedView(View):
    """One version in a ruleset's history."""

    version: int
    version_id: PublicId
    content_hash: str = _SHA256
    created_at: datetime
    created_by: str


class ActivationView(View):
    """Since ``activated_at``, the version decided events dated ``effective_from`` or later, until another did."""

    version: int
    effective_from: date
    activated_at: datetime
    activated_by: str
    approved_by: str | None


class StretchView(View):
    """From this event date on the version decides, up to the next stretch."""

    effective_from: date
    version: int


class RulesetHistoryView(RulesetView):
    """One ruleset with everything that was saved and activated, oldest first."""

    why: str | None = Field(description="Of the live version, or else of the latest one.")
    versions: list[SavedView]
    activations: list[ActivationView]
    decides: list[StretchView]


class VersionView(View):
    """One immutable version."""

    ruleset: str
    kind: str
    partner_id: PublicId | None
    version: int
    version_id: PublicId
    content_hash: str = _SHA256
    created_at: datetime
    created_by: str
    effective_from: date | None = Field(description="The first day for which it may be activated; null: any.")
    effective_to: date | None = Field(description="The last day on which it decides; null: until another does.")
    content: str = Field(description="The canonical JSON text, of which `content_hash` is the SHA-256.")

    @classmethod
    def of(cls, version: LiveVersion) -> "VersionView":
        """The view of a version."""
        return cls(
            ruleset=version.ruleset_code,
            kind=version.kind,
            partner_id=_partner(version.partner_id),
            version=version.number,
            version_id=public_id("rsv", version.version_id),
            content_hash=version.content_hash.hex(),
            created_at=version.created_at,
            created_by=version.created_by,
            effective_from=version.effective_from,
            effective_to=version.effective_to,
            content=canonical.text(version.document),
        )


class FaultView(View):
    """One place that is wrong. Only faults of the rule itself say what was expected instead."""

    pointer: str
    code: str
    message: str
    expected: str | None = None
    found: str | None = None
    suggestion: str | None = None


class CaseView(View):
    """One of the rule's own cases."""

    name: str
    passed: bool
    message: str | None

    @classmethod
    def of(cls, result: CaseResult) -> "CaseView":
        """The view of a case's result."""
        return cls(name=result.name, passed=result.passed, message=result.message or None)


class ValidationView(View):
    """Whether the version would be accepted if it were saved now."""

    valid: bool
    faults: list[FaultView]
    cases: list[CaseView]


class Simulation(Body):
    """One record for a version to decide."""

    as_of: Day = Field(description="The day of the decision, such as the event's date.")
    record: dict[str, Any] = Field(description="The declared inputs by name; decimals and dates as text.")
    aggregates: dict[str, DecimalText] = Field(
        default_factory=dict, description="Declared aggregates by name; one that is not given is zero."
    )


class SimulationView(View):
    """What the version says to the record, and how it came to it."""

    outcome: Literal["decided", "not_applicable", "refused"]
    outputs: dict[str, Any] | None = Field(description="Decimals and dates as text; null unless decided.")
    faults: list[FaultView]
    trace: dict[str, Any]


class RulesetQuery(PageQuery):
    """Which rulesets."""

    kind: Literal["accrual", "enrolment", "layout", "mapping", "validation"] | None = Field(
        None, description="What they decide."
    )


@endpoint(blueprint, "GET /v1/rulesets", scope=Scope.RULES_READ)
def list_rulesets(call: Call, query: RulesetQuery) -> Page[RulesetView]:
    """List rulesets by code, each with the version that decides today."""
    rows = catalogue.in_order(
        call.db,
        partner_id=call.partner_scope,
        kind=query.kind,
        after_code=pages.after_text(call, query),
        limit=query.limit + 1,
        now=call.now,
    )
    return pages.page(call, query, rows, view=RulesetView.of, position=lambda row: (row.code,))


@endpoint(blueprint, f"GET {_RULESET}", scope=Scope.RULES_READ, raises=[NotFound])
def get_ruleset(call: Call, ruleset_id: RulesetId) -> RulesetHistoryView:
    """Show one ruleset with its versions, its activations and which version decides from which date."""
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    history = catalogue.history(call.db, ruleset_id)
    shown = listed.live or versions.by_number(call.db, ruleset_id, listed.latest_number)
    return RulesetHistoryView(
        **RulesetView.of(listed).model_dump(),
        why=shown.document.get("why"),
        versions=[
            SavedView(
                version=saved.number,
                version_id=public_id("rsv", saved.version_id),
                content_hash=saved.content_hash.hex(),
                created_at=saved.created_at,
                created_by=saved.created_by,
            )
            for saved in history.versions
        ],
        activations=[
            ActivationView(
                version=activated.number,
                effective_from=activated.effective_from,
                activated_at=activated.activated_at,
                activated_by=activated.activated_by,
                approved_by=activated.approved_by,
            )
            for activated in history.activations
        ],
        decides=[StretchView(effective_from=start, version=number) for start, number in history.decides],
    )


@endpoint(blueprint, f"GET {_VERSION}", scope=Scope.RULES_READ, raises=[NotFound])
def get_version(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> VersionView:
    """Show one version with the exact JSON text that its hash was taken of."""
    return VersionView.of(_version(call, ruleset_id, version))


@endpoint(blueprint, f"POST {_VERSION}/validate", scope=Scope.RULES_READ, idempotent=False, raises=[NotFound])
def validate_version(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> ValidationView:
    """Check one version again, by today's checks and code tables, and run its cases; nothing is written."""
    validated = simulation.validate(call.db, _version(call, ruleset_id, version))
    return ValidationView(
        valid=not validated.faults and all(case.passed for case in validated.cases),
        faults=[
            FaultView(
                pointer=fault.pointer,
                code=fault.code,
                message=fault.message,
                expected=fault.expected,
                found=fault.found,
                suggestion=fault.suggestion,
            )
            for fault in validated.faults
        ],
        cases=[CaseView.of(case) for case in validated.cases],
    )


@endpoint(
    blueprint, f"POST {_VERSION}/simulate", scope=Scope.RULES_READ, idempotent=False, raises=[NotFound, InvalidInput]
)
def simulate_version(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: Simulation) -> SimulationView:
    """Let one version decide one record on a day, with the whole trace; nothing is written."""
    simulated = simulation.simulate(
        call.db,
        _version(call, ruleset_id, version),
        body.record,
        as_of=body.as_of,
        aggregates=body.aggregates,
    )
    return SimulationView(
        outcome=simulated.outcome,
        outputs=None if simulated.outputs is None else json_value(dict(simulated.outputs)),
        faults=[FaultView(pointer=fault.pointer, code=fault.code, message=fault.message) for fault in simulated.faults],
        trace=dict(simulated.trace),
    )


def _version(call: Call, code: str, number: int) -> LiveVersion:
    """The version, if the caller may see it. Raises NotFound."""
    found = versions.by_number(call.db, code, number)
    if call.partner_scope is not None and found.partner_id not in {None, call.partner_scope}:
        raise versions.unknown(code, number)
    return found


def _partner(partner_id: bytes | None) -> str | None:
    return None if partner_id is None else public_id("par", partner_id)
