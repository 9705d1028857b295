"""`hub ledger verify`: whether the ledger is what it was, slice by slice."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.errors import Broken
from cli.client import HubClient
from cli.reporting import REFUSED, AsJson, NotUsable, reporting
from cli.target import chosen

app = typer.Typer(help="The ledger as a whole.", no_args_is_help=True)
_SLICES_MAX = 1_000_000
_FAULTS_SHOWN = 20


@app.callback()
def ledger() -> None:
    """The ledger as a whole."""


@app.command()
def verify(
    *,
    program: Annotated[
        str | None, typer.Option(help="Only the sums of this program (prg_…); the hash chain is left out.")
    ] = None,
    from_block: Annotated[int, typer.Option(min=1, help="The first block of the hash chain to compare.")] = 1,
    to_block: Annotated[int | None, typer.Option(min=1, help="The last one; left out: the latest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the ledger with its hash chain and recompute its sums; ends with 1 when something is not as it was."""
    with reporting(as_json=as_json) as report:
        if to_block is not None and to_block < from_block:
            raise NotUsable(f"--to-block {to_block} is before --from-block {from_block}.")
        client = chosen().client()
        found: dict[str, Any] = {"verified": True, "blocks": 0, "rows": 0, "accounts": 0, "faults": [], "breaks": []}
        asked: list[dict[str, Any]] = [{"part": "sums", "program_id": program}]
        if program is None:
            asked.insert(0, {"part": "chain", "from_block": from_block, "to_block": to_block})
        for each in asked:
            for slice_ in _slices(client, each):
                found["verified"] = found["verified"] and slice_["verified"]
                for name in ("blocks", "rows", "accounts", "faults", "breaks"):
                    found[name] += slice_[name]
        report.answer(found, *_shown(found))
        if not found["verified"]:
            raise typer.Exit(REFUSED)


def _slices(client: HubClient, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    body = {name: value for name, value in asked.items() if value is not None}
    for _ in range(_SLICES_MAX):
        answer: dict[str, Any] = client.post_text("/v1/ledger/verify", json.dumps(body))
        yield answer
        if answer["complete"]:
            return
        following = {"from_block": answer["next_block"], "after_account": answer["next_account"]}
        body |= {name: value for name, value in following.items() if value is not None}
    raise Broken("The ledger does not come to its end.")


def _shown(found: dict[str, Any]) -> list[RenderableType]:
    said = f"{found['rows']} rows in {found['blocks']} blocks, {found['accounts']} accounts"
    if found["verified"] and not found["blocks"]:
        return [Text(f"The sums are right ({found['accounts']} accounts); no block of the hash chain was compared.")]
    if found["verified"]:
        return [Text(f"The ledger is what it was: {said}.", style="green")]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("what", "where", "which"):
        table.add_column(column, overflow="fold")
    for fault in found["faults"][:_FAULTS_SHOWN]:
        row = "" if fault["row"] is None else " ".join(fault["row"].values())
        place = f"block {fault['block']}" if fault["table"] is None else fault["table"]
        table.add_row(fault["kind"], place, f"{row} {', '.join(fault['columns'])}".strip())
    for each in found["breaks"][:_FAULTS_SHOWN]:
        table.add_row(each["code"], each["subject"], f"expected {each['expected']}, found {each['found']}")
    count = len(found["faults"]) + len(found["breaks"])
    return [Text(f"The ledger is not what it was: {count} faults in {said}.", style="bold red"), table]
