"""The whole app over two partners with one of everything each."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.storage import engine
from chalicelib.storage.engine import connect
from chalicelib.web import authentication, clock
from tests.conftest import empty_aws, only_data_key
from tests.contract.world import Hub, World, make_world
from tests.factories.gateway import Api
from tests.factories.partners import NOW


@pytest.fixture(scope="module")
def made(played_aws: None, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """The world in a SQLite file, made once a module. One engine is enough: partners are not kept apart by locks."""
    path = tmp_path_factory.mktemp("world") / "hub.db"
    path.write_bytes(sqlite_template.read_bytes())
    only_data_key()
    empty_aws()
    database = connect(f"sqlite:///{path}", pool_max=4)
    world = make_world(database)
    with database.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    database.engine.dispose()
    return path, world


@pytest.fixture
def hub(made: tuple[Path, World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A copy of the world for one test."""
    path, world = made
    copy = tmp_path / "hub.db"
    copy.write_bytes(path.read_bytes())
    database = connect(f"sqlite:///{copy}", pool_max=4)
    monkeypatch.setattr(engine, "database", lambda: database)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    authentication.forget()
    yield Hub(Api(importlib.import_module("app").app), database, world)
    authentication.forget()
    database.engine.dispose()
