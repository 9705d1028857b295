"""Versions, activations and approvals are only ever added: no statement anywhere changes or deletes one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMMUTABLE = {
    "ruleset_version",
    "ruleset_activation",
    "ruleset_approval",
    "configuration_plan",
    "configuration_plan_event",
}
SOURCES = [
    path
    for folder in ("chalicelib", "cli", "local")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "node_modules" not in path.parts
]


def changes(text: str) -> set[str]:
    """The immutable tables that a module updates or deletes from: through SQLAlchemy or in plain SQL."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            # update(table), and table.update()
            about = [ast.unparse(one).rpartition(".")[2] for one in node.args[:1]]
            if isinstance(node.func, ast.Attribute):
                about.append(ast.unparse(node.func.value).rpartition(".")[2])
            if called in {"update", "delete", "upsert"}:
                found |= IMMUTABLE & set(about)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.lower().split()
            pairs = {(words[at], words[at + 1].strip('`"')) for at in range(len(words) - 1)}
            found |= {name for verb, name in pairs if verb in {"update", "from", "replace"} and name in IMMUTABLE}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_changes_what_has_decided(path: Path):
    assert changes(path.read_text()) == set()


@pytest.mark.parametrize(
    "text",
    [
        "update(ruleset_version).values(content='')",
        "db.execute(delete(models.ruleset_activation))",
        "ruleset_approval.delete()",
        "'UPDATE ruleset_version SET content = 1'",
        "'DELETE FROM `ruleset_activation`'",
    ],
)
def test_a_statement_that_does_is_found(text: str):
    assert changes(text)
