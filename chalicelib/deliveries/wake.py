"""Telling the pump that there is work, after the transaction that made it has committed."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Final

from chalicelib.errors import InterlineError
from chalicelib.settings import settings
from chalicelib.storage import queues

INTERVAL_S: Final = 1
"""One message a second and process is enough: it is delivered so late that it covers what is written until then."""

PAUSE_S: Final = 60
"""How long nothing is sent after the queue did not answer."""

MESSAGE: Final = {"pump": True}

log = logging.getLogger(__name__)
_lock = threading.Lock()
_covered_until: datetime | None = None


def wake(*, now: datetime) -> None:
    """Have the pump run in about a second. Call it after the commit; failing to is no error, the schedule pumps too."""
    global _covered_until  # noqa: PLW0603 - one rhythm a process
    with _lock:
        if _covered_until is not None and now < _covered_until <= now + timedelta(seconds=PAUSE_S):
            return
        _covered_until = now + timedelta(seconds=INTERVAL_S)
    try:
        queues.send(settings().queue("deliveries"), MESSAGE, delay_s=INTERVAL_S)
    except InterlineError as error:
        with _lock:
            # A queue that does not answer must not slow down every request: for a while the schedule pumps alone.
            _covered_until = now + timedelta(seconds=PAUSE_S)
        log.warning("The pump could not be woken: the schedule will run it.", extra={"code": error.code})


def reset() -> None:
    """Forget that a wake-up is under way: between tests."""
    global _covered_until  # noqa: PLW0603 - one rhythm a process
    with _lock:
        _covered_until = None
