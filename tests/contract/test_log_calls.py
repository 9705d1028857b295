"""Every log call of the hub says a fixed sentence and gives listed fields, so that no personal value can slip in."""

import ast
from collections.abc import Iterator
from pathlib import Path

from chalicelib.web import logs

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
LOGGERS = {"log", "logger", "_log", "_logger"}
OWN_KEYWORDS = {"exc_info", "stack_info", "stacklevel"}


def log_calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    for path in [ROOT / "app.py", *sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in LOGGERS
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def names_in(extra: ast.expr) -> set[str]:
    written = [node for node in ast.walk(extra) if isinstance(node, ast.Dict)]
    return {key.value if isinstance(key, ast.Constant) else "?" for each in written for key in each.keys}


def wrongs(where: str, call: ast.Call) -> Iterator[str]:
    if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
        yield f"{where}: the message is not one fixed sentence"
    for keyword in call.keywords:
        if keyword.arg == "extra":
            yield from (f"{where}: {name} is not in web.logs.FIELDS" for name in names_in(keyword.value) - logs.FIELDS)
        elif keyword.arg not in OWN_KEYWORDS:
            yield f"{where}: {keyword.arg} is no keyword of a log call"


def test_every_log_call_says_a_fixed_sentence_and_gives_listed_fields():
    calls = list(log_calls("chalicelib"))
    assert [wrong for where, call in calls for wrong in wrongs(where, call)] == []
    assert len(calls) > 3


def test_every_listed_field_is_logged_somewhere():
    extras = [
        keyword.value
        for _, call in log_calls("chalicelib", "local", "cli")
        for keyword in call.keywords
        if keyword.arg == "extra"
    ]
    assert logs.FIELDS - {name for extra in extras for name in names_in(extra)} == set()


def test_no_room_prints():
    printed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "chalicelib").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printed == []
