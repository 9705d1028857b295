"""Rules that look as if something were wrong with them, and are right: lint must leave every one of them alone."""

from tests.unit.language.lint_corpus.tables import tabled
from tests.unit.language.lint_corpus.words import (
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
    text,
    v,
    within,
)

YEARS = {"years_between": [v("hired"), v("as_of")]}
EMPLOYED = le(v("hired"), v("as_of"))
GRANTED = within(v("event"), "BONUS", "ANNIVERSARY")

TRAPS = {
    "the next arm repeats where the last one ended": rule(
        case(lt(v("tenure"), 6), 0, both(ge(v("tenure"), 6), lt(v("tenure"), 24)), 1, 2)
    ),
    "the next arm repeats what the last one was not": rule(
        case(eq(v("event"), "HOURS"), 1, both(ne(v("event"), "HOURS"), v("paid")), 2, 3)
    ),
    "months and years of one date leave combinations that cannot be": tabled(
        ["service", "years"],
        ["[0,12)", "0", "1"],
        ["[12,24)", "1", "2"],
        ["[24,)", "[2,)", "3"],
        when=EMPLOYED,
        let={"service": months(), "years": YEARS},
    ),
    "twice a field and the field leave combinations that cannot be": tabled(
        ["level", "double"], ["[1,2]", "[2,4]", "1"], ["[3,5]", "[6,10]", "2"], let={"double": op("*", v("level"), 2)}
    ),
    "tiers begin where `when` begins": tabled(
        ["service"], ["[6,24)", "1"], ["[24,)", "2"], when=ge(v("service"), 6), let={"service": months()}
    ),
    "tiers begin where the other half of `when` begins": rule(
        case(GRANTED, v("hours"), cell("t", "rate")),
        tables={"t": table(["tenure"], ["[6,24)", "1"], ["[24,)", "2"])},
        when=either(GRANTED, ge(v("tenure"), 6)),
    ),
    "a table of texts lists some of all texts": tabled(["job"], ["CABIN", "1"], ["COCKPIT", "2"]),
    "a table of texts beside a range": tabled(["job", "paid"], ["CABIN", "-", "1"], ["COCKPIT", "-", "2"]),
    "one column twice, by another name": tabled(
        ["level", "same"], ["[1,3]", "[1,3]", "1"], ["[4,5]", "[4,5]", "2"], let={"same": v("level")}
    ),
    "two conditions about different dates": rule(when=both(le(v("hired"), v("as_of")), ge(v("booked"), v("as_of")))),
    "the same test in two branches": rule(case(v("paid"), case(v("union"), 1, 2), case(v("union"), 3, 4))),
    "a comparison that holds for some items": flag(op("all", v("lines"), ge(v(".qty"), 2))),
    "two loops with the same test": flag(
        both(op("some", v("lines"), gt(v(".qty"), 5)), op("some", v("lines"), lt(v(".qty"), 3)))
    ),
    "a sum of lines that is above what one line can be": rule(
        case(gt(op("sum", op("map", v("lines"), v(".qty"))), 500), 2, 1)
    ),
    "a rest that is nothing": rule(case(eq(op("%", v("tenure"), 12), 0), 2, 1)),
    "a difference that can be negative": rule(case(lt(op("-", v("hours"), v("amount")), 0), 0, v("hours"))),
    "a quotient beyond its dividend": rule(case(gt(op("/", v("level"), v("hours")), 100), 2, 1)),
    "a bound that rounding reaches": rule(case(eq(op("round", v("fte"), 0, "half_up"), 100), 2, 1)),
    "texts that become equal": rule(case(eq(op("upper", v("job")), op("upper", v("unit"))), 2, 1)),
    "the last value of an enum by exclusion": rule(
        case(eq(v("status"), "ACTIVE"), 1, eq(v("status"), "LEAVE"), 2, 3), when=ne(v("event"), "SPEND")
    ),
    "who left on the last day": rule(when=both(EMPLOYED, either(eq(v("left"), None), le(v("as_of"), v("left"))))),
    "null behind a test that is no null test": text(case(v("paid"), v("grade"), None)),
    "a default that only an older entry needs": text(
        op("coalesce", op("lookup", "codes", v("job"), {"on_miss": "null"}), "-")
    ),
    "a flag that is written out": rule(
        case(both(v("open"), v("paid")), 2, 1), let={"open": either(v("union"), no(v("paid")))}
    ),
    "February has no 30th": rule(case(eq(op("date_add", v("booked"), 1, "months"), "2026-02-28"), 2, 1)),
}
