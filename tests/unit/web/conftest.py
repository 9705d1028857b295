"""A small app of the tests' own, behind the real edge."""

from collections.abc import Iterator
from functools import cached_property

import pytest
from chalice.app import Blueprint, Chalice

from chalicelib.storage import engine
from chalicelib.web import authentication, clock, uniform
from chalicelib.web.registry import ENDPOINTS
from tests.factories.gateway import Api


class Bench:
    """Declare endpoints on ``blueprint``, then send requests through ``api``."""

    def __init__(self, now, database, monkeypatch) -> None:
        self.blueprint = Blueprint("bench")
        self.now = now
        monkeypatch.setattr(clock, "now", lambda: self.now)
        monkeypatch.setattr(engine, "database", lambda: database)

    @cached_property
    def api(self) -> Api:
        """A client of everything declared before its first use."""
        app = Chalice("bench", configure_logs=False)
        app.register_middleware(uniform.as_problem, "http")
        app.register_blueprint(self.blueprint)
        return Api(app)


@pytest.fixture
def bench(database, now, monkeypatch) -> Iterator[Bench]:
    """The bench, on both engines; what it declares is forgotten afterwards."""
    declared = dict(ENDPOINTS)
    authentication.forget()
    yield Bench(now, database, monkeypatch)
    ENDPOINTS.clear()
    ENDPOINTS.update(declared)
    authentication.forget()
