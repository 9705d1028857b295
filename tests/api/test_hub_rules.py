"""The `hub rules` commands against a local hub: an admin's way from an edited file to what decides, and back."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.home import REPOSITORY
from local.processes import free_port
from tests.factories.hub import READY_S, Hub

#: Whole hubs take turns: two at once would be too much for a small machine.
pytestmark = pytest.mark.xdist_group("hub")

RULE = "rulesets/aurora-air.accrual.json"
CASE = "the tier changes on the day of 24 months"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's rule files, to be edited."""
    return Path(shutil.copytree(REPOSITORY / "rules", tmp_path_factory.mktemp("rules") / "rules"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Hub]:
    found = Hub(tmp_path_factory.mktemp("hub") / "home", free_port())
    found.home.mkdir()
    found.start("--rules", str(folder), "--no-watch")
    eventually(lambda: found.state.get("samples_processed"), found)
    yield found
    assert found.stop() == 0, found.output()
    found.kill_everything()


def eventually(holds: Callable[[], Any], hub: Hub) -> None:
    deadline = time.monotonic() + READY_S
    while not holds():
        assert time.monotonic() < deadline, hub.output()[-4000:]
        time.sleep(0.2)


def raised(path: Path, rate: str, points: tuple[str, str]) -> None:
    """The middle tier at another rate, with its two cases mended; the file is replaced at once, as editors do."""
    document = json.loads(path.read_text())
    document["tables"]["tier"]["rows"][1][1] = rate
    for case in document["cases"]:
        if case["name"] == CASE:
            case["expect"]["points"] = points[0]
        if case["name"] == "hours of the last day of employment still earn":
            case["expect"]["points"] = points[1]
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(document, indent=2))
    draft.replace(path)


def rules(hub: Hub, *arguments: str, status: int = 0) -> Any:
    """The one JSON document that a command answers."""
    done = hub.command("rules", *arguments, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_an_admin_plans_applies_compares_tries_takes_back_and_pulls(hub: Hub, folder: Path, tmp_path: Path):
    quiet = rules(hub, "plan", str(folder))
    assert (quiet["counts"]["create"], quiet["counts"]["change"]) == (0, 0)

    raised(folder / RULE, "1.30", ("130.00", "10.40"))
    plan = str(tmp_path / "raise.plan")
    planned = rules(hub, "plan", str(folder), "--out", plan)
    assert planned["applied"] is False
    steps = {step["kind"]: step for step in planned["partners"]["aurora-air"]["steps"] if step["action"] == "change"}
    assert steps["ruleset"]["after"]["version"] == 2
    assert any("1.25" in sentence and "1.30" in sentence for sentence in steps["ruleset"]["changes"])

    assert rules(hub, "apply", plan)["applied"] is True
    refused = rules(hub, "apply", plan, status=1)
    assert refused["error"]["code"] == "plan_outdated"
    assert "plan again" in refused["error"]["message"]

    changes = rules(hub, "diff", "aurora-air.accrual", "--from", "1", "--to", "2")["changes"]
    assert any(change["kind"] == "row" and "1.30" in change["what"] for change in changes)

    found = rules(hub, "backtest", "aurora-air.accrual", "--version", "2", "--from", "2026-10-01")
    [program] = found["programs"]
    assert (found["state"], program["changes"]["refused"]) == ("done", 0)
    assert program["difference"].startswith(("0", "1", "2"))
    assert rules(hub, "backtest", "--resume", found["id"])["result_hash"] == found["result_hash"]

    event = found["events_moved"][0]["accrual_id"]
    explained = rules(hub, "explain", "aurora-air.accrual", "--accrual", event, "--version", "2")
    assert explained["outcome"] == "decided"
    assert explained["then"]["version"] == 1

    back = rules(hub, "rollback", "aurora-air.accrual", "--from", "2026-11-01", "--reason", "The old rate stays.")
    assert back["withdrawn_version"] == 2
    promoted = rules(hub, "promote", "aurora-air.accrual", "--version", "2", "--from", "2027-01-01")
    assert promoted["decides"][-1] == {"effective_from": "2027-01-01", "version": 2}

    pulled = tmp_path / "pulled"
    rules(hub, "pull", str(pulled))
    again = rules(hub, "plan", str(pulled))
    assert (again["counts"]["create"], again["counts"]["change"]) == (0, 0), again
    assert {path.relative_to(pulled) for path in pulled.glob("*/*.json")} == {
        path.relative_to(folder) for path in folder.glob("*/*.json") if path.parent.name not in {"schemas", "pipelines"}
    }


def test_a_draft_is_saved_tested_and_explained_without_deciding(hub: Hub, folder: Path, tmp_path: Path):
    file = tmp_path / "draft.json"
    shutil.copy(REPOSITORY / "rules" / RULE, file)
    raised(file, "1.40", ("140.00", "11.20"))

    saved = rules(hub, "save", str(file))
    assert saved["ready"] is True
    version = str(saved["version"])
    assert rules(hub, "test", "aurora-air.accrual", "--version", version)["ready"] is True
    explained = rules(hub, "explain", "aurora-air.accrual", "--version", version, "--case", CASE)
    assert explained["outputs"] == {"points": "140.00"}
    differing = rules(hub, "diff", str(file), "--from", "1")
    assert any("1.40" in change["what"] for change in differing["changes"])
    shown = rules(hub, "plan", str(folder))
    assert shown["counts"]["create"] == 0


def test_what_is_shown_is_readable(hub: Hub, folder: Path):
    plan = hub.command("rules", "plan", str(folder))
    assert "Plan: " in plan.stdout
    explained = hub.command("rules", "explain", "aurora-air.accrual", "--version", "1", "--case", CASE)
    assert "points = 125.00" in explained.stdout
    assert "tier, row 2" in explained.stdout
    assert hub.command("rules", "test", "aurora-air.accrual", "--version", "1").stdout.rstrip().endswith("% covered.")


def test_checking_with_the_hub_names_what_only_it_can_know(hub: Hub, tmp_path: Path):
    manifest = json.loads((REPOSITORY / "rules/partners/aurora-air.json").read_text())
    manifest["layouts"] = ["rooster"]
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners/aurora-air.json").write_text(json.dumps(manifest))

    assert rules(hub, "check", str(tmp_path))["ok"] is True
    found = rules(hub, "check", str(tmp_path), "--hub", status=1)
    assert [(fault["pointer"], fault["by"]) for fault in found["errors"]] == [
        ("partners/aurora-air.json#/layouts/0", "hub")
    ]


def test_a_saved_file_decides_at_once_and_a_broken_one_keeps_what_decides(tmp_path: Path):
    folder = Path(shutil.copytree(REPOSITORY / "rules", tmp_path / "rules"))
    hub = Hub(tmp_path / "home", free_port())
    hub.home.mkdir()
    try:
        hub.start("--empty", "--rules", str(folder))
        eventually((hub.home / "rules-seen.json").exists, hub)

        raised(folder / RULE, "1.30", ("130.00", "10.40"))
        eventually(lambda: "aurora-air.accrual version 2 decides from" in hub.output(), hub)

        raised(folder / RULE, "1.50", ("1.00", "12.00"))
        eventually(lambda: f"{RULE}#/cases/2: case `{CASE}` fails" in hub.output(), hub)
        (folder / RULE).write_text('{"id": ')
        eventually(lambda: f"{RULE}: " in hub.output(), hub)
        assert "The live version goes on deciding." in hub.output()
        explained = rules(hub, "explain", "aurora-air.accrual", "--case", CASE)
        assert (explained["version"], explained["outputs"]) == (2, {"points": "130.00"})
        assert hub.stop() == 0

        # What is saved while no hub runs is applied by the next start.
        raised_again = json.loads((REPOSITORY / "rules" / RULE).read_text()) | {"why": "Another reason."}
        (folder / RULE).write_text(json.dumps(raised_again))
        hub.start("--empty", "--rules", str(folder))
        eventually(lambda: "aurora-air.accrual version 3 decides from" in hub.output(), hub)
        assert hub.stop() == 0
    finally:
        hub.kill_everything()
