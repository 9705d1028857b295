"""`hub rules diff`: what another version, or a file, would decide otherwise, in sentences."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from chalicelib.language import json_value, parse_json
from cli.client import HubClient, segment
from cli.reporting import AsJson, reporting
from cli.rules import subjects
from cli.target import chosen

#: What decides comes before what is only said or shown.
_STYLES = {"about": "dim", "case": "dim", "name": "dim", "period": "yellow"}


def diff(
    *,
    what: Annotated[str, typer.Argument(help="A rule file, or the code of a ruleset.", metavar="FILE|RULESET")],
    before: Annotated[
        int | None, typer.Option("--from", min=1, help="The version before; else the one that decides today.")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--to", min=1, help="Of a ruleset: the version after; else the latest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what differs between two versions of a rule in its own words, as "row [24,60): rate 1.25 -> 1.30".

    A ruleset: from the version that decides today to the latest one, or as --from and --to say. A file: from the
    version in the hub to the file, which need not be saved. Order and spelling that change nothing are not told.
    """
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        path = subjects.file(what, version=after)
        if path is None:
            found = client.get(f"/v1/rulesets/{segment(what)}/diff", from_version=before, to_version=after)
        else:
            found = _with_file(client, path, before)
        last = found["to_version"]
        first = "nothing" if found["from_version"] is None else f"version {found['from_version']}"
        text = Text(f"{found['ruleset']}: {first} -> {what if last is None else f'version {last}'}", style="bold")
        for change in found["changes"]:
            text.append(f"\n  {change['what']}", style=_STYLES.get(change["kind"], "default not bold"))
        if not found["changes"]:
            text.append("\n  They decide the same and say the same.", style="not bold green")
        report.answer(found, text)


def _with_file(client: HubClient, path: Path, before: int | None) -> dict[str, Any]:
    """The same answer as the hub gives for two versions, for one of them and a file."""
    from chalicelib.rules.diffing import comparing
    from cli.rules import files

    rule = files.load(path)
    first = before or subjects.live(client, rule.code)
    content = client.get(f"/v1/rulesets/{segment(rule.code)}/versions/{first}")["content"]
    changes = [json_value(asdict(change)) for change in comparing.diff(parse_json(content), rule.document)]
    return {"ruleset": rule.code, "from_version": first, "to_version": None, "changes": changes}
