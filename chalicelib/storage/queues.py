"""Messages to SQS. Queues are real names (``settings().queue("files")``); bodies are JSON objects."""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.errors import NotFound
from chalicelib.storage import aws

_urls: dict[str, str] = {}


def send(queue: str, body: Mapping[str, Any], *, delay_s: int = 0) -> None:
    """Put one message on a queue; it is delivered at least once, not before ``delay_s`` (at most 900).

    Raises NotFound when there is no such queue, Unavailable when SQS does not answer.
    """
    text = json.dumps(body, separators=(",", ":"), sort_keys=True)
    url = url_of(queue)
    try:
        with aws.failures_of(f"queue {queue}"):
            aws.client("sqs").send_message(QueueUrl=url, MessageBody=text, DelaySeconds=delay_s)
    except NotFound:
        # It may have been made anew under another URL.
        forget(queue)
        raise


def url_of(queue: str) -> str:
    """The queue's URL, looked up once per process. Raises NotFound and Unavailable."""
    known = _urls.get(queue)
    if known is None:
        with aws.failures_of(f"queue {queue}"):
            known = _urls[queue] = str(aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])
    return known


def forget(queue: str) -> None:
    """Look the queue's URL up again next time."""
    _urls.pop(queue, None)


def reset() -> None:
    """Look every URL up again next time."""
    _urls.clear()
