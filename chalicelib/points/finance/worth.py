"""What points are worth in money: the program's dated value, and amounts rounded to the currency once."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import floor
from typing import Final, Literal, TypeAlias

from chalicelib.errors import Unprocessable
from chalicelib.partners.programs import terms
from chalicelib.partners.programs.finance_terms import PointValue, ValueSince
from chalicelib.partners.programs.programs import Program
from chalicelib.records import dataclass

Rounding: TypeAlias = Literal["half_up", "half_even"]

_EXACT: Final = Context(prec=80)
_MODES: Final = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


class NoValue(Unprocessable):
    """The program does not say what its points are worth, or not for so early a day."""

    code = "point_value_missing"


@dataclass(frozen=True, slots=True)
class Worth:
    """The value of one unit of a program's points over time, in one currency."""

    program_code: str
    scale: int
    said: PointValue

    @property
    def currency(self) -> str:
        """Three capital letters."""
        return self.said.currency

    @property
    def decimals(self) -> int:
        """Of the currency."""
        return self.said.decimals

    def exact(self, points_minor: int, day: date) -> Decimal:
        """What points are worth on a day, in minor units of the currency, unrounded. Raises NoValue."""
        value = self.said.on(day)
        if value is None:
            raise NoValue(f"The program {self.program_code} does not say what a point was worth on {day}.")
        units = _EXACT.multiply(Decimal(points_minor), value)
        return units.scaleb(self.decimals - self.scale, _EXACT)


def of(program: Program) -> Worth | None:
    """What the program says of its value in the books; else what its tender pays; None: nothing."""
    said = terms.of(program.terms)
    value = said.value
    if value is None and said.tender is not None:
        tender = said.tender
        always = ValueSince.model_construct(since=date.min, value=tender.point_value)
        value = PointValue.model_construct(currency=tender.currency, decimals=tender.decimals, values=[always])
    return None if value is None else Worth(program.code, program.scale, value)


def required(program: Program) -> Worth:
    """The same; raises NoValue where there is none."""
    found = of(program)
    if found is None:
        raise NoValue(f"The program {program.code} does not say what a point is worth.")
    return found


def rounded(exact: Decimal, rounding: Rounding = "half_up") -> int:
    """Whole minor units."""
    return int(exact.to_integral_value(_MODES[rounding], _EXACT))


def adding_up(exact: Sequence[Fraction | Decimal], total_minor: int) -> list[int]:
    """The amounts in whole minor units that add up to ``total_minor``, which is their exact sum, rounded.

    Each is rounded down, and what that leaves over goes one by one to those that lost most, of equal ones to the first
    (the method of Hamilton).
    """
    parts = [Fraction(each) for each in exact]
    shares = [floor(each) for each in parts]
    by_loss = sorted(range(len(parts)), key=lambda at: (shares[at] - parts[at], at))
    for at in by_loss[: total_minor - sum(shares)]:
        shares[at] += 1
    return shares
