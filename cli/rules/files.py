"""One rule file, and all that can be said of it without a hub: faults, cases, what they cover, lints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.errors import Fault, InvalidInput
from chalicelib.language import CaseResult, Compiled, RuleRefused, compile_ruleset, parse_json
from chalicelib.language.faults import at
from chalicelib.rules import code_tables, documents, layouts
from chalicelib.rules.code_tables import DatedTables

if TYPE_CHECKING:
    from chalicelib.language.coverage import Coverage
    from chalicelib.language.lint import Finding

_UNCOVERED = "uncovered"


@dataclass(frozen=True)
class RuleFile:
    """A rule file that compiles: of a ruleset or a layout. ``name`` is what faults call it."""

    path: Path
    name: str
    document: Mapping[str, Any]
    compiled: Compiled

    @property
    def code(self) -> str:
        """The ruleset's code."""
        return str(self.document["id"])

    @property
    def kind(self) -> str:
        """What it decides."""
        return str(self.document["kind"])

    @cached_property
    def cases(self) -> Sequence[CaseResult]:
        """What became of its cases, in order."""
        return self.compiled.run_cases()

    @cached_property
    def coverage(self) -> "Coverage | None":
        """What the cases reach; None for layouts, which no case covers."""
        return None if self.kind == "layout" else self.compiled.coverage()

    @cached_property
    def findings(self) -> "Sequence[Finding]":
        """What the lints found; what no case gets to is told by the coverage."""
        return [each for each in self.compiled.lint() if each.code != _UNCOVERED]

    @cached_property
    def errors(self) -> Sequence[Fault]:
        """Everything that would keep it from deciding: the gates of the hub, as far as the file alone can tell."""
        red = [
            Fault(f"{self.name}#{at('/cases', number)}", "case_failed", f"case `{case.name}` fails: {case.message}")
            for number, case in enumerate(self.cases)
            if not case.passed
        ]
        if not self.cases and self.kind != "layout":
            red = [Fault(f"{self.name}#/cases", "no_cases", "a rule shows by cases what it decides")]
        bare = [
            Fault(f"{self.name}#{item.pointer}", "not_covered", f"no case gets to {item.what}")
            for item in (() if self.coverage is None else self.coverage.items)
            if not item.by
        ]
        return (*red, *bare, *self._told("error"))

    @cached_property
    def warnings(self) -> Sequence[Fault]:
        """What its author probably did not mean, and may."""
        return self._told("warning")

    def code_tables(self) -> DatedTables:
        """The code tables that it looks up in, from the folder beside it. Raises InvalidInput when one is not there."""
        found, missing = {}, []
        for code in sorted(self.compiled.code_tables):
            path = self.path.resolve().parent.parent / "code-tables" / f"{code}.json"
            if path.exists():
                found[code] = code_tables.check(_document(path, f"code-tables/{path.name}"))[1]
            else:
                missing.append(
                    Fault(self.name, "unknown_code_table", f"There is no code-tables/{code}.json beside it.")
                )
        if missing:
            raise InvalidInput(
                f"{self.name} looks up in tables that are not here.", code="no_code_table", faults=missing
            )
        return DatedTables(found)

    def _told(self, severity: str) -> tuple[Fault, ...]:
        return tuple(
            Fault(
                f"{self.name}#{each.pointer}",
                each.code,
                f"{each.message}; {each.suggestion}" if each.suggestion else each.message,
            )
            for each in self.findings
            if each.severity == severity
        )


def load(path: Path, name: str | None = None) -> RuleFile:
    """Read and compile a rule file. Raises RuleRefused with every fault as ``file#pointer``, InvalidInput."""
    called = name or str(path)
    return compiled(path, called, _document(path, called))


def compiled(path: Path, name: str, document: Mapping[str, Any]) -> RuleFile:
    """The same for a document that was read already. Raises RuleRefused with every fault as ``file#pointer``."""
    try:
        documents.read(document)
        rule = layouts.parse(document).compiled if document["kind"] == "layout" else compile_ruleset(document)
    except RuleRefused as error:
        raise RuleRefused([replace(fault, pointer=f"{name}#{fault.pointer}") for fault in error.faults]) from error
    return RuleFile(path, name, document, rule)


def _document(path: Path, name: str) -> dict[str, Any]:
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is no text in UTF-8 (byte {error.start + 1}): save it as UTF-8.", code="file_unreadable"
        ) from error
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {error.strerror}.", code="file_unreadable") from error
    except RuleRefused as error:
        raise RuleRefused([replace(one, pointer=f"{name}#{one.pointer}") for one in error.faults]) from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{name} must hold one JSON object.", code="not_an_object")
    return document
