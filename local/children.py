"""The supervisor's child processes: started tethered, watched, restarted, ended; their lines are handed on."""

import io
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.errors import Unavailable
from local import tether
from local.home import REPOSITORY
from local.processes import Identity, end, listens

_POLL_S = 0.1
_LINES_KEPT = 20
_LINES_SAID = 3
_LAST_LINES_S = 1.0

LineSink = Callable[[str, str], None]

# A proxy of the environment must not get between processes of one machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class Command:
    """How to run one process; it is ready when it listens on ``port`` and ``ready_url`` answers 200, if given."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    port: int | None = None
    ready_url: str | None = None
    grace_s: float = 5.0


@dataclass(slots=True)
class Child:
    """One running process."""

    command: Command
    process: subprocess.Popen[str]
    identity: Identity
    reader: threading.Thread
    last_lines: deque[str]

    @classmethod
    def start(cls, command: Command, sink: LineSink) -> "Child":
        """Start a process that ends with this one. Call from the main thread: the kernel ties it to the thread."""
        process = subprocess.Popen(  # noqa: S603 - the supervisor's own command lines
            # Isolated and without site-packages: the tether needs neither, and starts in a third of the time.
            [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), "--", *command.arguments],
            env=dict(command.environment),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C at the terminal is the supervisor's to answer.
            start_new_session=True,
        )
        identity = Identity.of(process.pid) or Identity(process.pid, "ended")
        last_lines: deque[str] = deque(maxlen=_LINES_KEPT)

        def read() -> None:
            with process.stdout or io.StringIO() as lines:
                for line in lines:
                    last_lines.append(line.rstrip("\n"))
                    sink(command.name, line)

        reader = threading.Thread(target=read, name=f"log {command.name}", daemon=True)
        reader.start()
        return cls(command, process, identity, reader, last_lines)

    def ended(self) -> int | None:
        """How the process ended; None while it runs."""
        return self.process.poll()

    def wait_until_ready(self, timeout_s: float) -> None:
        """Raises Unavailable when the process ends or is not ready in time."""
        deadline = time.monotonic() + timeout_s
        last = "no answer"
        while time.monotonic() < deadline:
            if self.ended() is not None:
                raise Unavailable(f"{self.command.name} ended at once: {self._why()}", code="child_ended")
            last = probe(self.command.ready_url) if self.command.ready_url else "200"
            if last == "200" and self._listens():
                return
            time.sleep(_POLL_S)
        raise Unavailable(f"{self.command.name} is not ready after {timeout_s:g} s: {last}", code="child_not_ready")

    def _listens(self) -> bool:
        """Whether the port is this very process's: another program that won it may answer as well."""
        return self.command.port is None or listens(self.identity.pid, self.command.port)

    def _why(self) -> str:
        self.reader.join(_LAST_LINES_S)
        # Of a stack the last line says why; the log has all of it.
        said = [line for line in self.last_lines if line.strip()][-_LINES_SAID:]
        return " | ".join(said) or f"status {self.ended()}"


def probe(url: str) -> str:
    """``200`` when the address answers so, else what it answers or why it does not."""
    try:
        with _open(url, timeout=2) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(2000).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def end_all(children: Sequence[Child]) -> None:
    """End processes together, each within its grace."""
    running = [child for child in children if child.ended() is None]
    if running:
        end([child.identity for child in running], max(child.command.grace_s for child in running))
    for child in running:
        child.process.wait()
        child.reader.join(_LAST_LINES_S)


def run_once(command: Command, timeout_s: float) -> str:
    """The standard output of a command that ends by itself. Raises Unavailable with its last words when it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - the supervisor's own command lines
            list(command.arguments),
            env=dict(command.environment),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command.name} took more than {timeout_s:g} s.", code="child_not_ready") from error
    if done.returncode != 0:
        raise Unavailable(f"{command.name} failed: {done.stderr.strip()[-2000:]}", code="child_ended")
    return done.stdout
