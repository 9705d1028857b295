"""What became of leased messages is written down: confirmed, to be sent again, or dead for a person to decide."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from chalicelib.connectors.contract import Outcome, Result
from chalicelib.deliveries import backoff
from chalicelib.deliveries.models import delivery, delivery_attempt
from chalicelib.deliveries.targets import Target
from chalicelib.records import dataclass

State: TypeAlias = Literal["ready", "confirmed", "dead", "superseded", "discarded"]

NOT_APPLICABLE: Final = "mapping_does_not_apply"
UNSENT: Final = "unsent"
"""The outcome of an attempt that ended before anything was sent."""

_RATE_LIMITED: Final = 429


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of one leased message. ``noted`` is the outcome its attempt is given; None leaves it open.

    ``delivery_id``, ``attempt`` and ``lease_id`` are the fence: whoever lost the lease changes only the attempt.
    ``answer`` and the result's ``detail`` are masked.
    """

    delivery_id: bytes
    attempt: int
    lease_id: bytes
    result: Result
    noted: str | None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """One delivery after settling. ``state`` is None when another worker had taken it meanwhile."""

    delivery_id: bytes
    state: State | None
    code: str


_LEASED: Final = (
    select(delivery)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)), delivery.c.state == "leased")
    .order_by(delivery.c.entity, delivery.c.entity_key, delivery.c.seq)
    .with_for_update()
)
_NEWER: Final = select(delivery.c.seq).where(
    delivery.c.target_id == bindparam("target"),
    delivery.c.entity == bindparam("entity"),
    delivery.c.entity_key == bindparam("key"),
    delivery.c.unclaimed.is_(True),
)
_CLOSE_ATTEMPT: Final = (
    update(delivery_attempt)
    .where(
        delivery_attempt.c.delivery_id == bindparam("of_delivery"),
        delivery_attempt.c.attempt == bindparam("of_attempt"),
    )
    .values(
        outcome=bindparam("new_outcome"),
        status=bindparam("new_status"),
        code=bindparam("new_code"),
        detail=bindparam("new_detail"),
        response=bindparam("new_response"),
        finished_at=bindparam("new_finished_at"),
    )
)


def settle(
    db: Connection, found: Target, sent: Sequence[Sent], *, now: datetime, chance: Random
) -> tuple[Settled, ...]:
    """Write down the results of leased messages; the caller holds the target's row.

    A message that must be sent again makes room for a newer state of its record, if there is one, which then waits in
    its place. Rows are changed in the order of their keys, as the outbox writes them, so the two do not deadlock.
    """
    if not sent:
        return ()
    rows = {row.id: row for row in db.execute(_LEASED, {"ids": [each.delivery_id for each in sent]})}
    by_id = {each.delivery_id: each for each in sent}
    states: dict[bytes, State | None] = dict.fromkeys(by_id)
    for row in rows.values():
        each = by_id[row.id]
        if row.attempts == each.attempt and row.lease_id == each.lease_id:
            states[row.id] = _conclude(db, found, row, each, now=now, chance=chance)
    db.execute(_CLOSE_ATTEMPT, [_attempt(each, now) for each in sent])
    return tuple(Settled(each.delivery_id, states[each.delivery_id], each.result.code) for each in sent)


def requeue(db: Connection, row: Row[Any], *, next_at: datetime, values: dict[str, Any], now: datetime) -> State:
    """Make a delivery ready again, to be sent at ``next_at``; its row is locked.

    Where a newer state of the record waits already, that one takes over the wait and this one is superseded.
    """
    ready = {"state": "ready", "unclaimed": True, "next_at": next_at, "changed_at": now} | values
    try:
        db.execute(update(delivery).where(delivery.c.seq == row.seq).values(**ready))
    except IntegrityError:
        # The unique key over the unclaimed row of this record: the outbox wrote a newer one since the claim.
        newer = db.execute(_NEWER, {"target": row.target_id, "entity": row.entity, "key": row.entity_key}).scalar_one()
        inherited = {"next_at": next_at, "changed_at": now, "failures": values.get("failures", row.failures)}
        db.execute(update(delivery).where(delivery.c.seq == newer).values(**inherited))
        _close(db, row, "superseded", values, now=now)
        return "superseded"
    return "ready"


def _conclude(db: Connection, found: Target, row: Row[Any], sent: Sent, *, now: datetime, chance: Random) -> State:
    result = sent.result
    values = {
        "lease_id": None,
        "lease_until": None,
        "last_code": result.code,
        "last_detail": result.detail,
    }
    match result.outcome:
        case Outcome.CONFIRMED:
            cleared = {"last_code": None, "last_detail": None, "confirmed_at": now}
            return _close(db, row, "confirmed", values | cleared, now=now)
        case Outcome.REJECTED | Outcome.UNCERTAIN:
            # What may have happened must not be repeated blindly: a person looks it up.
            state: State = "discarded" if result.code == NOT_APPLICABLE else "dead"
            return _close(db, row, state, values, now=now)
        case Outcome.UNAUTHORIZED:
            # Not the message's fault: it is due as soon as the target's breaker lets something through.
            return requeue(db, row, next_at=now, values=values, now=now)
        case Outcome.RETRY:
            return _again(db, found, row, result, values, now=now, chance=chance)


def _again(
    db: Connection,
    found: Target,
    row: Row[Any],
    result: Result,
    values: dict[str, Any],
    *,
    now: datetime,
    chance: Random,
) -> State:
    counts = result.status != _RATE_LIMITED
    failures = row.failures + counts
    if not result.patient and counts:
        too_old = now - row.created_at > timedelta(seconds=found.age_max_s)
        if too_old or failures >= found.attempts_max:
            return _close(db, row, "dead", values | {"failures": failures}, now=now)
    next_at = now + backoff.delay(result, max(failures, 1), chance)
    return requeue(db, row, next_at=next_at, values=values | {"failures": failures}, now=now)


def _close(db: Connection, row: Row[Any], state: State, values: dict[str, Any], *, now: datetime) -> State:
    db.execute(
        update(delivery).where(delivery.c.seq == row.seq).values(**values, state=state, unclaimed=None, changed_at=now)
    )
    return state


def _attempt(sent: Sent, now: datetime) -> dict[str, Any]:
    return {
        "of_delivery": sent.delivery_id,
        "of_attempt": sent.attempt,
        "new_outcome": sent.noted,
        "new_status": sent.result.status,
        "new_code": sent.result.code,
        "new_detail": sent.result.detail,
        "new_response": sent.answer,
        "new_finished_at": None if sent.noted is None else now,
    }
