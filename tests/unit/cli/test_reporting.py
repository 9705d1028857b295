"""How commands answer people and programs."""

import errno
import json

import pytest
import typer
from rich.table import Table

from chalicelib.errors import Fault, InvalidInput
from cli.commands import app
from cli.reporting import Report, reporting, run, show_error


class TestReport:
    def test_does_not_fold_what_goes_to_a_file(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("COLUMNS", raising=False)
        assert Report(as_json=False).console.width == 120

        monkeypatch.setenv("COLUMNS", "77")
        assert Report(as_json=False).console.width == 77

    def test_prints_one_document_and_nothing_else_for_programs(self, capsys: pytest.CaptureFixture[str]):
        Report(as_json=True).answer({"a": "ü"}, Table(title="not this"))

        assert capsys.readouterr() == ('{\n  "a": "ü"\n}\n', "")


class TestRun:
    @pytest.mark.parametrize(
        "arguments",
        [["rules", "promote", "--json"], ["rules", "explode", "--json"], ["rules", "approve", "a", "--json"]],
    )
    def test_wrong_use_is_one_document_for_programs_and_ends_with_2(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ):
        with pytest.raises(SystemExit) as ended:
            run(app, arguments)

        assert ended.value.code == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "wrong_usage"

    def test_a_refusal_is_one_document_and_ends_with_1(self, capsys: pytest.CaptureFixture[str]):
        with pytest.raises(SystemExit) as ended:
            run(app, ["rules", "test", "no-such-file.json", "--json"])

        assert ended.value.code == 1
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "no_file"

    def test_for_people_wrong_use_is_said_on_standard_error(self, capsys: pytest.CaptureFixture[str]):
        with pytest.raises(SystemExit) as ended:
            run(app, ["rules", "promote"])

        assert ended.value.code == 2
        assert capsys.readouterr().out == ""


class TestWhatThisMachineRefuses:
    def refused(self, error: OSError, capsys: pytest.CaptureFixture[str]) -> str:
        with pytest.raises(typer.Exit) as ended, reporting(as_json=True):
            raise error
        assert ended.value.exit_code == 1
        found = json.loads(capsys.readouterr().out)["error"]
        assert found["code"] == "machine_refuses"
        return str(found["message"])

    def test_is_said_with_its_place_and_what_helps(self, capsys: pytest.CaptureFixture[str]):
        read_only = OSError(errno.EROFS, "Read-only file system", "/home/x")
        full = OSError(errno.ENOSPC, "No space left on device")

        assert self.refused(read_only, capsys) == (
            "/home/x: Read-only file system. Make it writable, or name another folder (a hub's own is INTERLINE_HOME)."
        )
        assert self.refused(full, capsys) == (
            "No space left on device. Make room on this disk, then run the command again."
        )


class TestShowError:
    def test_names_each_place_and_says_a_sentence_once(self, capsys: pytest.CaptureFixture[str]):
        faults = [Fault("/scopes/0", "enum", "is no scope"), Fault("/name", "missing", "is required")]
        console = Report(as_json=False).console

        show_error(console, InvalidInput("One place is wrong: is no scope", code="body_invalid", faults=faults))

        said = capsys.readouterr().out
        assert said.count("is no scope") == 1
        assert "/scopes/0 (enum)" in said
        assert "/name  is required (missing)" in said
