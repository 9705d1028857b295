"""Limits that leave one value only, and arithmetic that refuses every record."""

from decimal import Decimal

from tests.unit.language.lint_corpus.words import Pair, both, case, eq, ge, gt, op, rule, v

POINTS = "/outputs/points/expr"


def least(*parts):
    return op("min", *parts)


def greatest(*parts):
    return op("max", *parts)


ALWAYS_CONSTANT = [
    Pair(title, rule(planted, **parts), pointer, rule(clean, **parts))
    for title, planted, pointer, clean, parts in (
        ("limits the wrong way round", greatest(least(v("hours"), 10), 20), POINTS, least(v("hours"), 20), {}),
        ("and the other way", least(greatest(v("hours"), 20), 10), POINTS, greatest(v("hours"), 10), {}),
        ("a cap below the minimum", least(v("age"), 14), POINTS, least(v("age"), 18), {}),
        ("a floor above the maximum", greatest(v("age"), 99), POINTS, greatest(v("age"), 65), {}),
        ("a floor of a share", greatest(v("fte"), 100), POINTS, greatest(v("fte"), 50), {}),
        ("a cap of hours at nothing", least(v("hours"), 0), POINTS, least(v("hours"), 8), {}),
        ("the cap of a product", least(op("*", v("level"), 10), 5), POINTS, least(op("*", v("level"), 10), 15), {}),
        ("a floor over a sum", greatest(op("+", v("level"), 1), 7), POINTS, greatest(op("+", v("level"), 1), 3), {}),
        ("three of them", least(v("level"), v("age"), 1), POINTS, least(v("level"), v("age"), 3), {}),
        (
            "in a branch that has ruled out the rest",
            case(ge(v("level"), 4), least(v("level"), 3), 1),
            f"{POINTS}/if/1",
            case(ge(v("level"), 4), least(v("level"), Decimal("4.5")), 1),
            {},
        ),
        (
            "behind a condition",
            least(v("tenure"), 12),
            POINTS,
            least(v("tenure"), 36),
            {"when": ge(v("tenure"), 24)},
        ),
        ("in a definition", v("capped"), "/let/capped", v("capped"), {"let": {"capped": least(v("age"), 10)}}),
        ("around a rest", greatest(op("%", v("level"), 3), 2), POINTS, greatest(op("%", v("level"), 3), 1), {}),
        ("around a rounding", least(op("round", v("fte"), 0, "up"), -1), POINTS, least(v("fte"), 1), {}),
        ("around an absolute value", least(op("abs", v("balance")), 0), POINTS, least(op("abs", v("balance")), 1), {}),
        ("the negative of hours", greatest(op("-", v("hours")), 0), POINTS, greatest(op("-", v("hours")), -5), {}),
    )
]
# In a definition the mended rule has another definition.
ALWAYS_CONSTANT = [
    pair._replace(clean={**pair.clean, "let": {"capped": least(v("age"), 20)}})
    if pair.pointer == "/let/capped"
    else pair
    for pair in ALWAYS_CONSTANT
]

ALWAYS_REFUSED = [
    Pair(title, rule(planted, **parts), pointer, rule(clean, **parts))
    for title, planted, pointer, clean, parts in (
        ("nothing to divide by", op("/", v("hours"), 0), POINTS, op("/", v("hours"), 2), {}),
        ("written as a decimal", op("/", v("hours"), Decimal("0.0")), POINTS, op("/", v("hours"), Decimal("0.5")), {}),
        ("a rest of nothing", op("%", v("level"), 0), POINTS, op("%", v("level"), 2), {}),
        ("a difference that is nothing", op("/", v("hours"), op("-", 5, 5)), POINTS, op("/", v("hours"), 5), {}),
        (
            "what a condition says is zero",
            case(eq(v("count"), 0), op("/", v("hours"), v("count")), 1),
            f"{POINTS}/if/1",
            case(eq(v("count"), 0), 1, op("/", v("hours"), v("count"))),
            {},
        ),
        (
            "what the rule's condition says",
            op("/", v("hours"), v("count")),
            POINTS,
            op("/", v("hours"), 3),
            {"when": eq(v("count"), 0)},
        ),
        ("times nothing", op("/", v("hours"), op("*", v("level"), 0)), POINTS, op("/", v("hours"), v("level")), {}),
        ("in a sum", op("+", 1, op("/", v("hours"), 0)), f"{POINTS}/+/1", op("+", 1, v("hours")), {}),
        ("under a cap", least(op("/", v("hours"), 0), 400), f"{POINTS}/min/0", least(v("hours"), 400), {}),
        ("in a rounding", op("round", op("/", v("fte"), 0), 2, "up"), f"{POINTS}/round/0", v("fte"), {}),
        ("in a branch", case(v("paid"), op("/", v("fte"), 0), 1), f"{POINTS}/if/1", case(v("paid"), v("fte"), 1), {}),
        ("otherwise", case(v("paid"), 1, op("/", v("fte"), 0)), f"{POINTS}/if/2", case(v("paid"), 1, v("fte")), {}),
        ("as a default", op("coalesce", v("bonus"), op("/", v("fte"), 0)), f"{POINTS}/coalesce/1", v("bonus"), {}),
        ("a cap of nothing", op("/", v("age"), least(v("level"), 0, 9)), POINTS, op("/", v("age"), v("level")), {}),
        ("each of several", op("/", v("hours"), op("%", v("level"), 1)), POINTS, op("/", v("hours"), v("level")), {}),
        (
            "no share and no hours",
            case(both(eq(v("fte"), 0), gt(v("hours"), 0)), op("/", v("hours"), v("fte")), 0),
            f"{POINTS}/if/1",
            case(both(gt(v("fte"), 0), gt(v("hours"), 0)), op("/", v("hours"), v("fte")), 0),
            {},
        ),
    )
]
# A default needs a null before it, and an output of points may have none.
ALWAYS_REFUSED = [
    pair._replace(clean=rule(op("coalesce", v("bonus"), v("fte")))) if pair.title == "as a default" else pair
    for pair in ALWAYS_REFUSED
]
