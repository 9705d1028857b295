"""Signals that end a command: none is lost, whenever it comes."""

import os
import signal
import subprocess
import sys
import textwrap
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


def test_a_signal_that_is_lost_in_a_callback_is_told_at_the_next_check():
    told = _ran(
        """
        class Dropped:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGINT)

        del (dropped := [Dropped()])[0]
        print("lost", flush=True)
        try:
            interrupts.check()
        except interrupts.Interrupted:
            print("told")
        """
    )

    assert (told.returncode, told.stdout.split()) == (0, ["lost", "told"])


def test_a_signal_that_was_answered_leaves_the_exit_status_alone():
    told = _ran(
        """
        try:
            exec("os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)")
        except interrupts.Interrupted:
            print("answered")
        """
    )

    assert (told.returncode, told.stdout.split()) == (0, ["answered"])


def _ran(program: str) -> subprocess.CompletedProcess[str]:
    begin = "import os, signal\nfrom cli import interrupts\ninterrupts.check()\ninterrupts.raise_the_first()\n"
    return subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(program)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LOADED_S,
        check=False,
    )
