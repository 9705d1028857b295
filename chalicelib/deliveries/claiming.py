"""Taking work from the outbox: one short transaction that leases the heads of some keys to one batch."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, distinct, exists, func, insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.connectors.contract import Message, Outcome, Result
from chalicelib.deliveries import breaker, mapping, settling, targets
from chalicelib.deliveries.models import delivery, delivery_attempt, target
from chalicelib.deliveries.routes import ROUTES
from chalicelib.deliveries.settling import Sent, Settled
from chalicelib.deliveries.snapshots import Snapshot, Source
from chalicelib.deliveries.targets import Target
from chalicelib.records import dataclass
from chalicelib.rules import code_tables
from chalicelib.rules.rulesets import LiveVersion, timeline
from chalicelib.storage.ids import new_id, new_ids

LEASE_RESERVE_S: Final = 30.0
"""A lease outlives the longest batch by this, so that only a dead holder loses it."""

OPEN_STATES: Final = ("ready", "leased", "dead")
"""What keeps later deliveries of its key waiting. A dead letter does: a person decides first."""

EXPIRED_MAX: Final = 200

_older = delivery.alias("older")

#: Only the first unfinished delivery of a key may be claimed: so a batch never holds a key twice and none overtakes.
HEAD_OF_ITS_KEY: ColumnElement[bool] = ~exists().where(
    _older.c.target_id == delivery.c.target_id,
    _older.c.entity_key == delivery.c.entity_key,
    _older.c.state.in_(OPEN_STATES),
    _older.c.seq < delivery.c.seq,
)

_IN_FLIGHT: Final = select(func.count(distinct(delivery.c.lease_id))).where(
    delivery.c.target_id == bindparam("target"), delivery.c.state == "leased"
)
_EXPIRED: Final = (
    select(delivery)
    .where(
        delivery.c.target_id == bindparam("target"),
        delivery.c.state == "leased",
        delivery.c.lease_until <= bindparam("now"),
    )
    .order_by(delivery.c.entity_key, delivery.c.seq)
    .limit(EXPIRED_MAX)
    .with_for_update()
)
_LEASE: Final = update(delivery).where(delivery.c.seq.in_(bindparam("seqs", expanding=True)))


@dataclass(frozen=True, slots=True)
class Claimed:
    """One leased message on its way to the connector."""

    row: Row[Any]
    attempt: int
    message: Message
    mapped: mapping.Mapped


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim took: ``batch`` goes to the connector; ``settled`` was decided without sending anything."""

    target: Target
    lease_id: bytes
    batch: tuple[Claimed, ...]
    settled: tuple[Settled, ...]


def claim(
    db: Connection, target_id: bytes, *, sources: Mapping[str, Source], now: datetime, chance: Random
) -> Claim | None:
    """Lease the next batch of a target to the caller; None when there is nothing to do for it now.

    The target's row is locked first, so that the bounds on what is in flight hold over all workers. Leases that ended
    are taken back. Bodies are mapped here, from the newest state and by the mapping in force.
    """
    found = targets.by_id(db, target_id, locked=True)
    if found is None or found.status != "active":
        return None
    settled = _take_back(db, found, now=now, chance=chance)
    rows = _heads(db, found, now=now)
    if not rows:
        return Claim(found, b"", (), settled) if settled else None
    version = timeline(db, found.mapping_code, known_at=now).on(now.date())
    if version is None:
        reason = f"No version of the mapping {found.mapping_code!r} is in force."
        breaker.open_at_once(db, found, reason=reason, now=now, chance=chance)
        return Claim(found, b"", (), settled) if settled else None
    lease_id = new_id()
    _lease(db, found, rows, lease_id=lease_id, now=now)
    batch, unsendable = _prepare(db, found, rows, version, lease_id=lease_id, sources=sources, now=now)
    settled += settling.settle(db, found, unsendable, now=now, chance=chance)
    return Claim(found, lease_id, batch, settled)


def due(db: Connection, *, now: datetime) -> dict[bytes, int]:
    """The active targets that a claim could find work for, and how many batches they could use at once."""
    work: dict[bytes, int] = {}
    ready = (delivery.c.state == "ready") & (delivery.c.next_at <= now)
    expired = (delivery.c.state == "leased") & (delivery.c.lease_until <= now)
    shut = target.c.breaker_until.is_not(None) & (target.c.breaker_until > now)
    for each in db.execute(
        select(target.c.id, target.c.inflight_max, target.c.batch_max).where(target.c.status == "active", ~shut)
    ).all():
        own = delivery.c.target_id == each.id
        enough = each.inflight_max * each.batch_max
        found = sum(
            db.execute(
                select(func.count()).select_from(select(delivery.c.seq).where(own, which).limit(enough).subquery())
            ).scalar_one()
            for which in (ready, expired)
        )
        if found:
            work[each.id] = min(each.inflight_max, -(-found // each.batch_max))
    return work


def _take_back(db: Connection, found: Target, *, now: datetime, chance: Random) -> tuple[Settled, ...]:
    """Free the messages of holders that died: what became of them is unknown, so they count as failed."""
    rows = db.execute(_EXPIRED, {"target": found.id, "now": now}).all()
    result = Result(
        message_id=b"",
        outcome=Outcome.RETRY,
        status=None,
        code="lease_expired",
        detail="The worker that held it ended before it could say what happened.",
        retry_after_s=0.0,
    )
    lost = [Sent(row.id, row.attempts, row.lease_id, result, noted=None) for row in rows]
    return settling.settle(db, found, lost, now=now, chance=chance)


def _heads(db: Connection, found: Target, *, now: datetime) -> list[Row[Any]]:
    in_flight = db.execute(_IN_FLIGHT, {"target": found.id}).scalar_one()
    batch_max = breaker.batch_allowed(found, in_flight, now=now)
    if batch_max == 0:
        return []
    statement = (
        select(delivery)
        .where(
            delivery.c.target_id == found.id,
            delivery.c.state == "ready",
            delivery.c.next_at <= now,
            HEAD_OF_ITS_KEY,
        )
        .order_by(delivery.c.next_at, delivery.c.seq)
        .limit(batch_max)
        .with_for_update(skip_locked=True)
    )
    return list(db.execute(statement))


def _lease(db: Connection, found: Target, rows: list[Row[Any]], *, lease_id: bytes, now: datetime) -> None:
    longest = timedelta(seconds=found.batch_max * found.timeout_s + LEASE_RESERVE_S)
    db.execute(
        _LEASE.values(
            state="leased",
            unclaimed=None,
            attempts=delivery.c.attempts + 1,
            lease_id=lease_id,
            lease_until=now + longest,
            changed_at=now,
        ),
        {"seqs": [row.seq for row in rows]},
    )


def _prepare(
    db: Connection,
    found: Target,
    rows: list[Row[Any]],
    version: LiveVersion,
    *,
    lease_id: bytes,
    sources: Mapping[str, Source],
    now: datetime,
) -> tuple[tuple[Claimed, ...], list[Sent]]:
    """The messages of some leased rows with an attempt opened for each, and the rows that there is no message for."""
    snapshots = _snapshots(db, rows, sources)
    tables = (
        code_tables.resolve(db, version.compiled.code_tables, on=now.date()) if version.compiled.code_tables else {}
    )
    batch: list[Claimed] = []
    unsendable: list[Sent] = []
    attempts = []
    versions = []
    for row, attempt_id in zip(rows, new_ids(len(rows)), strict=True):
        snapshot = snapshots.get((row.entity, row.entity_key))
        mapped = _mapped(version, snapshot, now=now, tables=tables)
        attempt = row.attempts + 1
        if isinstance(mapped, Result):
            unsendable.append(Sent(row.id, attempt, lease_id, mapped, noted=settling.UNSENT))
        else:
            batch.append(Claimed(row, attempt, _message(found, row, attempt, mapped), mapped))
        state_version = None if snapshot is None else snapshot.version
        versions.append({"row": row.seq, "version": state_version, "mapping_version_id": version.version_id})
        attempts.append(
            {
                "id": attempt_id,
                "partner_id": row.partner_id,
                "delivery_id": row.id,
                "attempt": attempt,
                "version": state_version,
                "mapping_version_id": version.version_id,
                "started_at": now,
                "request": None if isinstance(mapped, Result) else mapped.masked(),
            }
        )
    db.execute(insert(delivery_attempt), attempts)
    db.execute(
        update(delivery)
        .where(delivery.c.seq == bindparam("row"))
        .values(version=bindparam("version"), mapping_version_id=bindparam("mapping_version_id")),
        versions,
    )
    return tuple(batch), unsendable


def _snapshots(db: Connection, rows: list[Row[Any]], sources: Mapping[str, Source]) -> dict[tuple[str, str], Snapshot]:
    found: dict[tuple[str, str], Snapshot] = {}
    for entity in sorted({row.entity for row in rows}):
        keys = sorted({row.entity_key for row in rows if row.entity == entity})
        found.update({(entity, key): snapshot for key, snapshot in sources[entity].read(db, keys).items()})
    return found


def _mapped(
    version: LiveVersion, snapshot: Snapshot | None, *, now: datetime, tables: Mapping[str, Mapping[str, str]]
) -> mapping.Mapped | Result:
    """The body for one record, or why there is none to send."""
    if snapshot is None:
        return _unsent(Outcome.REJECTED, "record_missing", "The record behind this delivery does not exist.")
    if snapshot.erased:
        return _unsent(Outcome.REJECTED, settling.NOT_APPLICABLE, "The person was erased: nobody is told any more.")
    try:
        mapped = mapping.apply(version.compiled, snapshot, as_of=now.date(), code_tables=tables)
    except mapping.Unmappable as refused:
        return _unsent(Outcome.REJECTED, refused.code, refused.detail)
    if mapped is None:
        return _unsent(Outcome.REJECTED, settling.NOT_APPLICABLE, "The mapping does not apply to this record.")
    return mapped


def _unsent(outcome: Outcome, code: str, detail: str) -> Result:
    return Result(message_id=b"", outcome=outcome, status=None, code=code, detail=detail)


def _message(found: Target, row: Row[Any], attempt: int, mapped: mapping.Mapped) -> Message:
    route = ROUTES[found.connector][row.entity]
    return Message(
        id=row.id,
        entity=route.entity,
        operation=route.operation,
        key=row.entity_key,
        external_id=row.entity_key,
        body=mapped.body,
        attempt=attempt,
    )
