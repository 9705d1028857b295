"""Each decision is a page that names the check that holds it, and the check exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
_CODE = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_names_a_check_that_exists(path: Path):
    text = path.read_text()
    assert "\n**Decision.** " in text
    assert "\n**Check.** " in text
    checks = _CODE.findall(text.split("**Check.**")[1])
    files = [check for check in checks if "/" in check and " " not in check]
    assert checks, "the check is named in backticks"
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_there_are_decisions():
    assert len(DECISIONS) >= 16
