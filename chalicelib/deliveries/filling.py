"""Filling a new target: it is told of every record that its partner has, and from then on of each that changes.

A page of records is one transaction, which also moves the target's mark: who dies leaves the rest to the next run.
Records that change meanwhile are queued by those who change them; twice does no harm.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.deliveries import outbox, targets
from chalicelib.deliveries.models import target
from chalicelib.deliveries.routes import ROUTES
from chalicelib.deliveries.snapshots import Source
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database

PAGE_KEYS: Final = bulk.CHUNK
_PAGES_MAX: Final = 100_000
"""A bound for a run whose deadline never comes."""


def fill(database: Database, sources: Mapping[str, Source], *, clock: Callable[[], datetime], ends_at_s: float) -> None:
    """Go on filling each active target that is not full; no page begins after ``ends_at_s`` of the monotonic clock."""
    with database.read() as db:
        waiting = list(
            db.execute(
                select(target.c.id).where(target.c.status == "active", target.c.filled_to.is_not(None))
            ).scalars()
        )
    for target_id in waiting:
        for _ in range(_PAGES_MAX):
            if time.monotonic() >= ends_at_s:
                return
            if not database.run(lambda db, target_id=target_id: _page(db, target_id, sources, clock())):  # type: ignore[misc]
                break


def _page(db: Connection, target_id: bytes, sources: Mapping[str, Source], now: datetime) -> bool:
    """Queue the next records for a target; whether there may be more."""
    found = targets.by_id(db, target_id, locked=True)
    if found is None or found.filled_to is None:
        return False
    entities = sorted(ROUTES[found.connector])
    entity, _, after = found.filled_to.partition("/")
    entity = entity or entities[0]
    keys = sources[entity].keys(db, found.partner_id, after, PAGE_KEYS)
    outbox.queue(db, found.partner_id, [found.id], entity, keys, now)
    mark: str | None = None
    if len(keys) == PAGE_KEYS:
        mark = f"{entity}/{keys[-1]}"
    elif entity != entities[-1]:
        mark = f"{entities[entities.index(entity) + 1]}/"
    db.execute(update(target).where(target.c.id == found.id).values(filled_to=mark))
    return mark is not None
