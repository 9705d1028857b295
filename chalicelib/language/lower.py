"""Typed program -> code tree.

What is shared (``let``, table rows) is computed before the expression that needs it. Where it is only needed on some
path, its failure is kept until that path is taken: ``let`` means what the same expression written in place would mean.
Conditionals become statements as soon as a branch needs one, and deep ones become routines of their own, because
CPython limits how deep parentheses (200) and blocks (100) may nest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import NoReturn

from chalicelib.language import code
from chalicelib.language.budget import Budget, grown, read
from chalicelib.language.code import Bound, Expr, Local, Routine, Stmt
from chalicelib.language.faults import FAILURES, Refusal
from chalicelib.language.lower_loops import loop
from chalicelib.language.lower_parts import built, part_of
from chalicelib.language.lower_tables import index_of, routine_of
from chalicelib.language.needs import Needs
from chalicelib.language.tree import (
    AS_OF,
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
    Shared,
)
from chalicelib.language.tree import (
    Sequence as Listed,
)
from chalicelib.records import dataclass

ENTRY = "decide_0"
# Levels of the typed tree between two values that are put into variables; each is at most two parentheses.
EXPRESSION_LEVELS_MAX = 16
# Nested blocks before a branch becomes a routine; CPython allows 100 levels of indentation.
BLOCK_LEVELS_MAX = 16
# Arms of an `if` written as a chain of `elif`, which CPython nests; longer ones are written flat.
CHAIN_ARMS_MAX = 24
# Arms of an `if` written as one expression.
TERNARY_ARMS_MAX = 4

Atom = Local | Bound | code.Null
FACTS, AS_OF_LOCAL, CODE_TABLES = Local("facts"), Local("as_of"), Local("code_tables")
_FAILED = object()


def _refuse() -> NoReturn:
    """Refuse the record; the interpreter then finds out why."""
    raise Refusal("refused", "the record is refused")


@dataclass(slots=True)
class Lowered:
    """What the emitter and the loader need."""

    routines: list[Routine]
    constants: dict[str, object]


@dataclass(slots=True)
class Block:
    """Statements under construction; ``level`` counts the blocks around them."""

    level: int = 1
    body: list[Stmt] = field(default_factory=list)

    def add(self, *statements: Stmt) -> None:
        """Append statements."""
        self.body.extend(statements)


def lower(program: Program) -> Lowered:
    """The code of ``program``: one function ``ENTRY`` of facts, as_of and code_tables."""
    return Lowering(program).run()


class Lowering:
    """One program on its way to code."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.needs = Needs(program.shared)
        self.constants: dict[str, object] = {}
        self.routines: list[Routine] = []
        self.facts: dict[str, Local] = {AS_OF: AS_OF_LOCAL}
        # Shared name -> its variable and whether that may hold a kept failure.
        self.shared: dict[str, tuple[Atom, bool]] = {}
        # The variables of loops, by the slots of their items; how many loops are around; and what they may still spend.
        self.items: dict[int, Local] = {}
        self.loops = 0
        self.budget = Local("budget_0")
        self._known: dict[tuple[type, str], Bound] = {}
        self._levels = 0
        self._count = 0

    def run(self) -> Lowered:
        """The routines of the program."""
        block = Block()
        if self.program.has_lists:
            block.add(code.Assign(self.budget, code.Call(self.bound(Budget, "op"), ())))
        self._load_facts(block)
        if self.program.condition is not None:
            self._prepare([self.program.condition], block)
            condition = self.expr(self.program.condition, block)
            stop = code.Not(condition) if self.program.holds else condition
            block.add(code.If(stop, (code.Return(code.Null()),)))
        outputs = self.program.outputs
        self._prepare(outputs.values(), block)
        entries = tuple((self.bound(name), self.expr(node, block)) for name, node in outputs.items())
        block.add(code.Return(code.Record(entries)))
        parameters = (FACTS, AS_OF_LOCAL, CODE_TABLES)
        self.routines.append(Routine(ENTRY, parameters, tuple(block.body)))
        return Lowered(self.routines, self.constants)

    def bound(self, value: object, prefix: str = "c") -> Bound:
        """The name under which ``value`` is given to the program; equal scalars share one."""
        scalar = value is None or isinstance(value, bool | int | str)
        key = (type(value), repr(value) if scalar else f"object {id(value)}")
        if key not in self._known:
            self._known[key] = Bound(f"{prefix}_{len(self.constants)}")
            self.constants[self._known[key].name] = value
        return self._known[key]

    def fresh(self, prefix: str) -> Local:
        """A new variable."""
        self._count += 1
        return Local(f"{prefix}_{self._count}")

    def named(self, value: Expr, block: Block) -> Atom:
        """``value`` as something that may be written twice."""
        if isinstance(value, Local | Bound | code.Null):
            return value
        target = self.fresh("t")
        block.add(code.Assign(target, value))
        return target

    def refusal(self) -> code.Do:
        """The statement that refuses the record."""
        return code.Do(code.Call(self.bound(_refuse, "refuse"), ()))

    def expr(self, node: Node, block: Block) -> Expr:
        """The code of ``node``; statements that must run first go to ``block``."""
        self._levels += 1
        value = self._expr(node, block)
        self._levels -= 1
        if self._levels % EXPRESSION_LEVELS_MAX == EXPRESSION_LEVELS_MAX - 1:
            return self.named(value, block)
        return value

    def _expr(self, node: Node, block: Block) -> Expr:  # noqa: C901, PLR0911, PLR0912 - one return for each construct
        match node:
            case Const(value=None):
                return code.Null()
            case Const(value=list(items)):
                # A list of its own for every record: the caller may change what it is given.
                return code.Display(tuple(self.bound(item) for item in items))
            case Const(value=value):
                return self.bound(value)
            case Fact(name=name):
                return self.facts[name]
            case Shared(name=name):
                return self._shared(name, block)
            case Item(slot=slot):
                return self.items[slot]
            case Apply():
                return self._apply(node, block)
            case Every(arguments=parts) | Either(arguments=parts):
                return self._connective(parts, block, conjunction=isinstance(node, Every))
            case Choice():
                return self._choice(list(node.arms), node.otherwise, block)
            case FirstValue(arguments=parts):
                return self._first_value(parts, block)
            case Lookup():
                return self._lookup(node, block)
            case Listed(items=items, given=paid):
                return code.Display(tuple(part_of(self, item, block, paid=paid) for item in items))
            case Built():
                return built(self, node, block)
            case Loop():
                return loop(self, node, block)
        message = f"a {type(node).__name__} cannot be lowered"
        raise TypeError(message)

    def _load_facts(self, block: Block) -> None:
        never_null: list[Expr] = []
        for name, use in self.program.facts.items():
            local = self.facts[name] = self.fresh("v")
            value: Expr = code.Subscript(FACTS, self.bound(name))
            if use.optional:
                value = code.Ternary(code.Contained(self.bound(name), FACTS), value, code.Null())
            if use.empty_is_null:
                value = code.Joined("or", (value, code.Null()))
            block.add(code.Assign(local, value))
            if not use.nullable:
                never_null.append(code.Is(local, code.Null()))
        if never_null:
            missing = code.Joined("or", tuple(never_null)) if len(never_null) > 1 else never_null[0]
            block.add(code.If(missing, (self.refusal(),)))

    def _prepare(self, roots: Iterable[Node], block: Block) -> None:
        """Compute the shared values that ``roots`` need, each after what it needs itself."""
        certain, possible = self.needs.of(roots)
        for name, definition in self.program.shared.items():
            if name not in possible or name in self.shared:
                continue
            if name in certain:
                self.shared[name] = (self.named(self.expr(definition, block), block), False)
                continue
            inner = Block(block.level + 1)
            local = self.fresh("l")
            inner.add(code.Assign(local, self.expr(definition, inner)))
            rescue = code.Assign(local, self.bound(_FAILED, "failed"))
            block.add(code.Attempt(tuple(inner.body), self.bound(FAILURES, "failures"), rescue))
            self.shared[name] = (local, True)

    def _shared(self, name: str, block: Block) -> Expr:
        value, may_have_failed = self.shared[name]
        if may_have_failed:
            block.add(code.If(code.Is(value, self.bound(_FAILED, "failed")), (self.refusal(),)))
        return value

    def _apply(self, node: Apply, block: Block) -> Expr:  # noqa: C901, PLR0911 - one return for each form
        function = node.function
        if function.form is Form.FOLD:
            return self._fold(node, block)
        arguments = tuple(self.expr(argument, block) for argument in node.arguments)
        if function.reads and self.loops:
            before, read_, after = arguments[: function.read], arguments[function.read], arguments[function.read + 1 :]
            paid = code.Call(self.bound(read, "op"), (self.budget, read_, self.bound(function.reads)))
            arguments = (*before, paid, *after)
        match function.form:
            case Form.COMPARE:
                return self._comparison(function.symbol, arguments, block)
            case Form.NOT:
                return code.Not(arguments[0])
            case Form.IS_NULL:
                return code.Is(arguments[0], code.Null())
            case Form.CONTAINED:
                return code.Contained(arguments[0], arguments[1])
            case Form.SUBSCRIPT:
                return code.Subscript(arguments[0], arguments[1])
            case Form.MEMO:
                return code.Subscript(self.bound(function.data, "memo"), arguments[0])
            case Form.SHAPED:
                arguments = (*arguments, self.budget)
            case Form.FIXED:
                return self._fixed(node, arguments[0], block)
            case Form.TABLE:
                return self._table(node, arguments)
        call = code.Call(self.bound(function.call, "op"), arguments)
        if function.grows and self.loops:
            return code.Call(self.bound(grown, "op"), (self.budget, call))
        return call

    def _comparison(self, symbol: str, operands: tuple[Expr, ...], block: Block) -> Expr:
        if len(operands) > 2:
            # Python's chain would not evaluate what follows a false link, and so not refuse the record.
            operands = tuple(self.named(operand, block) for operand in operands)
        return code.Compare(symbol, operands)

    def _fold(self, node: Apply, block: Block) -> Expr:
        join = self.bound(node.function.data, "op")
        value = self.expr(node.arguments[0], block)
        for argument in node.arguments[1:-1]:
            value = self.named(code.Call(join, (value, self.expr(argument, block))), block)
        return code.Call(join, (value, self.expr(node.arguments[-1], block)))

    def _fixed(self, node: Apply, value: Expr, block: Block) -> Expr:
        quantize, step, zero = node.function.data
        if node.type.nullable:
            value = self.named(value, block)
        rounded = code.Call(self.bound(quantize, "op"), (value, self.bound(step)))
        # A zero of any sign is false, so that -0.00 becomes the zero without a sign.
        unsigned = code.Joined("or", (rounded, self.bound(zero)))
        if node.type.nullable:
            return code.Ternary(code.Is(value, code.Null()), code.Null(), unsigned)
        return unsigned

    def _table(self, node: Apply, arguments: tuple[Expr, ...]) -> Expr:
        table = node.function.data
        index = index_of(table)
        if index is not None:
            key = arguments[0] if len(arguments) == 1 else code.Display(arguments, pair=True)
            return code.Subscript(self.bound(index, "rows"), key)
        name = Bound(f"table_{len(self.routines)}")
        self.routines.append(routine_of(table, name.name, self.bound, self.refusal()))
        return code.Call(name, arguments)

    def branch(self, node: Node, level: int) -> tuple[list[Stmt], Expr]:
        """The statements and the value of a part that only some records reach, for a block at ``level``."""
        if level <= BLOCK_LEVELS_MAX:
            inner = Block(level)
            value = self.expr(node, inner)
            return inner.body, value
        inner = Block()
        value = self.expr(node, inner)
        if not inner.body:
            return [], value
        inner.add(code.Return(value))
        body = tuple(inner.body)
        parameters = tuple(sorted(code.free_in(body), key=lambda local: local.name))
        name = Bound(f"part_{len(self.routines)}")
        self.routines.append(Routine(name.name, parameters, body))
        return [], code.Call(name, parameters)

    def _connective(self, parts: Sequence[Node], block: Block, *, conjunction: bool) -> Expr:
        word = "and" if conjunction else "or"
        pure = [self.expr(parts[0], block)]
        lowered = [self.branch(part, block.level + 1) for part in parts[1:]]
        while lowered and not lowered[0][0]:
            pure.append(lowered.pop(0)[1])
        value = code.Joined(word, tuple(pure)) if len(pure) > 1 else pure[0]
        if not lowered:
            return value
        target = self.fresh("t")
        block.add(code.Assign(target, value))
        for statements, last in lowered:
            undecided = target if conjunction else code.Not(target)
            block.add(code.If(undecided, (*statements, code.Assign(target, last))))
        return target

    def _choice(self, arms: Sequence[tuple[Node, Node]], otherwise: Node, block: Block) -> Expr:
        first = self.expr(arms[0][0], block)
        conditions = [([], first), *(self.branch(condition, block.level + 1) for condition, _ in arms[1:])]
        chained = len(arms) <= CHAIN_ARMS_MAX and not any(statements for statements, _ in conditions)
        level = block.level + (1 if chained else 2)
        branches = [self.branch(value, level) for value in (*(value for _, value in arms), otherwise)]
        if chained and len(arms) <= TERNARY_ARMS_MAX and not any(statements for statements, _ in branches):
            value = branches[-1][1]
            for (_, condition), (_, chosen) in zip(reversed(conditions), reversed(branches[:-1]), strict=True):
                value = code.Ternary(condition, chosen, value)
            return value
        target = self.fresh("t")
        ends = [(*statements, code.Assign(target, value)) for statements, value in branches]
        if chained:
            tail: tuple[Stmt, ...] = ends[-1]
            for (_, condition), then in zip(reversed(conditions), reversed(ends[:-1]), strict=True):
                tail = (code.If(condition, then, tail),)
            block.add(*tail)
            return target
        held = self.fresh("held")
        block.add(code.Assign(held, first), code.If(held, ends[0]))
        for (statements, condition), then in zip(conditions[1:], ends[1:-1], strict=True):
            tested = (*statements, code.Assign(held, condition), code.If(held, then))
            block.add(code.If(code.Not(held), tested))
        block.add(code.If(code.Not(held), ends[-1]))
        return target

    def _first_value(self, parts: Sequence[Node], block: Block) -> Expr:
        value = self.expr(parts[0], block)
        if not parts[0].type.nullable or len(parts) == 1:
            return value
        target = self.fresh("t")
        block.add(code.Assign(target, value))
        for part in parts[1:]:
            statements, last = self.branch(part, block.level + 1)
            block.add(code.If(code.Is(target, code.Null()), (*statements, code.Assign(target, last))))
            if not part.type.nullable:
                break
        return target

    def _lookup(self, node: Lookup, block: Block) -> Expr:
        table: Expr = code.Subscript(CODE_TABLES, self.bound(node.table))
        key = self.expr(node.key, block)
        if node.default is None:
            return code.Subscript(table, key)
        table, key = self.named(table, block), self.named(key, block)
        found = code.Contained(key, table)
        statements, default = self.branch(node.default, block.level + 1)
        if not statements:
            return code.Ternary(found, code.Subscript(table, key), default)
        target = self.fresh("t")
        block.add(
            code.If(
                found,
                (code.Assign(target, code.Subscript(table, key)),),
                (*statements, code.Assign(target, default)),
            )
        )
        return target
