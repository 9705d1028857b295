"""Compatibility mode: plain JsonLogic, with JavaScript's semantics, through the product's compiler.

A rule takes the product's way except at one stage. **Shared with the product**: ``parse.expression`` reads it
(pointers, depth, wrong shapes); the nodes are ``tree``'s; ``needs``, ``lower``, ``emit`` and ``load`` make the function
that decides, inside ``Compiled``; and ``interpret`` reads the same tree a second time. **Not shared**: the checker. The
strict one of the product refuses nearly all of these rules by design (no types, coercions, missing fields), so this
module takes its place: it types nothing, and its functions (``javascript``) convert as JavaScript does. So the official
cases hold the back half of the compiler and the shape of the language, not the strict operators; those are held to the
same outside engines, where they mean the same, by ``test_strict_agreement``.

How constructs are written: ``and`` and ``or`` give one of their operands, so each operand is bound to a name and the
whole is a ``Choice``; where only their truth counts they are ``Every`` and ``Either``. ``map`` and its like are
``Loop``, in which the item takes the place of the data, since JsonLogic sees nothing else there; in a ``reduce`` the
data are a ``Built`` object.
"""

from collections.abc import Callable
from datetime import date
from functools import partial, reduce
from itertools import count
from typing import Any

from chalicelib.language import Compiled, json_value
from chalicelib.language.faults import Refusal, Report
from chalicelib.language.kinds import BOOLEAN, Kind, Type
from chalicelib.language.parse import Call, Grammar, Items, Literal, Tree, expression
from chalicelib.language.tree import (
    Apply,
    Built,
    Choice,
    Const,
    Either,
    Every,
    Fact,
    FactUse,
    Form,
    Function,
    Item,
    Loop,
    Node,
    Program,
    Sequence,
    Shared,
    Way,
)
from tests.compatibility import javascript

ANY = Type(Kind.UNKNOWN, nullable=True)
DATA, RESULT = "data", "result"
NO_DAY = date(1970, 1, 1)

_NOT = Function("!", lambda held: not held, Form.NOT)
_TRUTHY = Function("!!", javascript.truthy)
_NUMBER = Function("parseFloat", javascript.leading_number)
_ARRAY = Function("array", lambda value: value if isinstance(value, list) else [])
_ONLY = Function("only", lambda items: items[0])


def _fold(join: Callable[[float, float], float]) -> Function:
    return Function("fold", lambda *values: reduce(join, values), Form.FOLD, data=join)


_FOLDS = {"+": _fold(lambda left, right: left + right), "*": _fold(lambda left, right: left * right)}
_SCOPED = ("map", "filter", "reduce", "all", "some", "none")
_LAZY = ("if", "?:", "and", "or", "!", "!!")
GRAMMAR: Grammar = dict.fromkeys((*_LAZY, *_SCOPED, *_FOLDS, *javascript.EAGER, *javascript.READING), (0, ()))


def compile_plain(rule: Any) -> Callable[[Any], Any]:
    """A rule of plain JsonLogic as a function of its data; raises ``RuleRefused`` for what is no rule.

    The function raises ``DecisionRefused`` where JavaScript would throw a TypeError.
    """
    report = Report()
    tree = expression(rule, "", GRAMMAR, report)
    report.refuse_if_any()
    compiled = _compiled(tree)

    def evaluate(data: Any) -> Any:
        facts = {DATA: javascript.from_json(data)}
        decided = compiled.decide(facts, as_of=NO_DAY)
        explained = compiled.explain(facts, as_of=NO_DAY)
        assert decided is not None
        assert explained["outputs"] == json_value(decided)
        return javascript.to_json(decided[RESULT])

    evaluate.compiled = compiled  # type: ignore[attr-defined]
    return evaluate


def _compiled(tree: Tree) -> Compiled:
    checker = _Checker()
    node = checker.value(tree)
    program = Program({DATA: FactUse(nullable=True, optional=True)}, checker.shared, None, {RESULT: node})
    return Compiled(program, inputs={}, outputs={}, aggregates={}, code_tables=frozenset())


class _Checker:
    """Parse trees -> nodes, without types."""

    def __init__(self) -> None:
        self.shared: dict[str, Node] = {}
        # What `var` looks into here; inside a loop it is made of the loop's items.
        self.data: Node = Fact("", ANY, DATA)
        self.loops = 0
        self.slots = count()

    def value(self, tree: Tree) -> Node:
        """The node of a rule."""
        match tree:
            case Literal(value=value):
                return Const(tree.pointer, ANY, javascript.from_json(value))
            case Items(items=items):
                return Sequence(tree.pointer, ANY, tuple(map(self.value, items)))
            case Call():
                return self._call(tree)
        raise TypeError(type(tree).__name__)

    def condition(self, tree: Tree) -> Node:
        """The node of a rule of which only the truth counts."""
        match tree:
            case Call(operator="!" | "!!" as operator):
                if not tree.arguments:
                    return Const(tree.pointer, BOOLEAN, operator == "!")
                held = self.condition(tree.arguments[0])
                return _not(held) if operator == "!" else held
            case Call(operator="and" | "or" as operator) if tree.arguments:
                parts = tuple(map(self.condition, tree.arguments))
                return (Every if operator == "and" else Either)(tree.pointer, BOOLEAN, parts)
        return Apply(tree.pointer, BOOLEAN, _TRUTHY, (self.value(tree),))

    def _call(self, call: Call) -> Node:  # noqa: PLR0911 - one return for each family
        match call.operator:
            case "if" | "?:":
                return self._choice(call)
            case "and" | "or":
                return self._connective(call)
            case "!" | "!!":
                return self.condition(call)
            case "+" | "*":
                return self._fold(call)
            case operator if operator in _SCOPED:
                return self._scoped(call)
            case operator if operator in javascript.READING:
                function = Function(operator, javascript.READING[operator])
                return Apply(call.pointer, ANY, function, (self.data, *map(self.value, call.arguments)))
        function = Function(call.operator, javascript.EAGER[call.operator])
        return Apply(call.pointer, ANY, function, tuple(map(self.value, call.arguments)))

    def _choice(self, call: Call) -> Node:
        parts = call.arguments
        arms = tuple(
            (self.condition(parts[index]), self.value(parts[index + 1])) for index in range(0, len(parts) - 1, 2)
        )
        otherwise = self.value(parts[-1]) if len(parts) % 2 else _null(call)
        return Choice(call.pointer, ANY, arms, otherwise) if arms else otherwise

    def _connective(self, call: Call) -> Node:
        if not call.arguments:
            return _null(call)
        *before, last = map(self.value, call.arguments)
        whole = last
        for node in reversed(before):
            whole = self._bound(node, partial(self._either, call, whole))
        return whole

    def _either(self, call: Call, otherwise: Node, operand: Node) -> Node:
        """The operand if it decides an ``and`` or ``or``, else what follows."""
        held = Apply(operand.pointer, BOOLEAN, _TRUTHY, (operand,))
        return Choice(call.pointer, ANY, ((_not(held) if call.operator == "and" else held, operand),), otherwise)

    def _bound(self, node: Node, use: Callable[[Node], Node]) -> Node:
        """``use`` of a node that is evaluated once: as a shared value or, in a loop, where those cannot be, an item."""
        if not self.loops:
            name = f"operand {len(self.shared)}"
            self.shared[name] = node
            return use(Shared(node.pointer, ANY, name))
        item = self._item(node)
        only = Sequence(node.pointer, ANY, (node,))
        return Apply(node.pointer, ANY, _ONLY, (Loop(node.pointer, ANY, Way.MAP, only, item, use(item)),))

    def _item(self, node: Node) -> Item:
        return Item(node.pointer, ANY, next(self.slots))

    def _fold(self, call: Call) -> Node:
        parts = tuple(map(self.value, call.arguments))
        numbers = tuple(Apply(part.pointer, ANY, _NUMBER, (part,)) for part in parts)
        if len(parts) >= 2:
            return Apply(call.pointer, ANY, _FOLDS[call.operator], numbers)
        if call.operator == "+":
            return numbers[0] if numbers else Const(call.pointer, ANY, 0.0)
        # The product of one argument is that argument as it is; of none, JavaScript throws.
        return parts[0] if parts else Apply(call.pointer, ANY, _NO_PRODUCT, ())

    def _scoped(self, call: Call) -> Node:
        listed, body, start = (*call.arguments, *[Literal(call.pointer, None)] * 3)[:3]
        items = Apply(call.pointer, ANY, _ARRAY, (self.value(listed),))
        way, item = Way(call.operator), self._item(items)
        if way is not Way.REDUCE:
            inside = self._inside(item, body, self.value if way is Way.MAP else self.condition)
            return Loop(call.pointer, ANY, way, items, item, inside)
        first, sofar = self.value(start), self._item(items)
        both = Built(call.pointer, ANY, {"current": item, "accumulator": sofar})
        return Loop(call.pointer, ANY, way, items, item, self._inside(both, body, self.value), sofar, first)

    def _inside(self, data: Node, body: Tree, read: Callable[[Tree], Node]) -> Node:
        around, self.data = self.data, data
        self.loops += 1
        node = read(body)
        self.loops -= 1
        self.data = around
        return node


def _no_product() -> None:
    raise Refusal("type_error", "a product of nothing")


_NO_PRODUCT = Function("*", _no_product)


def _not(node: Node) -> Node:
    return Apply(node.pointer, BOOLEAN, _NOT, (node,))


def _null(call: Call) -> Node:
    return Const(call.pointer, ANY, None)
