"""The findings on decision tables: rows that are never hit, records that no row takes."""

from collections.abc import Iterator
from typing import Any

from chalicelib.language.faults import at
from chalicelib.language.lint.domains import words as domain_words
from chalicelib.language.lint.findings import Finding, finding
from chalicelib.language.lint.knowledge import Knowledge
from chalicelib.language.lint.reach import Reach
from chalicelib.language.lint.rows import Combination, Rows
from chalicelib.language.lint.subject import Subject
from chalicelib.language.lint.witness import Gap, Witnesses
from chalicelib.language.places import HIT
from chalicelib.language.tables import Table
from chalicelib.language.wording import cell_words, value_words, words

# Combinations for which an example record is looked for, and gaps that are told of one table.
COMBINATIONS_MAX = 60
GAPS_TOLD_MAX = 3
_NAMED_MAX = 4


def examine_tables(subject: Subject, reach: Reach) -> Iterator[Finding]:
    """Every table that something uses, with what its columns can hold there; notes dead rows in ``reach``."""
    witnesses = Witnesses(subject, reach.reasoner)
    for name, definition in subject.program.shared.items():
        table = reach.reasoner.table_of(definition)
        known = reach.uses.get(name)
        if table is None or known is None:
            continue
        columns = [reach.reasoner.of(node, known).values for node in table.inputs]
        rows = Rows(table, columns)
        for row, hidden_by in rows.unreachable():
            reach.dead.add((id(definition), row))
            yield _unreachable(table, row, hidden_by, definition.pointer, known, reach)
        yield from _gaps(name, table, rows, definition.pointer, known, witnesses)


def _unreachable(
    table: Table, row: int, hidden_by: tuple[int, ...], pointer: str, known: Knowledge, reach: Reach
) -> Finding:
    title = row_words(table, row)
    if hidden_by:
        numbers = ", ".join(str(other + 1) for other in hidden_by[:_NAMED_MAX])
        message = f"{title} is never hit: row{'s' if len(hidden_by) > 1 else ''} {numbers} take every record before it"
        mend = f"remove row {row + 1}, or put it before row {hidden_by[0] + 1}"
    else:
        told = ", ".join(f"{words(node)} is {domain_words(reach.reasoner.of(node, known))}" for node in table.inputs)
        message = f"{title} is never hit: here {told}"
        mend = f"correct the conditions of row {row + 1}, or remove it"
    return finding(at(pointer, "rows", row), "unreachable_row", message, mend)


def _gaps(
    name: str, table: Table, rows: Rows, pointer: str, known: Knowledge, witnesses: Witnesses
) -> Iterator[Finding]:
    title = name.removeprefix(HIT)
    found: dict[tuple[Any, ...], Gap] = {}
    combinations = rows.gaps(COMBINATIONS_MAX)
    for combination in combinations:
        gap = witnesses.of_gap(title, table, combination, known)
        if gap is not None:
            found.setdefault(gap.values, gap)
        if len(found) == GAPS_TOLD_MAX:
            break
    if combinations and not found:
        gap = witnesses.of_any_gap(title, table, known)
        found |= {gap.values: gap} if gap is not None else {}
    for gap in found.values():
        message = f"no row of table {title} takes {_values(table, gap.values)}: for example {gap.example.words()}"
        mend = 'add a row for it, a last row of "-", or declare min, max or values so that it cannot occur'
        yield finding(at(pointer, "rows"), "table_gap", message, mend)
    if combinations and not found and any(witnesses.is_computed(node) for node in table.inputs):
        told = _values(table, combinations[0])
        message = f"no row of table {title} takes {told}, and whether a record has that was not found out"
        mend = 'add a row for it, or a last row of "-"'
        yield finding(pointer, "table_gap_unchecked", message, mend)
    if rows.exhausted:
        message = f"table {table.name} has too many combinations: gaps were looked for in a part of them only"
        yield finding(pointer, "table_gap_unchecked", message, 'split it, or end it with a row of "-"')


def _values(table: Table, combination: Combination) -> str:
    return ", ".join(
        f"{words(node)} {value_words(value)}" for node, value in zip(table.inputs, combination, strict=True)
    )


def row_words(table: Table, row: int) -> str:
    """``row 3 of table tier ([60,) → 1.5)``."""
    conditions = ", ".join(cell_words(cell) for cell in table.rows[row])
    results = ", ".join(_plain(value) for value in table.results[row])
    return f"row {row + 1} of table {table.name} ({conditions} → {results})"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else value_words(value)
