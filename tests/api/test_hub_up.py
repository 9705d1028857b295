"""`./hub up` as a person runs it: real processes, killed without mercy, found again and stopped."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from local.home import REPOSITORY
from local.processes import Identity, free_port, is_free

READY_S = 30.0
SECOND_START_S = 10.0
STOP_S = 10.0


@dataclass
class Hub:
    """One home and the hub that runs in it."""

    home: Path
    port: int
    process: subprocess.Popen[str] | None = None
    started_in_s: float = 0.0
    everyone: set[Identity] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.home / "hub.json").read_text())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the hub's own command
            [str(REPOSITORY / "hub"), *arguments],
            env=self.environment(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("INTERLINE_", "AWS_"))}
        return {**kept, "INTERLINE_HOME": str(self.home)}

    def start(self) -> None:
        began, said_before = time.monotonic(), len(self.output())
        with (self.home.parent / "out.txt").open("a") as out:
            self.process = subprocess.Popen(  # noqa: S603 - the hub's own command
                [str(REPOSITORY / "hub"), "up", "--empty", "--port", str(self.port)],
                env=self.environment(),
                cwd="/",
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        while not self.is_ready():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() - began < READY_S, self.output()
            time.sleep(0.05)
        self.started_in_s = time.monotonic() - began
        while "Ctrl-C" not in self.output()[said_before:]:
            time.sleep(0.05)
        self.everyone |= set(self.members().values())

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def members(self) -> dict[str, Identity]:
        return {one["name"]: Identity(one["pid"], one["started"]) for one in self.state["processes"]}

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def kill_hub_up(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)

    def output(self) -> str:
        said = self.home.parent / "out.txt"
        return said.read_text() if said.exists() else ""

    def s3(self) -> Any:
        return boto3.client("s3", endpoint_url=self.state["aws_url"], region_name="us-east-1")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    found = Hub(tmp_path / "home", free_port())
    found.home.mkdir()
    yield found
    if found.process is not None and found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    for member in found.everyone:
        if member.alive():
            os.kill(member.pid, signal.SIGKILL)


def eventually_gone(members: set[Identity], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while any(member.alive() for member in members):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestHubUp:
    def test_starts_tells_where_everything_is_and_stops_cleanly(self, hub: Hub):
        hub.start()
        key = (hub.home / "admin.key").read_text().strip()
        said = hub.output()

        assert hub.url in said
        assert said.count(key) == 1
        assert "./hub drop FILE" in said
        assert stat.S_IMODE((hub.home / "admin.key").stat().st_mode) == 0o600
        assert stat.S_IMODE((hub.home / "secrets.json").stat().st_mode) == 0o600
        assert httpx.get(f"{hub.url}/docs", trust_env=False).status_code == 200
        ports = [hub.port, *hub.state["ports"].values()]

        assert hub.stop() == 0
        assert not any(member.alive() for member in hub.everyone)
        assert all(is_free(port) for port in ports)

    def test_finds_everything_again_after_every_process_was_killed(self, hub: Hub):
        hub.start()
        key = (hub.home / "admin.key").read_text()
        hub.s3().put_object(Bucket="hub-archive", Key="kept", Body=b"as it was")
        assert hub.process is not None
        hub.kill(hub.process.pid, *(member.pid for member in hub.members().values()))
        hub.process.wait()

        hub.start()

        assert hub.started_in_s < SECOND_START_S
        assert (hub.home / "admin.key").read_text() == key
        assert hub.s3().get_object(Bucket="hub-archive", Key="kept")["Body"].read() == b"as it was"
        told = hub.s3().get_bucket_notification_configuration(Bucket="hub-in")["QueueConfigurations"]
        assert [one["Events"] for one in told] == [["s3:ObjectCreated:*"]]
        assert hub.stop() == 0

    def test_takes_over_at_once_when_only_hub_up_was_killed(self, hub: Hub):
        hub.start()
        before = hub.members()
        # A process that hangs does not end with its parent, and holds the port.
        os.kill(before["gateway"].pid, signal.SIGSTOP)
        hub.kill_hub_up()

        hub.start()

        assert not any(member.alive() for member in before.values())
        assert hub.started_in_s < SECOND_START_S
        assert hub.stop() == 0

    def test_processes_end_with_the_hub_that_started_them(self, hub: Hub):
        hub.start()
        before = set(hub.members().values())

        hub.kill_hub_up()

        assert eventually_gone(before, within_s=8)

    def test_starts_a_killed_process_again(self, hub: Hub):
        hub.start()
        before = hub.members()
        hub.kill(before["workers"].pid, before["aws"].pid)

        deadline = time.monotonic() + 10
        while hub.members()["workers"] == before["workers"] or hub.members()["aws"] == before["aws"]:
            assert time.monotonic() < deadline, hub.output()
            time.sleep(0.1)
        hub.everyone |= set(hub.members().values())
        while not hub.s3().get_bucket_notification_configuration(Bucket="hub-in").get("QueueConfigurations"):
            assert time.monotonic() < deadline, hub.output()
            time.sleep(0.1)

        assert hub.stop() == 0

    def test_refuses_a_second_hub_in_the_same_home(self, hub: Hub):
        hub.start()

        second = hub.command("up", "--empty", "--port", str(free_port()), "--json")

        assert second.returncode == 1
        error = json.loads(second.stdout)["error"]
        assert error["code"] == "hub_running"
        assert hub.url in error["message"]
        assert hub.is_ready()
        assert hub.stop() == 0

    def test_names_the_foreign_process_that_holds_its_port(self, hub: Hub):
        with socket.create_server(("127.0.0.1", hub.port)):
            refused = hub.command("up", "--empty", "--port", str(hub.port), "--json")

        assert refused.returncode == 1
        error = json.loads(refused.stdout)["error"]
        assert error["code"] == "port_taken"
        assert str(os.getpid()) in error["message"]
        assert "aws" not in hub.state["ports"]

    def test_wrong_usage_ends_with_two(self, hub: Hub):
        assert hub.command("up", "--port", "many").returncode == 2
        assert hub.command("nonsense").returncode == 2
