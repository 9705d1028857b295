"""Declarations that nothing reads."""

from copy import deepcopy
from typing import Any

from tests.unit.language.lint_corpus.words import (
    INPUTS,
    Pair,
    both,
    case,
    cell,
    eq,
    flag,
    ge,
    gt,
    lt,
    months,
    ne,
    op,
    rule,
    table,
    text,
    v,
    within,
)

MONTH = {"of": "points", "period": "calendar_month"}
TIERS = {"tier": table(["level"], ["[1,3]", "1"], ["[4,5]", "2"])}
#: Rules that use whatever they declare, in many ways.
CLEAN: dict[str, dict[str, Any]] = {
    "a product": rule(op("*", v("hours"), v("level"))),
    "a condition": rule(v("hours"), when=eq(v("status"), "ACTIVE")),
    "a definition": rule(v("twice"), let={"twice": op("*", v("hours"), 2)}),
    "definitions in a chain": rule(v("a"), let={"a": op("+", v("b"), 1), "b": op("*", v("amount"), 2)}),
    "a definition in `when`": rule(v("hours"), when=v("old"), let={"old": ge(v("age"), 18)}),
    "a table": rule(cell("tier", "rate"), tables=TIERS),
    "a table over a definition": rule(
        cell("tier", "rate"),
        let={"service": months()},
        tables={"tier": table(["service"], ["(,24)", "1"], ["[24,)", "2"])},
    ),
    "a table in a definition": rule(v("rate"), let={"rate": cell("tier", "rate")}, tables=TIERS),
    "a table in `when`": rule(v("hours"), when=gt(cell("tier", "rate"), 1), tables=TIERS),
    "a sum": rule(op("min", v("hours"), op("max", op("-", 400, v("month")), 0)), aggregates={"month": MONTH}),
    "a sum in a definition": rule(
        op("min", v("hours"), v("room")),
        let={"room": op("max", op("-", 400, v("month")), 0)},
        aggregates={"month": MONTH},
    ),
    "a branch": rule(case(within(v("event"), "HOURS", "SPEND"), v("hours"), v("amount"))),
    "an alternative": rule(op("coalesce", v("bonus"), v("hours"))),
    "a text": text(op("cat", v("unit"), "-", v("job"))),
    "a look-up": text(op("lookup", "codes", v("job"), {"on_miss": "null"})),
    "lines": flag(op("some", v("lines"), eq(v(".sku"), v("job")))),
    "an object": rule(when=ne(v("left"), None), points=case(lt(v("left"), v("booked")), 1, 2)),
    "two conditions": rule(v("hours"), when=both(v("paid"), v("union"))),
}


def with_part(name: str, key: str, part: dict[str, Any]) -> dict[str, Any]:
    """A clean rule with one more declaration."""
    document = deepcopy(CLEAN[name])
    document[key] = {**document.get(key, {}), **part}
    return document


def read_by_unused(name: str) -> dict[str, Any]:
    """A clean rule with a name that only an unused name uses."""
    return with_part(name, "let", {"spare": op("+", v("unread"), 1), "unread": 1})


UNUSED_INPUT = [
    Pair(f"{name}: {extra}", with_part(name, "inputs", {extra: INPUTS[extra]}), f"/inputs/{extra}", CLEAN[name])
    for name, extra in zip(
        CLEAN,
        (
            "amount",
            "hours",
            "left",
            "grade",
            "unit",
            "count",
            "country",
            "booked",
            "lines",
            "bonus",
            "fte",
            "age",
            "class",
            "tenure",
            "paid",
            "union",
            "balance",
            "job",
        ),
        strict=True,
    )
    if extra not in CLEAN[name]["inputs"]
]
UNUSED_LET = [
    *(
        Pair(name, with_part(name, "let", {"spare": op("+", 1, 2)}), "/let/spare", CLEAN[name])
        for name in list(CLEAN)[:12]
    ),
    *(Pair(f"{name}, by another", read_by_unused(name), "/let/unread", CLEAN[name]) for name in list(CLEAN)[12:]),
]
UNUSED_TABLE = [
    Pair(name, with_part(name, "tables", {"spare": table(["as_of"], ["-", "1"])}), "/tables/spare", CLEAN[name])
    for name in CLEAN
]
UNUSED_AGGREGATE = [
    Pair(
        name,
        with_part(name, "aggregates", {"year": {**MONTH, "period": "calendar_year"}}),
        "/aggregates/year",
        CLEAN[name],
    )
    for name in CLEAN
]


def with_column(*, used: bool, name: str, level: str) -> dict[str, Any]:
    """A table with two result columns, the second of them used or not."""
    found = {"hit": "unique", "in": [level], "out": ["rate", name], "rows": [["-", "1", 2]]}
    expr = op("+", cell("t", "rate"), cell("t", name)) if used else cell("t", "rate")
    return rule(op("*", expr, v(level)), tables={"t": found})


UNUSED_COLUMN = [
    Pair(
        f"{name} over {level}",
        with_column(used=False, name=name, level=level),
        "/tables/t/out/1",
        with_column(used=True, name=name, level=level),
    )
    for name in ("cap", "bonus_rate", "floor", "step", "other")
    for level in ("level", "age", "tenure")
]
