"""`hub rules plan` and `hub rules apply`: what the rule files would change in a hub, and doing exactly that."""

import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from chalicelib.errors import Conflict, InterlineError
from cli import bundles
from cli.bundles import Configuration
from cli.client import HubClient, segment
from cli.reporting import REFUSED, AsJson, Report, reporting
from cli.rules import plan_file, plan_view
from cli.target import chosen
from local.home import REPOSITORY

_RULES = REPOSITORY / "rules"


def plan(
    *,
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="The folder with partners/, layouts/, rulesets/, …")
    ] = _RULES,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Save the plan here, for `hub rules apply`.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the rule files would change in the hub, and change nothing.

    The hub checks every file, runs all cases, and says for each partner what would be new and what would change; the
    numbers stand at the end. What the files leave out stays as it is. With --out the plan is saved with the documents
    themselves: `hub rules apply FILE` then does exactly that, or refuses when the hub has changed since.

    Ends with 0 when the files could be applied, whether they change anything or not, and with 1 when they could not.
    """
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        found = bundles.read(folder)
        configuration = found.configuration()
        planned = _ask(client, configuration, "plan")
        if out is not None:
            plan_file.write(out, client.url, planned, configuration)
        shown = [*plan_view.shown(planned), *plan_view.awaits_approval(planned, out)]
        if found.pipelines:
            shown.append(Text(_left(len(found.pipelines)), style="dim"))
        if out is not None:
            shown.append(Text(f"Saved. `hub rules apply {out}` does exactly this.", style="dim"))
        report.answer(plan_view.document(planned), *shown)


def apply(
    *,
    what: Annotated[
        Path,
        typer.Argument(exists=True, help="A saved plan, or a folder, which is planned first.", metavar="PLAN|FOLDER"),
    ] = _RULES,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the hub to what the rule files say; applying twice changes nothing.

    Everything is done in one transaction, exactly as planned, or nothing: when the hub has changed since the plan was
    made, it refuses (plan_outdated). A folder is planned, shown and applied; on a terminal you are asked in between. A
    saved plan applies the documents that it was made of, whatever the files say by now.

    Where rules need approval, changed rules are saved as versions that decide nothing yet, and the next commands are
    shown; that, too, ends with 0. A plan that changes money otherwise than by a rule is refused (approval_required)
    until another person has approved it: `hub rules approve PLAN`.
    """
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        if what.is_dir():
            configuration = bundles.read(what).configuration()
            planned = _ask(client, configuration, "plan")
            if not as_json and not yes and sys.stdin.isatty() and not plan_view.is_empty(planned):
                _confirm(report, planned)
        else:
            saved = plan_file.read(what)
            _require_same_hub(saved, client)
            planned, configuration = saved.plan, saved.configuration
        done = _ask(client, configuration, "apply", plan_hash=planned["plan_hash"])
        report.answer(plan_view.document(done), *plan_view.shown(done))


def _ask(client: HubClient, configuration: Configuration, what: str, *, plan_hash: str | None = None) -> Any:  # noqa: ANN401 - a JSON document
    text = configuration.text if plan_hash is None else f'{configuration.text[:-1]}, "plan_hash": "{plan_hash}"}}'
    try:
        return client.post_text(f"/v1/config/{what}", text, idempotency_key=str(uuid.uuid4()))
    except InterlineError as error:
        raise bundles.located(error, configuration.places) from error


def approve(report: Report, file: Path, *, note: str | None, yes: bool) -> None:
    """Show a saved plan as the hub has it, whatever the file says of it, and stand behind it."""
    saved = plan_file.read(file)
    client = chosen().client()
    _require_same_hub(saved, client)
    address = f"/v1/config/plans/{segment(saved.plan['plan_hash'])}"
    kept = client.get(address)
    if not report.as_json:
        for one in plan_view.steps(kept):
            report.console.print(one)
    if not report.as_json and not yes and sys.stdin.isatty():
        _ask_first(report, "Approve this?")
    done = client.post(f"{address}/approve", {"note": note}, idempotency_key=str(uuid.uuid4()))
    by = next(each["actor"] for each in reversed(done["events"]) if each["event"] == "approved")
    text = Text(
        f"\nThe plan {done['plan_hash'][:12]}…, made by {done['planned_by']}, is approved by {by}.", style="bold"
    )
    report.answer(done, text.append(" Another person applies it.", style="not bold"))


def _left(pipelines: int) -> str:
    """What of the folder no plan has."""
    count = "1 pipeline is" if pipelines == 1 else f"{pipelines} pipelines are"
    return f"{count} no part of it: `hub rules check` checks pipelines where they lie."


def _confirm(report: Report, planned: Any) -> None:  # noqa: ANN401 - a JSON document
    for one in plan_view.shown(planned):
        report.console.print(one)
    _ask_first(report, "Apply this?")


def _ask_first(report: Report, question: str) -> None:
    if not typer.confirm(question):
        report.console.print("Nothing was changed.")
        raise typer.Exit(REFUSED)


def _require_same_hub(saved: plan_file.SavedPlan, client: HubClient) -> None:
    if saved.hub != client.url:
        raise Conflict(
            f"The plan is of the hub at {saved.hub}, and this one is at {client.url}: plan again here.",
            code="other_hub",
        )
