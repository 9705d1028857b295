"""A compiled rule: reads records, decides them fast, and explains itself."""

from collections.abc import Mapping
from copy import copy
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chalicelib.errors import Broken
from chalicelib.language.budget import Exhausted
from chalicelib.language.cases import Case, CaseResult, read_cases, run_case
from chalicelib.language.declared import Aggregate, Declared, DeclaredOutput, Origin
from chalicelib.language.faults import FAILURES, DecisionFault, DecisionRefused, Report
from chalicelib.language.kinds import CodeTables, Value
from chalicelib.language.reading import InputReader

if TYPE_CHECKING:
    from chalicelib.language.coverage import Coverage
    from chalicelib.language.declared import Treated
    from chalicelib.language.interpret import Outcome
    from chalicelib.language.lint.findings import Finding
    from chalicelib.language.lint.subject import Subject
    from chalicelib.language.tree import Program

NO_CODE_TABLES: CodeTables = MappingProxyType({})
_RULESET = Origin()


class Compiled:
    """A rule that was checked and compiled; immutable, and safe to share between threads."""

    def __init__(
        self,
        program: "Program",
        *,
        inputs: Mapping[str, Declared],
        outputs: Mapping[str, DeclaredOutput],
        aggregates: Mapping[str, Aggregate],
        code_tables: frozenset[str],
        cases: tuple[Case, ...] = (),
        origin: Origin = _RULESET,
    ) -> None:
        from chalicelib.language.emit import source
        from chalicelib.language.load import load
        from chalicelib.language.lower import ENTRY, lower
        from chalicelib.language.needs import Needs

        self.inputs = MappingProxyType(dict(inputs))
        self.outputs = MappingProxyType(dict(outputs))
        self.aggregates = MappingProxyType(dict(aggregates))
        self.code_tables = code_tables
        self.cases = cases
        self.origin = origin
        self._program = program
        self._needs = Needs(program.shared)
        self._reader = InputReader(inputs)
        lowered = lower(program)
        self.source = source(lowered.routines)
        self._decide = load(self.source, lowered.constants, ENTRY)

    def read(self, raw: Mapping[str, object]) -> dict[str, Value]:
        """Convert a raw record (texts, integers, Decimals, booleans, null) to the declared types, strictly.

        Raises ``InputRefused`` with every fault: unknown, missing, null, mistyped, out of bounds.
        """
        return self._reader.read(raw)

    def decide(
        self, facts: Mapping[str, Value], *, as_of: date, code_tables: CodeTables = NO_CODE_TABLES
    ) -> dict[str, Value] | None:
        """The outputs for typed ``facts`` (aggregates among them), or None when the rule does not apply.

        Raises ``DecisionRefused`` with every fault when an expression has no value for this record.
        """
        try:
            decided: dict[str, Value] | None = self._decide(facts, as_of, code_tables)
        except Exhausted as exhausted:
            raise DecisionRefused([exhausted.fault(self.outputs)]) from None
        except FAILURES as error:
            faults = self.faults(facts, as_of=as_of, code_tables=code_tables)
            if not faults:
                raise Broken("the compiled rule refuses a record that the interpreted rule decides") from error
            raise DecisionRefused(faults) from None
        return decided

    def faults(
        self, facts: Mapping[str, Value], *, as_of: date, code_tables: CodeTables = NO_CODE_TABLES
    ) -> tuple[DecisionFault, ...]:
        """Everything that keeps ``decide`` from an answer; empty when it has one.

        Each pointer is the first input that the failing part reads (``inputs`` has them all), else the output.
        Messages name the output and the kind of fault; they repeat no value but an unknown code from inputs that are
        not personal.
        """
        return self._interpret(facts, as_of, code_tables).faults

    def explain(
        self, facts: Mapping[str, Value], *, as_of: date, code_tables: CodeTables = NO_CODE_TABLES
    ) -> dict[str, Any]:
        """How ``decide`` comes to its answer, as JSON.

        ``conditions`` and how they came out, ``let`` values, ``tables`` and the rows hit, ``lookups``, ``values`` by
        JSON Pointer, ``outputs``, ``faults``, and the whole in plain words as ``sentence``. It holds the record's
        values, personal ones too: show it only to who may see the record.
        """
        from chalicelib.language.explain import explain

        return explain(self.subject, facts, as_of, code_tables)

    def lint(self) -> "tuple[Finding, ...]":
        """What the rule says that its author cannot have meant, errors first; what no case gets to is among it."""
        from chalicelib.language.coverage import uncovered
        from chalicelib.language.lint import examine, in_order

        subject = self.subject
        examined = examine(subject)
        return in_order([*examined.findings, *uncovered(subject, examined)])

    def coverage(self) -> "Coverage":
        """What the cases of the rule file get to, of all that some record can get to."""
        from chalicelib.language.coverage import coverage
        from chalicelib.language.lint import examine

        return coverage(self.subject, examine(self.subject))

    @property
    def subject(self) -> "Subject":
        """The checked program and its declarations, for who reasons about the rule."""
        from chalicelib.language.lint.subject import Subject

        return Subject(self._program, self._needs, self.inputs, self.aggregates, self.cases, self.origin)

    def case(self, raw: Mapping[str, Any]) -> Case:
        """A case that is kept outside the rule file, to be run against this rule. Raises ``RuleRefused``."""
        report = Report()
        found = read_cases([raw], "", self.outputs, self.aggregates, report)
        report.refuse_if_any()
        return found[0]

    @cached_property
    def tolerated(self) -> "Mapping[str, Treated]":
        """By code table, how a code that it lacks is treated, where that does not refuse the record.

        Tables in which personal values are looked up are left out.
        """
        from chalicelib.language.tolerated import tolerated

        return tolerated(self._program)

    def with_cases(self, cases: tuple[Case, ...]) -> "Compiled":
        """The same rule with these cases; nothing is compiled again."""
        other = copy(self)
        other.cases = cases
        return other

    def run_cases(self) -> list[CaseResult]:
        """Run the cases of the rule file, in order."""
        return [run_case(self, case) for case in self.cases]

    def _interpret(self, facts: Mapping[str, Value], as_of: date, code_tables: CodeTables) -> "Outcome":
        from chalicelib.language.interpret import Interpreter

        return Interpreter(self._program, self._needs, facts, as_of, code_tables).run()
