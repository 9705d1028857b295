"""Decision tables: rows of condition cells and result cells, held to their hit policy when they are loaded.

Every condition is an interval, a set of literals or "any", so whether two rows can both hit is decided here, for good:
``unique`` refuses rows that overlap, ``any`` refuses overlapping rows with different results, ``first`` refuses rows
that an earlier row covers. At run time the first row that hits is therefore the answer under all three.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.language.bounds import TABLE_ROWS_MAX
from chalicelib.language.check import NOTHING, Checker
from chalicelib.language.declarations import Keys
from chalicelib.language.faults import Refusal, Report, at, shown
from chalicelib.language.intervals import Cell, cell, covers, meet
from chalicelib.language.kinds import BOOLEAN, DATE, DECIMAL, INTEGER, TEXT, UNKNOWN, Kind, Type
from chalicelib.language.reading import iso_date
from chalicelib.language.tree import Node

HIT_POLICIES = ("unique", "any", "first")
_SCALARS = (Kind.STRING, Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.BOOLEAN)
_OUT_TYPES = {"string": TEXT, "integer": INTEGER, "decimal": DECIMAL, "date": DATE, "boolean": BOOLEAN}
# Texts without a leading zero, so that a code such as "007" is never taken for a number.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,10})?")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A checked table: ``rows`` of conditions over ``inputs`` and, in the same order, the ``results`` of each."""

    name: str
    inputs: tuple[Node, ...]
    rows: tuple[tuple[Cell, ...], ...]
    results: tuple[tuple[Any, ...], ...]
    columns: Mapping[str, tuple[int, Type]]

    def hit(self, values: Sequence[Any]) -> int:
        """The index of the row that ``values`` hit; raises ``Refusal`` when there is none."""
        for index, row in enumerate(self.rows):
            if all(condition.contains(value) for condition, value in zip(row, values, strict=True)):
                return index
        raise Refusal("no_table_row", f"no row of the table {self.name} fits")

    def match(self, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401 - scalars of the columns' types
        """The results of the row that ``values`` hit; raises ``Refusal`` when there is none."""
        return self.results[self.hit(values)]


def table(name: str, raw: object, pointer: str, checker: Checker) -> Table | None:
    """Read and check one table; None, and faults, when it is wrong."""
    report = checker.report
    before = len(report.faults)
    keys = Keys(raw, pointer, report, ("hit", "in", "out", "rows", "description"))
    hit = keys.choice("hit", HIT_POLICIES)
    inputs = _inputs(keys, checker)
    outs = _outs(keys)
    raw_rows = keys.raw.get("rows")
    if not isinstance(raw_rows, list | tuple) or not 0 < len(raw_rows) <= TABLE_ROWS_MAX:
        keys.wrong("rows", f"1 to {TABLE_ROWS_MAX} rows")
        return None
    if len(report.faults) > before or hit is None:
        return None
    width = len(inputs) + len(outs)
    for index, row in enumerate(raw_rows):
        if not isinstance(row, list | tuple) or len(row) != width:
            expected = f"a row of {len(inputs)} conditions and {len(outs)} results"
            where = at(pointer, "rows", index)
            report.add(where, "bad_row", f"expected {expected}", expected=expected, found=shown(row))
    if len(report.faults) > before:
        return None
    rows = [_conditions(row, index, inputs, pointer, report) for index, row in enumerate(raw_rows)]
    columns, results = _results(raw_rows, len(inputs), outs, pointer, report)
    if len(report.faults) > before:
        return None
    found = Table(name, tuple(inputs), tuple(rows), tuple(results), columns)
    _hold_to_policy(found, hit, pointer, report)
    return found


def _inputs(keys: Keys, checker: Checker) -> list[Node]:
    names = keys.texts("in")
    if not names:
        keys.wrong("in", "the names of the fields that the conditions test")
    nodes = []
    for index, name in enumerate(names):
        node = checker.variable(name, at(keys.pointer, "in", index), NOTHING)
        nodes.append(checker.required(node, *_SCALARS))
    return nodes


def _outs(keys: Keys) -> dict[str, Type | None]:
    """The result columns: a list of names, or names with declared types."""
    raw = keys.raw.get("out")
    if isinstance(raw, Mapping) and raw:
        outs: dict[str, Type | None] = {}
        for name, declared in raw.items():
            column = Keys(declared, at(keys.pointer, "out", name), keys.report, ("type", "description"))
            outs[name] = _OUT_TYPES.get(column.choice("type", tuple(_OUT_TYPES)) or "")
        return outs
    names = keys.texts("out")
    if not names:
        keys.wrong("out", "the names of the result columns")
    return dict.fromkeys(names)


def _conditions(
    row: Sequence[object], index: int, inputs: Sequence[Node], pointer: str, report: Report
) -> tuple[Cell, ...]:
    cells = (
        cell(raw, node.type, at(pointer, "rows", index, column), report)
        for column, (raw, node) in enumerate(zip(row, inputs, strict=False))
    )
    return tuple(found for found in cells if found is not None)


def _results(
    rows: Sequence[Sequence[object]], width: int, outs: Mapping[str, Type | None], pointer: str, report: Report
) -> tuple[dict[str, tuple[int, Type]], list[tuple[Any, ...]]]:
    columns: dict[str, tuple[int, Type]] = {}
    values: list[list[Any]] = []
    for place, (name, declared) in enumerate(outs.items()):
        raw = [row[width + place] for row in rows]
        kind = declared or _inferred(raw)
        if kind is UNKNOWN:
            where = at(pointer, "out", place)
            report.add(
                where,
                "mixed_column",
                f"the column {name} mixes types",
                expected="numbers only, texts only, or booleans only",
                found="several types",
                suggestion='declare it: "out": {"' + name + '": {"type": "string"}}',
            )
        values.append(
            [_result(item, kind, at(pointer, "rows", index, width + place), report) for index, item in enumerate(raw)]
        )
        nullable = any(item is None for item in raw)
        texts = tuple(dict.fromkeys(item for item in raw if isinstance(item, str)))
        columns[name] = (place, Type(kind.kind, nullable, texts if kind.kind is Kind.STRING else None))
    return columns, list(zip(*values, strict=True))


def _inferred(cells: Sequence[object]) -> Type:
    """The type of a column whose type is not declared."""
    filled = [item for item in cells if item is not None]
    if not filled:
        return UNKNOWN
    if all(isinstance(item, bool) for item in filled):
        return BOOLEAN
    if any(isinstance(item, bool) for item in filled):
        return UNKNOWN
    if all(isinstance(item, int) for item in filled):
        return INTEGER
    if all(isinstance(item, int | Decimal) or (isinstance(item, str) and _NUMBER.fullmatch(item)) for item in filled):
        return DECIMAL
    return TEXT if all(isinstance(item, str) for item in filled) else UNKNOWN


def _result(raw: object, kind: Type, pointer: str, report: Report) -> object:
    if raw is None or kind is UNKNOWN:
        return None
    value = _typed(raw, kind)
    if value is None:
        report.add(
            pointer,
            "bad_cell",
            f"expected {kind.words}, found {shown(raw)}",
            expected=kind.words,
            found=shown(raw),
        )
    return value


def _typed(raw: object, kind: Type) -> str | bool | int | Decimal | date | None:  # noqa: PLR0911 - one return for each type
    numeric = isinstance(raw, int | Decimal) and not isinstance(raw, bool)
    match kind.kind, raw:
        case (Kind.STRING, str(text)):
            return text
        case (Kind.BOOLEAN, bool(flag)):
            return flag
        case (Kind.INTEGER, int(number)) if numeric:
            return number
        case (Kind.DECIMAL, int() | Decimal() as number) if numeric:
            return Decimal(number)
        case (Kind.DECIMAL, str(text)) if _NUMBER.fullmatch(text):
            return Decimal(text)
        case (Kind.DATE, str(text)):
            try:
                return iso_date(text)
            except Refusal:
                return None
    return None


def _hold_to_policy(found: Table, hit: str, pointer: str, report: Report) -> None:
    for later, earlier in _pairs(found):
        both = f"rows {earlier + 1} and {later + 1}"
        if hit == "first":
            if all(covers(left, right) for left, right in zip(found.rows[earlier], found.rows[later], strict=True)):
                report.add(
                    at(pointer, "rows", later),
                    "unreachable_row",
                    f"row {later + 1} is never reached: row {earlier + 1} takes every record before it",
                    expected="a row that some record reaches",
                    found=both,
                    suggestion=f"put row {later + 1} before row {earlier + 1}, or remove it",
                )
        elif all(meet(left, right) for left, right in zip(found.rows[earlier], found.rows[later], strict=True)):
            if hit == "any" and found.results[earlier] == found.results[later]:
                continue
            report.add(
                at(pointer, "rows", later),
                "table_overlap",
                f"{both} can both hit" + (" with different results" if hit == "any" else ""),
                expected="at most one row for every record"
                if hit == "unique"
                else "the same results where rows overlap",
                found=both,
                suggestion='narrow one of them, or use "hit": "first"',
            )


def _pairs(found: Table) -> Iterator[tuple[int, int]]:
    for later in range(len(found.rows)):
        for earlier in range(later):
            yield later, earlier
