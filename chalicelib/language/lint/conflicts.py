"""Two rulesets that decide the same event on the same day.

Which rulesets are asked about the same events is for the caller to say (programs name their ruleset, targets their
mapping): it gives each a ``scope``. Whether the conditions of two can both hold is found by joining them into one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

from chalicelib.language.compile import compile_ruleset
from chalicelib.language.compiled import Compiled
from chalicelib.language.faults import DecisionRefused, RuleRefused
from chalicelib.language.kinds import Value
from chalicelib.language.lint.findings import Finding, finding, in_order
from chalicelib.language.lint.joining import BOTH, Days, joined_inputs, joined_rule
from chalicelib.language.lint.knowledge import Knowledge
from chalicelib.language.lint.reasoning import Reasoner
from chalicelib.language.lint.spans import EXAMPLE_DAY, LONG_AGO
from chalicelib.language.lint.witness import CASES_TRIED_MAX, Example, some
from chalicelib.language.reading import InputReader
from chalicelib.language.tree import Fact
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Deciding:
    """A ruleset that is asked about the events of ``scope``, from ``first`` to ``last``, both included; None: open."""

    code: str
    scope: str
    document: Mapping[str, Any]
    first: date | None = None
    last: date | None = None
    pointer: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any], *, scope: str | None = None, pointer: str = "") -> "Deciding":
        """A document that loads, as it stands; without ``scope`` it decides for what its own program or target names.

        A document that names neither is asked only where the caller says so: it meets another of its own id alone.
        """
        period = document.get("effective") or {}
        days = (period.get("from"), period.get("to"))
        first, last = (None if day is None else date.fromisoformat(day) for day in days)
        named = [str(document[key]) for key in ("kind", "partner", "program", "target", "entity") if document.get(key)]
        code = str(document.get("id", ""))
        bound = document.get("program") or document.get("target")
        return cls(code, scope or (" ".join(named) if bound else code), document, first, last, pointer)


def conflicts(deciding: Sequence[Deciding]) -> tuple[Finding, ...]:
    """One finding for each two that can decide the same event; the pointer is that of the second.

    An error when an example shows it, a warning when it can neither be shown nor ruled out. Raises ``RuleRefused`` for
    a document that does not load.
    """
    return in_order(one for first, second in combinations(deciding, 2) for one in _between(first, second))


def _between(first: Deciding, second: Deciding) -> Iterator[Finding]:
    if first.scope != second.scope and first.code != second.code:
        return
    days = _common_days(first, second)
    if days is None:
        return
    title = f"{first.code} and {second.code} both decide for {second.scope}{_words(*days)}"
    mend = f"let {first.code} end before {second.code} begins, or make their conditions exclude each other"
    compiled = [compile_ruleset(one.document) for one in (first, second)]
    for nullable in (any, all):
        inputs = joined_inputs(first.document, second.document, nullable)
        if inputs is None:
            return
        try:
            joined = compile_ruleset(joined_rule(first.document, second.document, inputs, days))
        except RuleRefused:
            continue
        search = _Search(joined, days)
        if search.known is None:
            return
        example = search.example(compiled)
        if example is not None:
            yield finding(second.pointer, "conflicting_rulesets", f"{title}: for example {example.words()}", mend)
            return
    message = f"{title}, unless their conditions exclude each other, which cannot be seen"
    yield Finding(second.pointer, "conflicting_rulesets", "warning", message, mend)


class _Search:
    """A record for which both conditions hold."""

    def __init__(self, joined: Compiled, days: Days) -> None:
        subject = joined.subject
        self._joined = joined
        self._days = days
        self._reasoner = Reasoner(subject.program, subject.inputs, subject.needs)
        # None when the conditions exclude each other.
        self.known = self._reasoner.assume(subject.program.outputs[BOTH], Knowledge(), holds=True)

    def example(self, rules: Sequence[Compiled]) -> Example | None:
        """An example made of the cases of both, or of what the fields can hold; None when none was found."""
        known = self.known
        if known is None:
            return None
        domains = {
            name: self._reasoner.of(Fact("", declared.of, name), known)
            for name, declared in self._joined.inputs.items()
        }
        cases = [case for rule in rules for case in rule.cases[:CASES_TRIED_MAX]]
        first = self._days[0] or EXAMPLE_DAY
        tried = [*((case.given, case.as_of, EXAMPLE_DAY) for case in cases)]
        for given, as_of, day in [*tried, ({}, first, EXAMPLE_DAY), ({}, first, LONG_AGO)]:
            record = {name: given.get(name) for name in domains}
            facts, faults = InputReader(self._joined.inputs).attempt(record)
            wrong = {fault.pointer for fault in faults}
            for name, domain in domains.items():
                if name in wrong or not domain.allows(facts[name]):
                    facts[name] = some(domain, day)
            if self._holds(facts, as_of if _within(as_of, self._days) else first):
                return Example(facts, as_of if _within(as_of, self._days) else first)
        return None

    def _holds(self, facts: Mapping[str, Value], as_of: date) -> bool:
        sums: dict[str, Value] = dict.fromkeys(self._joined.aggregates, Decimal(0))
        try:
            decided = self._joined.decide({**facts, **sums}, as_of=as_of)
        except DecisionRefused:
            return False
        return decided is not None and decided[BOTH] is True


def _common_days(first: Deciding, second: Deciding) -> Days | None:
    starts = [one.first for one in (first, second) if one.first is not None]
    ends = [one.last for one in (first, second) if one.last is not None]
    days = (max(starts, default=None), min(ends, default=None))
    return None if days[0] is not None and days[1] is not None and days[0] > days[1] else days


def _within(day: date, days: Days) -> bool:
    first, last = days
    return (first is None or first <= day) and (last is None or day <= last)


def _words(first: date | None, last: date | None) -> str:
    return (f" from {first}" if first else "") + (f" to {last}" if last else "")
