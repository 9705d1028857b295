"""Arithmetic, rounding, and their independence of the caller's decimal context."""

import decimal
from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, FACTS, INPUTS, rule, var


def refusal_of(expr, kind="decimal", **facts):
    """The code with which a record is refused."""
    compiled = rule(expr, kind)
    with pytest.raises(DecisionRefused) as raised:
        compiled.decide({**FACTS, **facts}, as_of=AS_OF)
    return raised.value.faults[0].code


class TestArithmetic:
    @pytest.mark.parametrize(
        ("expr", "expected"),
        [
            ({"+": [var("count"), 1, 2]}, 10),
            ({"-": [var("count"), 9]}, -2),
            ({"-": [var("count")]}, -7),
            ({"*": [var("count"), 2, 3]}, 42),
            ({"%": [var("count"), 4]}, 3),
            ({"%": [{"-": [var("count")]}, 4]}, -3),
            ({"abs": [{"-": [var("count")]}]}, 7),
            ({"min": [var("count"), 3, 5]}, 3),
            ({"max": [var("count"), 3, 5]}, 7),
        ],
    )
    def test_integers_stay_integers(self, evaluate, expr, expected):
        value = evaluate(expr, "integer")
        assert value == expected
        assert isinstance(value, int)

    @pytest.mark.parametrize(
        ("expr", "expected"),
        [
            ({"+": [Decimal("0.1"), Decimal("0.2")]}, "0.3"),
            ({"*": [var("hours"), Decimal("1.25")]}, "46.875"),
            ({"-": [var("hours"), var("count")]}, "30.5"),
            ({"/": [var("count"), 4]}, "1.75"),
            ({"%": [{"-": [var("hours")]}, 10]}, "-7.5"),
            ({"min": [var("hours"), 400]}, "37.5"),
            ({"max": [var("hours"), 400]}, "400"),
            ({"abs": [{"-": [var("hours")]}]}, "37.5"),
        ],
    )
    def test_with_a_decimal_all_are_decimals(self, evaluate, expr, expected):
        value = evaluate(expr)
        assert value == Decimal(expected)
        assert isinstance(value, Decimal)

    def test_division_has_28_significant_digits_half_to_even(self, evaluate):
        assert evaluate({"*": [{"/": [2, 3]}, 10**12]}) == Decimal("666666666666.666666666667").quantize(
            Decimal("1e-12"), decimal.ROUND_HALF_UP
        )

    def test_the_callers_decimal_context_changes_nothing(self, evaluate):
        expr = {"*": [{"/": [2, 3]}, var("hours")]}
        expected = evaluate(expr)
        with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP, traps=[decimal.Inexact])):
            assert evaluate(expr) == expected

    def test_deciding_leaves_the_callers_decimal_context_alone(self, evaluate):
        with decimal.localcontext() as context:
            context.clear_flags()
            evaluate({"/": [2, 3]})
            assert not context.flags[decimal.Inexact]

    def test_dividing_by_zero_refuses_the_record(self):
        assert refusal_of({"/": [1, {"-": [var("count"), 7]}]}) == "division_by_zero"
        assert refusal_of({"%": [1, {"-": [var("count"), 7]}]}, "integer") == "division_by_zero"
        assert refusal_of({"%": [var("hours"), {"-": [var("hours"), var("hours")]}]}) == "division_by_zero"

    def test_numbers_beyond_all_measure_refuse_the_record(self):
        square = {"*": [var("count"), var("count")]}
        assert refusal_of(square, "integer", count=10**12) == "number_too_large"
        huge = {"*": [var("hours")] * 20}
        assert refusal_of(huge, hours=Decimal(10) ** 20) == "number_too_large"

    def test_text_is_not_multiplied(self, refused):
        faults = refused({"*": ["a", 10000000000]}, "integer")
        assert [(fault.pointer, fault.code) for fault in faults] == [("/outputs/it/expr/*/0", "wrong_type")]
        assert "parse_decimal" in (faults[0].suggestion or "")

    def test_dates_have_a_least_and_a_greatest(self, evaluate):
        assert evaluate({"max": [var("hired"), "2021-05-05"]}, "date").isoformat() == "2021-05-05"
        assert evaluate({"min": [var("hired"), var("as_of")]}, "date") == FACTS["hired"]

    def test_a_date_and_a_number_have_none(self, refused):
        assert refused({"max": [var("hired"), 1]}, "date")[0].code == "wrong_type"


class TestRound:
    @pytest.mark.parametrize(
        ("mode", "positive", "negative"),
        [
            ("half_up", "2.35", "-2.35"),
            ("half_even", "2.34", "-2.34"),
            ("half_down", "2.34", "-2.34"),
            ("up", "2.35", "-2.35"),
            ("down", "2.34", "-2.34"),
            ("ceiling", "2.35", "-2.34"),
            ("floor", "2.34", "-2.35"),
        ],
    )
    def test_rounds_by_the_mode(self, evaluate, mode, positive, negative):
        rounded = {"round": [var("hours"), 2, mode]}
        assert evaluate(rounded, hours=Decimal("2.345")) == Decimal(positive)
        assert evaluate(rounded, hours=Decimal("-2.345")) == Decimal(negative)

    def test_an_unknown_mode_is_refused(self, refused):
        [fault] = refused({"round": [var("hours"), 2, "halfup"]})
        assert fault.pointer == "/outputs/it/expr/round/2"
        assert fault.suggestion == "did you mean `half_up`?"

    def test_the_scale_is_written_out(self, refused):
        assert refused({"round": [var("hours"), var("count"), "up"]})[0].code == "bad_literal"
        assert refused({"round": [var("hours"), 13, "up"]})[0].code == "bad_literal"


class TestOutputs:
    def outputs(self, **declared):
        return compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": declared}})

    def decide(self, compiled, **facts):
        return compiled.decide({**FACTS, **facts}, as_of=AS_OF)["it"]

    def test_a_decimal_has_exactly_its_scale(self):
        compiled = self.outputs(type="decimal", scale=2, rounding="half_up", expr=var("hours"))
        assert str(self.decide(compiled, hours=Decimal("1.005"))) == "1.01"
        assert str(self.decide(compiled, hours=Decimal(1))) == "1.00"

    def test_zero_has_no_sign(self):
        compiled = self.outputs(type="decimal", scale=2, rounding="half_up", expr=var("hours"))
        assert str(self.decide(compiled, hours=Decimal("-0.001"))) == "0.00"

    def test_without_rounding_an_excess_digit_refuses_the_record(self):
        compiled = self.outputs(type="decimal", scale=2, expr=var("hours"))
        assert str(self.decide(compiled, hours=Decimal("1.500"))) == "1.50"
        with pytest.raises(DecisionRefused) as raised:
            self.decide(compiled, hours=Decimal("1.005"))
        assert raised.value.faults[0].code == "inexact"

    def test_an_integer_output_takes_a_decimal_only_with_a_rounding(self, refused):
        compiled = self.outputs(type="integer", rounding="half_even", expr=var("hours"))
        assert self.decide(compiled, hours=Decimal("2.5")) == 2
        assert refused(var("hours"), "integer")[0].code == "wrong_type"

    def test_a_nullable_decimal_may_be_null(self):
        compiled = self.outputs(type="decimal", scale=2, rounding="half_up", nullable=True, expr=var("rate"))
        assert self.decide(compiled, rate=None) is None
        assert str(self.decide(compiled, rate=Decimal("1.5"))) == "1.50"

    def test_a_decimal_needs_a_scale(self):
        with pytest.raises(RuleRefused, match="decimal places"):
            self.outputs(type="decimal", expr=var("hours"))

    def test_an_enum_refuses_what_is_not_one_of_its_values(self):
        compiled = self.outputs(type="enum", values=["Ada", "Bob"], expr=var("text"))
        assert self.decide(compiled) == "Ada"
        with pytest.raises(DecisionRefused) as raised:
            self.decide(compiled, text="Cid")
        assert raised.value.faults[0].code == "not_in_values"
        assert 'the text is none of "Ada", "Bob"' in raised.value.faults[0].message
        assert "Cid" not in raised.value.message

    def test_an_enum_is_checked_at_load_where_its_values_are_known(self):
        with pytest.raises(RuleRefused, match="TERM"):
            self.outputs(type="enum", values=["ACTIVE", "LEAVE"], expr=var("status"))
