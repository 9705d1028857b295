"""`hub export`: ask, wait, fetch."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chalicelib.errors import Unavailable
from cli import export
from cli.client import HubClient
from cli.commands import app
from cli.target import Target
from tests.unit.cli.answers import Answers

ASKED = {"id": "exp_1", "state": "queued"}
WRITTEN = {
    "id": "exp_1",
    "state": "written",
    "object_key": "acme/payroll_feed/feed.csv",
    "rows": 2,
    "file_seq": 7,
    "receiver": "acme",
    "as_of": "2026-11-20T12:00:00Z",
}


@pytest.fixture(autouse=True)
def _impatient(client: HubClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export, "_POLL_S", 0.0)
    monkeypatch.setattr(export, "chosen", lambda: Target(client.url, "ilk_a_b", None))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["export", *arguments])
    return done.exit_code, done.stdout


class TestExport:
    def test_waits_for_the_file_and_fetches_it_under_its_name(self, client: HubClient):
        link = f"{client.url}/file"
        Answers.prepared += [(202, ASKED), (200, ASKED), (200, {**WRITTEN, "link": link}), (200, b"a,b\n")]

        status, told = run("payroll_feed", "--partner", "acme", "--from", "2026-11-01", "--to", "2026-11-15")

        assert status == 0
        assert Path("feed.csv").read_bytes() == b"a,b\n"
        assert "2 rows, number 7 for acme" in told
        assert json.loads(Answers.asked[0][3]) == {
            "export": "payroll_feed",
            "partner_code": "acme",
            "mode": "full",
            "period_start": "2026-11-01",
            "period_end": "2026-11-15",
            "reference": None,
        }

    def test_ends_with_one_when_it_failed(self):
        failed = {**WRITTEN, "state": "failed", "reason_code": "gave_up", "reason": "It went wrong.", "link": None}
        Answers.prepared += [(202, ASKED), (200, failed)]

        assert run("payroll_feed", "--json")[0] == 1

    def test_says_that_there_is_nothing_to_say(self):
        Answers.prepared += [(202, ASKED), (200, {**WRITTEN, "state": "empty", "object_key": None, "link": None})]

        status, told = run("balances_sfcc", "--delta")

        assert (status, told) == (0, "There is nothing to say: no file was sent.\n")

    def test_wants_both_ends_of_a_period(self):
        assert run("payroll_feed", "--from", "2026-11-01")[0] == 2

    def test_leaves_nothing_when_the_file_cannot_be_fetched(self, client: HubClient, tmp_path: Path):
        Answers.prepared.append((404, b""))

        with pytest.raises(Unavailable, match="could not be fetched"):
            export.fetch(f"{client.url}/file", tmp_path / "feed.csv")

        assert list(tmp_path.iterdir()) == []
