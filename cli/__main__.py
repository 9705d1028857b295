"""``python -m cli``: the `hub` command."""

import typer

from cli import drop, keys, ledger, migrate, rules, up

app = typer.Typer(name="hub", help="Drive an Interline hub.", no_args_is_help=True, add_completion=False)
app.command("up")(up.up)
app.command("drop")(drop.drop)
app.command("migrate")(migrate.migrate)
app.command("balance")(ledger.balance)
app.command("lineage")(ledger.lineage)
app.add_typer(rules.app, name="rules")
app.add_typer(keys.app, name="key")

if __name__ == "__main__":
    app(prog_name="hub")
