"""Conditions on what never comes: texts that are normalized away, days outside the rule's, years told twice."""

from tests.unit.language.lint_corpus.words import (
    Pair,
    both,
    case,
    cell,
    eq,
    flag,
    ge,
    lt,
    months,
    ne,
    op,
    rule,
    table,
    v,
    within,
)

UPPER = {"job": {"type": "string", "normalize": ["trim", "upper"]}}
LOWER = {"job": {"type": "string", "normalize": ["lower"]}}
TRIMMED = {"job": {"type": "string", "normalize": ["trim"]}}
FROM = {"effective": {"from": "2026-10-15", "to": None}}
TO = {"effective": {"from": None, "to": "2026-06-30"}}
POINTS = "/outputs/points/expr"


def years():
    return {"years_between": [v("hired"), v("as_of")]}


ALWAYS_FALSE = [
    Pair(
        "read in upper case",
        rule(case(eq(v("job"), "paint"), 2, 1), inputs=UPPER),
        f"{POINTS}/if/0",
        rule(case(eq(v("job"), "PAINT"), 2, 1), inputs=UPPER),
    ),
    Pair(
        "read in lower case",
        rule(1, when=eq(v("job"), "Paint"), inputs=LOWER),
        "/when",
        rule(1, when=eq(v("job"), "paint"), inputs=LOWER),
    ),
    Pair(
        "blanks are dropped",
        rule(1, when=eq(v("job"), " paint"), inputs=TRIMMED),
        "/when",
        rule(1, when=eq(v("job"), "paint"), inputs=TRIMMED),
    ),
    Pair(
        "none of a list",
        rule(1, when=within(v("job"), "paint", "Body"), inputs=UPPER),
        "/when",
        rule(1, when=within(v("job"), "paint", "BODY"), inputs=UPPER),
    ),
    Pair(
        "a day before the first",
        rule(case(lt(v("as_of"), "2026-10-01"), 2, 1), **FROM),
        f"{POINTS}/if/0",
        rule(case(lt(v("as_of"), "2026-11-01"), 2, 1), **FROM),
    ),
    Pair(
        "a day behind the last",
        rule(1, when=ge(v("as_of"), "2026-07-01"), **TO),
        "/when",
        rule(1, when=ge(v("as_of"), "2026-06-30"), **TO),
    ),
    Pair(
        "two years and not 24 months",
        rule(1, when=both(lt(months(), 24), ge(years(), 2))),
        "/when/and/1",
        rule(1, when=both(lt(months(), 24), ge(years(), 1))),
    ),
]

ALWAYS_TRUE = [
    Pair(
        "not what is never read",
        rule(1, when=ne(v("job"), "paint"), inputs=UPPER),
        "/when",
        rule(1, when=ne(v("job"), "PAINT"), inputs=UPPER),
    ),
    Pair(
        "24 months and two years",
        rule(1, when=both(ge(months(), 24), ge(years(), 2))),
        "/when/and/1",
        rule(1, when=both(ge(months(), 24), ge(years(), 3))),
    ),
    Pair(
        "two years and 24 months",
        flag(both(ge(years(), 2), ge(months(), 24))),
        "/outputs/ok/expr/and/1",
        flag(both(ge(years(), 2), ge(months(), 25))),
    ),
    Pair(
        "from the first day on",
        rule(case(ge(v("as_of"), "2026-10-15"), 2, 1), **FROM),
        f"{POINTS}/if/0",
        rule(case(ge(v("as_of"), "2026-10-16"), 2, 1), **FROM),
    ),
    Pair(
        "the years by a name",
        rule(1, when=both(ge(v("m"), 36), ge(v("y"), 3)), let={"m": months(), "y": years()}),
        "/when/and/1",
        rule(1, when=both(ge(v("m"), 35), ge(v("y"), 3)), let={"m": months(), "y": years()}),
    ),
]

_ROW = "/tables/t/rows/0"
UNREACHABLE_ROW = [
    Pair(
        "a text in lower case",
        rule(cell("t", "rate"), tables={"t": table(["job"], ["paint", "2"], ["-", "1"], hit="first")}, inputs=UPPER),
        _ROW,
        rule(cell("t", "rate"), tables={"t": table(["job"], ["PAINT", "2"], ["-", "1"], hit="first")}, inputs=UPPER),
    ),
    Pair(
        "days before the first",
        rule(
            op("+", cell("t", "rate"), 0),
            let={"day": v("as_of")},
            tables={"t": table(["day"], ["(,2026-10-15)", "2"], ["[2026-10-15,)", "1"])},
            **FROM,
        ),
        _ROW,
        rule(
            op("+", cell("t", "rate"), 0),
            let={"day": v("as_of")},
            tables={"t": table(["day"], ["(,2026-10-16)", "2"], ["[2026-10-16,)", "1"])},
            **FROM,
        ),
    ),
]
