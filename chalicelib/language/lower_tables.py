"""Decision tables as code: a dictionary where every condition is a literal, else a routine that tests row by row."""

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

from chalicelib.language import code
from chalicelib.language.code import Bound, Expr, Local, Routine, Stmt
from chalicelib.language.intervals import Cell, Interval, Members
from chalicelib.language.tables import Table

# Combinations of literals that are spelled out into a dictionary.
INDEX_ENTRIES_MAX = 5_000
_HITS = Local("hits_0")


def index_of(table: Table) -> dict[Any, tuple[Any, ...]] | None:
    """The results by condition value (by tuple of them, if there are several), or None when a row has no literals."""
    if table.policy.gather is not None:
        return None
    rows = [tuple(cell for cell in table.rows[row] if isinstance(cell, Members)) for row in table.policy.order]
    if any(len(row) != len(table.inputs) for row in rows):
        return None
    if sum(prod(len(cell.values) for cell in row) for row in rows) > INDEX_ENTRIES_MAX:
        return None
    index: dict[Any, tuple[Any, ...]] = {}
    for row, result in zip(rows, (table.results[row] for row in table.policy.order), strict=True):
        for key in product(*(cell.values for cell in row)):
            index.setdefault(key[0] if len(key) == 1 else key, result)
    return index


def routine_of(table: Table, name: str, bound: Callable[[object], Bound], refusal: code.Do) -> Routine:
    """A routine that returns the answer of the first row that fits, or of all that do."""
    parameters = tuple(Local(f"x_{index}") for index in range(len(table.inputs)))
    gather = table.policy.gather
    body: list[Stmt] = [] if gather is None else [code.Assign(_HITS, code.Display(()))]
    for row in table.policy.order:
        tests: list[Expr] = []
        for cell, value in zip(table.rows[row], parameters, strict=True):
            tests.extend(_tests(cell, value, bound))
        result = bound(table.results[row])
        found: Stmt = code.Return(result) if gather is None else code.Do(code.Call(bound(list.append), (_HITS, result)))
        if tests:
            body.append(code.If(code.Joined("and", tuple(tests)) if len(tests) > 1 else tests[0], (found,)))
            continue
        body.append(found)
        if gather is None:
            return Routine(name, parameters, tuple(body))
    end: Stmt = refusal if gather is None else code.Return(code.Call(bound(gather), (_HITS,)))
    return Routine(name, parameters, (*body, end))


def _tests(cell: Cell, value: Local, bound: Callable[[object], Bound]) -> list[Expr]:
    match cell:
        case Members(values=values) if len(values) == 1:
            return [code.Compare("==", (value, bound(next(iter(values)))))]
        case Members(values=values):
            return [code.Contained(value, bound(values))]
        case Interval(low=low, high=high):
            tests: list[Expr] = []
            if low is not None:
                tests.append(code.Compare("<=" if cell.low_included else "<", (bound(low), value)))
            if high is not None:
                tests.append(code.Compare("<=" if cell.high_included else "<", (value, bound(high))))
            return tests
    return []
