import pytest

from local.invocation import failed_message_ids

RECEIVED = ["a", "b", "c"]


class TestFailedMessageIds:
    @pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "text"])
    def test_no_failures_mean_success(self, answer: object):
        assert failed_message_ids(answer, RECEIVED) == frozenset()

    def test_named_failures_fail_alone(self):
        answer = {"batchItemFailures": [{"itemIdentifier": "b"}]}

        assert failed_message_ids(answer, RECEIVED) == {"b"}

    @pytest.mark.parametrize("failure", [{"itemIdentifier": "z"}, {"itemIdentifier": None}, {"id": "b"}, "b"])
    def test_a_failure_that_names_no_message_fails_the_batch(self, failure: object):
        answer = {"batchItemFailures": [{"itemIdentifier": "b"}, failure]}

        assert failed_message_ids(answer, RECEIVED) == {"a", "b", "c"}
