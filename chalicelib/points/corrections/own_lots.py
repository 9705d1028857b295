"""What is left to be taken back of an accrual: what is free in its own lot, and what of its points is gone already."""

from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.points.ledger import lapsing
from chalicelib.points.models.ledger import accrual_event, lot, reversal, transfer
from chalicelib.points.models.terms import close_out


class Own(NamedTuple):
    """The lot that an accrual earned: what is free in it, and how much of it has expired or was clawed back.

    ``reversed_minor`` of the accrual's points were taken back in ``parts`` parts, ``counted_minor`` of them as expired.
    """

    lot_id: bytes
    free_minor: int
    expired_minor: int
    reversed_minor: int
    parts: int
    counted_minor: int

    def expired_of(self, points_minor: int, amount_minor: int) -> int:
        """How much of an amount to be taken back is gone: as little as what is left of the points allows."""
        left = points_minor - self.reversed_minor
        gone = min(points_minor, self.expired_minor) - self.counted_minor
        return min(amount_minor, max(0, amount_minor - left + gone))


def of_event(db: Connection, event_id: bytes) -> Own:
    """The lot of one event whose account is locked; nothing is in it where the event earned nothing."""
    return of_events(db, [event_id])[event_id]


def of_events(db: Connection, event_ids: list[bytes]) -> dict[bytes, Own]:
    """The lots of events whose accounts are locked, by event; up to ``bulk.CHUNK`` of them."""
    rows = db.execute(_OWN, {"ids": event_ids}).all()
    lapsed = lapsing.lapsed(db, [row.lot_id for row in rows if row.lot_id is not None])
    return {
        row.id: Own(
            row.lot_id,
            int(row.free),
            lapsed.get(row.lot_id, 0) + int(row.clawed),
            int(row.reversed_minor),
            int(row.parts),
            int(row.counted),
        )
        for row in rows
    }


def held_minor(db: Connection, account_id: bytes, own_lot_id: bytes, today: date) -> int:
    """What holds have of the lots that a reversal would take from: those that may be spent, and the accrual's own."""
    return int(db.execute(_HELD, {"account_id": account_id, "own": own_lot_id, "today": today}).scalar_one())


#: What was clawed back of an accrual, whichever lots it was taken from.
_CLAWED: Final = (
    select(func.coalesce(func.sum(close_out.c.amount_minor), 0))
    .where(
        close_out.c.account_id == accrual_event.c.account_id,
        close_out.c.accrual_event_id == accrual_event.c.id,
        close_out.c.kind == "claw_back",
    )
    .correlate(accrual_event)
    .scalar_subquery()
)
_HELD: Final = select(func.coalesce(func.sum(lot.c.held_minor), 0)).where(
    lot.c.account_id == bindparam("account_id"),
    (lot.c.expires_on >= bindparam("today")) | (lot.c.id == bindparam("own")),
)
_PARTS: Final = (
    select(func.count())
    .where(reversal.c.accrual_event_id == accrual_event.c.id)
    .correlate(accrual_event)
    .scalar_subquery()
)
_COUNTED: Final = (
    select(func.coalesce(func.sum(reversal.c.expired_minor), 0))
    .where(reversal.c.accrual_event_id == accrual_event.c.id)
    .correlate(accrual_event)
    .scalar_subquery()
)
_OWN: Final = (
    select(
        accrual_event.c.id,
        lot.c.id.label("lot_id"),
        func.coalesce(lot.c.remaining_minor - lot.c.held_minor, 0).label("free"),
        _CLAWED.label("clawed"),
        accrual_event.c.reversed_minor,
        _PARTS.label("parts"),
        _COUNTED.label("counted"),
    )
    .select_from(accrual_event)
    # An event that earned nothing has none, and may be corrected all the same.
    .outerjoin(transfer, (transfer.c.source_id == accrual_event.c.id) & (transfer.c.kind == "accrual"))
    .outerjoin(lot, lot.c.id == transfer.c.id)
    .where(accrual_event.c.id.in_(bindparam("ids", expanding=True)))
)
