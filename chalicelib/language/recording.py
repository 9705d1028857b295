"""What an evaluation met: values, branches, rows, look-ups. Explanation and coverage are read from it.

The interpreter computes every definition that the record may need, before it is known which it does need. So what
happens inside each definition is kept apart, and counts only when something that counts has used the definition.
"""

from collections.abc import Collection, Iterator
from dataclasses import field
from typing import Any

from chalicelib.language.faults import clip
from chalicelib.language.tree import Node
from chalicelib.records import dataclass

# Values that are kept of one place, and tests, hits and look-ups of one part: what a list's items do is repeated.
VALUES_MAX = 8
ENTRIES_MAX = 1_000
# Of all parts together: a rule may have thousands.
ALL_ENTRIES_MAX = 10_000
KEY_CHARACTERS_MAX = 200

# A root is an output, by name, or the condition, under a name that no output can have. Other parts are definitions.
Part = tuple[str, str]
ROOT, SHARED = "root", "shared"
CONDITION = ""
# How a condition came out. Texts, because True is equal to 1, which is the number of an arm.
HELD, NOT_HELD = "held", "not held"


def won(place: int) -> str:
    """How it is noted that this argument of a ``min`` or ``max`` alone was the least or the greatest."""
    return f"won {place}"


@dataclass(slots=True)
class Met:
    """What happened inside one part: nodes by identity, in the order in which they were first met."""

    values: dict[int, tuple[Node, list[Any]]] = field(default_factory=dict)
    chosen: dict[tuple[int, object], Node] = field(default_factory=dict)
    conditions: list[dict[str, Any]] = field(default_factory=list)
    hits: list[dict[str, Any]] = field(default_factory=list)
    lookups: list[dict[str, Any]] = field(default_factory=list)
    uses: dict[str, None] = field(default_factory=dict)


class Recording:
    """Filled by the interpreter during one run."""

    def __init__(self) -> None:
        self._parts: dict[Part, Met] = {}
        self._current = Met()
        self._entries_left = ALL_ENTRIES_MAX

    def enter(self, kind: str, name: str) -> None:
        """What follows happens inside this part."""
        self._current = self._parts.setdefault((kind, name), Met())

    def value(self, node: Node, value: object) -> None:
        """``node`` has this value."""
        if value is True or value is False:
            self.chose(node, HELD if value else NOT_HELD)
        known = self._current.values.get(id(node))
        if known is None:
            self._current.values[id(node)] = (node, [value])
        elif len(known[1]) < VALUES_MAX:
            known[1].append(value)

    def chose(self, node: Node, choice: object) -> None:
        """``node`` went one of its ways: the number of an arm, of a row, whether a key was found."""
        self._current.chosen.setdefault((id(node), choice), node)

    def condition(self, node: Node, *, held: bool) -> None:
        """A condition was tested."""
        self._add(self._current.conditions, {"pointer": node.pointer, "held": held})

    def hit(self, table: str, row: int) -> None:
        """Row ``row``, from 1, of a table was hit."""
        self._add(self._current.hits, {"table": table, "row": row})

    def lookup(self, table: str, key: str, *, hit: bool) -> None:
        """A code was looked up."""
        self._add(self._current.lookups, {"table": table, "key": clip(key, KEY_CHARACTERS_MAX), "hit": hit})

    def use(self, name: str) -> None:
        """A shared definition was used."""
        self._current.uses.setdefault(name)

    def met(self, roots: Collection[str] | None = None) -> Iterator[Met]:
        """What counts: each definition before its first user, then the root; of all roots, or of some."""
        seen: set[Part] = set()
        for part in [one for one in self._parts if one[0] == ROOT and (roots is None or one[1] in roots)]:
            pending = [(part, False)]
            while pending:
                current, ready = pending.pop()
                if ready:
                    yield self._parts[current]
                elif current not in seen and current in self._parts:
                    seen.add(current)
                    pending.append((current, True))
                    pending.extend(((SHARED, name), False) for name in reversed(self._parts[current].uses))

    def _add(self, entries: list[dict[str, Any]], entry: dict[str, Any]) -> None:
        if len(entries) < ENTRIES_MAX and self._entries_left > 0:
            self._entries_left -= 1
            entries.append(entry)
