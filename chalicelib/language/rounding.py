"""Decimal arithmetic with contexts of its own: no caller's decimal context changes a result, and none is changed.

Numbers have 28 significant digits; ``+ - * /`` round half to even at the 28th. Results beyond 10^99 refuse the record.
"""

from collections.abc import Callable, Mapping
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from types import MappingProxyType

from chalicelib.language.bounds import DIGITS_MAX
from chalicelib.language.faults import Refusal

ROUNDING_MODES: Mapping[str, str] = MappingProxyType(
    {
        "half_up": ROUND_HALF_UP,
        "half_even": ROUND_HALF_EVEN,
        "half_down": ROUND_HALF_DOWN,
        "up": ROUND_UP,
        "down": ROUND_DOWN,
        "ceiling": ROUND_CEILING,
        "floor": ROUND_FLOOR,
    }
)
EXPONENT_MAX = 99


def _context(rounding: str, *traps: type[DecimalException]) -> Context:
    return Context(
        prec=DIGITS_MAX,
        rounding=rounding,
        Emin=-EXPONENT_MAX,
        Emax=EXPONENT_MAX,
        capitals=1,
        clamp=0,
        flags=[],
        traps=[InvalidOperation, DivisionByZero, Overflow, *traps],
    )


ARITHMETIC = _context(ROUND_HALF_EVEN)
_ROUNDING = {name: _context(mode) for name, mode in ROUNDING_MODES.items()}
_EXACT = _context(ROUND_HALF_EVEN, Inexact)

Quantize = Callable[[Decimal, Decimal], Decimal]


def quantizer(rounding: str | None) -> Quantize:
    """``quantize(x, unit)`` under a rounding mode; with None it raises ``decimal.Inexact`` on an excess digit."""
    return (_EXACT if rounding is None else _ROUNDING[rounding]).quantize


def unit(scale: int) -> Decimal:
    """The smallest step at ``scale`` decimal places."""
    return Decimal((0, (1,), -scale))


def zero(scale: int) -> Decimal:
    """Zero with ``scale`` decimal places and no sign: -0.00 is never an answer."""
    return Decimal((0, (0,), -scale))


def plain(number: Decimal) -> str:
    """The canonical text: no exponent, no trailing zeros, no negative zero, so equal numbers have equal texts."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def arithmetic_refusal(error: ArithmeticError) -> Refusal:
    """What a decimal signal means for the record."""
    # Python derives Overflow from Inexact.
    if isinstance(error, Inexact) and not isinstance(error, Overflow):
        return Refusal("inexact", "the number has more decimal places than the output and no rounding is declared")
    return Refusal("number_too_large", f"a number has more than {DIGITS_MAX} digits")
