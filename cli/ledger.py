"""`hub balance` and `hub lineage`: what a member has, and where each point came from."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from chalicelib.errors import NotFound
from cli import partners, story, times
from cli.client import HubClient, segment
from cli.reporting import REFUSED, AsJson, NotUsable, reporting
from cli.target import chosen

#: Holds are not dated: of a past day nobody knows what was held.
_UNKNOWN = "?"


def balance(
    *,
    member: Annotated[str, typer.Argument(help="A member's id (mbr_…), or PARTNER/EMPLOYEE-ID.")],
    as_of: Annotated[
        str | None,
        typer.Option(parser=times.day, metavar="DAY", help="What was posted by the end of a day, as 2026-11-20."),
    ] = None,
    entries: Annotated[int, typer.Option(min=0, max=200, help="How many of the latest entries to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show what a member may spend, holds and will lose next, in each program, and the latest entries behind it."""
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        path = f"/v1/members/{segment(_member_id(client, member))}"
        found = client.get(f"{path}/balance", as_of=as_of)
        latest = client.get(f"{path}/ledger", limit=entries)["items"] if entries else []
        shown: list[RenderableType] = [_balances(found)] if found["balances"] else [Text("Nothing was ever earned.")]
        if latest:
            shown.append(_entries(latest))
        report.answer({**found, "latest_entries": latest}, *shown)


def lineage(
    *,
    entry: Annotated[str, typer.Argument(help="A ledger entry's id (trf_…).")],
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Decide again from the stored proof; end with 1 when it differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Follow an entry back to its file, row, rule version and facts, and on to what carried it out."""
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        path = f"/v1/ledger/entries/{segment(entry)}/lineage"
        found = client.get(path, recompute="true" if recompute else None)
        report.answer(found, *story.told(found))
        if found["decided"] is not None and found["decided"]["agrees"] is False:
            raise typer.Exit(REFUSED)


def _balances(found: Mapping[str, Any]) -> Table:
    then = "" if found["as_of"] is None else f", posted by the end of {found['as_of']}"
    table = Table(
        title=f"{found['employee_id']} ({found['member_id']}){then}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("program", "available", "held", "pending", "lifetime", "next expiry"):
        table.add_column(column, justify="left" if column in {"program", "next expiry"} else "right")
    for one in found["balances"]:
        expiry = one["next_expiry"]
        table.add_row(
            f"{one['program']} ({one['unit']})",
            one["available"],
            one["held"] or _UNKNOWN,
            one["pending"] or _UNKNOWN,
            one["lifetime_earned"],
            "" if expiry is None else f"{expiry['points']} on {expiry['date']}",
        )
    return table


def _entries(latest: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        title="Latest entries (`hub lineage ENTRY` follows one to its source)",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("entry", "day", "kind", "amount"):
        table.add_column(column, justify="right" if column == "amount" else "left", no_wrap=True)
    for one in latest:
        table.add_row(one["id"], one["business_date"], one["kind"], one["amount"])
    return table


def _member_id(client: HubClient, member: str) -> str:
    partner, separator, employee_id = member.partition("/")
    if member.startswith("mbr_"):
        return member
    if not separator or not partner or not employee_id:
        raise NotUsable(f"{member} names no member: give PARTNER/EMPLOYEE-ID, such as aurora-air/10047, or mbr_….")
    with partners.naming(partner):
        for found in client.items("/v1/members", partner_id=partner, employee_id=employee_id):
            return str(found["id"])
    raise NotFound(f"Partner {partner} has no employee {employee_id}.", code="unknown_member")
