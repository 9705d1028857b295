"""The generated program as a tree of the few constructs that can be emitted; nothing else can be said in it.

There is no attribute access, no literal but ``None``, no loop, no import and no text of a rule: constants and functions
are ``Bound`` names, which the loader gives their values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Local:
    """A parameter or variable of the function."""

    name: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A constant or function that the loader provides."""

    name: str


@dataclass(frozen=True, slots=True)
class Null:
    """``None``."""


@dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    function: Bound
    arguments: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Subscript:
    """``container[key]``."""

    container: "Expr"
    key: "Expr"


@dataclass(frozen=True, slots=True)
class Compare:
    """``a < b`` or a chain of it."""

    symbol: str
    operands: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """``a and b`` or ``a or b``."""

    word: str
    operands: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``not a``."""

    operand: "Expr"


@dataclass(frozen=True, slots=True)
class Is:
    """``a is b``."""

    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class Contained:
    """``item in container``."""

    item: "Expr"
    container: "Expr"


@dataclass(frozen=True, slots=True)
class Ternary:
    """``value if condition else otherwise``."""

    condition: "Expr"
    value: "Expr"
    otherwise: "Expr"


@dataclass(frozen=True, slots=True)
class Display:
    """``[a, b]``, or ``(a, b)`` when it is a ``pair``."""

    items: tuple["Expr", ...]
    pair: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """``{key: value}``."""

    entries: tuple[tuple[Bound, "Expr"], ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """``target = value``."""

    target: Local
    value: "Expr"


@dataclass(frozen=True, slots=True)
class If:
    """``if condition: then``, and ``else: otherwise`` when there is one."""

    condition: "Expr"
    then: tuple["Stmt", ...]
    otherwise: tuple["Stmt", ...] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """``return value``."""

    value: "Expr"


@dataclass(frozen=True, slots=True)
class Do:
    """A call for its effect: to refuse the record."""

    call: Call


@dataclass(frozen=True, slots=True)
class Attempt:
    """``try: body``, and on one of the exceptions ``failures`` the ``rescue``."""

    body: tuple["Stmt", ...]
    failures: Bound
    rescue: Assign


Expr = Local | Bound | Null | Call | Subscript | Compare | Joined | Not | Is | Contained | Ternary | Display | Record
Stmt = Assign | If | Return | Do | Attempt


@dataclass(frozen=True, slots=True)
class Routine:
    """``def name(parameters): body``."""

    name: str
    parameters: tuple[Local, ...]
    body: tuple[Stmt, ...]


def locals_in(item: Any) -> Iterator[Local]:  # noqa: ANN401 - any part of the tree
    """Every mention of a local in a part of the program."""
    pending = [item]
    while pending:
        current = pending.pop()
        if isinstance(current, Local):
            yield current
        elif isinstance(current, tuple):
            pending.extend(current)
        elif hasattr(current, "__dataclass_fields__"):
            pending.extend(getattr(current, one.name) for one in fields(current))


def assigned_in(body: tuple[Stmt, ...]) -> set[Local]:
    """The locals that statements assign."""
    found: set[Local] = set()
    pending: list[Stmt] = list(body)
    while pending:
        match pending.pop():
            case Assign(target=target):
                found.add(target)
            case If(then=then, otherwise=otherwise):
                pending.extend((*then, *otherwise))
            case Attempt(body=inner, rescue=rescue):
                pending.extend((*inner, rescue))
    return found
