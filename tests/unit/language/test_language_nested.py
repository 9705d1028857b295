"""Lists and objects that come in, and payloads with parts of their own that go out."""

from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, InputRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, var

LINE_IN = {
    "sku": {"type": "string", "normalize": ["trim"]},
    "qty": {"type": "integer", "min": 1},
    "price": {"type": "decimal", "scale": 4},
    "note": {"type": "string", "nullable": True},
}
INPUTS = {
    "number": {"type": "string"},
    "placed": {"type": "date"},
    "lines": {"type": "list", "items": {"type": "object", "fields": LINE_IN}},
    "ship_to": {
        "type": "object",
        "nullable": True,
        "fields": {
            "city": {"type": "string"},
            "geo": {"type": "object", "fields": {"lat": {"type": "decimal", "scale": 2}}},
        },
    },
}
RECORD = {
    "number": "O-1",
    "placed": "2026-10-01",
    "lines": [
        {"sku": " a ", "qty": 2, "price": "1.2345", "note": None},
        {"sku": "b", "qty": "1", "price": "10", "note": "gift"},
    ],
    "ship_to": None,
}
LINE_OUT = {
    "type": "object",
    "fields": {
        "sku": {"type": "string"},
        "amount": {"type": "decimal", "scale": 2, "rounding": "half_up"},
        "remark": {"type": "string", "omit_null": True},
        "kind": {"type": "enum", "values": ["SALE", "GIFT"]},
    },
}
LINE = {
    "object": {
        "sku": {"lookup": ["skus", var("sku"), {"on_miss": "default", "default": var("sku")}]},
        "amount": {"*": [var("qty"), var("price")]},
        "remark": var("note"),
        "kind": {"if": [{"is_null": var("note")}, "SALE", "GIFT"]},
    }
}
ORDER_OUT = {
    "type": "object",
    "fields": {
        "no": {"type": "string"},
        "on": {"type": "date"},
        "currency": {"type": "string"},
        "city": {"type": "string", "nullable": True},
        "lines": {"type": "list", "items": LINE_OUT},
    },
}
CITY = {"if": [{"!=": [var("ship_to"), None]}, var("ship_to.city"), None]}
ORDER = {
    "object": {
        "no": var("number"),
        "on": var("placed"),
        "currency": "USD",
        "city": CITY,
        "lines": {"map": [var("lines"), LINE]},
    }
}


def compiled(expr=ORDER, shape=ORDER_OUT, **parts):
    return compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": {**shape, "expr": expr}}, **parts})


def payload(rule, **changed):
    facts = rule.read({**RECORD, **changed})
    return rule.decide(facts, as_of=AS_OF, code_tables={"skus": {"b": "B-7"}})["it"]


def faults(expr=ORDER, shape=ORDER_OUT, **parts):
    with pytest.raises(RuleRefused) as raised:
        compiled(expr, shape, **parts)
    return raised.value.faults


def shaped(expr, shape):
    """The faults of one output by their pointers."""
    return {fault.pointer: fault.code for fault in faults(expr, shape)}


class TestRecordsIn:
    def test_parts_are_read_as_strictly_as_the_whole(self):
        read = compiled().read(RECORD)
        assert read["lines"][0] == {"sku": "a", "qty": 2, "price": Decimal("1.2345"), "note": None}
        assert read["lines"][1]["qty"] == 1

    def test_every_fault_points_into_the_element(self):
        lines = [
            {"sku": "a", "qty": 2, "price": "1"},
            {"sku": None, "qty": 0, "price": "1.23456", "colour": "red"},
            None,
            "b",
        ]
        place = {"city": "Graz", "geo": {"lat": "north"}}
        with pytest.raises(InputRefused) as raised:
            compiled().read({**RECORD, "lines": lines, "ship_to": place})
        assert {fault.pointer: fault.code for fault in raised.value.faults} == {
            "lines/1/sku": "missing_value",
            "lines/1/qty": "below_minimum",
            "lines/1/price": "excess_digits",
            "lines/1/colour": "unknown_input",
            "lines/2": "missing_value",
            "lines/3": "wrong_type",
            "ship_to/geo/lat": "bad_decimal",
        }
        assert "north" not in str(raised.value.faults)

    def test_a_list_of_nothing_but_faults_is_cut_short(self):
        with pytest.raises(InputRefused) as raised:
            compiled().read({**RECORD, "lines": [{}] * 2_000})
        assert len(raised.value.faults) <= 200

    def test_a_list_that_is_too_long_is_refused(self):
        with pytest.raises(InputRefused) as raised:
            compiled().read({**RECORD, "lines": [RECORD["lines"][0]] * 2_001})
        assert raised.value.faults[0].code == "list_too_long"

    def test_a_part_that_is_personal_makes_the_whole_personal(self):
        inputs = {
            "people": {
                "type": "list",
                "items": {"type": "object", "fields": {"name": {"type": "string", "personal": True}}},
            }
        }
        expr = {"map": [var("people"), {"lookup": ["names", var("name")]}]}
        output = {"type": "list", "items": {"type": "string"}, "expr": expr}
        rule = compile_ruleset({"kind": "mapping", "inputs": inputs, "outputs": {"it": output}})
        with pytest.raises(DecisionRefused) as raised:
            rule.decide(rule.read({"people": [{"name": "Okafor"}]}), as_of=AS_OF, code_tables={"names": {}})
        [fault] = raised.value.faults
        assert (fault.pointer, fault.code) == ("people/0/name", "unknown_code")
        assert "Okafor" not in fault.message
        assert rule.inputs["people"].personal


class TestPayloads:
    def test_has_objects_lists_of_lines_constants_and_codes(self):
        assert payload(compiled()) == {
            "no": "O-1",
            "on": AS_OF,
            "currency": "USD",
            "city": None,
            "lines": [
                {"sku": "a", "amount": Decimal("2.47"), "kind": "SALE"},
                {"sku": "B-7", "amount": Decimal("10.00"), "remark": "gift", "kind": "GIFT"},
            ],
        }

    def test_decimals_inside_have_exactly_their_scale(self):
        first, second = payload(compiled())["lines"]
        assert [format(one["amount"], "f") for one in (first, second)] == ["2.47", "10.00"]

    def test_a_number_that_does_not_fit_refuses_the_record_and_says_where(self):
        exact = {"type": "decimal", "scale": 2}
        shape = {**LINE_OUT, "fields": {**LINE_OUT["fields"], "amount": exact}}
        rule = compiled({"map": [var("lines"), LINE]}, {"type": "list", "items": shape})
        with pytest.raises(DecisionRefused) as raised:
            payload(rule)
        [fault] = raised.value.faults
        assert (fault.pointer, fault.code) == ("lines/0/qty", "inexact")

    def test_it_says_so_of_a_list_that_comes_from_elsewhere_as_well(self):
        parts = {"let": {"amounts": {"map": [var("lines"), var("price")]}}}
        rule = compiled(var("amounts"), {"type": "list", "items": {"type": "decimal", "scale": 2}}, **parts)
        with pytest.raises(DecisionRefused) as raised:
            payload(rule)
        [fault] = raised.value.faults
        assert (fault.pointer, fault.code) == ("lines", "inexact")
        assert fault.message.startswith("it: 0: the number has more decimal places")

    def test_integers_become_decimals_where_decimals_are_declared(self):
        shape = {
            "type": "object",
            "fields": {"n": {"type": "decimal", "scale": 1}, "m": {"type": "integer", "rounding": "down"}},
        }
        found = payload(compiled({"object": {"n": 7, "m": Decimal("2.9")}}, shape))
        assert found == {"n": Decimal("7.0"), "m": 2}
        assert format(found["n"], "f") == "7.0"

    def test_is_a_new_one_for_every_record(self):
        rule = compiled(var("lines"), {"type": "list", "items": {"type": "object", "fields": {
            "sku": {"type": "string"}, "qty": {"type": "integer"}, "price": {"type": "decimal", "scale": 4},
            "note": {"type": "string", "nullable": True}}}})  # fmt: skip
        facts = rule.read(RECORD)
        rule.decide(facts, as_of=AS_OF)["it"][0]["sku"] = "changed"
        assert facts["lines"][0]["sku"] == "a"

    def test_the_whole_may_be_null_where_that_is_declared(self):
        whole = {"if": [{"==": [var("number"), "O-1"]}, None, ORDER]}
        assert payload(compiled(whole, {**ORDER_OUT, "nullable": True})) is None
        assert faults(whole, ORDER_OUT)[0].code == "may_be_null"

    def test_a_case_compares_it_part_by_part(self):
        lines = [
            {"sku": "a", "amount": "2.47", "kind": "SALE"},
            {"sku": "B-7", "amount": "10", "remark": "gift", "kind": "GIFT"},
        ]
        expect = {"it": {"no": "O-1", "on": "2026-10-01", "currency": "USD", "lines": lines}}
        case = {"name": "two lines", "as_of": "2026-10-01", "given": RECORD, "code_tables": {"skus": {"b": "B-7"}}}
        assert [one.message for one in compiled(cases=[{**case, "expect": expect}]).run_cases()] == [""]
        lines[1]["amount"] = "10.01"
        assert not compiled(cases=[{**case, "expect": expect}]).run_cases()[0].passed

    def test_a_case_that_expects_an_unknown_part_is_refused_where_it_stands(self):
        case = {"name": "a", "as_of": "2026-10-01", "given": RECORD, "expect": {"it": {"lines": [{"skuu": "a"}]}}}
        assert {fault.pointer for fault in faults(cases=[case])} == {"/cases/0/expect/it/lines/0/skuu"}


class TestBuilding:
    def test_fields_of_what_was_built_go_by_their_names(self):
        parts = {"let": {"first": {"object": {"sku": "x", "deep": {"object": {"n": 3}}}}}}
        assert payload(compiled(var("first.deep.n"), {"type": "integer"}, **parts)) == 3

    def test_branches_of_one_form_are_one_type(self):
        two = {"if": [{"==": [var("number"), "O-1"]}, {"object": {"a": 1, "b": None}}, {"object": {"a": 2, "b": "x"}}]}
        shape = {"type": "object", "fields": {"a": {"type": "integer"}, "b": {"type": "string", "nullable": True}}}
        assert payload(compiled(two, shape)) == {"a": 1, "b": None}

    def test_branches_of_different_forms_are_refused(self):
        two = {"if": [{"==": [var("number"), "O-1"]}, {"object": {"a": 1}}, {"object": {"b": 1}}]}
        assert faults(two, {"type": "object", "fields": {"a": {"type": "integer"}}})[0].code == "wrong_type"

    @pytest.mark.parametrize(("written", "code"), [({}, "wrong_type"), ([], "wrong_arity"), (7, "wrong_type")])
    def test_an_object_has_fields(self, written, code):
        assert [fault.code for fault in faults({"object": written})] == [code]


class TestDeclarations:
    @pytest.mark.parametrize(
        ("expr", "shape", "found"),
        [
            ([1], {"type": "list"}, {"/outputs/it/items": "missing_key"}),
            ({"object": {"a": 1}}, {"type": "object"}, {"/outputs/it/fields": "missing_key"}),
            ("x", {"type": "string", "items": {"type": "string"}}, {"/outputs/it/items": "wrong_value"}),
            ([1], {"type": "list", "items": {"type": "decimal"}}, {"/outputs/it/items/scale": "missing_key"}),
            (
                [1],
                {"type": "list", "items": {"type": "integer", "omit_null": True}},
                {"/outputs/it/items/omit_null": "unknown_key"},
            ),
            ("x", {"type": "string", "omit_null": True}, {"/outputs/it/omit_null": "unknown_key"}),
            ([1], {"type": "list", "items": {"type": "string"}}, {"/outputs/it/expr": "wrong_type"}),
            (
                ["x"],
                {"type": "list", "items": {"type": "enum", "values": ["y"]}},
                {"/outputs/it/expr": "not_in_values"},
            ),
            ([1, None], {"type": "list", "items": {"type": "integer"}}, {"/outputs/it/expr": "may_be_null"}),
            (7, {"type": "list", "items": {"type": "integer"}}, {"/outputs/it/expr": "wrong_type"}),
        ],
    )  # fmt: skip
    def test_wrong_ones_are_refused_where_they_stand(self, expr, shape, found):
        assert shaped(expr, shape) == found

    def test_a_part_is_refused_where_it_is_built(self):
        lines = {"map": [var("lines"), {"object": {**LINE["object"], "sku": var("qty"), "colour": "red"}}]}
        built = {"object": {**ORDER["object"], "lines": lines}}
        at = "/outputs/it/expr/object/lines/map/1/object"
        assert shaped(built, ORDER_OUT) == {f"{at}/sku": "wrong_type", f"{at}/colour": "unknown_field"}

    def test_a_declared_field_that_is_not_built_is_refused(self):
        built = {"object": {name: one for name, one in ORDER["object"].items() if name != "currency"}}
        [fault] = faults(built)
        assert (fault.code, fault.expected) == ("missing_field", "a field currency")

    def test_they_are_told_with_the_rule(self):
        outputs = compiled().outputs["it"]
        assert outputs.fields["lines"].items.fields["amount"].scale == 2
        assert outputs.fields["lines"].items.fields["remark"].omit_null
