"""When each worker or schedule last finished; readiness reads it."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.models import heartbeat
from chalicelib.records import dataclass

_FIRST: Final = (
    insert(heartbeat).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite").inline()
)
_AGAIN: Final = update(heartbeat).where(heartbeat.c.name == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``name`` last finished at ``at``, well or not."""

    name: str
    at: datetime
    ok: bool


def beat(db: Connection, name: str, ok: bool, now: datetime) -> None:  # noqa: FBT001 - a heartbeat's two values
    """Note that ``name`` finished at ``now``."""
    if not db.execute(_AGAIN, {"of": name, "at": now, "ok": ok}).rowcount:
        # Two first beats may meet here; either of them is as good.
        db.execute(_FIRST, {"name": name, "at": now, "ok": ok})


def latest(db: Connection) -> dict[str, Heartbeat]:
    """The last beat of every worker that ever ran, by name."""
    return {row.name: Heartbeat(row.name, row.at, row.ok) for row in db.execute(select(heartbeat))}
