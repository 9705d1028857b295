"""Decision tables: rows that nobody hits, and combinations of values that no row takes.

Values are split where a condition of the table begins or ends, so that all values of one part hit the same rows.
Whatever rows remain possible after some columns decides what the columns behind them can still leave open, and is
looked at once: most tables of hundreds of rows are done after a few thousand steps, and the others are cut short.
"""

from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import islice
from typing import Any

from chalicelib.language.intervals import Cell, Interval, Members
from chalicelib.language.lint.domains import Picks, Values, of_cell
from chalicelib.language.lint.spans import Spans
from chalicelib.language.tables import Table
from chalicelib.records import dataclass

STEPS_MAX = 200_000
PARTS_MAX = 2_000

# One value of a part of a column for each column.
Combination = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Values of one column that hit the same ``rows``; ``value`` is one of them.

    ``unnamed``: all the texts that no row names. Nobody declared that they occur.
    """

    value: Any
    rows: frozenset[int]
    unnamed: bool = False


@dataclass(slots=True)
class Rows:
    """One table over the values that its columns can have. ``exhausted``: not everything was looked at."""

    table: Table
    columns: Sequence[Values]
    exhausted: bool = False
    _steps: int = 0
    _parts: list[list[Part]] = field(default_factory=list)
    # By column: the rows that take everything in it and in those behind it.
    _whole: list[frozenset[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place, column in enumerate(self.columns):
            parts = list(_parts(column, [row[place] for row in self.table.rows]))
            self.exhausted = self.exhausted or len(parts) > PARTS_MAX
            self._parts.append(parts[:PARTS_MAX])
        rows = frozenset(range(len(self.table.rows)))
        for parts in reversed(self._parts):
            rows = rows.intersection(*(part.rows for part in parts))
            self._whole.insert(0, rows)

    def unreachable(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Rows that no combination hits first, each with the earlier rows that take its records; none: its values."""
        order = self.table.policy.order
        for place, row in enumerate(order):
            cells = zip(self.table.rows[row], self.columns, strict=True)
            if any(of_cell(cell, column).is_empty() for cell, column in cells):
                yield row, ()
            elif self.table.policy.gather is None:
                earlier = self._meeting(row, frozenset(order[:place]))
                if earlier and next(self._open(0, earlier, {}, row), None) is None and not self.exhausted:
                    yield row, tuple(sorted(earlier))

    def _meeting(self, row: int, others: frozenset[int]) -> frozenset[int]:
        """Those of ``others`` that some record of ``row`` may hit as well."""
        for parts in self._parts:
            others &= frozenset[int]().union(*(part.rows for part in parts if row in part.rows))
        return others

    def gaps(self, count_max: int) -> list[Combination]:
        """Combinations that no row takes, at most ``count_max``; a table that collects has an answer for all."""
        if self.table.policy.gather is not None:
            return []
        everything = frozenset(range(len(self.table.rows)))
        return list(islice(self._open(0, everything, {}, None), count_max))

    def _open(
        self, place: int, rows: frozenset[int], closed: dict[tuple[int, frozenset[int]], bool], only: int | None
    ) -> Iterator[Combination]:
        """Combinations of the columns from ``place`` on that none of ``rows`` takes, within the row ``only``.

        ``closed`` remembers for which rows there are none.
        """
        self._steps += 1
        if self._steps > STEPS_MAX:
            self.exhausted = True
            return
        if place == len(self._parts):
            if not rows:
                yield ()
            return
        if closed.get((place, rows)) or not rows.isdisjoint(self._whole[place]):
            return
        found = False
        for part in self._parts[place]:
            if part.unnamed if only is None else only not in part.rows:
                continue
            for rest in self._open(place + 1, rows & part.rows, closed, only):
                found = True
                yield (part.value, *rest)
        if not found and not self.exhausted:
            closed[place, rows] = True


def _parts(column: Values, cells: Sequence[Cell]) -> Iterator[Part]:
    """A column's values, split where a cell begins or ends."""
    if isinstance(column, Spans):
        yield from _parts_of_spans(column, cells)
        return
    if not isinstance(column, Picks):
        return
    named = frozenset(value for cell in cells if isinstance(cell, Members) for value in cell.values)
    values = named - column.values if column.excluded else column.values
    for value in sorted(values, key=str):
        yield Part(value, _hit(cells, value))
    if column.excluded:
        yield Part(_another(named | column.values), _hit(cells, None), unnamed=bool(named))


def _parts_of_spans(column: Spans, cells: Sequence[Cell]) -> Iterator[Part]:
    bounds: set[Any] = set()
    for cell in cells:
        if isinstance(cell, Interval):
            bounds.update(bound for bound in (cell.low, cell.high) if bound is not None)
        elif isinstance(cell, Members):
            bounds.update(cell.values)
    ordered = sorted(bounds)
    pieces = [Interval(bound, bound) for bound in ordered]
    pieces += [
        Interval(low, high, low_included=False, high_included=False)
        for low, high in zip([None, *ordered], [*ordered, None], strict=True)
    ]
    merged: dict[frozenset[int], Any] = {}
    for piece in pieces:
        inside = column.meet(Spans.of([piece], column.step))
        if not inside.is_empty():
            value = inside.some()
            merged.setdefault(_hit(cells, value), value)
    for rows, value in merged.items():
        yield Part(value, rows)


def _hit(cells: Sequence[Cell], value: object) -> frozenset[int]:
    return frozenset(row for row, cell in enumerate(cells) if cell.contains(value))


def _another(values: frozenset[Any]) -> str:
    """A text that is none of ``values``."""
    return next(text for number in range(len(values) + 1) if (text := f"OTHER{number or ''}") not in values)
