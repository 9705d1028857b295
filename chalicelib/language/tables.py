"""Decision tables: rows of condition cells and result cells, held to their hit policy when they are loaded."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from chalicelib.language.bounds import TABLE_ROWS_MAX
from chalicelib.language.check import Checker
from chalicelib.language.declarations import Keys
from chalicelib.language.faults import Refusal, Report, at, shown
from chalicelib.language.hit_policies import Policy, policy
from chalicelib.language.intervals import Cell, cell
from chalicelib.language.kinds import BOOLEAN, DATE, DECIMAL, INTEGER, TEXT, UNKNOWN, Kind, Type
from chalicelib.language.places import NOTHING
from chalicelib.language.reading import iso_date
from chalicelib.language.tree import Node
from chalicelib.records import dataclass

_SCALARS = (Kind.STRING, Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.BOOLEAN)
_OUT_TYPES = {"string": TEXT, "integer": INTEGER, "decimal": DECIMAL, "date": DATE, "boolean": BOOLEAN}
# Texts without a leading zero, so that a code such as "007" is never taken for a number.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,10})?")
# What somebody wrote for an amount: digits with marks, blanks or a currency among them.
_MONEY = re.compile(r"[-+]?(?![0-9]+$)(?=.*[0-9])[0-9.,' \u00a0$€£]+")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A checked table: ``rows`` of conditions over ``inputs`` and, in the same order, the ``results`` of each.

    ``columns``: of each answer by name, its place and its type.
    """

    name: str
    inputs: tuple[Node, ...]
    rows: tuple[tuple[Cell, ...], ...]
    results: tuple[tuple[Any, ...], ...]
    columns: Mapping[str, tuple[int, Type]]
    policy: Policy

    def hits(self, values: Sequence[Any]) -> list[int]:
        """The indexes of the rows that answer for ``values``; raises ``Refusal`` when one must and none does."""
        fitting = (
            index
            for index in self.policy.order
            if all(condition.contains(value) for condition, value in zip(self.rows[index], values, strict=True))
        )
        if self.policy.gather is not None:
            return list(fitting)
        for index in fitting:
            return [index]
        raise Refusal("no_table_row", f"no row of the table {self.name} fits")

    def answer(self, hits: Sequence[int]) -> tuple[Any, ...]:
        """What these rows answer, column by column."""
        results = [self.results[index] for index in hits]
        return results[0] if self.policy.gather is None else self.policy.gather(results)

    def match(self, *values: Any) -> tuple[Any, ...]:  # noqa: ANN401 - scalars of the columns' types
        """The answer for ``values``; raises ``Refusal`` when there is none."""
        return self.answer(self.hits(values))


def table(name: str, raw: object, pointer: str, checker: Checker) -> Table | None:
    """Read and check one table; None, and faults, when it is wrong."""
    report = checker.report
    before = len(report.faults)
    keys = Keys(raw, pointer, report, ("hit", "priority", "collect", "in", "out", "rows", "description"))
    inputs = _inputs(keys, checker)
    outs = _outs(keys)
    raw_rows = keys.raw.get("rows")
    if not isinstance(raw_rows, list | tuple) or not 0 < len(raw_rows) <= TABLE_ROWS_MAX:
        keys.wrong("rows", f"1 to {TABLE_ROWS_MAX} rows")
        return None
    if len(report.faults) > before or any(node.type.kind is Kind.UNKNOWN for node in inputs):
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
    held = policy(keys, rows, results, columns)
    if held is None:
        return None
    return Table(name, tuple(inputs), tuple(rows), tuple(results), held[1], held[0])


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
        misspelt = [] if declared else _misspelt_numbers(raw)
        for index in misspelt:
            report.add(
                at(pointer, "rows", index, width + place),
                "bad_cell",
                f"expected a number as in the cells above and below, found {shown(raw[index])}",
                expected='a plain number, like "1.50"',
                found=shown(raw[index]),
                suggestion='write it as "1.50"; if these are texts, declare it: "out": {"'
                + name
                + '": {"type": "string"}}',
            )
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


def _misspelt_numbers(cells: Sequence[object]) -> list[int]:
    """The cells that are no numbers in a column where all others are, and that are written like money."""
    wrong = [index for index, item in enumerate(cells) if isinstance(item, str) and not _NUMBER.fullmatch(item)]
    numbers = sum(1 for item in cells if item is not None) - len(wrong)
    money = all(_MONEY.fullmatch(str(cells[index])) for index in wrong)
    return wrong if numbers and money and not any(isinstance(item, bool) for item in cells) else []


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
