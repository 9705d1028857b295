"""From a condition that holds, or does not, to what its fields can hold."""

from typing import TYPE_CHECKING

from chalicelib.language.intervals import Interval
from chalicelib.language.kinds import Kind
from chalicelib.language.lint.domains import NULL_ONLY, Domain, Picks, truth
from chalicelib.language.lint.knowledge import ANY_SIGN, Knowledge, Signs, mirrored
from chalicelib.language.lint.spans import Spans, complement
from chalicelib.language.tree import Apply, Choice, Const, Either, Every, Form, Node, Shared

if TYPE_CHECKING:
    from chalicelib.language.lint.reasoning import Reasoner

# Operators that are undone for integers, where nothing is rounded.
_UNDONE = ("+", "-")
# How far a condition is followed through definitions, and how many conditions are kept in mind.
FOLLOWED_MAX = 12
OPEN_MAX = 24
_SIGNS: dict[str, Signs] = {
    "==": frozenset("="),
    "!=": frozenset("<>"),
    "<": frozenset("<"),
    "<=": frozenset("<="),
    ">": frozenset(">"),
    ">=": frozenset(">="),
}


def assumed(reasoner: "Reasoner", node: Node, known: Knowledge, *, holds: bool) -> Knowledge | None:
    """What is known when ``node`` comes out as ``holds`` where ``known`` is the case; None when it cannot."""
    if holds not in reasoner.holds(node, known):
        return None
    if reasoner.exhausted:
        return known
    found = _Assuming(reasoner).condition(node, known, holds=holds, followed=0)
    if found is None or reasoner.again:
        return found
    # What was "one of these" may be decided now, and what was computed may have become impossible. Once is enough:
    # looking again asks how conditions come out, which must not look again in turn.
    reasoner.again = True
    try:
        return _again(reasoner, known, found)
    finally:
        reasoner.again = False


def _again(reasoner: "Reasoner", known: Knowledge, found: Knowledge) -> Knowledge | None:
    current: Knowledge | None = found
    for waiting, expected in known.open:
        if current is None:
            break
        if isinstance(waiting, Apply):
            current = current if expected in reasoner.holds(waiting, current) else None
        else:
            current = _Assuming(reasoner).alternatives(waiting, current, holds=expected, followed=0)
    return current


def narrowed(reasoner: "Reasoner", node: Node, domain: Domain, known: Knowledge) -> Knowledge | None:
    """What is known when ``node`` has a value of ``domain`` where ``known`` is the case; None when it cannot."""
    if node.type.kind is Kind.BOOLEAN and isinstance(domain.values, Picks) and len(domain.values.values) == 1:
        [holds] = domain.values.values
        return assumed(reasoner, node, known, holds=holds)
    return _Assuming(reasoner).place(node, domain, known, 0)


class _Assuming:
    def __init__(self, reasoner: "Reasoner") -> None:
        self._reasoner = reasoner

    def condition(  # noqa: PLR0911 - one return for each construct
        self, node: Node, known: Knowledge, *, holds: bool, followed: int
    ) -> Knowledge | None:
        reasoner = self._reasoner
        if holds not in reasoner.holds(node, known):
            return None
        if followed > FOLLOWED_MAX or isinstance(node, Const):
            return known
        known = known.with_domain(reasoner.keys.of(node), truth(holds))
        match node:
            case Shared(name=name):
                return self.condition(reasoner.program.shared[name], known, holds=holds, followed=followed + 1)
            case Every(arguments=parts) if holds:
                return self._all(parts, known, holds=True, followed=followed)
            case Either(arguments=parts) if not holds:
                return self._all(parts, known, holds=False, followed=followed)
            case Every() | Either() | Choice():
                return _open(self.alternatives(node, known, holds=holds, followed=followed), node, holds=holds)
            case Apply():
                return self._test(node, known, holds=holds, followed=followed)
        return known

    def _all(self, parts: tuple[Node, ...], known: Knowledge, *, holds: bool, followed: int) -> Knowledge | None:
        found: Knowledge | None = known
        for part in parts:
            if found is not None:
                found = self.condition(part, found, holds=holds, followed=followed)
        return found

    def alternatives(  # noqa: C901 - both constructs that decide by one of several parts
        self, node: Node, known: Knowledge, *, holds: bool, followed: int
    ) -> Knowledge | None:
        """What all the ways have in common in which ``node`` can come out as ``holds``."""
        ways: list[Knowledge] = []
        current: Knowledge | None = known
        match node:
            case Every(arguments=parts) | Either(arguments=parts):
                for part in parts:
                    if current is None:
                        break
                    way = self.condition(part, current, holds=holds, followed=followed + 1)
                    ways.extend([way] if way is not None else [])
                    # The next part decides only where this one did not.
                    current = self.condition(part, current, holds=not holds, followed=followed + 1)
            case Choice(arms=arms, otherwise=otherwise):
                for condition, value in (*arms, (None, otherwise)):
                    if current is None:
                        break
                    taken = current
                    if condition is not None:
                        entered = self.condition(condition, current, holds=True, followed=followed + 1)
                        current = self.condition(condition, current, holds=False, followed=followed + 1)
                        if entered is None:
                            continue
                        taken = entered
                    way = self.condition(value, taken, holds=holds, followed=followed + 1)
                    ways.extend([way] if way is not None else [])
        if not ways:
            return None
        found = ways[0]
        for way in ways[1:]:
            found = found.join(way)
        return found

    def _test(self, node: Apply, known: Knowledge, *, holds: bool, followed: int) -> Knowledge | None:
        match node.function.form:
            case Form.NOT:
                return self.condition(node.arguments[0], known, holds=not holds, followed=followed)
            case Form.IS_NULL:
                place = node.arguments[0]
                domain = self._reasoner.of(place, known)
                return self.place(place, NULL_ONLY if holds else domain.without_null(), known, followed)
            case Form.COMPARE:
                found = self._comparison(node, known, holds=holds, followed=followed)
                computed = any(isinstance(part, Apply | Shared) for part in node.arguments)
                return _open(found, node, holds=holds) if computed else found
            case Form.CONTAINED:
                return self._contained(node, known, holds=holds, followed=followed)
        if isinstance(node.function.data, Interval):
            inside = [node.function.data] if holds else complement(node.function.data)
            return self.place(node.arguments[0], Domain(Spans.of(inside)), known, followed)
        return known

    def _comparison(self, node: Apply, known: Knowledge, *, holds: bool, followed: int) -> Knowledge | None:
        wanted = _SIGNS[node.function.symbol]
        links = list(zip(node.arguments, node.arguments[1:], strict=False))
        if not holds:
            # Of a chain it is not known which link does not hold, unless all the others do.
            broken = [link for link in links if self._reasoner.compared(*link, known) - wanted]
            if len(broken) != 1:
                return known if broken else None
            links, wanted = broken, ANY_SIGN - wanted
        found: Knowledge | None = known
        for left, right in links:
            if found is not None:
                found = self._related(left, right, wanted, found, followed)
        return found

    def _related(self, left: Node, right: Node, wanted: Signs, known: Knowledge, followed: int) -> Knowledge | None:
        reasoner = self._reasoner
        signs = reasoner.compared(left, right, known) & wanted
        if not signs:
            return None
        if not isinstance(left, Const) and not isinstance(right, Const):
            known = known.with_signs(reasoner.keys.of(left), reasoner.keys.of(right), signs)
        found: Knowledge | None = known
        for place, other, seen in ((left, right, signs), (right, left, mirrored(signs))):
            if found is None:
                return None
            limit = _limited(seen, reasoner.of(other, found))
            if limit is not None:
                found = self.place(place, limit, found, followed)
        return found

    def _contained(self, node: Apply, known: Knowledge, *, holds: bool, followed: int) -> Knowledge | None:
        item, container = node.arguments
        if not isinstance(container, Const) or not isinstance(container.value, frozenset):
            return known
        values = container.value
        if all(isinstance(value, str | bool) for value in values):
            return self.place(item, Domain(Picks(values, excluded=not holds)), known, followed)
        points = [Interval(value, value) for value in values]
        if holds:
            return self.place(item, Domain(Spans.of(points)), known, followed)
        domain = self._reasoner.of(item, known)
        if not isinstance(domain.values, Spans):
            return known
        return self.place(item, Domain(domain.values.without(points)), known, followed)

    def place(  # noqa: PLR0911 - one return for each construct
        self, node: Node, domain: Domain, known: Knowledge, followed: int
    ) -> Knowledge | None:
        """``node`` has a value of ``domain``."""
        met = self._reasoner.of(node, known).meet(domain)
        if met.is_empty():
            return None
        if isinstance(node, Const) or followed > FOLLOWED_MAX:
            return known
        known = known.with_domain(self._reasoner.keys.of(node), met)
        match node:
            case Shared(name=name):
                return self.place(self._reasoner.program.shared[name], met, known, followed + 1)
            case Apply(function=function, arguments=(argument,)) if function.name == "decimal":
                return self.place(argument, met, known, followed + 1)
            case Apply(arguments=(argument, Const(value=int(by)))) if node.function.name in _UNDONE:
                if argument.type.kind is not Kind.INTEGER or not isinstance(met.values, Spans):
                    return known
                undone = Domain(_shifted(met.values, by if node.function.name == "-" else -by))
                return self.place(argument, undone, known, followed + 1)
        return known


def _open(found: Knowledge | None, node: Node, *, holds: bool) -> Knowledge | None:
    """Keep a condition in mind that may say more once more is known."""
    return found if found is None or len(found.open) >= OPEN_MAX else found.with_open(node, holds=holds)


def _limited(signs: Signs, other: Domain) -> Domain | None:  # noqa: PLR0911 - one return for each kind of comparison
    """What compares by ``signs`` with something of ``other``; None for anything."""
    values = other.values
    if signs == frozenset("="):
        return Domain(values)
    if isinstance(values, Picks):
        only = not values.excluded and len(values.values) == 1
        return Domain(Picks(values.values, excluded=True)) if only and "=" not in signs else None
    if not isinstance(values, Spans) or values.is_empty():
        return None
    if signs == frozenset("<>"):
        only = values.low is not None and values.low == values.high
        return Domain(Spans.of(complement(Interval(values.low, values.low)))) if only else None
    included = "=" in signs
    if ">" not in signs:
        touched = included and values.intervals[-1].high_included
        return Domain(Spans.of([Interval(None, values.high, high_included=touched)]))
    if "<" not in signs:
        touched = included and values.intervals[0].low_included
        return Domain(Spans.of([Interval(values.low, None, low_included=touched)]))
    return None


def _shifted(values: Spans, by: int) -> Spans:
    return Spans.of(
        Interval(
            None if one.low is None else one.low + by,
            None if one.high is None else one.high + by,
            one.low_included,
            one.high_included,
        )
        for one in values.intervals
    )
