"""Rows that nobody hits, and rows that overlap."""

from typing import Any

from tests.unit.language.lint_corpus.words import (
    Pair,
    case,
    cell,
    either,
    eq,
    ge,
    le,
    months,
    ne,
    op,
    rule,
    table,
    v,
)

ROWS = "/tables/t/rows"
CROSS = ["status", "level"]


def tabled(inputs: list[str], *rows: list[Any], hit: str = "unique", when: Any = None, **parts: Any) -> dict[str, Any]:
    """A rule that answers with one table."""
    more = {} if when is None else {"when": when}
    ranked = {"priority": {"by": "rate", "order": "highest"}} if hit == "priority" else {}
    return rule(cell("t", "rate"), tables={"t": table(inputs, *rows, hit=hit, **ranked)}, **more, **parts)


LET = {"let": {"service": months()}}
EMPLOYED = le(v("hired"), v("as_of"))

GRANTED = eq(v("event"), "BONUS")
TIERED: dict[str, Any] = {"tables": {"t": table(["tenure"], ["(,6)", "0"], ["[6,24)", "1"], ["[24,)", "2"])}}

UNREACHABLE_ROW = [
    Pair(
        "a square below zero",
        tabled(["square"], ["(,0)", "0"], ["[0,)", "1"], let={"square": op("*", v("balance"), v("balance"))}),
        f"{ROWS}/0",
        tabled(["square"], ["(,1)", "0"], ["[1,)", "1"], let={"square": op("*", v("balance"), v("balance"))}),
    ),
    Pair(
        "above the declared maximum",
        tabled(["level"], ["[1,5]", "1"], ["[6,9]", "2"]),
        f"{ROWS}/1",
        tabled(["level"], ["[1,4]", "1"], ["[5,9]", "2"]),
    ),
    Pair(
        "below the declared minimum",
        tabled(["age"], ["(,14)", "1"], ["[14,)", "2"]),
        f"{ROWS}/0",
        tabled(["age"], ["(,15)", "1"], ["[15,)", "2"]),
    ),
    Pair(
        "between two whole numbers",
        tabled(["level"], ["[1,3]", "1"], ["(3,4)", "2"], ["[4,5]", "3"]),
        f"{ROWS}/1",
        tabled(["level"], ["[1,2]", "1"], ["(2,4)", "2"], ["[4,5]", "3"]),
    ),
    Pair(
        "finer than two decimal places",
        tabled(["fte"], ["[0,50]", "1"], ["(50,50.01)", "2"], ["[50.01,100]", "3"]),
        f"{ROWS}/1",
        tabled(["fte"], ["[0,50]", "1"], ["(50,50.02)", "2"], ["[50.02,100]", "3"]),
    ),
    Pair(
        "what `when` leaves out",
        tabled(
            ["event"], ["HOURS", "1"], ["SPEND", "2"], [["BONUS", "ANNIVERSARY"], "3"], when=ne(v("event"), "SPEND")
        ),
        f"{ROWS}/1",
        tabled(["event"], ["HOURS", "1"], ["SPEND", "2"], [["BONUS", "ANNIVERSARY"], "3"], when=v("paid")),
    ),
    Pair(
        "two earlier rows take it together",
        tabled(["level"], ["[1,3]", "1"], ["[3,5]", "2"], ["[2,4]", "3"], hit="first"),
        f"{ROWS}/2",
        tabled(["level"], ["[1,2]", "1"], ["[4,5]", "2"], ["[2,4]", "3"], hit="first"),
    ),
    Pair(
        "every value of the enum stands before it",
        tabled(["country"], ["AT", "1"], ["CH", "2"], ["DE", "3"], ["-", "4"], hit="first"),
        f"{ROWS}/3",
        tabled(["country"], ["AT", "1"], ["CH", "2"], ["-", "4"], hit="first"),
    ),
    Pair(
        "true and false stand before it",
        tabled(["paid"], [True, "1"], [False, "2"], ["-", "3"], hit="first"),
        f"{ROWS}/2",
        tabled(["paid"], [True, "1"], ["-", "3"], hit="first"),
    ),
    Pair(
        "two columns, each half taken before",
        tabled(
            CROSS,
            ["ACTIVE", "[1,3]", "1"],
            ["ACTIVE", "[4,5]", "2"],
            ["ACTIVE", "[2,4]", "3"],
            ["-", "-", "4"],
            hit="first",
        ),
        f"{ROWS}/2",
        tabled(
            CROSS,
            ["ACTIVE", "[1,2]", "1"],
            ["ACTIVE", "[4,5]", "2"],
            ["ACTIVE", "[2,4]", "3"],
            ["-", "-", "4"],
            hit="first",
        ),
    ),
    Pair(
        "a day outside the declared year",
        tabled(["booked"], ["[2026-01-01,2026-07-01)", "1"], ["[2026-07-01,2027-01-01)", "2"], ["[2027-01-01,)", "3"]),
        f"{ROWS}/2",
        tabled(["booked"], ["[2026-01-01,2026-07-01)", "1"], ["[2026-07-01,2026-12-31)", "2"], ["[2026-12-31,)", "3"]),
    ),
    Pair(
        "less service than `when` demands",
        tabled(["service"], ["(,6)", "0"], ["[6,24)", "1"], ["[24,)", "2"], when=ge(v("service"), 6), **LET),
        f"{ROWS}/0",
        tabled(["service"], ["(,6)", "0"], ["[6,24)", "1"], ["[24,)", "2"], when=ge(v("service"), 5), **LET),
    ),
    Pair(
        "negative service of who was hired before",
        tabled(["service"], ["(,0)", "0"], ["[0,24)", "1"], ["[24,)", "2"], when=EMPLOYED, **LET),
        f"{ROWS}/0",
        tabled(["service"], ["(,1)", "0"], ["[1,24)", "1"], ["[24,)", "2"], when=EMPLOYED, **LET),
    ),
    Pair(
        "what one of two conditions lets through, used where the other does not hold",
        rule(case(GRANTED, v("hours"), cell("t", "rate")), when=either(GRANTED, ge(v("tenure"), 6)), **TIERED),
        f"{ROWS}/0",
        rule(case(v("paid"), v("hours"), cell("t", "rate")), when=either(GRANTED, ge(v("tenure"), 6)), **TIERED),
    ),
    Pair(
        "used only in a branch that excludes it",
        rule(
            case(eq(v("status"), "ACTIVE"), cell("t", "rate"), 0),
            tables={"t": table(["status"], ["ACTIVE", "1"], ["LEAVE", "2"])},
        ),
        f"{ROWS}/1",
        rule(
            case(ne(v("status"), "TERM"), cell("t", "rate"), 0),
            tables={"t": table(["status"], ["ACTIVE", "1"], ["LEAVE", "2"])},
        ),
    ),
    Pair(
        "a level that the other table never gives",
        rule(
            cell("t", "rate"),
            let={"band": cell("b", "band")},
            tables={
                "b": table(["level"], ["[1,3]", 1], ["[4,5]", 2], out="band"),
                "t": table(["band"], [1, "1"], [2, "2"], [3, "3"]),
            },
        ),
        f"{ROWS}/2",
        rule(
            cell("t", "rate"),
            let={"band": cell("b", "band")},
            tables={
                "b": table(["level"], ["[1,3]", 1], ["4", 2], ["5", 3], out="band"),
                "t": table(["band"], [1, "1"], [2, "2"], [3, "3"]),
            },
        ),
    ),
    Pair(
        "outranked by two rows together",
        tabled(["level"], ["[1,4]", "1"], ["[1,2]", "2"], ["[3,5]", "3"], hit="priority"),
        f"{ROWS}/0",
        tabled(["level"], ["[1,4]", "1"], ["[1,2]", "2"], ["[4,5]", "3"], hit="priority"),
    ),
    Pair(
        "said already with the same result",
        tabled(["level"], ["[1,4]", "1"], ["[2,3]", "1"], ["5", "2"], hit="any"),
        f"{ROWS}/1",
        tabled(["level"], ["[1,3]", "1"], ["[2,4]", "1"], ["5", "2"], hit="any"),
    ),
    Pair(
        "collected from nothing",
        rule(
            cell("t", "rate"),
            tables={"t": table(["level"], ["[1,3]", "1"], ["[7,9]", "2"], hit="collect", collect="sum")},
        ),
        f"{ROWS}/1",
        rule(
            cell("t", "rate"),
            tables={"t": table(["level"], ["[1,3]", "1"], ["[2,9]", "2"], hit="collect", collect="sum")},
        ),
    ),
]

TABLE_OVERLAP = [
    Pair(title, tabled(inputs, *planted, hit=hit), f"{ROWS}/{row}", tabled(inputs, *clean, hit=hit))
    for title, hit, inputs, planted, row, clean in (
        (
            "a shared bound",
            "unique",
            ["tenure"],
            [["[0,24]", "1"], ["[24,600]", "2"]],
            1,
            [["[0,24)", "1"], ["[24,600]", "2"]],
        ),
        (
            "nested ranges",
            "unique",
            ["tenure"],
            [["[0,600]", "1"], ["[6,12]", "2"]],
            1,
            [["[0,6)", "1"], ["[6,600]", "2"]],
        ),
        (
            "open to infinity twice",
            "unique",
            ["tenure"],
            [["[6,)", "1"], ["[24,)", "2"]],
            1,
            [["(,24)", "1"], ["[24,)", "2"]],
        ),
        (
            "the same value",
            "unique",
            ["event"],
            [["HOURS", "1"], [["SPEND", "HOURS"], "2"]],
            1,
            [["HOURS", "1"], [["SPEND", "BONUS", "ANNIVERSARY"], "2"]],
        ),
        (
            "anything beside a value",
            "unique",
            ["event"],
            [["HOURS", "1"], ["-", "2"]],
            1,
            [["HOURS", "1"], [["SPEND", "BONUS", "ANNIVERSARY"], "2"]],
        ),
        ("a number in a range", "unique", ["level"], [["[1,5]", "1"], [3, "2"]], 1, [["[1,2]", "1"], ["[3,5]", "2"]]),
        (
            "a date in two halves",
            "unique",
            ["booked"],
            [["(,2026-07-01]", "1"], ["[2026-07-01,)", "2"]],
            1,
            [["(,2026-07-01)", "1"], ["[2026-07-01,)", "2"]],
        ),
        ("true twice", "unique", ["paid"], [[True, "1"], [True, "2"]], 1, [[True, "1"], [False, "2"]]),
        (
            "two columns that cross",
            "unique",
            CROSS,
            [["ACTIVE", "-", "1"], ["-", "[1,2]", "2"]],
            1,
            [["ACTIVE", "-", "1"], [["LEAVE", "TERM"], "-", "2"]],
        ),
        (
            "two columns with one shared corner",
            "unique",
            CROSS,
            [
                [["ACTIVE", "LEAVE"], "[1,3]", "1"],
                [["LEAVE", "TERM"], "[3,5]", "2"],
                ["ACTIVE", "[4,5]", "3"],
                ["TERM", "[1,2]", "4"],
            ],
            1,
            [[["ACTIVE", "LEAVE"], "[1,3]", "1"], [["LEAVE", "ACTIVE"], "[4,5]", "2"], ["TERM", "-", "4"]],
        ),
        (
            "different results under `any`",
            "any",
            ["level"],
            [["[1,3]", "1"], ["[3,5]", "2"]],
            1,
            [["[1,3]", "1"], ["[3,5]", "1"]],
        ),
        (
            "anything with another result under `any`",
            "any",
            ["paid"],
            [[True, "1"], ["-", "2"]],
            1,
            [[True, "1"], [False, "2"]],
        ),
        (
            "the third with the first",
            "unique",
            ["tenure"],
            [["[0,24)", "1"], ["[24,60)", "2"], ["[20,30)", "3"]],
            2,
            [["[0,24)", "1"], ["[24,60)", "2"], ["[60,600]", "3"]],
        ),
        (
            "decimals that meet",
            "unique",
            ["fte"],
            [["[0,50.5]", "1"], ["[50.5,100]", "2"]],
            1,
            [["[0,50.5]", "1"], ["(50.5,100]", "2"]],
        ),
        (
            "listed twice",
            "unique",
            ["country"],
            [[["AT", "DE"], "1"], [["DE", "CH"], "2"]],
            1,
            [[["AT", "DE"], "1"], ["CH", "2"]],
        ),
        (
            "equal ranks with other results",
            "priority",
            ["level"],
            [["[1,3]", "1"], ["[3,5]", "1"]],
            1,
            [["[1,2]", "1"], ["[3,5]", "2"]],
        ),
    )
]
# Under `priority` rows of one rank differ by a second column.
TABLE_OVERLAP[-1] = Pair(
    "one rank, two results",
    rule(
        op("*", cell("t", "rate"), cell("t", "rank")),
        tables={
            "t": table(["level"], ["[1,3]", "1", 1], ["[3,5]", "2", 1], hit="priority")
            | {"out": ["rate", "rank"], "priority": {"by": "rank", "order": "highest"}}
        },
    ),
    f"{ROWS}/1",
    rule(
        op("*", cell("t", "rate"), cell("t", "rank")),
        tables={
            "t": table(["level"], ["[1,3]", "1", 1], ["[3,5]", "2", 2], hit="priority")
            | {"out": ["rate", "rank"], "priority": {"by": "rank", "order": "highest"}}
        },
    ),
)
