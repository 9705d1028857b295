"""What changed between two versions of a rule, in sentences: ``table tier, tenure 60 or more: rate 1.25 → 1.30``.

How a document is spelled is no change: the order of keys, of rows where it cannot matter, of conditions, a 1.0 that was
a 1.00. Whatever can make two versions decide a record otherwise is one; so is a text that people read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.language.faults import at
from chalicelib.rules.diffing import declared as declarations
from chalicelib.rules.diffing.change import Change, Pair
from chalicelib.rules.diffing.expressions import Expressions
from chalicelib.rules.diffing.forms import Forms, parsed, trees
from chalicelib.rules.diffing.tables import Side, table
from chalicelib.rules.rendering.columns import compiled, table_of
from chalicelib.rules.rendering.words import Words

__all__ = ["Change", "diff"]


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every difference that means something, in the order in which a document is read.

    Both were read by ``language.parse_json`` and saved before; an empty ``before`` makes everything new. Tables of a
    version that does not compile any more are compared cell by cell as they are written.
    """
    return list(_Documents(before, after).changes())


class _Documents:
    """Two documents, what their definitions are called in both, and the comparison of their expressions."""

    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self.pair = Pair(before, after)
        left, right = self.pair.part("let")
        self.left, self.right = trees(left, "/let"), trees(right, "/let")
        rules = [compiled(one) for one in (before, after)]
        # Typed cells and written ones cannot be compared with one another.
        self.compiled = [None, None] if None in rules else rules
        self.before, self.after = Forms(self.left), Forms(self.right)
        while self._renamed():
            pass
        words = Words()
        self.expressions = Expressions(self.pair, self.before, self.after, words)
        self.words = words

    def changes(self) -> Iterator[Change]:
        """All changes."""
        layout = "layout" in (self.pair.before.get("kind"), self.pair.after.get("kind"))
        yield from declarations.about(self.pair)
        if layout:
            yield from declarations.file(self.pair)
        yield from declarations.inputs(self.pair)
        yield from self._condition("ignore_when", "condition for passing a row over")
        yield from self._condition("when", "condition")
        yield from self._definitions()
        yield from self._tables()
        yield from declarations.fields_of_layout(self.pair) if layout else declarations.outputs(self.pair)
        yield from self._values("fields" if layout else "outputs", "field" if layout else "output")
        yield from declarations.cases(self.pair)

    def _condition(self, key: str, subject: str) -> Iterator[Change]:
        raws = [document.get(key) for document in (self.pair.before, self.pair.after)]
        left, right = (None if raw is None else parsed(raw, at("", key)) for raw in raws)
        yield from self.expressions.condition(left, right, "condition", subject)

    def _definitions(self) -> Iterator[Change]:
        for name, left in self.left.items():
            now = self.before.names.get(name, name)
            right = self.right.get(now)
            if right is None:
                yield self.pair.change("definition", f"definition {self._called(name)} removed", left.pointer, None)
                continue
            if now != name:
                told = f"definition {self._called(name)} is now called {self._called(now)}"
                yield self.pair.change("name", told, left.pointer, right.pointer)
            yield from self.expressions.value(left, right, "definition", self._called(now))
        known = {self.before.names.get(name, name) for name in self.left}
        for name, right in self.right.items():
            if name not in known:
                told = f"new definition {self._called(name)}: {self.words.tree(right)}"
                yield self.pair.change("definition", told, None, right.pointer)

    def _tables(self) -> Iterator[Change]:
        left, right = self.pair.part("tables")
        for name in left:
            now = self.before.tables.get(name, name)
            if now not in right:
                yield self.pair.change("table", f"table {self._called(name)} removed", at("/tables", name), None)
                continue
            if now != name:
                told = f"table {self._called(name)} is now called {self._called(now)}"
                yield self.pair.change("name", told, at("/tables", name), at("/tables", now))
            yield from table(self._side(0, name), self._side(1, now), self.pair, self.words)
        known = {self.before.tables.get(name, name) for name in left}
        for name in right:
            if name not in known:
                yield self.pair.change("table", f"new table {self._called(name)}", None, at("/tables", name))

    def _values(self, key: str, subject: str) -> Iterator[Change]:
        """The expressions of outputs that both versions have; others were told with their declarations."""
        left, right = self.pair.part(key)
        for name, was in left.items():
            now = right.get(name)
            if isinstance(was, Mapping) and isinstance(now, Mapping):
                place = at("", key, name, "expr")
                one, other = parsed(was.get("expr"), place), parsed(now.get("expr"), place)
                yield from self.expressions.value(one, other, "output", f"{subject} {name}")

    def _side(self, number: int, name: str) -> Side:
        raw = self.pair.part("tables")[number][name]
        forms = (self.before, self.after)[number]
        return Side(name, raw if isinstance(raw, Mapping) else {}, table_of(self.compiled[number], name), forms)

    def _called(self, name: str) -> str:
        return self.words.name(name)

    def _renamed(self) -> bool:
        """Note one definition or table that has another name and is what it was; False when there is none left."""
        for name, tree in self.left.items():
            if name in self._known(1) or name in self.before.names:
                continue
            form = self.before.of(tree)
            now = next((one for one in self._new_definitions() if self.after.of(self.right[one]) == form), None)
            if now is not None:
                self.before = Forms(self.left, {**self.before.names, name: now}, self.before.tables)
                return True
        left, right = self.pair.part("tables")
        taken = set(self.before.tables.values())
        for name in left:
            if name in right or name in self.before.tables:
                continue
            for now in right:
                same = now not in left and now not in taken and not self._table_changes(name, now)
                if same:
                    self.before = Forms(self.left, self.before.names, {**self.before.tables, name: now})
                    return True
        return False

    def _new_definitions(self) -> list[str]:
        """Definitions whose names said nothing before: a name that was an input's has another meaning now."""
        taken = set(self.before.names.values()) | self._known(0)
        return [name for name in self.right if name not in taken]

    def _known(self, number: int) -> set[str]:
        """Every name that expressions of a version may use."""
        return {name for key in ("inputs", "columns", "aggregates", "let") for name in self.pair.part(key)[number]}

    def _table_changes(self, name: str, now: str) -> bool:
        return any(table(self._side(0, name), self._side(1, now), self.pair, Words()))
