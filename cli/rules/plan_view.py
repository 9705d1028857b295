"""How a plan is shown: each partner's steps, what they change, how many there are, and what a person must do next."""

import re
from collections.abc import Iterator, Mapping
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
}
_KINDS = {"code_table": "code table"}


def shown(plan: Mapping[str, Any]) -> list[RenderableType]:
    """The whole plan for people, the numbers last."""
    return [*(_partner(one["partner"], one["steps"]) for one in plan["partners"]), _totals(plan), *_next(plan)]


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
        for line in [*_differences(step["before"], step["after"]), *step["changes"]]:
            text.append(f"\n      {line}", "not bold dim")
    return text


def _totals(plan: Mapping[str, Any]) -> Text:
    counts = plan["counts"]
    verbs = ("created", "changed", "unchanged") if plan["applied"] else ("to create", "to change", "unchanged")
    numbers = zip((counts["create"], counts["change"], counts["unchanged"]), verbs, strict=True)
    said = ", ".join(f"{number} {verb}" for number, verb in numbers)
    waiting = f", {counts['awaits_approval']} awaiting approval" if counts["awaits_approval"] else ""
    return Text(f"\n{'Applied' if plan['applied'] else 'Plan'}: {said}{waiting}.", style="bold")


def _next(plan: Mapping[str, Any]) -> Iterator[Text]:
    """The commands that lead each waiting version on."""
    waiting = {
        step["code"]: step["after"]
        for one in plan["partners"]
        for step in one["steps"]
        if step["action"] == "awaits_approval"
    }
    for code, after in waiting.items():
        version = f"{code} --version {after['version']}"
        saved = "is saved and" if plan["applied"] else "would be saved; it"
        text = Text(
            f"\n{code} version {after['version']} {saved} decides nothing yet. Next:", style="magenta", no_wrap=True
        )
        text.append(f"\n  hub rules backtest {version} --from DAY      on past events, where there are any", "default")
        text.append(f"\n  hub rules approve {version}                  by another person", "default")
        text.append(f"\n  hub rules promote {version} --from {after['effective_from']}", "default")
        yield text


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
