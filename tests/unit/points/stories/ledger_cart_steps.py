"""What becomes of carts that points pay first, chosen by chance: what the hub is asked, and the same said plainly."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from chalicelib.errors import NotFound
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.spending import holds, redemptions
from tests.factories import points
from tests.factories.points import CALLER
from tests.factories.terms import line, today
from tests.unit.points.stories.ledger_steps import some
from tests.unit.points.stories.ledger_story import Step, Story
from tests.unit.points.stories.reference_carts import CartLine
from tests.unit.points.stories.reference_ledger import Refused


def cart(story: Story, random: Random) -> Step:
    key, name = some(story, random), next(story.numbers)
    lines = [(random.randint(1, 3), random.randint(1, 200)) for _ in range(random.randint(1, 2))]
    days = random.choice([None, 2])
    ends = None if days is None else story.today + days

    def real(db, now):
        asked = [
            line(str(number), quantity, price=Decimal(price) / 100, currency="USD")
            for number, (quantity, price) in enumerate(lines)
        ]
        new = NewTender(asked, f"cart-{name}", order_no=f"order-{name}", ttl_s=days and days * 86_400)
        return tenders.place(db, story.of[key].program, today(db, story.of[key]), new, caller=CALLER, now=now)[0]

    def plain(reference, made):
        if not reference.may_buy():
            raise Refused
        prices = [quantity * price for quantity, price in lines]
        wanted = min(max(0, reference.available), sum(prices))
        shares = _shares(wanted, prices)
        if made is not None:
            assert [each.points_minor for each in made.lines] == shares
            assert [each.cash_minor for each in made.lines] == [
                price - share for price, share in zip(prices, shares, strict=True)
            ]
        own = [CartLine(quantity, share) for (quantity, _), share in zip(lines, shares, strict=True)]
        reference.place(name, own, ends)

    def keep(made):
        story.carts.append((key, name, made.id, [quantity for quantity, _ in lines]))

    return Step("cart", real, {key: plain}, keep)


def _shares(whole: int, weights: list[int]) -> list[int]:
    """Shared out in proportion; what rounding leaves over goes to the largest fractions."""
    total = sum(weights)
    shares = [whole * weight // total for weight in weights]
    by_fraction = sorted(range(len(weights)), key=lambda at: -(whole * weights[at] % total))
    for at in by_fraction[: whole - sum(shares)]:
        shares[at] += 1
    return shares


def _pieces(random: Random, quantities: list[int]) -> list[int]:
    pieces = [random.randint(0, quantity) for quantity in quantities]
    return pieces if any(pieces) else quantities


def ship(story: Story, random: Random) -> Step | None:
    if not story.carts:
        return None
    key, name, placed, quantities = random.choice(story.carts)
    sale, pieces = next(story.numbers), _pieces(random, quantities)

    def real(db, now):
        named = {str(number): each for number, each in enumerate(pieces) if each}
        how: dict[str, Any] = {"reference": f"shipment-{sale}", "caller": CALLER, "now": now}
        return tender_steps.capture(db, story.of[key].program, placed, named, **how)

    def plain(reference, made):
        parts = reference.ship(name, sale, pieces)
        if made is not None:
            assert {each.line: each.points_minor for each in made.moved} == {
                str(number): part for number, part in enumerate(parts) if pieces[number]
            }

    return Step("ship", real, {key: plain})


def take_in(story: Story, random: Random) -> Step | None:
    if not story.carts:
        return None
    key, name, placed, quantities = random.choice(story.carts)
    step, pieces = next(story.numbers), _pieces(random, quantities)

    def real(db, now):
        named = {str(number): each for number, each in enumerate(pieces) if each}
        how: dict[str, Any] = {"reference": f"return-{step}", "caller": CALLER, "now": now}
        return tender_steps.refund(db, story.of[key].program, placed, named, **how)

    def plain(reference, made):
        # Which part of a line comes back in points first is the program's choice: no more than there was, and all
        # with the last piece.
        back = {} if made is None else {each.line: each.points_minor for each in made.moved}
        reference.take_in(name, pieces, [back.get(str(number), 0) for number in range(len(pieces))])

    return Step("take_in", real, {key: plain})


def give_up(story: Story, random: Random) -> Step | None:
    if not story.carts:
        return None
    key, name, placed, _ = random.choice(story.carts)

    return Step(
        "give_up",
        lambda db, now: tender_steps.release(db, placed, caller=CALLER, now=now),
        {key: lambda reference, _: reference.give_up(name)},
    )


def meddle(story: Story, random: Random) -> Step | None:
    """The points of a cart are moved past it, which nobody may."""
    if not story.carts:
        return None
    key, _, placed, _ = random.choice(story.carts)
    which = random.randrange(3)

    def real(db, now):
        of, found = story.of[key], tenders.by_id(db, placed)
        if found.hold_id is None:
            raise NotFound("The card pays all of this cart.")
        if which == 0:
            return holds.release(db, found.hold_id, 1, caller=CALLER, now=now)
        if which == 1:
            return points.capture(db, of, holds.by_id(db, found.hold_id), 1, now=now)
        sold = redemptions.of_hold(db, found.hold_id)
        if not sold:
            raise NotFound("Nothing of this cart has shipped.")
        return points.refund(db, of, sold[0], now=now)

    def plain(reference, made):
        del reference, made
        raise Refused

    return Step("meddle", real, {key: plain})


#: What may be done at any time, by several at once.
CARTS: tuple[Callable[[Story, Random], Step | None], ...] = (cart, cart, ship, ship, take_in, give_up, meddle)
