"""`hub rules save`, `approve`, `promote` and `rollback`: the way of one version, a command a step."""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from chalicelib.errors import InterlineError, InvalidInput
from chalicelib.language import RuleRefused, parse_json
from cli import bundles, times
from cli.client import HubClient, segment
from cli.reporting import AsJson, reporting
from cli.rules import planning
from cli.target import chosen

Ruleset = Annotated[str, typer.Argument(help="The code of the ruleset.")]
Version = Annotated[int, typer.Option(min=1, help="Its number; `hub rules save` and `apply` say it.")]
From = Annotated[
    str, typer.Option("--from", parser=times.day, metavar="DAY", help="The first event day, as 2026-12-01.")
]


def save(
    *,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of a ruleset or layout.")],
    as_json: AsJson = False,
) -> None:
    """Save a rule file as the next version of its ruleset. It decides nothing before it is promoted.

    The same content again is the version that it was. Cases may still be red: what keeps the version from deciding is
    listed.
    """
    with reporting(as_json=as_json) as report:
        saved = draft(chosen().client(), file)
        verb = "saved" if saved["created"] else "was there already"
        text = Text(f"{saved['ruleset']} version {saved['version']} {verb}", style="bold", no_wrap=True)
        text.append(f"  sha256 {saved['content_hash'][:12]}…", style="not bold dim")
        for fault in saved["shut"]:
            text.append(f"\n  {file}#{fault['pointer']}  {fault['message']} ({fault['code']})", style="not bold red")
        for finding in saved["findings"]:
            if finding["severity"] == "warning":
                text.append(f"\n  {file}#{finding['pointer']}  {finding['message']}", style="not bold yellow")
        word = "Every gate but approval is open." if saved["ready"] else "It may not decide yet."
        report.answer(saved, text.append(f"\n{word}", style="not bold"))


def approve(
    *,
    what: Annotated[str, typer.Argument(help="The code of the ruleset, or a saved plan.", metavar="RULESET|PLAN")],
    version: Annotated[int | None, typer.Option(min=1, help="Of a ruleset: the number of the version.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", parser=times.day, metavar="DAY", help="The first day from which it may decide; else today."
        ),
    ] = None,
    backtest: Annotated[
        list[str] | None, typer.Option(help="The back-test that you looked at (bkt_…); repeat it for each partner.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="Kept with the approval.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Of a plan: do not ask on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stand behind a version that another person wrote: as it is now, with its cases, code tables and back-test.

    When any of these changes, the approval is void. Of a saved plan (`hub rules plan --out FILE`) the hub shows what it
    does, and you stand behind exactly that; another person applies it.
    """
    with reporting(as_json=as_json) as report:
        if Path(what).is_file():
            if version is not None or since is not None or backtest:
                raise typer.BadParameter("a plan has no version, no back-test and no first day.")
            planning.approve(report, Path(what), note=note, yes=yes)
            return
        if version is None:
            raise typer.BadParameter("say which version of the ruleset.", param_hint="--version")
        body = {"backtest_ids": backtest or [], "effective_from": since, "note": note}
        done = _post(chosen().client(), f"{_version(what, version)}/approve", body)
        text = Text(f"{what} version {version} is approved by {done['approved_by']}", style="bold", no_wrap=True)
        if done.get("effective_from"):
            text.append(f" to decide from {done['effective_from']} or later")
        text.append(f"  bound to {done['bound_hash'][:12]}…", style="not bold dim")
        report.answer(done, text)


def promote(
    *,
    ruleset: Ruleset,
    version: Version,
    since: From,
    reason: Annotated[str | None, typer.Option(help="Kept in the audit trail.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a version decide every event dated from a day on that is not decided yet; what is decided stays."""
    with reporting(as_json=as_json) as report:
        body = {"effective_from": since, "reason": reason}
        done = _post(chosen().client(), f"{_version(ruleset, version)}/promote", body)
        how = "decides" if done["changed"] else "decided already"
        text = Text(f"{ruleset} version {version} {how} from {done['effective_from']} on.", style="bold")
        if done["approved_by"]:
            text.append(f" Approved by {done['approved_by']}.", style="not bold")
        if done["decided_already"]:
            text.append(f"\n{done['decided_already']} events since then were decided by others and stay.", "not bold")
        report.answer(done, text, _stretches(done["decides"]))


def rollback(
    *,
    ruleset: Ruleset,
    since: From,
    reason: Annotated[str, typer.Option(help="Kept in the audit trail.")],
    as_json: AsJson = False,
) -> None:
    """Let the version that decided before decide again from a day on, and list what was decided meanwhile."""
    with reporting(as_json=as_json) as report:
        body = {"effective_from": since, "reason": reason}
        done = _post(chosen().client(), f"/v1/rulesets/{segment(ruleset)}/rollback", body)
        text = Text(
            f"{ruleset} version {done['withdrawn_version']} is withdrawn from {done['effective_from']} on.",
            style="bold",
        )
        if date.fromisoformat(done["effective_from"]) > datetime.now(UTC).date():
            text.append(
                f"\nUntil then it goes on deciding: {done['effective_from']} is still to come.", "not bold yellow"
            )
        text.append(f"\nDecided by it meanwhile: {done['decided_meanwhile']}; they stay as they are.", "not bold")
        for one in done["newest_decided"]:
            text.append(
                f"\n  {one['event_date']}  {one['event_id']}  {one['points']}  {one['accrual_id']}", "not bold dim"
            )
        report.answer(done, text, _stretches(done["decides"]))


def draft(client: HubClient, file: Path) -> Any:  # noqa: ANN401 - a JSON document
    """Save a file as a version. A refusal names the file."""
    try:
        text = file.read_text(encoding="utf-8")
        document = parse_json(text)
        code = document["id"] if isinstance(document, dict) else None
    except (UnicodeDecodeError, RuleRefused, KeyError) as error:
        raise InvalidInput(f"{file} is no rule document: {error}", code="not_json") from error
    if not isinstance(code, str):
        raise InvalidInput(f"{file} has no `id`, the code of its ruleset.", code="no_id")
    try:
        return client.post_text(
            f"/v1/rulesets/{segment(code)}/versions", f'{{"document": {text}}}', idempotency_key=str(uuid.uuid4())
        )
    except InterlineError as error:
        raise bundles.located(error, {"/document": str(file), "": str(file)}) from error


def _post(client: HubClient, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JSON document
    return client.post(path, body, idempotency_key=str(uuid.uuid4()))


def _version(ruleset: str, version: int) -> str:
    return f"/v1/rulesets/{segment(ruleset)}/versions/{version}"


def _stretches(decides: Any) -> Text:  # noqa: ANN401 - a JSON document
    text = Text("Decides:")
    for one in decides:
        text.append(f"\n  from {one['effective_from']}  version {one['version']}", style="dim")
    return text
