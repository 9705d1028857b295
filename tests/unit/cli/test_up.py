"""`hub up` before anything is started."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.commands import app
from cli.up import _say_what_waits


def test_refuses_a_wrong_setting_by_name_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INTERLINE_SLICEROWS", "3")

    refused = CliRunner().invoke(app, ["up", "--json"])

    assert refused.exit_code == 1
    error = json.loads(refused.stdout)["error"]
    assert error["message"] == "The environment is not usable: INTERLINE_SLICEROWS: no such setting."
    assert not (tmp_path / "home").exists()


def test_says_that_nothing_decides_when_nobody_approved_the_first_rules(capsys: pytest.CaptureFixture[str]):
    _say_what_waits(Console(), [f"acme.rule-{number}" for number in range(7)])

    said = capsys.readouterr().out
    assert said.startswith("7 rules and layouts are saved and decide nothing: INTERLINE_RULE_APPROVAL=required,")
    assert "acme.rule-4, …)" in said
    assert "start once without INTERLINE_RULE_APPROVAL" in said
