"""What the cases of a rule file show: conditions both ways, branches, table rows, defaults, limits, look-ups that miss.

A place counts as reached only by a case that says what comes of it: that asserts the output which the place flows into,
or, inside a condition, whether the rule applies. What no record can get to is not asked for; lint reports it instead.
"""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from chalicelib.language.cases import APPLIES, REFUSED, Case
from chalicelib.language.faults import at
from chalicelib.language.interpret import Interpreter, Outcome
from chalicelib.language.kinds import Kind
from chalicelib.language.lint.examine import Examined
from chalicelib.language.lint.findings import Finding, finding
from chalicelib.language.lint.subject import Subject
from chalicelib.language.lint.tables import row_words
from chalicelib.language.places import HIT
from chalicelib.language.reading import InputReader
from chalicelib.language.recording import CONDITION, HELD, NOT_HELD, Recording, won
from chalicelib.language.tables import Table
from chalicelib.language.tree import EXTREMES, Apply, Choice, Either, Every, FirstValue, Lookup, Loop, Node, children
from chalicelib.language.wording import words
from chalicelib.records import dataclass

Kinds = Literal["when", "branch", "part", "row", "default", "limit", "lookup_miss"]
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Covered:
    """One thing that a case should get to, and the cases ``by`` which it is reached; ``what`` names it."""

    pointer: str
    kind: Kinds
    what: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Everything that cases should get to."""

    items: tuple[Covered, ...]

    @property
    def complete(self) -> bool:
        """Whether everything is reached."""
        return all(item.by for item in self.items)

    @property
    def percent(self) -> Decimal:
        """How much of it is reached, to one decimal place; never 100 unless it is complete."""
        if not self.items:
            return _HUNDRED
        share = Decimal(sum(1 for item in self.items if item.by)) / Decimal(len(self.items))
        return (share * _HUNDRED).quantize(Decimal("0.1"), rounding=ROUND_DOWN)


# A thing to reach: its pointer, kind and name, and what a recording shows when it was reached.
Wanted = tuple[str, Kinds, str, tuple[int, object]]


def coverage(subject: Subject, examined: Examined) -> Coverage:
    """Run the cases and note what each of them gets to."""
    if not subject.origin.shown_by_cases and not subject.cases:
        return Coverage(())
    wanted = list(_Wanted(subject, examined).all())
    reached = [(case.name, _reached(subject, case)) for case in subject.cases]
    return Coverage(
        tuple(
            Covered(pointer, kind, what, tuple(name for name, found in reached if shown in found))
            for pointer, kind, what, shown in wanted
        )
    )


def uncovered(subject: Subject, examined: Examined) -> Iterator[Finding]:
    """A finding for everything that no case gets to."""
    for item in coverage(subject, examined).items:
        if not item.by:
            mend = f"add a case that gets to {item.what}"
            yield finding(item.pointer, "uncovered", f"{item.what} is reached by no case", mend)


def _reached(subject: Subject, case: Case) -> set[tuple[int, object]]:
    """What a case shows. One that is dated outside the rule's days shows nothing: no such record is ever decided."""
    facts, faults = InputReader(subject.inputs).attempt(case.given)
    if faults or not subject.origin.in_force(case.as_of):
        return set()
    recording = Recording()
    given = {**facts, **case.aggregates}
    outcome = Interpreter(subject.program, subject.needs, given, case.as_of, case.code_tables, recording).run()
    return {chosen for met in recording.met(_asserted(case, outcome)) for chosen in met.chosen}


def _asserted(case: Case, outcome: Outcome) -> frozenset[str]:
    """The outputs, by name, and the condition of which a case says what they must be."""
    if REFUSED in case.expect:
        return frozenset(outcome.failed)
    if outcome.faults:
        return frozenset()
    if APPLIES in case.expect:
        return frozenset({CONDITION} if case.expect[APPLIES] is outcome.applies else ())
    return frozenset({CONDITION, *case.expect} if outcome.applies else ())


class _Wanted:
    """Goes through what is reachable of a program."""

    def __init__(self, subject: Subject, examined: Examined) -> None:
        self._program = subject.program
        self._examined = examined

    def all(self) -> Iterator[Wanted]:
        """Everything that cases should get to, in the order of the document."""
        condition, holds = self._program.condition, self._program.holds
        if condition is not None:
            applies, does_not = (HELD, NOT_HELD) if holds else (NOT_HELD, HELD)
            if id(condition) not in self._examined.settled:
                for how, outcome in (("applies", applies), ("does not apply", does_not)):
                    what = f"a record to which the rule {how} ({words(condition)})"
                    yield condition.pointer, "when", what, (id(condition), outcome)
            elif self._examined.settled[id(condition)] is not holds:
                return
            yield from self._condition(condition)
        for name, node in self._program.shared.items():
            if name in self._examined.walked:
                yield from self._table(node) if name.startswith(HIT) else self._value(node)
        for node in self._program.outputs.values():
            yield from self._value(node)

    def _table(self, node: Node) -> Iterator[Wanted]:
        if isinstance(node, Apply) and isinstance(node.function.data, Table):
            table = node.function.data
            for row in range(len(table.rows)):
                if (id(node), row) not in self._examined.dead:
                    yield at(node.pointer, "rows", row), "row", row_words(table, row), (id(node), row)
            for part in node.arguments:
                yield from self._value(part)

    def _value(self, node: Node) -> Iterator[Wanted]:
        if node.type.kind is Kind.BOOLEAN and isinstance(node, Every | Either | Apply | Loop):
            if id(node) not in self._examined.settled:
                for how, outcome in (("holds", HELD), ("does not hold", NOT_HELD)):
                    yield node.pointer, "branch", f"a record for which {words(node)} {how}", (id(node), outcome)
            yield from self._condition(node)
            return
        yield from self._parts(node)

    def _condition(self, node: Node) -> Iterator[Wanted]:
        """A condition as a whole has been asked for already."""
        if id(node) in self._examined.settled:
            return
        if isinstance(node, Every | Either | Apply) or (isinstance(node, Loop) and node.type.kind is Kind.BOOLEAN):
            for place, part in enumerate(children(node)):
                if (id(node), place) not in self._examined.dead:
                    yield from self._decisive(node, part)
                    yield from self._condition(part)
            return
        yield from self._parts(node)

    def _decisive(self, node: Node, part: Node) -> Iterator[Wanted]:
        """A part of `and` that alone keeps it from holding, a part of `or` that alone makes it hold.

        Parts are asked one after the other, so a part that came out this way has decided.
        """
        if not isinstance(node, Every | Either) or id(part) in self._examined.settled:
            return
        how, outcome = ("does not hold", NOT_HELD) if isinstance(node, Every) else ("holds", HELD)
        what = f"a record for which {words(part)} {how} and so decides {words(node)}"
        yield part.pointer, "part", what, (id(part), outcome)

    def _parts(self, node: Node) -> Iterator[Wanted]:
        match node:
            case Choice():
                yield from self._choice(node)
            case FirstValue():
                yield from self._first(node)
            case Lookup(table=table, key=key, default=default):
                if default is not None:
                    what = f"a code that is not in {table} ({words(key)})"
                    yield node.pointer, "lookup_miss", what, (id(node), False)
                    yield from self._value(default)
                yield from self._value(key)
            case Apply(function=function, arguments=arguments) if function.name in EXTREMES and len(arguments) > 1:
                yield from self._limits(node, arguments)
            case _:
                for part in children(node):
                    yield from self._value(part)

    def _limits(self, node: Node, arguments: tuple[Node, ...]) -> Iterator[Wanted]:
        """Each argument of a `min` or `max` is the answer of some record: the limit was reached, and was not."""
        for place, part in enumerate(arguments):
            if (id(node), won(place)) not in self._examined.dead:
                what = f"a record for which {words(part)} alone is the answer of {words(node)}"
                yield part.pointer, "limit", what, (id(node), won(place))
            yield from self._value(part)

    def _choice(self, node: Choice) -> Iterator[Wanted]:
        for arm, (condition, value) in enumerate(node.arms):
            if (id(node), arm) not in self._examined.dead:
                what = f"the branch for {words(condition)} ({words(value)})"
                yield value.pointer, "branch", what, (id(node), arm)
                yield from self._condition(condition)
                yield from self._value(value)
        if (id(node), len(node.arms)) not in self._examined.dead:
            what = f"the last branch, when no condition before it holds ({words(node.otherwise)})"
            yield node.otherwise.pointer, "branch", what, (id(node), len(node.arms))
            yield from self._value(node.otherwise)

    def _first(self, node: FirstValue) -> Iterator[Wanted]:
        for place, part in enumerate(node.arguments):
            if (id(node), place) in self._examined.dead:
                continue
            if place:
                what = f"{words(part)} in place of null ({words(node.arguments[place - 1])})"
                yield part.pointer, "default", what, (id(node), place)
            yield from self._value(part)
