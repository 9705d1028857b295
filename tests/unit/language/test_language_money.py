"""``allocate``: nothing is lost, nothing is invented, and the same amounts are always split the same way."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, var

AMOUNT = {"type": "decimal", "scale": 2}
WEIGHTS = {"type": "list", "items": {"type": "decimal", "scale": 6}}
INPUTS = {"amount": AMOUNT, "weights": WEIGHTS, "counts": {"type": "list", "items": {"type": "integer"}}}
SHARES = {"type": "list", "items": {"type": "decimal", "scale": 2}}


def compiled(expr, **output):
    output = {**SHARES, **output, "expr": expr}
    return compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": output}})


SPLIT = compiled({"allocate": [var("amount"), var("weights"), 2]})


def shares(amount, *weights, rule=SPLIT):
    facts = {"amount": Decimal(amount), "weights": [*map(Decimal, weights)], "counts": [1, 2]}
    return rule.decide(facts, as_of=AS_OF)["it"]


def refusal(amount, *weights):
    with pytest.raises(DecisionRefused) as raised:
        shares(amount, *weights)
    return raised.value.faults[0].code


class TestAllocate:
    @pytest.mark.parametrize(
        ("amount", "weights", "split"),
        [
            ("100.00", ["1", "1", "1"], ["33.34", "33.33", "33.33"]),
            ("0.05", ["1", "1"], ["0.03", "0.02"]),
            ("0.02", ["1", "1", "1"], ["0.01", "0.01", "0.00"]),
            ("-0.05", ["1", "1"], ["-0.03", "-0.02"]),
            ("10.00", ["0", "3", "0"], ["0.00", "10.00", "0.00"]),
            ("10.00", ["0.1", "0.2"], ["3.33", "6.67"]),
            ("0.00", ["1", "2"], ["0.00", "0.00"]),
            ("0.01", ["0.000001", "0.000002"], ["0.00", "0.01"]),
        ],
    )
    def test_splits_to_the_last_cent(self, amount, weights, split):
        assert [format(share, "f") for share in shares(amount, *weights)] == split

    def test_takes_integers_as_weights_and_amounts(self):
        assert shares("0", rule=compiled({"allocate": [7, var("counts"), 2]})) == [Decimal("2.33"), Decimal("4.67")]

    @pytest.mark.parametrize(
        ("amount", "weights", "code"),
        [
            ("1.00", [], "nothing_to_allocate_by"),
            ("1.00", ["0", "0"], "nothing_to_allocate_by"),
            ("1.00", ["2", "-1"], "negative_weight"),
            ("1.005", ["1"], "inexact"),
        ],
    )
    def test_refuses_a_record_that_cannot_be_split(self, amount, weights, code):
        assert refusal(amount, *weights) == code

    @settings(max_examples=300, deadline=None)
    @given(
        st.decimals(-(10**9), 10**9, places=2),
        st.lists(st.decimals(0, 10**6, places=6), min_size=1, max_size=12).filter(any),
    )
    def test_loses_nothing_and_gives_each_its_share(self, amount, weights):
        found = shares(amount, *weights)
        assert sum(found) == amount
        total = sum(map(Fraction, weights))
        for share, weight in zip(found, weights, strict=True):
            fair = Fraction(amount) * Fraction(weight) / total
            assert abs(Fraction(share) - fair) < Fraction(1, 100)
            assert share.as_tuple().exponent == -2
            assert share == 0 or (share > 0) is (amount > 0)

    @given(st.integers(0, 10**9), st.lists(st.integers(0, 50), min_size=2, max_size=9).filter(any))
    def test_gives_nobody_less_than_one_who_weighs_less(self, cents, weights):
        found = shares(Decimal(cents) / 100, *weights)
        ordered = sorted(zip(weights, found, strict=True))
        assert all(less[1] <= more[1] for less, more in pairwise(ordered) if less[0] < more[0])

    def test_heeds_no_decimal_context_of_its_caller(self):
        with localcontext() as context:
            context.prec = 3
            assert sum(map(Fraction, shares("123456.78", "1", "2", "3"))) == Fraction("123456.78")
