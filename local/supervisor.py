"""The hub on one machine: its processes, the order in which they start and stop, and what happens when one dies."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, NoReturn

from chalicelib.errors import Conflict, Unavailable
from local import environment, processes, stand_in
from local.children import Child, Command, LineSink, end_all, run_once
from local.home import Home, write_private
from local.processes import Identity

_AWS_PORT = 4566
_COMMERCE_CLOUD_PORT = 4570
_READY_S = 30.0
_PREPARE_S = 120.0
_ORPHAN_GRACE_S = 5.0
_PORT_TRIES_MAX = 3
_RESTARTS_MAX = 5
_RESTART_WINDOW_S = 120.0
_WATCH_S = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """``port`` of the gateway, how many ``processes`` answer there, and the seconds a handler may take."""

    port: int = 8000
    processes: int = 1
    handler_timeout_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started hub answers; ``admin_key`` only when it was made just now."""

    url: str
    aws_url: str
    commerce_cloud_url: str
    admin_key: str | None
    seconds: float


class Supervisor:
    """Starts, watches and stops the processes of one home. One at a time may run in a home."""

    def __init__(self, home: Home, options: Options, given: Mapping[str, str], sink: LineSink) -> None:
        self._home = home
        self._options = options
        self._given = given
        self._sink = sink
        self._children: dict[str, Child] = {}
        self._restarts: list[float] = []
        self._lock: IO[str] | None = None
        self._ports: dict[str, int] = {}

    def start(self) -> Running:
        """Start everything and return when the hub is ready.

        What an earlier hub of this home left behind is ended first. Raises Conflict when a hub runs here or another
        program holds the port, Unavailable when a part does not come up; nothing is left running then.
        """
        begun = time.monotonic()
        self._lock = self._home.lock()
        try:
            # The kernel may still be tearing down what was killed, and with it the port.
            _require_free(self._options.port, _ORPHAN_GRACE_S if self._end_orphans() else 0)
            self._remember(pid=os.getpid(), url=self._url)
            self._start_on_free_port("aws", _AWS_PORT, self._aws)
            self._start_on_free_port("commerce-cloud", _COMMERCE_CLOUD_PORT, self._commerce_cloud)
            write_private(self._home.variables, environment.as_shell(self._environment()))
            # The gateway loads while the rest is prepared; it says that it is not ready until then.
            self._launch(self._gateway())
            prepared = self._prepare()
            self._launch(self._workers())
            for child in self._children.values():
                child.wait_until_ready(_READY_S)
        except BaseException:
            self.stop()
            raise
        self._remember(aws_url=self._aws_url, commerce_cloud_url=self._commerce_cloud_url)
        return Running(
            self._url, self._aws_url, self._commerce_cloud_url, prepared["admin_key"], time.monotonic() - begun
        )

    def watch(self, check: Callable[[], None]) -> NoReturn:
        """Start again what dies, until a signal's exception, or what ``check`` raises, ends it.

        Raises Unavailable when processes die more than five times within two minutes.
        """
        while True:
            check()
            time.sleep(_WATCH_S)
            for name, child in list(self._children.items()):
                status = child.ended()
                if status is None:
                    continue
                now = time.monotonic()
                self._restarts = [at for at in self._restarts if at > now - _RESTART_WINDOW_S] + [now]
                if len(self._restarts) > _RESTARTS_MAX:
                    raise Unavailable(f"{name} keeps ending (status {status}): the hub gives up.", code="child_ended")
                self._note("ERROR", "A process ended and is started again.", process=name, status=status)
                self._launch(child.command)
                if name == "aws":
                    # A killed stand-in forgets queues, notifications and secrets.
                    self._children[name].wait_until_ready(_READY_S)
                    self._prepare()

    def stop(self) -> None:
        """End every process: what works on events and requests first, then what those lean on."""
        names = list(self._children)
        end_all([self._children[name] for name in names if name in {"workers", "gateway"}])
        end_all([self._children[name] for name in names if name not in {"workers", "gateway"}])
        self._children.clear()
        if self._lock is not None:
            self._remember(pid=None)
            self._lock.close()
            self._lock = None

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._options.port}"

    @property
    def _aws_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['aws']}"

    @property
    def _commerce_cloud_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['commerce-cloud']}"

    def _note(self, level: str, message: str, **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._sink("hub", json.dumps({"time": now, "level": level, "message": message, **fields}))

    def _end_orphans(self) -> bool:
        known = [Identity(one["pid"], one["started"]) for one in self._home.state().get("processes", [])]
        orphans = [process for process in known if process.alive()]
        if orphans:
            self._note("WARNING", "Ending what an earlier hub left behind.", processes=[one.pid for one in orphans])
            processes.end(orphans, _ORPHAN_GRACE_S)
        return bool(orphans)

    def _remember(self, **changes: object) -> None:
        state = self._home.state() | changes
        state["processes"] = [
            {"name": name, "pid": child.identity.pid, "started": child.identity.started}
            for name, child in self._children.items()
        ]
        state["ports"] = state.get("ports", {}) | self._ports
        self._home.save_state(state)

    def _launch(self, command: Command) -> Child:
        child = self._children[command.name] = Child.start(command, self._sink)
        self._remember()
        return child

    def _start_on_free_port(self, name: str, usual: int, command: Callable[[int], Command]) -> None:
        before = self._home.state().get("ports", {}).get(name)
        for attempt in range(1, _PORT_TRIES_MAX + 1):
            self._ports[name] = processes.free_port(before, usual) if attempt == 1 else processes.free_port()
            try:
                self._launch(command(self._ports[name])).wait_until_ready(_READY_S)
            except Unavailable:
                # Another program may have taken the port between the look and the start.
                end_all([self._children[name]])
                if attempt == _PORT_TRIES_MAX:
                    raise
            else:
                return

    def _prepare(self) -> dict[str, Any]:
        arguments = ["--home", str(self._home.root), "--commerce-cloud-url", self._commerce_cloud_url]
        command = Command("prepare", [sys.executable, "-m", "local.prepare", *arguments], self._environment())
        prepared: dict[str, Any] = json.loads(run_once(command, _PREPARE_S))
        return prepared

    def _environment(self) -> dict[str, str]:
        return environment.of_hub(self._given, self._home, aws_url=self._aws_url, url=self._url)

    def _aws(self, port: int) -> Command:
        return stand_in.command(self._home, port, self._given)

    def _commerce_cloud(self, port: int) -> Command:
        state = str(self._home.outside / "commerce-cloud")
        return Command(
            "commerce-cloud",
            [sys.executable, "-m", "local.outside.commerce_cloud", "--port", str(port), "--state", state],
            {"PATH": self._given.get("PATH", ""), "PYTHONUNBUFFERED": "1"},
            port,
            f"http://127.0.0.1:{port}/_health",
        )

    def _gateway(self) -> Command:
        arguments = ["--port", str(self._options.port), "--processes", str(self._options.processes)]
        return Command(
            "gateway",
            [sys.executable, "-m", "local.gateway", *arguments],
            self._environment(),
            self._options.port,
            f"{self._url}/v1/health/ready",
        )

    def _workers(self) -> Command:
        arguments = ["--handler-timeout", f"{self._options.handler_timeout_s:g}"]
        return Command("workers", [sys.executable, "-m", "local.workers", *arguments], self._environment())


def _require_free(port: int, within_s: float) -> None:
    if not processes.becomes_free(port, within_s):
        raise Conflict(
            f"Port {port} is held by {processes.holder(port)}: stop it, or choose another port:"
            f" ./hub up --port {processes.free_port(port + 1)}",
            code="port_taken",
        )
