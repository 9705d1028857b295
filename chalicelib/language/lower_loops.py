"""Loops as code: a comprehension where the expression needs no statements, else statements."""

from typing import TYPE_CHECKING

from chalicelib.language import code
from chalicelib.language.budget import enter
from chalicelib.language.code import Expr, Local, Stmt
from chalicelib.language.lower_parts import paid_for
from chalicelib.language.tree import Const, Item, Loop, Way, weight

if TYPE_CHECKING:
    from chalicelib.language.lower import Block, Lowering


def loop(lowering: "Lowering", node: Loop, block: "Block") -> Expr:
    """The code of ``node``; statements that must run first go to ``block``."""
    source = _entered(lowering, node, block)
    item = _bind(lowering, node.item)
    if node.sofar is not None and node.start is not None:
        return _reduce(lowering, node, node.sofar, lowering.expr(node.start, block), source, item, block)
    if node.way is Way.ALL:
        # It is tested for being empty as well.
        source = lowering.named(source, block)
    statements, value = _body(lowering, node, block)
    if not statements:
        return _expression(lowering, node.way, source, item, value)
    target = lowering.fresh("t")
    match node.way:
        case Way.MAP:
            block.add(code.Assign(target, code.Display(())))
            ending: Stmt = code.Do(code.Call(lowering.bound(list.append, "op"), (target, value)))
        case Way.FILTER:
            block.add(code.Assign(target, code.Display(())))
            ending = code.If(value, (code.Do(code.Call(lowering.bound(list.append, "op"), (target, item))),))
        case Way.ALL:
            block.add(code.Assign(target, code.Not(code.Not(source))))
            ending = code.If(code.Not(value), (code.Assign(target, lowering.bound(False)), code.Break()))
        case _:
            block.add(code.Assign(target, lowering.bound(False)))
            ending = code.If(value, (code.Assign(target, lowering.bound(True)), code.Break()))
    block.add(code.For(item, source, (*statements, ending)))
    return code.Not(target) if node.way is Way.NONE else target


def _entered(lowering: "Lowering", node: Loop, block: "Block") -> Expr:
    """The list, once its items have been paid for."""
    if isinstance(node.source, Const):
        source: Expr = lowering.bound(node.source.value)
    else:
        source = lowering.expr(node.source, block)
    each = lowering.bound(weight(node.body))
    return code.Call(lowering.bound(enter, "op"), (lowering.budget, source, each))


def _bind(lowering: "Lowering", item: Item) -> Local:
    local = lowering.items[item.slot] = lowering.fresh("i")
    return local


def _body(lowering: "Lowering", node: Loop, block: "Block") -> tuple[list[Stmt], Expr]:
    lowering.loops += 1
    statements, value = lowering.branch(node.body, block.level + 1)
    if node.given:
        value = paid_for(lowering, node.body, value)
    lowering.loops -= 1
    return statements, value


def _expression(lowering: "Lowering", way: Way, source: Expr, item: Local, value: Expr) -> Expr:
    match way:
        case Way.MAP:
            return code.Comprehension(value, item, source)
        case Way.FILTER:
            return code.Comprehension(item, item, source, condition=value)
    each = code.Comprehension(value, item, source, lazy=True)
    if way is Way.ALL:
        return code.Ternary(source, code.Call(lowering.bound(all, "op"), (each,)), lowering.bound(False))
    found = code.Call(lowering.bound(any, "op"), (each,))
    return code.Not(found) if way is Way.NONE else found


def _reduce(
    lowering: "Lowering", node: Loop, sofar: Item, start: Expr, source: Expr, item: Local, block: "Block"
) -> Expr:
    accumulator = _bind(lowering, sofar)
    block.add(code.Assign(accumulator, start))
    statements, value = _body(lowering, node, block)
    block.add(code.For(item, source, (*statements, code.Assign(accumulator, value))))
    return accumulator
