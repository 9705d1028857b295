"""`hub up` before anything is started."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import app


def test_refuses_a_wrong_setting_by_name_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INTERLINE_SLICEROWS", "3")

    refused = CliRunner().invoke(app, ["up", "--json"])

    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert error["message"] == "The environment is not usable: INTERLINE_SLICEROWS: no such setting."
    assert not (tmp_path / "home").exists()
