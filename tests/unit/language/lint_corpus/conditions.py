"""Conditions that come out in one way only."""

from tests.unit.language.lint_corpus.words import (
    Pair,
    both,
    case,
    cell,
    either,
    eq,
    flag,
    ge,
    gt,
    le,
    lt,
    months,
    ne,
    no,
    op,
    rule,
    table,
    v,
    within,
)

POINTS = "/outputs/points/expr"
TIERS = table(["tenure"], ["[0,24)", "1"], ["[24,600]", "2"])

ALWAYS_TRUE = [
    Pair("the minimum is declared", rule(when=ge(v("hours"), 0)), "/when", rule(when=gt(v("hours"), 0))),
    Pair("the maximum is declared", rule(when=le(v("fte"), 100)), "/when", rule(when=lt(v("fte"), 100))),
    Pair(
        "not this or not that",
        rule(when=either(ne(v("status"), "LEAVE"), ne(v("status"), "TERM"))),
        "/when/or/1",
        rule(when=both(ne(v("status"), "LEAVE"), ne(v("status"), "TERM"))),
    ),
    Pair(
        "every value is listed",
        rule(when=within(v("country"), "AT", "CH", "DE")),
        "/when",
        rule(when=within(v("country"), "AT", "DE")),
    ),
    Pair(
        "asked again behind `when`",
        rule(case(eq(v("status"), "ACTIVE"), v("hours"), 0), when=eq(v("status"), "ACTIVE")),
        f"{POINTS}/if/0",
        rule(case(eq(v("event"), "HOURS"), v("hours"), 0), when=eq(v("status"), "ACTIVE")),
    ),
    Pair(
        "implied by a narrower bound before it",
        rule(when=both(ge(v("tenure"), 12), ge(v("tenure"), 6))),
        "/when/and/1",
        rule(when=both(ge(v("tenure"), 12), ge(v("age"), 18))),
    ),
    Pair(
        "both halves of the line",
        rule(when=either(lt(v("count"), 5), ge(v("count"), 5))),
        "/when/or/1",
        rule(when=either(lt(v("count"), 5), ge(v("count"), 7))),
    ),
    Pair(
        "a negation that rules out nothing left",
        rule(case(eq(v("event"), "HOURS"), 1, eq(v("event"), "SPEND"), 2, 3), when=no(lt(v("level"), 1))),
        "/when",
        rule(case(eq(v("event"), "HOURS"), 1, eq(v("event"), "SPEND"), 2, 3), when=no(lt(v("level"), 2))),
    ),
    Pair(
        "a definition that always holds",
        rule(case(both(v("old"), v("paid")), 2, 1), let={"old": gt(v("age"), 13)}),
        "/let/old",
        rule(case(both(v("old"), v("paid")), 2, 1), let={"old": gt(v("age"), 14)}),
    ),
    Pair(
        "a range that takes all",
        rule(when=op("in_range", v("level"), "[1,6)")),
        "/when",
        rule(when=op("in_range", v("level"), "[1,5)")),
    ),
    Pair(
        "a date inside its declared year",
        rule(when=lt(v("booked"), "2027-01-01")),
        "/when",
        rule(when=lt(v("booked"), "2026-12-31")),
    ),
    Pair(
        "a sum that cannot be negative",
        rule(when=ge(op("+", v("hours"), v("amount")), 0)),
        "/when",
        rule(when=ge(op("+", v("hours"), v("balance")), 0)),
    ),
    Pair(
        "a capped value below its cap",
        rule(when=le(op("min", v("amount"), 400), 400)),
        "/when",
        rule(when=lt(op("min", v("amount"), 400), 400)),
    ),
    Pair(
        "the other order of a comparison that holds",
        rule(case(lt(v("as_of"), v("hired")), 2, 1), when=gt(v("hired"), v("as_of"))),
        f"{POINTS}/if/0",
        rule(case(lt(v("as_of"), v("booked")), 2, 1), when=gt(v("hired"), v("as_of"))),
    ),
    Pair(
        "a rate of the table is never nothing",
        rule(case(gt(cell("tier", "rate"), 0), 2, 1), tables={"tier": TIERS}),
        f"{POINTS}/if/0",
        rule(case(gt(cell("tier", "rate"), 1), 2, 1), tables={"tier": TIERS}),
    ),
    Pair(
        "months since a day that is past",
        rule(case(ge(months(), 0), 2, 1), when=le(v("hired"), v("as_of"))),
        f"{POINTS}/if/0",
        rule(case(ge(months(), 1), 2, 1), when=le(v("hired"), v("as_of"))),
    ),
    Pair(
        "an answer that is always yes",
        flag(either(v("paid"), ge(v("fte"), 0))),
        "/outputs/ok/expr/or/1",
        flag(either(v("paid"), ge(v("fte"), 50))),
    ),
    Pair(
        "a constant condition", rule(case(True, v("hours"), 0)), f"{POINTS}/if/0", rule(case(v("paid"), v("hours"), 0))
    ),
    Pair(
        "an upper-cased value of the enum",
        rule(when=ne(op("lower", v("status")), "gone")),
        "/when",
        rule(when=ne(op("lower", v("status")), "term")),
    ),
    Pair(
        "every line has at least one piece",
        flag(op("some", v("lines"), ge(v(".qty"), 1))),
        "/outputs/ok/expr/some/1",
        flag(op("some", v("lines"), ge(v(".qty"), 2))),
    ),
]

ALWAYS_TRUE += [
    Pair(
        "a square is never negative",
        rule(when=ge(op("*", v("balance"), v("balance")), 0)),
        "/when",
        rule(when=ge(op("*", v("balance"), v("amount")), 0)),
    ),
    Pair(
        "the same in another order",
        rule(when=eq(op("+", v("hours"), v("amount")), op("+", v("amount"), v("hours")))),
        "/when",
        rule(when=eq(op("+", v("hours"), v("amount")), op("+", v("amount"), v("balance")))),
    ),
]

ALWAYS_FALSE = [
    Pair(
        "a text that has both letters and not the first",
        rule(when=both(op("in", "AB", v("job")), no(op("in", "A", v("job"))))),
        "/when/and/1",
        rule(when=both(op("in", "A", v("job")), no(op("in", "AB", v("job"))))),
    ),
    Pair("more than the maximum", rule(when=gt(v("fte"), 100)), "/when", rule(when=ge(v("fte"), 100))),
    Pair("less than the minimum", rule(when=lt(v("age"), 14)), "/when", rule(when=le(v("age"), 14))),
    Pair(
        "two values at once",
        rule(when=both(eq(v("status"), "ACTIVE"), eq(v("status"), "LEAVE"))),
        "/when/and/1",
        rule(when=either(eq(v("status"), "ACTIVE"), eq(v("status"), "LEAVE"))),
    ),
    Pair(
        "an empty interval",
        rule(when=both(gt(v("tenure"), 60), lt(v("tenure"), 24))),
        "/when/and/1",
        rule(when=both(gt(v("tenure"), 24), lt(v("tenure"), 60))),
    ),
    Pair(
        "an interval between two whole numbers",
        rule(when=both(gt(v("count"), 5), lt(v("count"), 6))),
        "/when/and/1",
        rule(when=both(gt(v("count"), 5), lt(v("count"), 7))),
    ),
    Pair(
        "what `when` has ruled out",
        rule(case(eq(v("status"), "TERM"), 2, 1), when=ne(v("status"), "TERM")),
        f"{POINTS}/if/0",
        rule(case(eq(v("status"), "LEAVE"), 2, 1), when=ne(v("status"), "TERM")),
    ),
    Pair(
        "none of the listed values",
        rule(when=both(within(v("event"), "HOURS", "SPEND"), eq(v("event"), "BONUS"))),
        "/when/and/1",
        rule(when=both(within(v("event"), "HOURS", "BONUS"), eq(v("event"), "BONUS"))),
    ),
    Pair(
        "between two days that follow each other",
        rule(when=both(gt(v("booked"), "2026-06-30"), lt(v("booked"), "2026-07-01"))),
        "/when/and/1",
        rule(when=both(gt(v("booked"), "2026-06-30"), lt(v("booked"), "2026-07-02"))),
    ),
    Pair(
        "a value that is not null and null",
        rule(when=both(ne(v("left"), None), eq(v("left"), None), v("paid"))),
        "/when/and/1",
        rule(when=both(either(eq(v("left"), None), ge(v("left"), v("as_of"))), v("paid"))),
    ),
    Pair(
        "a part of an `or`",
        rule(when=either(lt(v("hours"), 0), v("paid"))),
        "/when/or/0",
        rule(when=either(lt(v("hours"), 8), v("paid"))),
    ),
    Pair(
        "behind the branch for less",
        rule(case(lt(v("tenure"), 24), case(gt(v("tenure"), 30), 3, 1), 2)),
        f"{POINTS}/if/1/if/0",
        rule(case(lt(v("tenure"), 24), case(gt(v("tenure"), 12), 3, 1), 2)),
    ),
    Pair(
        "a definition that never holds",
        rule(case(v("young"), 2, 1), let={"young": both(lt(v("age"), 18), gt(v("age"), 21))}),
        "/let/young/and/1",
        rule(case(v("young"), 2, 1), let={"young": both(lt(v("age"), 21), gt(v("age"), 18))}),
    ),
    Pair(
        "before its declared year",
        rule(when=lt(v("booked"), "2026-01-01")),
        "/when",
        rule(when=lt(v("booked"), "2026-01-02")),
    ),
    Pair(
        "a range outside the bounds",
        rule(when=op("in_range", v("level"), "[6,)")),
        "/when",
        rule(when=op("in_range", v("level"), "[5,)")),
    ),
    Pair(
        "hired after today and before",
        rule(when=both(gt(v("hired"), v("as_of")), lt(v("hired"), v("as_of")))),
        "/when/and/1",
        rule(when=both(gt(v("hired"), v("as_of")), lt(v("hired"), v("booked")))),
    ),
    Pair(
        "a product beyond what it can reach",
        rule(when=gt(op("*", v("level"), 10), 50)),
        "/when",
        rule(when=gt(op("*", v("level"), 10), 40)),
    ),
    Pair(
        "a rate that the table does not have",
        rule(case(eq(cell("tier", "rate"), 3), 2, 1), tables={"tier": TIERS}),
        f"{POINTS}/if/0",
        rule(case(eq(cell("tier", "rate"), 2), 2, 1), tables={"tier": TIERS}),
    ),
    Pair(
        "a negation of what is known",
        rule(case(no(v("paid")), 2, 1), when=v("paid")),
        f"{POINTS}/if/0",
        rule(case(no(v("union")), 2, 1), when=v("paid")),
    ),
    Pair(
        "a share of more than all",
        rule(when=gt(op("/", v("fte"), 100), 1)),
        "/when",
        rule(when=gt(op("/", v("fte"), 100), 0)),
    ),
    Pair(
        "a constant condition", rule(case(False, v("hours"), 1)), f"{POINTS}/if/0", rule(case(v("paid"), v("hours"), 1))
    ),
    Pair(
        "no line has so many",
        flag(op("all", v("lines"), gt(v(".qty"), 99))),
        "/outputs/ok/expr/all/1",
        flag(op("all", v("lines"), gt(v(".qty"), 98))),
    ),
    Pair(
        "in a circle of three",
        rule(when=both(lt(v("hired"), v("booked")), lt(v("booked"), v("as_of")), lt(v("as_of"), v("hired")))),
        "/when/and/2",
        rule(when=both(lt(v("hired"), v("booked")), lt(v("booked"), v("as_of")), gt(v("as_of"), "2026-06-30"))),
    ),
]
