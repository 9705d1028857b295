"""`hub key create`: keys for people and for partners."""

import uuid
from typing import Annotated

import typer
from rich.text import Text

from cli import partners, times
from cli.reporting import AsJson, reporting
from cli.target import chosen

app = typer.Typer(help="Keys of users and partners.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys of users and partners."""


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="A right, as ledger:read; give it once per right.")],
    partner: Annotated[str | None, typer.Option(help="The partner whose key it is: code or id.")] = None,
    user: Annotated[str | None, typer.Option(help="The user whose key it is: id.")] = None,
    expires_at: Annotated[
        str | None, typer.Option(parser=times.moment, metavar="MOMENT", help="When it ends, as 2027-01-01T00:00:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and show it, once. Without --partner and --user it is your own."""
    with reporting(as_json=as_json) as report:
        client = chosen().client()
        body = {
            "name": name,
            "scopes": sorted(set(scope)),
            "partner_id": None if partner is None else partners.id_of(client, partner),
            "user_id": user,
            "expires_at": expires_at,
        }
        made = client.post("/v1/api-keys", body, idempotency_key=str(uuid.uuid4()))
        shown = Text(made["key"], style="bold yellow").append(f"\n{made['id']}, shown this once", style="dim")
        report.answer(made, shown)
