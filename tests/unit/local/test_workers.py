"""The workers' process: it ends after the handlers in hand, and as a whole when one of its threads crashes."""

import os
import subprocess
import sys
import threading
import time
import uuid

import pytest
from chalice import Chalice

from chalicelib.storage import queues
from local import workers
from local.event_sources import Timings
from local.home import REPOSITORY
from local.provision import _queue

QUICK = Timings(handler_s=60.0, visibility_s=5, beat_s=1.0, wait_s=1)
CRASH = """
import threading
from chalice import Chalice
from local import workers
from local.event_sources import Timings

app = Chalice("crash")

@app.schedule("rate(1 minute)")
def tick(event):
    raise SystemExit("not an ordinary failure")

workers.run(app, Timings(), threading.Event())
"""
HELD = """
import threading
from chalice import Chalice
from local import workers
from local.event_sources import Timings

app = Chalice("held")

@app.schedule("rate(1 minute)")
def tick(event):
    print("begun", flush=True)
    threading.Event().wait()

workers.run(app, Timings(), workers.stopped_by_sigterm(0.5))
"""


@pytest.mark.usefixtures("stand_in")
class TestRun:
    def test_finishes_the_handler_in_hand_and_takes_no_more(self):
        queue = f"test-{uuid.uuid4().hex[:8]}"
        _queue(queue)
        app, stopping, log = Chalice("test"), threading.Event(), []

        @app.on_sqs_message(queue=queue, maximum_concurrency=2)
        def handler(event):
            log.append("begun")
            stopping.set()
            time.sleep(1.5)
            log.append("ended")

        queues.send(queue, {})
        running = threading.Thread(target=workers.run, args=(app, QUICK, stopping))
        running.start()
        assert stopping.wait(10)
        queues.send(queue, {})
        running.join(10)

        assert log == ["begun", "ended"]

    def test_calls_queues_and_schedules_side_by_side(self):
        queue = f"test-{uuid.uuid4().hex[:8]}"
        _queue(queue)
        app, stopping, seen = Chalice("test"), threading.Event(), set()
        both = threading.Barrier(2, timeout=10)

        @app.on_sqs_message(queue=queue)
        def message(event):
            both.wait()
            seen.add("message")

        @app.schedule("rate(1 hour)")
        def tick(event):
            both.wait()
            seen.add("tick")
            stopping.set()

        queues.send(queue, {})
        workers.run(app, QUICK, stopping)

        assert seen == {"message", "tick"}


class TestCrash:
    def test_of_one_thread_ends_the_whole_process(self):
        ended = subprocess.run(
            [sys.executable, "-c", CRASH],
            cwd=REPOSITORY,
            env={**os.environ, "INTERLINE_DATABASE_URL": "sqlite://"},
            capture_output=True,
            timeout=30,
            check=False,
        )

        assert ended.returncode == 70


def test_a_handler_that_waits_for_ever_does_not_hold_the_process():
    with subprocess.Popen([sys.executable, "-c", HELD], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"

            process.terminate()

            assert process.wait(30) == 0
        finally:
            process.kill()
