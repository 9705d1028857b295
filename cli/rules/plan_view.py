"""How a plan is shown: each partner's steps, what they change, how many there are, and what a person must do next."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

_VALUE_MAX = 100
_HASH_SHOWN = 12
_SHA256 = re.compile("[0-9a-f]{64}")
#: What a step of a plan is called, and its colour.
_ACTIONS = {
    "create": ("new", "green"),
    "change": ("change", "yellow"),
    "awaits_approval": ("awaits approval", "magenta"),
    "awaits_promotion": ("awaits promotion", "magenta"),
    "withdrawn": ("withdrawn", "red"),
    "behind": ("behind", "red"),
}
#: What of a version waits for a person, in the order in which it is counted.
_WAITING = {
    "awaits_approval": "awaiting approval",
    "awaits_promotion": "awaiting promotion",
    "withdrawn": "withdrawn",
    "behind": "behind the hub",
}
#: Files do not apply these.
_LEFT = frozenset({"awaits_promotion", "withdrawn", "behind"})
_KINDS = {"code_table": "code table"}


def shown(plan: Mapping[str, Any]) -> list[RenderableType]:
    """The whole plan for people, the numbers last."""
    return [*steps(plan), _totals(plan), *_next(plan)]


def steps(plan: Mapping[str, Any]) -> list[RenderableType]:
    """Only what it does, partner by partner."""
    return [_partner(one["partner"], one["steps"]) for one in plan["partners"]]


def awaits_approval(plan: Mapping[str, Any], file: Path | None) -> Iterator[Text]:
    """What to do with a plan that another person must approve; nothing for others."""
    if plan["needs_approval"] and not plan["applied"]:
        name = "PLAN" if file is None else shlex.quote(str(file))
        text = Text(
            "\nIt changes money otherwise than by a rule: it is applied once another person approved it. Next:",
            style="magenta",
            no_wrap=True,
        )
        if file is None:
            text.append("\n  hub rules plan --out PLAN", "default")
        text.append(f"\n  hub rules approve {name}      by another person", "default")
        yield text.append(f"\n  hub rules apply {name}", "default")


def document(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for programs: partners by code, each with whether anything changes."""
    partners = {
        one["partner"]: {
            "changed": any(step["action"] in {"create", "change"} for step in one["steps"]),
            "steps": one["steps"],
        }
        for one in plan["partners"]
    }
    return {**plan, "partners": partners}


def is_empty(plan: Mapping[str, Any]) -> bool:
    """Whether applying it would change nothing."""
    return not (plan["counts"]["create"] or plan["counts"]["change"])


def _partner(code: str, steps: list[Mapping[str, Any]]) -> RenderableType:
    text = Text(code, style="bold")
    steps = [step for step in steps if step["action"] != "unchanged"]
    if not steps:
        text.append("  nothing to change", style="not bold dim")
    for step in steps:
        word, style = _ACTIONS[step["action"]]
        text.append(f"\n  {word:<18}", style=f"not bold {style}")
        text.append(f"{_KINDS.get(step['kind'], step['kind'])} {step['code']}", style="not bold")
        if step["needs_approval"]:
            text.append("  needs approval", style="not bold magenta")
        for line in [*_told(step), *step["changes"]]:
            text.append(f"\n      {line}", "not bold dim")
    return text


def _told(step: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value that changes; of what decides, the whole timeline before and after."""
    if step["action"] in _LEFT:
        yield f"version {step['after']['version']} of the file; decides: {_stretches(step['after'].get('decides'))}"
        return
    before, after = (
        {name: value for name, value in step[side].items() if name != "decides"} for side in ("before", "after")
    )
    yield from _differences(before, after)
    was, becomes = step["before"].get("decides"), step["after"].get("decides")
    if was or becomes:
        yield f"decides before: {_stretches(was)}"
        yield f"decides after:  {_stretches(becomes)}"


def _stretches(decides: Sequence[Mapping[str, Any]] | None) -> str:
    return ", ".join(f"version {one['version']} from {one['effective_from']}" for one in decides or ()) or "nothing"


def _totals(plan: Mapping[str, Any]) -> Text:
    counts = plan["counts"]
    verbs = ("created", "changed", "unchanged") if plan["applied"] else ("to create", "to change", "unchanged")
    numbers = zip((counts["create"], counts["change"], counts["unchanged"]), verbs, strict=True)
    said = ", ".join(f"{number} {verb}" for number, verb in numbers)
    waiting = "".join(f", {counts[action]} {words}" for action, words in _WAITING.items() if counts[action])
    return Text(f"\n{'Applied' if plan['applied'] else 'Plan'}: {said}{waiting}.", style="bold")


def _next(plan: Mapping[str, Any]) -> Iterator[Text]:
    """The commands that lead each waiting version on."""
    steps = [step for one in plan["partners"] for step in one["steps"]]
    new = {step["code"] for step in steps if step["kind"] == "ruleset" and step["action"] in {"create", "change"}}
    waiting = {step["code"]: step for step in steps if step["action"] in {"awaits_approval", "awaits_promotion"}}
    for code, step in waiting.items():
        after = step["after"]
        version = f"{code} --version {after['version']}"
        text = Text(
            f"\n{code} {_standing(after, saved=plan['applied'] or code not in new)} Next:",
            style="magenta",
            no_wrap=True,
        )
        day = after["effective_from"] if step["action"] == "awaits_approval" else "DAY"
        approve = f"hub rules approve {version} --from {day}"
        text.append(f"\n  hub rules backtest {version} --from DAY      on past events, where there are any", "default")
        text.append(f"\n  {approve}      by another person, where rules need that", "default")
        text.append(f"\n  hub rules promote {version} --from {day}", "default")
        yield text


def _standing(after: Mapping[str, Any], *, saved: bool) -> str:
    """Where a version that waits stands: not there yet, saved, or deciding some days already."""
    number = after["version"]
    days = [one["effective_from"] for one in after.get("decides") or () if one["version"] == number]
    if days:
        return f"version {number} decides from {days[0]} already; that it does from {after['effective_from']} waits."
    return (
        f"version {number} is saved and decides nothing yet."
        if saved
        else (f"version {number} would be saved; it decides nothing yet.")
    )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """A line for each value that is new or another one than before; ``config.base_url`` is a value inside another."""
    for name in {**before, **after}:
        was, is_now = before.get(name), after.get(name)
        if isinstance(is_now, dict) and isinstance(was, dict | None):
            yield from _differences(was or {}, is_now, f"{within}{name}.")
        elif name not in before:
            yield f"{within}{name}: {_short(is_now)}"
        elif was != is_now:
            yield f"{within}{name}: {_short(was)} -> {_short(is_now)}"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    if _SHA256.fullmatch(text):
        return f"{text[:_HASH_SHOWN]}…"
    return text if len(text) <= _VALUE_MAX else f"{text[: _VALUE_MAX - 1]}…"
