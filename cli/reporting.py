"""How every command answers: readable, or as exactly one JSON document; 0 when all is well, 1 when it was refused."""

import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text
from typer.exceptions import Abort, TyperException

from chalicelib.errors import InterlineError, InvalidInput

REFUSED = 1
WRONG_USE = 2
_PIPED_WIDTH = 120
_ELSEWHERE = " Make it writable, or name another folder (a hub's own is INTERLINE_HOME)."
_HELPS = {
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.EEXIST: " A folder is needed here.",
    errno.ENOTDIR: " A folder is needed here.",
    errno.ENOSPC: " Make room on this disk, then run the command again.",
}

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


class NotUsable(InvalidInput):
    """What a command was given is not what it takes: it ends as wrong usage does."""

    code = "wrong_usage"


class Report:
    """The answer of one command. ``console`` is for people: standard error while a program reads the output."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(stderr=as_json)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            # What is written to a file or a pipe is not folded to a terminal's 80 columns.
            self.console.width = _PIPED_WIDTH

    def answer(self, document: object, *shown: RenderableType) -> None:
        """The command's result, in both forms. Call it once."""
        if self.as_json:
            _write(document)
            return
        for one in shown:
            # A text that says so is not folded, such as a command that is there to be copied.
            self.console.print(one, soft_wrap=isinstance(one, Text) and one.no_wrap is True)


@contextmanager
def reporting(*, as_json: bool) -> Iterator[Report]:
    """Run a command; what is refused becomes a sentence (or a JSON document) and exit status 1, NotUsable 2."""
    report = Report(as_json=as_json)
    try:
        yield report
    except InterlineError as error:
        _refuse(report, error)
        raise typer.Exit(WRONG_USE if isinstance(error, NotUsable) else REFUSED) from error
    except OSError as error:
        # This machine refuses: no right, no room, no such folder. What a command waits for raises errors of its own.
        if isinstance(error, BrokenPipeError):
            raise
        _refuse(report, InvalidInput(_of_this_machine(error), code="machine_refuses"))
        raise typer.Exit(REFUSED) from error


def run(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Run a command line and exit. With ``--json`` wrong usage, too, is one JSON document on standard output."""
    if "--json" not in arguments:
        app(list(arguments), prog_name="hub")
        return
    try:
        status = app(list(arguments), prog_name="hub", standalone_mode=False)
    except TyperException as error:
        _write({"error": error_document(NotUsable(error.format_message()))})
        status = error.exit_code
    except Abort:
        status = REFUSED
    sys.exit(status)


def _refuse(report: Report, error: InterlineError) -> None:
    if report.as_json:
        _write({"error": error_document(error)})
    else:
        show_error(report.console, error)


def _of_this_machine(error: OSError) -> str:
    """What the operating system refused, and what helps."""
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error) or type(error).__name__
    return f"{where}{what}.{_HELPS.get(error.errno or 0, '')}"


def error_document(error: InterlineError) -> dict[str, Any]:
    """An error as JSON."""
    faults = [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in error.faults]
    return {"code": error.code, "message": error.message, "retryable": error.retryable, "faults": faults}


def show_error(console: Console, error: InterlineError) -> None:
    """An error for people."""
    text = Text("Refused ", style="bold red").append(f"({error.code}) {error.message}", style="default not bold")
    for fault in error.faults:
        text.append(f"\n  {fault.pointer}", style="bold default")
        if fault.message not in error.message:
            text.append(f"  {fault.message}", style="default not bold")
        text.append(f" ({fault.code})", style="dim")
    console.print(text, soft_wrap=True)


def _write(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
