"""Lists: expressions over their items, the names inside a loop, and what a list comes to as a whole."""

from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, var

LINE = {
    "sku": {"type": "string"},
    "qty": {"type": "integer"},
    "price": {"type": "decimal", "scale": 2},
    "note": {"type": "string", "nullable": True},
    "discounts": {"type": "list", "items": {"type": "decimal", "scale": 2}},
}
INPUTS = {
    "lines": {"type": "list", "items": {"type": "object", "fields": LINE}},
    "numbers": {"type": "list", "items": {"type": "integer"}},
    "gaps": {"type": "list", "items": {"type": "integer", "nullable": True}},
    "tags": {"type": "list", "nullable": True, "items": {"type": "string"}},
    "bonus": {"type": "integer"},
}


def line(sku, qty, price, note=None, discounts=()):
    return {"sku": sku, "qty": qty, "price": Decimal(price), "note": note, "discounts": [*map(Decimal, discounts)]}


FACTS = {
    "lines": [line("a", 2, "1.50", discounts=["0.50"]), line("b", 1, "9.99", "gift"), line("c", 0, "5.00")],
    "numbers": [3, 1, 2],
    "gaps": [4, None, 6],
    "tags": None,
    "bonus": 10,
}
NUMBERS = {"type": "list", "items": {"type": "integer"}}
TEXTS = {"type": "list", "items": {"type": "string"}}
TOTAL = {"*": [var("qty"), var("price")]}


def compiled(expr, shape, inputs=INPUTS, **parts):
    shape = {"type": shape} if isinstance(shape, str) else shape
    if shape["type"] == "decimal":
        shape |= {"scale": 2}
    return compile_ruleset({"kind": "mapping", "inputs": inputs, "outputs": {"it": {**shape, "expr": expr}}, **parts})


def value(expr, shape, *, parts=None, **facts):
    """The expression's value; explain must say the same."""
    rule = compiled(expr, shape, **(parts or {}))
    record = {**FACTS, **facts}
    found = rule.decide(record, as_of=AS_OF)["it"]
    explained = rule.explain(record, as_of=AS_OF)
    assert explained["faults"] == []
    return found


def faults(expr, shape="integer", **parts):
    with pytest.raises(RuleRefused) as raised:
        compiled(expr, shape, **parts)
    return raised.value.faults


def refusal(expr, shape="integer", **facts):
    rule = compiled(expr, shape)
    with pytest.raises(DecisionRefused) as raised:
        rule.decide({**FACTS, **facts}, as_of=AS_OF)
    return raised.value.faults


class TestMap:
    def test_gives_a_value_for_each_item_in_order(self):
        assert value({"map": [var("numbers"), {"*": [var(""), 2]}]}, NUMBERS) == [6, 2, 4]

    def test_sees_the_fields_of_an_item_and_the_names_around(self):
        assert value({"map": [var("lines"), {"+": [var("qty"), var("bonus")]}]}, NUMBERS) == [12, 11, 10]
        parts = {"let": {"double": {"*": [var("bonus"), 2]}}}
        assert value({"map": [var("numbers"), {"+": [var(""), var("double")]}]}, NUMBERS, parts=parts) == [23, 21, 22]

    def test_of_an_empty_list_is_empty(self):
        assert (
            value(
                {"map": [var("numbers"), {"/": [1, 0]}]},
                {**NUMBERS, "items": {"type": "decimal", "scale": 0}},
                numbers=[],
            )
            == []
        )

    def test_says_which_item_it_has_no_value_for(self):
        found = refusal(
            {"map": [var("lines"), {"/": [var("price"), var("qty")]}]},
            {"type": "list", "items": {"type": "decimal", "scale": 2, "rounding": "up"}},
        )
        assert [(fault.pointer, fault.code) for fault in found] == [("lines/2/price", "division_by_zero")]

    def test_says_it_of_an_item_inside_an_item(self):
        inner = {"sum": {"map": [var("discounts"), {"/": [1, var("")]}]}}
        lines = [line("a", 1, "1"), line("b", 1, "1", discounts=["1", "0"])]
        [fault] = refusal({"sum": {"map": [var("lines"), inner]}}, "decimal", lines=lines)
        assert fault.pointer == "lines/1/discounts/1"


class TestFilter:
    def test_keeps_the_items_that_pass(self):
        kept = {"filter": [var("lines"), {">": [TOTAL, 1]}]}
        assert value({"map": [kept, var("sku")]}, TEXTS) == ["a", "b"]

    def test_what_it_proves_of_an_item_holds_behind_it(self):
        assert value({"sum": {"filter": [var("gaps"), {"!=": [var(""), None]}]}}, "integer") == 10
        noted = {"filter": [var("lines"), {"!=": [var("note"), None]}]}
        assert value({"map": [noted, {"upper": var("note")}]}, TEXTS) == ["GIFT"]

    def test_without_the_proof_null_is_refused(self):
        assert faults({"map": [var("lines"), {"upper": var("note")}]}, TEXTS)[0].code == "may_be_null"
        [fault] = faults({"sum": var("gaps")})
        assert (fault.code, "filter" in fault.suggestion) == ("may_be_null", True)


class TestQuantifiers:
    @pytest.mark.parametrize(
        ("operator", "least", "held"),
        [
            ("all", 0, True), ("all", 1, False), ("some", 2, True), ("some", 3, False), ("none", 3, True),
            ("none", 2, False),
        ],
    )  # fmt: skip
    def test_ask_the_items(self, operator, least, held):
        assert value({operator: [var("lines"), {">=": [var("qty"), least]}]}, "boolean") is held

    def test_of_an_empty_list_answer_as_jsonlogic_does(self):
        answers = [value({one: [var("numbers"), True]}, "boolean", numbers=[]) for one in ("all", "some", "none")]
        assert answers == [False, False, True]

    def test_stop_at_the_first_item_that_decides(self):
        early = {">": [{"/": [6, var("")]}, 1]}
        assert value({"some": [var("numbers"), early]}, "boolean", numbers=[3, 0]) is True
        assert value({"all": [var("numbers"), {"!": [early]}]}, "boolean", numbers=[3, 0]) is False
        assert value({"none": [var("numbers"), early]}, "boolean", numbers=[3, 0]) is False
        assert refusal({"some": [var("numbers"), early]}, "boolean", numbers=[9, 0])[0].code == "division_by_zero"

    def test_stop_as_well_where_the_condition_takes_statements(self):
        early = {"==": [{"coalesce": [{"if": [{">": [{"/": [6, var("")]}, 1]}, 1, None]}, 0]}, 1]}
        held = [
            [value({one: [var("numbers"), early]}, "boolean", numbers=numbers) for numbers in ([3, 0], [6, 6], [])]
            for one in ("some", "none")
        ]
        assert held == [[True, False, False], [False, True, True]]
        assert [value({"all": [var("numbers"), early]}, "boolean", numbers=one) for one in ([6, 0], [3, 2], [])] == [
            False, True, False,
        ]  # fmt: skip


class TestReduce:
    def test_carries_a_value_from_item_to_item(self):
        total = {"+": [var("accumulator"), {"*": [var("current.qty"), var("current.price")]}]}
        assert value({"reduce": [var("lines"), total, 0]}, "decimal") == Decimal("12.99")

    def test_may_build_texts_lists_and_objects(self):
        joined = {"cat": [var("accumulator"), {"to_text": var("current")}]}
        assert value({"reduce": [var("numbers"), joined, ""]}, "string") == "312"
        turned = {"merge": [[var("current")], var("accumulator")]}
        assert value({"reduce": [var("numbers"), turned, []]}, NUMBERS) == [2, 1, 3]
        seen = {"object": {"n": {"+": [var("accumulator.n"), 1]}, "last": var("current")}}
        parts = {"let": {"seen": {"reduce": [var("numbers"), seen, {"object": {"n": 0, "last": None}}]}}}
        assert value(var("seen.n"), "integer", parts=parts) == 3
        assert value({"coalesce": [var("seen.last"), 0]}, "integer", parts=parts) == 2

    def test_of_an_empty_list_is_what_it_starts_with(self):
        assert (
            value({"reduce": [var("numbers"), {"+": [var("current"), var("accumulator")]}, 7]}, "integer", numbers=[])
            == 7
        )

    def test_inside_another_means_its_own_names(self):
        inner = {"reduce": [var("numbers"), {"+": [var("accumulator"), var("current")]}, 0]}
        outer = {"reduce": [var("numbers"), {"+": [var("accumulator"), inner]}, 0]}
        assert value(outer, "integer") == 18

    def test_a_value_that_changes_its_type_is_refused(self):
        [fault] = faults({"reduce": [var("numbers"), {"to_text": var("current")}, 0]})
        assert (fault.pointer, fault.code) == ("/outputs/it/expr/reduce/1", "wrong_type")

    def test_knows_no_other_item(self):
        [fault] = faults({"reduce": [var("numbers"), {"+": [var(""), 1]}, 0]})
        assert (fault.code, fault.suggestion) == ("unknown_field", "a `reduce` calls its item `current`")


class TestNames:
    def test_an_item_exists_inside_a_loop_only(self):
        assert faults({"+": [var(""), 1]})[0].code == "unknown_field"

    def test_an_unknown_field_is_refused_with_the_nearest_one(self):
        [fault] = faults({"sum": {"map": [var("lines"), var("qy")]}})
        assert (fault.code, fault.suggestion) == ("unknown_field", "did you mean `qty`?")

    def test_a_name_that_is_both_is_refused_and_the_way_out_works(self):
        inputs = {**INPUTS, "qty": {"type": "integer"}}
        [fault] = faults({"sum": {"map": [var("lines"), var("qty")]}}, inputs=inputs)
        assert (fault.code, fault.message) == ("ambiguous_name", "`qty` is both an input and a field of the item")
        assert fault.suggestion == "write `.qty` for the item's field; for the other, name it differently in `let`"
        mended = {"sum": {"map": [var("lines"), {"*": [var(".qty"), var("all_of_it")]}]}}
        rule = compiled(mended, "integer", inputs=inputs, let={"all_of_it": var("qty")})
        assert rule.decide({**FACTS, "qty": 5}, as_of=AS_OF) == {"it": 15}

    def test_the_names_of_a_let_and_of_an_outer_item_count_as_well(self):
        assert faults({"sum": {"map": [var("lines"), var("qty")]}}, let={"qty": 1})[0].code == "ambiguous_name"
        inner = {"some": [var("lines"), {"==": [var("sku"), "a"]}]}
        [fault] = faults({"count": {"filter": [var("lines"), inner]}})
        assert fault.message == "`sku` is both a field of the item and a field of an outer item"

    def test_an_input_named_current_is_told_from_the_one_of_a_reduce(self):
        inputs = {**INPUTS, "current": {"type": "integer"}}
        expr = {"reduce": [var("numbers"), {"+": [var("current"), var("accumulator")]}, 0]}
        assert faults(expr, inputs=inputs)[0].code == "ambiguous_name"

    def test_an_outer_item_is_seen_by_its_fields(self):
        inner = {"sum": {"map": [var("discounts"), {"*": [var(""), var("qty")]}]}}
        assert value({"sum": {"map": [var("lines"), inner]}}, "decimal") == Decimal("1.00")

    def test_what_a_condition_proves_outside_holds_inside(self):
        guarded = {
            "if": [{"is_null": var("tags")}, 0, {"count": {"filter": [var("numbers"), {"in": ["x", var("tags")]}]}}]
        }
        assert value(guarded, "integer") == 0
        assert value(guarded, "integer", tags=["x"]) == 3


class TestWholes:
    def test_count_sum_least_and_greatest(self):
        numbers = var("numbers")
        assert [value({one: [numbers]}, "integer") for one in ("count", "sum", "min", "max")] == [3, 6, 1, 3]
        assert value({"max": [{"max": numbers}, 9]}, "integer") == 9

    def test_an_empty_list_counts_and_adds_up_to_nothing_and_has_no_least(self):
        assert [value({one: [var("numbers")]}, "integer", numbers=[]) for one in ("count", "sum")] == [0, 0]
        assert refusal({"min": [var("numbers")]}, numbers=[])[0].code == "empty_list"

    def test_a_sum_of_too_many_digits_is_refused(self):
        assert refusal({"sum": var("numbers")}, numbers=[10**17] * 20)[0].code == "number_too_large"

    def test_a_sum_is_exact(self):
        assert value({"sum": {"map": [var("lines"), TOTAL]}}, "decimal") == Decimal("12.99")

    def test_merge_joins_lists_and_nothing_else(self):
        assert value({"merge": [var("numbers"), [7], []]}, NUMBERS) == [3, 1, 2, 7]
        assert faults({"merge": [var("numbers"), 7]}, NUMBERS)[0].suggestion == "write one value as a list in brackets"
        assert faults({"merge": [var("numbers"), ["7"]]}, NUMBERS)[0].code == "wrong_type"

    def test_a_list_that_may_be_null_is_given_a_value_first(self):
        assert faults({"count": var("tags")})[0].code == "may_be_null"
        assert value({"count": {"coalesce": [var("tags"), []]}}, "integer") == 0

    @pytest.mark.parametrize("operator", ["map", "filter", "all", "some", "none"])
    def test_what_is_no_list_is_refused(self, operator):
        assert faults({operator: [var("bonus"), True]}, "boolean")[0].code == "wrong_type"
        assert faults({operator: [[], True]}, "boolean")[0].code == "wrong_type"

    def test_the_parts_of_a_text_are_a_list(self):
        assert value({"split": [{"cat": ["a,b", ",c"]}, ","]}, TEXTS) == ["a", "b", "c"]
        assert faults({"split": ["a", ",", {"on_miss": "null"}]}, TEXTS)[0].code == "bad_literal"

    def test_in_looks_into_a_list_that_was_built(self):
        assert value({"in": [4, {"map": [var("numbers"), {"*": [var(""), 2]}]}]}, "boolean") is True
