"""How a plan is shown."""

from pathlib import Path
from typing import Any

from chalicelib.partners.onboarding.plans import ACTIONS
from cli.rules import plan_view
from tests.unit.cli.shown import shown


def step(action: str, kind: str = "ruleset", *, before: dict[str, Any] | None = None, **after: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "code": "acme.accrual",
        "action": action,
        "before": before or {},
        "after": after,
        "changes": [],
        "needs_approval": False,
    }


def plan(*steps: dict[str, Any], applied: bool = False) -> dict[str, Any]:
    actions = [each["action"] for each in steps]
    counts = {name: actions.count(name) for name in ACTIONS}
    partners = [{"partner": "acme", "steps": list(steps)}]
    return {"applied": applied, "needs_approval": False, "counts": counts, "partners": partners}


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


def waiting(*, decides: list[tuple[str, int]], saved: bool, applied: bool = False) -> str:
    """What is said of version 2, which waits for approval."""
    timeline = [{"effective_from": start, "version": number} for start, number in decides]
    after = {"version": 2, "effective_from": "2026-01-01", "decides": timeline}
    ruleset = step("unchanged") if saved else step("change", version=2)
    found = lines(ruleset, step("awaits_approval", "activation", **after), applied=applied)
    return next(line for line in found if line.endswith("Next:"))


def test_says_of_a_version_that_waits_whether_it_is_there_and_whether_it_decides():
    first = [("2026-01-01", 1)]
    assert waiting(decides=first, saved=False) == (
        "acme.accrual version 2 would be saved; it decides nothing yet. Next:"
    )
    for applied, saved in ((True, False), (False, True)):
        assert waiting(decides=first, saved=saved, applied=applied) == (
            "acme.accrual version 2 is saved and decides nothing yet. Next:"
        )
    assert waiting(decides=[("2026-03-01", 2)], saved=True) == (
        "acme.accrual version 2 decides from 2026-03-01 already; that it does from 2026-01-01 waits. Next:"
    )


def test_shows_the_whole_timeline_before_and_after():
    timeline = [{"effective_from": "2026-01-01", "version": 1}, {"effective_from": "2026-11-01", "version": 3}]
    after = {
        "version": 4,
        "effective_from": "2026-12-01",
        "decides": [*timeline, {"effective_from": "2026-12-01", "version": 4}],
    }
    found = lines(step("change", "activation", before={"version": 3, "decides": timeline}, **after))
    assert found[2:6] == [
        "      version: 3 -> 4",
        "      effective_from: 2026-12-01",
        "      decides before: version 1 from 2026-01-01, version 3 from 2026-11-01",
        "      decides after:  version 1 from 2026-01-01, version 3 from 2026-11-01, version 4 from 2026-12-01",
    ]


def test_shows_of_what_files_leave_alone_only_what_decides_and_why():
    decides = [{"effective_from": "2026-01-01", "version": 1}]
    left = step("withdrawn", "activation", before={"version": 1, "decides": decides}, version=2, decides=decides)
    found = lines(left | {"changes": ["withdrawn on 2026-11-22 by usr_1"]})
    assert found[1:4] == [
        "  withdrawn         activation acme.accrual",
        "      version 2 of the file; decides: version 1 from 2026-01-01",
        "      withdrawn on 2026-11-22 by usr_1",
    ]
    assert found[-1] == "Plan: 0 to create, 0 to change, 0 unchanged, 1 withdrawn."


def test_says_what_another_person_must_approve_as_a_plan():
    found = plan(step("change", "code_table") | {"needs_approval": True}) | {"needs_approval": True}
    text = "".join(shown(each) for each in plan_view.shown(found))
    assert "code table acme.accrual  needs approval" in text
    [told] = plan_view.awaits_approval(found, Path("raise.plan"))
    assert [line.split()[2:4] for line in shown(told).splitlines() if line.startswith("  hub")] == [
        ["approve", "raise.plan"],
        ["apply", "raise.plan"],
    ]
    assert list(plan_view.awaits_approval(found | {"applied": True}, None)) == []


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
