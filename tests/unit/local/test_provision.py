"""Provisioning against the real stand-in: what survives a kill and what is made again."""

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.errors import Conflict
from chalicelib.settings import Settings, settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import objects, queues, secrets
from local import processes, stand_in
from local.children import Child, end_all
from local.home import Home
from local.provision import provision, seed

URL = "http://127.0.0.1:4570"


def configured(prefix: str) -> Settings:
    return Settings(bucket_prefix=f"{prefix}-", queue_prefix=f"{prefix}-", secret_prefix=f"{prefix}/")


def events(queue: str, seconds: float = 5) -> list[dict[str, object]]:
    """The object keys and event names that arrive within some seconds, test events left out."""
    found: list[dict[str, object]] = []
    deadline = time.monotonic() + seconds
    while not found and time.monotonic() < deadline:
        answer = aws_clients.client("sqs").receive_message(QueueUrl=queues.url_of(queue), WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found += json.loads(message["Body"]).get("Records", [])
    return found


@pytest.mark.usefixtures("stand_in")
class TestProvision:
    def test_a_new_object_reaches_the_queue_of_files(self, home: Home):
        hub = configured("one")
        provision(hub, seed(home, commerce_cloud_url=URL))

        objects.put(hub.bucket("hub-in"), "acme air/accruals/märz+1.csv", b"a,b\n1,2\n")

        [event] = events(hub.queue("files"))
        assert event["eventName"] == "ObjectCreated:Put"
        assert event["s3"]["bucket"]["name"] == "one-hub-in"  # type: ignore[index]
        assert event["s3"]["object"]["key"] == "acme+air/accruals/m%C3%A4rz%2B1.csv"  # type: ignore[index]

    def test_repeating_it_changes_nothing(self, home: Home):
        hub = configured("two")
        provision(hub, seed(home, commerce_cloud_url=URL))
        objects.put(hub.bucket("hub-in"), "k", b"1")
        assert len(events(hub.queue("files"))) == 1

        provision(hub, seed(home, commerce_cloud_url=URL))

        assert objects.head(hub.bucket("hub-in"), "k") is not None
        assert events(hub.queue("files"), seconds=1) == []
        told = aws_clients.client("s3").get_bucket_notification_configuration(Bucket=hub.bucket("hub-in"))
        assert len(told["QueueConfigurations"]) == 1

    def test_failed_messages_end_in_the_dead_letters_after_five_tries(self, home: Home):
        hub = configured("three")
        provision(hub, seed(home, commerce_cloud_url=URL))

        for name in ("files", "deliveries", "backtests", "exports", "schedules"):
            attributes = aws_clients.client("sqs").get_queue_attributes(
                QueueUrl=queues.url_of(hub.queue(name)), AttributeNames=["RedrivePolicy"]
            )["Attributes"]
            policy = json.loads(attributes["RedrivePolicy"])
            assert policy["deadLetterTargetArn"].endswith(f":{hub.queue(name)}-dead")
            assert int(policy["maxReceiveCount"]) == 5

    def test_after_a_kill_objects_are_there_and_the_rest_is_made_again(
        self, home: Home, use_aws: Callable[[str], None]
    ):
        hub, port = settings(), processes.free_port()
        use_aws(f"http://127.0.0.1:{port}")
        child = Child.start(stand_in.command(home, port, os.environ), lambda _name, _line: None)
        child.wait_until_ready(30)
        provision(hub, seed(home, commerce_cloud_url=URL))
        objects.put(hub.bucket("hub-archive"), "kept", b"content", metadata={"sha256": "abc"})
        before = objects.head(hub.bucket("hub-archive"), "kept")
        os.kill(child.identity.pid, signal.SIGKILL)
        end_all([child])

        with stand_in.running(home, os.environ, port=port):
            aws_clients.reset()
            queues.reset()
            provision(hub, seed(home, commerce_cloud_url=URL))

            assert objects.head(hub.bucket("hub-archive"), "kept") == before
            assert b"".join(objects.stream(hub.bucket("hub-archive"), "kept")) == b"content"
            objects.put(hub.bucket("hub-in"), "new", b"1")
            assert [event["s3"]["object"]["key"] for event in events(hub.queue("files"))] == ["new"]  # type: ignore[index]


@pytest.mark.usefixtures("stand_in")
class TestConditionalRequests:
    def test_the_stand_in_honours_them_as_s3_does(self):
        """moto ignores the condition of a copy; the hub's exactness leans on it."""
        hub = configured("four")
        provision(hub, {})
        bucket = hub.bucket("hub-in")
        objects.put(bucket, "k", b"first")
        old = objects.head(bucket, "k")
        objects.put(bucket, "k", b"second")
        assert old is not None

        refused = 0
        for attempt in (
            lambda: objects.copy(bucket, "k", hub.bucket("hub-archive"), "k", etag=old.etag),
            lambda: objects.delete(bucket, "k", etag=old.etag),
            lambda: objects.open_range(bucket, "k", etag=old.etag),
        ):
            try:
                attempt()
            except Conflict:
                refused += 1
        assert refused == 3
        assert b"".join(objects.stream(bucket, "k")) == b"second"


class TestSeed:
    def test_keys_are_random_kept_and_private(self, tmp_path: Path):
        one, other = Home.open(tmp_path / "one"), Home.open(tmp_path / "other")

        first = seed(one, commerce_cloud_url=URL)

        assert seed(one, commerce_cloud_url=URL) == first
        assert seed(other, commerce_cloud_url=URL)["data-key"] != first["data-key"]
        assert stat.S_IMODE(one.secrets.stat().st_mode) == 0o600
        key = first["data-key"]["keys"][first["data-key"]["current"]]
        assert len(bytes.fromhex(key["encrypt"])) == len(bytes.fromhex(key["index"])) == 32

    def test_follows_the_local_commerce_cloud_to_another_port(self, home: Home):
        before = seed(home, commerce_cloud_url=URL)

        after = seed(home, commerce_cloud_url="http://127.0.0.1:9999")

        assert after["target/commerce-cloud"]["token_url"].startswith("http://127.0.0.1:9999/")
        assert after["data-key"] == before["data-key"]

    def test_leaves_the_address_of_a_real_sandbox_alone(self, home: Home):
        stores = seed(home, commerce_cloud_url=URL)
        stores["target/commerce-cloud"]["base_url"] = "https://sandbox.example.com"
        home.secrets.write_text(json.dumps(stores))

        found = seed(home, commerce_cloud_url="http://127.0.0.1:9999")

        assert found["target/commerce-cloud"]["base_url"] == "https://sandbox.example.com"

    def test_has_credentials_for_every_target_of_the_manifests(self, home: Home, tmp_path: Path):
        (tmp_path / "acme.json").write_text(json.dumps({"code": "acme", "targets": [{"secret": "acme-store"}]}))

        found = seed(home, commerce_cloud_url=URL, manifests=tmp_path)

        assert found["target/acme-store"]["base_url"].startswith(URL)
        assert found["target/acme-store"]["client_secret"]

    @pytest.mark.usefixtures("stand_in")
    def test_the_hub_reads_what_was_seeded(self, home: Home):
        hub = configured("five")
        value = seed(home, commerce_cloud_url=URL)

        provision(hub, value)

        assert secrets.get(hub.secret("data-key")) == value["data-key"]
