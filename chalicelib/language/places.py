"""Places: facts, ``let`` values, items of loops, and the fields of objects in them, by a name of their own.

What a condition proves of a place ("it is not null") holds wherever the same place is read behind that condition.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.language.faults import Refusal
from chalicelib.language.tree import Apply, Const, Fact, Form, Function, Item, Node, Shared

# Places that are known not to be null here.
Narrowed = frozenset[str]
NOTHING: Narrowed = frozenset()
# The row that a table's conditions select is shared under its own kind of name, which no document can spell.
HIT = "table\0"


def place(node: Node) -> str | None:
    """The name under which a node's nullness is known, or None when it has none."""
    if isinstance(node, Fact | Shared):
        return node.name
    if isinstance(node, Item):
        return f"item\0{node.slot}"
    if isinstance(node, Apply) and node.function is FIELD and isinstance(node.arguments[1], Const):
        base = place(node.arguments[0])
        return None if base is None else f"{base}.{node.arguments[1].value}"
    return None


def narrow(node: Node, narrowed: Narrowed) -> Node:
    """``node`` without null in its type, if a condition has proved that of its place."""
    if node.type.nullable and place(node) in narrowed:
        return replace(node, type=node.type.without_null())
    return node


def _field_of(value: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any typed value
    if name not in value:
        raise Refusal("missing", f"the field {name} is missing")
    return value[name]


FIELD = Function("field", _field_of, Form.SUBSCRIPT)
