"""What a person at the terminal sees: the log lines of all processes, one readable line each."""

import json
from collections.abc import Mapping
from datetime import datetime

from rich.console import Console
from rich.text import Text

from local.log_file import LogFile

_LEVELS = {"DEBUG": "dim", "INFO": "green", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
_SOURCES = {"gateway": "cyan", "workers": "magenta", "aws": "blue", "commerce-cloud": "bright_black", "hub": "white"}
_SAID_ELSEWHERE = frozenset({"time", "level", "logger", "message", "stack", "source"})
_FIRST = ("handler", "partner", "layout", "object_key", "state")
#: Long identifiers: they stand last, and only on lines that somebody will look into. The log file has them of all.
_LAST = ("actor", "key_id", "correlation_id")
_ANSWERED = "Request answered."
_VALUE_MAX = 160


def render(source: str, line: str) -> Text | None:
    """A line that a process wrote, for people; None for an empty one. Lines that are not JSON are shown as they are."""
    if not line.strip():
        return None
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        record = None
    text = Text()
    if not isinstance(record, dict):
        _prefix(text, "        ", "", source)
        text.append(line.rstrip())
        return text
    level = str(record.get("level", "INFO")).upper()
    _prefix(text, _clock(record), level, source)
    if record.get("message") == _ANSWERED:
        _answered(text, record)
        return text
    text.append(str(record.get("message", "")), style="bold" if level in {"ERROR", "CRITICAL"} else "")
    told_elsewhere = _SAID_ELSEWHERE.union(_LAST if level in {"DEBUG", "INFO"} else ())
    for name in sorted(record, key=_place):
        value = record[name]
        if name not in told_elsewhere and value is not None and value != "":
            text.append(f"  {name}=", style="dim")
            text.append(_short(value), style="dim" if name in _LAST else "")
    for frame in record.get("stack") or ():
        text.append(f"\n{frame}", style="red")
    return text


def _answered(text: Text, record: Mapping[str, object]) -> None:
    """One request: method and path, status, milliseconds, why it was refused, and of a failure how to find it."""
    status = int(str(record.get("status", 0)))
    method, _, path = str(record.get("route", "")).partition(" ")
    text.append(f"{method:<6} {path}  ")
    text.append(str(status), style="green" if status < 400 else "yellow" if status < 500 else "bold red")
    text.append(f"  {record.get('duration_ms', '')} ms", style="dim")
    if record.get("code"):
        text.append(f"  {record['code']}", style="yellow" if status < 500 else "red")
    if status >= 500:
        text.append(f"  {record.get('correlation_id', '')}", style="dim")


class LogView:
    """The log on a console; while ``quiet``, ordinary events are left out. ``file`` gets every line."""

    def __init__(self, console: Console, file: LogFile | None = None) -> None:
        self._console = console
        self._file = file
        self.quiet = False

    def show(self, source: str, line: str) -> None:
        """Print a line that a process wrote, if there is anything on it."""
        if self._file is not None:
            self._file.write(source, line)
        if self.quiet and _is_ordinary(line):
            return
        text = render(source, line)
        if text is not None:
            self._console.print(text, soft_wrap=True, highlight=False)


def _is_ordinary(line: str) -> bool:
    return '"level":"INFO"' in line or '"level": "INFO"' in line


def _place(name: str) -> tuple[int, int]:
    """Where a field stands: what a person looks for first, long identifiers last."""
    if name in _FIRST:
        return 0, _FIRST.index(name)
    return (2, _LAST.index(name)) if name in _LAST else (1, 0)


def _prefix(text: Text, clock: str, level: str, source: str) -> None:
    text.append(f"{clock} ", style="dim")
    text.append(f"{level:<8} ", style=_LEVELS.get(level, ""))
    text.append(f"{source:<15}", style=_SOURCES.get(source, ""))


def _clock(record: Mapping[str, object]) -> str:
    written = str(record.get("time", ""))
    try:
        return datetime.fromisoformat(written).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return "        "


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 1] + "…"
