"""Random rules that are well typed, with every operator of the language, and records for them."""

from datetime import date
from decimal import Decimal
from itertools import chain

from hypothesis import strategies as st

from tests.unit.language.conftest import var

LIST_OF_NUMBERS = {"type": "list", "items": {"type": "decimal", "scale": 12, "rounding": "half_even"}}
LIST_OF_TEXTS = {"type": "list", "items": {"type": "string"}}
ORDER = {
    "type": "object",
    "fields": {
        "of": {"type": "string"},
        "sum": {"type": "decimal", "scale": 2, "rounding": "half_up"},
        "gift": {"type": "boolean"},
        "note": {"type": "string", "omit_null": True},
        "parts": LIST_OF_NUMBERS,
    },
}
INPUTS = {
    "amounts": {"type": "list", "items": {"type": "decimal", "scale": 2}},
    "lines": {
        "type": "list",
        "items": {
            "type": "object",
            "fields": {
                "sku": {"type": "string"},
                "qty": {"type": "integer"},
                "price": {"type": "decimal", "scale": 2},
                "gift": {"type": "boolean"},
                "remark": {"type": "string", "nullable": True},
            },
        },
    },
}
LET = {
    "share": {"/": [100, var("count")]},
    "part": {"split": [var("text"), ",", 1]},
    "safe_limit": {"coalesce": [var("limit"), var("count")]},
    "tenure": {"months_between": [var("hired"), var("as_of")]},
    "half": {"if": [var("paid"), var("share"), {"/": [var("share"), 2]}]},
    "total": {"sum": {"map": [var("lines"), {"*": [var("qty"), var("price")]}]}},
    "unit_price": {"map": [var("lines"), {"/": [var("price"), var("qty")]}]},
}
TABLES = {
    "tier": {
        "hit": "first",
        "in": ["count"],
        "out": ["n", "s"],
        "rows": [["[0,5)", 1, "low"], [[5, 6, 7], 2, "seven"], ["(50,)", 3, "high"]],
    },
    "literal": {"hit": "unique", "in": ["status"], "out": ["x"], "rows": [["ACTIVE", "1.5"], ["LEAVE", None]]},
    "ranked": {
        "hit": "priority",
        "priority": {"by": "n", "order": "lowest"},
        "in": ["count", "paid"],
        "out": ["n"],
        "rows": [["-", True, 9], ["[0,60)", "-", 5], [[5, 7], "-", 2]],
    },
    **{
        how: {
            "hit": "collect",
            "collect": how,
            "in": ["count"],
            "out": ["n"],
            "rows": [["[0,8)", "1.5"], [[7, 51], "2"], ["(,5)", "-3.25"]],
        }
        for how in ("list", "sum", "min", "max", "count")
    },
}
CODES = {"codes": {"a": "A", "Ada": "B", "a,b": "C"}}

LEAVES = {
    "boolean": st.sampled_from([True, False, var("paid"), {"!=": [var("note"), None]}, {"is_null": var("limit")}]),
    "number": st.sampled_from(
        [
            *(0, 1, -7, 400, Decimal("1.25")),
            *map(var, ("count", "hours", "share", "safe_limit", "tenure", "half", "total")),
            {"table": ["tier", "n"]},
            {"table": ["ranked", "n"]},
            {"table": ["sum", "n"]},
            {"table": ["count", "n"]},
            {"coalesce": [{"table": ["literal", "x"]}, {"table": ["min", "n"]}, {"table": ["max", "n"]}, 0]},
        ]
    ),
    "text": st.sampled_from(
        ["", "a", "a,b", "12.5", var("text"), var("status"), var("part"), {"table": ["tier", "s"]}]
    ),
    "date": st.sampled_from([var("hired"), var("as_of")]),
    "numbers": st.sampled_from([var("amounts"), var("unit_price"), {"table": ["list", "n"]}]),
    "texts": st.sampled_from([var("tags"), ["a", "b,c"], {"missing": ["note", "limit"]}]),
}
COMPARISONS = ("<", "<=", ">", ">=")
TAGS, AMOUNTS, LINES = "tags", "amounts", "lines"
DEFAULT = {"on_miss": "default"}


def pairs(of, kind):
    return st.tuples(of[kind], of[kind]).map(list)


def inside(of, over):
    """Expressions that may use what a loop over ``over`` binds, beside everything that needs no loop."""
    number, text, flag = of["number"], of["text"], of["boolean"]
    own = {
        LINES: {"number": [var(".qty"), var(".price")], "text": [var(".sku"), {"coalesce": [var(".remark"), "-"]}]},
        AMOUNTS: {"number": [var("")], "text": [{"to_text": [{"+": [var(""), Decimal("0.0")]}]}]},
        TAGS: {"number": [{"length": var("")}], "text": [var("")]},
        "amounts reduced": {"number": [var("current"), var("accumulator")], "text": ["x"]},
        "tags reduced": {"number": [{"length": var("current")}], "text": [var("current"), var("accumulator")]},
    }[over]
    numbers, texts = st.sampled_from(own["number"]), st.sampled_from(own["text"])
    return {
        "number": st.one_of(
            numbers,
            st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(["+", "-", "*", "/", "max"]), numbers, number),
            st.builds(lambda c, a, b: {"if": [c, a, b]}, flag, numbers, number),
            # A loop inside the loop, which uses the outer one's item.
            *(
                [of["numbers"].map(lambda one: {"sum": {"map": [one, {"*": [var(""), var("qty")]}]}})]
                if over == LINES
                else []
            ),
        ),
        "text": st.one_of(
            texts,
            st.builds(lambda a, b: {"cat": [a, b]}, texts, text),
            st.builds(lambda a, b: {"lookup": ["codes", a, {**DEFAULT, "default": b}]}, texts, text),
        ),
        "boolean": st.one_of(
            st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(COMPARISONS), numbers, number),
            st.builds(lambda a, b: {"in": [a, b]}, texts, of["texts"]),
            st.builds(lambda c, a, b: {"and": [c, {">": [a, b]}]}, flag, numbers, number),
            *([st.just(var(".gift")), st.just({"!=": [var(".remark"), None]})] if over == LINES else []),
        ),
    }


def looped(of, kind):
    """The arguments of ``map`` and its like: a list, and an expression of one kind over its items."""
    return st.one_of(
        st.tuples(of["numbers"], inside(of, AMOUNTS)[kind]).map(list),
        st.tuples(of["texts"], inside(of, TAGS)[kind]).map(list),
        st.tuples(st.just(var("lines")), inside(of, LINES)[kind]).map(list),
    )


def booleans(of):
    number, text, flag, day = of["number"], of["text"], of["boolean"], of["date"]
    flags = st.lists(flag, min_size=1, max_size=4)
    return {
        **dict.fromkeys(
            COMPARISONS, st.one_of(pairs(of, "number"), pairs(of, "date"), st.lists(number, min_size=3, max_size=3))
        ),
        **dict.fromkeys(("==", "!="), st.one_of(pairs(of, "text"), pairs(of, "number"))),
        **dict.fromkeys(("and", "or"), flags),
        **dict.fromkeys(("all", "some", "none"), looped(of, "boolean")),
        "!": st.tuples(flag).map(list),
        "in": st.tuples(text, st.one_of(text, st.lists(text, max_size=3), of["texts"])).map(list),
        "in_range": st.one_of(
            st.tuples(number, st.just("[-3,7.5)")).map(list), st.tuples(day, st.just("(2020-01-31,)")).map(list)
        ),
        "is_null": st.sampled_from([[var("limit")], [var("note")]]),
        "matches": st.tuples(text, st.sampled_from(["[a-z,]+", ".*", "(a|b)*,?[^x]{0,3}", "\\d+(\\.\\d+)?"])).map(list),
    }


def numbers(of):
    number, text, flag, day = of["number"], of["text"], of["boolean"], of["date"]
    arms = st.lists(st.tuples(flag, number), min_size=1, max_size=6)
    more = st.lists(number, min_size=2, max_size=4)
    reduced = st.tuples(of["numbers"], inside(of, "amounts reduced")["number"], st.sampled_from([0, Decimal("0.5")]))
    return {
        **dict.fromkeys(("+", "*"), more),
        **dict.fromkeys(("/", "%"), pairs(of, "number")),
        "-": st.one_of(pairs(of, "number"), st.tuples(number).map(list)),
        **dict.fromkeys(("min", "max"), st.one_of(more, of["numbers"].map(lambda one: [one]))),
        "abs": st.tuples(number).map(list),
        "round": st.tuples(number, st.just(1), st.sampled_from(["half_up", "floor"])).map(list),
        "if": st.builds(lambda arms, b: [*chain.from_iterable(arms), b], arms, number),
        "parse_decimal": st.tuples(text).map(list),
        "parse_integer": st.tuples(text).map(list),
        "coalesce": st.builds(lambda a: [var("limit"), a], number),
        "length": st.tuples(text).map(list),
        "count": st.one_of(of["numbers"], of["texts"]).map(lambda one: [one]),
        "sum": of["numbers"].map(lambda one: [one]),
        "reduce": reduced.map(list),
        **dict.fromkeys(("days_between", "months_between", "years_between"), st.tuples(day, day).map(list)),
    }


def texts(of):
    number, text, flag, day = of["number"], of["text"], of["boolean"], of["date"]
    reduced = st.tuples(of["texts"], inside(of, "tags reduced")["text"], st.just(""))
    return {
        "cat": st.lists(text, min_size=1, max_size=3),
        **dict.fromkeys(("upper", "lower", "trim", "normalize"), st.tuples(text).map(list)),
        "?:": st.tuples(flag, text, text).map(list),
        "split": st.one_of(
            st.tuples(text, st.just(","), st.integers(-2, 2)).map(list),
            st.builds(lambda a, b: [a, ",", 1, {**DEFAULT, "default": b}], text, text),
        ),
        "lookup": st.one_of(
            st.builds(lambda a: ["codes", a], text),
            st.builds(lambda a: ["codes", a, {"on_miss": "quarantine"}], text),
            st.builds(lambda a, b: ["codes", a, {**DEFAULT, "default": b}], text, text),
        ),
        "coalesce": st.one_of(
            st.builds(lambda a, b: [{"lookup": ["codes", a, {"on_miss": "null"}]}, b], text, text),
            st.builds(lambda a: [var("note"), a], text),
        ),
        "to_text": st.one_of(st.builds(lambda a: [{"+": [a, Decimal("0.0")]}], number), st.tuples(day).map(list)),
        "substr": st.tuples(text, st.integers(-3, 3), st.just(2)).map(list),
        "replace": st.tuples(text, st.sampled_from(["a", ","]), st.sampled_from(["", "bb"])).map(list),
        "pad_left": st.tuples(text, st.integers(1, 5), st.just("0")).map(list),
        "format_date": st.tuples(day, st.sampled_from(["YYYY-MM-DD", "D.M.YYYY"])).map(list),
        "reduce": reduced.map(list),
    }


def dates(of):
    return {
        "date_add": st.tuples(of["date"], st.integers(-40, 40), st.sampled_from(["days", "months", "years"])).map(list),
        **dict.fromkeys(
            ("start_of", "end_of"),
            st.tuples(of["date"], st.sampled_from(["week", "month", "quarter", "year"])).map(list),
        ),
        "parse_date": st.tuples(of["text"], st.just("YYYY-MM-DD")).map(list),
        "if": st.tuples(of["boolean"], of["date"], of["date"]).map(list),
    }


def lists_of_numbers(of):
    weights = st.one_of(of["numbers"], st.just([1, 2, 3]))
    return {
        "map": looped(of, "number").map(lambda found: [found[0], {"+": [found[1], Decimal("0.0")]}]),
        "filter": st.tuples(of["numbers"], inside(of, AMOUNTS)["boolean"]).map(list),
        "merge": st.lists(of["numbers"], min_size=1, max_size=3),
        "allocate": st.tuples(of["number"].map(lambda one: {"round": [one, 2, "half_up"]}), weights, st.just(2)).map(
            list
        ),
    }


def lists_of_texts(of):
    names = st.lists(st.sampled_from(["note", "limit", "rate", "left"]), min_size=1, max_size=4, unique=True)
    return {
        "map": looped(of, "text"),
        "filter": st.tuples(of["texts"], inside(of, TAGS)["boolean"]).map(list),
        "merge": st.lists(of["texts"], min_size=1, max_size=3),
        "split": st.tuples(of["text"], st.just(",")).map(list),
        "missing": names,
        "missing_some": names.map(lambda found: [1, found]),
    }


def orders(of):
    note = {"if": [var("gift"), var("remark"), None]}
    return {
        "object": st.builds(
            lambda of, total, gift, parts: {"of": of, "sum": total, "gift": gift, "note": note, "parts": parts},
            of["text"],
            inside(of, LINES)["number"],
            st.just(var("gift")),
            of["numbers"],
        )
    }


FAMILIES = {
    "boolean": booleans,
    "number": numbers,
    "text": texts,
    "date": dates,
    "numbers": lists_of_numbers,
    "texts": lists_of_texts,
}


def called(family):
    return st.one_of(*(given.map(lambda found, name=name: {name: found}) for name, given in family.items()))


def expressions(levels):
    """Well-typed expressions by type, nested at most ``levels`` deep."""
    of = LEAVES
    for _ in range(levels):
        deeper = {kind: called(family(of)) for kind, family in FAMILIES.items()}
        of = {kind: st.one_of(of[kind], deeper[kind]) for kind in of}
    return of


def operators():
    """Every operator that a generated rule may have."""
    called = {name for family in (*FAMILIES.values(), orders) for name in family(LEAVES)}
    return called | {"var", "table"}


DEEP = expressions(3)
LISTED = called(orders(LEAVES)).map(lambda one: {"map": [var("lines"), one]})
#: An expression and the declaration of the output that it gives.
OUTPUTS = st.one_of(
    st.tuples(DEEP["boolean"], st.just({"type": "boolean"})),
    st.tuples(DEEP["number"], st.just({"type": "decimal", "scale": 12, "rounding": "half_even"})),
    st.tuples(DEEP["text"], st.just({"type": "string"})),
    st.tuples(DEEP["date"], st.just({"type": "date"})),
    st.tuples(DEEP["numbers"], st.just(LIST_OF_NUMBERS)),
    st.tuples(DEEP["texts"], st.just(LIST_OF_TEXTS)),
    st.tuples(LISTED, st.just({"type": "list", "items": ORDER})),
)
_LINE = st.fixed_dictionaries(
    {
        "sku": st.sampled_from(["a", "Ada", "", "x,y"]),
        "qty": st.sampled_from([0, 1, 3, -2]),
        "price": st.sampled_from([Decimal(0), Decimal("9.99"), Decimal(100)]),
        "gift": st.booleans(),
        "remark": st.sampled_from([None, "r"]),
    }
)
RECORDS = st.fixed_dictionaries(
    {
        "text": st.sampled_from(["", "Ada", "a", "a,b", "x,y,z", "12.5", ",", "2024-02-29"]),
        "note": st.sampled_from([None, "n", "a"]),
        "status": st.sampled_from(["ACTIVE", "LEAVE", "TERM"]),
        "count": st.sampled_from([0, 1, 4, 5, 7, 8, 51, -3, 10**17]),
        "limit": st.sampled_from([None, 0, 3]),
        "hours": st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("37.5"), Decimal(-2)]),
        "hired": st.sampled_from([date(2020, 1, 31), date(2026, 9, 30), date(2027, 1, 1)]),
        "paid": st.booleans(),
        "tags": st.lists(st.sampled_from(["a", "b,c", ""]), max_size=3),
        "amounts": st.lists(st.sampled_from([Decimal(0), Decimal("1.50"), Decimal(-3)]), max_size=3),
        "lines": st.lists(_LINE, max_size=3),
    }
)
