"""A local hub in a home of its own: real processes, started by the `hub` command as a person does."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from local.children import probe
from local.home import REPOSITORY
from local.processes import Identity

READY_S = 60.0
STOP_S = 15.0


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
        return subprocess.run(
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
        return {**kept, "INTERLINE_HOME": str(self.home), "COLUMNS": "120"}

    def start(self, *options: str) -> None:
        began, said_before = time.monotonic(), len(self.output())
        with (self.home.parent / "out.txt").open("a") as out:
            self.process = subprocess.Popen(
                [str(REPOSITORY / "hub"), "up", "--port", str(self.port), *options],
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
        return probe(f"{self.url}/v1/health/ready") == "200"

    def members(self) -> dict[str, Identity]:
        return {one["name"]: Identity(one["pid"], one["started"]) for one in self.state["processes"]}

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def kill_hub_up(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """`kill -9` of every process, the supervisor first so that it restarts nothing; returns when they are gone."""
        assert self.process is not None
        self.kill(self.process.pid, *(member.pid for member in self.members().values()))
        self.process.wait()
        deadline = time.monotonic() + STOP_S
        while any(member.alive() for member in self.everyone):
            assert time.monotonic() < deadline, "a killed process does not end"
            time.sleep(0.01)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)

    def output(self) -> str:
        said = self.home.parent / "out.txt"
        return said.read_text() if said.exists() else ""

    def s3(self) -> Any:
        return boto3.client("s3", endpoint_url=self.state["aws_url"], region_name="us-east-1")

    def kill_everything(self) -> None:
        """What is left after a test that failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for member in self.everyone:
            if member.alive():
                os.kill(member.pid, signal.SIGKILL)
