"""The proof's checks of tenders: what a cart's lines say, against its captures, refunds and releases, and the ledger.

What of a line was paid by card is in no entry: only the steps of the cart tell it. They are kept as documents, so they
are read and summed here and not in the database.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.points.models.ledger import hold, redemption, redemption_line
from chalicelib.points.models.terms import tender, tender_line, tender_step
from chalicelib.points.proof.of_causes import Part, of_program

#: Tenders that are read together.
_TENDERS_READ: Final = 500
#: What a line counts, and of which steps it is the sum: of their pieces, points or money.
_COUNTED: Final[Mapping[str, tuple[str, int]]] = {
    "captured": ("capture", 0),
    "released": ("release", 0),
    "refunded": ("refund", 0),
    "refunded_points_minor": ("refund", 1),
    "refunded_cash_minor": ("refund", 2),
}

#: The codes of these breaks; the subject is a tender.
CODES: Final = ("tender_differs_from_lines", "tender_differs_from_steps", "tender_differs_from_redemptions")


class Told(NamedTuple):
    """One break: its code, the tender, what the finer record says, and what the coarser one does."""

    code: str
    subject: bytes
    expected: int
    found: int


def check(db: Connection, part: Part) -> Iterator[Told]:
    """Every tender of a part of the ledger that is not what its lines, its steps and its redemptions say."""
    after = b""
    while True:
        query: Select[Any] = select(tender.c.id, tender.c.hold_id, tender.c.points_minor, tender.c.cash_minor)
        query = query.where(of_program(tender.c.program_id, part), tender.c.id > after)
        some = db.execute(query.order_by(tender.c.id).limit(_TENDERS_READ)).all()
        yield from _some(db, some)
        if len(some) < _TENDERS_READ:
            return
        after = some[-1].id


def _some(db: Connection, carts: Sequence[Row[Any]]) -> Iterator[Told]:
    if not carts:
        return
    given = {"ids": [cart.id for cart in carts]}
    lines: dict[bytes, list[Row[Any]]] = {}
    for line in db.execute(_LINES, given):
        lines.setdefault(line.tender_id, []).append(line)
    steps: dict[bytes, list[Row[Any]]] = {}
    for step in db.execute(_STEPS, given):
        steps.setdefault(step.tender_id, []).append(step)
    held = {row.id: int(row.amount_minor) for row in db.execute(_HOLDS, given)}
    spent = {row.tender_id: row for row in db.execute(_REDEEMED, given)}
    for cart in carts:
        own = lines.get(cart.id, [])
        yield from _unlike_lines(cart, own, held.get(cart.id, 0))
        summed = _summed(steps.get(cart.id, []))
        yield from _unlike_steps(cart.id, own, summed)
        yield from _unlike_redemptions(cart.id, summed, spent.get(cart.id))


def _unlike_lines(cart: Row[Any], lines: Sequence[Row[Any]], held_minor: int) -> Iterator[Told]:
    """The points and the money of a cart are those of its lines, and its hold's."""
    points = sum(line.points_minor for line in lines)
    cash = sum(line.cash_minor for line in lines)
    for expected, found in ((points, cart.points_minor), (cash, cart.cash_minor), (held_minor, cart.points_minor)):
        if expected != found:
            yield Told(CODES[0], cart.id, expected, found)
            return


def _unlike_steps(tender_id: bytes, lines: Sequence[Row[Any]], summed: Counter[tuple[str, str, int]]) -> Iterator[Told]:
    """What a line counts is the sum of the steps; no more is captured than was bought, nor comes back than that."""
    known = {line.line for line in lines}
    lost = next((number for (_, name, _), number in summed.items() if name not in known and number), None)
    if lost is not None:
        yield Told(CODES[1], tender_id, lost, 0)
        return
    for line in lines:
        pairs = [(summed[kind, line.line, part], getattr(line, name)) for name, (kind, part) in _COUNTED.items()]
        pairs += [
            (most, found)
            for most, found in (
                (line.quantity, line.captured + line.released),
                (line.captured, line.refunded),
            )
            if found > most
        ]
        for expected, found in pairs:
            if expected != found:
                yield Told(CODES[1], tender_id, expected, found)
                return


def _unlike_redemptions(
    tender_id: bytes, summed: Counter[tuple[str, str, int]], spent: Row[Any] | None
) -> Iterator[Told]:
    """The points of captures are what was redeemed, and those of refunds what was given back of it."""
    for kind, found in (
        ("capture", 0 if spent is None else int(spent.amount_minor)),
        ("refund", 0 if spent is None else int(spent.refunded_minor)),
    ):
        expected = sum(number for (of, _, part), number in summed.items() if (of, part) == (kind, 1))
        if expected != found:
            yield Told(CODES[2], tender_id, expected, found)
            return


def _summed(steps: Sequence[Row[Any]]) -> Counter[tuple[str, str, int]]:
    """Pieces (0), points (1) and money (2) by kind of step and line."""
    found: Counter[tuple[str, str, int]] = Counter()
    for step in steps:
        for line, *numbers in json.loads(step.parts):
            for part, number in enumerate(numbers):
                found[step.kind, line, part] += number
    return found


_IDS: Final[Any] = bindparam("ids", expanding=True)
_LINES: Final[Select[Any]] = (
    select(tender_line)
    .where(tender_line.c.tender_id.in_(_IDS))
    .order_by(tender_line.c.tender_id, tender_line.c.line_no)
)
_STEPS: Final[Select[Any]] = select(tender_step.c.tender_id, tender_step.c.kind, tender_step.c.parts).where(
    tender_step.c.tender_id.in_(_IDS)
)
_HOLDS: Final[Select[Any]] = (
    select(tender.c.id, hold.c.amount_minor).join(hold, hold.c.id == tender.c.hold_id).where(tender.c.id.in_(_IDS))
)
_REDEEMED: Final[Select[Any]] = (
    select(
        tender.c.id.label("tender_id"),
        func.sum(redemption_line.c.amount_minor).label("amount_minor"),
        func.sum(redemption_line.c.refunded_minor).label("refunded_minor"),
    )
    .join(redemption, redemption.c.hold_id == tender.c.hold_id)
    .join(redemption_line, redemption_line.c.redemption_id == redemption.c.id)
    .where(tender.c.id.in_(_IDS))
    .group_by(tender.c.id)
)
