"""What an operator does with a delivery: send it again, mark it done with proof, or discard it. Audited."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.deliveries import breaker, settling, targets
from chalicelib.deliveries.models import delivery
from chalicelib.errors import Conflict, NotFound
from chalicelib.storage.ids import public_id

Action: TypeAlias = Literal["retry", "mark_done", "discard"]

MARKED_DONE: Final = "marked_done"
DISCARDED: Final = "discarded"
_PAST_TENSE: Final = {"retry": "retried", "mark_done": "marked_done", "discard": "discarded"}


def act(
    db: Connection, delivery_id: bytes, action: Action, *, reason: str, caller: Caller, now: datetime
) -> settling.State:
    """Do ``action`` to a delivery that waits or is dead, and let its target be tried at once after a retry.

    ``reason`` is kept: for ``mark_done`` it is the proof. Returns the new state: ``superseded`` when a newer state of
    the record waits already and takes the retry over. Raises NotFound; Conflict when the delivery is on its way or
    finished.
    """
    row = _locked(db, delivery_id)
    if row.state not in {"ready", "dead"}:
        raise Conflict(
            f"The delivery is {row.state}: only one that waits or is dead can be changed.", code="delivery_not_waiting"
        )
    if action == "retry":
        breaker.try_now(db, row.target_id)
        state = settling.requeue(db, row, next_at=now, values={"failures": 0}, now=now)
    else:
        state = "confirmed" if action == "mark_done" else "discarded"
        _close(db, row, state, reason, now)
    audit.record(
        db,
        caller=caller,
        action=f"delivery.{_PAST_TENSE[action]}",
        subject=public_id("dlv", row.id),
        partner_id=row.partner_id,
        before={"state": row.state},
        after={"state": state},
        reason=reason,
        now=now,
    )
    return state


def _locked(db: Connection, delivery_id: bytes) -> Row[Any]:
    """The delivery, with its target locked before it, as the pump does."""
    chosen = select(delivery).where(delivery.c.id == delivery_id)
    found = db.execute(chosen).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    targets.by_id(db, found.target_id, locked=True)
    return db.execute(chosen.with_for_update()).one()


def _close(db: Connection, row: Row[Any], state: settling.State, reason: str, now: datetime) -> None:
    done = state == "confirmed"
    values = {
        "state": state,
        "unclaimed": None,
        "last_code": MARKED_DONE if done else DISCARDED,
        "last_detail": reason,
        "changed_at": now,
        "confirmed_at": now if done else None,
    }
    db.execute(update(delivery).where(delivery.c.seq == row.seq).values(**values))
