"""Transactions: one database handle per process, read and write transactions, and the retry of lost races."""

import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from chalicelib.errors import DatabaseUnavailable, InvalidInput
from chalicelib.settings import Settings, settings

T = TypeVar("T")

#: Deadlock, lock wait timeout: the whole transaction may be tried again.
_RACE_LOST = frozenset({1205, 1213})
#: Read-only after a failover: the connection leads to the wrong server.
_WRONG_SERVER = frozenset({1290, 1792, 1836})
_TRIES_MAX = 6
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", None, ""})
_BUSY_TIMEOUT_S = 30
_IO_TIMEOUT_S = 60


def is_mysql(db: Connection | Engine) -> bool:
    """Whether this is MySQL or MariaDB rather than SQLite."""
    return db.dialect.name == "mysql"


def lost_race(error: DBAPIError) -> bool:
    """Whether the transaction lost a race for locks and may be tried again as a whole."""
    origin = error.orig
    if isinstance(origin, sqlite3.OperationalError):
        return "locked" in str(origin)
    return bool(origin and origin.args and origin.args[0] in _RACE_LOST)


class Database:
    """One engine and the two kinds of transaction that the hub's edges open on it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction; always rolled back."""
        with self._connected("read") as db:
            try:
                yield db
            finally:
                db.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises."""
        with self._connected("write") as db, db.begin():
            yield db

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of ``work`` in one write transaction, tried again as a whole when it loses a race for locks.

        ``work`` must not have effects outside the transaction. Raises DatabaseUnavailable after six lost races; a
        connection lost during COMMIT is ambiguous and is never tried again here.
        """
        for attempt in range(1, _TRIES_MAX + 1):
            try:
                with self.write() as db:
                    return work(db)
            except OperationalError as error:
                if not lost_race(error):
                    raise
                if attempt == _TRIES_MAX:
                    raise DatabaseUnavailable("The database is too busy: too many lost races for locks.") from error
                time.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable: the loop returns or raises")

    @contextmanager
    def _connected(self, purpose: str) -> Iterator[Connection]:
        try:
            connection = self.engine.connect()
        except OperationalError as error:
            raise DatabaseUnavailable("The database does not answer.") from error
        except sqlalchemy.exc.TimeoutError as error:
            raise DatabaseUnavailable("Every database connection of this process is busy.", retry_after_s=1) from error
        with connection:
            connection.info["purpose"] = purpose
            try:
                yield connection
            except DBAPIError as error:
                if error.orig and error.orig.args and error.orig.args[0] in _WRONG_SERVER:
                    connection.invalidate()
                    raise DatabaseUnavailable("The database failed over: try again.", retry_after_s=1) from error
                raise


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """Loaded once: reading the CA bundle costs about 20 ms a time."""
    return ssl.create_default_context()


def connect(url: str | URL, *, pool_max: int = 1, tls: str = "required") -> Database:
    """A handle on the database at ``url``; nothing is opened before the first transaction."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite(parsed, pool_max))
    if parsed.get_backend_name() not in {"mysql", "mariadb"}:
        raise InvalidInput(f"The database {parsed.get_backend_name()!r} is not supported: use sqlite or mysql+pymysql.")
    return Database(_mysql(parsed, pool_max, tls))


def connect_by(configured: Settings) -> Database:
    """The database that the settings name."""
    return connect(configured.database_url, pool_max=configured.database_pool_max, tls=configured.database_tls)


@lru_cache(maxsize=1)
def database() -> Database:
    """The database of this process, connected once."""
    return connect_by(settings())


def _mysql(url: URL, pool_max: int, tls: str) -> Engine:
    options: dict[str, Any] = {
        "charset": "utf8mb4",
        "local_infile": True,
        "connect_timeout": 5,
        "read_timeout": _IO_TIMEOUT_S,
        "write_timeout": _IO_TIMEOUT_S,
        "init_command": "SET time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    }
    if url.query.get("unix_socket") or (tls == "off" and url.host in _LOOPBACK):
        options["ssl_disabled"] = True
    elif tls == "off":
        raise InvalidInput(f"INTERLINE_DATABASE_TLS=off is refused for {url.host}: only loopback may go without TLS.")
    else:
        options["ssl"] = _tls_context()
    return sqlalchemy.create_engine(
        url.set(drivername="mysql+pymysql"),
        isolation_level="READ COMMITTED",
        # An exception's text may reach a log; the values in a statement may be personal.
        hide_parameters=True,
        connect_args=options,
        poolclass=QueuePool,
        pool_size=pool_max,
        max_overflow=0,
        pool_recycle=270,
        pool_pre_ping=True,
        pool_timeout=20,
    )


def _sqlite(url: URL, pool_max: int) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=pool_max,
        max_overflow=0,
        pool_timeout=_BUSY_TIMEOUT_S,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not open transactions by itself: the mode is chosen in _begin.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns into a writer loses to any other writer at once, whatever the busy timeout.
        deferred = connection.info.get("purpose") == "read"
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    return engine
