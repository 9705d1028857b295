"""A rule is promoted while twenty clients record: no request fails, and each event is decided once, by one version."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from chalicelib.points.models.ledger import accrual_event
from chalicelib.points.proof import checks
from chalicelib.web import clock
from tests.factories import partners
from tests.factories.access import make_user_key
from tests.factories.points import NOW, make_earning
from tests.factories.rules import accrual_document

CLIENTS = 20
#: How many requests of all clients come before the promotion begins, and how many of each after it has ended.
BEFORE = 4 * CLIENTS
AFTER_EACH = 8
#: However long the promotion waits for its turn.
REQUESTS_EACH_MAX = 500
#: Events from this day on are the new version's, once it is promoted.
SWITCH = "2026-11-10"
DAYS = ("2026-11-02", SWITCH, "2026-11-09", "2026-11-15")

pytestmark = pytest.mark.usefixtures("data_key")


@dataclass(frozen=True)
class Sent:
    """One request: when it began and ended, and what was answered."""

    event_id: str
    day: str
    began: float
    ended: float
    status: int
    points: str | None


@pytest.fixture
def running_clock(monkeypatch):
    """The edge's clock goes on, as it does outside of tests."""
    started = time.monotonic()
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=time.monotonic() - started))


def test_a_promotion_under_load(api, database, running_clock):
    with database.write() as db:
        earning = make_earning(db, document=accrual_document(rate="1"))
        members = list(partners.make_members(db, earning.partner, CLIENTS))
        key = make_user_key(db)[1]
    path = f"/v1/rulesets/{earning.version.ruleset_code}"
    draft = {"document": accrual_document(earning.version.ruleset_code, rate="2")}
    assert api.post(f"{path}/versions", draft, key=key).status == 201
    answered, switched = threading.Semaphore(0), threading.Event()

    def client(number: int) -> list[Sent]:
        sent: list[Sent] = []
        left = AFTER_EACH
        # Twenty writers of SQLite may keep the promotion waiting: they go on until it is done, so that it meets them.
        while left and len(sent) < REQUESTS_EACH_MAX:
            left -= switched.is_set()
            turn = len(sent)
            # Each event is sent by two clients: it is decided once all the same.
            event_id, day = f"event-{number // 2}-{turn}", DAYS[turn % len(DAYS)]
            body = {
                "partner_code": earning.partner.code,
                "program_code": "uniform",
                "event_id": event_id,
                "employee_id": members[number // 2],
                "event_type": "HOURS",
                "event_date": day,
                "quantity": "10",
                "unit": "HOUR",
            }
            began = time.monotonic()
            answer = api.post("/v1/accruals", body, key=key)
            sent.append(Sent(event_id, day, began, time.monotonic(), answer.status, answer.json.get("points")))
            answered.release()
        return sent

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(client, number) for number in range(CLIENTS)]
        for _ in range(BEFORE):
            answered.acquire()
        began = time.monotonic()
        promoted = api.post(f"{path}/versions/2/promote", {"effective_from": SWITCH}, key=key)
        ended = time.monotonic()
        switched.set()
        everything = [one for done in working for one in done.result()]

    assert promoted.status == 200, promoted.text
    assert {one.status for one in everything} == {200, 201}
    told = {(one.event_id, one.points) for one in everything}
    first = Counter(one.event_id for one in everything if one.status == 201)
    assert first == dict.fromkeys((event_id for event_id, _ in told), 1), "an event was decided twice, or not at all"
    assert len(told) == len(first), "two clients were told different points for one event"
    by_id = dict(told)
    for one in (one for one in everything if one.status == 201):
        if one.day < SWITCH or one.ended < began:
            assert by_id[one.event_id] == "10.00", one
        elif one.began > ended:
            assert by_id[one.event_id] == "20.00", one
    # Without both, nothing was switched while they worked.
    assert {by_id[one.event_id] for one in everything if one.day >= SWITCH} == {"10.00", "20.00"}
    with database.read() as db:
        stored = db.execute(select(accrual_event)).all()
        assert checks.check(db) == []
    old = earning.version.version_id
    assert sorted(row.event_id for row in stored) == sorted(by_id)
    assert all((row.points_minor == 1000) == (row.ruleset_version_id == old) for row in stored)
