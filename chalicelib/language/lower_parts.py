"""Parts of lists and objects as code, paid for where they are given out."""

from typing import TYPE_CHECKING

from chalicelib.language import code
from chalicelib.language.budget import given, without_nulls
from chalicelib.language.code import Expr
from chalicelib.language.tree import Apply, Built, Node, is_long

if TYPE_CHECKING:
    from chalicelib.language.lower import Block, Lowering


def part_of(lowering: "Lowering", node: Node, block: "Block", *, paid: bool) -> Expr:
    """The code of a part of a list or an object; ``paid``: as a part of an output."""
    value = lowering.expr(node, block)
    return paid_for(lowering, node, value) if paid else value


def paid_for(lowering: "Lowering", node: Node, value: Expr) -> Expr:
    """``value``, paid for if it may be long and was not paid for when it was built."""
    if not is_long(node) or (lowering.loops and isinstance(node, Apply) and node.function.grows):
        return value
    return code.Call(lowering.bound(given, "op"), (lowering.budget, value))


def built(lowering: "Lowering", node: Built, block: "Block") -> Expr:
    """The object that ``node`` builds."""
    record = code.Record(
        tuple(
            (lowering.bound(name), part_of(lowering, one, block, paid=node.given)) for name, one in node.fields.items()
        )
    )
    if not node.omitted:
        return record
    return code.Call(lowering.bound(without_nulls, "op"), (record, lowering.bound(node.omitted)))
