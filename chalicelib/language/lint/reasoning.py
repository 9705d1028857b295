"""What values an expression can have, given what is known on the way to it.

Every answer is a set that is never too small, so "always", "never" and "unreachable" are true whenever they are said.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import product
from typing import Any

from chalicelib.language.declared import Declared
from chalicelib.language.faults import Refusal
from chalicelib.language.intervals import Interval, Members
from chalicelib.language.kinds import Kind
from chalicelib.language.lint.domains import (
    BOTH,
    NO_VALUE,
    NULL_ONLY,
    Domain,
    Picks,
    Values,
    minus,
    of_cell,
    of_declared,
    of_type,
    of_values,
)
from chalicelib.language.lint.functions import COUNTERPARTS, computed, counted_alike
from chalicelib.language.lint.knowledge import ANY_SIGN, Keys, Knowledge, Signs
from chalicelib.language.lint.normalized import never_normalized
from chalicelib.language.lint.spans import Spans
from chalicelib.language.needs import Needs
from chalicelib.language.tables import Table
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
    Item,
    Lookup,
    Loop,
    Node,
    Program,
    Shared,
    Way,
    walk,
)

# Expressions that are looked at before the rest is taken to hold anything: a rule may branch on what branches.
STEPS_MAX = 20_000
# Combinations of few values for which a function is simply called.
COMBINATIONS_MAX = 64
LISTED_MAX = 16
_SIGNS = {
    "==": frozenset("="),
    "!=": frozenset("<>"),
    "<": frozenset("<"),
    "<=": frozenset("<="),
    ">": frozenset(">"),
    ">=": frozenset(">="),
}


class Reasoner:
    """Answers for one program. ``exhausted``: it has given up on precision, its answers are still true."""

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, Declared],
        needs: Needs,
        days: tuple[date | None, date | None] = (None, None),
    ) -> None:
        self.program = program
        # The days on which the rule may decide, both included.
        self._days = days
        self.keys = Keys()
        self._inputs = inputs
        self._needs = needs
        self._steps = 0
        # What constants and inputs can be whatever is known, by the identity of the node.
        self._anyway: dict[int, Domain] = {}
        # Whether open conditions are being looked at again.
        self.again = False
        roots = (*program.shared.values(), *program.outputs.values(), *filter(None, [program.condition]))
        self._impossible = never_normalized(node for root in roots for node in walk(root))
        self._counts = {
            node.function.name: node.function
            for root in roots
            for node in walk(root)
            if isinstance(node, Apply) and node.function.name in {"months_between", "years_between"}
        }
        self._loops = {node.item.slot: node for root in roots for node in walk(root) if isinstance(node, Loop)}

    @property
    def exhausted(self) -> bool:
        """Whether too much was asked."""
        return self._steps > STEPS_MAX

    def of(self, node: Node, known: Knowledge) -> Domain:
        """What ``node`` can be, where ``known`` is the case."""
        found = known.cache.get(id(node))
        if found is not None:
            return found
        self._steps += 1
        if self.exhausted:
            return of_type(node.type)
        if isinstance(node, Shared):
            self._prepare(node.name, known)
        if isinstance(node, Const | Fact):
            if id(node) not in self._anyway:
                self._anyway[id(node)] = self._of(node, known)
            found = self._anyway[id(node)]
        else:
            found = self._of(node, known)
        if not node.type.nullable:
            found = found.without_null()
        assumed = known.domains.get(self.keys.of(node))
        if assumed is not None:
            found = found.meet(assumed)
        known.cache[id(node)] = found
        return found

    def holds(self, node: Node, known: Knowledge) -> frozenset[bool]:
        """How a condition can come out."""
        values = self.of(node, known).values
        return values.values if isinstance(values, Picks) and not values.excluded else frozenset({True, False})

    def compared(self, left: Node, right: Node, known: Knowledge) -> Signs:
        """How two expressions can compare."""
        signs = known.compared(self.keys.of(left), self.keys.of(right))
        return signs & _possible_signs(self.of(left, known).values, self.of(right, known).values)

    def rows(self, table: Table, known: Knowledge) -> list[int]:
        """The rows of a table that some record may hit, by their cells alone."""
        columns = [self.of(node, known).values for node in table.inputs]
        return [
            index
            for index, row in enumerate(table.rows)
            if not any(of_cell(cell, column).is_empty() for cell, column in zip(row, columns, strict=True))
        ]

    def table_of(self, node: Node) -> Table | None:
        """The table whose row ``node`` stands for."""
        if isinstance(node, Shared):
            node = self.program.shared[node.name]
        if isinstance(node, Apply) and node.function.form is Form.TABLE and isinstance(node.function.data, Table):
            return node.function.data
        return None

    def declared(self, node: Node) -> Declared | None:
        """The declaration behind an input, a field of one, or an item of one."""
        match node:
            case Fact(name=name):
                return self._inputs.get(name)
            case Item(slot=slot) if slot in self._loops:
                source = self.declared(self._loops[slot].source)
                return source.items if source is not None else None
            case Loop(way=Way.FILTER, source=source):
                return self.declared(source)
            case Apply(function=function, arguments=(base, Const(value=str(name)))) if function.form is Form.SUBSCRIPT:
                whole = self.declared(base)
                return whole.fields.get(name) if whole is not None and whole.fields else None
        return None

    def _prepare(self, name: str, known: Knowledge) -> None:
        """Look at definitions in their order, so that a long chain of them is not a deep one."""
        definition = self.program.shared[name]
        if id(definition) in known.cache:
            return
        _, possible = self._needs.of([definition])
        for other, node in self.program.shared.items():
            if other in possible and id(node) not in known.cache:
                self.of(node, known)

    def _of(self, node: Node, known: Knowledge) -> Domain:  # noqa: C901, PLR0911 - one return for each construct
        match node:
            case Const(value=value):
                return of_values([value]) if not isinstance(value, list | frozenset) else of_type(node.type)
            case Fact(name=name) if name == AS_OF:
                return of_type(node.type).meet(Domain(Spans.of([Interval(*self._days)])))
            case Fact(name=name) if name in self._inputs:
                return self._declared(self._inputs[name])
            case Shared(name=name):
                return self.of(self.program.shared[name], known)
            case Every(arguments=parts):
                return self._connective(parts, known, conjunction=True)
            case Either(arguments=parts):
                return self._connective(parts, known, conjunction=False)
            case Choice():
                return self._choice(node, known)
            case FirstValue(arguments=parts):
                return self._first(parts, known)
            case Lookup(default=default):
                found = of_type(node.type).without_null()
                return found if default is None else found.join(self.of(default, known))
            case Apply():
                return self._apply(node, known)
            case Item():
                declared = self.declared(node)
                return of_type(node.type) if declared is None else self._declared(declared)
        return of_type(node.type)

    def _declared(self, declared: Declared) -> Domain:
        """What a declared value can be; a text that is normalized is none of those that the rule writes otherwise."""
        found = of_declared(declared)
        for how in declared.normalize if declared.type == "string" else ():
            found = found.meet(Domain(Picks(self._impossible[how], excluded=True), found.null))
        return found

    def _connective(self, parts: tuple[Node, ...], known: Knowledge, *, conjunction: bool) -> Domain:
        can_stop = False
        current: Knowledge | None = known
        for part in parts:
            if current is None:
                break
            held = self.holds(part, current)
            can_stop = can_stop or (not conjunction) in held
            if conjunction not in held:
                current = None
                break
            current = self.assume(part, current, holds=conjunction)
        ways = {not conjunction} if can_stop else set()
        return Domain(Picks(frozenset(ways | ({conjunction} if current is not None else set()))))

    def _choice(self, node: Choice, known: Knowledge) -> Domain:
        found = Domain(NO_VALUE)
        current: Knowledge | None = known
        for condition, value in node.arms:
            if current is None:
                return found
            taken = self.assume(condition, current, holds=True)
            if taken is not None:
                found = found.join(self.of(value, taken))
            current = self.assume(condition, current, holds=False)
        return found if current is None else found.join(self.of(node.otherwise, current))

    def _first(self, parts: tuple[Node, ...], known: Knowledge) -> Domain:
        found = Domain(NO_VALUE)
        for part in parts:
            domain = self.of(part, known)
            found = found.join(domain.without_null())
            if not domain.null:
                return found
        return found.join(NULL_ONLY)

    def _apply(self, node: Apply, known: Knowledge) -> Domain:  # noqa: C901, PLR0911 - one return for each form
        match node.function.form:
            case Form.COMPARE:
                return self._comparison(node, known)
            case Form.NOT:
                return Domain(Picks(frozenset(not held for held in self.holds(node.arguments[0], known))))
            case Form.IS_NULL:
                argument = self.of(node.arguments[0], known)
                return of_values([*([True] if argument.null else []), *([] if argument.values.is_empty() else [False])])
            case Form.SUBSCRIPT:
                return self._subscript(node, known)
            case Form.CONTAINED:
                return self._contained(node, known)
            case Form.TABLE:
                return of_type(node.type)
        arguments = [self.of(argument, known) for argument in node.arguments]
        if any(argument.is_empty() for argument in arguments):
            return Domain(NO_VALUE)
        listed = _combinations(arguments)
        if listed is not None:
            return of_values(_results(node, listed)) if node.type.kind not in _NESTED else of_type(node.type)
        if isinstance(node.function.data, Interval):
            return _membership(arguments[0], node.function.data)
        signs = ANY_SIGN
        if [argument.type.kind for argument in node.arguments] == [Kind.DATE, Kind.DATE]:
            signs = self.compared(node.arguments[0], node.arguments[1], known)
        found = computed(node, arguments, signs)
        other = self._counts.get(COUNTERPARTS.get(node.function.name, ""))
        counted = None if other is None else known.domains.get(self.keys.applied(other, node.arguments))
        return found if counted is None else found.meet(counted_alike(node.function.name, counted))

    def _subscript(self, node: Apply, known: Knowledge) -> Domain:
        row, key = node.arguments
        table = self.table_of(row)
        if table is None or table.policy.gather is not None or not isinstance(key, Const):
            declared = self.declared(node)
            return of_type(node.type) if declared is None else self._declared(declared)
        return of_values(table.results[index][key.value] for index in self.rows(table, known))

    def _contained(self, node: Apply, known: Knowledge) -> Domain:
        item, container = node.arguments
        if not isinstance(container, Const) or not isinstance(container.value, frozenset) or not container.value:
            return BOTH
        return _membership(self.of(item, known), Members.of(container.value))

    def _comparison(self, node: Apply, known: Knowledge) -> Domain:
        wanted = _SIGNS[node.function.symbol]
        held = frozenset({True})
        for left, right in zip(node.arguments, node.arguments[1:], strict=False):
            signs = self.compared(left, right, known)
            link = frozenset([*([True] if signs & wanted else []), *([False] if signs - wanted else [])])
            held = frozenset(one and other for one in held for other in link)
        return Domain(Picks(held))

    def assume(self, node: Node, known: Knowledge, *, holds: bool) -> Knowledge | None:
        """What is known when ``node`` comes out as ``holds`` as well; None when it cannot."""
        from chalicelib.language.lint.assuming import assumed

        return assumed(self, node, known, holds=holds)

    def narrowed(self, node: Node, domain: Domain, known: Knowledge) -> Knowledge | None:
        """What is known when ``node`` has a value of ``domain`` as well; None when it cannot."""
        from chalicelib.language.lint.assuming import narrowed

        return narrowed(self, node, domain, known)


_NESTED = (Kind.LIST, Kind.OBJECT)


def _combinations(arguments: list[Domain]) -> list[tuple[Any, ...]] | None:
    """Every combination of argument values when they are few."""
    count = 1
    each: list[list[Any]] = []
    for argument in arguments:
        values = argument.listed(LISTED_MAX)
        if values is None:
            return None
        count *= len(values)
        if count > COMBINATIONS_MAX:
            return None
        each.append(values)
    return list(product(*each))


def _results(node: Apply, combinations: list[tuple[Any, ...]]) -> Iterator[Any]:
    for combination in combinations:
        try:
            yield node.function.call(*combination)
        except (Refusal, ArithmeticError, LookupError):
            # The record is refused: no value comes of this combination.
            continue


def _membership(item: Domain, cell: Interval | Members) -> Domain:
    """How the question comes out whether something of ``item`` is one of the values of ``cell``."""
    inside, outside = of_cell(cell, item.values), minus(item.values, cell)
    return of_values([*([] if inside.is_empty() else [True]), *([] if outside.is_empty() else [False])])


def _possible_signs(left: Values, right: Values) -> Signs:
    if isinstance(left, Picks) and isinstance(right, Picks):
        return _signs_of_picks(left, right)
    if not isinstance(left, Spans) or not isinstance(right, Spans):
        return ANY_SIGN
    if left.is_empty() or right.is_empty():
        return frozenset()
    signs = set()
    if left.low is None or right.high is None or left.low < right.high:
        signs.add("<")
    if right.low is None or left.high is None or right.low < left.high:
        signs.add(">")
    if not left.meet(right).is_empty():
        signs.add("=")
    return frozenset(signs)


def _signs_of_picks(left: Picks, right: Picks) -> Signs:
    if left.is_empty() or right.is_empty():
        return frozenset()
    same = left.meet(right)
    if same.is_empty():
        return frozenset("<>")
    only = not left.excluded and not right.excluded and len(left.values | right.values) == 1
    return frozenset("=") if only else ANY_SIGN
