"""What a name in a rule stands for: an input, a ``let``, an item of a loop, a field of an object in one of them.

Inside a loop the names around it stay visible. A name that could be two things is refused: which of them is meant would
otherwise change silently when an input is added.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib.language.faults import clip
from chalicelib.language.kinds import Kind, Type
from chalicelib.language.places import FIELD, HIT, Narrowed, narrow
from chalicelib.language.tree import Apply, Const, Fact, Item, Node, Shared
from chalicelib.records import dataclass

if TYPE_CHECKING:
    from chalicelib.language.check import Checker


@dataclass(frozen=True, slots=True)
class Scope:
    """What one loop binds: its ``item``, or in a ``reduce`` values by ``named``."""

    item: Item | None
    named: Mapping[str, Item]


# A meaning of a name: what it is in words, the node it starts from, and the fields that lead on from there.
Meaning = tuple[str, Node, list[str]]


def resolve(checker: "Checker", name: str, pointer: str, narrowed: Narrowed) -> Node:
    """The typed node that ``name`` stands for; a fault and an unknown node when it is none, or could be several."""
    if not name or name.startswith("."):
        return _of_item(checker, name, pointer, narrowed)
    meanings = [*_outer(checker, name, pointer), *_inner(checker.scopes, name, pointer)]
    if not meanings:
        if not any(scope.item is not None and scope.item.type.kind is Kind.UNKNOWN for scope in checker.scopes):
            checker.report.unknown(pointer, "field", name, _known(checker))
        return Const(pointer, _UNKNOWN, None)
    if len(meanings) > 1:
        return _ambiguous(checker, name, pointer, meanings)
    _, node, path = meanings[0]
    return field_of(checker, narrow(node, narrowed), path, narrowed)


def field_of(checker: "Checker", node: Node, path: list[str], narrowed: Narrowed) -> Node:
    """The field of an object to which ``path`` leads."""
    for name in path:
        if node.type.kind is Kind.LIST:
            hint = 'go through its items: {"map": [list, {"var": "' + clip(name) + '"}]}'
            return checker.mismatch(node, Kind.OBJECT, suggestion=hint)
        node = checker.required(node, Kind.OBJECT)
        if node.type.kind is Kind.UNKNOWN:
            return node
        fields = node.type.fields or {}
        if name not in fields:
            checker.report.unknown(node.pointer, "field", name, fields)
            return Const(node.pointer, _UNKNOWN, None)
        key = Const(node.pointer, Type(Kind.STRING), name)
        node = narrow(Apply(node.pointer, fields[name], FIELD, (node, key)), narrowed)
    return node


def _of_item(checker: "Checker", name: str, pointer: str, narrowed: Narrowed) -> Node:
    """``""`` is the item of the innermost loop, ``.field`` its field."""
    item = checker.scopes[-1].item if checker.scopes else None
    if item is None:
        inside = bool(checker.scopes)
        checker.report.add(
            pointer,
            "unknown_field",
            "there is no item here",
            expected="`current` or `accumulator`" if inside else "the name of a field",
            found=f'"{clip(name)}"',
            suggestion="a `reduce` calls its item `current`"
            if inside
            else "an item exists inside `map`, `filter`, `all`, `some` and `none` only",
        )
        return Const(pointer, _UNKNOWN, None)
    path = name.split(".")[1:]
    return field_of(checker, narrow(replace(item, pointer=pointer), narrowed), path, narrowed)


def _outer(checker: "Checker", name: str, pointer: str) -> Iterator[Meaning]:
    """A name of the document itself."""
    root, dot, rest = name.partition(".")
    for known, path in ((name, []), (root, rest.split("."))):
        if path and not dot:
            return
        if known in checker.facts:
            what = "the date of the decision" if known == "as_of" else "an input"
            yield what, Fact(pointer, checker.facts[known], known), path
            return
        if known in checker.shared and not known.startswith(HIT):
            definition = checker.shared[known]
            kind = _UNKNOWN if definition is None else definition.type
            yield "a `let`", Shared(pointer, kind, known), path
            return


def _inner(scopes: list[Scope], name: str, pointer: str) -> Iterator[Meaning]:
    """A name that a loop binds; of `reduce` inside `reduce`, the inner one's."""
    root, _, rest = name.partition(".")
    path = rest.split(".") if rest else []
    reduced = False
    for scope in reversed(scopes):
        if root in scope.named and not reduced:
            reduced = True
            yield "a value of the `reduce`", replace(scope.named[root], pointer=pointer), path
        elif scope.item is not None and root in (scope.item.type.fields or {}):
            what = "a field of the item" if scope is scopes[-1] else "a field of an outer item"
            yield what, replace(scope.item, pointer=pointer), [root, *path]


def _ambiguous(checker: "Checker", name: str, pointer: str, meanings: list[Meaning]) -> Node:
    whats = [what for what, _, _ in meanings]
    suggestion = "give one of them another name"
    if "a field of the item" in whats:
        suggestion = f"write `.{clip(name)}` for the item's field; for the other, name it differently in `let`"
    elif "a field of an outer item" in whats:
        suggestion = "give the outer item's field another name with `map` and `object`"
    checker.report.add(
        pointer,
        "ambiguous_name",
        f"`{clip(name)}` is both {' and '.join(whats[:2])}",
        expected="a name that stands for one thing",
        found=clip(name),
        suggestion=suggestion,
    )
    return Const(pointer, _UNKNOWN, None)


def _known(checker: "Checker") -> list[str]:
    outer = [*checker.facts, *(name for name in checker.shared if not name.startswith(HIT))]
    inner = [
        name
        for scope in checker.scopes
        for name in (scope.named if scope.item is None else scope.item.type.fields or {})
    ]
    return [*outer, *inner]


_UNKNOWN = Type(Kind.UNKNOWN)
