"""`hub files`: try a file, mend its refused rows, load it again in thought or with effect, or take it back."""

import base64
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.errors import InvalidInput, NotFound, Unavailable
from cli import partners
from cli.client import HubClient, segment
from cli.files import sidecars
from cli.reporting import REFUSED, AsJson, NotUsable, reporting
from cli.target import chosen

app = typer.Typer(help="Try, mend, load again and take back files.", no_args_is_help=True)
_POLL_S = 0.5
_TAKEN_BACK_S = 3600.0

File = Annotated[str, typer.Argument(help="A file's id (fil_…) or its name: then the latest of that name.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


@app.command("validate")
def validate(
    *,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file; a .ctl beside it goes along.")],
    partner: Annotated[str, typer.Option(help="The partner's code.")],
    layout: Annotated[str, typer.Option(help="The layout's name.")],
    as_json: AsJson = False,
) -> None:
    """Say what would become of a file, and keep nothing of it; ends with 1 when rows or the file would be refused."""
    with reporting(as_json=as_json) as report:
        sidecar = next(iter(sidecars(file)), None)
        body = {
            "partner_code": partner,
            "layout": layout,
            "name": file.name,
            "content_base64": base64.b64encode(file.read_bytes()).decode(),
            "sidecar": None if sidecar is None else _text_of(sidecar),
        }
        with partners.naming(partner):
            found = chosen().client().post_text("/v1/files/validate", json.dumps(body))
        rows = found["rows"]
        facts = {"status": found["state"], "reason": found["reason"], **_counts(rows), **_points(found["programs"])}
        report.answer(found, _facts(facts), *_errors(found["errors"]))
        if found["state"] != "processed" or rows["rejected"]:
            raise typer.Exit(REFUSED)


@app.command("fix")
def fix(
    *,
    file: File,
    row: Annotated[int, typer.Argument(min=1, help="The row's number; 1 is the first after the header.")],
    cells: Annotated[list[str], typer.Argument(help="What cells should say: COLUMN=TEXT, by the file's header.")],
    reason: Annotated[str | None, typer.Option(help="Why; it is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Correct cells of a refused row; nothing is posted until it is resubmitted. Ends with 1 if it is still wrong."""
    with reporting(as_json=as_json) as report:
        given = [cell.partition("=") for cell in cells]
        if any(not equals for _, equals, _ in given):
            raise NotUsable("A cell is given as COLUMN=TEXT.")
        client = chosen().client()
        path = f"{_path(client, file)}/rows/{row}"
        found = client.patch(path, {"cells": {name: text for name, _, text in given}, "reason": reason})
        latest = found["fixes"][-1]["changes"] if found["fixes"] else {}
        table = _table("column", "before", "after")
        for name, change in latest.items():
            table.add_row(name, change["before"], change["after"])
        still = found["still"]
        told = "The row can be read now: resubmit it." if still is None else f"Still wrong: {still['message']}"
        report.answer(found, table, Text(told, style="" if still is None else "yellow"))
        if still is not None:
            raise typer.Exit(REFUSED)


@app.command("resubmit")
def resubmit(
    *,
    file: File,
    row: Annotated[list[int] | None, typer.Option(help="Only this row; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have refused rows decided again: all that were corrected, or the named ones; ends with 1 when one is refused."""
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        found = client.post(f"{_path(client, file)}/rows/resubmit", {"rows": row}, idempotency_key=uuid4().hex)
        table = _table("row", "outcome", "why")
        for each in found["rows"]:
            table.add_row(str(each["row_no"]), each["outcome"], each["message"] or "")
        done: RenderableType = (
            table if found["rows"] else Text("No refused row was corrected: nothing was decided again.")
        )
        report.answer(found, done, _facts(_counts(found["counts"])))
        if any(each["outcome"] == "rejected" for each in found["rows"]):
            raise typer.Exit(REFUSED)


@app.command("reprocess")
def reprocess(
    *,
    file: File,
    rules: Annotated[str, typer.Option(help="`latest`, or `same`: as known when the file came.")] = "latest",
    apply: Annotated[str | None, typer.Option(help="Have this difference made, as it was shown before.")] = None,
    reason: Annotated[str | None, typer.Option(help="With --apply: why; it is kept.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a file of accruals would come to if it were loaded again; with --apply, have exactly that."""
    with reporting(as_json=as_json) as report:
        if apply is not None and not reason:
            raise NotUsable("Say why: --reason.")
        client = chosen().client()
        body = {"rules": rules, "dry_run": apply is None, "difference": apply, "reason": reason}
        found = client.post(f"{_path(client, file)}/reprocess", body, idempotency_key=uuid4().hex)
        names = ("rows", "differing", "newly_accepted", "newly_refused", "difference")
        programs = _table("program", "before", "after", "difference", right=3)
        for each in found["programs"]:
            programs.add_row(each["program_code"], each["points_before"], each["points_after"], each["difference"])
        report.answer(found, _facts({name: found[name] for name in names}), programs)


@app.command("rollback")
def rollback(
    *,
    file: File,
    reason: Reason,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what it would come to; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take back everything that a file brought, and say what had to stay; ends with 1 when something had to."""
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        path = _path(client, file)
        body = {"reason": reason, "dry_run": dry_run}
        found = client.post(f"{path}/rollback", body, idempotency_key=uuid4().hex)
        if not dry_run:
            found = _done(client, path, found)
        report.answer(found, *_told(found))
        if found["left_count"]:
            raise typer.Exit(REFUSED)


def _done(client: HubClient, path: str, found: dict[str, Any]) -> dict[str, Any]:
    """Wait until the file is taken back. Raises Unavailable when that takes too long."""
    begun = time.monotonic()
    while found["finished_at"] is None:
        if time.monotonic() - begun > _TAKEN_BACK_S:
            raise Unavailable(f"The file is not taken back after {_TAKEN_BACK_S:g} s.", code="file_unfinished")
        time.sleep(_POLL_S)
        found = client.get(path)["rollback"]
    return found


def _text_of(sidecar: Path) -> str:
    """A sidecar's text. Raises InvalidInput when it is none."""
    try:
        return sidecar.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{sidecar} is no text in UTF-8, as a sidecar is.", code="bad_sidecar") from error


def _path(client: HubClient, file: str) -> str:
    """The path of a file by its id, or of the latest of its name. Raises NotFound."""
    if file.startswith("fil_"):
        return f"/v1/files/{segment(file)}"
    known = client.get("/v1/files", name=file, limit=1)["items"]
    if not known:
        raise NotFound(f"There is no file of the name {file}.")
    return f"/v1/files/{segment(known[0]['id'])}"


def _told(found: Mapping[str, Any]) -> list[RenderableType]:
    state = "dry run" if found["dry_run"] else found["state"]
    shown: list[RenderableType] = [
        _facts({"state": state, "taken back": found["done"], "had to stay": found["left_count"]})
    ]
    names = ("points", "recovered", "overdrawn", "given_up", "expired", "refused")
    programs = _table("program", "records", *(name.replace("_", " ") for name in names), right=7)
    for each in found["programs"]:
        programs.add_row(each["program_code"], str(each["records"]), *(each[name] for name in names))
    if found["programs"]:
        shown.append(programs)
    left = _table("row", "what", "why", "points")
    for each in found["left"]:
        what = each["entry_code"] or each["id"]
        left.add_row(str(each["row_no"] or ""), f"{each['kind']} {what}", each["code"], each["points"] or "")
    if found["left"]:
        shown.append(left)
    return shown


def _counts(rows: Mapping[str, Any]) -> dict[str, Any]:
    return {f"rows {name}": rows[name] for name in ("total", "accepted", "rejected", "duplicate", "ignored")}


def _points(programs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"points {each['program_code']}": each["points_posted"] for each in programs}


def _errors(errors: Sequence[Mapping[str, Any]]) -> list[Table]:
    if not errors:
        return []
    table = _table("row", "code", "column", "why")
    for each in errors:
        table.add_row(str(each["row_no"]), each["code"], each["column"] or "", each["message"] or "")
    return [table]


def _facts(facts: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None:
            table.add_row(name, Text(str(value)))
    return table


def _table(*columns: str, right: int = 0) -> Table:
    """A table; the last ``right`` columns are figures."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="right" if number >= len(columns) - right else "left")
    return table
