"""The second reader of a typed program: it walks the tree, says every fault of a record, and leaves a trace.

It is slow and plain on purpose: the compiled program is held to it by a property test.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from chalicelib.language.budget import Budget, Exhausted, enter, given, grown, read, without_nulls
from chalicelib.language.faults import UNMAPPED, DecisionFault, Refusal, at, clip
from chalicelib.language.kinds import CodeTables, Showing, Value
from chalicelib.language.needs import Needs
from chalicelib.language.places import FIELD, HIT
from chalicelib.language.recording import CONDITION, ROOT, SHARED, Recording, won
from chalicelib.language.rounding import arithmetic_refusal
from chalicelib.language.tree import (
    AS_OF,
    EXTREMES,
    Apply,
    Built,
    Choice,
    Const,
    Either,
    Every,
    Fact,
    FirstValue,
    Form,
    Item,
    Lookup,
    Loop,
    Node,
    Program,
    Sequence,
    Shared,
    Way,
    facts_read,
    is_long,
    walk,
    weight,
)
from chalicelib.records import dataclass


class _Failed(Exception):
    """``node`` has no value for the record."""

    def __init__(self, node: Node, code: str, message: str, lookup: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.code = code
        self.message = message
        self.lookup = lookup


@dataclass(slots=True)
class Outcome:
    """What a program says of one record. ``outputs`` is None when it does not apply or has ``faults``."""

    applies: bool
    outputs: dict[str, Value] | None
    faults: tuple[DecisionFault, ...] = ()
    # The parts that have the faults: outputs by name, or the condition.
    failed: tuple[str, ...] = ()


class Interpreter:
    """Evaluates one program against one record."""

    def __init__(
        self,
        program: Program,
        needs: Needs,
        facts: Mapping[str, Value],
        as_of: date,
        code_tables: CodeTables,
        recording: Recording | None = None,
    ) -> None:
        self._program = program
        self._needs = needs
        self._facts: dict[str, Value] = {AS_OF: as_of}
        self._raw = facts
        self._code_tables = code_tables
        self._shared: dict[str, Any] = {}
        # Of each loop's item, by its slot: its value, the list it is of, and where in the record it stands, if it does.
        self._items: dict[int, Any] = {}
        self._lists: dict[int, Node] = {}
        self._places: dict[int, str | None] = {}
        self._budget = Budget()
        self._weights: dict[int, int] = {}
        self._loops = 0
        self._recording = Recording() if recording is None else recording

    def run(self) -> Outcome:
        """Evaluate the condition and, if the program applies, every output."""
        try:
            return self._run()
        except Exhausted as exhausted:
            fault = exhausted.fault(self._program.outputs)
            return Outcome(applies=True, outputs=None, faults=(fault,))

    def _run(self) -> Outcome:
        program = self._program
        faults = self._load_facts()
        if faults:
            return Outcome(applies=True, outputs=None, faults=tuple(faults))
        if program.condition is not None:
            try:
                held = bool(self._root(CONDITION, program.condition))
                self._recording.condition(program.condition, held=held)
            except _Failed as failed:
                fault = self._fault("when", program.condition, failed)
                return Outcome(applies=True, outputs=None, faults=(fault,), failed=(CONDITION,))
            if held is not program.holds:
                return Outcome(applies=False, outputs=None)
        outputs: dict[str, Value] = {}
        refused: list[str] = []
        for name, node in program.outputs.items():
            try:
                outputs[name] = self._root(name, node)
            except _Failed as failed:
                faults.append(self._fault(name, node, failed))
                refused.append(name)
        # Several outputs may fail on one column for one reason: once is enough to mend it.
        distinct = {(fault.pointer, fault.code): fault for fault in reversed(faults)}
        kept = tuple(fault for fault in faults if distinct[fault.pointer, fault.code] is fault)
        return Outcome(applies=True, outputs=None if faults else outputs, faults=kept, failed=tuple(refused))

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
        """The fault of one output, at the first column that the failing part reads, else that the output reads."""
        columns = self._facts_read(failed.node) or self._facts_read(node)
        where = self._element(failed.node) or (columns[0] if columns else output)
        return DecisionFault(where, failed.code, f"{output}: {failed.message}", columns, failed.lookup)

    def _facts_read(self, node: Node) -> tuple[str, ...]:
        return facts_read(node, self._program.shared, self._lists)

    def _element(self, node: Node) -> str | None:
        """The element of an input, like ``lines/3/qty``, if that is the first thing that ``node`` reads."""
        for part in walk(node):
            if isinstance(part, Shared) or (isinstance(part, Fact) and part.name != AS_OF):
                return None
            found = self._place(part)
            if found is not None and not isinstance(part, Fact):
                return found
        return None

    def _place(self, node: Node) -> str | None:
        """Where in the record a value stands, or None for one that was computed."""
        match node:
            case Fact(name=name):
                return name
            case Item(slot=slot):
                return self._places.get(slot)
            case Apply(function=function, arguments=(of, Const(value=name))) if function is FIELD:
                base = self._place(of)
                return None if base is None else at(base, name)
        return None

    def _root(self, root: str, node: Node) -> Any:  # noqa: ANN401 - any value
        _, possible = self._needs.of([node])
        for name, definition in self._program.shared.items():
            if name in possible and name not in self._shared:
                self._recording.enter(SHARED, name)
                try:
                    self._shared[name] = self._value(definition)
                except _Failed as failed:
                    self._shared[name] = failed
        self._recording.enter(ROOT, root)
        return self._value(node)

    def _value(self, node: Node) -> Any:  # noqa: ANN401 - any value
        value = self._evaluated(node)
        self._recording.value(node, value)
        return value

    def _evaluated(self, node: Node) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - any value; one return for each construct
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
                chosen = next((arm for arm, (held, _) in enumerate(arms) if self._condition(held)), len(arms))
                self._recording.chose(node, chosen)
                return self._value(arms[chosen][1] if chosen < len(arms) else otherwise)
            case FirstValue(arguments=parts):
                return self._first(node, parts)
            case Sequence(items=items):
                return [self._part(item, paid=node.given) for item in items]
            case Built(fields=fields, omitted=omitted):
                built = {name: self._part(one, paid=node.given) for name, one in fields.items()}
                return without_nulls(built, omitted)
            case Item(slot=slot):
                return self._items[slot]
            case Loop():
                return self._loop(node)
            case Lookup():
                return self._lookup(node)
        message = f"a {type(node).__name__} cannot be evaluated"
        raise TypeError(message)

    def _kept(self, name: str) -> Any:  # noqa: ANN401 - any value
        self._recording.use(name)
        value = self._shared[name]
        if isinstance(value, _Failed):
            raise _Failed(value.node, value.code, value.message)
        return value

    def _first(self, node: Node, parts: Iterable[Node]) -> Any:  # noqa: ANN401 - any value
        for place, part in enumerate(parts):
            self._recording.chose(node, place)
            value = self._value(part)
            if value is not None:
                return value
        return None

    def _condition(self, node: Node) -> bool:
        held = bool(self._value(node))
        self._recording.condition(node, held=held)
        return held

    def _apply(self, node: Apply) -> Any:  # noqa: ANN401 - any value
        arguments = [self._value(argument) for argument in node.arguments]
        try:
            if node.function.form is Form.TABLE:
                table = node.function.data
                hits = table.hits(arguments)
                for row in hits:
                    self._recording.chose(node, row)
                    self._recording.hit(table.name, row + 1)
                return table.answer(hits)
            if node.function.reads and self._loops:
                read(self._budget, arguments[node.function.read], node.function.reads)
            if node.function.form is Form.SHAPED:
                arguments.append(self._budget)
            value = node.function.call(*arguments)
            if node.function.name in EXTREMES and len(node.arguments) > 1:
                winners = [place for place, argument in enumerate(arguments) if argument == value]
                if len(winners) == 1:
                    self._recording.chose(node, won(winners[0]))
            return grown(self._budget, value) if node.function.grows and self._loops else value
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
        self._recording.chose(node, hit)
        self._recording.lookup(node.table, key, hit=hit)
        if hit:
            return entries[key]
        if node.default is not None:
            return self._value(node.default)
        columns = self._facts_read(node.key)
        personal = any(self._program.facts[name].personal for name in columns)
        code = "this code" if personal else f"`{clip(str(key))}`"
        kind = UNMAPPED if node.quarantine else "unknown_code"
        lookup = None if personal else (node.table, str(key))
        raise _Failed(node, kind, f"{code} is not in the code table {node.table}", lookup)

    def _part(self, node: Node, *, paid: bool) -> Any:  # noqa: ANN401 - any value
        """A part of a list or an object; ``paid``: as a part of an output."""
        value = self._value(node)
        known = self._loops and isinstance(node, Apply) and node.function.grows
        return given(self._budget, value) if paid and is_long(node) and not known else value

    def _loop(self, node: Loop) -> Any:  # noqa: ANN401 - any value
        items = self._entered(node)
        self._loops += 1
        try:
            return self._gone_through(node, items, self._each(node, items))
        finally:
            self._loops -= 1

    def _gone_through(self, node: Loop, items: list[Any], each: Iterable[Any]) -> Any:  # noqa: ANN401 - any value
        match node.way:
            case Way.MAP:
                return [self._part(node.body, paid=node.given) for _ in each]
            case Way.FILTER:
                return [item for item in each if self._condition(node.body)]
            case Way.ALL:
                return bool(items) and all(self._condition(node.body) for _ in each)
            case Way.SOME:
                return any(self._condition(node.body) for _ in each)
            case Way.NONE:
                return not any(self._condition(node.body) for _ in each)
        return self._reduced(node, each)

    def _reduced(self, node: Loop, each: Iterable[Any]) -> Any:  # noqa: ANN401 - any value
        if node.sofar is None or node.start is None:
            message = "a reduce without a start cannot be evaluated"
            raise TypeError(message)
        value = self._value(node.start)
        for _ in each:
            self._items[node.sofar.slot] = value
            value = self._value(node.body)
        return value

    def _entered(self, node: Loop) -> list[Any]:
        """The list of a loop, once its items have been paid for."""
        items: list[Any] = self._value(node.source)
        if id(node) not in self._weights:
            self._weights[id(node)] = weight(node.body)
        return enter(self._budget, items, self._weights[id(node)])

    def _each(self, node: Loop, items: list[Any]) -> Iterator[Any]:
        """Item by item, each bound to its slot."""
        slot = node.item.slot
        self._lists[slot] = node.source
        base = self._place(node.source)
        for index, item in enumerate(items):
            self._items[slot] = item
            self._places[slot] = None if base is None else at(base, index)
            yield item

    def trace(self) -> dict[str, Any]:
        """What the run met, as JSON: conditions, ``let`` values, rows that were hit, look-ups."""
        lets = {name: value for name, value in self._shared.items() if not name.startswith(HIT)}
        met = list(self._recording.met())
        shown = Showing().of
        return {
            "conditions": [one for part in met for one in part.conditions],
            "let": {
                name: {"refused": value.code} if isinstance(value, _Failed) else shown(value)
                for name, value in lets.items()
            },
            "tables": [one for part in met for one in part.hits],
            "lookups": [one for part in met for one in part.lookups],
        }
