"""Queue handlers against the real stand-in: what is redelivered, kept invisible, and given up."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from chalice import Chalice
from chalice.app import Rate as ChaliceRate

from chalicelib.operations.firing import Rate
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import queues
from local import event_sources
from local.event_sources import QueuePoller, ScheduleSource, Timings, queue_sources, run_schedule, schedule_sources
from local.provision import _queue

QUICK = Timings(handler_s=60.0, visibility_s=1, beat_s=0.3, wait_s=1)


@pytest.fixture
def queue(stand_in: str) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    _queue(name)
    return name


@pytest.fixture(autouse=True)
def retries_come_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_sources, "_RETRY_MAX_S", 0)


def poller(queue: str, work: Callable[[Any], object], *, batch: int = 1, timings: Timings = QUICK) -> QueuePoller:
    """A poller of the one SQS handler that a Chalice app registers."""
    app = Chalice("test")

    @app.on_sqs_message(queue=queue, batch_size=batch)
    def handler(event):
        return work(event)

    [source] = queue_sources(app)
    return QueuePoller(source, timings)


def waiting(queue: str) -> int:
    attributes = aws_clients.client("sqs").get_queue_attributes(QueueUrl=queues.url_of(queue), AttributeNames=["All"])[
        "Attributes"
    ]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


class TestQueuePoller:
    def test_gives_the_handler_the_event_that_lambda_would(self, queue: str):
        seen: list[Any] = []
        queues.send(queue, {"n": 1})

        poller(queue, lambda event: seen.append((event.to_dict(), event.context))).poll_once()

        [(event, context)] = seen
        [record] = event["Records"]
        assert json.loads(record["body"]) == {"n": 1}
        assert record["eventSource"] == "aws:sqs"
        assert record["eventSourceARN"].endswith(f":{queue}")
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
        assert record["messageId"]
        assert record["receiptHandle"]
        assert 59_000 < context.get_remaining_time_in_millis() <= 60_000

    def test_deletes_a_message_only_after_its_handler_succeeded(self, queue: str):
        left: list[int] = []
        queues.send(queue, {})

        poller(queue, lambda _event: left.append(waiting(queue))).poll_once()

        assert left == [1]
        assert waiting(queue) == 0

    def test_delivers_again_what_failed(self, queue: str):
        tries: list[str] = []

        def fails_once(event: Any) -> None:
            [record] = event.to_dict()["Records"]
            tries.append(record["attributes"]["ApproximateReceiveCount"])
            if len(tries) == 1:
                raise RuntimeError("the first try")

        queues.send(queue, {})
        consumer = poller(queue, fails_once)

        consumer.poll_once()
        consumer.poll_once()

        assert tries == ["1", "2"]
        assert waiting(queue) == 0

    def test_gives_up_after_five_tries_and_keeps_the_message(self, queue: str):
        tries: list[int] = []

        def fails(_event: Any) -> None:
            tries.append(1)
            raise RuntimeError("always")

        queues.send(queue, {"poison": True})
        consumer = poller(queue, fails)
        for _ in range(7):
            consumer.poll_once()

        assert len(tries) == 5
        assert (waiting(queue), waiting(f"{queue}-dead")) == (0, 1)

    def test_a_message_whose_handler_died_comes_back(self, queue: str):
        seen: list[int] = []

        def dies_once(_event: Any) -> None:
            seen.append(1)
            if len(seen) == 1:
                raise SystemExit  # not an Exception: as a crash, nothing is answered

        queues.send(queue, {})
        consumer = poller(queue, dies_once)
        with pytest.raises(SystemExit):
            consumer.poll_once()

        deadline = time.monotonic() + 5
        while len(seen) < 2 and time.monotonic() < deadline:
            consumer.poll_once()

        assert len(seen) == 2
        assert waiting(queue) == 0

    def test_nobody_else_gets_a_message_while_its_handler_works(self, queue: str):
        seen: list[str] = []

        def slow(_event: Any) -> None:
            seen.append("slow")
            time.sleep(6)  # twice as long as a message stays invisible without a heartbeat

        queues.send(queue, {})
        steady = Timings(handler_s=60.0, visibility_s=3, beat_s=0.3, wait_s=1)
        working = threading.Thread(target=poller(queue, slow, timings=steady).poll_once)
        working.start()
        time.sleep(0.2)
        other = poller(queue, lambda _event: seen.append("other"))
        while working.is_alive():
            other.poll_once()
        working.join()

        assert seen == ["slow"]

    def test_a_handler_over_its_time_limit_loses_its_message(self, queue: str):
        seen: list[str] = []
        over = Timings(handler_s=0.1, visibility_s=1, beat_s=0.3, wait_s=1)

        def hangs(_event: Any) -> None:
            seen.append("hangs")
            time.sleep(2.5)

        queues.send(queue, {})
        working = threading.Thread(target=poller(queue, hangs, timings=over).poll_once)
        working.start()
        time.sleep(0.2)
        other = poller(queue, lambda _event: seen.append("other"))
        while working.is_alive() and len(seen) < 2:
            other.poll_once()
        working.join()

        assert seen == ["hangs", "other"]

    def test_only_the_failed_part_of_a_batch_comes_back(self, queue: str):
        seen: list[list[int]] = []

        def fails_two(event: Any) -> object:
            records = event.to_dict()["Records"]
            numbers = [json.loads(record["body"])["n"] for record in records]
            seen.append(sorted(numbers))
            failed = [record["messageId"] for record, n in zip(records, numbers, strict=True) if n == 2]
            return {"batchItemFailures": [{"itemIdentifier": one} for one in failed if len(seen) == 1]}

        for n in (1, 2, 3):
            queues.send(queue, {"n": n})
        consumer = poller(queue, fails_two, batch=10)

        consumer.poll_once()
        consumer.poll_once()

        assert seen == [[1, 2, 3], [2]]
        assert waiting(queue) == 0

    def test_goes_on_when_the_queue_is_gone_for_a_while(self, queue: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(event_sources, "_PAUSE_S", 0.1)
        stopping = threading.Event()
        sqs = aws_clients.client("sqs")
        sqs.delete_queue(QueueUrl=queues.url_of(queue))
        running = threading.Thread(target=poller(queue, lambda _event: stopping.set()).run, args=(stopping,))
        running.start()
        time.sleep(0.5)

        _queue(queue)
        queues.send(queue, {})
        running.join(10)

        assert stopping.is_set()
        assert not running.is_alive()


class TestRunSchedule:
    @pytest.fixture
    def stopping(self) -> Iterator[threading.Event]:
        event = threading.Event()
        yield event
        event.set()

    def run(self, work: Callable[[Any, Any], object], every: timedelta, stopping: threading.Event, for_s: float):
        source = ScheduleSource("tick", Rate(every), work)
        thread = threading.Thread(target=run_schedule, args=(source, QUICK, stopping))
        thread.start()
        time.sleep(for_s)
        stopping.set()
        thread.join()

    def test_runs_at_start_and_at_its_rate(self, stopping: threading.Event):
        calls: list[float] = []

        self.run(lambda _e, _c: calls.append(time.monotonic()), timedelta(seconds=0.4), stopping, 1.0)

        assert len(calls) == 3
        assert [round(later - earlier, 1) for earlier, later in pairwise(calls)] == [0.4, 0.4]

    def test_never_runs_twice_at_a_time_and_leaves_out_what_it_missed(self, stopping: threading.Event):
        calls: list[float] = []

        def slow(_event: Any, _context: Any) -> None:
            calls.append(time.monotonic())
            time.sleep(0.5)

        self.run(slow, timedelta(seconds=0.2), stopping, 1.1)

        assert len(calls) == 2

    def test_goes_on_after_a_failure(self, stopping: threading.Event):
        calls: list[str] = []

        def fails(event: Any, _context: Any) -> None:
            calls.append(event["detail-type"])
            raise RuntimeError("this time")

        self.run(fails, timedelta(seconds=0.3), stopping, 0.5)

        assert calls == ["Scheduled Event", "Scheduled Event"]


class TestSources:
    def test_finds_every_handler_that_the_app_registers(self):
        app = Chalice("test")

        @app.on_sqs_message(queue="one", batch_size=500, maximum_concurrency=7)
        def first(_event):
            return "first"

        @app.schedule(ChaliceRate(5, unit=ChaliceRate.MINUTES))
        def second(_event):
            return "second"

        [queue] = queue_sources(app)
        [schedule] = schedule_sources(app)

        assert (queue.name, queue.queue, queue.batch_max, queue.concurrency) == ("first", "one", 10, 7)
        assert queue.handler({"Records": []}, None) == "first"
        assert schedule.schedule == Rate(timedelta(minutes=5))
