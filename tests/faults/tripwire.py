"""The seams where a process may die: each SQL statement, COMMIT, and S3, queue and HTTP call, before and after it.

A tripwire numbers the seams of a run. Armed with a number it fails there, in one of two ways:

- ``crash``: a BaseException that no handler may catch, as if the process had been killed;
- ``dead``: the connection is gone, so an ordinary error of the driver, of botocore or of httpx surfaces. After a COMMIT
  or a call the effect has happened and the caller does not know.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx
from botocore.exceptions import EndpointConnectionError
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from chalicelib.storage import aws
from chalicelib.storage.engine import Database

Mode = Literal["crash", "dead"]
_COMMIT = "COMMIT"
#: A seam, after what tells it from its like on another way.
Edge = tuple[str, str]
_LISTED = re.compile(r"\((?:\?|%s|%\(\w+\)s)(?:, ?(?:\?|%s|%\(\w+\)s))*\)")
_FILE = re.compile(r"/proc/self/fd/\d+")


class Crash(BaseException):
    """The process dies here."""


class Tripwire:
    """Numbers the seams that are crossed from 1 on, and fails at one of them, once."""

    def __init__(self, at: int | None = None, mode: Mode = "crash") -> None:
        self.at = at
        self.mode = mode
        self.crossed: list[str] = []

    @property
    def edges(self) -> list[Edge]:
        """Each crossed seam with what was before it: the seam before, and before a COMMIT all that it commits."""
        found: list[Edge] = []
        before, committed = "the start", set[str]()
        for seam in self.crossed:
            found.append((" ".join(sorted(committed)) if seam.endswith(_COMMIT) else before, seam))
            committed.add(seam)
            if seam == f"after {_COMMIT}":
                committed.clear()
            before = seam
        return found

    @property
    def tripped(self) -> bool:
        """Whether the seam to fail at has been reached."""
        return self.at is not None and len(self.crossed) >= self.at

    def cross(self, seam: str, die: Callable[[], None]) -> None:
        """Pass a seam; at the chosen one raise Crash, or let ``die`` raise what a lost connection raises."""
        self.crossed.append(seam)
        if len(self.crossed) != self.at:
            return
        if self.mode == "crash":
            raise Crash(seam)
        die()


@contextmanager
def armed(wire: Tripwire, database: Database) -> Iterator[Tripwire]:
    """Lead every statement, commit and call inside the block across ``wire``."""
    with _sql(wire, database.engine), _aws(wire), _http(wire):
        yield wire


@contextmanager
def _sql(wire: Tripwire, engine: Engine) -> Iterator[None]:
    def before(_db: Connection, cursor: Any, statement: str, *_: Any) -> None:
        wire.cross(f"before {_plain(statement)}", lambda: _cut(cursor))

    def after(_db: Connection, cursor: Any, statement: str, *_: Any) -> None:
        try:
            wire.cross(f"after {_plain(statement)}", lambda: _lost(cursor))
        except Crash:
            # A dead process has no open cursor either; here it would live on in the traceback.
            cursor.close()
            raise

    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        wire.cross(f"before {_COMMIT}", lambda: _lost(connection))
        commit(connection)
        wire.cross(f"after {_COMMIT}", lambda: _lost(connection))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
        del engine.dialect.do_commit  # type: ignore[method-assign]


def _plain(statement: str) -> str:
    """The statement, however many values it lists and whatever file it loads."""
    return _LISTED.sub("(…)", _FILE.sub("…", " ".join(statement.split())))


def _cut(cursor: Any) -> None:
    """End the connection under the driver: the statement that follows finds it gone."""
    connection = cursor.connection
    if hasattr(connection, "_force_close"):
        connection._force_close()
    else:
        connection.rollback()
        _lost(connection)


def _lost(connection: Any) -> None:
    """What SQLAlchemy raises when the server went away under a statement or a commit; the transaction is over."""
    connection = getattr(connection, "driver_connection", None) or getattr(connection, "connection", connection)
    if hasattr(connection, "_force_close"):
        connection._force_close()
    import pymysql

    raise OperationalError("lost", None, pymysql.err.OperationalError(2013, "Lost connection to MySQL server"))


@contextmanager
def _aws(wire: Tripwire) -> Iterator[None]:
    def before(model: Any, **_: Any) -> None:
        wire.cross(f"before {model.name}", _unreachable)

    def after(model: Any, **_: Any) -> None:
        wire.cross(f"after {model.name}", _unreachable)

    clients = [aws.client(service) for service in ("s3", "sqs")]
    for client in clients:
        client.meta.events.register("before-call.*", before)
        client.meta.events.register("after-call.*", after)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-call.*", before)
            client.meta.events.unregister("after-call.*", after)


def _unreachable() -> None:
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1")


@contextmanager
def _http(wire: Tripwire) -> Iterator[None]:
    handle = httpx.HTTPTransport.handle_request

    def crossing(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        def lost() -> None:
            raise httpx.ReadError("lost", request=request)

        wire.cross(f"before {request.method} {request.url.path}", lost)
        response = handle(self, request)
        response.read()
        wire.cross(f"after {request.method} {request.url.path}", lost)
        return response

    httpx.HTTPTransport.handle_request = crossing  # type: ignore[method-assign]
    try:
        yield
    finally:
        httpx.HTTPTransport.handle_request = handle  # type: ignore[method-assign]
