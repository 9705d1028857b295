"""What a member keeps of what is left at the end of a plan year: pure arithmetic over the lots of that year."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Final, NamedTuple

from chalicelib.partners.programs.finance_terms import CarryOver, Rounding, share
from chalicelib.partners.programs.programs import NEVER
from chalicelib.points.ledger import lots
from chalicelib.points.ledger.lots import OpenLot, Taken

_EXACT: Final = Context(prec=60)
_MODES: Final = {"down": ROUND_DOWN, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


class YearLot(NamedTuple):
    """A lot of the year with points left; ``held_minor`` of them are covered by holds."""

    id: bytes
    expires_on: date
    remaining_minor: int
    held_minor: int


class Carried(NamedTuple):
    """How a member's points are parted: before = held + free + forfeited. ``moved`` and ``forfeited`` name the lots.

    What holds cover is carried first, where it is, even beyond the allowance. Of the rest, what expires first is
    forfeited. ``moved`` is empty where carried points stay in their lots; else they get the last day ``until``.
    """

    before_minor: int
    held_minor: int
    free_minor: int
    forfeited: tuple[Taken, ...]
    moved: tuple[Taken, ...]
    until: date | None

    @property
    def carried_minor(self) -> int:
        """All that the member keeps."""
        return self.held_minor + self.free_minor

    @property
    def forfeited_minor(self) -> int:
        """All that the member loses."""
        return sum(each.amount_minor for each in self.forfeited)


def allowance(rule: CarryOver, before_minor: int, scale: int) -> int:
    """How many of the points left may be carried over: the percentage, rounded as the program says, then the cap."""
    exact = _EXACT.multiply(Decimal(before_minor), share(rule.percent))
    allowed = int(exact.to_integral_value(_rounding(rule.rounding), _EXACT))
    if rule.cap is None:
        return allowed
    # Rounded down: a finer cap than the program's unit lets no more through.
    return min(allowed, int(Decimal(rule.cap).scaleb(scale, _EXACT)))


def part(rule: CarryOver, left: Sequence[YearLot], *, scale: int, last_day: date) -> Carried:
    """Part what is left of a year's lots, which are ordered by their last days."""
    before = sum(each.remaining_minor for each in left)
    held = sum(each.held_minor for each in left)
    free = max(0, allowance(rule, before, scale) - held)
    open_lots = [OpenLot(each.id, each.expires_on, each.remaining_minor - each.held_minor) for each in left]
    forfeited = tuple(lots.first(open_lots, before - held - free))
    if rule.grace_days is None or not free:
        return Carried(before, held, free, forfeited, (), None)
    gone = {each.lot_id: each.amount_minor for each in forfeited}
    rest = [each._replace(free_minor=each.free_minor - gone.get(each.id, 0)) for each in open_lots]
    moved = tuple(Taken(each.id, each.free_minor) for each in rest if each.free_minor)
    kept_for = timedelta(days=rule.grace_days)
    until = NEVER if NEVER - last_day <= kept_for else last_day + kept_for
    return Carried(before, held, free, forfeited, moved, until)


def _rounding(named: Rounding) -> str:
    return _MODES[named]
