"""Ctrl-C while `hub up` is still loading: nothing answers it yet, and still it ends the hub cleanly."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.home import REPOSITORY
from local.processes import free_port

LOADED_S = 30.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process blocks")


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INTERLINE_", "AWS_"))}
    with subprocess.Popen(
        [str(REPOSITORY / "hub"), "up", "--empty", "--port", str(free_port())],
        env={**kept, "INTERLINE_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


def holds_back(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether the process is past the shell script that starts it, and keeps a signal waiting."""
    told = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    blocked = told["SigBlk"]
    return told["Name"] != "bash" and bool(int(blocked, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_too_early_stops_the_hub_all_the_same(
    loading: subprocess.Popen[str], number: signal.Signals, tmp_path: Path
):
    deadline = time.monotonic() + LOADED_S
    while not holds_back(loading, number):
        assert loading.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert not (tmp_path / "home").exists(), "it held nothing back before it began to start processes"

    loading.send_signal(number)
    said, _ = loading.communicate(timeout=LOADED_S)

    assert (loading.returncode, said.splitlines()) == (0, ["Stopping …", "Stopped."])
