"""The commands of `hub`."""

import typer

from cli import drop, export, interrupts, keys, ledger, mending, migrate, proving, rules, up

app = typer.Typer(name="hub", no_args_is_help=True, add_completion=False)


@app.callback()
def hub(context: typer.Context) -> None:
    """Drive an Interline hub."""
    # `up` lets them through itself, when it can stop what it has started.
    if context.invoked_subcommand != "up":
        interrupts.let_through()


app.command("up")(up.up)
app.command("drop")(drop.drop)
app.command("export")(export.export)
app.command("migrate")(migrate.migrate)
app.command("balance")(ledger.balance)
app.command("lineage")(ledger.lineage)
app.add_typer(rules.app, name="rules")
app.add_typer(proving.app, name="ledger")
app.add_typer(mending.app, name="files")
app.add_typer(keys.app, name="key")
