"""A compiled rule: reads records, decides them fast, and explains itself."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chalicelib.errors import Broken
from chalicelib.language.cases import Case, CaseResult, run_case
from chalicelib.language.declared import Aggregate, Declared, DeclaredOutput
from chalicelib.language.faults import FAILURES, DecisionFault, DecisionRefused
from chalicelib.language.kinds import CodeTables, Value, json_value
from chalicelib.language.reading import InputReader

if TYPE_CHECKING:
    from chalicelib.language.interpret import Outcome
    from chalicelib.language.tree import Program

NO_CODE_TABLES: CodeTables = MappingProxyType({})


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
        """How ``decide`` comes to its answer, as JSON: conditions, ``let`` values, rows hit, look-ups, outputs.

        It holds the record's values, personal ones too: show it only to who may see the record.
        """
        outcome = self._interpret(facts, as_of, code_tables)
        return {
            "as_of": as_of.isoformat(),
            "applies": outcome.applies,
            **outcome.trace,
            "outputs": json_value(outcome.outputs),
            "faults": [
                {"pointer": fault.pointer, "code": fault.code, "message": fault.message} for fault in outcome.faults
            ],
        }

    def run_cases(self) -> list[CaseResult]:
        """Run the cases of the rule file, in order."""
        return [run_case(self, case) for case in self.cases]

    def _interpret(self, facts: Mapping[str, Value], as_of: date, code_tables: CodeTables) -> "Outcome":
        from chalicelib.language.interpret import Interpreter

        return Interpreter(self._program, self._needs, facts, as_of, code_tables).run()
