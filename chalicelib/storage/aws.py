"""The AWS clients of this process, made when first used, and what their failures mean to the hub.

Endpoint, region and credentials come from boto3's own variables (``AWS_ENDPOINT_URL``, ``AWS_REGION``, ...), so the
stand-in and the real services are reached by the same code.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.errors import Broken, Conflict, InterlineError, NotFound, Unavailable

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_CONNECTIONS_MAX = 32
_TRIES_MAX = 3

_ABSENT = frozenset(
    {
        "404",
        "NoSuchKey",
        "NoSuchBucket",
        "NotFound",
        "ResourceNotFoundException",
        "QueueDoesNotExist",
        "ReceiptHandleIsInvalid",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "AWS.SimpleQueueService.NonExistentQueue",
    }
)
_CHANGED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_BUSY = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestThrottled", "InternalError"}
)

_clients: dict[str, Any] = {}
_lock = threading.Lock()


def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes client classes at run time
    """The process's client of one service; safe to share between threads."""
    known = _clients.get(service)
    if known is not None:
        return known
    import boto3
    from botocore.config import Config

    # boto3's default session is not safe to make clients from several threads at once.
    with _lock:
        if service not in _clients:
            _clients[service] = boto3.client(
                service,
                config=Config(
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    read_timeout=_READ_TIMEOUT_S,
                    max_pool_connections=_CONNECTIONS_MAX,
                    retries={"mode": "standard", "total_max_attempts": _TRIES_MAX},
                    # URLs for others would else be signed in a way that binds no headers.
                    signature_version="s3v4" if service == "s3" else None,
                ),
            )
        return _clients[service]


def reset() -> None:
    """Forget every client, so that the next call reads endpoint and credentials anew."""
    with _lock:
        _clients.clear()


@contextmanager
def failures_of(what: str) -> Iterator[None]:
    """Turn botocore's exceptions inside the block into the hub's errors; ``what`` names the thing asked for.

    NotFound when it does not exist, Conflict when it changed meanwhile, Unavailable when the service does not answer or
    is busy, Broken when it refuses us (missing rights, malformed request), because no retry mends that.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _meaning(error.response, what) from error
    except BotoCoreError as error:
        why = str(error).rstrip(".")
        raise Unavailable(f"AWS does not answer for {what}: {why}.", code="aws_unavailable") from error


def _meaning(response: dict[str, Any], what: str) -> InterlineError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _ABSENT or status == 404:
        return NotFound(f"There is no {what}.")
    if code in _CHANGED or status == 412:
        return Conflict(f"{what} changed since it was looked at.", code="object_changed")
    if code in _BUSY or status == 429 or status >= 500 or status == 0:
        return Unavailable(f"AWS is busy for {what} ({code or status}).", code="aws_unavailable")
    return Broken(f"AWS refuses {what}: {code} {response.get('Error', {}).get('Message', '')}".strip())
