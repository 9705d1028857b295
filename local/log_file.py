"""The log of all processes with all of its fields, one JSON object a line: what the terminal shows is shortened."""

import json
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES_MAX = 10_000_000
_KEPT = 3


class LogFile:
    """A file that is turned over at 10 MB; three earlier ones are kept. Any thread may write."""

    def __init__(self, path: Path, *, bytes_max: int = _BYTES_MAX) -> None:
        self._handler = RotatingFileHandler(path, maxBytes=bytes_max, backupCount=_KEPT, encoding="utf-8")

    def write(self, source: str, line: str) -> None:
        """Keep a line that the process ``source`` wrote; one that is not JSON becomes the message of one that is."""
        text = line.strip()
        if not text:
            return
        try:
            record = json.loads(text)
        except json.JSONDecodeError:
            record = None
        if not isinstance(record, dict):
            record = {"message": text}
        kept = json.dumps({"source": source, **record}, ensure_ascii=False, separators=(",", ":"))
        self._handler.handle(logging.makeLogRecord({"msg": kept}))

    def close(self) -> None:
        """Write what is left."""
        self._handler.close()
