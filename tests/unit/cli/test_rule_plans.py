"""`hub rules plan`, `apply` and `pull` against a hub whose answers are prepared."""

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import parse_json
from chalicelib.partners.onboarding.plans import ACTIONS
from chalicelib.rules import canonical
from cli.client import HubClient
from tests.unit.cli.answers import Answers
from tests.unit.cli.rule_folder import answer, edited, hub, make_folder
from tests.unit.partners.test_onboarding import small_bundle


@pytest.fixture(autouse=True)
def target(monkeypatch: pytest.MonkeyPatch, client: HubClient, tmp_path: Path) -> HubClient:
    monkeypatch.setenv("HUB_URL", client.url)
    monkeypatch.setenv("HUB_KEY", "ilk_a_b")
    monkeypatch.setenv("INTERLINE_HOME", str(tmp_path / "nowhere"))
    return client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "rules")


def planned(**more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(ACTIONS, 0) | {"create": 1}
    step = {"kind": "partner", "code": "acme", "action": "create", "before": {}, "after": {}, "changes": []}
    partners = [{"partner": "acme", "steps": [step | {"needs_approval": False}]}]
    return {
        "plan_hash": "ab" * 32,
        "applied": False,
        "needs_approval": False,
        "counts": counts,
        "partners": partners,
    } | more


class TestPlanAndApply:
    def test_send_the_files_digit_by_digit(self, folder: Path):
        Answers.prepared.append((200, planned()))

        done = hub("rules", "plan", str(folder))

        assert done.exit_code == 0, done.output
        assert "Plan: 1 to create, 0 to change, 0 unchanged." in done.stdout
        [(method, path, _, body)] = Answers.asked
        assert (method, path) == ("POST", "/v1/config/plan")
        sent = parse_json(body)
        assert canonical.text(sent["rulesets"][0]) == canonical.text(
            parse_json((folder / "rulesets/acme.accrual.json").read_text())
        )

    def test_apply_of_a_saved_plan_sends_the_planned_documents_though_the_files_have_changed(
        self, folder: Path, tmp_path: Path
    ):
        Answers.prepared += [(200, planned()), (200, planned(applied=True))]
        out = tmp_path / "the.plan"
        assert hub("rules", "plan", str(folder), "--out", str(out)).exit_code == 0
        before = parse_json(Answers.asked[0][3])
        edited(folder / "partners/acme.json", name="Another")

        done = hub("rules", "apply", str(out), "--json")

        assert done.exit_code == 0, done.output
        _, path, _, body = Answers.asked[-1]
        sent = parse_json(body)
        assert path == "/v1/config/apply"
        assert sent.pop("plan_hash") == "ab" * 32
        assert canonical.text(sent) == canonical.text(before)

    def test_apply_of_a_folder_plans_first_and_binds_itself_to_that_plan(self, folder: Path):
        Answers.prepared += [(200, planned()), (200, planned(applied=True))]

        done = hub("rules", "apply", str(folder))

        assert done.exit_code == 0, done.output
        assert [path for _, path, _, _ in Answers.asked] == ["/v1/config/plan", "/v1/config/apply"]
        assert parse_json(Answers.asked[1][3])["plan_hash"] == "ab" * 32
        assert "Applied: 1 created" in done.stdout

    def test_a_plan_that_does_not_hold_any_more_is_refused(self, folder: Path):
        problem = {
            "code": "plan_outdated",
            "detail": "The environment has changed since the plan was made: plan again.",
        }
        Answers.prepared += [(200, planned()), (409, problem)]

        done = hub("rules", "apply", str(folder), "--json")

        assert done.exit_code == 1
        assert answer(done)["error"]["code"] == "plan_outdated"

    def test_a_refusal_names_the_files(self, folder: Path):
        fault = {"pointer": "/rulesets/0/cases/1", "code": "case_failed", "message": "red"}
        Answers.prepared.append((422, {"code": "bundle_refused", "detail": "One place.", "faults": [fault]}))

        done = hub("rules", "plan", str(folder), "--json")

        assert done.exit_code == 1
        [found] = answer(done)["error"]["faults"]
        assert found["pointer"] == "rulesets/acme.accrual.json#/cases/1"

    def test_a_plan_of_another_hub_is_refused_before_anything_is_sent(self, folder: Path, tmp_path: Path):
        Answers.prepared.append((200, planned()))
        out = tmp_path / "the.plan"
        hub("rules", "plan", str(folder), "--out", str(out))
        out.write_text(out.read_text().replace("127.0.0.1", "127.0.0.2"))

        done = hub("rules", "apply", str(out), "--json")

        assert (done.exit_code, answer(done)["error"]["code"]) == (1, "other_hub")
        assert len(Answers.asked) == 1

    def test_a_file_that_is_no_plan_is_refused(self, folder: Path):
        done = hub("rules", "apply", str(folder / "partners/acme.json"), "--json")

        assert (done.exit_code, answer(done)["error"]["code"]) == (2, "not_a_plan")

    @pytest.mark.parametrize(
        "broken", ['{"format": "interline-plan/1"}', '{"format": "interline-plan/1", "hub": 1}', "{"]
    )
    def test_a_broken_plan_is_wrong_use_for_apply_and_approve(self, tmp_path: Path, broken: str):
        path = tmp_path / "the.plan"
        path.write_text(broken)
        for command in ("apply", "approve"):
            done = hub("rules", command, str(path), "--json")
            assert (done.exit_code, answer(done)["error"]["code"]) == (2, "not_a_plan")
        assert Answers.asked == []

    def test_approve_of_a_plan_shows_what_the_hub_says_of_it_and_approves_its_hash(self, folder: Path, tmp_path: Path):
        step = {"kind": "code_table", "code": "grades", "action": "change", "before": {}, "after": {}}
        kept = {
            "plan_hash": "ab" * 32,
            "planned_by": "usr_1",
            "partners": [{"partner": "acme", "steps": [step | {"changes": ["A: 1 -> 2"], "needs_approval": True}]}],
            "events": [],
        }
        approved = kept | {"events": [{"event": "approved", "actor": "usr_2"}]}
        Answers.prepared += [(200, planned(needs_approval=True)), (200, kept), (200, approved)]
        out = tmp_path / "the.plan"
        made = hub("rules", "plan", str(folder), "--out", str(out))

        done = hub("rules", "approve", str(out), "--note", "as agreed")

        assert f"hub rules approve {out}" in made.stdout.replace("\n", "")
        assert done.exit_code == 0, done.output
        assert "A: 1 -> 2" in done.stdout
        assert "is approved by usr_2" in done.stdout
        address = f"/v1/config/plans/{'ab' * 32}"
        assert [each[:2] for each in Answers.asked[1:]] == [("GET", address), ("POST", f"{address}/approve")]
        assert json.loads(Answers.asked[-1][3]) == {"note": "as agreed"}

    def test_the_old_way_to_ask_for_a_plan_is_gone(self, folder: Path):
        assert hub("rules", "apply", str(folder), "--dry-run").exit_code == 2


class TestCheckWithAHub:
    def test_adds_what_the_hub_refuses(self, folder: Path):
        fault = {"pointer": "/manifests/0/layouts/0", "code": "unknown_layout", "message": "there is none"}
        Answers.prepared.append((422, {"code": "bundle_refused", "detail": "One place.", "faults": [fault]}))

        done = hub("rules", "check", str(folder), "--hub", "--json")

        assert done.exit_code == 1
        assert [(each["pointer"], each["by"]) for each in answer(done)["errors"]] == [
            ("partners/acme.json#/layouts/0", "hub")
        ]


class TestPull:
    def prepare(self, folder: Path, *golden: dict[str, Any]) -> None:
        rule = canonical.text(parse_json((folder / "rulesets/acme.accrual.json").read_text()))
        listed = {"code": "acme.accrual", "kind": "accrual", "live": {"version": 1}}
        draft = {"code": "acme.draft", "kind": "accrual", "live": None}
        entry = {"code": "A", "value": "1", "description": None, "effective_from": None, "effective_to": None}
        Answers.prepared += [
            (200, {"items": [{"id": "par_1", "code": "acme"}], "next_cursor": None}),
            (200, {"content": canonical.text(small_bundle()["manifest"]), "applied": True}),
            (200, {"items": [listed, draft], "next_cursor": None}),
            (200, {"decides": [{"effective_from": "2026-01-01", "version": 3}]}),
            (200, {"content": rule}),
            (200, {"cases": golden}),
            (200, {"decides": []}),
            (
                200,
                {"items": [{"code": "grades", "partner_id": None, "owner": "ops", "value": None}], "next_cursor": None},
            ),
            (200, {"items": [entry], "next_cursor": None}),
        ]

    def test_writes_what_decides_and_leaves_drafts_out(self, folder: Path, tmp_path: Path):
        self.prepare(folder)

        done = hub("rules", "pull", str(tmp_path / "new"), "--json")

        assert done.exit_code == 0, done.output
        assert {one["file"]: one["action"] for one in answer(done)["files"]} == {
            "partners/acme.json": "new",
            "rulesets/acme.accrual.json": "new",
            "code-tables/grades.json": "new",
        }
        assert "/v1/rulesets/acme.accrual/versions/3" in [path for _, path, _, _ in Answers.asked]
        pulled = parse_json((tmp_path / "new/rulesets/acme.accrual.json").read_text())
        there = parse_json((folder / "rulesets/acme.accrual.json").read_text())
        assert canonical.text(pulled) == canonical.text(there)

    def test_says_how_many_golden_cases_no_file_has(self, folder: Path, tmp_path: Path):
        self.prepare(folder, {"case_id": "four-hours"}, {"case_id": "leaver"})
        done = hub("rules", "pull", str(tmp_path / "new"))
        self.prepare(folder, {"case_id": "four-hours"}, {"case_id": "leaver"})
        again = hub("rules", "pull", str(tmp_path / "new"), "--json")

        said = " ".join(done.output.split())
        assert "2 golden cases stay in the hub, and in no file: 2 rulesets/acme.accrual.json" in said
        left = {one["file"]: one["golden_cases_left"] for one in answer(again)["files"]}
        assert left == {"partners/acme.json": 0, "rulesets/acme.accrual.json": 2, "code-tables/grades.json": 0}

    def test_keeps_the_form_of_a_file_that_says_the_same(self, folder: Path):
        path = folder / "rulesets/acme.accrual.json"
        path.write_text(json.dumps(json.loads(path.read_text()), indent=7).replace("1.5", "1.5"))
        self.prepare(folder)
        before = {each: each.read_text() for each in folder.glob("*/*.json")}

        done = hub("rules", "pull", str(folder), "--json")

        assert {one["action"] for one in answer(done)["files"]} == {"unchanged"}
        assert {each: each.read_text() for each in folder.glob("*/*.json")} == before

    def test_keeps_why_of_a_code_table_that_changed(self, folder: Path):
        edited(folder / "code-tables/grades.json", why="The union says so.", entries=[{"code": "A", "value": "9"}])
        self.prepare(folder)

        done = hub("rules", "pull", str(folder), "--json")

        assert [one["file"] for one in answer(done)["files"] if one["action"] == "change"] == [
            "code-tables/grades.json"
        ]
        pulled = json.loads((folder / "code-tables/grades.json").read_text())
        assert (pulled["why"], pulled["entries"]) == ("The union says so.", [{"code": "A", "value": "1"}])
