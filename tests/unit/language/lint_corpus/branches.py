"""Branches that nobody gets to, and outputs that stay empty."""

from tests.unit.language.lint_corpus.words import (
    Pair,
    both,
    case,
    cell,
    either,
    eq,
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

POINTS = "/outputs/points/expr"
IT = "/outputs/it"

UNREACHABLE_BRANCH = [
    Pair(
        "a longer part of a text behind a shorter one",
        rule(case(op("in", "CAB", v("job")), 1, op("in", "CABIN", v("job")), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(op("in", "CABIN", v("job")), 2, op("in", "CAB", v("job")), 1, 3)),
    ),
    Pair(
        "tiers in the wrong order",
        rule(case(lt(v("tenure"), 60), 1, lt(v("tenure"), 24), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(lt(v("tenure"), 24), 1, lt(v("tenure"), 60), 2, 3)),
    ),
    Pair(
        "descending tiers in the wrong order",
        rule(case(ge(v("tenure"), 12), 1, ge(v("tenure"), 60), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(ge(v("tenure"), 60), 2, ge(v("tenure"), 12), 1, 3)),
    ),
    Pair(
        "the same value twice",
        rule(case(eq(v("event"), "HOURS"), 1, eq(v("event"), "SPEND"), 2, eq(v("event"), "HOURS"), 3, 4)),
        f"{POINTS}/if/4",
        rule(case(eq(v("event"), "HOURS"), 1, eq(v("event"), "SPEND"), 2, eq(v("event"), "BONUS"), 3, 4)),
    ),
    Pair(
        "the same text twice",
        rule(case(eq(v("job"), "CABIN"), 1, eq(v("job"), "CABIN"), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(eq(v("job"), "CABIN"), 1, eq(v("job"), "COCKPIT"), 2, 3)),
    ),
    Pair(
        "a list that holds the value already",
        rule(case(within(v("event"), "HOURS", "SPEND"), 1, eq(v("event"), "SPEND"), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(within(v("event"), "HOURS", "SPEND"), 1, eq(v("event"), "BONUS"), 2, 3)),
    ),
    Pair(
        "all values are taken before the fourth",
        rule(case(eq(v("country"), "AT"), 1, eq(v("country"), "CH"), 2, eq(v("country"), "DE"), 3, v("paid"), 4, 5)),
        f"{POINTS}/if/6",
        rule(case(eq(v("country"), "AT"), 1, eq(v("country"), "CH"), 2, v("paid"), 4, 5)),
    ),
    Pair(
        "a narrower condition behind a wider one",
        rule(case(v("paid"), 1, both(v("paid"), v("union")), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(both(v("paid"), v("union")), 2, v("paid"), 1, 3)),
    ),
    Pair(
        "behind two tiers that take all up to there",
        rule(case(lt(v("age"), 18), 1, le(18, v("age"), 65), 2, lt(v("age"), 65), 3, 4)),
        f"{POINTS}/if/4",
        rule(case(lt(v("age"), 18), 1, le(18, v("age"), 65), 2, gt(v("age"), 80), 3, 4)),
    ),
    Pair(
        "the mirrored comparison",
        rule(case(lt(v("hired"), v("booked")), 1, gt(v("booked"), v("hired")), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(lt(v("hired"), v("booked")), 1, gt(v("hired"), v("booked")), 2, 3)),
    ),
    Pair(
        "an alternative behind what is never null",
        rule(op("coalesce", v("bonus"), v("hours"), v("amount"))),
        f"{POINTS}/coalesce/2",
        rule(op("coalesce", v("bonus"), v("hours"))),
    ),
    Pair(
        "an alternative where `when` has ruled out null",
        rule(op("coalesce", v("bonus"), v("hours")), when=ne(v("bonus"), None)),
        f"{POINTS}/coalesce/1",
        rule(op("coalesce", v("bonus"), v("hours")), when=gt(v("hours"), 0)),
    ),
    Pair(
        "the same months, computed again",
        rule(case(ge(months(), 6), 1, ge(months(), 12), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(ge(months(), 12), 2, ge(months(), 6), 1, 3)),
    ),
    Pair(
        "a range inside an earlier range",
        rule(case(op("in_range", v("tenure"), "[6,60)"), 1, op("in_range", v("tenure"), "[12,24)"), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(op("in_range", v("tenure"), "[6,12)"), 1, op("in_range", v("tenure"), "[12,24)"), 2, 3)),
    ),
    Pair(
        "a definition used twice",
        rule(case(v("long"), 1, gt(v("tenure"), 80), 2, 3), let={"long": gt(v("tenure"), 60)}),
        f"{POINTS}/if/2",
        rule(case(v("long"), 1, gt(v("tenure"), 30), 2, 3), let={"long": gt(v("tenure"), 60)}),
    ),
    Pair(
        "under the other half of a nested `if`",
        rule(case(v("paid"), case(ge(v("level"), 3), 1, ge(v("level"), 4), 2, 3), 4)),
        f"{POINTS}/if/1/if/2",
        rule(case(v("paid"), case(ge(v("level"), 4), 1, ge(v("level"), 3), 2, 3), 4)),
    ),
    Pair(
        "two halves before it",
        rule(case(either(eq(v("status"), "ACTIVE"), eq(v("status"), "LEAVE")), 1, ne(v("status"), "TERM"), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(eq(v("status"), "ACTIVE"), 1, ne(v("status"), "TERM"), 2, 3)),
    ),
    Pair(
        "a text that the normalized one equals",
        rule(case(eq(op("upper", v("job")), "CABIN"), 1, eq(op("upper", v("job")), "CABIN"), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(eq(op("upper", v("job")), "CABIN"), 1, eq(op("upper", v("job")), "DECK"), 2, 3)),
    ),
    Pair(
        "implied by a sum",
        rule(case(gt(op("+", v("hours"), v("amount")), 10), 1, both(gt(v("hours"), 10), gt(v("amount"), 10)), 2, 3)),
        f"{POINTS}/if/2",
        rule(case(both(gt(v("hours"), 10), gt(v("amount"), 10)), 2, gt(op("+", v("hours"), v("amount")), 10), 1, 3)),
    ),
]

UNREACHABLE_OTHERWISE = [
    Pair(
        "every value of the enum has an arm",
        rule(case(eq(v("country"), "AT"), 1, eq(v("country"), "CH"), 2, eq(v("country"), "DE"), 3, 0)),
        f"{POINTS}/if/6",
        rule(case(eq(v("country"), "AT"), 1, eq(v("country"), "CH"), 2, 3)),
    ),
    Pair(
        "both halves",
        rule(case(lt(v("tenure"), 24), 1, ge(v("tenure"), 24), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(lt(v("tenure"), 24), 1, 2)),
    ),
    Pair("yes and no", rule(case(v("paid"), 1, no(v("paid")), 2, 0)), f"{POINTS}/if/4", rule(case(v("paid"), 1, 2))),
    Pair(
        "the declared range in three",
        rule(case(lt(v("level"), 3), 1, eq(v("level"), 3), 2, gt(v("level"), 3), 3, 0)),
        f"{POINTS}/if/6",
        rule(case(lt(v("level"), 3), 1, eq(v("level"), 3), 2, 3)),
    ),
    Pair(
        "less, equal, greater",
        rule(case(lt(v("hired"), v("booked")), 1, eq(v("hired"), v("booked")), 2, gt(v("hired"), v("booked")), 3, 0)),
        f"{POINTS}/if/6",
        rule(case(lt(v("hired"), v("booked")), 1, eq(v("hired"), v("booked")), 2, 3)),
    ),
    Pair(
        "null and not null",
        rule(case(eq(v("bonus"), None), 1, ne(v("bonus"), None), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(eq(v("bonus"), None), 1, 2)),
    ),
    Pair(
        "what `when` leaves",
        rule(
            case(eq(v("event"), "HOURS"), 1, eq(v("event"), "SPEND"), 2, 0), when=within(v("event"), "HOURS", "SPEND")
        ),
        f"{POINTS}/if/4",
        rule(case(eq(v("event"), "HOURS"), 1, 2), when=within(v("event"), "HOURS", "SPEND")),
    ),
    Pair(
        "a list and the rest",
        rule(case(within(v("event"), "HOURS", "SPEND"), 1, within(v("event"), "BONUS", "ANNIVERSARY"), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(within(v("event"), "HOURS", "SPEND"), 1, within(v("event"), "BONUS"), 2, 0)),
    ),
    Pair(
        "a condition and its opposite in other words",
        rule(case(gt(v("hours"), 8), 1, le(v("hours"), 8), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(gt(v("hours"), 8), 1, lt(v("hours"), 8), 2, 0)),
    ),
    Pair(
        "ranges that meet",
        rule(case(op("in_range", v("level"), "[1,4)"), 1, op("in_range", v("level"), "[4,5]"), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(op("in_range", v("level"), "[1,4)"), 1, op("in_range", v("level"), "(4,5]"), 2, 0)),
    ),
    Pair(
        "three conditions out of three",
        text(case(eq(v("status"), "ACTIVE"), "a", eq(v("status"), "LEAVE"), "b", eq(v("status"), "TERM"), "c", None)),
        f"{IT}/expr/if/6",
        text(case(eq(v("status"), "ACTIVE"), "a", eq(v("status"), "LEAVE"), "b", None)),
    ),
    Pair(
        "two flags, four arms",
        rule(
            case(both(v("paid"), v("union")), 1, v("paid"), 2, v("union"), 3, no(either(v("paid"), v("union"))), 4, 0)
        ),
        f"{POINTS}/if/8",
        rule(case(both(v("paid"), v("union")), 1, v("paid"), 2, v("union"), 3, 4)),
    ),
    Pair(
        "equal and unequal texts",
        rule(case(eq(v("job"), v("unit")), 1, ne(v("job"), v("unit")), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(eq(v("job"), v("unit")), 1, 2)),
    ),
    Pair(
        "behind a definition",
        rule(case(v("long"), 1, le(v("tenure"), 60), 2, 0), let={"long": gt(v("tenure"), 60)}),
        f"{POINTS}/if/4",
        rule(case(v("long"), 1, le(v("tenure"), 50), 2, 0), let={"long": gt(v("tenure"), 60)}),
    ),
    Pair(
        "the year in two",
        rule(case(lt(v("booked"), "2026-07-01"), 1, ge(v("booked"), "2026-07-01"), 2, 0)),
        f"{POINTS}/if/4",
        rule(case(lt(v("booked"), "2026-07-01"), 1, gt(v("booked"), "2026-07-01"), 2, 0)),
    ),
]

EMPTY = {"hit": "unique", "in": ["level"], "out": {"name": {"type": "string"}}}
LONELY = {**EMPTY, "rows": [["[1,3]", None], ["[4,5]", None]]}
FILLED = {**EMPTY, "rows": [["[1,3]", None], ["[4,5]", "senior"]]}


def outputs(expr, kind="string", **more):
    return {"it": {"type": kind, "nullable": True, "expr": expr, **more}, "ok": {"type": "boolean", "expr": v("paid")}}


OUTPUT_NEVER_SET = [
    Pair("null, written out", text(None), IT, text("x")),
    Pair("null in both branches", text(case(v("paid"), None, None)), IT, text(case(v("paid"), None, "x"))),
    Pair("a definition that is null", text(v("none"), let={"none": None}), IT, text(v("none"), let={"none": "x"})),
    Pair(
        "a branch with a value that nobody reaches",
        text(case(gt(v("fte"), 100), "over", None)),
        IT,
        text(case(gt(v("fte"), 99), "over", None)),
    ),
    Pair(
        "a field that `when` demands to be null",
        text(v("grade"), when=eq(v("grade"), None)),
        IT,
        text(v("grade"), when=either(eq(v("grade"), None), v("paid"))),
    ),
    Pair(
        "a table of nulls",
        text(cell("t", "name"), tables={"t": LONELY}),
        IT,
        text(cell("t", "name"), tables={"t": FILLED}),
    ),
    Pair(
        "the only filled row is out of reach",
        text(cell("t", "name"), tables={"t": FILLED}, when=lt(v("level"), 4)),
        IT,
        text(cell("t", "name"), tables={"t": FILLED}, when=gt(v("level"), 1)),
    ),
    Pair("the first of nulls", text(op("coalesce", None, None)), IT, text(op("coalesce", v("grade"), None))),
    Pair(
        "a number that is null",
        rule(outputs=outputs(None, "decimal", scale=2)),
        IT,
        rule(outputs=outputs(v("bonus"), "decimal", scale=2)),
    ),
    Pair("a date that is null", rule(outputs=outputs(None, "date")), IT, rule(outputs=outputs(v("left"), "date"))),
    Pair(
        "null behind what always holds",
        text(case(ge(v("hours"), 0), None, "negative")),
        IT,
        text(case(ge(v("hours"), 1), None, "little")),
    ),
    Pair(
        "the branch of another kind of event",
        text(case(eq(v("event"), "BONUS"), "b", None), when=eq(v("event"), "HOURS")),
        IT,
        text(case(eq(v("event"), "BONUS"), "b", None), when=ne(v("event"), "HOURS")),
    ),
    Pair(
        "null through two definitions",
        text(v("a"), let={"a": v("b"), "b": case(v("paid"), None, None)}),
        IT,
        text(v("a"), let={"a": v("b"), "b": case(v("paid"), None, v("grade"))}),
    ),
    Pair(
        "the last day of who has not left",
        rule(outputs=outputs(v("left"), "date"), when=op("is_null", v("left"))),
        IT,
        rule(outputs=outputs(v("left"), "date"), when=no(op("is_null", v("left")))),
    ),
    Pair(
        "a table that no record gets through",
        rule(
            cell("t", "rate"),
            tables={"t": table(["level"], ["[6,9]", "1"], ["[10,12]", "2"])},
        ),
        "/outputs/points",
        rule(cell("t", "rate"), tables={"t": table(["level"], ["[1,3]", "1"], ["[4,5]", "2"])}),
    ),
    Pair(
        "the second part of a text that has no separator",
        text(op("split", v("unit"), "/", 1, {"on_miss": "null"}), when=no(op("in", "/", v("unit")))),
        IT,
        text(op("split", v("unit"), "/", 1, {"on_miss": "null"})),
    ),
]
