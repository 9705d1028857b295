"""What a version must show before it may decide: it is right by today's checks, green, covered and free of lint errors.

A gate is looked at where a version is activated, every time, and by nothing that was noted before: no earlier green run
can speak for golden cases that were added since.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from chalicelib.errors import Fault, Unprocessable
from chalicelib.language import CaseResult, Compiled, RuleFault, RuleRefused
from chalicelib.language.cases import Case, run_case
from chalicelib.language.faults import at
from chalicelib.records import dataclass
from chalicelib.rules import canonical, code_tables, documents, golden
from chalicelib.rules.golden import GoldenCase
from chalicelib.rules.versions import LiveVersion

#: The lint that says what coverage says; without cases to cover with, as in layouts, it says nothing.
_UNCOVERED = "uncovered"

if TYPE_CHECKING:
    from chalicelib.language.coverage import Coverage
    from chalicelib.language.lint import Finding


class GatesClosed(Unprocessable):
    """The version may not decide yet; ``faults`` names each red case, uncovered place and lint error."""

    code = "gates_closed"


@dataclass(frozen=True, slots=True)
class CaseRun:
    """What a version said to one case. ``golden`` None: a case of its own document, the ``number``-th.

    ``skipped``: a golden case of a day on which the version is not meant to decide.
    """

    number: int
    golden: GoldenCase | None
    result: CaseResult
    skipped: bool = False

    @property
    def pointer(self) -> str:
        """Where the case is."""
        return at("/cases", self.number) if self.golden is None else at("/golden", self.golden.case_id)


@dataclass(frozen=True, slots=True)
class Examined:
    """All that is known of a version before it decides.

    ``faults``: what would be refused if it were saved now. ``coverage`` is None for layouts, which no case covers, and
    for what does not compile any more. ``tests_hash`` is of all cases and of what became of them.
    """

    version: LiveVersion
    faults: tuple[RuleFault, ...]
    cases: tuple[CaseRun, ...]
    coverage: "Coverage | None"
    findings: "tuple[Finding, ...]"
    tests_hash: bytes

    @property
    def green(self) -> bool:
        """Whether there are cases and none is red."""
        return all(run.result.passed for run in self.cases) and (bool(self.cases) or self.version.kind == "layout")

    @property
    def shut(self) -> tuple[Fault, ...]:
        """Everything that keeps the version from deciding."""
        red = [Fault(run.pointer, "case_failed", _red(run)) for run in self.cases if not run.result.passed]
        if not self.cases and self.version.kind != "layout":
            red = [Fault("/cases", "no_cases", "A rule shows by cases what it decides.")]
        bare = [
            Fault(item.pointer, "not_covered", f"No case gets to {item.what}.")
            for item in (() if self.coverage is None else self.coverage.items)
            if not item.by
        ]
        wrong = [
            Fault(each.pointer, each.code, f"{each.message}; {each.suggestion}" if each.suggestion else each.message)
            for each in self.findings
            if each.severity == "error" and each.code != _UNCOVERED
        ]
        return (*self.faults, *red, *bare, *wrong)

    def shut_for(self, partner_id: bytes | None) -> tuple[Fault, ...]:
        """The same, for who is bound to a partner (None: nobody): other partners' records are left out."""
        foreign = self.foreign_to(partner_id)
        return tuple(fault for fault in self.shut if fault.pointer not in foreign)

    def foreign_to(self, partner_id: bytes | None) -> set[str]:
        """Where golden cases are that were made of another partner's records."""
        return {run.pointer for run in self.cases if run.golden is not None and not run.golden.visible_to(partner_id)}

    def require(self, others: Sequence[Fault] = ()) -> None:
        """Raise GatesClosed unless the version may decide; ``others`` keep it from that besides."""
        shut = (*self.shut, *others)
        if shut:
            name = f"{self.version.ruleset_code} version {self.version.number}"
            more = f" ({len(shut) - 1} more)" if len(shut) > 1 else ""
            raise GatesClosed(
                f"{name} may not decide yet: {shut[0].pointer or 'the document'}: {shut[0].message}{more}",
                faults=shut,
            )


def examine(db: Connection, version: LiveVersion) -> Examined:
    """Check a stored version, run its cases and the golden ones, and see what they cover; nothing is written."""
    faults = _faults(db, version)
    try:
        compiled = documents.compiled(version)
    except RuleRefused:
        # What does not compile any more has no results; the faults say why.
        return Examined(version, faults, (), None, (), _hash(version, ()))
    own = [CaseRun(number, None, run_case(compiled, case)) for number, case in enumerate(compiled.cases)]
    kept = golden.of(db, version.ruleset_code)
    read = [_golden(compiled, version, case) for case in kept]
    runs = (*own, *(run for run, _ in read))
    held = compiled.with_cases((*compiled.cases, *(case for _, case in read if case is not None)))
    coverage = None if version.kind == "layout" else held.coverage()
    return Examined(version, faults, runs, coverage, held.lint(), _hash(version, runs))


def code_tables_of(version: LiveVersion) -> frozenset[str]:
    """The code tables that a version looks up in; none when it does not compile any more."""
    try:
        return documents.compiled(version).code_tables
    except RuleRefused:
        # It will not decide: examining it says why.
        return frozenset()


def _faults(db: Connection, version: LiveVersion) -> tuple[RuleFault, ...]:
    """What would be refused if the version were saved now."""
    try:
        checked = documents.read(version.document)
    except RuleRefused as refused:
        return refused.faults
    return tuple(
        RuleFault(
            "",
            "unknown_code_table",
            f"there is no code table `{table}` that this rule's owner may use",
            expected="a code table of the owner, or a shared one",
            found=table,
        )
        for table in code_tables.foreign(db, checked.code_tables, version.partner_id)
    )


def _golden(compiled: Compiled, version: LiveVersion, kept: GoldenCase) -> tuple[CaseRun, Case | None]:
    """The run of a golden case, and the case as this version reads it, None where it does not count for it."""
    first, last = version.effective_from, version.effective_to
    if (first is not None and kept.as_of < first) or (last is not None and kept.as_of > last):
        message = "not asked: the version is not meant for this day"
        return CaseRun(
            0, kept, CaseResult(kept.label, passed=True, expected={}, actual={}, message=message), True
        ), None
    try:
        case = compiled.case(_as_read_by(compiled, kept))
    except RuleRefused as refused:
        message = f"the case does not fit this version: {refused.message}"
        expected = kept.document["expect"]
        return CaseRun(
            0, kept, CaseResult(kept.label, passed=False, expected=expected, actual={}, message=message)
        ), None
    return CaseRun(0, kept, run_case(compiled, case)), case


def _as_read_by(compiled: Compiled, kept: GoldenCase) -> Mapping[str, Any]:
    """The case with those of its facts that this version reads: a golden case may know more than one version asks."""
    document = kept.document
    return {
        **document,
        "name": kept.label,
        "given": {name: value for name, value in document["given"].items() if name in compiled.inputs},
        "aggregates": {
            name: value for name, value in document.get("aggregates", {}).items() if name in compiled.aggregates
        },
    }


def _red(run: CaseRun) -> str:
    return f"Case `{run.result.name}` fails: {run.result.message}"


def _hash(version: LiveVersion, runs: tuple[CaseRun, ...]) -> bytes:
    """Of the cases as they are written and of how they ended."""
    return canonical.digest(
        canonical.text(
            {
                "content": canonical.digest(canonical.text(version.document)).hex(),
                "cases": [
                    [
                        run.result.name,
                        "" if run.golden is None else run.golden.content_hash.hex(),
                        run.result.passed,
                        run.skipped,
                    ]
                    for run in runs
                ],
            }
        )
    )
