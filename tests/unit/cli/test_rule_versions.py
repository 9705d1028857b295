"""The way of one version by commands: saved, back-tested, approved, promoted, compared, by prepared answers."""

import json
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from chalicelib.language import parse_json
from chalicelib.rules import canonical
from cli.client import HubClient
from tests.unit.cli.answers import Answers
from tests.unit.cli.rule_folder import answer, edited, hub, make_folder

SAVED = {
    "ruleset": "acme.accrual",
    "version": 2,
    "content_hash": "ab" * 32,
    "created": True,
    "ready": False,
    "findings": [],
    "shut": [{"pointer": "/cases/0", "code": "case_failed", "message": "Case `x` fails."}],
}
CHANGES = {"unchanged": 1, "more": 1, "less": 0, "without_points": 0, "refused": 1, "accepted": 0}
SUMS = {"unit": "points", "points_then": "10.00", "points_now": "12.50", "difference": "2.50"}
EVENT = {
    **SUMS, "program_code": "uniform", "event_id": "e-1", "event_date": "2026-11-02", "accrual_id": "acr_1",
    "refused_because": None, "trace_then": {"sentence": "It was so."}, "trace_now": {"sentence": "It would be so."},
}  # fmt: skip


def backtest(state: str = "done", **more: Any) -> dict[str, Any]:
    program = SUMS | {
        "program_code": "uniform", "events": 3, "members": 2, "members_changed": 1, "changes": CHANGES
    }  # fmt: skip
    member = SUMS | {"employee_id": "E1", "program_code": "uniform", "events": 2, "changed": 1, "biggest": EVENT}
    return {
        "id": "bkt_1", "ruleset": "acme.accrual", "version": 2, "state": state, "reason": None, "reason_code": None,
        "selection": {"from_date": "2026-11-01", "to_date": None, "file_ids": []}, "events_total": 3, "events_done": 3,
        "units": [SUMS], "programs": [program], "decided_by": [], "members_moved": [member], "events_moved": [EVENT],
        "reasons": [{"change": "refused", "reason": "decision_refused quantity", "records": 1}], **more,
    }  # fmt: skip


RECORDS = {
    "items": [
        {
            "change": "refused", "event_id": "e-9", "event_date": "2026-11-03", "program_code": "uniform",
            "points_then": "1.00", "points_now": "0.00", "message": "no row of table `tier` takes it", "code": "no_row",
        }
    ],
    "next_cursor": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def target(monkeypatch: pytest.MonkeyPatch, client: HubClient, tmp_path: Path) -> HubClient:
    monkeypatch.setenv("HUB_URL", client.url)
    monkeypatch.setenv("HUB_KEY", "ilk_a_b")
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path / "nowhere"))
    return client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "rules") / "rulesets/acme.accrual.json"


class TestSave:
    def test_sends_the_file_and_tells_what_keeps_it_from_deciding(self, file: Path):
        Answers.prepared.append((201, SAVED))

        done = hub("rules", "save", str(file))

        assert done.exit_code == 0, done.output
        assert "acme.accrual version 2 saved" in done.stdout
        assert "Case `x` fails." in done.stdout
        assert "It may not decide yet." in done.stdout
        [(_, path, _, body)] = Answers.asked
        assert path == "/v1/rulesets/acme.accrual/versions"
        assert canonical.text(parse_json(body)["document"]) == canonical.text(parse_json(file.read_text()))

    def test_a_refusal_names_the_file(self, file: Path):
        fault = {"pointer": "/when", "code": "unknown_field", "message": "no such field"}
        Answers.prepared.append((422, {"code": "rule_refused", "detail": "No.", "faults": [fault]}))

        done = hub("rules", "save", str(file), "--json")

        assert done.exit_code == 1
        assert answer(done)["error"]["faults"][0]["pointer"] == f"{file}#/when"


class TestBacktest:
    def test_shows_the_sums_who_moves_and_which_records_change_sides(self):
        Answers.prepared += [(202, backtest("queued")), (200, backtest("running")), (200, backtest()), (200, RECORDS)]

        done = hub("rules", "backtest", "acme.accrual", "--version", "2", "--from", "2026-11-01")

        assert done.exit_code == 0, done.output
        for shown in ("+2.50", "1 of 2", "E1", "It was so.", "It would be so.", "refused now", "no row of table"):
            assert shown in done.stdout
        assert Answers.asked[0][1] == "/v1/rulesets/acme.accrual/versions/2/backtests"
        assert json.loads(Answers.asked[0][3])["from_date"] == "2026-11-01"

    def test_of_a_file_saves_it_first(self, file: Path):
        Answers.prepared += [(201, SAVED), (202, backtest("queued")), (200, backtest())]

        done = hub("rules", "backtest", str(file), "--from", "2026-11-01", "--json")

        assert (done.exit_code, answer(done)["state"]) == (0, "done")
        assert Answers.asked[1][1] == "/v1/rulesets/acme.accrual/versions/2/backtests"

    def test_interrupted_goes_on_in_the_hub_and_says_how_to_see_it(self, monkeypatch: pytest.MonkeyPatch):
        def interrupt(_: float) -> NoReturn:
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", interrupt)
        Answers.prepared += [(202, backtest("queued")), (200, backtest("running"))]

        done = hub("rules", "backtest", "acme.accrual", "--version", "2", "--from", "2026-11-01")

        assert done.exit_code == 1
        assert "hub rules backtest --resume bkt_1" in done.output
        assert not [path for _, path, _, _ in Answers.asked if "cancel" in path]

    def test_resumed_starts_nothing(self):
        Answers.prepared.append((200, backtest()))

        assert hub("rules", "backtest", "--resume", "bkt_1", "--json").exit_code == 0
        assert [method for method, _, _, _ in Answers.asked] == ["GET"]

    def test_that_failed_ends_with_one_and_says_why(self):
        failed = backtest("failed", reason="The rule does not compile.", reason_code="rule_refused", programs=[])
        Answers.prepared.append((200, failed | {"members_moved": [], "reasons": [], "units": []}))

        done = hub("rules", "backtest", "--resume", "bkt_1")

        assert done.exit_code == 1
        assert "The rule does not compile. (rule_refused)" in done.stdout

    @pytest.mark.parametrize(
        "wrong",
        [(), ("acme.accrual",), ("acme.accrual", "--from", "soon"), ("acme.accrual", "--resume", "bkt_1")],
        ids=["nothing", "no events", "no day", "both"],
    )
    def test_used_wrongly_asks_nothing(self, wrong: tuple[str, ...]):
        assert hub("rules", "backtest", *wrong).exit_code == 2
        assert Answers.asked == []


class TestApproveAndPromote:
    def test_send_what_was_looked_at_and_the_day(self):
        approved = {"approved_by": "usr_1", "bound_hash": "cd" * 32}
        decides = [{"effective_from": "2026-12-01", "version": 2}]
        promoted = {"changed": True, "effective_from": "2026-12-01", "approved_by": "usr_1", "decided_already": 3}
        Answers.prepared += [(200, approved), (200, promoted | {"decides": decides})]

        first = hub("rules", "approve", "acme.accrual", "--version", "2", "--backtest", "bkt_1", "--from", "2026-12-01")
        second = hub("rules", "promote", "acme.accrual", "--version", "2", "--from", "2026-12-01")

        assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
        assert json.loads(Answers.asked[0][3]) == {
            "backtest_ids": ["bkt_1"],
            "effective_from": "2026-12-01",
            "note": None,
        }
        assert json.loads(Answers.asked[1][3])["effective_from"] == "2026-12-01"
        assert "3 events since then were decided by others and stay." in second.stdout

    def test_own_versions_are_refused_by_the_hub_and_said_so(self):
        Answers.prepared.append((403, {"code": "own_approval", "detail": "Another person must approve it."}))

        done = hub("rules", "approve", "acme.accrual", "--version", "2", "--json")

        assert (done.exit_code, answer(done)["error"]["code"]) == (1, "own_approval")

    def test_want_a_version_and_a_day(self):
        assert hub("rules", "approve", "acme.accrual").exit_code == 2
        assert hub("rules", "promote", "acme.accrual", "--version", "2").exit_code == 2
        assert hub("rules", "rollback", "acme.accrual", "--from", "2026-12-01").exit_code == 2


class TestDiff:
    def test_of_two_versions_asks_the_hub(self):
        change = {"kind": "row", "what": "rate 1 -> 2", "pointer_before": None, "pointer_after": None}
        found = {"ruleset": "acme.accrual", "from_version": 1, "to_version": 2, "changes": [change]}
        Answers.prepared.append((200, found))

        done = hub("rules", "diff", "acme.accrual", "--from", "1", "--to", "2")

        assert (done.exit_code, Answers.asked[0][1]) == (
            0,
            "/v1/rulesets/acme.accrual/diff?from_version=1&to_version=2",
        )
        assert "rate 1 -> 2" in done.stdout

    def test_of_a_file_compares_it_with_what_decides_today(self, file: Path):
        text = canonical.text(parse_json(file.read_text()))
        history = {"live": {"version": 7}, "latest_version": 9}
        Answers.prepared += [(200, history), (200, {"content": text})] * 2

        same = hub("rules", "diff", str(file), "--json")
        document = edited(file)
        outputs = document["outputs"]
        outputs["points"]["expr"]["*"][1] = 4
        edited(file, outputs=outputs)
        other = hub("rules", "diff", str(file), "--json")

        assert answer(same)["changes"] == []
        assert answer(same)["from_version"] == 7
        assert any("4" in change["what"] for change in answer(other)["changes"])
