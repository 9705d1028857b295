"""Messages to SQS, through moto."""

import json

import pytest

from chalicelib.errors import NotFound
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import queues

FILES = settings().queue("files")


def received() -> list[dict[str, object]]:
    answer = aws_clients.client("sqs").receive_message(QueueUrl=queues.url_of(FILES), MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.mark.usefixtures("aws")
class TestSend:
    def test_delivers_the_body_as_json(self):
        queues.send(FILES, {"continue": "fil_1", "slice": 2})

        assert received() == [{"continue": "fil_1", "slice": 2}]

    def test_holds_a_message_back_for_its_delay(self):
        queues.send(FILES, {"later": True}, delay_s=900)

        assert received() == []

    def test_names_a_queue_that_does_not_exist(self):
        with pytest.raises(NotFound, match="queue none"):
            queues.send("none", {})

    def test_finds_a_queue_again_that_was_made_anew(self):
        queues.send(FILES, {"first": True})
        sqs = aws_clients.client("sqs")
        sqs.delete_queue(QueueUrl=queues.url_of(FILES))
        with pytest.raises(NotFound):
            queues.send(FILES, {"lost": True})

        sqs.create_queue(QueueName=FILES)
        queues.send(FILES, {"second": True})

        assert received() == [{"second": True}]
