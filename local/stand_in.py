"""The AWS stand-in: ministack, in an environment of its own because it pins another botocore than the hub."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chalicelib.errors import NotFound
from local import environment, processes
from local.children import Child, Command, end_all
from local.home import REPOSITORY, Home

_PYTHON = REPOSITORY / ".venv-aws" / "bin" / "python"
_READY_S = 30.0


def command(home: Home, port: int, given: Mapping[str, str]) -> Command:
    """How to run it on a loopback port with its data below ``home``. Raises NotFound when it is not installed."""
    if not _PYTHON.exists():
        raise NotFound("The AWS stand-in is not installed: run `make setup`.", code="stand_in_missing")
    return Command(
        "aws",
        [str(_PYTHON), "-m", "ministack"],
        environment.of_stand_in(given, home, port),
        port,
        f"http://127.0.0.1:{port}/_ministack/health",
    )


@contextmanager
def running(home: Home, given: Mapping[str, str], *, port: int | None = None) -> Iterator[str]:
    """Its address while the block runs; empty but for what ``home`` has, so provision it."""
    chosen = port or processes.free_port()
    child = Child.start(command(home, chosen, given), lambda _name, _line: None)
    try:
        child.wait_until_ready(_READY_S)
        yield f"http://127.0.0.1:{chosen}"
    finally:
        end_all([child])
