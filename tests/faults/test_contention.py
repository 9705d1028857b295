"""Ten writers take in overlapping files while fifty clients accrue, hold, spend and refund; on MariaDB.

Nothing is lost, made or posted twice, no file and no request fails, and lost races for locks are tried again and
counted. That there are some is seen to: two more writers lock accounts crosswise.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.models import heartbeat
from chalicelib.access.scopes import Role
from chalicelib.errors import DatabaseUnavailable
from chalicelib.files.rows import conserving
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members.members import by_employee
from chalicelib.partners.provenance import BY_API
from chalicelib.points.earning import accruals
from chalicelib.points.ledger import accounts
from chalicelib.points.models.ledger import account, accrual_event, lot, transfer
from chalicelib.points.proof import checks
from chalicelib.settings import settings
from chalicelib.storage.engine import Database
from tests.api.conftest import Clock, api, edge_clock
from tests.factories import points
from tests.factories.access import make_user_key
from tests.factories.files import CODE, Hub, hours, make_hub, received
from tests.factories.gateway import Api
from tests.factories.points import CALLER, NOW

__all__ = ["Clock", "api", "edge_clock"]

WRITERS, CLIENTS, CROSSWISE = 10, 50, 2
ROWS_OF_CROSSWISE = 60
FILES, ROWS, STEP = 10, 300, 100
EVENTS = STEP * (FILES - 1) + ROWS
EMPLOYEES = [f"E{number}" for number in range(1, 25)]
SLICE_ROWS = 60
ROUNDS_OF_CLIENT = 2
_DEADLINE_S = 60.0

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def database(mariadb_database: Database) -> Database:
    """Only MySQL lets two writers in at once."""
    return mariadb_database


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file is many transactions."""
    monkeypatch.setenv("INTERLINE_SLICE_ROWS", str(SLICE_ROWS))
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def hub(database: Database, aws: None, small_slices: None) -> Hub:
    """Partner acme whose members already have points to spend."""
    made = make_hub(database, members=EMPLOYEES)
    with database.write() as db:
        first = [points.event(employee_id=each, event_id=f"first-{each}", quantity=Decimal(20)) for each in EMPLOYEES]
        points.record(db, made.partner, first)
    return made


@pytest.fixture
def key(database: Database, hub: Hub) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@dataclass
class Told:
    """What the clients were answered, and how often."""

    answers: Counter[tuple[str, int, str | None]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, status: int, code: str | None) -> None:
        with self.lock:
            self.answers[what, status, code] += 1

    @property
    def unexpected(self) -> dict[tuple[str, int, str | None], int]:
        """Answers that are neither done, nor done before, nor too few points."""
        return {
            told: many
            for told, many in self.answers.items()
            if told[1] not in {200, 201} and told[2] != "insufficient_points"
        }


def event_of(number: int) -> dict[str, str]:
    """The event of this number, the same in every file and request."""
    draw = Random(number)  # noqa: S311 - the same event every time
    return {
        "event_id": f"shared-{number:05}",
        "employee_id": draw.choice(EMPLOYEES),
        "event_date": date(2026, 11, draw.randrange(2, 16)).isoformat(),
        "quantity": str(Decimal(draw.randrange(25, 900, 25)) / 100),
    }


def file_of(number: int) -> str:
    """Two thirds of its events are in the file before it, and in the one after it, in another order."""
    events = [event_of(each) for each in range(number * STEP, number * STEP + ROWS)]
    Random(number).shuffle(events)  # noqa: S311 - repeatable
    return hours(
        *(f"{each['event_id']},{each['employee_id']},{each['event_date']},{each['quantity']}" for each in events)
    )


def as_accrual(number: int) -> points.NewAccrual:
    """The same as ``accruals.record`` takes it."""
    given = event_of(number)
    return points.event(
        event_id=given["event_id"],
        employee_id=given["employee_id"],
        event_date=date.fromisoformat(given["event_date"]),
        quantity=Decimal(given["quantity"]),
    )


class Client:
    """One API client: it sends events that files bring too, holds, captures, releases, redeems and refunds."""

    def __init__(self, api: Api, key: str, told: Told, number: int) -> None:
        self._api, self._key, self._told, self._number = api, key, told, number
        self._draw = Random(1000 + number)  # noqa: S311 - repeatable choices
        self._names = (f"c{number}-{at}" for at in count())

    def ask(self, what: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None for a refusal."""
        answered = self._api.post(path, body, key=self._key, headers={"Idempotency-Key": next(self._names)})
        self._told.note(what, answered.status, answered.code)
        found: dict[str, Any] | None = answered.json if answered.status in {200, 201} else None
        return found

    def work(self) -> None:
        """A few rounds of everything."""
        for _ in range(ROUNDS_OF_CLIENT):
            event = event_of(self._draw.randrange(EVENTS))
            sent = {"partner_code": CODE, "program_code": "uniform", "event_type": "HOURS", "unit": "HOUR", **event}
            self.ask("accrual", "/v1/accruals", sent)
            of = {"partner_code": CODE, "program_code": "uniform", "employee_id": self._draw.choice(EMPLOYEES)}
            held = self.ask("hold", "/v1/holds", {**of, "points": "3", "reference": next(self._names), "ttl_s": 600})
            if held is not None:
                path = f"/v1/holds/{held['id']}"
                self.ask("capture", f"{path}/capture", {"reference": "s", "points": "2"})
                self.ask("release", f"{path}/release", {})
            lines = [{"line": "1", "points": "1.25"}]
            sold = self.ask("redemption", "/v1/redemptions", {**of, "reference": next(self._names), "lines": lines})
            if sold is not None:
                back = {"reference": "r", "lines": [{"line": "1", "points": "0.50"}]}
                self.ask("refund", f"/v1/redemptions/{sold['id']}/refund", back)


def crosswise(database: Database, hub: Hub, number: int, over: threading.Event) -> None:
    """Lock two accounts in an order that for one of the two such writers is not everybody's, until all is over.

    The server gives up the transaction that has changed the fewest rows. This one changes many, so it is mostly the
    others that lose: the slices of files, which lock many accounts.
    """
    assert hub.program is not None
    with database.read() as db:
        known = by_employee(db, hub.partner.id, EMPLOYEES[:2])
    ids = sorted((account_id(hub.program.id, MEMBER, each.id) for each in known.values()), reverse=number % 2 == 1)
    names = [f"crosswise-{number}-{at}" for at in range(ROWS_OF_CROSSWISE)]
    with database.write() as db:
        db.execute(insert(heartbeat), [{"name": name, "at": NOW, "ok": True} for name in names])

    def lock_both(db: Connection) -> None:
        db.execute(update(heartbeat).where(heartbeat.c.name.in_(names)).values(ok=~heartbeat.c.ok))
        for each in ids:
            accounts.lock(db, each)
            time.sleep(0.004)

    while not over.wait(0.02):
        # Nobody waits for it, so it may give up after six lost races.
        with suppress(DatabaseUnavailable):
            database.run(lock_both)


def all_at_once(
    database: Database, hub: Hub, writers: Sequence[Callable[[], None]], clients: Sequence[Callable[[], None]]
) -> None:
    """Writers and clients together, beside those that lock crosswise; raises what any of them raised."""
    over = threading.Event()
    with ThreadPoolExecutor(len(writers) + len(clients) + CROSSWISE) as pool:
        crossing = [pool.submit(crosswise, database, hub, number, over) for number in range(CROSSWISE)]
        try:
            for done in [pool.submit(work) for work in (*writers, *clients)]:
                done.result()
        finally:
            over.set()
        for done in crossing:
            done.result()


def figure(title: str, database: Database, told: Told, before: Counter[str], started: float) -> str:
    lost = Counter(database.races_lost)
    lost.subtract(before)
    kinds = ", ".join(f"{many} {race}" for race, many in sorted(lost.items()) if many) or "none"
    short = sum(many for (_, _, code), many in told.answers.items() if code == "insufficient_points")
    return (
        f"contention: {title}, {CLIENTS} clients: {sum(told.answers.values())} requests ({short} found too few points),"
        f" {time.perf_counter() - started:.1f} s, lost races tried again: {kinds}"
    )


def assert_every_event_once(database: Database, numbers: set[int]) -> None:
    """Each event is stored and posted once, and the ledger adds up."""
    with database.read() as db:
        assert checks.check(db) == []
        stored = db.execute(select(accrual_event.c.event_id, accrual_event.c.points_minor)).all()
        expected = {event_of(number)["event_id"] for number in numbers} | {f"first-{each}" for each in EMPLOYEES}
        assert len(stored) == len(expected)
        assert {each.event_id for each in stored} == expected
        earned = select(func.count(), func.sum(transfer.c.amount_minor)).where(transfer.c.kind == "accrual")
        assert tuple(db.execute(earned).one()) == (len(stored), sum(each.points_minor for each in stored))
        counted = func.sum(account.c.credits_posted - account.c.debits_posted)
        balance = db.execute(select(counted).where(account.c.kind == MEMBER)).scalar_one()
        assert db.execute(select(func.sum(lot.c.remaining_minor))).scalar_one() == balance
        assert db.execute(select(func.sum(lot.c.held_minor))).scalar_one() == 0


class TestTenWritersAndFiftyClients:
    def test_every_file_is_processed_and_every_event_counts_once(
        self, database: Database, hub: Hub, api: Api, key: str, record_property: Callable[[str, object], None]
    ):
        told, started, before = Told(), time.perf_counter(), Counter(database.races_lost)
        messages = [hub.drop("hours", file_of(number), name=f"file-{number}.csv") for number in range(FILES)]
        received()  # what moto's bucket may have queued itself: each writer is told of every file

        def write(number: int) -> None:
            # Notifications come more than once and in any order; a file that is not yet its turn's is come back to.
            mine = messages[number:] + messages[:number]
            while time.perf_counter() - started < _DEADLINE_S:
                for message in (*mine, *received()):
                    hub.handle(message)
                if all(file.finished_at is not None for file in hub.files()) and len(hub.files()) == FILES:
                    return
            raise AssertionError("The files are not finished in time.")

        writers = [lambda number=number: write(number) for number in range(WRITERS)]
        clients = [Client(api, key, told, number).work for number in range(CLIENTS)]
        all_at_once(database, hub, writers, clients)

        record_property("figure", figure(f"{WRITERS} handlers of {FILES} files", database, told, before, started))
        assert told.unexpected == {}
        files = hub.files()
        assert [file.state for file in files] == ["processed"] * FILES
        assert [(file.rows_total, file.rows_accepted + file.rows_duplicate) for file in files] == [(ROWS, ROWS)] * FILES
        with database.read() as db:
            assert [broken for file in files for broken in conserving.breaks(db, file)] == []
        assert_every_event_once(database, set(range(EVENTS)))
        assert Counter(database.races_lost)["deadlock"] > before["deadlock"]

    def test_slices_that_overlap_at_the_same_time_are_each_told_what_became_of_their_rows(
        self, database: Database, hub: Hub, api: Api, key: str, record_property: Callable[[str, object], None]
    ):
        told, started, before = Told(), time.perf_counter(), Counter(database.races_lost)
        outcomes: Counter[str] = Counter()
        counting = threading.Lock()

        def write(number: int) -> None:
            numbers = list(range(EVENTS // 2))
            Random(number).shuffle(numbers)  # noqa: S311 - repeatable
            for start in range(0, len(numbers), SLICE_ROWS):
                events = [as_accrual(each) for each in numbers[start : start + SLICE_ROWS]]
                recorded = database.run(
                    lambda db, events=events: accruals.record(  # type: ignore[misc]
                        db, hub.partner, events, sources=[BY_API] * len(events), caller=CALLER, now=NOW
                    )
                )
                with counting:
                    outcomes.update(each.outcome for each in recorded)

        writers = [lambda number=number: write(number) for number in range(WRITERS)]
        clients = [Client(api, key, told, number).work for number in range(CLIENTS)]
        all_at_once(database, hub, writers, clients)

        record_property("figure", figure(f"{WRITERS} writers of the same rows", database, told, before, started))
        assert told.unexpected == {}
        by_client = sum(many for (what, status, _), many in told.answers.items() if (what, status) == ("accrual", 201))
        assert outcomes.keys() == {"posted", "duplicate"}
        with database.read() as db:
            stored = set(db.execute(select(accrual_event.c.event_id)).scalars())
        assert outcomes["posted"] + by_client + len(EMPLOYEES) == len(stored)
        assert sum(outcomes.values()) == WRITERS * (EVENTS // 2)
        assert_every_event_once(database, {int(each[7:]) for each in stored if each.startswith("shared-")})
        assert Counter(database.races_lost)["deadlock"] > before["deadlock"]
