"""Lots: which points a member may spend on a day, first expiring first, and what is taken from and given back to them.

Whoever reads lots here to change them holds the account's row locked, so what was read stays true.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Integer, ScalarSelect, Select, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken, Unprocessable
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.models.ledger import lot, lot_use
from chalicelib.storage import bulk

#: Lots read for one spend at first; more are read only when these do not suffice.
_LOTS_READ = 8


class InsufficientPoints(Unprocessable):
    """The member has fewer points available than the spend needs."""

    code = "insufficient_points"


class Taken(NamedTuple):
    """What was taken from one lot; below zero: what was given back to it."""

    lot_id: bytes
    amount_minor: int


class OpenLot(NamedTuple):
    """A lot with points that no hold covers: ``free_minor`` of them."""

    id: bytes
    expires_on: date
    free_minor: int


class Use(NamedTuple):
    """One lot that a transfer used, with the last day on which the lot may be spent."""

    lot_id: bytes
    amount_minor: int
    expires_on: date


def free(db: Connection, account_id: bytes, day: date, *, needed_minor: int) -> list[OpenLot]:
    """Unexpired lots with free points, first expiring first: as many as ``needed_minor`` takes, or all there are."""
    given = {"account_id": account_id, "day": day}
    found = db.execute(_FIRST_FREE, {**given, "lots": _LOTS_READ}).all()
    if len(found) == _LOTS_READ and sum(row[2] for row in found) < needed_minor:
        found = db.execute(_FREE, given).all()
    return [OpenLot(*row) for row in found]


def take(db: Connection, holder: Locked, amount_minor: int, day: date) -> list[Taken]:
    """What to take from which lot for a spend of ``amount_minor``; nothing is written.

    Raises InsufficientPoints when less is available: what is owed after a reversal is not.
    """
    needed = amount_minor + holder.overdrawn_minor
    found = free(db, holder.id, day, needed_minor=needed)
    if sum(each.free_minor for each in found) < needed:
        raise InsufficientPoints("The account has fewer points available than this spend needs.")
    taken = first(found, amount_minor)
    if sum(each.amount_minor for each in taken) != amount_minor:
        raise Broken("The lots of an account do not add up to what was just summed.")
    return taken


def first(found: Iterable[OpenLot], amount_minor: int) -> list[Taken]:
    """The amount as far as the lots have it, from the first ones on."""
    taken: list[Taken] = []
    left = amount_minor
    for each in found:
        if not left:
            break
        part = min(left, each.free_minor)
        taken.append(Taken(each.id, part))
        left -= part
    return taken


def note(db: Connection, partner_id: bytes, under: bytes, uses: Sequence[Taken]) -> None:
    """Keep under the id of a transfer which lots it used."""
    rows = [
        {"transfer_id": under, "lot_id": lot_id, "partner_id": partner_id, "amount_minor": amount}
        for lot_id, amount in uses
    ]
    bulk.insert(db, lot_use, rows)


def reduce(db: Connection, uses: Iterable[Taken], *, held: bool = False) -> None:
    """Lower what remains in the lots by what was taken; ``held``: from what a hold covered."""
    _add(db, [(lot_id, -amount, -amount if held else 0) for lot_id, amount in uses])


def cover(db: Connection, uses: Iterable[Taken]) -> None:
    """Have so much of each lot covered by a hold; below zero: not any more."""
    _add(db, [(lot_id, 0, amount) for lot_id, amount in uses])


def _add(db: Connection, changes: Iterable[tuple[bytes, int, int]]) -> None:
    """Add to what remains and to what is held of lots."""
    summed: dict[bytes, tuple[int, int]] = {}
    for lot_id, remaining, held in changes:
        before = summed.get(lot_id, (0, 0))
        summed[lot_id] = before[0] + remaining, before[1] + held
    changed = {lot_id: amounts for lot_id, amounts in summed.items() if any(amounts)}
    bulk.add(db, lot, changed, key="id", columns=("remaining_minor", "held_minor"))


def used_by(db: Connection, transfer_id: bytes, by: Select[Any] | None = None) -> list[Use]:
    """The lots that a transfer used, first expiring first; or that ``by`` finds for another id."""
    return [Use(*row) for row in db.execute(_USES if by is None else by, {"transfer_id": transfer_id})]


def uses_of(found: ScalarSelect[bytes]) -> Select[Any]:
    """A query for ``used_by``, made once: the lots of the transfer whose id ``found`` reads."""
    return _USED.where(lot_use.c.transfer_id == found)


_FREE = (
    select(lot.c.id, lot.c.expires_on, lot.c.remaining_minor - lot.c.held_minor)
    .where(
        lot.c.account_id == bindparam("account_id"),
        lot.c.expires_on >= bindparam("day"),
        lot.c.remaining_minor > lot.c.held_minor,
    )
    .order_by(lot.c.expires_on, lot.c.id)
)
_FIRST_FREE = _FREE.limit(bindparam("lots", type_=Integer()))
_USED: Select[Any] = (
    select(lot_use.c.lot_id, lot_use.c.amount_minor, lot.c.expires_on)
    .join(lot, lot.c.id == lot_use.c.lot_id)
    .order_by(lot.c.expires_on, lot.c.id)
)
_USES = _USED.where(lot_use.c.transfer_id == bindparam("transfer_id"))
