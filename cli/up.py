"""`hub up`: the whole hub on this machine, in one terminal."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from chalicelib.errors import InterlineError
from chalicelib.settings import read_settings
from cli import bundles, interrupts, samples
from cli.client import HubClient
from cli.reporting import AsJson, Report, reporting, show_error
from cli.target import home_path, s3_options
from cli.watching import RuleWatcher, Seen, snapshot
from local import environment
from local.console import LogView
from local.home import REPOSITORY, Home
from local.log_file import LogFile
from local.supervisor import Options, Running, Supervisor

_WATCHED = {
    "off": "a file that you save there is applied at once",
    "required": "a file that you save there is checked at once; rules need approval",
}
#: Rules that are named; the rest is counted.
_NAMED_MAX = 5


def up(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API, on the loopback address.")] = 8000,
    empty: Annotated[bool, typer.Option("--empty", help="Do not process the sample files at the first start.")] = False,
    rules: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The rule files: applied at the first start, and watched."),
    ] = REPOSITORY / "rules",
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Apply a rule file when it is saved.")] = True,
    processes: Annotated[int, typer.Option(min=1, max=32, help="Processes that answer requests.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Start the hub here and show its log until Ctrl-C."""
    with reporting(as_json=as_json) as report:
        read_settings(os.environ)  # what is wrong there is said once, not by each process
        home = Home.open(home_path())
        log_file = LogFile(home.log)
        log = LogView(report.console, log_file)
        supervisor = Supervisor(home, Options(port, processes), os.environ, log.show)
        watcher: RuleWatcher | None = None
        try:
            interrupts.raise_the_first()
            interrupts.let_through()
            # Until the hub is there for people, its log is of what it does to itself.
            log.quiet = True
            with report.console.status("Starting …"):
                running = supervisor.start()
            # Whoever reads that the hub is up finds its rules in force.
            applied, waiting = _apply_rules(report, home, running, rules)
            _announce(report, home, running, rules if watch else None)
            if waiting:
                _say_what_waits(report.console, waiting)
            elif not empty:
                _process_samples(report, home, running)
            log.quiet = False
            if watch:
                saves = environment.rule_approval(os.environ) == "off"
                watcher = RuleWatcher(rules, _client(home, running), home.rules_seen, log.show, saves=saves)
                watcher.begin(applied)
            supervisor.watch(interrupts.check)
        except interrupts.Interrupted:
            report.console.print("Stopping …")
        finally:
            interrupts.ignore()
            if watcher is not None:
                watcher.stop()
            supervisor.stop()
            log_file.close()
        report.console.print("Stopped.")


def _apply_rules(report: Report, home: Home, running: Running, folder: Path) -> tuple[Seen | None, list[str]]:
    """Apply the rule files once in the life of a home; which files, and the rules that wait for approval.

    A start that was cut short, or after which nothing decides yet, does it again.
    """
    if home.state().get("rules_applied"):
        return None, []
    found = snapshot(folder)
    try:
        with report.console.status("Applying rules/ …"):
            waiting = bundles.apply_all(_client(home, running), folder)
    except InterlineError as error:
        # The hub itself is up: it stays so, and the next start tries again.
        show_error(report.console, error)
        return None, []
    if not waiting:
        home.save_state(home.state() | {"rules_applied": True})
    return found, waiting


def _say_what_waits(console: Console, waiting: Sequence[str]) -> None:
    """Nothing decides on a hub whose first rules nobody approved: say so, and how to go on."""
    some = ", ".join(waiting[:_NAMED_MAX]) + (", …" if len(waiting) > _NAMED_MAX else "")
    lines = [
        f"{len(waiting)} rules and layouts are saved and decide nothing: INTERLINE_RULE_APPROVAL=required,",
        f"and nobody has approved them ({some}).",
        "Every file would be quarantined, so the samples are not processed. Either",
        "  start once without INTERLINE_RULE_APPROVAL, which brings the rule files in, and then again with it; or",
        "  let another person approve each (hub rules approve RULESET --version 1) and promote it (hub rules promote).",
    ]
    for line in lines:
        console.print(Text(line, style="bold yellow"), soft_wrap=True)


def _process_samples(report: Report, home: Home, running: Running) -> None:
    """Process `samples/` once in the life of a home, when its rules are there."""
    state = home.state()
    if state.get("samples_processed") or not state.get("rules_applied"):
        return
    try:
        samples.open_store(running.commerce_cloud_url, REPOSITORY / "samples")
        samples.process(report.console, _client(home, running), s3_options(running.aws_url), REPOSITORY / "samples")
    except InterlineError as error:
        show_error(report.console, error)
    else:
        home.save_state(home.state() | {"samples_processed": True})


def _client(home: Home, running: Running) -> HubClient:
    return HubClient(running.url, home.admin_key.read_text().strip())


def _announce(report: Report, home: Home, running: Running, watched: Path | None) -> None:
    if report.as_json:
        places = {"url": running.url, "aws_url": running.aws_url, "commerce_cloud_url": running.commerce_cloud_url}
        document = {**places, "pid": os.getpid(), "home": str(home.root), "admin_key_file": str(home.admin_key)}
        print(json.dumps(document), flush=True)
        return
    _welcome(report.console, home, running, watched)


def _welcome(console: Console, home: Home, running: Running, watched: Path | None) -> None:
    copy = f"AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws --endpoint-url {running.aws_url} s3 cp"
    lines = [
        ("API", running.url, f"documentation: {running.url}/docs"),
        ("AWS stand-in", running.aws_url, "S3, SQS, Secrets Manager; objects on disk"),
        ("Commerce Cloud", running.commerce_cloud_url, "stand-in, customers on disk"),
        ("Workers", "files, deliveries, schedules", "the handlers of app.py"),
        ("State", str(home.root), f"INTERLINE_HOME; all that is logged: {home.log.name}"),
        *([("Rules", str(watched), _WATCHED[environment.rule_approval(os.environ)])] if watched else []),
        ("", "", ""),
        ("Drop a file", "./hub drop FILE --partner CODE --layout NAME", ""),
        ("  or by any S3", f"{copy} FILE s3://hub-in/PARTNER/LAYOUT/", ""),
        ("Stop", "Ctrl-C", ""),
    ]
    if running.admin_key is None:
        lines[5:5] = [("Admin key", str(home.admin_key), "the hub command finds it there")]
    else:
        kept = f"shown this once; kept in {home.admin_key}"
        lines[5:5] = [("", "", ""), ("Admin key", running.admin_key, ""), ("", "", kept)]
    console.rule(f"[bold green]Interline is up[/] ({running.seconds:.1f} s)", align="left")
    for name, value, remark in lines:
        line = Text(f"  {name:<16}", style="bold")
        line.append(value, style="yellow" if name == "Admin key" else "cyan")
        line.append(f"{'   ' if value else ''}{remark}", style="dim")
        # Not wrapped: keys and commands are there to be copied.
        console.print(line, soft_wrap=True)
    console.rule()
