"""How callers of several rooms see rulesets: who may see and change which, and the views of what was found."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, NotPermitted
from chalicelib.language import json_value
from chalicelib.language.faults import RuleFault
from chalicelib.rules import catalogue, versions
from chalicelib.rules.approvals import Approval, Standing
from chalicelib.rules.gates import CaseRun, Examined
from chalicelib.rules.golden import GoldenCase
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id
from chalicelib.web.call import Call
from chalicelib.web.shapes import PublicId, View

if TYPE_CHECKING:
    from chalicelib.language.lint import Finding

SHA256 = r"^[0-9a-f]{64}$"


def version_for(call: Call, code: str, number: int) -> LiveVersion:
    """The version, if the caller may see it. Raises NotFound."""
    found = versions.by_number(call.db, code, number)
    if call.partner_scope is not None and found.partner_id not in {None, call.partner_scope}:
        raise versions.unknown(code, number)
    return found


def version_to_change(call: Call, code: str, number: int) -> LiveVersion:
    """The same, for callers who want to change what its ruleset decides. Raises NotFound and NotPermitted."""
    found = version_for(call, code, number)
    require_own(call, found.partner_id, code)
    return found


def require_own(call: Call, partner_id: bytes | None, code: str) -> None:
    """Refuse to let who is bound to one partner change what other partners use as well. Raises NotPermitted."""
    if call.partner_scope is not None and partner_id is None:
        raise NotPermitted(
            f"Every partner uses {code}: a user who is bound to one partner may not change it.", code="shared_ruleset"
        )


class LiveView(View):
    """The version that decides events of today (UTC)."""

    version: int
    version_id: PublicId
    content_hash: str = Field(pattern=SHA256, description="SHA-256 of the version's content.")


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
            partner_id=None if listed.partner_id is None else public_id("par", listed.partner_id),
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


class FaultView(View):
    """One place that is wrong. Only faults of the rule itself say what was expected instead."""

    pointer: str
    code: str
    message: str
    expected: str | None = None
    found: str | None = None
    suggestion: str | None = None

    @classmethod
    def of(cls, fault: Fault) -> "FaultView":
        """The view of a fault."""
        if isinstance(fault, RuleFault):
            return cls(
                pointer=fault.pointer,
                code=fault.code,
                message=fault.message,
                expected=fault.expected,
                found=fault.found,
                suggestion=fault.suggestion,
            )
        return cls(pointer=fault.pointer, code=fault.code, message=fault.message)


class CaseView(View):
    """One case and what became of it."""

    name: str
    case_id: str | None = Field(description="Of a golden case; null: a case of the document.")
    passed: bool
    skipped: bool = Field(description="A golden case of a day on which this version is not meant to decide.")
    message: str | None = Field(description="What differs, in a sentence.")
    expected: dict[str, Any]
    actual: dict[str, Any]

    @classmethod
    def of(cls, run: CaseRun) -> "CaseView":
        """The view of a case's run."""
        return cls(
            name=run.result.name,
            case_id=None if run.golden is None else run.golden.case_id,
            passed=run.result.passed,
            skipped=run.skipped,
            message=run.result.message or None,
            expected=dict(run.result.expected),
            actual=dict(run.result.actual),
        )


class FindingView(View):
    """What a lint found; an error keeps the version from deciding."""

    pointer: str
    code: str
    severity: Literal["error", "warning"]
    message: str = Field(description="What is wrong, and where.")
    suggestion: str | None = Field(description="How to mend it.")

    @classmethod
    def of(cls, finding: "Finding") -> "FindingView":
        """The view of a finding."""
        return cls(
            pointer=finding.pointer,
            code=finding.code,
            severity=finding.severity,
            message=finding.message,
            suggestion=finding.suggestion,
        )


class CoveredView(View):
    """One place of the rule that a case must reach, and the cases that do."""

    pointer: str
    kind: Literal["when", "branch", "part", "row", "default", "limit", "lookup_miss"]
    what: str
    by: list[str] = Field(description="Names of cases; empty: not covered.")


class CoverageView(View):
    """How much of a rule its cases and the golden ones reach."""

    complete: bool
    percent: str = Field(description="A decimal, of all places.")
    items: list[CoveredView]


class ExaminedView(View):
    """All that is known of a version before it decides."""

    ready: bool = Field(description="Whether every gate but approval is open.")
    faults: list[FaultView] = Field(description="What would be refused if it were saved now.")
    findings: list[FindingView]
    cases: list[CaseView]
    coverage: CoverageView | None = Field(description="Null for layouts, which no case covers.")
    shut: list[FaultView] = Field(description="Everything that keeps the version from deciding, approval apart.")
    tests_hash: str = Field(pattern=SHA256, description="SHA-256 of all cases and of how they ended.")

    @classmethod
    def of(cls, examined: Examined, *, partner_scope: bytes | None) -> "ExaminedView":
        """The view for who is bound to ``partner_scope``: golden cases of another partner's records are left out."""
        foreign = examined.foreign_to(partner_scope)
        return cls(
            ready=not examined.shut,
            faults=[FaultView.of(fault) for fault in examined.faults],
            findings=[FindingView.of(finding) for finding in examined.findings],
            cases=[CaseView.of(run) for run in examined.cases if run.pointer not in foreign],
            coverage=coverage_of(examined),
            shut=[FaultView.of(fault) for fault in examined.shut_for(partner_scope)],
            tests_hash=examined.tests_hash.hex(),
        )


def coverage_of(examined: Examined) -> CoverageView | None:
    """The view of what the cases reach."""
    coverage = examined.coverage
    if coverage is None:
        return None
    return CoverageView(
        complete=coverage.complete,
        percent=str(coverage.percent),
        items=[
            CoveredView(pointer=item.pointer, kind=item.kind, what=item.what, by=list(item.by))
            for item in coverage.items
        ],
    )


class ApprovalView(View):
    """A second person's word for one version, and whether it still holds."""

    valid: bool
    changed: list[str] = Field(
        description="Why it does not hold: rule, tests, code_tables, data, result (not as they were approved),"
        " approver, expired, used_up (a rollback took the version back)."
    )
    effective_from: date = Field(description="The first day from which the version may come to decide by it.")
    valid_until: datetime
    approved_by: PublicId
    approved_at: datetime
    note: str | None
    backtest_id: PublicId | None = Field(description="The back-test that was looked at; null: there was no past event.")
    backtest_ids: list[PublicId] = Field(description="Of a ruleset that every partner uses, that of each partner.")
    tests_hash: str = Field(pattern=SHA256)
    tables_hash: str = Field(pattern=SHA256, description="Of the code tables that the version looks up in.")
    data_hash: str | None = Field(description="Of what the back-test read.")
    result_hash: str | None = Field(description="Of what the back-test gave.")
    bound_hash: str = Field(pattern=SHA256, description="Of the rule and of all the others: what was approved.")

    @classmethod
    def of(cls, approval: Approval, changed: tuple[str, ...] = ()) -> "ApprovalView":
        """The view of an approval."""
        return cls(
            valid=not changed,
            changed=list(changed),
            effective_from=approval.effective_from,
            valid_until=approval.valid_until,
            approved_by=approval.approved_by,
            approved_at=approval.created_at,
            note=approval.note,
            backtest_id=None if approval.backtest_id is None else public_id("bkt", approval.backtest_id),
            backtest_ids=[public_id("bkt", each) for each in approval.backtest_ids],
            tests_hash=approval.tests_hash.hex(),
            tables_hash=approval.tables_hash.hex(),
            data_hash=None if approval.data_hash is None else approval.data_hash.hex(),
            result_hash=None if approval.result_hash is None else approval.result_hash.hex(),
            bound_hash=approval.bound_hash.hex(),
        )

    @classmethod
    def standing(cls, found: Standing) -> "ApprovalView | None":
        """The view of where a version's approval stands; None when there is none."""
        return None if found.approval is None else cls.of(found.approval, found.changed)


class GoldenCaseView(View):
    """A case that every version of the ruleset must pass, written as the cases of a document are."""

    case_id: str
    accrual_id: PublicId | None = Field(
        description="The record that it was made of; null also for a key without `members:read`: it leads to a person."
    )
    case: dict[str, Any]
    content_hash: str = Field(pattern=SHA256)
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, call: Call, kept: GoldenCase) -> "GoldenCaseView":
        """The view of a golden case, as the caller may see it."""
        traced = kept.accrual_id if Scope.MEMBERS_READ in call.principal.scopes else None
        return cls(
            case_id=kept.case_id,
            accrual_id=None if traced is None else public_id("acr", traced),
            case=json_value(dict(kept.document)),
            content_hash=kept.content_hash.hex(),
            created_at=kept.created_at,
            created_by=kept.created_by,
            changed_at=kept.changed_at,
            changed_by=kept.changed_by,
        )
