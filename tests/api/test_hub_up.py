"""`./hub up` as a person runs it: real processes, killed without mercy, found again and stopped."""

import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.processes import Identity, free_port, is_free
from tests.factories.hub import READY_S, Hub

#: Whole hubs take turns: two at once would be too much for a small machine.
pytestmark = pytest.mark.xdist_group("hub")

SECOND_START_S = 10.0


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    found = Hub(tmp_path / "home", free_port())
    found.home.mkdir()
    yield found
    found.kill_everything()


def eventually_gone(members: set[Identity], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while any(member.alive() for member in members):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestHubUp:
    def test_starts_tells_where_everything_is_and_stops_cleanly(self, hub: Hub):
        hub.start("--empty")
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
        hub.start("--empty")
        key = (hub.home / "admin.key").read_text()
        hub.s3().put_object(Bucket="hub-archive", Key="kept", Body=b"as it was")

        # On a machine that others keep busy a start takes its share longer.
        busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        started_in_s = []
        for _ in range(2):  # other tests may have the machine while this one measures
            assert hub.process is not None
            hub.kill(hub.process.pid, *(member.pid for member in hub.members().values()))
            hub.process.wait()
            hub.start("--empty")
            started_in_s.append(hub.started_in_s)

        assert min(started_in_s) < SECOND_START_S * busy
        assert (hub.home / "admin.key").read_text() == key
        assert hub.s3().get_object(Bucket="hub-archive", Key="kept")["Body"].read() == b"as it was"
        told = hub.s3().get_bucket_notification_configuration(Bucket="hub-in")["QueueConfigurations"]
        assert [one["Events"] for one in told] == [["s3:ObjectCreated:*"]]
        assert hub.stop() == 0

    def test_takes_over_at_once_when_only_hub_up_was_killed(self, hub: Hub):
        hub.start("--empty")
        before = hub.members()
        # A process that hangs does not end with its parent, and holds the port.
        os.kill(before["gateway"].pid, signal.SIGSTOP)
        hub.kill_hub_up()

        hub.start("--empty")

        assert not any(member.alive() for member in before.values())
        assert hub.stop() == 0

    def test_processes_end_with_the_hub_that_started_them(self, hub: Hub):
        hub.start("--empty")
        before = set(hub.members().values())

        hub.kill_hub_up()

        assert eventually_gone(before, within_s=20)

    def test_starts_a_killed_process_again(self, hub: Hub):
        hub.start("--empty")
        before = hub.members()
        hub.kill(before["workers"].pid, before["aws"].pid)

        deadline = time.monotonic() + READY_S
        while hub.members()["workers"] == before["workers"] or hub.members()["aws"] == before["aws"]:
            assert time.monotonic() < deadline, hub.output()
            time.sleep(0.1)
        hub.everyone |= set(hub.members().values())
        while not hub.s3().get_bucket_notification_configuration(Bucket="hub-in").get("QueueConfigurations"):
            assert time.monotonic() < deadline, hub.output()
            time.sleep(0.1)

        assert hub.stop() == 0

    def test_refuses_a_second_hub_in_the_same_home(self, hub: Hub):
        hub.start("--empty")

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
