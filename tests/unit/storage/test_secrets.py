"""Secrets and how long they are remembered, through moto."""

import json

import pytest

from chalicelib.errors import Broken, NotFound
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import secrets

NAME = "interline/target/store"


def store(text: str) -> None:
    manager = aws_clients.client("secretsmanager")
    try:
        manager.create_secret(Name=NAME, SecretString=text)
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=NAME, SecretString=text)


@pytest.mark.usefixtures("aws")
class TestGet:
    def test_remembers_a_secret_until_it_is_forgotten(self):
        store(json.dumps({"password": "old"}))
        assert secrets.get(NAME) == {"password": "old"}

        store(json.dumps({"password": "new"}))

        assert secrets.get(NAME) == {"password": "old"}
        secrets.forget(NAME)
        assert secrets.get(NAME) == {"password": "new"}

    def test_asks_again_after_five_minutes(self, monkeypatch: pytest.MonkeyPatch):
        store(json.dumps({"password": "old"}))
        secrets.get(NAME)
        store(json.dumps({"password": "new"}))
        start = secrets.time.monotonic()

        monkeypatch.setattr(secrets.time, "monotonic", lambda: start + 299)
        assert secrets.get(NAME) == {"password": "old"}
        monkeypatch.setattr(secrets.time, "monotonic", lambda: start + 301)
        assert secrets.get(NAME) == {"password": "new"}

    def test_names_a_missing_secret(self):
        with pytest.raises(NotFound, match="interline/none"):
            secrets.get("interline/none")

    @pytest.mark.parametrize("text", ["hunter2", '["hunter2"]'])
    def test_never_repeats_what_it_could_not_read(self, text: str):
        store(text)

        with pytest.raises(Broken) as refused:
            secrets.get(NAME)

        shown = f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__suppress_context__}"
        assert "hunter2" not in shown
        assert refused.value.__cause__ is None
