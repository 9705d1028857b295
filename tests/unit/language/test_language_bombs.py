"""Small rules that could ask for endless work or memory: loops in loops, values that double, texts that grow.

Every one is decided and explained under guards (``hostile``): it ends in time and within memory, with an answer or a
refusal by name.
"""

import json

import pytest

from chalicelib.language import DecisionRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, FACTS, INPUTS, var
from tests.unit.language.hostile import guarded

NUMBERS, TEXTS = var("numbers"), var("texts")
WIDE = {
    **INPUTS,
    "numbers": {"type": "list", "items": {"type": "integer"}},
    "texts": {"type": "list", "items": {"type": "string"}},
}
LONG = "ab" * 500
RECORD = {**FACTS, "numbers": list(range(2_000)), "texts": ["x" * 4_096] * 2_000}
EXPLANATION_CHARACTERS_MAX = 20_000_000


def answer(expr, kind="integer", **parts):
    """The code of the refusal, or "decided"; explained as well."""
    output = {"type": kind, "expr": expr, **({"items": {"type": "string"}} if kind == "list" else {})}
    with guarded():
        compiled = compile_ruleset({"kind": "mapping", "inputs": WIDE, "outputs": {"it": output}, **parts})
        try:
            compiled.decide(RECORD, as_of=AS_OF)
            said = "decided"
        except DecisionRefused as refused:
            said = refused.faults[0].code
        explained = compiled.explain(RECORD, as_of=AS_OF)
        assert len(json.dumps(explained)) < EXPLANATION_CHARACTERS_MAX
    assert [fault["code"] for fault in explained["faults"]] == ([] if said == "decided" else [said])
    return said


def looped(levels, inner):
    for _ in range(levels):
        inner = {"sum": [{"map": [NUMBERS, inner]}]}
    return inner


def picky(condition):
    """For each number, whether the condition holds for a text."""
    return {"count": [{"filter": [NUMBERS, {"some": [TEXTS, condition]}]}]}


class TestWork:
    def test_a_loop_over_the_longest_list_is_decided(self):
        assert answer(looped(1, {"+": [var("count"), 1]})) == "decided"

    @pytest.mark.parametrize("levels", [2, 3, 4])
    def test_loops_inside_loops_stop(self, levels):
        assert answer(looped(levels, {"+": [var("count"), 1]})) == "too_much_work"

    @pytest.mark.parametrize(
        "condition",
        [
            {"==": [{"upper": [var("")]}, "b"]},
            {"==": [{"replace": [var(""), "x", "yy"]}, "b"]},
            {"!=": [{"cat": [var(""), "a"]}, {"cat": [var(""), "a"]}]},
            {"in": ["zz", {"cat": [var(""), "a"]}]},
        ],
        ids=["upper", "replace", "cat", "in"],
    )
    def test_texts_that_are_made_for_every_pair_stop(self, condition):
        assert answer(picky(condition)) == "too_much_work"

    def test_a_table_that_is_asked_for_every_pair_stops(self):
        rows = [[f"[{index},{index + 1})", index] for index in range(500)]
        table = {"hit": "unique", "in": ["count"], "out": ["r"], "rows": rows}
        asked = {"some": [NUMBERS, {"==": [{"table": ["t", "r"]}, {"+": [var(""), 5_000]}]}]}
        assert answer({"count": [{"filter": [NUMBERS, asked]}]}, tables={"t": table}) == "too_much_work"

    @pytest.mark.parametrize(
        "expr",
        [
            {"count": [{"allocate": [100, NUMBERS, 2]}]},
            {"count": [{"merge": [NUMBERS, []]}]},
            {"sum": [NUMBERS]},
            {"if": [{"in": [-1, NUMBERS]}, 1, 0]},
            {"if": [{"matches": [{"cat": [{"to_text": [var("")]}, LONG]}, "(a|b|ab)*c{1,200}"]}, 1, 0]},
            {"if": [{"in": ["y", {"pad_left": [{"to_text": [var("")]}, 256, "x"]}]}, 1, 0]},
            {"months_between": [var("hired"), {"date_add": [var("as_of"), var(""), "days"]}]},
        ],
        ids=["allocate", "merge", "sum", "in", "matches", "pad_left", "dates"],
    )
    @pytest.mark.parametrize("levels", [1, 2])
    def test_an_operator_in_a_loop_over_long_lists_stops_or_ends(self, expr, levels):
        assert answer(looped(levels, expr)) in {"decided", "too_much_work"}

    def test_hundreds_of_loops_side_by_side_stop_or_end(self):
        counts = {f"l{index}": {"count": [{"filter": [NUMBERS, {">": [var(""), index]}]}]} for index in range(1_500)}
        many = {"+": [var(f"l{index}") for index in range(190)]}
        assert answer(many, let=counts) in {"decided", "too_much_work"}

    def test_a_type_that_is_looked_for_in_loops_of_loops_is_found_in_time(self):
        inner = {"+": [var("accumulator"), var("current")]}
        for _ in range(4):
            inner = {"reduce": [NUMBERS, inner, 0]}
        assert answer(inner) == "too_much_work"


class TestMemory:
    def test_a_list_that_doubles_with_every_number_stops(self):
        doubled = {"reduce": [NUMBERS, {"merge": [var("accumulator"), var("accumulator")]}, [0]]}
        assert answer({"count": [doubled]}) == "list_too_long"

    def test_a_text_that_grows_with_every_item_stops(self):
        grown = {"reduce": [TEXTS, {"cat": [var("accumulator"), var("current")]}, ""]}
        assert answer(grown, "string") == "text_too_long"

    def test_a_payload_of_long_texts_stops(self):
        assert answer({"map": [TEXTS, {"cat": [var("")] * 3}]}, "list") == "too_much_work"

    def test_lists_that_share_their_parts_are_decided_and_explained(self):
        shared = {"a": {"map": [NUMBERS, NUMBERS]}, "b": {"map": [NUMBERS, var("a")]}}
        assert answer({"count": [var("b")]}, let=shared) == "decided"

    def test_a_list_that_multiplies_by_twenty_ten_times_is_decided_and_explained(self):
        times = {"z0": [NUMBERS], **{f"z{level}": [var(f"z{level - 1}")] * 20 for level in range(1, 10)}}
        assert answer({"count": [var("z9")]}, let=times) == "decided"
