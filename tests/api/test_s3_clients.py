"""Files come by any S3 client: awscli and rclone, whole and in parts, against the real AWS stand-in."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.deliveries import wake
from chalicelib.files.intake import uploading
from chalicelib.settings import settings
from chalicelib.storage import aws, encryption, objects, queues, secrets
from chalicelib.storage.engine import Database
from local import stand_in
from local.environment import CREDENTIALS
from local.home import Home
from local.provision import provision, seed
from tests.factories.files import HOURS_HEADER, Hub, hours, make_hub, received
from tests.factories.partners import CALLER

#: Whole hubs take turns: two at once would be too much for a small machine.
pytestmark = pytest.mark.xdist_group("hub")

_PATIENCE_S = 20


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running stand-in."""
    with stand_in.running(Home.open(tmp_path_factory.mktemp("home")), os.environ) as url:
        yield url


def forget() -> None:
    """Clients and secrets of another endpoint must not be used."""
    aws.reset()
    queues.reset()
    secrets.forget()
    encryption.forget_keys()


@pytest.fixture
def hub(endpoint: str, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Partner acme on a provisioned stand-in with an empty inbox."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    forget()
    wake.reset()
    provision(settings(), seed(Home.open(tmp_path / "home"), commerce_cloud_url="http://127.0.0.1:4570"))
    for bucket in ("hub-in", "hub-out", "hub-archive", "hub-reject"):
        for found in list(objects.list_under(settings().bucket(bucket))):
            objects.delete(settings().bucket(bucket), found.key)
    while received():
        pass
    yield make_hub(sqlite_database)
    forget()


def work_until_answered(hub: Hub, name: str) -> None:
    """Handle what S3 announces until the file is finished."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        for message in received():
            hub.handle(message)
        if any(file.name == name and file.finished_at is not None for file in hub.files()):
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} was not finished in {_PATIENCE_S} s")


def small(folder: Path) -> Path:
    """A file of two rows, with a name that needs encoding."""
    path = folder / "november 1+2 (ü).csv"
    path.write_text(hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,7.5"))
    return path


def large(folder: Path) -> Path:
    """A file of some eleven megabytes and 200 rows, which clients send in parts."""
    path = folder / "large.csv"
    rows = [f"{number},E1,2026-11-02,8,{'x' * 55_000}" for number in range(200)]
    path.write_text("\n".join([f"{HOURS_HEADER},padding", *rows]) + "\n")
    return path


def by_awscli(path: Path, endpoint: str, folder: Path) -> None:
    """Upload by awscli, in parts of 5 MB."""
    config = folder / "aws.config"
    config.write_text("[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n")
    target = f"s3://{settings().bucket('hub-in')}/acme/hours/{path.name}"
    command = [sys.executable, "-m", "awscli", "--endpoint-url", endpoint, "s3", "cp", str(path), target]
    environment = {**os.environ, "AWS_CONFIG_FILE": str(config)}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def by_rclone(path: Path, endpoint: str, folder: Path) -> None:
    """Upload by rclone, in parts of 5 MB."""
    rclone = shutil.which("rclone")
    if rclone is None:
        pytest.skip("rclone is not installed: apt-get install rclone")
    command = [
        rclone,
        "--config",
        str(folder / "none"),
        "copyto",
        str(path),
        f":s3:{settings().bucket('hub-in')}/acme/hours/{path.name}",
    ]
    options = {
        "provider": "Other", "endpoint": endpoint, "access-key-id": "testing", "secret-access-key": "testing",
        "region": "us-east-1", "chunk-size": "5M", "upload-cutoff": "5M",
    }  # fmt: skip
    command += [part for name, value in options.items() for part in (f"--s3-{name}", value)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("send", [by_awscli, by_rclone])
class TestClients:
    def test_a_small_file_goes_all_the_way(self, hub: Hub, endpoint: str, tmp_path: Path, send):
        path = small(tmp_path)

        send(path, endpoint, tmp_path)
        work_until_answered(hub, path.name)

        file = hub.file(path.name)
        assert (file.state, file.rows_accepted) == ("processed", 2)
        assert hub.receipt(path.name)["status"] == "processed"
        assert hub.keys("hub-in") == []

    def test_a_file_in_parts_goes_all_the_way(self, hub: Hub, endpoint: str, tmp_path: Path, send):
        path = large(tmp_path)

        send(path, endpoint, tmp_path)
        work_until_answered(hub, path.name)

        file = hub.file(path.name)
        assert "-" in file.etag, "the client sent the file in one piece"
        assert (file.state, file.rows_total) == ("processed", 200)
        assert (file.rows_accepted, file.size_bytes) == (200, path.stat().st_size)
        assert hub.keys("hub-in") == []


class TestSignedUpload:
    """By the URL alone: whoever has it needs no credentials. The stand-in checks its signature."""

    @pytest.fixture(autouse=True)
    def _as_the_local_hub(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG002 - after it
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        # The default session has kept the credentials of other tests.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        forget()
        yield
        forget()

    def permitted(self, hub: Hub, data: bytes) -> uploading.Upload:
        now = datetime.now(UTC)
        with hub.database.write() as db:
            return uploading.permit(
                db, hub.partner, "hours", "by url (ü).csv", size_bytes=len(data), caller=CALLER, now=now
            )

    def send(self, found: uploading.Upload, data: bytes) -> int:
        url = urlsplit(found.url)
        connection = HTTPConnection(url.netloc, timeout=_PATIENCE_S)
        connection.request("PUT", f"{url.path}?{url.query}", body=data, headers=found.headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def test_a_file_goes_all_the_way(self, hub: Hub):
        data = hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,7.5").encode()
        found = self.permitted(hub, data)

        assert self.send(found, data) == 200
        work_until_answered(hub, "by url (ü).csv")

        file = hub.file("by url (ü).csv")
        assert (file.state, file.rows_accepted, file.object_key) == ("processed", 2, found.object_key)

    def test_does_not_replace_a_file_that_waits(self, hub: Hub):
        data = hours("a,E1,2026-11-02,8").encode()
        found = self.permitted(hub, data)

        assert [self.send(found, data), self.send(found, data)] == [200, 412]

    def test_takes_no_other_key_and_no_other_size(self, hub: Hub):
        data = hours("a,E1,2026-11-02,8").encode()
        found = self.permitted(hub, data)

        other_key = replace(found, url=found.url.replace("acme/hours", "globex/hours"))
        other_size = replace(found, headers={**found.headers, "Content-Length": str(len(data) + 1)})

        assert [self.send(other_key, data), self.send(other_size, data + b"x")] == [403, 403]
        assert hub.keys("hub-in") == []
