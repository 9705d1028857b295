"""The hit policies of DMN: which of the rows that fit a record answers, and what a rule file must show for each.

Every condition is an interval, a set of literals or "any", so whether two rows can both fit is decided when the rule is
loaded, for good. ``unique`` refuses rows that overlap; ``any`` refuses overlapping rows with different results;
``first`` and ``priority`` refuse rows that a row before them covers, ``priority`` after ordering the rows by the column
that ranks them. So at run time the first row that fits is the answer under all of these. ``collect`` takes all rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

from chalicelib.language.declarations import Keys
from chalicelib.language.faults import Report, at, shown
from chalicelib.language.intervals import Cell, covers, meet
from chalicelib.language.kinds import INTEGER, NUMBERS, Kind, Type, list_of, words
from chalicelib.language.operators.numbers import fitting
from chalicelib.language.rounding import ARITHMETIC
from chalicelib.records import dataclass

HIT_POLICIES = ("unique", "any", "first", "priority", "collect")
COLLECTIONS = ("list", "sum", "min", "max", "count")
_ORDERED = (*NUMBERS, Kind.DATE)

Column = tuple[int, Type]
Results = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """How a table answers. ``order``: the rows, by number, as they are tried.

    ``gather`` makes one answer of the results of all rows that fit; without it the first row that fits answers.
    """

    name: str
    order: tuple[int, ...]
    gather: Callable[[Sequence[Results]], Results] | None = None


def policy(
    keys: Keys,
    rows: Sequence[Sequence[Cell]],
    results: Sequence[Results],
    columns: Mapping[str, Column],
) -> tuple[Policy, Mapping[str, Column]] | None:
    """The policy of a table and the types of its answers; None, and faults, when the rows do not keep to it."""
    before = len(keys.report.faults)
    hit = keys.choice("hit", HIT_POLICIES) or ""
    for key, of in (("priority", "priority"), ("collect", "collect")):
        if key in keys.raw and hit != of:
            keys.wrong(key, f'no {key}: it goes with "hit": "{of}"')
    if hit == "collect":
        return _collected(keys, columns)
    order = _ranked(keys, results, columns) if hit == "priority" else tuple(range(len(rows)))
    if len(keys.report.faults) > before:
        return None
    if hit in {"first", "priority"}:
        _refuse_unreachable(keys, rows, order, ranked=hit == "priority")
    if hit == "priority":
        _refuse_ties(keys, rows, results, columns)
    if hit in {"unique", "any"}:
        _refuse_overlaps(keys, rows, results, hit)
    return (Policy(hit, order), columns) if len(keys.report.faults) == before else None


def _ranked(keys: Keys, results: Sequence[Results], columns: Mapping[str, Column]) -> tuple[int, ...]:
    """The rows by rank: ``{"by": column, "order": "highest" | "lowest" | [values, the first of which wins]}``."""
    column = _ranking(keys, columns)
    if column is None:
        return ()
    place, kind = column
    pointer = at(keys.pointer, "priority", "order")
    order = keys.mapping("priority").get("order")
    values = [row[place] for row in results]
    if isinstance(order, list | tuple) and kind.kind is Kind.STRING:
        stray = [value for value in values if value not in order]
        if stray or len(set(map(str, order))) != len(order):
            expected = f"every value of the column once, also {stray[0]}" if stray else "values once"
            _wrong(keys.report, pointer, expected, shown(order))
            return ()
        return tuple(sorted(range(len(values)), key=lambda row: order.index(values[row])))
    if order not in ("highest", "lowest") or kind.kind not in _ORDERED:
        expected = f'"highest" or "lowest" of {words(*_ORDERED)}, or of text the list of its values'
        _wrong(keys.report, pointer, expected, f"{shown(order)} of {kind.words}")
        return ()
    # A stable sort, reversed or not, keeps rows of one rank as they are written.
    return tuple(sorted(range(len(values)), key=lambda row: values[row], reverse=order == "highest"))


def _ranking(keys: Keys, columns: Mapping[str, Column]) -> Column | None:
    """The column that ranks the rows; None, and a fault, when there is none."""
    if "priority" not in keys.raw:
        keys.wrong("priority", 'how rows are ranked, like {"by": "a column", "order": "highest"}')
        return None
    rank = Keys(keys.raw["priority"], at(keys.pointer, "priority"), keys.report, ("by", "order"))
    by = rank.choice("by", tuple(columns))
    if by is None:
        return None
    if columns[by][1].nullable:
        rank.wrong("by", "a column without null")
        return None
    return columns[by]


def _refuse_unreachable(keys: Keys, rows: Sequence[Sequence[Cell]], order: Sequence[int], *, ranked: bool) -> None:
    known: set[int] = set()
    for later, earlier in _pairs(order):
        hidden = all(covers(left, right) for left, right in zip(rows[earlier], rows[later], strict=True))
        if not hidden or later in known:
            continue
        known.add(later)
        row, other = f"row {later + 1}", f"row {earlier + 1}"
        keys.report.add(
            at(keys.pointer, "rows", later),
            "unreachable_row",
            f"{row} is never reached: {other} " + ("outranks it" if ranked else "takes every record before it"),
            expected="a row that some record reaches",
            found=f"rows {min(earlier, later) + 1} and {max(earlier, later) + 1}",
            suggestion=f"rank {row} above {other}, or remove it"
            if ranked
            else f"put {row} before {other}, or remove it",
        )


def _refuse_ties(
    keys: Keys, rows: Sequence[Sequence[Cell]], results: Sequence[Results], columns: Mapping[str, Column]
) -> None:
    place, _ = columns[keys.mapping("priority")["by"]]
    for later, earlier in _pairs(range(len(rows))):
        tied = results[later][place] == results[earlier][place] and results[later] != results[earlier]
        if tied and _overlap(rows[later], rows[earlier]):
            keys.report.add(
                at(keys.pointer, "rows", later),
                "table_overlap",
                f"rows {earlier + 1} and {later + 1} can both hit with the same rank and different results",
                expected="different ranks where rows overlap",
                found=f"rows {earlier + 1} and {later + 1}",
                suggestion="rank one of them higher, or narrow it",
            )


def _refuse_overlaps(keys: Keys, rows: Sequence[Sequence[Cell]], results: Sequence[Results], hit: str) -> None:
    for later, earlier in _pairs(range(len(rows))):
        if not _overlap(rows[later], rows[earlier]) or (hit == "any" and results[earlier] == results[later]):
            continue
        both = f"rows {earlier + 1} and {later + 1}"
        keys.report.add(
            at(keys.pointer, "rows", later),
            "table_overlap",
            f"{both} can both hit" + (" with different results" if hit == "any" else ""),
            expected="at most one row for every record" if hit == "unique" else "the same results where rows overlap",
            found=both,
            suggestion='narrow one of them, or use "hit": "first"',
        )


def _overlap(left: Sequence[Cell], right: Sequence[Cell]) -> bool:
    return all(meet(one, other) for one, other in zip(left, right, strict=True))


def _pairs(order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each row with each that is tried before it."""
    for at_, later in enumerate(order):
        for earlier in order[:at_]:
            yield later, earlier


def _collected(keys: Keys, columns: Mapping[str, Column]) -> tuple[Policy, Mapping[str, Column]] | None:
    how = keys.choice("collect", COLLECTIONS, default="list")
    before = len(keys.report.faults)
    if how is None:
        return None
    answers = {name: (place, _answer(keys, how, name, kind)) for name, (place, kind) in columns.items()}
    if len(keys.report.faults) > before:
        return None
    order = tuple(range(len(keys.raw["rows"])))
    makes = [
        _decimals if how == "sum" and kind.kind is Kind.DECIMAL else _COLLECTED[how] for _, kind in columns.values()
    ]

    def gather(hit: Sequence[Results]) -> Results:
        return tuple(make([row[place] for row in hit]) for place, make in enumerate(makes))

    return Policy("collect", order, gather), answers


def _answer(keys: Keys, how: str, name: str, kind: Type) -> Type:
    """The type of one column of what is collected."""
    if how == "list":
        return list_of(kind)
    if how == "count":
        return INTEGER
    kinds = NUMBERS if how == "sum" else _ORDERED
    if kind.kind not in kinds or kind.nullable:
        found = f"{kind.words} in {name}"
        _wrong(keys.report, at(keys.pointer, "out"), f"{words(*kinds)} without null in every row of {name}", found)
    return kind if how == "sum" else kind.with_null()


def _wrong(report: Report, pointer: str, expected: str, found: str) -> None:
    report.add(pointer, "wrong_value", f"expected {expected}, found {found}", expected=expected, found=found)


def _least(values: Sequence[Any]) -> Any:  # noqa: ANN401 - a number or a date
    return min(values, default=None)


def _greatest(values: Sequence[Any]) -> Any:  # noqa: ANN401 - a number or a date
    return max(values, default=None)


def _integers(values: Sequence[int]) -> int:
    return fitting(sum(values))


def _decimals(values: Sequence[Decimal]) -> Decimal:
    return reduce(ARITHMETIC.add, values, Decimal(0))


_Make = Callable[[list[Any]], Any]
_COLLECTED: Mapping[str, _Make] = {
    "list": list,
    "sum": _integers,
    "min": _least,
    "max": _greatest,
    "count": len,
}
