"""A walk over a program with what is known at each place: which conditions always hold, which branches nobody gets to.

A shared definition is walked once, after all its users, with what is known at every one of them.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from chalicelib.language.declared import Declared
from chalicelib.language.kinds import Kind
from chalicelib.language.lint.domains import words as domain_words
from chalicelib.language.lint.findings import CODES, Finding, finding
from chalicelib.language.lint.knowledge import Knowledge
from chalicelib.language.lint.reasoning import Reasoner
from chalicelib.language.lint.spans import Spans
from chalicelib.language.needs import Needs
from chalicelib.language.recording import won
from chalicelib.language.tree import (
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
    Node,
    Program,
    Shared,
    children,
    walk,
)
from chalicelib.language.wording import value_words, words

_NAMED_MAX = 3


class Reach:
    """What is known at every use of a shared definition, what cannot be reached, and the findings on the way."""

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, Declared],
        needs: Needs,
        days: tuple[date | None, date | None] = (None, None),
    ) -> None:
        self.program = program
        self.reasoner = Reasoner(program, inputs, needs, days)
        self.findings: list[Finding] = []
        # What is known where a definition is used; a name that is missing is used nowhere.
        self.uses: dict[str, Knowledge] = {}
        # Branches that nobody gets to: (node, number of the way).
        self.dead: set[tuple[int, object]] = set()
        # How conditions come out that come out in one way only.
        self.settled: dict[int, bool] = {}
        self.inside: Knowledge | None = Knowledge()

    def walk(self) -> None:
        """Look at the whole program."""
        condition, holds = self.program.condition, self.program.holds
        if condition is not None:
            self._condition(condition, Knowledge())
            self.inside = self.reasoner.assume(condition, Knowledge(), holds=holds)
        if self.inside is not None:
            for name, node in self.program.outputs.items():
                self._visit(node, self.inside)
                self._set(name, node, self.inside)
        for name in reversed(list(self.program.shared)):
            known = self.uses.get(name)
            if known is not None:
                self._visit(self.program.shared[name], known)
        if self.reasoner.exhausted:
            message = "the conditions depend on one another in too many ways; some of them were not looked at"
            self.findings.append(finding("", "lint_incomplete", message, "name parts of the conditions in `let`"))

    def _visit(self, node: Node, known: Knowledge) -> None:
        match node:
            case Const() | Fact():
                return
            case Shared():
                self._use(node, known)
            case Choice():
                self._choice(node, known)
            case FirstValue():
                self._first(node, known)
            case Every() | Either():
                self._condition(node, known)
            case Apply() if node.type.kind is Kind.BOOLEAN:
                self._condition(node, known)
            case _:
                if isinstance(node, Apply):
                    self._computed(node, known)
                for part in children(node):
                    self._visit(part, known)

    def _computed(self, node: Apply, known: Knowledge) -> None:
        """Limits that never decide, and arithmetic that has one answer or none."""
        function, arguments = node.function, node.arguments
        if all(isinstance(part, Const) for part in arguments):
            return
        if function.name in EXTREMES and len(arguments) > 1:
            better = "<" if function.name == "min" else ">"
            for place, part in enumerate(arguments):
                others = (other for other in arguments if other is not part)
                if any(better not in self.reasoner.compared(part, other, known) for other in others):
                    self.dead.add((id(node), won(place)))
            values = self.reasoner.of(node, known).values
            if isinstance(values, Spans) and values.low is not None and values.low == values.high:
                message = f"{words(node)} is {value_words(values.low)} for every record that gets here"
                mend = "correct the limits, or write the constant"
                self.findings.append(finding(node.pointer, "always_constant", message, mend))
        if function.form is Form.FOLD and function.name in {"/", "%"}:
            for part in arguments[1:]:
                values = self.reasoner.of(part, known).values
                if isinstance(values, Spans) and values.low == values.high == 0:
                    message = f"{words(node)} refuses every record that gets here: {words(part)} is 0"
                    mend = "correct the divisor, or remove what depends on it"
                    self.findings.append(finding(node.pointer, "always_refused", message, mend))

    def _condition(self, node: Node, known: Knowledge, before: Knowledge | None = None) -> None:
        """A condition; ``before``: what was known before the arms of an `if` before it were ruled out."""
        held = self.reasoner.holds(node, known)
        if len(held) == 1:
            [only] = held
            self.settled[id(node)] = only
            # Who writes "under 5, else from 5 on" repeats himself, and means no harm.
            repeats = only and before is not None and len(self.reasoner.holds(node, before)) > 1
            named = isinstance(node, Shared) and len(self.reasoner.holds(node, Knowledge())) == 1
            if not repeats and not named:
                self._settled(node, known, held=only)
            for mention in _mentions(node):
                self._use(mention, known)
            return
        match node:
            case Every(arguments=parts) | Either(arguments=parts):
                self._parts(node, parts, known, before)
            case Apply(function=function, arguments=(argument,)) if function.form is Form.NOT:
                self._condition(argument, known, before)
            case Apply():
                for part in node.arguments:
                    self._visit(part, known)
            case _:
                self._visit(node, known)

    def _parts(self, node: Node, parts: tuple[Node, ...], known: Knowledge, before: Knowledge | None) -> None:
        conjunction = isinstance(node, Every)
        current: Knowledge | None = known
        for place, part in enumerate(parts):
            if current is None:
                message = f"nobody gets to {words(part)}: what stands before it has decided already"
                self._unreachable(part, message, f"remove {words(part)}, or correct what stands before it")
                continue
            self._condition(part, current, before)
            current = self.reasoner.assume(part, current, holds=conjunction)
            if before is not None:
                before = self.reasoner.assume(part, before, holds=conjunction)
            self.dead.update([(id(node), place + 1)] if current is None else [])

    def _settled(self, node: Node, known: Knowledge, *, held: bool) -> None:
        culprit, there = self._culprit(node, known, held=held)
        what = f"{words(culprit)} {'always' if held else 'never'} holds{self._because(culprit, there)}"
        if culprit is not node and node is not self.program.condition:
            what += f"; so {words(node)} {'always' if held else 'never'} holds"
        code: str = "always_true" if held else "always_false"
        severity = CODES[code].severity
        if node is self.program.condition and held is not self.program.holds:
            severity = "error"
            what += "; so the rule never applies" if self.program.holds else "; so every row is ignored"
        mend = "remove it, or correct it" if held else "correct it, or remove it together with what depends on it"
        self.findings.append(Finding(culprit.pointer, code, severity, what, mend))

    def _culprit(self, node: Node, known: Knowledge, *, held: bool) -> tuple[Node, Knowledge]:
        """The part that settles a condition, and what is known there."""
        match node:
            case Every(arguments=parts) if not held:
                decisive = True
            case Either(arguments=parts) if held:
                decisive = False
            case _:
                return node, known
        current: Knowledge | None = known
        for part in parts:
            if current is None:
                break
            if decisive not in self.reasoner.holds(part, current):
                return self._culprit(part, current, held=held)
            current = self.reasoner.assume(part, current, holds=decisive)
        return node, known

    def _because(self, node: Node, known: Knowledge) -> str:
        """What the fields in a condition can be here."""
        told: dict[str, None] = {}
        for part in walk(node):
            if not isinstance(part, Fact | Shared) or part.type.kind in {Kind.LIST, Kind.OBJECT, Kind.UNKNOWN}:
                continue
            domain = self.reasoner.of(part, known)
            told.setdefault(f"{words(part)} is {domain_words(domain)}")
        shown = [one for one in told if not one.endswith((" is (,)", " is anything", " is nothing"))][:_NAMED_MAX]
        return f": here {', '.join(shown)}" if shown else ""

    def _choice(self, node: Choice, known: Knowledge) -> None:
        current: Knowledge | None = known
        for place, (condition, value) in enumerate(node.arms):
            if current is None or (
                True not in self.reasoner.holds(condition, current) and True in self.reasoner.holds(condition, known)
            ):
                taken = ", ".join(words(held) for held, _ in node.arms[:place][-_NAMED_MAX:])
                message = f"nobody gets to arm {place + 1} ({words(condition)}): {taken} took every such record before"
                self._unreachable(condition, message, "remove the arm, put it before those, or correct its condition")
                self.dead.add((id(node), place))
                continue
            self._condition(condition, current, known if place else None)
            taken_here = self.reasoner.assume(condition, current, holds=True)
            if taken_here is None:
                self.dead.add((id(node), place))
            else:
                self._visit(value, taken_here)
            current = self.reasoner.assume(condition, current, holds=False)
        if current is not None:
            self._visit(node.otherwise, current)
            return
        self.dead.add((id(node), len(node.arms)))
        last = words(node.arms[-1][0])
        message = f"nobody gets to the last argument ({words(node.otherwise)}): the conditions take every record"
        mend = f"leave out the condition {last}, and let its value stand last"
        self.findings.append(finding(node.otherwise.pointer, "unreachable_otherwise", message, mend))

    def _first(self, node: FirstValue, known: Knowledge) -> None:
        for place, part in enumerate(node.arguments):
            if place and not self.reasoner.of(node.arguments[place - 1], known).null:
                never = words(node.arguments[place - 1])
                message = f"nobody gets to {words(part)}: {never} is never null here"
                self._unreachable(part, message, f"remove {words(part)}, or what stands before it")
                self.dead.update((id(node), later) for later in range(place, len(node.arguments)))
                return
            self._visit(part, known)

    def _unreachable(self, node: Node, message: str, mend: str) -> None:
        self.findings.append(finding(node.pointer, "unreachable_branch", message, mend))

    def _set(self, name: str, node: Node, known: Knowledge) -> None:
        """An output, and the fields of an object that it is built as."""
        whole = node
        while isinstance(whole, Apply) and whole.function.form is not Form.SUBSCRIPT and len(whole.arguments) == 1:
            [whole] = whole.arguments
        if isinstance(whole, Built):
            for field, part in whole.fields.items():
                self._set(f"{field} of {name}", part, known)
        domain = self.reasoner.of(node, known)
        if not domain.values.is_empty():
            return
        what = "is null for every record" if domain.null else "has no value for any record"
        mend = f"give {name} the value that was meant, or remove it"
        self.findings.append(finding(node.pointer.removesuffix("/expr"), "output_never_set", f"{name} {what}", mend))

    def _use(self, node: Shared, known: Knowledge) -> None:
        before = self.uses.get(node.name)
        self.uses[node.name] = known if before is None else before.join(known)


def _mentions(node: Node) -> Iterator[Shared]:
    return (part for part in walk(node) if isinstance(part, Shared))
