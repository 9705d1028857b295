"""Values that get to a table and that no row takes."""

from tests.unit.language.lint_corpus.tables import CROSS, EMPLOYED, LET, ROWS, tabled
from tests.unit.language.lint_corpus.words import (
    Pair,
    both,
    case,
    cell,
    either,
    ge,
    gt,
    lt,
    ne,
    op,
    rule,
    table,
    v,
    within,
)

AREA = {"area": op("*", v("hours"), v("fte"))}

TABLE_GAP = [
    Pair(title, planted, ROWS, clean)
    for title, planted, clean in (
        (
            "a value of the enum",
            tabled(["country"], ["AT", "1"], ["DE", "2"]),
            tabled(["country"], ["AT", "1"], [["DE", "CH"], "2"]),
        ),
        (
            "between two ranges",
            tabled(["tenure"], ["[0,24)", "1"], ["[36,600]", "2"]),
            tabled(["tenure"], ["[0,24)", "1"], ["[24,600]", "2"]),
        ),
        (
            "the bound itself",
            tabled(["fte"], ["[0,50)", "1"], ["(50,100]", "2"]),
            tabled(["fte"], ["[0,50)", "1"], ["[50,100]", "2"]),
        ),
        (
            "one whole number",
            tabled(["level"], ["[1,2]", "1"], ["[4,5]", "2"]),
            tabled(["level"], ["[1,2]", "1"], ["(2,5]", "2"]),
        ),
        (
            "the upper end",
            tabled(["age"], ["[14,18)", "1"], ["[18,65)", "2"]),
            tabled(["age"], ["[14,18)", "1"], ["[18,99]", "2"]),
        ),
        (
            "the lower end",
            tabled(["age"], ["[16,65)", "1"], ["[65,)", "2"]),
            tabled(["age"], ["[14,65)", "1"], ["[65,)", "2"]),
        ),
        ("no", tabled(["paid"], [True, "1"]), tabled(["paid"], [True, "1"], [False, "2"])),
        (
            "one combination of two columns",
            tabled(CROSS, ["ACTIVE", "-", "1"], ["LEAVE", "[1,3]", "2"], ["TERM", "-", "3"]),
            tabled(CROSS, ["ACTIVE", "-", "1"], ["LEAVE", "[1,5]", "2"], ["TERM", "-", "3"]),
        ),
        (
            "one combination of three columns",
            tabled(
                ["paid", "union", "level"], [True, "-", "-", "1"], [False, True, "-", "2"], [False, False, "[1,4]", "3"]
            ),
            tabled(
                ["paid", "union", "level"], [True, "-", "-", "1"], [False, True, "-", "2"], [False, False, "[1,5]", "3"]
            ),
        ),
        (
            "service before the first tier",
            tabled(["service"], ["[6,24)", "1"], ["[24,)", "2"], when=EMPLOYED, **LET),
            tabled(["service"], ["[6,24)", "1"], ["[24,)", "2"], when=both(EMPLOYED, ge(v("service"), 6)), **LET),
        ),
        (
            "service between tiers",
            tabled(["service"], ["[0,24)", "1"], ["[25,)", "2"], when=EMPLOYED, **LET),
            tabled(["service"], ["[0,24)", "1"], ["[24,)", "2"], when=EMPLOYED, **LET),
        ),
        (
            "a day of the declared year",
            tabled(["booked"], ["(,2026-06-30)", "1"], ["[2026-07-01,)", "2"]),
            tabled(["booked"], ["(,2026-06-30]", "1"], ["[2026-07-01,)", "2"]),
        ),
        (
            "half a cent",
            tabled(["amount"], ["[0,10]", "1"], ["[10.02,)", "2"]),
            tabled(["amount"], ["[0,10]", "1"], ["[10.01,)", "2"]),
        ),
        (
            "what `when` lets through",
            tabled(["event"], ["HOURS", "1"], ["SPEND", "2"], when=ne(v("event"), "BONUS")),
            tabled(["event"], ["HOURS", "1"], ["SPEND", "2"], when=within(v("event"), "HOURS", "SPEND")),
        ),
        (
            "below zero of a sum that may be negative",
            tabled(["rest"], ["[0,100)", "1"], ["[100,)", "2"], let={"rest": op("-", v("amount"), v("hours"))}),
            tabled(["rest"], ["[0,100)", "1"], ["[100,)", "2"], let={"rest": op("+", v("amount"), v("hours"))}),
        ),
        (
            "behind a branch",
            rule(case(v("paid"), cell("t", "rate"), 0), tables={"t": table(["level"], ["[1,4]", "1"])}),
            rule(case(lt(v("level"), 5), cell("t", "rate"), 0), tables={"t": table(["level"], ["[1,4]", "1"])}),
        ),
        (
            "a band that another table gives",
            rule(
                cell("t", "rate"),
                let={"band": cell("b", "band")},
                tables={"b": table(["level"], ["[1,3]", 1], ["[4,5]", 2], out="band"), "t": table(["band"], [1, "1"])},
            ),
            rule(
                cell("t", "rate"),
                let={"band": cell("b", "band")},
                tables={
                    "b": table(["level"], ["[1,3]", 1], ["[4,5]", 2], out="band"),
                    "t": table(["band"], [1, "1"], [2, "2"]),
                },
            ),
        ),
        (
            "either of two conditions",
            tabled(["level"], ["[1,2]", "1"], ["[4,5]", "2"], when=either(lt(v("level"), 4), v("paid"))),
            tabled(["level"], ["[1,2]", "1"], ["[4,5]", "2"], when=either(lt(v("level"), 3), gt(v("level"), 3))),
        ),
        (
            "a narrow gap of a product",
            tabled(["area"], ["[0,137.31)", "1"], ["[137.32,)", "2"], let=AREA),
            tabled(["area"], ["[0,137.31)", "1"], ["[137.31,)", "2"], let=AREA),
        ),
        (
            "the product of two inputs",
            tabled(["score"], ["[0,50)", "1"], ["[51,500]", "2"], let={"score": op("*", v("level"), v("fte"))}),
            tabled(["score"], ["[0,50)", "1"], ["[50,500]", "2"], let={"score": op("*", v("level"), v("fte"))}),
        ),
    )
]
