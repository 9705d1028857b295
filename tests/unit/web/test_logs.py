"""Logs: one JSON object a line, which says what happened and can hold nothing personal and no key."""

import json
import logging
import sys

import pytest

from chalicelib.errors import InvalidInput
from chalicelib.web import logs


def line(message="Done.", *args, name="chalicelib.x", error=None, **extra):
    """What a log call writes."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.INFO, "f.py", 1, message, args, exc_info)
    record.__dict__.update(extra)
    text = logs.JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def raised(error, cause=None):
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except type(cause) as inner:
            raise error from inner
    except type(error) as caught:
        return caught


class TestLines:
    def test_say_what_happened_under_the_correlation_id(self):
        with logs.correlated("corr-1234"):
            said = line("File applied.", file_id="fil_x", count=7)
        assert (said["message"], said["correlation_id"], said["file_id"], said["count"]) == (
            "File applied.",
            "corr-1234",
            "fil_x",
            7,
        )
        assert "correlation_id" not in line()

    @pytest.mark.parametrize("name", ["last_name", "email", "phone", "first_name", "body", "ship_to_line1", "secret"])
    def test_drop_what_is_not_listed(self, name):
        assert "Jane" not in json.dumps(line(**{name: "Jane"}))

    @pytest.mark.parametrize(
        "secret",
        [
            "ilk_0123456789ab_" + "f" * 64,
            "Bearer eyJhbGciOi.J9.abc-def",
            "basic dXNlcjpwYXNzd29yZA==",
            "jane.doe@example.com",
        ],
    )
    def test_mask_keys_credentials_and_addresses_wherever_they_turn_up(self, secret):
        error = raised(InvalidInput(f"wrong: {secret}"))
        said = json.dumps(line(f"about {secret}", error=error, object_key=f"in/{secret}.csv"))
        assert secret.split()[-1] not in said
        assert "***" in said

    def test_keep_only_the_template_of_other_libraries_messages(self):
        said = line("connection of %s broke", "Jane", name="urllib3.connectionpool")
        assert said["message"] == "connection of %s broke"

    def test_name_types_and_places_of_foreign_exceptions_and_not_their_words(self):
        error = raised(ValueError("Jane Doe"), cause=KeyError("Jane Doe"))
        stack = line(error=error)["stack"]
        assert "Jane" not in json.dumps(stack)
        assert stack[0] == "builtins.ValueError"
        assert "builtins.KeyError" in stack
        assert any("test_logs.py" in frame and "in raised" in frame for frame in stack)

    def test_repeat_the_words_of_our_own_exceptions(self):
        assert line(error=raised(InvalidInput("The trailer is missing.")))["stack"][0].endswith(
            "InvalidInput: The trailer is missing."
        )


class TestCorrelationIds:
    @pytest.mark.parametrize("given", ["order-12345", "01a200efd20a775fbd18980d118f625c", "a" * 64])
    def test_of_callers_are_kept(self, given):
        assert logs.correlation_of(given) == given

    @pytest.mark.parametrize(
        "given", [None, "", "short", "a" * 65, "with blank", "line\nbreak", "ümlaut-12345", "-abcdefgh"]
    )
    def test_that_are_malformed_are_replaced(self, given):
        made = logs.correlation_of(given)
        assert made != given
        assert logs.correlation_of(made) == made


class TestConfiguring:
    def test_writes_our_lines_and_others_warnings_to_standard_output(self, capsys):
        root = logging.getLogger()
        kept, level = root.handlers[:], root.level
        try:
            root.addHandler(logging.StreamHandler(sys.stdout))  # as `chalice local` does
            logs.configure()
            logs.configure()
            logging.getLogger("chalicelib.x").info("Ours.")
            logging.getLogger("botocore").info("Theirs.")
            logging.getLogger("botocore").warning("Theirs, %s.", "Jane")
        finally:
            root.handlers, root.level = kept, level
        said = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        assert [each["message"] for each in said] == ["Ours.", "Theirs, %s."]
