"""Processes and ports of this machine: who is who, who holds what, and how to end one for certain."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.05
_LOOPBACK = "127.0.0.1"
_PROC = Path("/proc/self/stat")  # Linux has it, macOS has not


@dataclass(frozen=True, slots=True)
class Identity:
    """A process beyond doubt: numbers are used again, a number with its start time is not."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process that has this number now; None when there is none or it has ended."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self


def end(processes: list[Identity], grace_s: float) -> None:
    """Ask each process to end, wait up to ``grace_s`` for all of them, and kill those that still run."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and any(process.alive() for process in processes):
        time.sleep(_POLL_S)
    for process in processes:
        _signal(process, signal.SIGKILL)
    # A killed process frees its ports only when the kernel has torn it down.
    while time.monotonic() < deadline + grace_s and any(process.alive() for process in processes):
        time.sleep(_POLL_S)


def _signal(process: Identity, number: signal.Signals) -> None:
    if process.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def becomes_free(port: int, within_s: float) -> bool:
    """Whether a server could listen on this loopback port before ``within_s`` have passed."""
    deadline = time.monotonic() + within_s
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def free_port(*wished: int | None) -> int:
    """The first of the wished loopback ports that is free, else any free one."""
    for port in wished:
        if port and is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str:
    """Who listens on a port, in words for an error message."""
    for pid in _listeners(port):
        command = _command(pid)
        return f"process {pid} ({command})" if command else f"process {pid}"
    return "another process"


def listens(pid: int, port: int) -> bool:
    """Whether this process, or off Linux a child of it, listens on a port."""
    found = _listeners(port)
    return pid in found or (not _PROC.exists() and any(_parent(each) == pid for each in found))


def _parent(pid: int) -> int | None:
    found = subprocess.run(  # noqa: S603 - a fixed command
        ["ps", "-o", "ppid=", "-p", str(pid)],  # noqa: S607 - from PATH, as on any macOS
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return int(found) if found.isdecimal() else None


def _listeners(port: int) -> list[int]:
    sockets: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if table.exists():
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    if not _PROC.exists():
        found = subprocess.run(  # noqa: S603 - a fixed command
            ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"],  # noqa: S607 - from PATH, as on any macOS
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(pid) for pid in found.stdout.split()]
    holders: list[int] = []
    for directory in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):  # other users' processes, and those that end meanwhile
            if any(str(descriptor.readlink()) in sockets for descriptor in directory.iterdir()):
                holders.append(int(directory.parent.name))
    return holders


def _start_time(pid: int) -> str | None:
    stat = Path(f"/proc/{pid}/stat")
    if _PROC.exists():
        try:
            # The command's name may hold spaces and brackets; after it come state (field 3) and start time (field 22).
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else fields[19]
    found = subprocess.run(  # noqa: S603 - a fixed command
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - from PATH, as on any macOS
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return " ".join(word.decode(errors="replace") for word in words if word)[:100]
    return ""
