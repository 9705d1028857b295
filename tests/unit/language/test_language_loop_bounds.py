"""Loops and what they build: a few lines of rule must not ask for hours or gigabytes."""

import resource
import time
from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, var

SECONDS_MAX = 15
MEMORY_MB_MAX = 300
INPUTS = {
    "numbers": {"type": "list", "items": {"type": "integer"}},
    "texts": {"type": "list", "items": {"type": "string"}},
    "text": {"type": "string"},
}
FACTS = {"numbers": list(range(2_000)), "texts": ["ab" * 500 + str(n) for n in range(2_000)], "text": "x" * 4_096}
DECIMAL = {"type": "decimal", "scale": 2, "rounding": "half_up"}


@pytest.fixture(autouse=True)
def in_bounded_time_and_memory():
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - started < SECONDS_MAX
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_MB_MAX * 1024


def compiled(expr, shape="integer", **parts):
    shape = {"type": shape} if isinstance(shape, str) else shape
    return compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": {**shape, "expr": expr}}, **parts})


def refusal(expr, shape="integer", **parts):
    """The code of the record's refusal; explain must say the same."""
    rule = compiled(expr, shape, **parts)
    with pytest.raises(DecisionRefused) as raised:
        rule.decide(FACTS, as_of=AS_OF)
    codes = [fault.code for fault in raised.value.faults]
    assert [fault["code"] for fault in rule.explain(FACTS, as_of=AS_OF)["faults"]] == codes
    return codes


def faults(expr, shape="integer", **parts):
    with pytest.raises(RuleRefused) as raised:
        compiled(expr, shape, **parts)
    return raised.value.faults


def loops(depth, inner):
    for _ in range(depth):
        inner = {"sum": {"map": [var("numbers"), inner]}}
    return inner


def reduced(joined, start):
    return {"reduce": [var("numbers"), joined, start]}


SOFAR = var("accumulator")


class TestWork:
    def test_one_loop_over_the_longest_list_is_fine(self):
        assert compiled(loops(1, {"+": [var(""), 1]})).decide(FACTS, as_of=AS_OF) == {"it": 2_001_000}

    def test_fifty_loops_one_after_another_are_fine(self):
        chain = var("numbers")
        for _ in range(50):
            chain = {"map": [chain, {"+": [var(""), 1]}]}
        assert compiled({"max": chain}).decide(FACTS, as_of=AS_OF) == {"it": 2_049}

    @pytest.mark.parametrize("depth", [2, 3, 4])
    def test_loops_inside_loops_end(self, depth):
        assert refusal(loops(depth, 1)) == ["too_much_work"]

    def test_what_is_named_in_let_is_no_way_around(self):
        let = {"inner": {"map": [var("numbers"), {"+": [var(""), 1]}]}}
        assert refusal(loops(1, {"sum": {"map": [var("inner"), var("")]}}), let=let) == ["too_much_work"]

    def test_nor_is_a_branch_that_is_not_taken(self):
        let = {"huge": loops(3, 1)}
        rule = compiled({"if": [{"==": [var("text"), "y"]}, var("huge"), 1]}, let=let)
        with pytest.raises(DecisionRefused):
            rule.decide(FACTS, as_of=AS_OF)
        assert rule.decide({**FACTS, "numbers": [1, 2]}, as_of=AS_OF) == {"it": 1}

    def test_more_than_four_inside_one_another_are_refused_at_once(self):
        assert {fault.code for fault in faults(loops(5, 1))} == {"too_deep"}
        assert {fault.code for fault in faults(reduced(loops(4, 1), 0))} == {"too_deep"}

    def test_reduce_inside_reduce_is_checked_in_time(self):
        inner = {"+": [SOFAR, var("current"), Decimal("0.5")]}
        for _ in range(4):
            inner = reduced(inner, 0)
        assert refusal(inner, DECIMAL) == ["too_much_work"]

    def test_hostile_patterns_over_many_texts_end(self):
        pattern = "(.|b)*a(a|b|.){90}"
        assert refusal({"count": {"filter": [var("texts"), {"matches": [var(""), pattern]}]}}) == ["too_much_work"]

    def test_an_ordinary_pattern_over_many_texts_is_fine(self):
        kept = {"filter": [var("texts"), {"matches": [{"substr": [var(""), 0, 12]}, "[ab]{12}"]}]}
        assert compiled({"count": kept}).decide(FACTS, as_of=AS_OF) == {"it": 2_000}

    def test_an_amount_split_for_each_of_many_ends(self):
        split = {"map": [var("numbers"), {"sum": {"allocate": [100, var("numbers"), 2]}}]}
        assert refusal({"count": split}) == ["too_much_work"]


class TestGrowth:
    def test_a_text_that_doubles_with_every_item_stops(self):
        assert refusal({"length": reduced({"cat": [SOFAR, SOFAR, "x"]}, "")}) == ["text_too_long"]

    def test_a_list_that_doubles_with_every_item_stops(self):
        assert refusal({"count": reduced({"merge": [SOFAR, SOFAR, [1]]}, [])}) == ["list_too_long"]

    def test_a_list_that_is_copied_with_every_item_stops(self):
        assert refusal({"count": reduced({"merge": [SOFAR, [1]]}, [])}) == ["too_much_work"]

    def test_numbers_that_square_with_every_item_stop(self):
        assert refusal(reduced({"*": [SOFAR, SOFAR]}, 2)) == ["number_too_large"]
        assert refusal(reduced({"*": [SOFAR, SOFAR]}, Decimal("1.1")), DECIMAL) == ["number_too_large"]

    def test_a_value_that_nests_deeper_with_every_item_has_no_type(self):
        assert faults({"count": reduced([SOFAR, SOFAR], [1])})[0].code == "wrong_type"

    def test_long_texts_by_the_million_stop(self):
        inner = {"count": {"map": [var("numbers"), {"cat": [var("text"), var("text"), var("text")]}]}}
        assert refusal({"count": {"map": [var("numbers"), inner]}}) == ["too_much_work"]

    def test_a_text_of_too_many_parts_is_no_list(self):
        assert refusal({"count": {"split": [var("text"), "x"]}}) == ["list_too_long"]


def laughs(levels, width):
    """Each is a list of the one before it, many times over."""
    return {"s0": ["x"]} | {f"s{n}": [var(f"s{n - 1}")] * width for n in range(1, levels)}


class TestSharing:
    def test_lists_of_lists_of_lists_are_refused_when_they_are_loaded(self):
        [fault, *_] = faults({"count": var("s39")}, let=laughs(40, 2))
        assert (fault.pointer, fault.code) == ("/let/s16", "too_large")

    def test_objects_that_hold_one_another_twice_as_well(self):
        let = {"s0": {"object": {"a": 1}}}
        let |= {f"s{n}": {"object": {"a": var(f"s{n - 1}"), "b": var(f"s{n - 1}")}} for n in range(1, 30)}
        assert faults(1, let=let)[0].code == "too_large"

    def test_what_is_not_given_out_may_share_and_its_explanation_is_cut(self):
        rule = compiled({"count": var("s14")}, let=laughs(15, 190))
        assert rule.decide(FACTS, as_of=AS_OF) == {"it": 190}
        assert len(str(rule.explain(FACTS, as_of=AS_OF))) < 1_000_000

    def test_an_output_that_spells_it_out_is_refused_in_time(self):
        shape = {"type": "string"}
        for _ in range(5):
            shape = {"type": "list", "items": shape}
        assert refusal(var("s4"), shape, let=laughs(5, 190)) == ["too_much_work"]

    def test_an_output_that_repeats_a_long_text_is_refused_in_time(self):
        shape = {"type": "list", "items": {"type": "list", "items": {"type": "string"}}}
        let = {"long": {"cat": [var("text")] * 4}, "row": [var("long")] * 150}
        assert refusal([var("row")] * 150, shape, let=let) == ["too_much_work"]

    def test_large_types_are_not_compared_without_end(self):
        let = {side: {"object": {f"f{n}": 1 for n in range(1_900)}} for side in ("a", "b")}
        arms = [part for n in range(90) for part in ({"==": [var("text"), str(n)]}, var("ab"[n % 2]))]
        let |= {f"l{n}": {"if": [*arms, var("a")]} for n in range(40)}
        assert {fault.code for fault in faults(1, let=let)} == {"too_large"}


def test_deep_expressions_inside_loops_load_and_decide():
    """CPython allows 20 loops and 100 blocks inside one another, and 200 parentheses."""
    deep = var("")
    for _ in range(12):
        deep = {"if": [{"<": [{"coalesce": [{"if": [{">": [deep, 0]}, deep, None]}, 1]}, 3]}, 1, 2]}
        if len(str(deep)) > 20_000:
            break
    rule = compiled({"sum": {"map": [[1, 2], {"sum": {"map": [[3, 4], {"sum": {"map": [[5], deep]}}]}}]}})
    assert rule.decide(FACTS, as_of=AS_OF)["it"] == rule.explain(FACTS, as_of=AS_OF)["outputs"]["it"]
