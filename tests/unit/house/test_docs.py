"""What the documentation lists is what the code has: settings, operators, facts, reason codes, files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from chalicelib.language.coverage import Kinds
from chalicelib.language.lint import CODES
from chalicelib.language.operators import OPERATORS
from chalicelib.operations import schedules
from chalicelib.rules.facts import ACCRUAL
from chalicelib.settings import Settings

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Where a code that refuses a file or a row stands among the arguments.
_OF_FILES = {"FileRefused": 0}
_OF_ROWS = {"RowRefused": 1, "rejected": 1, "RosterOutcome": 1, "Refusal": 0, "_refused": 0}
_PATH = re.compile(r"`((?:\.?[a-z_-]+/)+[A-Za-z0-9._-]*)`")


def cells(page: str, *, column: int = 0) -> set[str]:
    """The names in back quotes in one column of all tables of a page."""
    rows = re.findall(r"^\| (.+) \|$", (ROOT / page).read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", re.split(r"(?<!\\) \| ", row)[column])}


def codes(places: dict[str, int]) -> Iterator[str]:
    for path in (ROOT / "chalicelib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                at = places.get(ast.unparse(node.func).rpartition(".")[2], len(node.args))
                given = node.args[at] if at < len(node.args) else None
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield given.value


def test_the_readme_shows_every_setting_as_it_is():
    shown = dict(re.findall(r"^\| `INTERLINE_([A-Z_]+)` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    expected = {
        name.upper(): f"{'(empty)' if field.default == '' else f'`{field.default}`'} | {field.description}"
        for name, field in Settings.model_fields.items()
    }
    assert shown == expected


def test_the_readme_shows_every_room():
    rooms = {f"chalicelib/{path.parent.name}/" for path in (ROOT / "chalicelib").glob("*/__init__.py")}
    assert sorted(rooms - cells("README.md")) == []


def test_the_operations_page_lists_every_schedule():
    assert sorted(schedules.SCHEDULES.keys() - cells("docs/operations.md")) == []


def test_the_rules_page_lists_every_operator():
    assert sorted(OPERATORS.keys() - cells("docs/rules.md")) == []


def test_the_rules_page_lists_every_lint_as_it_is():
    shown = re.findall(
        r"^\| `(\w+)` \| (error|warning) \| (.+) \| (.+) \|$", (ROOT / "docs/rules.md").read_text(), re.MULTILINE
    )
    assert shown == [(name, one.severity, one.meaning, one.mend) for name, one in CODES.items()]


def test_the_rules_page_lists_everything_that_cases_must_reach():
    text = (ROOT / "docs/rules.md").read_text().partition("## Coverage")[2].partition("## ")[0]
    assert re.findall(r"^\| (\w+) \| [A-Z]", text, re.MULTILINE) == list(get_args(Kinds))


def test_the_rules_page_lists_every_fact():
    assert sorted(ACCRUAL.keys() - cells("docs/rules.md")) == []


@pytest.mark.parametrize("places", [_OF_FILES, _OF_ROWS], ids=["files", "rows"])
def test_the_files_page_explains_every_reason(places: dict[str, int]):
    found = set(codes(places))
    assert len(found) > 10
    assert sorted(found - cells("docs/files.md")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_points_to_files_that_exist(page: Path):
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    kept = {"hub-in", "hub-out", "hub-archive", "hub-reject", ".interline", "aws", "outside", "target", "interline"}
    paths = [ROOT / name for name in _PATH.findall(text) if name.split("/")[0] not in kept]
    assert links or paths
    assert [str(path) for path in [*links, *paths] if not path.exists()] == []


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_points_to_headings_that_exist(page: Path):
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text())
    missing = [
        f"{name}#{anchor}" for name, anchor in links if anchor not in anchors(page.parent / name if name else page)
    ]
    assert missing == []
