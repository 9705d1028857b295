"""The typed program between the checker and its two readers: the compiler (lower) and the interpreter (interpret).

Nodes are compared by identity and never changed; they are not frozen, because a cold start pays for every method that a
dataclass generates.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from chalicelib.language.kinds import Kind, Type
from chalicelib.records import dataclass

#: Functions that answer with one of their arguments.
EXTREMES = frozenset({"min", "max"})


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
    SHAPED = "shaped"  # ``call`` takes the value and the budget


@dataclass(slots=True, eq=False, repr=False)
class Function:
    """An operator with its constants bound. ``call`` raises ``Refusal`` or an ``ArithmeticError`` for no value.

    ``grows``: it builds texts or lists whose length is not known beforehand, which costs in a loop. ``reads``: what
    going through its argument number ``read``, a text or a list, costs in a loop, by stretch of it (see ``budget``).
    """

    name: str
    call: Callable[..., Any]
    form: Form = Form.CALL
    symbol: str = ""
    data: Any = None
    grows: bool = False
    reads: int = 0
    read: int = 0


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
class Item(Node):
    """What a loop around this place binds: the item, or what a ``reduce`` has so far. Each has its own ``slot``."""

    slot: int


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
    """A list built from expressions. ``given``: it is part of an output, so that its texts cost their length."""

    items: tuple[Node, ...]
    given: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Built(Node):
    """An object built from expressions, by field. ``omitted``: fields that are left out when they are null.

    ``given``: it is part of an output, so that its texts cost their length.
    """

    fields: Mapping[str, Node]
    omitted: tuple[str, ...] = ()
    given: bool = False


class Way(Enum):
    """What a loop makes of its list."""

    MAP = "map"
    FILTER = "filter"
    ALL = "all"  # of an empty list it is false, as in JsonLogic
    SOME = "some"
    NONE = "none"
    REDUCE = "reduce"


@dataclass(slots=True, eq=False, repr=False)
class Loop(Node):
    """``body`` for each ``item`` of ``source``. A ``reduce`` binds its result to ``sofar``, from ``start`` on.

    ``given``: it is part of an output, so that its texts cost their length.
    """

    way: Way
    source: Node
    item: Item
    body: Node
    sofar: Item | None = None
    start: Node | None = None
    given: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Lookup(Node):
    """``key`` in a code table; on a miss ``default``, or a refusal when there is none.

    ``quarantine``: the refusal is one that ends once the table has the code.
    """

    table: str
    key: Node
    default: Node | None
    quarantine: bool = False


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

    @property
    def has_lists(self) -> bool:
        """Whether lists are gone through, or lists and objects given out, so that deciding has a budget."""
        roots = [*self.shared.values(), *self.outputs.values(), *([self.condition] if self.condition else [])]
        return any(_is_paid(part) for root in roots for part in walk(root))


AS_OF = "as_of"
OBJECT_WEIGHT = 4
SHORT_TEXT = 64
NO_LISTS: Final[Mapping[int, "Node"]] = MappingProxyType({})


def _is_paid(node: Node) -> bool:
    if isinstance(node, Apply):
        return node.function.form is Form.SHAPED
    return isinstance(node, Loop) or (isinstance(node, Sequence | Built) and node.given)


def is_long(node: Node) -> bool:
    """Whether the value of ``node`` may be a text of more than a few characters."""
    known = node.type.values
    return node.type.kind is Kind.STRING and (known is None or any(len(text) > SHORT_TEXT for text in known))


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 - one return for each construct
    """The direct parts of a node."""
    match node:
        case Apply(arguments=parts) | Every(arguments=parts) | Either(arguments=parts) | FirstValue(arguments=parts):
            return parts
        case Sequence(items=parts):
            return parts
        case Built(fields=fields):
            return tuple(fields.values())
        case Loop(source=source, start=start, body=body):
            return (source, body) if start is None else (source, start, body)
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


def facts_read(node: Node, shared: Mapping[str, Node], lists: Mapping[int, Node] = NO_LISTS) -> tuple[str, ...]:
    """The facts that an expression reads, in order, through shared names, ``as_of`` left out.

    ``lists``: for an expression inside loops, the lists that they go through, by the slots of their items.
    """
    found: dict[str, None] = {}
    seen: set[str | int] = set()
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
        elif isinstance(current, Item):
            if current.slot not in seen and current.slot in lists:
                seen.add(current.slot)
                pending.append(lists[current.slot])
        else:
            pending.extend(reversed(children(current)))
    return tuple(found)


def weight(node: Node) -> int:
    """What evaluating ``node`` once costs at most, loops inside it apart: those cost by their items."""
    found = 0
    pending = [node]
    while pending:
        current = pending.pop()
        found += 1
        match current:
            case Const(value=list() | frozenset() as value):
                found += len(value)
            case Built(fields=fields):
                # An object takes the memory of several values.
                found += OBJECT_WEIGHT
                pending.extend(fields.values())
            case Loop(source=source, start=start):
                pending.extend((source,) if start is None else (source, start))
            case _:
                pending.extend(children(current))
    return found
