"""The small world of the fault tests: a partner, three members, a store, and files of a few rows in small slices."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from sqlalchemy import delete, func, insert, select

from chalicelib.deliveries import pump, wake
from chalicelib.deliveries.models import delivery
from chalicelib.files.intake import sweeper, way
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register.register import InboundFile, of_row
from chalicelib.files.trials import way as trials
from chalicelib.points.ledger import balances
from chalicelib.settings import settings
from chalicelib.storage import objects, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.tables import metadata
from tests.factories.code_tables import entries
from tests.factories.commerce_cloud import RunningStore
from tests.factories.files import hours, notification, people, person
from tests.factories.filled import filled
from tests.faults.dump import canonical
from tests.faults.tripwire import Crash

#: Accepted, rejected (unknown member, bad date, other partner), duplicate and ignored rows, over three slices of three.
FILE = hours(
    "e1,E1,2026-11-02,8",
    "e2,E2,2026-11-02,7.5",
    "e3,E9,2026-11-02,8",
    "e4,E3,2026-11-03,4",
    "e5,E1,31.11.2026,4",
    "e1,E1,2026-11-02,8",
    "e6,E2,2026-11-04,-",
    "e7,E1,2026-11-05,6.25",
    "e8,E2,2026-11-05,1",
    trailer="#TRAILER,9,46.75",
)
#: A late row of somebody unknown, who is on the next roster, and rows of somebody who never is.
EARLY = hours(
    "l1,E9,2026-11-02,8", "l2,E8,2026-11-02,8", "l3,E1,2026-11-02,2", "l4,E9,2026-11-12,4", trailer="#TRAILER,4,22"
)
#: A roster that brings the somebody, changes one member and has a row that cannot be used.
ROSTER = people(person("E9"), person("E2", action="C"), person("E3", hired="?"), person("E1", day="2026-11-03"))
#: A snapshot that leaves out E3, and names another by a row that cannot be used.
STAFF = people(*[person(each, day="2026-11-10") for each in ("E1", "E9", "E10")], person("E2", hired="?"))
#: Two slices of entries: set, ended, known already, and of a table that nobody has.
ENTRIES = entries(
    "acme.grade,G1,11,,true,2026-07-01,",
    "acme.grade,G2,20,,false,2026-10-01,",
    "acme.none,G1,1,,true,2026-01-01,",
    "acme.grade,G1,11,,true,2026-07-01,",
    "acme.grade,G1,12,,true,2026-09-01,",
)
_STEPS_MAX = 60
_BUCKETS = ("hub-in", "hub-archive", "hub-out", "hub-reject")
Snapshot = dict[str, list[dict[str, Any]]]


@dataclass
class World:
    """One hub and its surroundings, put back to the same start before each run."""

    database: Database
    store: RunningStore
    lateness: timedelta = timedelta()
    #: For how many slices or batches a handler has time.
    patience: int = 1000
    #: What a caller does whose request was not answered.
    asked_again: Callable[[], None] = lambda: None

    def clock(self) -> datetime:
        """Now, moved by what has been waited for."""
        return datetime.now(UTC) + self.lateness

    def intake(self, message: Mapping[str, Any]) -> None:
        """What the file handler does with one message."""
        asked = count()
        in_time = self.patience
        handle = trials.handle if "trial" in message else way.handle
        handle(self.database, message, clock=self.clock, remaining_s=lambda: 900.0 if next(asked) < in_time else 0.0)

    def pump(self) -> None:
        """What the pump's handler does."""
        sources = {"balance": balances.source(self.clock)}
        pump.run(self.database, sources=sources, clock=self.clock, deadline_s=60, chance=Random(7))  # noqa: S311

    def settle(self) -> None:
        """Let messages come back, sweeps and pumps run, and time pass, until nothing is left to do."""
        self.asked_again()
        for _ in range(_STEPS_MAX):
            busy = self.work()
            self.lateness += timedelta(hours=1)
            sweeper.sweep(self.database, clock=self.clock)
            busy += self.work()
            self.pump()
            if not busy and not self._open_work():
                return
        raise AssertionError("The hub did not come to rest.")

    def work(self) -> int:
        """Give the file handler each waiting message, those that it sends too; how many there were."""
        worked = 0
        while waiting := _waiting("files"):
            # It stays in the queue until its handler has succeeded.
            first = waiting[0]
            self.intake(json.loads(first.body))
            waiting.remove(first)
            worked += 1
        return worked

    def files(self) -> list[InboundFile]:
        """Every file that has arrived."""
        with self.database.read() as db:
            return [of_row(row) for row in db.execute(select(inbound_file))]

    def _open_work(self) -> int:
        with self.database.read() as db:
            files = select(func.count()).select_from(inbound_file).where(inbound_file.c.finished_at.is_(None))
            waiting = select(func.count()).select_from(delivery).where(delivery.c.state.in_(("ready", "leased")))
            return int(db.execute(files).scalar_one()) + int(db.execute(waiting).scalar_one())

    def outcome(self) -> dict[str, Any]:
        """Everything that is left behind: the canonical dump, the objects' contents, and the store's customers."""
        return {
            "database": canonical(self.database),
            "objects": {bucket: _contents(bucket) for bucket in _BUCKETS},
            "store": {number: _points(customer) for number, customer in self.store.customers().items()},
        }

    def snapshot(self) -> Snapshot:
        """Every row of every table."""
        with self.database.read() as db:
            return {
                name: [dict(row._mapping) for row in db.execute(select(table))]
                for name, table in metadata.tables.items()
            }

    def restore(self, snapshot: Snapshot) -> None:
        """The database as it was, empty buckets and queues, the store's customers without points."""
        self.database.engine.dispose()
        with self.database.write() as db:
            with_rows = filled(db)
            for table in reversed(metadata.sorted_tables):
                if table.name in with_rows:
                    db.execute(delete(table))
            for table in metadata.sorted_tables:
                if snapshot[table.name]:
                    db.execute(insert(table), snapshot[table.name])
        for bucket in _BUCKETS:
            for key in list(_kept(bucket)):
                _kept(bucket).pop(key)
        for queue in ("files", "deliveries", "backtests", "exports", "schedules"):
            _waiting(queue).clear()
        self.store.call("POST", "/_reset")
        self.store.seed("acme_E1", "acme_E2", "acme_E3", "acme_E9")
        wake.reset()
        self.lateness = timedelta()

    def drop(self, layout: str = "hours", content: str = FILE) -> dict[str, Any]:
        """A file arrives, and the queue says so; the message stays until it is deleted."""
        key = f"acme/{layout}/{layout}.csv"
        objects.put(settings().bucket("hub-in"), key, content.encode())
        message = notification(key)
        queues.send(settings().queue("files"), message)
        return message


def _moto(service: str, place: str) -> Any:
    """What moto keeps of a service: to empty it and look at it by requests would cost more than the handler does."""
    return get_backend(service)[DEFAULT_ACCOUNT_ID][place]


def _waiting(queue: str) -> Any:
    return _moto("sqs", "us-east-1").get_queue(settings().queue(queue))._messages


def _kept(bucket: str) -> Any:
    return _moto("s3", "aws").get_bucket(settings().bucket(bucket)).keys


def _contents(bucket: str) -> dict[str, str]:
    kept = _kept(bucket)
    return {key: kept[key].value.decode("utf-8", "replace") for key in sorted(kept)}


def _points(customer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in customer.items() if name.startswith("c_")}


@contextmanager
def dying() -> Iterator[list[BaseException]]:
    """Run a handler that may die: what it died of is kept, as the worker's log would."""
    died: list[BaseException] = []
    try:
        yield died
    except (Crash, Exception) as error:  # noqa: BLE001 - whatever a handler dies of, its message comes again
        died.append(error)
