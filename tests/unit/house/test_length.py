"""A file is readable in one sitting: under 400 lines, its functions under 70."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINES_MAX, FUNCTION_LINES_MAX = 400, 70
FILES = [
    ROOT / "app.py",
    *sorted(
        path
        for folder in ("chalicelib", "cli", "local", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    ),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path):
    text = path.read_text()
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert text.count("\n") <= LINES_MAX, f"{text.count(chr(10))} lines: make two rooms of it"
    assert long == []
