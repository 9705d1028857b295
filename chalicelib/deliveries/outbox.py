"""The transactional outbox: what changed is noted in the transaction that changed it, and looked up by operators."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, Insert, bindparam, case, func, literal, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.engine import Connection

from chalicelib.deliveries.models import delivery, delivery_attempt, target
from chalicelib.deliveries.routes import kinds_for
from chalicelib.records import dataclass
from chalicelib.storage import bulk, prepared
from chalicelib.storage.engine import is_mysql
from chalicelib.storage.ids import new_id, new_ids
from chalicelib.storage.tables import Id, Microseconds

STATE_KEY: Final = ("target_id", "entity", "entity_key", "unclaimed")

_SUBSCRIBED: Final = select(target.c.id).where(
    target.c.partner_id == bindparam("partner"), target.c.connector.in_(bindparam("kinds", expanding=True))
)


def changed(db: Connection, partner_id: bytes, entity: str, keys: Sequence[str], *, now: datetime) -> None:
    """Note that the records behind ``keys`` changed: each of the partner's targets for them will get the newest state.

    One unclaimed delivery a target and key, however often the record changes before it is claimed; one that is on its
    way is left alone, and one that waits after a failure keeps waiting. At most two statements, in key order.
    """
    kinds = kinds_for(entity)
    if not keys or not kinds:
        return
    if len(keys) == 1 and is_mysql(db):
        given = {"of": partner_id, "key": keys[0], "at": now, "id_begins": new_id()[:_ID_BEGINS]}
        prepared.write(db, _queue_one(entity), given)
        return
    target_ids = list(db.execute(_SUBSCRIBED, {"partner": partner_id, "kinds": kinds}).scalars())
    queue(db, partner_id, target_ids, entity, keys, now)


#: Bytes of a delivery's id that a statement is given; the others it draws itself, for as many targets as it finds.
_ID_BEGINS: Final = 10


@lru_cache(maxsize=16)
def _queue_one(entity: str) -> Insert:
    """``changed`` for one record on MySQL, in one statement: a spend has few others."""
    column = delivery.c
    given = {
        column.id: func.concat(bindparam("id_begins", type_=Id), func.random_bytes(16 - _ID_BEGINS)),
        column.partner_id: target.c.partner_id,
        column.target_id: target.c.id,
        column.kind: literal("state"),
        column.entity: literal(entity),
        column.entity_key: bindparam("key", type_=column.entity_key.type),
        column.unclaimed: literal(value=True),
        column.state: literal("ready"),
        column.attempts: literal(0),
        column.failures: literal(0),
        **dict.fromkeys((column.next_at, column.created_at, column.changed_at), bindparam("at", type_=Microseconds())),
    }
    found = select(*given.values()).where(
        target.c.partner_id == bindparam("of"), target.c.connector.in_(list(map(literal, kinds_for(entity))))
    )
    by_select = mysql_insert(delivery).from_select(list(given), found, include_defaults=False)
    return by_select.on_duplicate_key_update(changed_at=by_select.inserted.changed_at)


def told_otherwise(db: Connection, partner_id: bytes, entity: str, keys: Sequence[str], *, now: datetime) -> None:
    """Note that what targets are told of some records has changed, though their own state has not: a member's name.

    Only records that were queued before are queued again: of another one nobody knows yet, and it will be told as it
    is then.
    """
    column = delivery.c
    known = [
        key
        for chunk in bulk.in_chunks(sorted(set(keys)))
        for key in db.execute(
            select(column.entity_key)
            .distinct()
            .where(column.entity_key.in_(chunk), column.partner_id == partner_id, column.entity == entity)
        ).scalars()
    ]
    changed(db, partner_id, entity, known, now=now)


def queue(
    db: Connection, partner_id: bytes, target_ids: Sequence[bytes], entity: str, keys: Sequence[str], now: datetime
) -> None:
    """See that one unclaimed delivery of each record waits for each of the targets. One statement, in key order."""
    if not target_ids or not keys:
        return
    wanted = sorted(set(keys))
    ids = iter(new_ids(len(wanted) * len(target_ids)))
    rows = [
        {
            "id": next(ids),
            "partner_id": partner_id,
            "target_id": target_id,
            "kind": "state",
            "entity": entity,
            "entity_key": key,
            "unclaimed": True,
            "state": "ready",
            "attempts": 0,
            "failures": 0,
            "next_at": now,
            "created_at": now,
            "changed_at": now,
        }
        for target_id in sorted(target_ids)
        for key in wanted
    ]
    bulk.upsert(db, delivery, rows, key=STATE_KEY, update=["changed_at"])


def forget(db: Connection, keys: Sequence[str]) -> int:
    """Forget what was sent about these records, and what was answered; how many attempts. That it was sent stays."""
    changed = 0
    for chunk in bulk.in_chunks(sorted(set(keys))):
        of = select(delivery.c.id).where(delivery.c.entity_key.in_(chunk))
        changed += db.execute(
            update(delivery_attempt)
            .where(delivery_attempt.c.delivery_id.in_(of))
            .values(request=None, response=None, detail=None)
        ).rowcount
        db.execute(update(delivery).where(delivery.c.entity_key.in_(chunk)).values(last_detail=None, payload=None))
    return changed


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one target as operators see it; ``last_detail`` is masked."""

    seq: int
    id: bytes
    partner_id: bytes
    target_code: str
    entity: str
    entity_key: str
    state: str
    version: int | None
    attempts: int
    failures: int
    next_at: datetime
    last_code: str | None
    last_detail: str | None
    created_at: datetime
    changed_at: datetime
    confirmed_at: datetime | None


_COLUMNS: Final = tuple(
    target.c.code if field.name == "target_code" else delivery.c[field.name] for field in fields(Delivery)
)
_DELIVERIES: Final = select(*_COLUMNS).join(target, target.c.id == delivery.c.target_id)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are wanted; None is no condition. ``code`` is that of the latest failure."""

    partner_id: bytes | None = None
    target_code: str | None = None
    state: str | None = None
    code: str | None = None
    entity_key: str | None = None
    created_before: datetime | None = None


def newest_first(db: Connection, wanted: DeliveryFilter, *, before_seq: int | None, limit: int) -> list[Delivery]:
    """Up to ``limit`` deliveries, newest first, older than ``before_seq``."""
    column = delivery.c
    conditions: list[ColumnElement[bool]] = [
        each == value
        for each, value in (
            (column.partner_id, wanted.partner_id),
            (target.c.code, wanted.target_code),
            (column.state, wanted.state),
            (column.last_code, wanted.code),
            (column.entity_key, wanted.entity_key),
        )
        if value is not None
    ]
    if wanted.created_before is not None:
        conditions.append(column.created_at < wanted.created_before)
    if before_seq is not None:
        conditions.append(column.seq < before_seq)
    found = db.execute(_DELIVERIES.where(*conditions).order_by(column.seq.desc()).limit(limit))
    return [Delivery(*row) for row in found]


def by_id(db: Connection, delivery_id: bytes) -> Delivery | None:
    """One delivery, or None."""
    row = db.execute(_DELIVERIES.where(delivery.c.id == delivery_id)).first()
    return None if row is None else Delivery(*row)


@dataclass(frozen=True, slots=True)
class Carried:
    """The confirmed attempt by which a state first reached a target."""

    delivery_id: bytes
    target_code: str
    version: int
    attempt: int
    mapping_version_id: bytes
    confirmed_at: datetime


_CARRYING: Final = (
    select(
        delivery.c.id,
        target.c.code,
        delivery_attempt.c.version,
        delivery_attempt.c.attempt,
        delivery_attempt.c.mapping_version_id,
        delivery_attempt.c.finished_at,
    )
    .join(delivery_attempt, delivery_attempt.c.delivery_id == delivery.c.id)
    .join(target, target.c.id == delivery.c.target_id)
    .where(
        delivery.c.entity_key == bindparam("key"),
        delivery.c.entity == bindparam("entity"),
        delivery_attempt.c.outcome == "confirmed",
        delivery_attempt.c.version >= bindparam("version"),
    )
    .order_by(delivery_attempt.c.finished_at, delivery_attempt.c.seq)
    .limit(1)
)


def first_carrying(db: Connection, entity: str, key: str, version: int) -> Carried | None:
    """The first confirmed attempt that carried a record at ``version`` or later; None while there is none."""
    row = db.execute(_CARRYING, {"entity": entity, "key": key, "version": version}).first()
    return None if row is None else Carried(*row)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits to leave: ``due`` of ``ready`` may go now; ``dead`` needs a person."""

    ready: int
    due: int
    dead: int
    oldest_due_at: datetime | None


def backlog(db: Connection, *, now: datetime) -> Backlog:
    """The state of the outbox over all active targets."""
    column = delivery.c
    active = select(target.c.id).where(target.c.status == "active")
    counted = (
        select(
            column.state,
            func.count().label("rows"),
            func.sum(case((column.next_at <= now, 1), else_=0)).label("due"),
            func.min(column.next_at).label("oldest"),
        )
        .where(column.target_id.in_(active), column.state.in_(("ready", "dead")))
        .group_by(column.state)
    )
    by_state = {row.state: row for row in db.execute(counted)}
    ready, dead = by_state.get("ready"), by_state.get("dead")
    return Backlog(
        ready=ready.rows if ready else 0,
        due=int(ready.due) if ready else 0,
        dead=dead.rows if dead else 0,
        oldest_due_at=ready.oldest if ready and ready.oldest <= now else None,
    )
