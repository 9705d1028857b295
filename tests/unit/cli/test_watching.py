"""Rule files that are saved while a hub runs: who is applied again, and what is said of a broken one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import parse_json
from cli.client import HubClient
from cli.watching import RuleWatcher, snapshot
from local.home import REPOSITORY
from tests.unit.cli.answers import Answers
from tests.unit.cli.rule_folder import edited, grades, make_folder, write


class Watched:
    """A folder of two partners, watched by hand."""

    def __init__(self, folder: Path, client: HubClient) -> None:
        self.folder = folder
        self.said: list[dict[str, Any]] = []
        self.watcher = RuleWatcher(folder, client, folder.parent / "seen.json", self._hear)
        self.watcher._keep(snapshot(folder))

    def _hear(self, source: str, line: str) -> None:
        assert source == "rules"
        self.said.append(json.loads(line))

    def look(self) -> list[tuple[str, str]]:
        """Look once; level and message of what was said."""
        self.said.clear()
        self.watcher.look()
        return [(one["level"], one["message"]) for one in self.said]


@pytest.fixture
def watched(tmp_path: Path, client: HubClient) -> Watched:
    folder = make_folder(tmp_path / "rules")
    other = edited(folder / "partners/acme.json")
    write(folder / "partners/bravo.json", other | {"code": "bravo"})
    return Watched(folder, client)


def plan(*steps: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"partner": "acme", "dry_run": False, "changed": bool(steps), "steps": list(steps)}


def activated(version: int) -> dict[str, Any]:
    after = {"version": version, "effective_from": "2026-01-01"}
    return {
        "kind": "activation",
        "code": "acme.accrual",
        "action": "change",
        "before": {},
        "after": after,
        "changes": [],
        "needs_approval": False,
    }


def pipeline() -> dict[str, Any]:
    document: dict[str, Any] = parse_json((REPOSITORY / "rules/pipelines/lead.json").read_text())
    return document


def asked() -> list[str]:
    return [path.split("/")[3] for _, path, _, _ in Answers.asked]


class TestLook:
    def test_asks_nothing_while_nothing_is_saved(self, watched: Watched):
        assert watched.look() == []
        assert asked() == []

    def test_applies_the_partner_whose_file_was_saved_once(self, watched: Watched):
        Answers.prepared.append(plan(activated(2)))
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        assert watched.look() == [("INFO", "acme.accrual version 2 decides from 2026-01-01 on.")]
        assert watched.look() == []
        assert asked() == ["acme"]

    def test_applies_everybody_for_what_all_use(self, watched: Watched):
        Answers.prepared += [plan(), plan()]
        write(watched.folder / "code-tables/grades.json", grades(A="2"))

        watched.look()

        assert asked() == ["acme", "bravo"]

    def test_says_where_a_file_is_no_json_and_applies_the_others(self, watched: Watched):
        Answers.prepared.append(plan())
        (watched.folder / "rulesets/acme.accrual.json").write_text('{"id": "acme.accrual",')
        edited(watched.folder / "partners/bravo.json", name="Bravo")

        (level, sentence), *rest = watched.look()

        assert level == "ERROR"
        assert sentence.startswith("rulesets/acme.accrual.json: ")
        assert sentence.endswith("The live version goes on deciding.")
        assert [each[0] for each in rest] == ["INFO"]
        assert asked() == ["bravo"]

    def test_says_where_a_pipeline_is_wrong_and_gives_none_to_the_hub(self, watched: Watched):
        path = write(watched.folder / "pipelines/lead.json", pipeline())
        assert watched.look() == [("INFO", "Checked: the pipelines are right.")]

        edited(path, timeout_s=60)
        (wrong,) = watched.look()
        path.write_text("{")
        (unread,) = watched.look()

        assert wrong[0] == unread[0] == "ERROR"
        assert wrong[1].startswith("pipelines/lead.json#/timeout_s: a run in which every step takes its time")
        assert unread[1].startswith("pipelines/lead.json: ")
        assert asked() == []

    def test_says_where_the_hub_finds_a_file_broken(self, watched: Watched):
        fault = {"pointer": "/rulesets/0/cases/1", "code": "case_failed", "message": "case `x` fails"}
        Answers.prepared.append((422, {"code": "bundle_refused", "detail": "One place.", "faults": [fault]}))
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        assert watched.look() == [
            (
                "ERROR",
                "rulesets/acme.accrual.json#/cases/1: case `x` fails. The live version goes on deciding.",
            )
        ]

    def test_tries_again_when_the_hub_was_not_there(self, watched: Watched):
        Answers.prepared += [(503, {"code": "database_unavailable", "detail": "Busy."}), plan(activated(2))]
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        assert [level for level, _ in watched.look()] == ["WARNING"]
        assert [level for level, _ in watched.look()] == ["INFO"]

    def test_says_that_what_is_gone_stays_in_the_hub(self, watched: Watched):
        (watched.folder / "rulesets/acme.accrual.json").unlink()

        assert watched.look() == [("WARNING", "rulesets/acme.accrual.json is gone; what it said stays in the hub.")]
        assert asked() == []

    def test_notices_a_file_of_the_same_length_that_was_saved_again(self, watched: Watched):
        Answers.prepared.append(plan())
        path = watched.folder / "rulesets/acme.accrual.json"
        os.utime(path, ns=(1, 1))

        watched.look()

        assert asked() == ["acme"]


class TestWhereRulesNeedApproval:
    def test_only_checks_and_says_so(self, watched: Watched):
        watched.watcher._saves = False
        Answers.prepared.append(plan(activated(2)))
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        [(level, sentence)] = watched.look()

        assert [path for _, path, _, _ in Answers.asked] == ["/v1/partners/acme/onboarding?dry_run=true"]
        assert level == "INFO"
        assert sentence.startswith("Checked: activation acme.accrual would change. Rules need approval here")


class TestWhatIsLeftToAPerson:
    @pytest.mark.parametrize("action", ["withdrawn", "behind", "awaits_promotion"])
    def test_is_a_warning_that_says_what_to_do(self, watched: Watched, action: str):
        Answers.prepared.append(plan(activated(2) | {"action": action, "changes": ["do this"]}))
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        assert watched.look() == [("WARNING", "acme.accrual version 2 does not decide by its file: do this.")]


class TestBegin:
    def test_applies_what_was_saved_while_no_hub_ran(self, watched: Watched):
        Answers.prepared.append(plan(activated(2)))
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        watched.watcher.begin(None)
        try:
            watched.watcher._thread.join(3)
        finally:
            watched.watcher.stop()

        assert asked() == ["acme"]

    def test_applies_nothing_that_this_start_has_applied(self, watched: Watched):
        edited(watched.folder / "rulesets/acme.accrual.json", why="Another reason.")

        watched.watcher.begin(snapshot(watched.folder))
        watched.watcher.stop()
        watched.watcher.look()

        assert asked() == []
