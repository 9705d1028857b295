"""Split tender: what points pay of each line and what a card pays, and what of both comes back. Pure, in minor units.

Nothing is lost by rounding: the parts of a line add up to its price, the parts of its pieces to the line, and what
comes back of all pieces to what was paid.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

RefundOrder: TypeAlias = Literal["points_first", "points_last", "pro_rata"]


class Priced(NamedTuple):
    """One line: its price in money, and in the program's unit where a price list has it (None: by its price).

    ``in_pieces``: a piece is paid with points whole, or not at all.
    """

    quantity: int
    price_minor: int
    points_minor: int | None
    in_pieces: bool = False


class Part(NamedTuple):
    """What points pay, and what money pays."""

    points_minor: int
    cash_minor: int


class Sold(NamedTuple):
    """A line of which ``captured`` of the ``quantity`` pieces were, and ``refunded`` of those came back."""

    quantity: int
    price_minor: int
    points_minor: int
    cash_minor: int
    captured: int
    refunded: int
    refunded_points_minor: int
    refunded_cash_minor: int


def split(lines: Sequence[Priced], available_minor: int, value: Fraction) -> list[Part]:
    """Points first, as far as they go; money the rest.

    ``value`` is what one minor unit of points pays, in minor units of money. Points that do not suffice are spread over
    the lines by what each would take; pieces are paid whole, line by line.
    """
    left = max(0, available_minor)
    parts: dict[int, Part] = {}
    for number, line in enumerate(lines):
        if line.in_pieces and line.points_minor:
            each = line.points_minor // line.quantity
            pieces = min(line.quantity, left // each)
            left -= pieces * each
            parts[number] = Part(pieces * each, line.price_minor - so_far(line.price_minor, pieces, line.quantity))
    others = [number for number in range(len(lines)) if number not in parts]
    wanted = [_whole(lines[number], value) for number in others]
    for number, points in zip(others, allocate(min(left, sum(wanted)), wanted), strict=True):
        line = lines[number]
        parts[number] = Part(points, line.price_minor - _worth(line, points, value))
    return [parts[number] for number in range(len(lines))]


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount over the weights, in proportion, to the last unit; the largest fractions are rounded up."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares = [divmod(amount * weight, total) for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: -shares[place][1])
    more = set(order[: amount - sum(share for share, _ in shares)])
    return [share + (place in more) for place, (share, _) in enumerate(shares)]


def so_far(amount: int, pieces: int, quantity: int) -> int:
    """What falls to the first so many pieces of a line; of all of them it is the whole amount."""
    return amount * pieces // quantity


def captured(line: Sold, pieces: int) -> Part:
    """What the next so many pieces of a line take."""
    done = line.captured + pieces
    return Part(
        so_far(line.points_minor, done, line.quantity) - so_far(line.points_minor, line.captured, line.quantity),
        so_far(line.cash_minor, done, line.quantity) - so_far(line.cash_minor, line.captured, line.quantity),
    )


def given_back(line: Sold, pieces: int, order: RefundOrder) -> Part:
    """What comes back for so many pieces of a line; never more of either than was captured.

    ``points_first``: what points paid of the line comes back before any money does.
    """
    price = so_far(line.price_minor, line.captured, line.quantity)
    points = so_far(line.points_minor, line.captured, line.quantity)
    cash = so_far(line.cash_minor, line.captured, line.quantity)
    done = line.refunded + pieces
    left = Part(points - line.refunded_points_minor, cash - line.refunded_cash_minor)
    if done == line.captured:
        return left
    by_points = price - cash
    if not by_points:
        # Nothing says what the points were worth: they come back piece by piece.
        return Part(
            max(0, so_far(points, done, line.captured) - line.refunded_points_minor),
            max(0, so_far(cash, done, line.captured) - line.refunded_cash_minor),
        )
    amount = so_far(price, done, line.captured) - so_far(price, line.refunded, line.captured)
    before = so_far(price, line.refunded, line.captured) - line.refunded_cash_minor
    if order == "points_first":
        wanted = by_points - before
    elif order == "points_last":
        wanted = 0
    else:
        wanted = so_far(by_points, done, line.captured) - before
    # Pieces may have been captured since others came back: then more, or less, came back than would have now.
    most = max(0, min(amount, by_points - before))
    of_points = max(amount - left.cash_minor, min(wanted, most), 0)
    target = points * (before + of_points) // by_points
    return Part(min(left.points_minor, max(0, target - line.refunded_points_minor)), amount - of_points)


def _whole(line: Priced, value: Fraction) -> int:
    """The points that pay the whole line, as far as points can."""
    if line.points_minor is not None:
        return line.points_minor
    return int(line.price_minor / value) if value else 0


def _worth(line: Priced, points: int, value: Fraction) -> int:
    """What so many points pay of the line's price, rounded half up, and never more than all."""
    if line.points_minor is not None:
        worth = Fraction(line.price_minor * points, line.points_minor) if line.points_minor else Fraction(0)
    else:
        worth = points * value
    return min(line.price_minor, int(worth + Fraction(1, 2)))
