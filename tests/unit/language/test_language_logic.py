"""Variables, comparison and connectives, and what null does to them."""

from datetime import date

import pytest

from chalicelib.language import DecisionRefused, RuleRefused
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

IS = "boolean"


class TestComparison:
    @pytest.mark.parametrize(
        ("expr", "expected"),
        [
            ({"==": [var("status"), "ACTIVE"]}, True),
            ({"!=": [var("status"), "ACTIVE"]}, False),
            ({"==": [var("count"), 7]}, True),
            ({"==": [var("hours"), 37]}, False),
            ({"==": [var("hired"), "2020-01-31"]}, True),
            ({"<": [var("hired"), "2020-02-01"]}, True),
            ({"<=": [7, var("count"), 7]}, True),
            ({"<": [7, var("count"), 9]}, False),
            ({">": [var("hours"), var("count")]}, True),
            ({">=": [var("as_of"), var("hired")]}, True),
        ],
    )
    def test_compares_values_of_one_type(self, evaluate, expr, expected):
        assert evaluate(expr, IS) is expected

    def test_between_evaluates_all_three_values(self):
        compiled = rule({"<=": [1, 0, {"parse_decimal": [var("text")]}]}, IS)
        with pytest.raises(DecisionRefused):
            compiled.decide(FACTS, as_of=AS_OF)

    def test_text_is_never_equal_to_a_number(self, refused):
        [fault] = refused({"==": [var("text"), 1]}, IS)
        assert fault.code == "wrong_type"
        assert fault.pointer == "/outputs/it/expr/==/1"

    def test_a_value_outside_the_enum_is_refused_with_the_nearest_one(self, refused):
        [fault] = refused({"==": [var("status"), "ACTVE"]}, IS)
        assert fault.code == "not_in_values"
        assert fault.pointer == "/outputs/it/expr/==/1"
        assert fault.suggestion == "did you mean `ACTIVE`?"

    def test_text_has_no_order(self, refused):
        [first, second] = refused({"<": [var("text"), "b"]}, IS)
        assert (first.code, second.code) == ("wrong_type", "wrong_type")

    def test_a_text_that_is_no_date_is_not_compared_with_one(self, refused):
        [fault] = refused({">": [var("hired"), "2020-02-30"]}, IS)
        assert fault.code == "wrong_type"
        assert fault.found == 'text "2020-02-30"'


class TestConnectives:
    @pytest.mark.parametrize(
        ("expr", "expected"),
        [
            ({"and": [True, var("paid")]}, True),
            ({"and": [var("paid"), False, True]}, False),
            ({"or": [False, var("paid")]}, True),
            ({"or": [False]}, False),
            ({"!": [var("paid")]}, False),
            ({"!": var("paid")}, False),
        ],
    )
    def test_combines_booleans(self, evaluate, expr, expected):
        assert evaluate(expr, IS) is expected

    def test_nothing_but_a_boolean_is_a_condition(self, refused):
        [fault] = refused({"and": [True, var("count")]}, IS)
        assert fault.pointer == "/outputs/it/expr/and/1"
        assert fault.expected == "a boolean"

    def test_evaluates_no_further_than_needed(self, evaluate):
        impossible = {"==": [{"/": [1, {"-": [var("count"), 7]}]}, 1]}
        assert evaluate({"and": [False, impossible]}, IS) is False
        assert evaluate({"or": [True, impossible]}, IS) is True

    def test_refuses_the_record_when_it_gets_to_what_cannot_be_evaluated(self):
        compiled = rule({"or": [{"!": var("paid")}, {"==": [{"/": [1, {"-": [var("count"), 7]}]}, 1]}]}, IS)
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide(FACTS, as_of=AS_OF)
        assert raised.value.faults[0].code == "division_by_zero"
        assert raised.value.faults[0].pointer == "count"


class TestIf:
    def test_takes_the_first_branch_whose_condition_holds(self, evaluate):
        tiers = {"if": [{"<": [var("count"), 5]}, 1, {"<": [var("count"), 10]}, 2, 3]}
        assert [evaluate(tiers, "integer", count=count) for count in (4, 5, 9, 10)] == [1, 2, 2, 3]

    def test_evaluates_only_the_branch_that_it_takes(self, evaluate):
        safe = {"if": [{"==": [var("count"), 0]}, 0, {"/": [100, var("count")]}]}
        assert evaluate(safe, count=0) == 0
        assert evaluate(safe, count=4) == 25

    def test_a_missing_otherwise_is_refused(self, refused):
        [fault] = refused({"if": [var("paid"), 1, {"!": var("paid")}, 2]}, "integer")
        assert fault.code == "wrong_arity"
        assert "null" in (fault.suggestion or "")

    def test_branches_of_different_types_are_refused(self, refused):
        [fault] = refused({"?:": [var("paid"), 1, "one"]}, "integer")
        assert fault.pointer == "/outputs/it/expr/?:/2"
        assert fault.code == "wrong_type"

    def test_an_integer_branch_beside_a_decimal_one_is_a_decimal(self, evaluate):
        assert str(evaluate({"to_text": {"if": [var("paid"), 1, var("hours")]}}, "string")) == "1"

    def test_dates_may_be_written_in_the_branches(self, evaluate):
        dated = {"if": [var("paid"), "2026-01-01", "2027-01-01"]}
        assert evaluate(dated, "date") == date(2026, 1, 1)


class TestNull:
    def test_a_nullable_field_is_refused_where_a_value_is_needed(self, refused):
        [fault] = refused({"+": [var("count"), var("limit")]}, "integer")
        assert fault.code == "may_be_null"
        assert fault.pointer == "/outputs/it/expr/+/1"
        assert "coalesce" in (fault.suggestion or "")

    def test_comparing_a_nullable_field_with_a_value_is_refused(self, refused):
        assert refused({"==": [var("note"), "x"]}, IS)[0].code == "may_be_null"

    @pytest.mark.parametrize(
        "expr",
        [
            {"if": [{"!=": [var("limit"), None]}, {"+": [var("limit"), 1]}, 0]},
            {"if": [{"==": [var("limit"), None]}, 0, {"+": [var("limit"), 1]}]},
            {"if": [{"!": {"is_null": var("limit")}}, {"+": [var("limit"), 1]}, 0]},
            {"if": [{"and": [var("paid"), {"!=": [None, var("limit")]}]}, {"+": [var("limit"), 1]}, 0]},
            {"if": [{"or": [{"!": var("paid")}, {"is_null": var("limit")}]}, 0, {"+": [var("limit"), 1]}]},
            {"if": [{"is_null": var("limit")}, 0, {"<": [var("limit"), 0]}, 0, {"+": [var("limit"), 1]}]},
            {"+": [{"coalesce": [var("limit"), -1]}, 1]},
        ],
    )
    def test_a_test_against_null_guards_the_uses_behind_it(self, evaluate, expr):
        assert evaluate(expr, "integer", limit=4) == 5
        assert evaluate(expr, "integer", limit=None) == 0

    @pytest.mark.parametrize(
        "expr",
        [
            {"if": [{"==": [var("limit"), None]}, var("limit"), 0]},
            {"if": [{"or": [var("paid"), {"!=": [var("limit"), None]}]}, {"+": [var("limit"), 1]}, 0]},
            {"if": [{"and": [var("paid"), {"is_null": var("limit")}]}, 0, {"+": [var("limit"), 1]}]},
            {"if": [{"!=": [var("rate"), None]}, {"+": [var("limit"), 1]}, 0]},
        ],
    )
    def test_a_test_that_proves_nothing_guards_nothing(self, expr):
        with pytest.raises(RuleRefused, match="null"):
            rule({"+": [expr, 0]}, "integer")

    def test_and_guards_what_follows_in_it(self, evaluate):
        guarded = {"and": [{"!=": [var("limit"), None]}, {">": [var("limit"), 3]}]}
        assert [evaluate(guarded, IS, limit=limit) for limit in (None, 3, 4)] == [False, False, True]

    def test_or_guards_what_follows_in_it(self, evaluate):
        guarded = {"or": [{"is_null": var("limit")}, {">": [var("limit"), 3]}]}
        assert [evaluate(guarded, IS, limit=limit) for limit in (None, 3, 4)] == [True, False, True]

    def test_when_guards_the_outputs(self):
        compiled = rule({"+": [var("limit"), 1]}, "integer", when={"!=": [var("limit"), None]})
        assert compiled.decide({**FACTS, "limit": 4}, as_of=AS_OF) == {"it": 5}
        assert compiled.decide({**FACTS, "limit": None}, as_of=AS_OF) is None

    def test_testing_what_is_never_null_is_refused(self, refused):
        [fault] = refused({"==": [var("text"), None]}, IS)
        assert fault.code == "never_null"
        assert '"nullable": true' in (fault.suggestion or "")

    def test_testing_again_what_was_proved_is_allowed(self, evaluate):
        twice = {"if": [{"!=": [var("limit"), None]}, {"if": [{"is_null": var("limit")}, 0, var("limit")]}, 0]}
        assert evaluate(twice, "integer", limit=4) == 4

    def test_coalesce_takes_the_first_value(self, evaluate):
        first = {"coalesce": [var("limit"), None, var("count"), 1]}
        assert evaluate(first, "integer", limit=None) == 7
        assert evaluate(first, "integer", limit=0) == 0

    def test_coalesce_of_nothing_but_nullables_may_be_null(self, refused):
        assert refused({"+": [{"coalesce": [var("limit"), None]}, 1]}, "integer")[0].code == "may_be_null"

    def test_a_nullable_expression_is_no_non_null_output(self):
        with pytest.raises(RuleRefused, match="may be null where an output of type integer is needed"):
            rule(0, outputs={"it": {"type": "integer", "expr": var("limit")}})

    def test_a_fact_that_is_null_against_its_declaration_refuses_the_record(self):
        compiled = rule({"==": [var("status"), "TERM"]}, IS)
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide({**FACTS, "status": None}, as_of=AS_OF)
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [("status", "missing_value")]

    def test_a_fact_that_is_absent_refuses_the_record(self):
        compiled = rule(var("hours"))
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide({}, as_of=AS_OF)
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [("hours", "missing")]


class TestObjectsAndLists:
    def test_a_field_of_an_object_is_reached_behind_a_null_test(self, evaluate):
        city = {"if": [{"!=": [var("address"), None]}, var("address.city"), "none"]}
        assert evaluate(city, "string") == "none"
        assert evaluate(city, "string", address={"city": "Bath", "region": None}) == "Bath"

    def test_a_nullable_field_of_an_object_is_narrowed_by_its_path(self, evaluate):
        region = {
            "if": [
                {"and": [{"!=": [var("address"), None]}, {"!=": [var("address.region"), None]}]},
                {"upper": var("address.region")},
                "-",
            ]
        }
        assert evaluate(region, "string", address={"city": "Bath", "region": "som"}) == "SOM"
        assert evaluate(region, "string", address={"city": "Bath", "region": None}) == "-"

    def test_an_object_that_may_be_null_has_no_fields(self, refused):
        assert refused(var("address.city"), "string")[0].code == "may_be_null"

    def test_in_finds_members_and_parts_of_text(self, evaluate):
        assert evaluate({"in": [var("status"), ["ACTIVE", "LEAVE"]]}, IS) is True
        assert evaluate({"in": [var("hours"), [37, 38]]}, IS) is False
        assert evaluate({"in": [var("count"), [1, var("count")]]}, IS) is True
        assert evaluate({"in": [var("hired"), ["2020-01-31"]]}, IS) is True
        assert evaluate({"in": ["red", var("tags")]}, IS) is True
        assert evaluate({"in": ["d", var("text")]}, IS) is True
        assert evaluate({"in": ["x", []]}, IS) is False

    def test_a_member_outside_the_enum_is_refused(self, refused):
        [fault] = refused({"in": [var("status"), ["ACTIVE", "LEVE"]]}, IS)
        assert (fault.code, fault.suggestion) == ("not_in_values", "did you mean `LEAVE`?")

    def test_a_list_of_another_type_holds_nothing(self, refused):
        assert refused({"in": [var("count"), ["7"]]}, IS)[0].code == "wrong_type"
        assert refused({"in": [var("count"), var("tags")]}, IS)[0].code == "wrong_type"

    def test_a_list_is_a_new_one_for_every_record(self):
        compiled = rule(["a", "b"], "list")
        first = compiled.decide(FACTS, as_of=AS_OF)["it"]
        first.append("c")
        assert compiled.decide(FACTS, as_of=AS_OF) == {"it": ["a", "b"]}

    def test_a_range_is_written_as_an_interval(self, evaluate):
        inside = {"in_range": [var("count"), "[7,9)"]}
        assert [evaluate(inside, IS, count=count) for count in (6, 7, 8, 9)] == [False, True, True, False]
        assert evaluate({"in_range": [var("hired"), "(2020-01-30,)"]}, IS) is True

    def test_an_empty_range_is_refused(self, refused):
        assert refused({"in_range": [var("count"), "(9,7)"]}, IS)[0].code == "bad_cell"


class TestNames:
    def test_an_unknown_field_is_refused_with_the_nearest_one(self, refused):
        [fault] = refused({"+": [var("huors"), 1]})
        assert fault.code == "unknown_field"
        assert fault.pointer == "/outputs/it/expr/+/0"
        assert fault.suggestion == "did you mean `hours`?"

    def test_an_unknown_operator_is_refused_with_the_nearest_one(self, refused):
        [fault] = refused({"lookp": ["a", "b"]}, "string")
        assert (fault.code, fault.suggestion) == ("unknown_operator", "did you mean `lookup`?")

    def test_as_of_is_the_date_of_the_decision(self, evaluate):
        assert evaluate(var("as_of"), "date") == AS_OF

    @pytest.mark.parametrize(
        ("expr", "kind"), [({"!": [True, False]}, IS), ({"+": [1]}, "integer"), ({"-": []}, "integer")]
    )
    def test_the_wrong_number_of_arguments_is_refused(self, refused, expr, kind):
        assert refused(expr, kind)[0].code == "wrong_arity"

    def test_every_fault_is_found_not_the_first_only(self, refused):
        faults = refused({"+": [var("huors"), {"upper": 1}, {"nope": []}, var("limit")]})
        assert {fault.code for fault in faults} == {"unknown_field", "wrong_type", "unknown_operator", "may_be_null"}
