"""``allocate``: an amount over weights, without losing a cent."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import lcm
from typing import Any

from chalicelib.language.bounds import SCALE_MAX
from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.conversions import as_decimal
from chalicelib.language.faults import Refusal
from chalicelib.language.kinds import DECIMAL, NUMBERS, UNKNOWN, list_of
from chalicelib.language.operators.item_types import items_of, listed
from chalicelib.language.operators.logic import unknown
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.rounding import ARITHMETIC, quantizer, unit
from chalicelib.language.tree import Apply, Function, Node


def _allocate(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    amount = as_decimal(checker.value(call.arguments[0], narrowed, *NUMBERS))
    weights = listed(checker, call.arguments[1], narrowed)
    kind = items_of(checker, weights, *NUMBERS)
    scale = checker.constant(
        call.arguments[2],
        f"the number of decimal places, 0 to {SCALE_MAX}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SCALE_MAX,
    )
    if unknown(amount, weights) or kind is UNKNOWN or scale is None:
        return wrong(call.pointer)
    function = Function("allocate", _allocator(scale), grows=True)
    return Apply(call.pointer, list_of(DECIMAL), function, (amount, weights))


def _allocator(scale: int) -> Callable[[Decimal, Sequence[Any]], list[Decimal]]:
    """Largest remainders: each gets its share rounded towards zero, the cents left go to the largest rests.

    Of equal rests the earlier ones get them, so that the result depends on nothing but the amounts.
    """
    exactly, step = quantizer(None), unit(scale)

    def allocate(amount: Decimal, weights: Sequence[Any]) -> list[Decimal]:
        whole = int(ARITHMETIC.scaleb(exactly(amount, step), Decimal(scale)))
        parts = _integers(weights)
        total = sum(parts)
        if total == 0:
            raise Refusal("nothing_to_allocate_by", "the weights add up to nothing")
        shares = [divmod(abs(whole) * part, total) for part in parts]
        left = abs(whole) - sum(share for share, _ in shares)
        order = sorted(range(len(shares)), key=lambda place: -shares[place][1])
        more = set(order[:left])
        sign = -1 if whole < 0 else 1
        return [
            ARITHMETIC.scaleb(Decimal(sign * (share + (place in more))), Decimal(-scale))
            for place, (share, _) in enumerate(shares)
        ]

    return allocate


def _integers(weights: Sequence[Any]) -> list[int]:
    """The weights in the largest unit in which all of them are whole."""
    if any(weight < 0 for weight in weights):
        raise Refusal("negative_weight", "a weight is negative")
    ratios = [weight.as_integer_ratio() for weight in weights]
    unit_of_all = lcm(*(denominator for _, denominator in ratios))
    return [numerator * (unit_of_all // denominator) for numerator, denominator in ratios]


OPERATORS = (
    Operator(
        "allocate",
        3,
        3,
        "(number, list of numbers, scale) -> list of decimals",
        "Split by weights, to the last cent: what rounding leaves goes to the largest rests, of equal ones the first.",
        _allocate,
    ),
)
