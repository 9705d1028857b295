"""The real AWS stand-in, one per test process, for what moto does otherwise: redelivery, events, persistence."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.storage import aws as aws_clients
from chalicelib.storage import queues, secrets
from local import stand_in
from local.home import Home


@pytest.fixture(scope="session")
def stand_in_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stand_in.running(Home.open(tmp_path_factory.mktemp("home")), os.environ) as url:
        yield url


@pytest.fixture
def use_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Point the hub's AWS clients at an address for the length of a test."""

    def forget() -> None:
        aws_clients.reset()
        queues.reset()
        secrets.forget()

    def use(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        forget()

    yield use
    forget()


@pytest.fixture(name="stand_in")
def use_stand_in(stand_in_url: str, use_aws: Callable[[str], None]) -> str:
    use_aws(stand_in_url)
    return stand_in_url


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")
