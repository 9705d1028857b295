"""One difference between two versions of a rule, and the documents that it is between."""

from collections.abc import Mapping
from typing import Any, Literal

from chalicelib.records import dataclass

Kind = Literal[
    "about", "period", "input", "sum", "definition", "condition", "table", "row", "output", "case", "name", "file",
    "column",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """``what`` in a sentence; where it was and is, and what stood and stands there. None where there is nothing."""

    kind: Kind
    what: str
    pointer_before: str | None
    pointer_after: str | None
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The two documents."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def change(self, kind: Kind, what: str, before: str | None, after: str | None) -> Change:
        """A change of what stands at these places."""
        return Change(kind, what, before, after, _value(self.before, before), _value(self.after, after))

    def part(self, key: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The objects under a key, empty where there is none."""
        left, right = self.before.get(key), self.after.get(key)
        return left if isinstance(left, Mapping) else {}, right if isinstance(right, Mapping) else {}


def _value(document: Any, pointer: str | None) -> Any:  # noqa: ANN401 - any JSON value
    if pointer is None:
        return None
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document
