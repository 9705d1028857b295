"""`hub drop`: send one file and see what became of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.files import Inbox, receipt_list, rejects_table
from cli.reporting import REFUSED, AsJson, NotUsable, reporting
from cli.target import chosen

_WAITS = (
    "This layout wants a sidecar that states rows and sum: a .ctl of the same name, dropped beside the file. "
    "The hub waits for it, then refuses the file."
)


def drop(
    *,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file; a .ctl beside it goes along.")],
    partner: Annotated[str, typer.Option(help="The partner's code.")],
    layout: Annotated[str, typer.Option(help="The layout's name.")],
    name: Annotated[str | None, typer.Option(help="Another name for it in the inbox.")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a file by the S3 API, follow it, and print its receipt; ends with 1 when rows or the file were refused."""
    with reporting(as_json=as_json) as report:
        for option, given in {"--partner": partner, "--layout": layout, "--name": name}.items():
            if given is not None and (not given or "/" in given):
                raise NotUsable(f"{option} is one part of the key <partner>/<layout>/<name>: not empty, and no slash.")
        target = chosen()
        inbox = Inbox(target.client(), target.s3_options())
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = report.console
        waits = False
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            sending = progress.add_task("bytes sent", total=file.stat().st_size)
            going = inbox.drop(
                file, partner=partner, layout=layout, name=name, sent=lambda count: progress.advance(sending, count)
            )
            applying = progress.add_task("waiting", total=None)

            def seen(found: Any) -> None:  # noqa: ANN401 - a JSON document
                nonlocal waits
                if found["state"] == "waiting" and not waits:
                    waits = True
                    console.print(Text(_WAITS, style="yellow"))
                rows = found["rows"]
                progress.update(
                    applying, description=f"rows, {found['state']}", completed=rows["done"], total=rows["total"]
                )

            finished = inbox.follow(going, seen)
        rejected = [] if as_json else inbox.rejects(finished)
        shown: list[RenderableType] = [
            receipt_list(finished),
            *([rejects_table(rejected, finished)] if rejected else []),
        ]
        report.answer(finished.receipt, *shown)
        if not finished.well:
            raise typer.Exit(REFUSED)
