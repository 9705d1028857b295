"""Amounts: exact decimal strings at the given scale."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import InvalidInput
from chalicelib.web import amounts


@pytest.mark.parametrize(
    ("minor", "scale", "text"),
    [(12500, 2, "125.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (0, 2, "0.00"), (-7, 0, "-7"), (1234567, 6, "1.234567")],
)
def test_an_amount_has_exactly_its_scales_digits(minor, scale, text):
    assert amounts.text(minor, scale) == text


@given(st.integers(-(10**18), 10**18), st.integers(0, 6))
def test_a_written_amount_reads_back_as_itself(minor, scale):
    written = amounts.text(minor, scale)
    assert Decimal(written) == Decimal(minor).scaleb(-scale)
    assert amounts.minor(Decimal(written), scale) == minor


def test_excess_digits_are_refused_and_zeros_are_not_excess():
    assert amounts.minor(Decimal("1.500"), 2) == 150
    with pytest.raises(InvalidInput) as refused:
        amounts.minor(Decimal("1.505"), 2)
    assert refused.value.code == "excess_digits"
