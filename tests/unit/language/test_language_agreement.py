"""The compiled program and the interpreter are two readings of one tree: random rules and records must agree."""

from datetime import date
from decimal import Decimal
from itertools import chain

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused, RuleRefused, json_value
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

LET = {
    "share": {"/": [100, var("count")]},
    "part": {"split": [var("text"), ",", 1]},
    "safe_limit": {"coalesce": [var("limit"), var("count")]},
    "tenure": {"months_between": [var("hired"), var("as_of")]},
    "half": {"if": [var("paid"), var("share"), {"/": [var("share"), 2]}]},
}
TABLES = {
    "tier": {
        "hit": "first",
        "in": ["count"],
        "out": ["n", "s"],
        "rows": [["[0,5)", 1, "low"], [[5, 6, 7], 2, "seven"], ["(50,)", 3, "high"]],
    },
    "literal": {"hit": "unique", "in": ["status"], "out": ["x"], "rows": [["ACTIVE", "1.5"], ["LEAVE", None]]},
}
CODES = {"codes": {"a": "A", "Ada": "B", "a,b": "C"}}

LEAVES = {
    "boolean": st.sampled_from([True, False, var("paid"), {"!=": [var("note"), None]}, {"is_null": var("limit")}]),
    "number": st.sampled_from(
        [
            *(0, 1, -7, 400, Decimal("1.25")),
            *map(var, ("count", "hours", "share", "safe_limit", "tenure", "half")),
            {"table": ["tier", "n"]},
            {"coalesce": [{"table": ["literal", "x"]}, Decimal("0.5")]},
        ]
    ),
    "text": st.sampled_from(
        ["", "a", "a,b", "12.5", var("text"), var("status"), var("part"), {"table": ["tier", "s"]}]
    ),
}
COMPARISONS = st.sampled_from(["<", "<=", ">", ">="])
ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%", "min", "max"])


def booleans(of):
    number, text, flag = of["number"], of["text"], of["boolean"]
    flags = st.lists(flag, min_size=1, max_size=4)
    return st.one_of(
        st.builds(lambda op, a, b: {op: [a, b]}, COMPARISONS, number, number),
        st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(["==", "!="]), text, text),
        st.builds(lambda op, parts: {op: parts}, st.sampled_from(["and", "or"]), flags),
        st.builds(lambda a: {"!": [a]}, flag),
        st.builds(lambda a, b: {"in": [a, b]}, text, st.one_of(text, st.lists(text, max_size=3))),
        st.builds(lambda a: {"in_range": [a, "[-3,7.5)"]}, number),
        st.builds(lambda a, b, c: {"<=": [a, b, c]}, number, number, number),
    )


def numbers(of):
    number, text, flag = of["number"], of["text"], of["boolean"]
    arms = st.lists(st.tuples(flag, number), min_size=1, max_size=6)
    return st.one_of(
        st.builds(lambda op, a, b: {op: [a, b]}, ARITHMETIC, number, number),
        st.builds(lambda parts: {"+": parts}, st.lists(number, min_size=2, max_size=4)),
        st.builds(lambda op, a: {op: [a]}, st.sampled_from(["-", "abs"]), number),
        st.builds(lambda a, mode: {"round": [a, 1, mode]}, number, st.sampled_from(["half_up", "floor"])),
        st.builds(lambda arms, b: {"if": [*chain.from_iterable(arms), b]}, arms, number),
        st.builds(lambda a: {"parse_decimal": [a]}, text),
        st.builds(lambda a, b: {"if": [{"is_null": var("limit")}, a, {"+": [var("limit"), b]}]}, number, number),
    )


def texts(of):
    number, text, flag = of["number"], of["text"], of["boolean"]
    return st.one_of(
        st.builds(lambda parts: {"cat": parts}, st.lists(text, min_size=1, max_size=3)),
        st.builds(lambda op, a: {op: [a]}, st.sampled_from(["upper", "lower", "trim"]), text),
        st.builds(lambda c, a, b: {"?:": [c, a, b]}, flag, text, text),
        st.builds(lambda a, i: {"split": [a, ",", i]}, text, st.integers(-2, 2)),
        st.builds(lambda a, b: {"split": [a, ",", 1, {"on_miss": "default", "default": b}]}, text, text),
        st.builds(lambda a: {"lookup": ["codes", a]}, text),
        st.builds(lambda a, b: {"lookup": ["codes", a, {"on_miss": "default", "default": b}]}, text, text),
        st.builds(lambda a, b: {"coalesce": [{"lookup": ["codes", a, {"on_miss": "null"}]}, b]}, text, text),
        st.builds(lambda a: {"to_text": [{"+": [a, Decimal("0.0")]}]}, number),
        st.builds(lambda a: {"coalesce": [var("note"), a]}, text),
        st.builds(lambda a, n: {"substr": [a, n, 2]}, text, st.integers(-3, 3)),
    )


def expressions(levels):
    """Well-typed expressions by type, nested at most ``levels`` deep."""
    of = LEAVES
    for _ in range(levels):
        deeper = {"boolean": booleans(of), "number": numbers(of), "text": texts(of)}
        of = {kind: st.one_of(of[kind], deeper[kind]) for kind in of}
    return of


DEEP = expressions(4)
# Drawing nested rules takes its time, and more on a machine that does other things meanwhile.
SLOW_MACHINE = [HealthCheck.too_slow]
OUTPUTS = st.one_of(
    st.tuples(DEEP["boolean"], st.just("boolean")),
    st.tuples(DEEP["number"], st.just("decimal")),
    st.tuples(DEEP["text"], st.just("string")),
)
RECORDS = st.fixed_dictionaries(
    {
        "text": st.sampled_from(["", "Ada", "a", "a,b", "x,y,z", "12.5", ","]),
        "note": st.sampled_from([None, "n", "a"]),
        "status": st.sampled_from(["ACTIVE", "LEAVE", "TERM"]),
        "count": st.sampled_from([0, 1, 4, 5, 7, 8, 51, -3, 10**17]),
        "limit": st.sampled_from([None, 0, 3]),
        "hours": st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("37.5"), Decimal(-2)]),
        "hired": st.sampled_from([date(2020, 1, 31), date(2026, 9, 30), date(2027, 1, 1)]),
        "paid": st.booleans(),
    }
)


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW_MACHINE)
@given(OUTPUTS, st.one_of(st.none(), DEEP["boolean"]), st.lists(RECORDS, min_size=1, max_size=8))
def test_a_random_rule_is_explained_as_it_is_decided(output, when, records):
    expr, kind = output
    try:
        compiled = rule(expr, kind, let=LET, tables=TABLES, when=when)
    except RuleRefused as refused:
        event("does not load")
        codes = {fault.code for fault in refused.faults}
    else:
        codes = set()
        for record in records:
            says_the_same_twice(compiled, {**FACTS, **record})
    # The rules are well typed: only a comparison with a single possible answer is left to refuse.
    assert codes <= {"not_in_values"}


def says_the_same_twice(compiled, facts):
    """Decide and explain one record and compare."""
    explained = compiled.explain(facts, as_of=AS_OF, code_tables=CODES)
    try:
        decided = compiled.decide(facts, as_of=AS_OF, code_tables=CODES)
        codes = []
    except DecisionRefused as refused:
        event("refused")
        decided = None
        codes = [fault.code for fault in refused.faults]
    else:
        event("decided" if decided is not None else "does not apply")
        assert explained["applies"] is (decided is not None)
    assert explained["outputs"] == json_value(decided)
    assert [fault["code"] for fault in explained["faults"]] == codes


OPERATORS = st.sampled_from(["var", "if", "+", "cat", "in", "lookup", "table", "split", "=="])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.decimals(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(OPERATORS, st.text(max_size=5)), inner, max_size=2),
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW_MACHINE)
@given(JSON, JSON, JSON, JSON)
def test_a_random_document_loads_or_is_refused_by_name(expr, let, table, case):
    parts = {"let": {"a": let}, "tables": {"t": table}, "cases": [case]}
    for document in ({"when": expr, **parts}, parts, {"when": expr}):
        try:
            rule(expr, "string", **document)
            pointers = []
        except RuleRefused as refused:
            pointers = [fault.pointer for fault in refused.faults]
        assert all(pointer == "" or pointer.startswith("/") for pointer in pointers)
