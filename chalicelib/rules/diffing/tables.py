"""What differs between two decision tables: rows are the same row where their conditions are, wherever they stand."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.language.faults import at
from chalicelib.language.intervals import Anything, Cell, meet
from chalicelib.language.tables import Table
from chalicelib.records import dataclass
from chalicelib.rules.diffing.change import Change, Kind, Pair
from chalicelib.rules.diffing.forms import Forms, constant
from chalicelib.rules.rendering.columns import texts
from chalicelib.rules.rendering.parts import condition, policy, result
from chalicelib.rules.rendering.words import Words

#: Under these, which of two overlapping rows stands first makes a difference.
_ORDERED = frozenset({"first", "collect"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it tests and answers, by column. A condition that takes everything is none."""

    index: int
    tests: Mapping[str, Hashable]
    results: Mapping[str, Any]
    told: Mapping[str, str]
    cells: Mapping[str, Cell]

    @property
    def key(self) -> Hashable:
        """What tells the row from others."""
        return frozenset(self.tests.items())


@dataclass(frozen=True, slots=True)
class Side:
    """A table of one version: as written, and as it was compiled, if it could be."""

    name: str
    raw: Mapping[str, Any]
    compiled: Table | None
    forms: Forms

    @property
    def inputs(self) -> list[str]:
        """The columns that are tested, as they are called now."""
        return [self.forms.name(str(name)) for name in self.raw.get("in") or ()]

    @property
    def outs(self) -> list[str]:
        """The result columns."""
        return [str(name) for name in self.raw.get("out") or ()]

    @property
    def policy(self) -> Hashable:
        """How rows answer, apart from spelling."""
        ranked = self.raw.get("priority")
        how = self.raw.get("collect", "list") if self.raw.get("hit") == "collect" else None
        return (self.raw.get("hit"), constant(ranked), how)

    @property
    def kinds(self) -> Mapping[str, object]:
        """The types of the result columns."""
        if self.compiled is None:
            return {}
        return {name: kind.kind for name, (_, kind) in self.compiled.columns.items()}

    def rows(self) -> list[Row]:
        """All rows, in order."""
        width = len(self.inputs)
        found = []
        for index, written in enumerate(self.raw.get("rows") or ()):
            cells: dict[str, Cell] = {}
            tests: dict[str, Hashable] = dict(zip(self.inputs, map(constant, written), strict=False))
            results: dict[str, Any] = dict(zip(self.outs, map(constant, written[width:]), strict=False))
            if self.compiled is not None:
                cells = dict(zip(self.inputs, self.compiled.rows[index], strict=True))
                tests = {name: cell for name, cell in cells.items() if not isinstance(cell, Anything)}
                results = dict(zip(self.outs, self.compiled.results[index], strict=True))
            of_texts = texts(self.compiled) or [False] * width
            told = {
                **{
                    name: condition(cell, text=text)
                    for name, cell, text in zip(self.inputs, written, of_texts, strict=False)
                    if name in tests
                },
                **{name: result(cell) for name, cell in zip(self.outs, written[width:], strict=False)},
            }
            found.append(Row(index, tests, results, told, cells))
        return found


def table(left: Side, right: Side, pair: Pair, words: Words) -> Iterator[Change]:
    """Everything that makes the second table decide otherwise than the first, and the words beside it."""
    tables = _Tables(left, right, pair, words)
    yield from tables.frame()
    yield from tables.rows()


@dataclass(frozen=True, slots=True)
class _Tables:
    left: Side
    right: Side
    pair: Pair
    words: Words

    @property
    def title(self) -> str:
        return f"table {self.words.name(self.right.name)}"

    def frame(self) -> Iterator[Change]:
        """The policy, the columns, the description."""
        left, right = self.left, self.right
        if left.policy != right.policy:
            yield self._whole(f"{self.title}: {policy(left.raw)} → {policy(right.raw)}")
        for what, one, other in (("condition", left.inputs, right.inputs), ("result", left.outs, right.outs)):
            for name in one:
                if name not in other:
                    yield self._whole(f"{self.title}: {what} column {self.words.name(name)} removed")
            for name in other:
                if name not in one:
                    yield self._whole(f"{self.title}: new {what} column {self.words.name(name)}")
        if left.raw.get("description") != right.raw.get("description"):
            yield self._whole(f"{self.title}: other description")

    def rows(self) -> Iterator[Change]:
        """Rows that came, went or changed; how the result columns are typed where no cell shows it."""
        matched, gone, new = _matched(self.left.rows(), self.right.rows())
        cells = [change for one, other in matched for change in self._cells(one, other)]
        yield from cells
        for row in gone:
            other = next((each for each in new if _akin(row, each)), None)
            if other is None:
                yield self._row(f"{self.title}: row removed: {self._told(row)}", row, None)
                continue
            new.remove(other)
            yield self._row(f"{self.title}: {self._told(row)} → {self._told(other)}", row, other)
        for row in new:
            yield self._row(f"{self.title}: new row: {self._told(row)}", None, row)
        if self._reordered(matched):
            yield self._whole(f"{self.title}: rows that overlap stand in another order")
        if not cells:
            kinds = self.left.kinds
            for name, kind in self.right.kinds.items():
                if name in kinds and kinds[name] is not kind:
                    yield self._whole(f"{self.title}, column {self.words.name(name)}: {kinds[name]} → {kind}")

    def _cells(self, row: Row, other: Row) -> Iterator[Change]:
        for place, name in enumerate(self.right.outs):
            if name not in row.results or row.results[name] == other.results.get(name):
                continue
            was = len(self.left.inputs) + self.left.outs.index(name)
            before = at("/tables", self.left.name, "rows", row.index, was)
            after = at("/tables", self.right.name, "rows", other.index, len(self.right.inputs) + place)
            told = f"{self.words.name(name)} {row.told[name]} → {other.told[name]}"
            yield self.pair.change("row", f"{self.title}, {self._tested(other)}: {told}", before, after)

    def _tested(self, row: Row) -> str:
        tested = [f"{self.words.name(name)} {row.told[name]}" for name in row.tests]
        return ", ".join(tested) or "every other record"

    def _told(self, row: Row) -> str:
        answers = ", ".join(f"{self.words.name(name)} {row.told[name]}" for name in row.results)
        return f"{self._tested(row)} gives {answers}"

    def _reordered(self, matched: Sequence[tuple[Row, Row]]) -> bool:
        if self.right.raw.get("hit") not in _ORDERED:
            return False
        order = [other for _, other in sorted(matched, key=lambda found: found[0].index)]
        return any(
            earlier.index > later.index and _overlap(earlier, later)
            for place, later in enumerate(order)
            for earlier in order[:place]
        )

    def _row(self, what: str, before: Row | None, after: Row | None) -> Change:
        places = [
            None if row is None else at("/tables", side.name, "rows", row.index)
            for side, row in ((self.left, before), (self.right, after))
        ]
        return self.pair.change("row", what, *places)

    def _whole(self, what: str) -> Change:
        kind: Kind = "table"
        return self.pair.change(kind, what, at("/tables", self.left.name), at("/tables", self.right.name))


def _matched(left: Sequence[Row], right: Sequence[Row]) -> tuple[list[tuple[Row, Row]], list[Row], list[Row]]:
    """Rows with the same conditions, those that went and those that came."""
    waiting: dict[Hashable, list[Row]] = {}
    for row in right:
        waiting.setdefault(row.key, []).append(row)
    matched: list[tuple[Row, Row]] = []
    gone: list[Row] = []
    for row in left:
        same = waiting.get(row.key)
        # Of several rows with these conditions, the one with the same answer is meant.
        if same:
            other = next((each for each in same if each.results == row.results), same[0])
            same.remove(other)
            matched.append((row, other))
        else:
            gone.append(row)
    return matched, gone, [row for rows in waiting.values() for row in rows]


def _akin(row: Row, other: Row) -> bool:
    """Whether one may be what became of the other: the same answer, or all conditions but one."""
    if row.results == other.results:
        return True
    names = row.tests.keys() | other.tests.keys()
    return len(names) > 1 and sum(row.tests.get(name) != other.tests.get(name) for name in names) == 1


def _overlap(row: Row, other: Row) -> bool:
    """Whether a record may hit both; so it is said of rows of which nothing is known."""
    return all(meet(cell, other.cells[name]) for name, cell in row.cells.items() if name in other.cells)
