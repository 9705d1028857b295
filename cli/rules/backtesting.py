"""`hub rules backtest`: run past events again under a version, and see what would be different."""

import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from chalicelib.errors import Unavailable
from cli import times
from cli.client import HubClient, segment
from cli.reporting import REFUSED, AsJson, Report, reporting
from cli.rules import backtest_view, lifecycle, subjects
from cli.target import chosen

_POLL_S = 0.5
_FOLLOWED_S = 6 * 3600.0
_SILENT_S = 60.0
_RUNNING = frozenset({"queued", "running"})

Day = Annotated[str | None, typer.Option(parser=times.day, metavar="DAY")]


def backtest(
    *,
    what: Annotated[
        str | None,
        typer.Argument(help="A rule file, which is saved as a version, or a ruleset.", metavar="FILE|RULESET"),
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Of a ruleset: which version; else the latest.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", parser=times.day, metavar="DAY", help="The first event day.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", parser=times.day, metavar="DAY", help="The last event day; else no end.")
    ] = None,
    file: Annotated[list[str] | None, typer.Option(help="A finished file of accruals (fil_…); repeat it.")] = None,
    program: Annotated[list[str] | None, typer.Option(help="Only this program, by code; repeat it.")] = None,
    partner: Annotated[str | None, typer.Option(help="Of a ruleset that every partner uses: whose events.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on showing a back-test that runs already (bkt_…).")] = None,
    as_json: AsJson = False,
) -> None:
    """Run past events again under a version, read-only, and show the points then, the points now and the difference.

    By program and unit, with the biggest movers and the records that would be refused or accepted. The hub's workers
    do it: Ctrl-C leaves it running there, and --resume goes on showing it. Which events: --from (and --to), or --file,
    or both. Ends with 1 when the back-test fails.
    """
    if (what is None) == (resume is None):
        raise typer.BadParameter("name a file or a ruleset, or go on with --resume ID.")
    if what is not None and since is None and not file:
        raise typer.BadParameter("say which past events: --from DAY, or --file ID.")
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        if what is None:
            backtest_id = str(resume)
        else:
            body = {
                "partner_code": partner,
                "file_ids": file or [],
                "from_date": since,
                "to_date": until,
                "program_codes": program or [],
            }
            backtest_id = _start(report, client, what, version, body)
        found = _follow(report, client, backtest_id)
        records = [] if as_json else _records(client, found)
        report.answer(found, *backtest_view.shown(found, records))
        if found["state"] != "done":
            raise typer.Exit(REFUSED)


def _start(report: Report, client: HubClient, what: str, version: int | None, body: Mapping[str, Any]) -> str:
    path = subjects.file(what, version=version)
    if path is None:
        code, number = what, version or subjects.latest(client, what)
    else:
        saved = lifecycle.draft(client, Path(path))
        code, number = saved["ruleset"], saved["version"]
        report.console.print(Text(f"{path} is {code} version {number}.", style="dim"))
    address = f"/v1/rulesets/{segment(code)}/versions/{number}/backtests"
    return str(client.post(address, body, idempotency_key=str(uuid.uuid4()))["id"])


def _follow(report: Report, client: HubClient, backtest_id: str) -> Any:  # noqa: ANN401 - a JSON document
    """Wait until it has ended; Ctrl-C ends the waiting only."""
    console = report.console
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("queued", total=None)
            begun = answered = time.monotonic()
            while time.monotonic() - begun < _FOLLOWED_S:
                try:
                    found = client.get(f"/v1/backtests/{segment(backtest_id)}")
                    answered = time.monotonic()
                except Unavailable:
                    # The job is the hub's: one that is being started again goes on with it.
                    if time.monotonic() - answered > _SILENT_S:
                        raise
                else:
                    description = f"events decided again, {found['state']}"
                    progress.update(
                        task, description=description, completed=found["events_done"], total=found["events_total"]
                    )
                    if found["state"] not in _RUNNING:
                        return found
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        console.print(Text(f"\nIt goes on in the hub. To see it: hub rules backtest --resume {backtest_id}"))
        raise typer.Exit(REFUSED) from None
    raise Unavailable(f"{backtest_id} has not ended in {_FOLLOWED_S / 3600:.0f} hours.", code="backtest_slow")


def _records(client: HubClient, found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The first records that change sides."""
    changes = [one["changes"] for one in found["programs"]]
    if not any(one["refused"] or one["accepted"] for one in changes):
        return []
    page = client.get(f"/v1/backtests/{segment(found['id'])}/records", limit=backtest_view.RECORDS_SHOWN)
    return list(page["items"])
