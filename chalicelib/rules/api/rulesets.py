"""/v1/rulesets: which rules there are, which version decides, and whether a version may.

``{ruleset_id}`` is the ruleset's code (``aurora-air.accrual``), ``{version}`` its number. A key that is bound to a
partner sees the partner's rulesets and the shared ones.
"""

from datetime import date, datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound, NotPermitted
from chalicelib.rules import canonical, catalogue, gates, golden
from chalicelib.rules.showing import (
    CaseView,
    CoverageView,
    ExaminedView,
    FaultView,
    FindingView,
    GoldenCaseView,
    RulesetView,
    coverage_of,
    require_own,
    version_for,
)
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.answers import Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import CaseId, RulesetId, VersionNumber
from chalicelib.web.shapes import PublicId, Query, View

blueprint = Blueprint(__name__)

_RULESET = "/v1/rulesets/{ruleset_id}"
_VERSION = f"{_RULESET}/versions/{{version}}"
_SHA256 = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the version's content.")


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
    rendering: str = Field(description="What the version says in plain words, as Markdown.")
    coverage: CoverageView | None = Field(
        description="What its cases and the golden ones get to. Null for layouts, and for what does not compile now."
    )

    @classmethod
    def of(cls, version: LiveVersion, coverage: CoverageView | None, rendering: str) -> "VersionView":
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
            rendering=rendering,
            coverage=coverage,
        )


class VersionQuery(Query):
    """In which form: everything as JSON, or only what it says in plain words."""

    format: Literal["json", "markdown"] | None = Field(
        None, description="The form; without it, `Accept: text/markdown` asks for Markdown.", examples=["markdown"]
    )


class ValidationView(View):
    """Whether the version is right by today's checks; whether it may decide is what `tests` says."""

    valid: bool = Field(description="No fault, no lint error, no red case of its own.")
    faults: list[FaultView]
    findings: list[FindingView]
    cases: list[CaseView] = Field(description="Of the document; golden cases are run by `tests`.")


class RulesetQuery(PageQuery):
    """Which rulesets."""

    kind: Literal["accrual", "eligibility", "enrolment", "layout", "mapping", "routing", "validation"] | None = Field(
        None, description="What they decide."
    )


class Reason(Query):
    """Why."""

    reason: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="Kept in the audit trail.",
        examples=["Appendix C was withdrawn."],
    )


class GoldenCasesView(View):
    """The golden cases of a ruleset by their ids."""

    cases: list[GoldenCaseView]


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


@endpoint(blueprint, f"GET {_VERSION}", scope=Scope.RULES_READ, raises=[NotFound])
def get_version(
    call: Call, ruleset_id: RulesetId, version: VersionNumber, query: VersionQuery
) -> VersionView | Attachment:
    """Show one version: the exact JSON text that its hash was taken of, plain words, and what its cases cover."""
    from chalicelib.rules.rendering.markdown import render

    found = version_for(call, ruleset_id, version)
    examined = gates.examine(call.db, found)
    text = render(found.document, version=found.number, coverage=examined.coverage)
    if query.format == "markdown" or (query.format is None and "text/markdown" in call.headers.get("accept", "")):
        return Attachment(text, "text/markdown", f"{found.ruleset_code}.{found.number}.md")
    return VersionView.of(found, coverage_of(examined), text)


@endpoint(blueprint, f"POST {_VERSION}/validate", scope=Scope.RULES_READ, idempotent=False, raises=[NotFound])
def validate_version(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> ValidationView:
    """Check one version again, by today's checks, lints and code tables, and run its cases; nothing is written."""
    shown = _examined(call, ruleset_id, version)
    cases = [case for case in shown.cases if case.case_id is None]
    wrong = [finding for finding in shown.findings if finding.severity == "error"]
    return ValidationView(
        valid=not shown.faults and not wrong and all(case.passed for case in cases),
        faults=shown.faults,
        findings=shown.findings,
        cases=cases,
    )


@endpoint(blueprint, f"POST {_VERSION}/tests", scope=Scope.RULES_READ, idempotent=False, raises=[NotFound])
def run_version_tests(call: Call, ruleset_id: RulesetId, version: VersionNumber) -> ExaminedView:
    """Run the cases of the document and the golden cases, and say what they cover; nothing is written.

    Promoting looks at the same again, so a green answer is no promise about cases that are added later.
    """
    return _examined(call, ruleset_id, version)


@endpoint(blueprint, f"GET {_RULESET}/cases", scope=Scope.RULES_READ, raises=[NotFound])
def list_golden_cases(call: Call, ruleset_id: RulesetId) -> GoldenCasesView:
    """List the golden cases of a ruleset, which every version of it must pass."""
    catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    kept = golden.of(call.db, ruleset_id)
    return GoldenCasesView(
        cases=[GoldenCaseView.of(call, each) for each in kept if each.visible_to(call.partner_scope)]
    )


@endpoint(
    blueprint,
    f"DELETE {_RULESET}/cases/{{case_id}}",
    scope=Scope.RULES_WRITE,
    status=204,
    raises=[NotFound, NotPermitted],
)
def remove_golden_case(call: Call, ruleset_id: RulesetId, case_id: CaseId, query: Reason) -> None:
    """Hold a ruleset to a golden case no more; approvals given with it become void."""
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    require_own(call, listed.partner_id, ruleset_id)
    golden.remove(call.db, ruleset_id, case_id, reason=query.reason, caller=call.caller, now=call.now)


def _examined(call: Call, code: str, number: int) -> ExaminedView:
    examined = gates.examine(call.db, version_for(call, code, number))
    return ExaminedView.of(examined, partner_scope=call.partner_scope)


def _partner(partner_id: bytes | None) -> str | None:
    return None if partner_id is None else public_id("par", partner_id)
