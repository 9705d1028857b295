"""What the items of a list are: asked by every operator that takes a list."""

from chalicelib.language.check import Checker, wrong
from chalicelib.language.kinds import UNKNOWN, Kind, Type, words
from chalicelib.language.parse import Tree
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Node


def listed(checker: Checker, tree: Tree, narrowed: Narrowed) -> Node:
    """A list, never null, whose items have a type; else a fault and an unknown node."""
    return with_items(checker, checker.value(tree, narrowed, Kind.LIST))


def with_items(checker: Checker, node: Node) -> Node:
    """``node``, unless it is the empty list as it is written, whose items have no type."""
    if node.type.kind is Kind.LIST and node.type.item is None:
        checker.report.add(
            node.pointer,
            "wrong_type",
            "an empty list has no items to speak of",
            expected="a list whose items have a type",
            found="an empty list",
        )
        return wrong(node.pointer)
    return node


def items_of(checker: Checker, node: Node, *kinds: Kind) -> Type:
    """The type of a list's items, which must be of ``kinds`` and never null; else a fault and the unknown type."""
    item = node.type.item
    if item is None or item.kind is Kind.UNKNOWN:
        return UNKNOWN
    if item.kind in kinds and not item.nullable:
        return item
    checker.report.add(
        node.pointer,
        "may_be_null" if item.kind in kinds else "wrong_type",
        f"expected a list of {words(*kinds)}, found a list of {item.words}",
        expected=f"a list of {words(*kinds)}, never null",
        found=f"a list of {item.words}",
        suggestion='leave out the nulls: {"filter": [list, {"!=": [{"var": ""}, null]}]}' if item.nullable else None,
    )
    return UNKNOWN
