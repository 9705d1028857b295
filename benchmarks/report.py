"""How every benchmark is called and how it answers."""

import argparse
import cProfile
import io
import json
import os
import pstats
import resource
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

_MB = 1024 * 1024
_LINES_SHOWN = 22


def arguments(description: str) -> argparse.Namespace:
    """``--quick`` ends within a minute; ``--json`` prints one object of named figures and nothing else on stdout."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="end within a minute, with fewer rows or seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object of named figures")
    return parser.parse_args()


def say(args: argparse.Namespace, text: str) -> None:
    """A line for a person: on standard output, or on standard error when that holds JSON."""
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)


def show(args: argparse.Namespace, title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A table: one line a row, one column a figure."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = max(map(len, rows), default=0)
    say(args, f"\n{title}\n{'':{width}}  " + "  ".join(f"{name:>14}" for name in columns))
    for name, row in rows.items():
        say(args, f"{name:{width}}  " + "  ".join(f"{row.get(column, ''):>14}" for column in columns))


def finish(args: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Print the figures as JSON when that was asked for."""
    if args.json:
        print(json.dumps(figures, indent=1, sort_keys=True))


def hottest(profile: cProfile.Profile) -> list[str]:
    """The functions in which the CPU time goes, most first, and their share of it."""
    stats = pstats.Stats(profile, stream=io.StringIO())
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = vars(stats)["stats"]
    total = sum(own for _, _, own, _, _ in entries.values()) or 1.0
    ordered = sorted(entries.items(), key=lambda item: -item[1][2])[:_LINES_SHOWN]
    return [
        f"{own / total:6.1%} {calls:>10,} calls  {_shown(path)}:{line} {name}"
        for (path, line, name), (_, calls, own, _, _) in ordered
    ]


def _shown(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def own_peak_mb() -> float:
    """Peak resident memory of this process so far, in MB; not its parent's, which ``getrusage`` passes on."""
    status = Path("/proc/self/status").read_text()
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return round(int(peak) / 1024, 1)


def cpu_s(pid: int) -> float:
    """The CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class PeakMemory:
    """Watches the resident memory of processes and descendants while a block runs; ``peak_mb`` is their sum's peak."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            total = sum(_resident_mb(pid) for root in self._pids for pid in _with_descendants(root))
            self.peak_mb = max(self.peak_mb, round(total, 1))


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / _MB


def _with_descendants(pid: int) -> list[int]:
    found = [pid]
    for known in found:
        for children in Path(f"/proc/{known}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue  # the thread ended meanwhile
    return found


def wait_for_port(port: int, *, timeout_s: float = 30.0) -> None:
    """Return when something on loopback accepts connections. Raises TimeoutError."""
    import socket

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"Nothing listens on port {port}.")


def free_port() -> int:
    """A loopback port that nothing listens on at the moment."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
