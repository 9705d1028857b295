"""What the tests of rules share: a hub that asks for a second person, and people."""

from collections.abc import Iterator

import pytest

from chalicelib.settings import settings


@pytest.fixture
def approval_required(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As everywhere but on a local hub."""
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()
