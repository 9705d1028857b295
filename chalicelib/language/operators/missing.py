"""Which inputs a record comes without: for rules that judge records, not for guarding uses (see ``narrow``)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.kinds import TEXT, list_of
from chalicelib.language.operators.logic import unknown
from chalicelib.language.parse import Call, Items, Tree
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Apply, Fact, Function, Node


def _missing(checker: Checker, call: Call, _: Narrowed) -> Node:
    return _asked(checker, call, call.arguments, lambda names: _names_of_nulls(names, 0))


def _missing_some(checker: Checker, call: Call, _: Narrowed) -> Node:
    names = call.arguments[1]
    if not isinstance(names, Items):
        checker.constant(names, "a list of names of inputs", lambda _: False)
        return wrong(call.pointer)
    needed = checker.constant(
        call.arguments[0],
        f"how many of them are needed, 1 to {len(names.items)}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(names.items),
    )
    if needed is None:
        return wrong(call.pointer)
    return _asked(checker, call, names.items, lambda written: _names_of_nulls(written, len(written) - needed))


def _asked(
    checker: Checker, call: Call, trees: Sequence[Tree], of: Callable[[Sequence[str]], Callable[..., list[str]]]
) -> Node:
    names: list[str] = []
    facts: list[Node] = []
    for tree in trees:
        name = checker.constant(tree, "the name of an input", lambda value: isinstance(value, str))
        if isinstance(name, str):
            names.append(name)
            facts.append(_input(checker, tree, name))
    if len(names) < len(trees) or unknown(*facts):
        return wrong(call.pointer)
    kind = list_of(replace(TEXT, values=tuple(dict.fromkeys(names))))
    return Apply(call.pointer, kind, Function(call.operator, of(names)), tuple(facts))


def _input(checker: Checker, tree: Tree, name: str) -> Node:
    """The input of this name, which may be null."""
    if name not in checker.facts:
        checker.report.unknown(tree.pointer, "input", name, checker.facts)
        return wrong(tree.pointer)
    kind = checker.facts[name]
    if not kind.nullable:
        checker.report.add(
            tree.pointer,
            "never_null",
            f"`{name}` is never missing: a record without it is refused",
            expected="an input that may be null",
            found=kind.words,
            suggestion='declare it with "nullable": true or "required": false',
        )
        return wrong(tree.pointer)
    return Fact(tree.pointer, kind, name)


def _names_of_nulls(names: Sequence[str], tolerated: int) -> Callable[..., list[str]]:
    def missing(*values: object) -> list[str]:
        found = [name for name, value in zip(names, values, strict=True) if value is None]
        return found if len(found) > tolerated else []

    return missing


OPERATORS = (
    Operator("missing", 1, None, "(name, …) -> list of text", "Which of these inputs are null or absent.", _missing),
    Operator(
        "missing_some",
        2,
        2,
        "(count, [name, …]) -> list of text",
        "Those that are null or absent, if fewer than `count` of the inputs have a value; else none.",
        _missing_some,
    ),
)
