"""The events and the context that Lambda gives a function, as its documentation describes them."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Context:
    """A Lambda context for one invocation that may take ``timeout_s`` seconds from its making."""

    function_name: str
    timeout_s: float
    started_at: float = field(default_factory=time.monotonic)
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512

    @property
    def invoked_function_arn(self) -> str:
        """The function's address."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """Where Lambda would log."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is over time; 0 when it is."""
        return max(0, int((self.started_at + self.timeout_s - time.monotonic()) * 1000))


def sqs_event(queue: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The event of an SQS event source, from messages as ``ReceiveMessage`` returns them."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {
                    name: {
                        "stringValue": value.get("StringValue"),
                        "binaryValue": value.get("BinaryValue"),
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": value["DataType"],
                    }
                    for name, value in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def schedule_event(name: str, at: datetime) -> dict[str, Any]:
    """The event of an EventBridge schedule that fires at ``at``."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"],
        "detail": {},
    }


def failed_message_ids(answer: object, received: Sequence[str]) -> frozenset[str]:
    """Which of the received messages a handler reports as failed (``ReportBatchItemFailures``).

    As on AWS, an answer that names an unknown message, or none by name, fails the whole batch.
    """
    failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
    if not failures:
        return frozenset()
    everything = frozenset(received)
    named = [failure.get("itemIdentifier") if isinstance(failure, Mapping) else None for failure in failures]
    failed = everything.intersection(named)
    return failed if len(failed) == len(set(named)) else everything
