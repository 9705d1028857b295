"""The whole app over an empty database: ``api.get(path, key=…, params=…)`` and its sisters."""

import importlib
from collections.abc import Iterator
from datetime import datetime

import pytest

from chalicelib.storage import engine
from chalicelib.storage.engine import Database
from chalicelib.web import authentication, clock
from tests.factories.gateway import Api


class Clock:
    """What the edge reads as the time; a test may move it."""

    def __init__(self, now: datetime) -> None:
        self.now = now


@pytest.fixture
def edge_clock(now: datetime, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The edge's clock, stopped at ``now``."""
    stopped = Clock(now)
    monkeypatch.setattr(clock, "now", lambda: stopped.now)
    return stopped


@pytest.fixture
def api(database: Database, data_key: None, edge_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The app as app.py puts it together, on ``database``, with the data key at hand."""
    monkeypatch.setattr(engine, "database", lambda: database)
    authentication.forget()
    yield Api(importlib.import_module("app").app)
    authentication.forget()
