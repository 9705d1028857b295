"""`hub rules …`: check rule files, compare them with a hub, change it, and see what a rule does."""

import typer

from cli.rules import backtesting, checking, comparing, explaining, lifecycle, planning, pulling, testing

app = typer.Typer(
    help="Check rule files, plan and apply them, and see what rules do.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("check")(checking.check)
app.command("test")(testing.run_cases)
app.command("explain")(explaining.explain)
app.command("diff")(comparing.diff)
app.command("plan")(planning.plan)
app.command("apply")(planning.apply)
app.command("pull")(pulling.pull)
app.command("save")(lifecycle.save)
app.command("backtest")(backtesting.backtest)
app.command("approve")(lifecycle.approve)
app.command("promote")(lifecycle.promote)
app.command("rollback")(lifecycle.rollback)
