"""``python -m local.workers``: the process that polls the queues and schedules of the local hub.

Ends after the handlers in hand when it gets SIGTERM. Any other end of one of its threads ends the whole process at
once, as a crash ends a Lambda environment; the supervisor starts it again.
"""

import argparse
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

from chalice.app import Chalice

from chalicelib.errors import InterlineError
from chalicelib.settings import settings
from chalicelib.web import logs
from local.event_sources import QueuePoller, Timings, queue_sources, run_schedule, schedule_sources

log = logging.getLogger("local.workers")

_CRASHED = 70
#: What a handler in hand gets to end; less than the supervisor gives the process.
_GRACE_S = 4.0


def run(app: Chalice, timings: Timings, stopping: threading.Event) -> None:
    """Serve every event source of ``app`` until ``stopping`` is set and the handlers in hand have ended."""
    threads = [
        _thread(f"queue {source.name}", partial(QueuePoller(source, timings).run, stopping))
        for source in queue_sources(app)
        for _ in range(source.concurrency)
    ]
    threads += [
        _thread(f"schedule {source.name}", partial(run_schedule, source, timings, stopping))
        for source in schedule_sources(app)
    ]
    log.info("Workers are ready: %s.", ", ".join(sorted({thread.name for thread in threads})))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _recover(stopping: threading.Event) -> None:
    """Queue again what the last hub of this home left unfinished, at once and when the leases it held have ended."""
    from chalicelib.files.intake import sweeper
    from chalicelib.storage.engine import database
    from chalicelib.web import clock

    for wait_s in (0, settings().file_lease_s + 1):
        if stopping.wait(wait_s):
            return
        try:
            sweeper.sweep(database(), clock=clock.now, grace_s=0)
        except InterlineError as error:
            # The schedule of the same name tries again within a minute.
            log.warning("Unfinished files could not be looked for.", extra={"code": error.code})


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    def guarded() -> None:
        try:
            work()
        except BaseException:
            log.critical("A worker crashed.", exc_info=True, extra={"worker": name})
            logging.shutdown()
            os._exit(_CRASHED)

    return threading.Thread(target=guarded, name=name, daemon=True)


def stopped_by_sigterm(grace_s: float) -> threading.Event:
    """An event that SIGTERM sets; ``grace_s`` later the process ends, whatever a handler waits for.

    A service that went first can hold a handler for long; what it leaves undone, the next hub takes up.
    """
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()
        ending = threading.Timer(grace_s, os._exit, (0,))
        ending.daemon = True
        ending.start()

    signal.signal(signal.SIGTERM, stop)
    return stopping


def main(arguments: list[str]) -> None:
    """Start the workers of ``app.app``."""
    parser = argparse.ArgumentParser(prog="python -m local.workers", description=__doc__)
    parser.add_argument("--handler-timeout", type=float, default=900.0, help="seconds a handler may take")
    parser.add_argument("--visibility", type=int, default=30, help="seconds between signs of life")
    chosen = parser.parse_args(arguments)
    logs.configure()
    faulthandler.register(signal.SIGUSR1)
    import app

    stopping = stopped_by_sigterm(_GRACE_S)
    # Ctrl-C reaches every process of the terminal; the supervisor decides when this one stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _thread("recovery", partial(_recover, stopping)).start()
    run(app.app, Timings(chosen.handler_timeout, chosen.visibility, chosen.visibility / 3), stopping)


if __name__ == "__main__":
    main(sys.argv[1:])
