"""`hub files`: what each command asks the hub, what it shows of the answer, and how it ends."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import mending
from cli.client import HubClient
from cli.commands import app
from cli.target import Target
from tests.unit.cli.answers import Answers

ID = "fil_00000000000000000000000001"
ROWS = {"total": 2, "accepted": 2, "rejected": 0, "duplicate": 0, "ignored": 0}
REFUSED_ROW = {"row_no": 2, "code": "unknown_member", "column": "id", "message": "Nobody has this number."}
TRIED = {
    "state": "processed",
    "reason": None,
    "rows": ROWS,
    "programs": [{"program_code": "uniform", "points_posted": "12.50"}],
    "errors": [],
}
LEFT = {
    "kind": "accrual",
    "id": "acr_00000000000000000000000001",
    "row_no": 7,
    "code": "points_spent",
    "entry_code": None,
    "program_code": "uniform",
    "points": "3.00",
}
TAKEN_BACK: dict[str, Any] = {
    "file_id": ID,
    "dry_run": False,
    "state": "rolled_back",
    "finished_at": "2026-11-20T12:00:00Z",
    "done": 2,
    "left_count": 0,
    "programs": [
        {
            "program_code": "uniform",
            "records": 2,
            "points": "12.50",
            "recovered": "11.50",
            "overdrawn": "0.00",
            "given_up": "1.00",
            "expired": "0.00",
            "refused": "0.00",
        }
    ],
    "left": [],
}
BEGUN = TAKEN_BACK | {"state": "rolling_back", "finished_at": None, "done": 0, "programs": []}
FIXED = {"still": None, "fixes": [{"changes": {"id": {"before": "E9", "after": "E1"}}}]}
DIFFERENCE: dict[str, Any] = {
    "rows": 5,
    "differing": 2,
    "newly_accepted": 0,
    "newly_refused": 1,
    "difference": "9f" * 32,
    "programs": [{"program_code": "uniform", "points_before": "15.00", "points_after": "20.00", "difference": "5.00"}],
}


@pytest.fixture(autouse=True)
def _impatient(client: HubClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_POLL_S", 0.0)
    monkeypatch.setattr(mending, "chosen", lambda: Target(client.url, "ilk_a_b", None))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["files", *arguments])
    return done.exit_code, done.stdout


def asked(number: int = 0) -> tuple[str, str, Any]:
    """Method, path and body of one request."""
    method, path, _, body = Answers.asked[number]
    return method, path, json.loads(body) if body else None


class TestValidate:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "pay.csv"
        path.write_bytes(b"event,id\na,E1\n")
        return path

    def try_it(self, file: Path, *more: str) -> tuple[int, str]:
        return run("validate", str(file), "--partner", "acme", "--layout", "hours", *more)

    def test_says_which_sidecar_is_no_text(self, file: Path):
        file.with_name("pay.ctl").write_bytes(b"\xff\xfe\x00")

        status, told = self.try_it(file)

        assert status == 1
        assert "pay.ctl is no text in UTF-8" in told

    def test_sends_the_file_and_shows_what_it_would_come_to(self, file: Path):
        Answers.prepared.append((200, TRIED))

        status, told = self.try_it(file)

        assert status == 0
        assert asked() == (
            "POST",
            "/v1/files/validate",
            {
                "partner_code": "acme",
                "layout": "hours",
                "name": "pay.csv",
                "content_base64": base64.b64encode(file.read_bytes()).decode(),
                "sidecar": None,
            },
        )
        assert [line.split() for line in told.splitlines()[:3]] == [
            ["status", "processed"],
            ["rows", "total", "2"],
            ["rows", "accepted", "2"],
        ]
        assert "points uniform" in told
        assert "12.50" in told

    @pytest.mark.parametrize("name", ["pay.csv.ctl", "pay.ctl"])
    def test_sends_the_sidecar_beside_it_along(self, file: Path, name: str):
        file.with_name(name).write_text("rows=1")
        Answers.prepared.append((200, TRIED))

        self.try_it(file)

        assert asked()[2]["sidecar"] == "rows=1"

    @pytest.mark.parametrize(
        "found",
        [
            TRIED | {"rows": ROWS | {"accepted": 1, "rejected": 1}, "errors": [REFUSED_ROW]},
            TRIED | {"state": "quarantined", "reason": "The trailer is missing.", "errors": []},
        ],
    )
    def test_ends_with_one_when_a_row_or_the_file_would_be_refused(self, file: Path, found: dict[str, Any]):
        Answers.prepared.append((200, found))

        status, told = self.try_it(file)

        assert status == 1
        assert "Nobody has this number." in told or "The trailer is missing." in told

    def test_prints_the_answer_as_it_came_when_a_program_reads_it(self, file: Path):
        Answers.prepared.append((200, TRIED))

        status, told = self.try_it(file, "--json")

        assert (status, json.loads(told)) == (0, TRIED)


class TestFix:
    def test_names_row_and_cells_and_shows_what_changed(self):
        Answers.prepared.append((200, FIXED))

        status, told = run("fix", ID, "2", "id=E1", "note=a=b", "--reason", "a typing error")

        assert status == 0
        assert asked() == (
            "PATCH",
            f"/v1/files/{ID}/rows/2",
            {"cells": {"id": "E1", "note": "a=b"}, "reason": "a typing error"},
        )
        assert "E9" in told
        assert "resubmit it" in told

    def test_ends_with_one_while_the_row_is_still_wrong(self):
        Answers.prepared.append((200, {"still": {"message": "Nobody has this number."}, "fixes": []}))

        status, told = run("fix", ID, "2", "id=E1")

        assert status == 1
        assert "Still wrong: Nobody has this number." in told

    def test_asks_nothing_for_a_cell_without_a_column(self):
        status, _ = run("fix", ID, "2", "E1")

        assert (status, Answers.asked) == (2, [])

    def test_finds_the_latest_file_of_a_name(self):
        Answers.prepared += [(200, {"items": [{"id": ID}]}), (200, FIXED)]

        run("fix", "pay day.csv", "2", "id=E1")

        assert asked()[1] == "/v1/files?name=pay+day.csv&limit=1"
        assert asked(1)[1] == f"/v1/files/{ID}/rows/2"

    def test_says_so_when_there_is_no_file_of_the_name(self):
        Answers.prepared.append((200, {"items": []}))

        status, told = run("fix", "pay.csv", "2", "id=E1", "--json")

        assert (status, json.loads(told)["error"]["code"], len(Answers.asked)) == (1, "not_found", 1)


class TestResubmit:
    def answer(self, outcome: str) -> dict[str, Any]:
        row = {"row_no": 2, "outcome": outcome, "message": None if outcome == "accepted" else "Nobody has this number."}
        return {"rows": [row], "counts": ROWS}

    def test_has_all_that_were_corrected_decided_under_a_key_of_its_own(self):
        Answers.prepared += [(200, self.answer("accepted"))] * 2

        assert run("resubmit", ID)[0] == 0
        run("resubmit", ID, "--row", "2", "--row", "5")

        assert asked() == ("POST", f"/v1/files/{ID}/rows/resubmit", {"rows": None})
        assert asked(1)[2] == {"rows": [2, 5]}
        keys = {{name.lower(): value for name, value in each[2].items()}["idempotency-key"] for each in Answers.asked}
        assert len(keys) == 2

    def test_ends_with_one_when_a_row_is_refused_again(self):
        Answers.prepared.append((200, self.answer("rejected")))

        status, told = run("resubmit", ID)

        assert status == 1
        assert "Nobody has this number." in told


class TestReprocess:
    def test_shows_the_difference_and_changes_nothing(self):
        Answers.prepared.append((200, DIFFERENCE))

        status, told = run("reprocess", ID, "--rules", "same")

        assert status == 0
        assert asked() == (
            "POST",
            f"/v1/files/{ID}/reprocess",
            {"rules": "same", "dry_run": True, "difference": None, "reason": None},
        )
        assert "9f" * 32 in told
        assert ["uniform", "15.00", "20.00", "5.00"] in [line.split() for line in told.splitlines()]

    def test_has_exactly_the_named_difference_made(self):
        Answers.prepared.append((200, DIFFERENCE))

        run("reprocess", ID, "--apply", "9f" * 32, "--reason", "the rate was wrong")

        assert asked()[2] == {
            "rules": "latest",
            "dry_run": False,
            "difference": "9f" * 32,
            "reason": "the rate was wrong",
        }

    def test_changes_nothing_without_a_reason(self):
        status, _ = run("reprocess", ID, "--apply", "9f" * 32)

        assert (status, Answers.asked) == (2, [])


class TestRollback:
    def test_waits_until_the_file_is_taken_back(self):
        Answers.prepared += [(202, BEGUN), (200, {"rollback": BEGUN}), (200, {"rollback": TAKEN_BACK})]

        status, told = run("rollback", ID, "--reason", "the wrong month")

        assert status == 0
        assert asked() == ("POST", f"/v1/files/{ID}/rollback", {"reason": "the wrong month", "dry_run": False})
        assert [asked(number)[:2] for number in (1, 2)] == [("GET", f"/v1/files/{ID}")] * 2
        lines = [line.split() for line in told.splitlines()]
        assert ["state", "rolled_back"] in lines
        assert ["uniform", "2", "12.50", "11.50", "0.00", "1.00", "0.00", "0.00"] in lines

    def test_names_what_had_to_stay_and_ends_with_one(self):
        Answers.prepared.append((200, TAKEN_BACK | {"left_count": 1, "left": [LEFT]}))

        status, told = run("rollback", ID, "--reason", "the wrong month")

        assert status == 1
        assert ["7", "accrual", LEFT["id"], "points_spent", "3.00"] in [line.split() for line in told.splitlines()]

    def test_does_not_wait_for_what_is_only_foreseen(self):
        Answers.prepared.append((200, BEGUN | {"dry_run": True, "done": 2}))

        status, told = run("rollback", ID, "--reason", "a try", "--dry-run")

        assert (status, len(Answers.asked)) == (0, 1)
        assert asked()[2] == {"reason": "a try", "dry_run": True}
        assert "dry run" in told

    def test_ends_with_one_when_it_takes_too_long(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(mending, "_TAKEN_BACK_S", -1.0)
        Answers.prepared.append((202, BEGUN))

        status, told = run("rollback", ID, "--reason", "the wrong month", "--json")

        assert (status, json.loads(told)["error"]["code"]) == (1, "file_unfinished")
