"""The generated program as a tree of the few constructs that can be emitted; nothing else can be said in it.

There is no attribute access, no literal but ``None``, no loop but over a list, no import and no text of a rule:
constants and functions are ``Bound`` names, which the loader gives their values. Nodes are compared by identity, and
not frozen: a cold start pays for every method that a dataclass generates.
"""

from dataclasses import fields
from typing import Any

from chalicelib.records import dataclass


@dataclass(slots=True, eq=False, repr=False)
class Local:
    """A parameter or variable of the function."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Bound:
    """A constant or function that the loader provides."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Null:
    """``None``."""


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """``function(arguments)``."""

    function: Bound
    arguments: tuple["Expr", ...]


@dataclass(slots=True, eq=False, repr=False)
class Subscript:
    """``container[key]``."""

    container: "Expr"
    key: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Compare:
    """``a < b`` or a chain of it."""

    symbol: str
    operands: tuple["Expr", ...]


@dataclass(slots=True, eq=False, repr=False)
class Joined:
    """``a and b`` or ``a or b``."""

    word: str
    operands: tuple["Expr", ...]


@dataclass(slots=True, eq=False, repr=False)
class Not:
    """``not a``."""

    operand: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Is:
    """``a is b``."""

    left: "Expr"
    right: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Contained:
    """``item in container``."""

    item: "Expr"
    container: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Ternary:
    """``value if condition else otherwise``."""

    condition: "Expr"
    value: "Expr"
    otherwise: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Display:
    """``[a, b]``, or ``(a, b)`` when it is a ``pair``."""

    items: tuple["Expr", ...]
    pair: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Record:
    """``{key: value}``."""

    entries: tuple[tuple[Bound, "Expr"], ...]


@dataclass(slots=True, eq=False, repr=False)
class Comprehension:
    """``[value for target in source if condition]``; when it is ``lazy``, a generator."""

    value: "Expr"
    target: Local
    source: "Expr"
    condition: "Expr | None" = None
    lazy: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Assign:
    """``target = value``."""

    target: Local
    value: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class If:
    """``if condition: then``, and ``else: otherwise`` when there is one."""

    condition: "Expr"
    then: tuple["Stmt", ...]
    otherwise: tuple["Stmt", ...] = ()


@dataclass(slots=True, eq=False, repr=False)
class Return:
    """``return value``."""

    value: "Expr"


@dataclass(slots=True, eq=False, repr=False)
class Do:
    """A call for its effect: to refuse the record, to append to a list."""

    call: Call


@dataclass(slots=True, eq=False, repr=False)
class Attempt:
    """``try: body``, and on one of the exceptions ``failures`` the ``rescue``."""

    body: tuple["Stmt", ...]
    failures: Bound
    rescue: Assign


@dataclass(slots=True, eq=False, repr=False)
class For:
    """``for target in source: body``."""

    target: Local
    source: "Expr"
    body: tuple["Stmt", ...]


@dataclass(slots=True, eq=False, repr=False)
class Break:
    """``break``: the loop around it ends."""


Expr = (
    Local
    | Bound
    | Null
    | Call
    | Subscript
    | Compare
    | Joined
    | Not
    | Is
    | Contained
    | Ternary
    | Display
    | Record
    | Comprehension
)
Stmt = Assign | If | Return | Do | Attempt | For | Break


@dataclass(slots=True, eq=False, repr=False)
class Routine:
    """``def name(parameters): body``."""

    name: str
    parameters: tuple[Local, ...]
    body: tuple[Stmt, ...]


def free_in(body: tuple[Stmt, ...]) -> set[Local]:
    """The locals that statements mention and do not bind themselves."""
    mentioned: set[Local] = set()
    bound: set[Local] = set()
    pending: list[Any] = list(body)
    while pending:
        current = pending.pop()
        match current:
            case Local():
                mentioned.add(current)
                continue
            case tuple():
                pending.extend(current)
                continue
            case Assign(target=target) | For(target=target) | Comprehension(target=target):
                # Every variable is bound in one routine only, so what is bound anywhere inside is not free.
                bound.add(target)
        if hasattr(current, "__dataclass_fields__"):
            pending.extend(getattr(current, one.name) for one in fields(current))
    return mentioned - bound
