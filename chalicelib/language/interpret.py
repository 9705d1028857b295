"""The second reader of a typed program: it walks the tree, says every fault of a record, and leaves a trace.

It is slow and plain on purpose: the compiled program is held to it by a property test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chalicelib.language.check import HIT
from chalicelib.language.faults import DecisionFault, Refusal, clip
from chalicelib.language.kinds import CodeTables, Value, json_value
from chalicelib.language.needs import Needs
from chalicelib.language.rounding import arithmetic_refusal
from chalicelib.language.tree import (
    AS_OF,
    Apply,
    Choice,
    Const,
    Either,
    Every,
    Fact,
    FirstValue,
    Form,
    Lookup,
    Node,
    Program,
    Sequence,
    Shared,
    facts_read,
)


class _Failed(Exception):
    """``node`` has no value for the record."""

    def __init__(self, node: Node, code: str, message: str) -> None:
        super().__init__(message)
        self.node = node
        self.code = code
        self.message = message


@dataclass(slots=True)
class Outcome:
    """What a program says of one record. ``outputs`` is None when it does not apply or has ``faults``."""

    applies: bool
    outputs: dict[str, Value] | None
    faults: tuple[DecisionFault, ...] = ()
    trace: dict[str, Any] = field(default_factory=dict)


class Interpreter:
    """Evaluates one program against one record."""

    def __init__(
        self, program: Program, needs: Needs, facts: Mapping[str, Value], as_of: date, code_tables: CodeTables
    ) -> None:
        self._program = program
        self._needs = needs
        self._facts: dict[str, Value] = {AS_OF: as_of}
        self._raw = facts
        self._code_tables = code_tables
        self._shared: dict[str, Any] = {}
        self._conditions: list[dict[str, Any]] = []
        self._hits: list[dict[str, Any]] = []
        self._lookups: list[dict[str, Any]] = []

    def run(self) -> Outcome:
        """Evaluate the condition and, if the program applies, every output."""
        outcome = self._run()
        outcome.trace = self._trace()
        return outcome

    def _run(self) -> Outcome:
        program = self._program
        faults = self._load_facts()
        if faults:
            return Outcome(applies=True, outputs=None, faults=tuple(faults))
        if program.condition is not None:
            try:
                held = self._root(program.condition)
            except _Failed as failed:
                return Outcome(applies=True, outputs=None, faults=(self._fault("when", program.condition, failed),))
            if bool(held) is not program.holds:
                return Outcome(applies=False, outputs=None)
        outputs: dict[str, Value] = {}
        for name, node in program.outputs.items():
            try:
                outputs[name] = self._root(node)
            except _Failed as failed:
                faults.append(self._fault(name, node, failed))
        # Several outputs may fail on one column for one reason: once is enough to mend it.
        distinct = {(fault.pointer, fault.code): fault for fault in reversed(faults)}
        kept = tuple(fault for fault in faults if distinct[fault.pointer, fault.code] is fault)
        return Outcome(applies=True, outputs=None if faults else outputs, faults=kept)

    def _load_facts(self) -> list[DecisionFault]:
        faults: list[DecisionFault] = []
        for name, use in self._program.facts.items():
            if name not in self._raw and not use.optional:
                faults.append(DecisionFault(name, "missing", "a value is required", (name,)))
                continue
            value = self._raw.get(name)
            if use.empty_is_null and value == "":
                value = None
            if value is None and not use.nullable:
                faults.append(DecisionFault(name, "missing_value", "null where a value is needed", (name,)))
            self._facts[name] = value
        return faults

    def _fault(self, output: str, node: Node, failed: _Failed) -> DecisionFault:
        """The fault of one output, at the columns that the failing part reads, else that the output reads."""
        columns = facts_read(failed.node, self._program.shared) or facts_read(node, self._program.shared)
        return DecisionFault(columns[0] if columns else output, failed.code, f"{output}: {failed.message}", columns)

    def _root(self, node: Node) -> Any:  # noqa: ANN401 - any value
        _, possible = self._needs.of([node])
        for name, definition in self._program.shared.items():
            if name in possible and name not in self._shared:
                try:
                    self._shared[name] = self._value(definition)
                except _Failed as failed:
                    self._shared[name] = failed
        return self._value(node)

    def _value(self, node: Node) -> Any:  # noqa: ANN401, C901, PLR0911 - any value; one return for each construct
        match node:
            case Const(value=value):
                return list(value) if isinstance(value, list) else value
            case Fact(name=name):
                return self._facts[name]
            case Shared(name=name):
                return self._kept(name)
            case Apply():
                return self._apply(node)
            case Every(arguments=parts):
                return all(self._condition(part) for part in parts)
            case Either(arguments=parts):
                return any(self._condition(part) for part in parts)
            case Choice(arms=arms, otherwise=otherwise):
                chosen = next((value for condition, value in arms if self._condition(condition)), otherwise)
                return self._value(chosen)
            case FirstValue(arguments=parts):
                return self._first(parts)
            case Sequence(items=items):
                return [self._value(item) for item in items]
            case Lookup():
                return self._lookup(node)
        message = f"a {type(node).__name__} cannot be evaluated"
        raise TypeError(message)

    def _kept(self, name: str) -> Any:  # noqa: ANN401 - any value
        value = self._shared[name]
        if isinstance(value, _Failed):
            raise _Failed(value.node, value.code, value.message)
        return value

    def _first(self, parts: Iterable[Node]) -> Any:  # noqa: ANN401 - any value
        for part in parts:
            value = self._value(part)
            if value is not None:
                return value
        return None

    def _condition(self, node: Node) -> bool:
        held = bool(self._value(node))
        self._conditions.append({"pointer": node.pointer, "held": held})
        return held

    def _apply(self, node: Apply) -> Any:  # noqa: ANN401 - any value
        arguments = [self._value(argument) for argument in node.arguments]
        try:
            if node.function.form is Form.TABLE:
                table = node.function.data
                row = table.hit(arguments)
                self._hits.append({"table": table.name, "row": row + 1})
                return table.results[row]
            return node.function.call(*arguments)
        except Refusal as refusal:
            raise _Failed(node, refusal.code, refusal.message) from None
        except ArithmeticError as error:
            meaning = arithmetic_refusal(error)
            raise _Failed(node, meaning.code, meaning.message) from None

    def _lookup(self, node: Lookup) -> Any:  # noqa: ANN401 - any value
        key = self._value(node.key)
        if node.table not in self._code_tables:
            raise _Failed(node, "code_table_missing", f"the code table {node.table} has no entries on this date")
        entries = self._code_tables[node.table]
        hit = key in entries
        self._lookups.append({"table": node.table, "key": key, "hit": hit})
        if hit:
            return entries[key]
        if node.default is not None:
            return self._value(node.default)
        columns = facts_read(node.key, self._program.shared)
        personal = any(self._program.facts[name].personal for name in columns)
        code = "this code" if personal else f"`{clip(str(key))}`"
        raise _Failed(node, "unknown_code", f"{code} is not in the code table {node.table}")

    def _trace(self) -> dict[str, Any]:
        lets = {name: value for name, value in self._shared.items() if not name.startswith(HIT)}
        return {
            "conditions": self._conditions,
            "let": {
                name: {"refused": value.code} if isinstance(value, _Failed) else json_value(value)
                for name, value in lets.items()
            },
            "tables": self._hits,
            "lookups": self._lookups,
        }
