"""Several workers on one outbox, on both engines: nothing twice, nothing out of order, bounds that hold over all."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from sqlalchemy import true, update

from chalicelib.deliveries import claiming, senders, settling, targets
from chalicelib.deliveries.models import target
from tests.factories.deliveries import Pump, applied_versions

WORKERS = 4
INFLIGHT_MAX = 3
CUSTOMERS = 30
CHANGES = 120


class Gauge:
    """How many batches are on their way at once, over all workers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.batch_s = 0.01

    def around(self, real):
        gauge = self

        class Measured:
            limits = real.limits

            @staticmethod
            def deliver(batch):
                with gauge.lock:
                    gauge.now += 1
                    gauge.most = max(gauge.most, gauge.now)
                try:
                    time.sleep(gauge.batch_s)
                    return real.deliver(batch)
                finally:
                    with gauge.lock:
                        gauge.now -= 1

        return Measured()


@pytest.fixture
def gauge(monkeypatch):
    measuring = Gauge()
    original = senders.connector
    monkeypatch.setattr(senders, "connector", lambda found: measuring.around(original(found)))
    return measuring


def claim(pump, balances):
    with pump.database.read() as db:
        [found] = targets.of_partner(db, balances.partner_id)
    sources = balances.sources
    return pump.database.run(lambda db: claiming.claim(db, found.id, sources=sources, now=pump.now, chance=pump.chance))


def deliver_and_settle(pump, claimed):
    results = senders.connector(claimed.target).deliver([each.message for each in claimed.batch])
    sent = [
        settling.Sent(each.row.id, each.attempt, claimed.lease_id, result, noted=result.outcome.value)
        for each, result in zip(claimed.batch, results, strict=True)
    ]

    def settle(db):
        found = targets.by_id(db, claimed.target.id, locked=True)
        return settling.settle(db, found, sent, now=pump.now, chance=pump.chance)

    pump.database.run(settle)


class TestFourWorkersAndABusyStore:
    def test_deliver_every_newest_state_once_in_order_within_the_bound(self, pump, balances, store, gauge):
        numbers = [f"{n:03}" for n in range(CUSTOMERS)]
        store.seed(*numbers)
        keys = balances.open(*numbers)
        poison = keys[0]
        balances.names[poison] = "x" * 300
        with pump.database.write() as db:
            db.execute(update(target).values(inflight_max=INFLIGHT_MAX, batch_max=4, attempts_max=50))
        balances.change(*keys)
        dead_worker = claim(pump, balances)
        for fault in ({"status": 503}, {"status": 500}, {"status": 429}, {"status": 503, "retry_after": 7}):
            store.fault(**fault, times=6)

        work_while_balances_change(pump, balances, keys)

        assert len(dead_worker.batch) == 4
        states = {(row.entity_key == poison, row.state) for row in pump.deliveries()}
        assert {state for poisoned, state in states if not poisoned} <= {"confirmed", "superseded"}
        assert (True, "dead") in states
        applied = applied_versions(store)
        assert balances.numbers[poison] not in applied
        newest = balances.versions()
        for number in numbers[1:]:
            assert applied[number] == sorted(set(applied[number])), "each version once, none after a newer one"
            assert applied[number][-1] == newest[number]
        assert gauge.most <= INFLIGHT_MAX


class TestFourWorkersAndAQuietStore:
    def test_use_the_whole_bound_and_not_more(self, pump, balances, store, gauge):
        numbers = [f"{n:03}" for n in range(60)]
        store.seed(*numbers)
        with pump.database.write() as db:
            db.execute(update(target).values(inflight_max=INFLIGHT_MAX, batch_max=2))
        balances.change(*balances.open(*numbers))
        gauge.batch_s = 0.1

        with ThreadPoolExecutor(WORKERS) as threads:
            workers = [Pump(pump.database, balances) for _ in range(WORKERS)]
            reports = list(threads.map(lambda worker: worker.run(), workers))

        assert gauge.most == INFLIGHT_MAX
        assert sum(report.states["confirmed"] for report in reports) == len(store.requests()) == 60


def work_while_balances_change(pump, balances, keys):
    """Rounds of four workers at once, during the first of which the balances change, until nothing is due."""
    chance = Random(3)  # noqa: S311 - a repeatable test
    with ThreadPoolExecutor(WORKERS + 1) as threads:
        changing = threads.submit(
            lambda: [balances.change(*chance.sample(keys, 3), now=pump.clock()) for _ in range(CHANGES)]
        )
        for round_no in itertools.count():
            workers = [Pump(pump.database, balances, now=pump.now, chance=Random(n)) for n in range(WORKERS)]  # noqa: S311
            for done in [threads.submit(worker.run) for worker in workers]:
                done.result()
            pump.advance(400)
            states = [row.state for row in pump.deliveries()]
            if changing.done() and states.count("ready") <= 1 and "leased" not in states:
                changing.result()
                return
            assert round_no < 60, "the outbox does not come to rest"


class TestTwoStatesOfOneRecord:
    def overtake(self, pump, balances):
        """A worker that is slow between its claim and its request; meanwhile the record changes and another works."""
        slow = claim(pump, balances)
        [key] = [each.message.key for each in slow.batch]
        balances.change(key)
        Pump(pump.database, balances, now=pump.now).run()
        deliver_and_settle(pump, slow)
        Pump(pump.database, balances, now=pump.now).run()

    @pytest.fixture
    def changed(self, pump, balances, store):
        store.seed("42")
        with pump.database.write() as db:
            db.execute(update(target).values(inflight_max=2))
        balances.change(*balances.open("42"))

    @pytest.mark.usefixtures("changed")
    def test_never_overtake_each_other(self, pump, balances, store):
        self.overtake(pump, balances)

        assert applied_versions(store) == {"42": [1, 2]}

    @pytest.mark.usefixtures("changed")
    def test_would_overtake_each_other_without_the_condition_on_the_head_of_the_key(
        self, pump, balances, store, monkeypatch
    ):
        monkeypatch.setattr(claiming, "HEAD_OF_ITS_KEY", true())

        self.overtake(pump, balances)

        assert applied_versions(store) == {"42": [2, 1]}, "the negative control: the condition is what keeps the order"
