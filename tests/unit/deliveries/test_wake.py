"""Waking the pump by a message."""

from datetime import timedelta

import pytest

from chalicelib.deliveries import wake
from chalicelib.settings import settings
from chalicelib.storage import aws, queues
from tests.factories.deliveries import NOW


@pytest.fixture(autouse=True)
def rested():
    wake.reset()


def sent():
    """How many messages are still held back; one that may be taken at once would not cover what follows it."""
    client = aws.client("sqs")
    url = queues.url_of(settings().queue("deliveries"))
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessagesDelayed"])


@pytest.mark.usefixtures("aws")
class TestWaking:
    def test_sends_one_message_a_second_that_comes_late_enough_for_all_of_it(self):
        for milliseconds in (0, 1, 500, 999):
            wake.wake(now=NOW + timedelta(milliseconds=milliseconds))
        assert sent() == 1

        wake.wake(now=NOW + timedelta(seconds=1))
        assert sent() == 2

    def test_sends_again_when_the_clock_was_set_back(self):
        wake.wake(now=NOW)
        wake.wake(now=NOW - timedelta(hours=1))
        assert sent() == 2

    def test_without_a_queue_is_no_error_because_the_schedule_pumps_too(self, caplog):
        aws.client("sqs").delete_queue(QueueUrl=queues.url_of(settings().queue("deliveries")))
        queues.reset()

        wake.wake(now=NOW)

        assert [record.message for record in caplog.records] == [
            "The pump could not be woken: the schedule will run it."
        ]

    def test_leaves_a_queue_that_does_not_answer_alone_for_a_minute(self, caplog):
        aws.client("sqs").delete_queue(QueueUrl=queues.url_of(settings().queue("deliveries")))
        queues.reset()

        for seconds in (0, 30, 59, 60):
            wake.wake(now=NOW + timedelta(seconds=seconds))

        assert len(caplog.records) == 2
