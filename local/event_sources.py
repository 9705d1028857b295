"""Run the event handlers that a Chalice app registers: queues at least once, schedules at their times.

What Lambda's event source mapping does: a message is deleted only after its handler succeeded, its visibility is
extended while the handler runs, a failed one comes back, and the queue's own redrive policy ends in the dead letters.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from chalice.app import Chalice, ScheduledEventConfig, SQSEventConfig

from chalicelib.errors import NotFound, Unavailable
from chalicelib.operations import firing
from chalicelib.storage import aws, queues
from local import invocation

log = logging.getLogger("local.workers")

_MESSAGES_MAX = 10
_CONCURRENCY = 2
_PAUSE_S = 1.0
_RETRY_BASE_S = 5
_RETRY_MAX_S = 60

Handler = Callable[[Mapping[str, Any], invocation.Context], object]


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds: a handler's limit, how long a beat keeps a message invisible, between beats, and of one poll."""

    handler_s: float = 900.0
    visibility_s: int = 30
    beat_s: float = 10.0
    wait_s: int = 2


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A handler and the queue that feeds it, up to ``batch_max`` messages at a time to ``concurrency`` copies of it."""

    name: str
    queue: str
    batch_max: int
    concurrency: int
    handler: Handler


@dataclass(frozen=True, slots=True)
class ScheduleSource:
    """A handler and when it is called."""

    name: str
    schedule: firing.Rate | firing.Cron
    handler: Handler


def queue_sources(app: Chalice) -> list[QueueSource]:
    """The SQS handlers that the app registers."""
    return [
        QueueSource(
            source.name,
            source.queue or str(source.queue_arn).rsplit(":", 1)[1],
            min(source.batch_size, _MESSAGES_MAX),
            source.maximum_concurrency or _CONCURRENCY,
            app.handler_map[source.name],
        )
        for source in app.event_sources
        if isinstance(source, SQSEventConfig)
    ]


def schedule_sources(app: Chalice) -> list[ScheduleSource]:
    """The scheduled handlers that the app registers. Raises InvalidInput for an expression that is not understood."""
    found: list[ScheduleSource] = []
    for source in app.event_sources:
        if isinstance(source, ScheduledEventConfig):
            expression = source.schedule_expression
            text = expression if isinstance(expression, str) else expression.to_string()
            found.append(ScheduleSource(source.name, firing.parse(text), app.handler_map[source.name]))
    return found


class _Heartbeat(AbstractContextManager["_Heartbeat"]):
    """Keeps messages invisible while a handler works on them, until its time limit."""

    def __init__(self, url: str, handles: Sequence[str], timings: Timings, context: invocation.Context) -> None:
        self._url = url
        self._handles = handles
        self._timings = timings
        self._context = context
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(self._timings.beat_s):
            if self._context.get_remaining_time_in_millis() == 0:
                # Lambda would have ended the handler by now, and the message would come back to another one.
                log.error("A handler is over its time limit.", extra={"handler": self._context.function_name})
                return
            try:
                _make_visible(self._url, self._handles, self._timings.visibility_s)
            except (Unavailable, NotFound) as error:
                log.warning("A message could not be kept invisible.", extra={"code": error.code})


class QueuePoller:
    """One consumer of one queue."""

    def __init__(self, source: QueueSource, timings: Timings) -> None:
        self._source = source
        self._timings = timings

    def run(self, stopping: threading.Event) -> None:
        """Poll until told to stop; the batch in hand is finished first, one that comes later is given back."""
        while not stopping.is_set():
            try:
                self.poll_once(stopping)
            except (Unavailable, NotFound) as error:
                queues.forget(self._source.queue)
                log.warning("The queue cannot be reached.", extra={"queue": self._source.queue, "code": error.code})
                stopping.wait(_PAUSE_S)

    def poll_once(self, stopping: threading.Event | None = None) -> int:
        """Receive one batch, handle it, and return how many messages it had. Raises Unavailable and NotFound."""
        url = queues.url_of(self._source.queue)
        with aws.failures_of(f"queue {self._source.queue}"):
            answer = aws.client("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=self._source.batch_max,
                WaitTimeSeconds=self._timings.wait_s,
                VisibilityTimeout=self._timings.visibility_s,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        if stopping is not None and stopping.is_set():
            _make_visible(url, [message["ReceiptHandle"] for message in messages], 0)
        elif messages:
            self._handle(url, messages)
        return len(messages)

    def _handle(self, url: str, messages: Sequence[Mapping[str, Any]]) -> None:
        context = invocation.Context(self._source.name, self._timings.handler_s)
        event = invocation.sqs_event(self._source.queue, messages)
        ids = [message["MessageId"] for message in messages]
        with _Heartbeat(url, [message["ReceiptHandle"] for message in messages], self._timings, context):
            try:
                failed = invocation.failed_message_ids(self._source.handler(event, context), ids)
            except Exception:
                # The edge of this process, as Lambda is of a function: the batch comes back.
                log.exception("A handler failed.", extra={"handler": self._source.name, "message_id": ",".join(ids)})
                failed = frozenset(ids)
        for message in messages:
            try:
                self._settle(url, message, failed=message["MessageId"] in failed)
            except NotFound:
                # Over its time the message went to another handler, whose word counts.
                log.warning("A message went to another handler.", extra={"message_id": message["MessageId"]})

    def _settle(self, url: str, message: Mapping[str, Any], *, failed: bool) -> None:
        handle = message["ReceiptHandle"]
        if failed:
            tries = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
            _make_visible(url, [handle], min(_RETRY_BASE_S * 2 ** (tries - 1), _RETRY_MAX_S))
            return
        with aws.failures_of(f"message of queue {self._source.queue}"):
            aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=handle)


def _make_visible(url: str, handles: Sequence[str], after_s: int) -> None:
    with aws.failures_of("a message's visibility"):
        for handle in handles:
            aws.client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=after_s)


def run_schedule(source: ScheduleSource, timings: Timings, stopping: threading.Event) -> None:
    """Call a scheduled handler at its times until told to stop: a rate also at once, never two calls at a time.

    Times that pass while the handler runs are left out.
    """
    due = datetime.now(UTC)
    if isinstance(source.schedule, firing.Cron):
        due = source.schedule.after(due)
    while not stopping.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
        context = invocation.Context(source.name, timings.handler_s)
        try:
            source.handler(invocation.schedule_event(source.name, due), context)
        except Exception:
            # The edge of this process: the schedule goes on, as EventBridge's does.
            log.exception("A handler failed.", extra={"handler": source.name, "schedule": source.name})
        while due <= datetime.now(UTC):
            due = source.schedule.after(due)
