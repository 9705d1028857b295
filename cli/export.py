"""`hub export`: have the hub write one of its files, and fetch it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx
import typer
from rich.text import Text

from chalicelib.errors import Unavailable
from cli import partners, times
from cli.client import HubClient, segment
from cli.reporting import REFUSED, AsJson, NotUsable, reporting
from cli.target import chosen

_POLL_S = 0.5
_WRITTEN_S = 1800.0
_OPEN = frozenset({"queued", "writing"})
_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0


def export(
    *,
    name: Annotated[str, typer.Argument(help="Which file, such as balances_sfcc; docs/files.md lists them.")],
    partner: Annotated[
        str | None, typer.Option(help="Whose, by code; without it, everybody's for the outside system.")
    ] = None,
    delta: Annotated[bool, typer.Option("--delta", help="Only what changed since the delta before.")] = False,
    first: Annotated[str | None, typer.Option("--from", parser=times.day, metavar="DAY", help="Of a period.")] = None,
    last: Annotated[str | None, typer.Option("--to", parser=times.day, metavar="DAY", help="Of a period.")] = None,
    reference: Annotated[str | None, typer.Option(help="What it is about, such as a settlement's id.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Where to put it; by default under its name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a file, wait until it is written, and fetch it; ends with 1 when it could not be written."""
    with reporting(as_json=as_json) as report:
        if (first is None) != (last is None):
            raise NotUsable("A period has a first and a last day: give --from and --to.")
        if output is not None and not output.parent.is_dir():
            raise NotUsable(f"There is no folder {output.parent} to put the file into.")
        body = {
            "export": name,
            "partner_code": partner,
            "mode": "delta" if delta else "full",
            "period_start": first,
            "period_end": last,
            "reference": reference,
        }
        with chosen().client() as client, partners.naming(partner):
            asked = client.post("/v1/exports", body, idempotency_key=uuid4().hex)
            found = written(client, asked["id"])
        path = None
        if found["state"] == "written":
            path = output or Path(found["object_key"].rpartition("/")[2])
            fetch(found["link"], path)
        report.answer({**found, "link": None, "path": None if path is None else str(path)}, _told(found, path))
        if found["state"] == "failed":
            raise typer.Exit(REFUSED)


def written(client: HubClient, export_id: str) -> Mapping[str, Any]:
    """The export once it has ended, with a fresh link. Raises Unavailable when that takes too long."""
    begun = time.monotonic()
    while time.monotonic() - begun < _WRITTEN_S:
        found: Mapping[str, Any] = client.get(f"/v1/exports/{segment(export_id)}")
        if found["state"] not in _OPEN:
            return found
        time.sleep(_POLL_S)
    raise Unavailable(
        f"{export_id} is not written after {_WRITTEN_S / 60:.0f} minutes: do the hub's workers run?",
        code="export_unwritten",
    )


def fetch(link: str, path: Path) -> None:
    """Put what the link leads to under ``path``, whole or not at all. Raises Unavailable."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with httpx.stream("GET", link, timeout=_TIMEOUT_S) as answer, unfinished.open("wb") as target:
            answer.raise_for_status()
            for chunk in answer.iter_bytes(_CHUNK_BYTES):
                target.write(chunk)
    except httpx.HTTPError as error:
        unfinished.unlink(missing_ok=True)
        raise Unavailable(f"The file could not be fetched: {error}", code="fetch_failed") from error
    unfinished.replace(path)


def _told(found: Mapping[str, Any], path: Path | None) -> Text:
    if found["state"] == "failed":
        return Text("Failed ", style="bold red").append(
            f"({found['reason_code']}) {found['reason']}", style="default not bold"
        )
    if path is None:
        return Text("There is nothing to say: no file was sent.")
    return Text.assemble(
        ("Written ", "bold green"),
        f"{path}: {found['rows']} rows, number {found['file_seq']} for {found['receiver']}, as of {found['as_of']}.",
    )
