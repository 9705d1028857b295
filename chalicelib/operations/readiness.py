"""Whether the hub can do its work now: each part it leans on, asked once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from chalicelib.access import heartbeats
from chalicelib.deliveries.models import delivery, target
from chalicelib.errors import InterlineError
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import aws, queues, secrets
from chalicelib.storage.engine import Database

T = TypeVar("T")

#: The schedules without which files and deliveries lie still; each beats at the end of every run, once a minute.
WORKERS: Final = ("intake_sweeper", "outbox_pump")
_SILENT_AFTER: Final = timedelta(minutes=4)
#: A message that has been due for this long is not waiting its turn any more.
_OUTBOX_OVERDUE_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Check:
    """One part, whether it works, and what it said."""

    part: str
    ok: bool
    detail: str


def checks(database: Database, *, now: datetime) -> list[Check]:
    """Every part in a fixed order. A part that fails does not keep the others from being asked."""
    found = [
        _asked("database", lambda: _database(database)),
        _asked("files store", _store),
        _asked("queues", _queues),
        _asked("secrets", _secrets),
    ]
    if found[0].ok:
        found.append(_asked("outbox", lambda: _in(database, lambda db: _outbox(db, now))))
        found.extend(_workers(database, now))
    return found


def _workers(database: Database, now: datetime) -> list[Check]:
    try:
        beats = _in(database, heartbeats.latest)
    except (InterlineError, DBAPIError):
        return [
            Check(name, ok=False, detail="The database does not say when it ran: is it migrated?") for name in WORKERS
        ]
    return [_worker(name, beats, now) for name in WORKERS]


def _asked(part: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(part, ok=True, detail=ask())
    except InterlineError as error:
        return Check(part, ok=False, detail=error.message)
    except DBAPIError:
        # The driver's own words quote statements; the log of the request that met them has more.
        return Check(part, ok=False, detail="The database refuses the question.")


def _in(database: Database, ask: Callable[[Connection], T]) -> T:
    with database.read() as db:
        return ask(db)


def _database(database: Database) -> str:
    _in(database, lambda db: db.execute(select(1)).scalar_one())
    return "answers"


def _store() -> str:
    bucket = settings().bucket("hub-in")
    with aws.failures_of(f"bucket {bucket}"):
        aws.client("s3").head_bucket(Bucket=bucket)
    return "answers"


def _queues() -> str:
    for name in ("files", "deliveries"):
        queue = settings().queue(name)
        with aws.failures_of(f"queue {queue}"):
            aws.client("sqs").get_queue_attributes(QueueUrl=queues.url_of(queue), AttributeNames=["QueueArn"])
    return "answer"


def _secrets() -> str:
    for name in ("data-key", "ledger-key"):
        secrets.get(settings().secret(name))
    return "hold the keys"


class _Overdue(InterlineError):
    """Messages are due and nobody sends them."""

    code = "outbox_overdue"


def _outbox(db: Connection, now: datetime) -> str:
    oldest: datetime | None = db.execute(
        select(func.min(delivery.c.next_at))
        .select_from(delivery.join(target, target.c.id == delivery.c.target_id))
        .where(
            delivery.c.state == "ready",
            target.c.status == "active",
            # A target behind an open breaker is known to be down: that is not our standstill.
            or_(target.c.breaker_until.is_(None), target.c.breaker_until <= now),
        )
    ).scalar_one()
    if oldest is None or oldest > now:
        return "nothing is due"
    waited = now - oldest
    if waited > _OUTBOX_OVERDUE_AFTER:
        raise _Overdue(f"The oldest message has been due for {int(waited.total_seconds())} s and was not sent.")
    return f"the oldest message is due for {int(waited.total_seconds())} s"


def _worker(name: str, beats: Mapping[str, heartbeats.Heartbeat], now: datetime) -> Check:
    beat = beats.get(name)
    if beat is None:
        return Check(name, ok=False, detail="It has never run.")
    silent = now - beat.at
    if silent > _SILENT_AFTER:
        return Check(name, ok=False, detail=f"It last ran {int(silent.total_seconds())} s ago.")
    if not beat.ok:
        return Check(name, ok=False, detail="Its last run failed; the log says why.")
    return Check(name, ok=True, detail=f"ran {max(0, int(silent.total_seconds()))} s ago")
