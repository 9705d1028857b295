"""`hub migrate` with a database that is none, or does not answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import app
from local.processes import free_port


def refused(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("INTERLINE_HOME", str(home))
    monkeypatch.setenv("INTERLINE_DATABASE_URL", url)
    monkeypatch.setenv("INTERLINE_DATABASE_TLS", "off")
    done = CliRunner().invoke(app, ["migrate", "--check", "--json"])
    assert done.exit_code == 1
    return json.loads(done.stdout)["error"]


def test_says_how_a_database_is_named_without_repeating_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    error = refused("secret words", tmp_path, monkeypatch)

    assert "mysql+pymysql://USER:PASSWORD@HOST/NAME" in error["message"]
    assert "secret" not in error["message"]


def test_says_which_database_does_not_answer_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    port = free_port()

    error = refused(f"mysql+pymysql://me:secret@127.0.0.1:{port}/hub", tmp_path, monkeypatch)

    assert error["code"] == "database_unavailable"
    assert f"mysql+pymysql://me:***@127.0.0.1:{port}/hub does not answer" in error["message"]


def test_says_that_a_file_is_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    error = refused(f"sqlite:///{tmp_path}", tmp_path, monkeypatch)

    assert error["code"] == "database_unavailable"
    assert "unable to open database file" in error["message"]
