"""`hub migrate`: bring a database to the newest tables."""

import os
from typing import Annotated

import typer
from rich.text import Text

from chalicelib.settings import read_settings
from cli.reporting import AsJson, reporting
from cli.target import home_path
from local.home import Home


def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only tell; end with 1 when a migration is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database of INTERLINE_DATABASE_URL (else the local hub's) to the newest tables."""
    with reporting(as_json=as_json) as report:
        from chalicelib.storage.engine import connect_by
        from migrations import chain

        home = Home.open(home_path())
        given = {"INTERLINE_DATABASE_URL": f"sqlite:///{home.database}", **os.environ}
        engine = connect_by(read_settings(given)).engine
        before, newest = chain.heads(engine)
        if not check:
            chain.upgrade(engine)
        after = before if check else newest
        place = engine.url.render_as_string(hide_password=True)
        report.answer(
            {"database": place, "before": before, "after": after, "newest": newest},
            Text(
                f"{place}: {before or 'empty'} -> {after or 'empty'}" + ("" if after == newest else f", not {newest}")
            ),
        )
        if after != newest:
            raise typer.Exit(1)
