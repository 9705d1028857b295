"""Holds whose time is over are released, a few accounts a transaction."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer, Row, Select, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.rounds import Round
from chalicelib.errors import Unavailable
from chalicelib.points.ledger import accounts, transfers
from chalicelib.points.models.ledger import hold
from chalicelib.points.spending import holds
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id

log = logging.getLogger(__name__)

#: Holds of one transaction, and transactions of one run; the next run goes on.
_HOLDS_MAX: Final = 200
_TRANSACTIONS_MAX: Final = 500

_DUE: Final[Select[Any]] = (
    select(hold.c.id, hold.c.account_id)
    .where(hold.c.sweep_at <= bindparam("at"), hold.c.id.not_in(bindparam("but", expanding=True)))
    .order_by(hold.c.sweep_at, hold.c.id)
    .limit(bindparam("holds", type_=Integer()))
)


def sweep(database: Database, *, now: datetime) -> int:
    """Release every hold whose time is over; how many. Dying half-way is harmless.

    Raises SomeFailed once all others were released.
    """
    swept = 0
    stuck: set[bytes] = set()
    with Round("hold_sweeper") as each:
        for _ in range(_TRANSACTIONS_MAX):
            with database.read() as db:
                due = _due(db, now, stuck)
            if not due:
                break
            try:
                swept += database.run(lambda db, due=due: _release(db, due, now))  # type: ignore[misc]
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - done again one by one, where each says what is wrong with it
                log.warning("Holds are released one by one.", extra={"error_type": type(error).__name__})
                released = _one_by_one(database, each, due, now)
                swept += len(released)
                stuck |= {row.id for row in due} - released
            if len(due) < _HOLDS_MAX:
                break
    return swept


def _one_by_one(database: Database, each: Round, due: Sequence[Row[Any]], now: datetime) -> set[bytes]:
    """The ids of those that could be released."""
    released: set[bytes] = set()
    for row in due:
        with each.turn(public_id("hld", row.id)):
            database.run(lambda db, row=row: _release(db, [row], now))  # type: ignore[misc]
            released.add(row.id)
    return released


def release_due(db: Connection, *, now: datetime) -> int:
    """Release the holds whose time ran out first, up to a bound; how many."""
    return _release(db, _due(db, now, ()), now)


def _due(db: Connection, now: datetime, but: Collection[bytes]) -> Sequence[Row[Any]]:
    return db.execute(_DUE, {"at": now, "but": sorted(but), "holds": _HOLDS_MAX}).all()


def _release(db: Connection, due: Sequence[Row[Any]], now: datetime) -> int:
    holders = {holder.id: holder for holder in accounts.lock_existing(db, {row.account_id for row in due})}
    changed = set()
    for row in due:
        found = holds.by_id(db, row.id)
        # Captured, released or bound to an order before the account was locked.
        if not found.open_minor or found.expires_at is None:
            continue
        holder = holders[found.account_id]
        holds.uncover(db, holder, found, holds.covered(db, found.id), found.open_minor, ended="expired", now=now)
        changed.add(holder.id)
    for holder_id in sorted(changed):
        transfers.finish(db, holders[holder_id], now=now)
    return len(due)
