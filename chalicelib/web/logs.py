"""Structured logs: one JSON object a line, with the correlation id of the request, file or message at work.

Every room logs through the standard library: ``log = logging.getLogger(__name__)`` and
``log.info("File applied.", extra={"file_id": …})``. The message is a fixed sentence without values; values go into
``extra``, under the names of ``FIELDS``, each of which is safe by nature. Nothing personal and no key can follow:
unlisted names are dropped, keys and mail addresses are masked wherever they turn up, of other libraries' messages only
the template is kept, and of foreign exceptions only type and place.
"""

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

from chalicelib.errors import InterlineError
from chalicelib.settings import settings
from chalicelib.storage.ids import new_id

#: The names that may be logged: codes, counts, times, places and our own identifiers.
FIELDS: Final = frozenset(
    {
        "actor", "backtest_id", "code", "count", "delivery_id", "duration_ms", "error_type", "export", "export_id",
        "file_id", "handler", "key_id", "layout", "message_id", "method", "object_key", "partner", "queue",
        "rollback_id", "route", "schedule", "state", "status", "target", "whose", "worker",
    }
)  # fmt: skip
_OURS: Final = ("chalicelib", "app", "interline", "local", "cli")
_CORRELATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,63}")
_MASKS: Final = (
    (re.compile(r"ilk_[0-9a-z]+_[0-9A-Za-z_-]+"), "ilk_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"), "***@***"),
)
_FRAMES_MAX: Final = 40
_CAUSES_MAX: Final = 5

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")


def correlation_of(given: str | None) -> str:
    """The caller's correlation id if it is well formed (8 to 64 letters, digits and ``._:-``), else a new one."""
    if given is not None and _CORRELATION.fullmatch(given):
        return given
    return new_id().hex()


@contextlib.contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Put the id on every line that is logged inside the block."""
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def configure() -> None:
    """Send every log line of this process to standard output as JSON; call once, where the process is put together."""
    handler = _StandardOutput()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    for other in root.handlers[:]:
        # Lambda and `chalice local` bring handlers of their own, which would print every line a second time.
        plain = type(other) is logging.StreamHandler
        if plain or isinstance(other, _StandardOutput) or type(other).__module__.startswith("awslambdaric"):
            root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(settings().log_level)


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what standard output is at that moment, not to what it was when the process was put together."""

    def __init__(self) -> None:
        # Past StreamHandler's own constructor, which would fix the stream.
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard output."""
        return sys.stdout


class JsonLines(logging.Formatter):
    """A record as one line of JSON, with the allowed fields only."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break."""
        ours = record.name.partition(".")[0] in _OURS
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": masked(record.getMessage() if ours else str(record.msg)),
        }
        if correlation_id := _correlation_id.get():
            line["correlation_id"] = correlation_id
        values = record.__dict__
        for name in FIELDS & values.keys():
            value = values[name]
            line[name] = value if isinstance(value, int | float | None) else masked(str(value))
        if record.exc_info and record.exc_info[1] is not None:
            line["stack"] = stack_of(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def masked(text: str) -> str:
    """The text without keys, credentials and mail addresses."""
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def stack_of(error: BaseException) -> list[str]:
    """Types and places of an exception and its causes. Others' messages quote data, so they are left out."""
    lines: list[str] = []
    current: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if current is None:
            break
        told = f": {masked(current.message)}" if isinstance(current, InterlineError) else ""
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}{told}")
        frames = traceback.extract_tb(current.__traceback__)[-_FRAMES_MAX:]
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines
