"""An example record that gets to a table and is taken by none of its rows: proof that a gap is one.

Fields that depend on one another make some combinations impossible. So a gap counts only when the interpreter, given a
made-up record or a case's record moved into the gap, really stops at the table.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import islice, product
from typing import Any

from chalicelib.language.faults import Refusal
from chalicelib.language.interpret import Interpreter
from chalicelib.language.intervals import Interval
from chalicelib.language.kinds import DATE, CodeTables, Kind, Value
from chalicelib.language.lint.domains import Domain, Picks, of_values
from chalicelib.language.lint.knowledge import Knowledge
from chalicelib.language.lint.reasoning import Reasoner
from chalicelib.language.lint.spans import EXAMPLE_DAY, LONG_AGO, Spans
from chalicelib.language.lint.subject import Subject
from chalicelib.language.months import add_days, add_months, add_years
from chalicelib.language.places import HIT
from chalicelib.language.reading import InputReader
from chalicelib.language.recording import Recording
from chalicelib.language.tables import Table
from chalicelib.language.tree import AS_OF, Apply, Fact, Form, Node, Shared, facts_read, walk
from chalicelib.language.wording import value_words
from chalicelib.records import dataclass

CASES_TRIED_MAX = 20
CANDIDATES_MAX = 6
COMBINATIONS_MAX = 200
_TEXT = "A"


@dataclass(frozen=True, slots=True)
class Example:
    """A record as a file or a request would give it, decided on ``as_of``."""

    facts: Mapping[str, Value]
    as_of: date

    def words(self) -> str:
        """The record in a message."""
        told = ", ".join(f"{name} {value_words(value)}" for name, value in self.facts.items())
        return f"{told} on {self.as_of}" if told else f"any record on {self.as_of}"


@dataclass(frozen=True, slots=True)
class Gap:
    """``values``, column by column, that no row takes, and a record that has them."""

    values: tuple[Any, ...]
    example: Example


class Witnesses:
    """Looks for example records of one rule."""

    def __init__(self, subject: Subject, reasoner: Reasoner) -> None:
        self._subject = subject
        self._reasoner = reasoner
        declared = subject.inputs
        self._reader = InputReader(declared)
        self._facts = {name: Fact("", declared[name].of, name) for name in subject.program.facts if name in declared}

    def of_gap(self, name: str, table: Table, combination: tuple[Any, ...], known: Knowledge) -> Gap | None:
        """A record that meets ``combination`` at the table and is refused there; None when none was found."""
        inside: Knowledge | None = known
        for node, value in zip(table.inputs, combination, strict=True):
            if inside is not None:
                inside = self._reasoner.narrowed(node, of_values([value]), inside)
        if inside is None:
            return None
        for facts, aggregates, as_of, code_tables in self._bases(inside):
            moved = self._moved(table, combination, facts, as_of, inside)
            if moved is None:
                continue
            values = self._stops(name, table, {**moved, **aggregates}, as_of, code_tables)
            if values is not None:
                return Gap(values, Example(moved, as_of))
        return None

    def of_any_gap(self, name: str, table: Table, known: Knowledge) -> Gap | None:
        """A record that no row takes, found by trying the ends and the turning points of what the table reads."""
        read = facts_read(self._subject.program.shared[HIT + name], self._subject.program.shared)
        tried = {fact: self._candidates(fact, table, known) for fact in read if fact in self._facts}
        for facts, aggregates, as_of, code_tables in self._bases(known):
            for combination in islice(product(*tried.values()), COMBINATIONS_MAX):
                moved = {**facts, **dict(zip(tried, combination, strict=True))}
                values = self._stops(name, table, {**moved, **aggregates}, as_of, code_tables)
                if values is not None:
                    return Gap(values, Example(moved, as_of))
        return None

    def is_computed(self, node: Node) -> bool:
        """Whether a column holds what arithmetic gives as a decimal: that cannot be worked out backwards."""
        while isinstance(node, Shared):
            node = self._subject.program.shared[node.name]
        folds = (part for part in walk(node) if isinstance(part, Apply) and part.function.form is Form.FOLD)
        return node.type.kind is Kind.DECIMAL and any(folds)

    def _candidates(self, fact: str, table: Table, known: Knowledge) -> list[Value]:
        """Values at which the answer of a table may turn."""
        domain = self._reasoner.of(self._facts[fact], known)
        found: list[Value] = [None] if domain.null else []
        if isinstance(domain.values, Picks):
            return [*found, *sorted(domain.values.values, key=str)[:CANDIDATES_MAX], some(domain)]
        if not isinstance(domain.values, Spans):
            return [*found, some(domain)]
        bounds = [
            bound
            for row in table.rows
            for cell in row
            if isinstance(cell, Interval)
            for bound in (cell.low, cell.high)
            if bound is not None
        ]
        ends = [domain.values.some(), domain.values.low, domain.values.high, *bounds]
        fitting = [value for value in ends if value is not None and _like(value, domain) and domain.allows(value)]
        return [*found, *dict.fromkeys(fitting[:CANDIDATES_MAX])]

    def _bases(self, known: Knowledge) -> Iterator[tuple[dict[str, Value], Mapping[str, Value], date, CodeTables]]:
        """Records to start from: those of the cases, and one made of what the fields can hold."""
        for case in self._subject.cases[:CASES_TRIED_MAX]:
            facts, faults = self._reader.attempt(case.given)
            if not faults:
                kept = {name: value for name, value in facts.items() if name in self._facts}
                yield kept, case.aggregates, case.as_of, case.code_tables
        sums: dict[str, Value] = dict.fromkeys(self._subject.aggregates, Decimal(0))
        days = self._reasoner.of(Fact("", DATE, AS_OF), known).values
        as_of = days.some() if isinstance(days, Spans) and not days.is_empty() else EXAMPLE_DAY
        tables: dict[str, Mapping[str, str]] = {}
        for case in self._subject.cases:
            tables |= case.code_tables
        for day in (EXAMPLE_DAY, LONG_AGO):
            made = {name: some(self._reasoner.of(node, known), day) for name, node in self._facts.items()}
            yield made, sums, as_of, tables

    def _moved(
        self,
        table: Table,
        combination: tuple[Any, ...],
        facts: dict[str, Value],
        as_of: date,
        known: Knowledge,
    ) -> dict[str, Value] | None:
        """The record with every field brought to a value that it has in the gap."""
        moved = dict(facts)
        for name, fact in self._facts.items():
            domain = self._reasoner.of(fact, known)
            if domain.is_empty():
                return None
            if not domain.allows(moved.get(name)):
                moved[name] = some(domain)
        for node, value in zip(table.inputs, combination, strict=True):
            self._back_dated(node, value, moved, as_of)
        return moved

    def _back_dated(self, node: Node, value: Any, facts: dict[str, Value], as_of: date) -> None:  # noqa: ANN401 - a cell's value
        """Where a column counts days, months or years from a field, set the field so that it counts ``value``."""
        while isinstance(node, Shared) or (isinstance(node, Apply) and node.function.name == "decimal"):
            node = self._subject.program.shared[node.name] if isinstance(node, Shared) else node.arguments[0]
        if not isinstance(node, Apply) or node.function.name not in _MOVED:
            return
        first, second = node.arguments
        moved, count = _MOVED[node.function.name], int(value)
        for place, other, sign in ((first, second, -1), (second, first, 1)):
            if isinstance(place, Fact) and place.name in facts:
                anchor = as_of if isinstance(other, Fact) and other.name == AS_OF else None
                if isinstance(other, Fact) and other.name in facts:
                    anchor = _day(facts[other.name])
                if anchor is not None:
                    try:
                        facts[place.name] = moved(anchor, sign * count)
                    except Refusal:
                        continue
                    return

    def _stops(
        self, name: str, table: Table, facts: Mapping[str, Value], as_of: date, code_tables: CodeTables
    ) -> tuple[Any, ...] | None:
        """What the columns hold when the record is refused because no row of the table takes it; else None."""
        recording = Recording()
        subject = self._subject
        Interpreter(subject.program, subject.needs, facts, as_of, code_tables, recording).run()
        definition = subject.program.shared[HIT + name]
        for met in recording.met():
            reached = all(id(node) in met.values for node in table.inputs)
            if reached and id(definition) not in met.values:
                return tuple(met.values[id(node)][1][-1] for node in table.inputs)
        return None


_MOVED = {"days_between": add_days, "months_between": add_months, "years_between": add_years}


def some(domain: Domain, day: date = EXAMPLE_DAY) -> Value:
    """A value of a domain: a named one, an unobtrusive number or a date near ``day`` rather than null."""
    values = domain.values
    if isinstance(values, Picks) and not values.is_empty():
        return _TEXT + "*" * len(values.values) if values.excluded else min(values.values, key=str)
    if isinstance(values, Spans) and not values.is_empty():
        value: Value = values.some(day)
        return value
    return None if domain.null else []


def _like(value: Value, domain: Domain) -> bool:
    """Whether a bound of a table is of the type of a field at all."""
    is_day = isinstance(domain.values, Spans) and isinstance(domain.values.low, date)
    return isinstance(value, date) is is_day


def _day(value: Value) -> date | None:
    return value if isinstance(value, date) else None
