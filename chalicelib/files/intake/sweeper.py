"""What an event lost is found here, each minute and at start: objects without a file, files without a live handler.

Nothing is worked on; messages are sent as if they had not been lost, and doubled messages are harmless.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.engine import Connection

from chalicelib.files.intake import arrivals
from chalicelib.files.intake.arrivals import Named
from chalicelib.files.intake.way import QUEUE
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register import register, rollbacks, trials
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import objects, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id

#: An event or a message that is younger than this is most likely still on its way.
GRACE_S = 60
#: The most messages of one sweep; the next one goes on.
_MESSAGES_MAX = 1000
#: How long the content of a trial is kept: the longest one takes less than an hour.
_TRIAL_KEPT = timedelta(days=1)
_COLUMNS = inbound_file.c


@dataclass(frozen=True, slots=True)
class Swept:
    """How many objects and files were queued again."""

    objects: int
    files: int


def sweep(database: Database, *, clock: Callable[[], datetime], grace_s: int = GRACE_S) -> Swept:
    """Queue again what nobody works on. With ``grace_s`` 0 even what has just arrived: at the start of a hub."""
    now = clock()
    before = now - timedelta(seconds=grace_s)
    lost = _lost_objects(database, before, now=now)
    with database.read() as db:
        stuck = _stuck_files(db, now=now, before=before)
        runs = rollbacks.stuck(db, now=now, before=before, limit=_MESSAGES_MAX)
        tried = trials.stuck(db, now=now, before=before, limit=_MESSAGES_MAX)
    queue = settings().queue(QUEUE)
    for named in lost:
        queues.send(queue, {"arrived": {"bucket": named.bucket, "key": named.key}})
    for file_id, slice_no in stuck:
        queues.send(queue, {"continue": public_id("fil", file_id), "slice": slice_no})
    for rollback_id, slice_no in runs:
        queues.send(queue, {"rollback": rollback_id, "slice": slice_no})
    for trial_id, part in tried:
        queues.send(queue, {"trial": trial_id, "part": part})
    return Swept(len(lost), len(stuck) + len(runs) + len(tried))


def _lost_objects(database: Database, before: datetime, *, now: datetime) -> list[Named]:
    """Objects in the inbox that were never registered, sidecars that a file still waits for, and those left alone."""
    bucket = arrivals.inbox()
    found: list[Named] = []
    for each in objects.list_under(bucket):
        if len(found) >= _MESSAGES_MAX:
            break
        if each.key.endswith(arrivals.TRIAL_SUFFIX) and each.last_modified <= now - _TRIAL_KEPT:
            # Of a trial that nobody began, or that was given up.
            objects.delete(bucket, each.key)
        if arrivals.is_temporary(each.key) or each.last_modified > before:
            continue
        named = Named(bucket, each.key)
        with database.read() as db:
            lost = (
                bool(arrivals.waiting_for(db, named)) or arrivals.is_alone(db, named, each.last_modified, now=now)
                if arrivals.is_sidecar(each.key)
                else not _is_in_work(db, bucket, each.key, each.etag)
            )
        if lost:
            found.append(named)
    return found


def _is_in_work(db: Connection, bucket: str, key: str, etag: str) -> bool:
    """Whether an unfinished file speaks of this object. A finished one does not: then the object has come again."""
    return (
        db.execute(
            select(_COLUMNS.id).where(
                _COLUMNS.key_hash == register.key_hash(key),
                _COLUMNS.bucket == bucket,
                _COLUMNS.etag == etag,
                _COLUMNS.finished_at.is_(None),
            )
        ).first()
        is not None
    )


def _stuck_files(db: Connection, *, now: datetime, before: datetime) -> list[tuple[bytes, int]]:
    """Unfinished files that no live handler holds, sidecars that never came, and receipts that are out of date."""
    waited = now - timedelta(seconds=settings().sidecar_wait_s)
    unheld = or_(_COLUMNS.lease_until.is_(None), _COLUMNS.lease_until <= now)
    stuck = and_(
        _COLUMNS.finished_at.is_(None),
        unheld,
        _COLUMNS.changed_at <= before,
        or_(_COLUMNS.state != "waiting", _COLUMNS.arrived_at <= waited),
    )
    stale = and_(
        _COLUMNS.finished_at.is_not(None),
        _COLUMNS.receipt_written < _COLUMNS.receipt_revision,
        _COLUMNS.changed_at <= before,
    )
    rows = db.execute(
        select(_COLUMNS.id, _COLUMNS.slice_no)
        .where(or_(stuck, stale))
        .order_by(_COLUMNS.rank, _COLUMNS.arrived_at, _COLUMNS.id)
        .limit(_MESSAGES_MAX)
    ).all()
    return [(row.id, row.slice_no) for row in rows]
