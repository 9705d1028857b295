"""What `hub rules check` and `hub rules apply` show of a plan."""

from typing import Any

from cli import rules
from tests.unit.cli.shown import shown


def step(action: str, kind: str = "ruleset", *, before: dict[str, Any] | None = None, **after: Any) -> dict[str, Any]:
    return {"kind": kind, "code": "acme.accrual", "action": action, "before": before or {}, "after": after}


def lines(*steps: dict[str, Any]) -> list[str]:
    return [line.rstrip() for line in shown(rules._shown("acme", {"steps": list(steps)})).splitlines()]


def test_calls_a_new_thing_new_and_shows_what_it_is():
    assert lines(step("create", version=1, content_hash="ab" * 32)) == [
        "acme",
        "  new               ruleset acme.accrual",
        "      version: 1",
        "      content_hash: abababababab…",
    ]


def test_shows_of_a_change_what_it_was_and_what_it_becomes():
    before = {"version": 1, "industry": "airline", "status": "active"}
    assert lines(step("change", before=before, version=2, industry="airline", effective_from="2026-01-01")) == [
        "acme",
        "  change            ruleset acme.accrual",
        "      version: 1 -> 2",
        "      status: active -> nothing",
        "      effective_from: 2026-01-01",
    ]


def test_says_what_a_second_person_must_approve():
    assert lines(step("awaits_approval", "activation", version=2))[1] == "  awaits approval   activation acme.accrual"


def test_leaves_out_what_stays_as_it_is():
    assert lines(step("unchanged")) == ["acme  nothing to change"]
