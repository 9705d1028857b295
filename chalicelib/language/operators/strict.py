"""How plain operators are declared: typed arguments, all evaluated, none null."""

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.kinds import Kind, Type
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Apply, Function, Node


def strict(
    name: str,
    parameters: Sequence[tuple[Kind, ...]],
    result: Type,
    call: Callable[..., Any],
    summary: str,
    *,
    optional: int = 0,
    grows: bool = False,
) -> Operator:
    """An operator whose arguments have the kinds of ``parameters``, of which the last ``optional`` may be left out."""
    function = Function(name, call, grows=grows)

    def check(checker: Checker, written: Call, narrowed: Narrowed) -> Node:
        arguments = tuple(
            checker.value(argument, narrowed, *kinds)
            for argument, kinds in zip(written.arguments, parameters, strict=False)
        )
        if any(argument.type.kind is Kind.UNKNOWN for argument in arguments):
            return wrong(written.pointer)
        return Apply(written.pointer, result, function, arguments)

    shapes = ", ".join("|".join(kinds) for kinds in parameters)
    least = len(parameters) - optional
    return Operator(name, least, len(parameters), f"({shapes}) -> {result.kind}", summary, check)
