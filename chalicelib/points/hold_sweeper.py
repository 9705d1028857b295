"""Holds whose time is over are released, a few accounts a transaction."""

from datetime import datetime
from typing import Final

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.points import accounts, holds, ledger
from chalicelib.points.models import hold
from chalicelib.storage.engine import Database

#: Holds of one transaction, and transactions of one run; the next run goes on.
_HOLDS_MAX: Final = 200
_TRANSACTIONS_MAX: Final = 500

_DUE: Final = (
    select(hold.c.id, hold.c.account_id)
    .where(hold.c.sweep_at <= bindparam("at"))
    .order_by(hold.c.sweep_at, hold.c.id)
    .limit(bindparam("holds", type_=Integer()))
)


def sweep(database: Database, *, now: datetime) -> int:
    """Release every hold whose time is over; how many. Dying half-way is harmless."""
    swept = 0
    for _ in range(_TRANSACTIONS_MAX):
        some = database.run(lambda db: release_due(db, now=now))
        swept += some
        if some < _HOLDS_MAX:
            break
    return swept


def release_due(db: Connection, *, now: datetime) -> int:
    """Release the holds whose time ran out first, up to a bound; how many."""
    due = db.execute(_DUE, {"at": now, "holds": _HOLDS_MAX}).all()
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
        ledger.finish(db, holders[holder_id], now=now)
    return len(due)
