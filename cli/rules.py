"""`hub rules check|apply`: what `rules/` would change in a hub, and changing it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from chalicelib.errors import InterlineError
from cli import bundles
from cli.reporting import REFUSED, AsJson, Report, error_document, reporting, show_error
from cli.target import chosen
from local.home import REPOSITORY

app = typer.Typer(help="Check and apply the rule files.", no_args_is_help=True)

_VALUE_MAX = 100
_HASH_SHOWN = 12
_SHA256 = re.compile("[0-9a-f]{64}")
#: What a step of a plan is called, and its colour.
_ACTIONS = {
    "create": ("new", "green"),
    "change": ("change", "yellow"),
    "awaits_approval": ("awaits approval", "magenta"),
}

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="The folder with partners/, layouts/, rulesets/, …")
]


@app.command()
def check(*, folder: Folder = REPOSITORY / "rules", as_json: AsJson = False) -> None:
    """Have the hub check every rule file, its cases included, without changing anything."""
    with reporting(as_json=as_json) as report:
        _run(report, folder, dry_run=True)


@app.command()
def apply(
    *,
    folder: Folder = REPOSITORY / "rules",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the hub to what the rule files say; applying twice changes nothing."""
    with reporting(as_json=as_json) as report:
        _run(report, folder, dry_run=dry_run)


def _run(report: Report, folder: Path, *, dry_run: bool) -> None:
    client = chosen().client()
    answers: dict[str, Any] = {}
    shown: list[RenderableType] = []
    refused = False
    for bundle in bundles.gather(folder):
        try:
            plan = bundles.apply(client, bundle, dry_run=dry_run)
        except InterlineError as error:
            refused = True
            answers[bundle.partner] = {"error": error_document(error)}
            if not report.as_json:
                report.console.print(Text(bundle.partner, style="bold"))
                show_error(report.console, error)
            continue
        answers[bundle.partner] = plan
        shown.append(_shown(bundle.partner, plan))
    report.answer({"dry_run": dry_run, "partners": answers}, *shown)
    if refused:
        raise typer.Exit(REFUSED)


def _shown(partner: str, plan: Any) -> RenderableType:  # noqa: ANN401 - a JSON document
    text = Text(partner, style="bold")
    steps = [step for step in plan["steps"] if step["action"] != "unchanged"]
    if not steps:
        text.append("  nothing to change", style="not bold dim")
    for step in steps:
        word, style = _ACTIONS[step["action"]]
        text.append(f"\n  {word:<18}", style=f"not bold {style}")
        text.append(f"{step['kind']} {step['code']}", style="not bold")
        for line in _differences(step["before"], step["after"]):
            text.append(f"\n      {line}", "not bold dim")
    return text


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
