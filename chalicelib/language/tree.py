"""The typed program between the checker and its two readers: the compiler (lower) and the interpreter (interpret).

Nodes are compared by identity and never changed; they are not frozen, because a cold start pays for every method that a
dataclass generates.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from chalicelib.language.kinds import Type


class Form(Enum):
    """How a function's call is written in generated code; the interpreter always calls ``Function.call``."""

    CALL = "call"
    COMPARE = "compare"  # a chain of comparisons by ``symbol``
    NOT = "not"
    IS_NULL = "is null"
    CONTAINED = "contained"  # first argument in second
    SUBSCRIPT = "subscript"  # first argument, a row or an object, at the second, a constant
    MEMO = "memo"  # ``call`` is the ``__getitem__`` of ``data``, a Memo
    FOLD = "fold"  # ``call`` joins two; more arguments are folded from the left
    TABLE = "table"  # ``data`` is the decision table that is matched
    FIXED = "fixed"  # ``data`` is (quantize, unit, zero)


@dataclass(slots=True, eq=False, repr=False)
class Function:
    """An operator with its constants bound. ``call`` raises ``Refusal`` or an ``ArithmeticError`` for no value."""

    name: str
    call: Callable[..., Any]
    form: Form = Form.CALL
    symbol: str = ""
    data: Any = None


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """A typed expression; ``pointer`` is its place in the document."""

    pointer: str
    type: Type


@dataclass(slots=True, eq=False, repr=False)
class Const(Node):
    """A constant."""

    value: Any


@dataclass(slots=True, eq=False, repr=False)
class Fact(Node):
    """An input, an aggregate or ``as_of``."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Shared(Node):
    """A ``let`` or the row hit in a table: computed at most once, and only if it is needed."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Apply(Node):
    """A function of arguments that are all evaluated."""

    function: Function
    arguments: tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Every(Node):
    """``and``: evaluated from the left up to the first false."""

    arguments: tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Either(Node):
    """``or``: evaluated from the left up to the first true."""

    arguments: tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Choice(Node):
    """``if``: the first arm whose condition holds, else ``otherwise``."""

    arms: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(slots=True, eq=False, repr=False)
class FirstValue(Node):
    """``coalesce``: the first argument that is not null."""

    arguments: tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Sequence(Node):
    """A list built from expressions."""

    items: tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Lookup(Node):
    """``key`` in a code table; on a miss ``default``, or a refusal when there is none."""

    table: str
    key: Node
    default: Node | None


@dataclass(frozen=True, slots=True)
class FactUse:
    """How a record's fact is loaded. ``optional``: it may be absent. ``nullable``: it may be null."""

    nullable: bool = False
    optional: bool = False
    empty_is_null: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A checked rule.

    ``facts``: those that expressions use. ``shared``: definitions, each after what it needs. The rule applies to a
    record when ``condition`` is absent or evaluates to ``holds``.
    """

    facts: Mapping[str, FactUse]
    shared: Mapping[str, Node]
    condition: Node | None
    outputs: Mapping[str, Node]
    holds: bool = True


AS_OF = "as_of"


def children(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    match node:
        case Apply(arguments=parts) | Every(arguments=parts) | Either(arguments=parts) | FirstValue(arguments=parts):
            return parts
        case Sequence(items=parts):
            return parts
        case Choice(arms=arms, otherwise=otherwise):
            return (*(part for arm in arms for part in arm), otherwise)
        case Lookup(key=key, default=default):
            return (key,) if default is None else (key, default)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all its parts, from the left, without following shared names."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))


def facts_read(node: Node, shared: Mapping[str, Node]) -> tuple[str, ...]:
    """The facts that an expression reads, in order, through shared names, ``as_of`` left out."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    pending: list[Node] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, Fact):
            if current.name != AS_OF:
                found.setdefault(current.name)
        elif isinstance(current, Shared):
            if current.name not in seen:
                seen.add(current.name)
                pending.append(shared[current.name])
        else:
            pending.extend(reversed(children(current)))
    return tuple(found)
