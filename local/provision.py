"""Give the AWS stand-in what a deployment gives an account: buckets, queues, notifications and secrets.

Safe to repeat at every start: a killed stand-in keeps its objects and forgets the rest.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.settings import Settings
from chalicelib.storage import aws
from local.home import REPOSITORY, Home, write_private
from local.outside import store

BUCKETS = ("hub-in", "hub-archive", "hub-out", "hub-reject")
QUEUES = ("files", "deliveries", "backtests", "exports", "schedules")
MANIFESTS = REPOSITORY / "rules" / "partners"
_LOCAL = "http://127.0.0.1:"
_TRIES_MAX = 5
_VISIBILITY_S = 60


def provision(configured: Settings, seed: Mapping[str, Any]) -> None:
    """Make what is missing and bring the rest to its intended state. Raises Unavailable when AWS does not answer.

    ``seed`` maps secret names, without the configured prefix, to their JSON objects.
    """
    with aws.failures_of("the buckets"):
        for name in BUCKETS:
            _bucket(configured.bucket(name))
    with aws.failures_of("the queues"):
        arns = {name: _queue(configured.queue(name)) for name in QUEUES}
    with aws.failures_of("the notification of new files"):
        _notify(configured.bucket("hub-in"), arns["files"])
    with aws.failures_of("the secrets"):
        for name, value in seed.items():
            _secret(configured.secret(name), json.dumps(value))


def seed(home: Home, *, commerce_cloud_url: str, manifests: Path = MANIFESTS) -> dict[str, Any]:
    """The secrets of this home: made once with fresh random keys, then read from its ``secrets.json``.

    There is one for every target of the partners' manifests, for the local Commerce Cloud, whose port may change.
    """
    known: dict[str, Any] = json.loads(home.secrets.read_text()) if home.secrets.exists() else {}
    wanted = dict(known)
    if "data-key" not in known:
        key = {"encrypt": secrets.token_hex(32), "index": secrets.token_hex(32)}
        wanted["data-key"] = {"current": "1", "keys": {"1": key}}
    if "ledger-key" not in known:
        wanted["ledger-key"] = {"current": "1", "keys": {"1": secrets.token_hex(32)}}
    for name in sorted({"commerce-cloud"} | _target_secrets(manifests)):
        # A developer may have put a real sandbox's address and credentials there: those stay.
        if str(known.get(f"target/{name}", {}).get("base_url", _LOCAL)).startswith(_LOCAL):
            wanted[f"target/{name}"] = _commerce_cloud(commerce_cloud_url)
    if wanted != known:
        write_private(home.secrets, json.dumps(wanted, indent=2) + "\n")
    return wanted


def _target_secrets(manifests: Path) -> set[str]:
    found: set[str] = set()
    for path in manifests.glob("*.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found |= {target["secret"] for target in manifest.get("targets", ()) if "secret" in target}
    return found


def _commerce_cloud(url: str) -> dict[str, str]:
    return {
        "client_id": store.CLIENT_ID,
        "client_secret": store.CLIENT_SECRET,
        "base_url": url + store.API_PATH,
        "token_url": url + store.TOKEN_PATH,
    }


def _bucket(name: str) -> None:
    try:
        aws.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        aws.client("s3").create_bucket(Bucket=name)


def _queue(name: str) -> str:
    dead = _queue_with(f"{name}-dead", {"MessageRetentionPeriod": "1209600"})
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": str(_TRIES_MAX)})
    return _queue_with(name, {"VisibilityTimeout": str(_VISIBILITY_S), "RedrivePolicy": redrive})


def _queue_with(name: str, attributes: Mapping[str, str]) -> str:
    sqs = aws.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=dict(attributes))
    except sqs.exceptions.QueueDoesNotExist:
        url = sqs.create_queue(QueueName=name, Attributes=dict(attributes))["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def _notify(bucket: str, queue_arn: str) -> None:
    s3 = aws.client("s3")
    known = s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations", [])
    if any(one["QueueArn"] == queue_arn for one in known):
        return  # setting it again would send another test event
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]},
    )


def _secret(name: str, text: str) -> None:
    manager = aws.client("secretsmanager")
    try:
        if manager.get_secret_value(SecretId=name)["SecretString"] != text:
            manager.put_secret_value(SecretId=name, SecretString=text)
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=name, SecretString=text)
