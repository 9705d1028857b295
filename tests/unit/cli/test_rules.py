"""How a plan is shown."""

from typing import Any

from cli.rules import plan_view
from tests.unit.cli.shown import shown


def step(action: str, kind: str = "ruleset", *, before: dict[str, Any] | None = None, **after: Any) -> dict[str, Any]:
    return {
        "kind": kind, "code": "acme.accrual", "action": action, "before": before or {}, "after": after, "changes": []
    }  # fmt: skip


def plan(*steps: dict[str, Any], applied: bool = False) -> dict[str, Any]:
    actions = [each["action"] for each in steps]
    counts = {name: actions.count(name) for name in ("create", "change", "unchanged", "awaits_approval")}
    return {"applied": applied, "counts": counts, "partners": [{"partner": "acme", "steps": list(steps)}]}


def lines(*steps: dict[str, Any], applied: bool = False) -> list[str]:
    text = "".join(shown(each) for each in plan_view.shown(plan(*steps, applied=applied)))
    return [line.rstrip() for line in text.splitlines()]


def test_calls_a_new_thing_new_and_shows_what_it_is():
    assert lines(step("create", version=1, content_hash="ab" * 32))[:4] == [
        "acme",
        "  new               ruleset acme.accrual",
        "      version: 1",
        "      content_hash: abababababab…",
    ]


def test_shows_of_a_change_what_it_was_and_what_it_becomes():
    before = {"version": 1, "industry": "airline", "status": "active"}
    assert lines(step("change", before=before, version=2, industry="airline", effective_from="2026-01-01"))[:5] == [
        "acme",
        "  change            ruleset acme.accrual",
        "      version: 1 -> 2",
        "      status: active -> nothing",
        "      effective_from: 2026-01-01",
    ]


def test_tells_in_sentences_what_changes_in_a_document():
    told = step("change", "code_table") | {"changes": ["A: 1 -> 2", "gone: B = 3"]}
    assert lines(told)[1:4] == ["  change            code table acme.accrual", "      A: 1 -> 2", "      gone: B = 3"]


def test_says_what_a_second_person_must_approve_and_how_to_go_on():
    found = lines(step("awaits_approval", "activation", version=2, effective_from="2026-12-01"), applied=True)
    assert found[1] == "  awaits approval   activation acme.accrual"
    assert "Applied: 0 created, 0 changed, 0 unchanged, 1 awaiting approval." in found
    commands = [line.strip() for line in found if line.startswith("  hub rules")]
    assert [command.split()[2] for command in commands] == ["backtest", "approve", "promote"]
    assert commands[-1] == "hub rules promote acme.accrual --version 2 --from 2026-12-01"


def test_leaves_out_what_stays_as_it_is_and_counts_it():
    assert lines(step("unchanged")) == [
        "acme  nothing to change",
        "",
        "Plan: 0 to create, 0 to change, 1 unchanged.",
    ]


def test_gives_programs_each_partner_by_its_code():
    found = plan_view.document(plan(step("change"), step("unchanged")))
    assert found["partners"]["acme"]["changed"] is True
    assert plan_view.document(plan(step("unchanged")))["partners"]["acme"]["changed"] is False
