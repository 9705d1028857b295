"""Rules with their cases: of each, every case is left out once, and something is then reached by none."""

from copy import deepcopy
from typing import Any

from chalicelib.language import compile_ruleset
from chalicelib.language.cases import APPLIES, REFUSED
from tests.unit.language.lint_corpus.words import (
    AS_OF,
    Pair,
    both,
    case,
    cell,
    either,
    eq,
    flag,
    ge,
    lt,
    months,
    no,
    op,
    rule,
    table,
    text,
    v,
    within,
)


def cased(document: dict[str, Any], *given: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The document with a case for each record, which expects what the rule says of it."""
    rule = compile_ruleset(document)
    cases = []
    for number, record in enumerate(given):
        case = {"name": f"case {number}", "as_of": AS_OF, "given": record, "expect": {APPLIES: True}, **parts}
        [found] = rule.with_cases((rule.case(case),)).run_cases()
        expect = {key: value for key, value in found.actual.items() if key != "why"}
        if REFUSED in expect:
            expect = {REFUSED: expect[REFUSED][-1]}
        cases.append({**case, "expect": expect})
    return {**document, "cases": cases}


CODES = {"codes": {"CABIN": "1"}}
CLEAN = {
    "both ways of `when`": cased(
        rule(v("hours"), when=v("paid")), *({"hours": 1, "paid": held} for held in (True, False))
    ),
    "both ways of an `if`": cased(rule(case(v("paid"), 2, 1)), {"paid": True}, {"paid": False}),
    "three arms": cased(
        rule(case(eq(v("event"), "HOURS"), 1, within(v("event"), "SPEND", "BONUS"), 2, 3)),
        {"event": "HOURS"},
        {"event": "BONUS"},
        {"event": "ANNIVERSARY"},
    ),
    "rows of a table": cased(
        rule(cell("t", "rate"), tables={"t": table(["level"], ["[1,2]", "1"], ["3", "2"], ["[4,5]", "3"])}),
        {"level": 1},
        {"level": 3},
        {"level": 5},
    ),
    "rows over service": cased(
        rule(
            cell("t", "rate"),
            let={"service": months()},
            tables={"t": table(["service"], ["(,24)", "1"], ["[24,60)", "2"], ["[60,)", "3"])},
        ),
        {"hired": "2026-01-01"},
        {"hired": "2024-01-01"},
        {"hired": "2020-01-01"},
    ),
    "a default": cased(rule(op("coalesce", v("bonus"), v("hours"))), {"bonus": None, "hours": 1}),
    "a look-up that misses": cased(
        text(op("lookup", "codes", v("job"), {"on_miss": "default", "default": "?"})),
        {"job": "DECK"},
        code_tables=CODES,
    ),
    "a look-up that misses into null": cased(
        text(op("lookup", "codes", v("job"), {"on_miss": "null"})), {"job": "DECK"}, code_tables=CODES
    ),
    "yes and no": cased(
        flag(both(v("paid"), v("union"))),
        {"paid": True, "union": True},
        {"paid": False, "union": True},
        {"paid": True, "union": False},
    ),
    "an answer by comparison": cased(flag(ge(v("age"), 18)), {"age": 18}, {"age": 17}),
    "nested branches": cased(
        rule(case(v("paid"), case(v("union"), 3, 2), 1)),
        {"paid": True, "union": True},
        {"paid": True, "union": False},
        {"paid": False, "union": False},
    ),
    "a branch in a definition": cased(
        rule(op("*", v("factor"), v("hours")), let={"factor": case(lt(v("fte"), 50), 1, 2)}),
        {"fte": 10, "hours": 1},
        {"fte": 50, "hours": 1},
    ),
    "rows that fall through": cased(
        rule(cell("t", "rate"), tables={"t": table(["level"], ["[1,2]", "1"], ["-", "2"], hit="first")}),
        {"level": 2},
        {"level": 3},
    ),
    "a named condition": cased(
        rule(v("hours"), when=v("able"), let={"able": either(v("paid"), v("union"))}),
        {"hours": 1, "paid": True, "union": False},
        {"hours": 1, "paid": False, "union": False},
        {"hours": 1, "paid": False, "union": True},
    ),
    "lines": cased(
        flag(op("some", v("lines"), ge(v(".qty"), 10))),
        {"lines": [{"qty": 10, "sku": "a"}]},
        {"lines": [{"qty": 1, "sku": "a"}]},
    ),
    "a part of a text or nothing": cased(
        text(op("split", v("unit"), "/", 1, {"on_miss": "default", "default": "-"})), {"unit": "none"}
    ),
    "a negation": cased(rule(case(no(v("paid")), 2, 1)), {"paid": True}, {"paid": False}),
    "rows of a list": cased(
        rule(cell("t", "rate"), tables={"t": table(["country"], [["AT", "CH"], "1"], ["DE", "2"])}),
        {"country": "CH"},
        {"country": "DE"},
    ),
}


def without(document: dict[str, Any], number: int) -> dict[str, Any]:
    left = deepcopy(document)
    del left["cases"][number]
    return left


# What is not reached any more, by the rule and the number of the case that is left out.
_POINTERS = {
    "both ways of `when`": ["/when"] * 2,
    "both ways of an `if`": ["/outputs/points/expr/if/1", "/outputs/points/expr/if/2"],
    "three arms": [f"/outputs/points/expr/if/{arm}" for arm in (1, 3, 4)],
    "rows of a table": [f"/tables/t/rows/{row}" for row in range(3)],
    "rows over service": [f"/tables/t/rows/{row}" for row in range(3)],
    "a default": ["/outputs/points/expr/coalesce/1"],
    "a look-up that misses": ["/outputs/it/expr"],
    "a look-up that misses into null": ["/outputs/it/expr"],
    "yes and no": ["/outputs/ok/expr", "/outputs/ok/expr/and/0", "/outputs/ok/expr/and/1"],
    "an answer by comparison": ["/outputs/ok/expr"] * 2,
    "nested branches": [
        "/outputs/points/expr/if/1/if/1",
        "/outputs/points/expr/if/1/if/2",
        "/outputs/points/expr/if/2",
    ],
    "a branch in a definition": ["/let/factor/if/1", "/let/factor/if/2"],
    "rows that fall through": [f"/tables/t/rows/{row}" for row in range(2)],
    "a named condition": ["/let/able/or/0", "/when", "/let/able/or/1"],
    "lines": ["/outputs/ok/expr"] * 2,
    "a part of a text or nothing": ["/outputs/it/expr/split/3/default"],
    "a negation": ["/outputs/points/expr/if/2", "/outputs/points/expr/if/1"],
    "rows of a list": [f"/tables/t/rows/{row}" for row in range(2)],
}
UNCOVERED = [
    Pair(f"{name}, without case {number}", without(CLEAN[name], number), pointer, CLEAN[name])
    for name, pointers in _POINTERS.items()
    for number, pointer in enumerate(pointers)
]
