"""Every error code that the hub can raise is explained in docs/errors.md, under its status, and nothing else is."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from chalicelib.errors import InterlineError
from chalicelib.web import problems

ROOT = Path(__file__).parents[2]
# Importing the app defines every kind of error.
importlib.import_module("app")


def kinds() -> Iterator[type[InterlineError]]:
    waiting = [InterlineError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("chalicelib."):
            yield kind


def raised() -> dict[str, set[int]]:
    """Each code and the statuses it is sent with: codes of classes, and codes given where an error is made."""
    by_name = {kind.__name__: kind for kind in kinds()}
    found: dict[str, set[int]] = {}
    for kind in by_name.values():
        if "code" in kind.__dict__:
            found.setdefault(kind.code, set()).add(problems.status_of(kind)[0])
    for path in (ROOT / "chalicelib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                kind = by_name.get(ast.unparse(node.func).rpartition(".")[2])
                for keyword in node.keywords:
                    if kind and keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        found.setdefault(str(keyword.value.value), set()).add(problems.status_of(kind)[0])
    return found


def explained() -> dict[str, tuple[str, str]]:
    """Each code of the page, with its statuses and its meaning."""
    text = (ROOT / "docs" / "errors.md").read_text().partition("## Faults")[0]
    return {
        code: (statuses, meaning)
        for code, statuses, meaning in re.findall(r"^\| `([a-z_]+)` \| ([0-9/–]+) \| (.+) \|$", text, re.MULTILINE)
    }


def test_every_code_is_explained():
    assert sorted(raised().keys() - explained().keys()) == []


def test_no_code_is_explained_that_is_gone():
    assert sorted(explained().keys() - raised().keys()) == []


def test_the_statuses_are_right():
    told = {code: statuses for code, (statuses, _) in explained().items() if statuses != "–"}
    real = raised()
    assert told == {code: "/".join(str(status) for status in sorted(real[code])) for code in told}


def test_each_meaning_is_a_sentence():
    assert [code for code, (_, meaning) in explained().items() if not meaning.endswith(".")] == []


def test_codes_are_snake_case():
    assert [code for code in raised() if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
