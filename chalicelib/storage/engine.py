"""Transactions: one database handle per process, read and write transactions, and the retry of lost races."""

import logging
import random
import sqlite3
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState, QueuePool

from chalicelib.errors import DatabaseUnavailable, InvalidInput
from chalicelib.settings import Settings, settings

T = TypeVar("T")
log = logging.getLogger(__name__)

#: After these errors the whole transaction may be tried again; their names in ``races_lost`` and in the log. SQLite's
#: only one is ``busy``.
RACES: Final[Mapping[object, str]] = MappingProxyType({1205: "lock_wait", 1213: "deadlock"})
#: Read-only after a failover: the connection leads to the wrong server.
_WRONG_SERVER = frozenset({1290, 1792, 1836})
_TRIES_MAX = 6
_chance = random.SystemRandom()
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", None, ""})
_BUSY_TIMEOUT_S = 30
_IO_TIMEOUT_S = 60
#: A connection that was used this short a time ago is not asked whether it is alive.
_PING_AFTER_S = 1.0
#: What is noted of a connection: when it was last given back, and that its transaction has ended.
_USED_AT: Final = "used_at"
_ENDED: Final = "ended"


def is_mysql(db: Connection | Engine) -> bool:
    """Whether this is MySQL or MariaDB rather than SQLite."""
    return db.dialect.name == "mysql"


def lost_race(error: DBAPIError) -> bool:
    """Whether the transaction lost a race for locks and may be tried again as a whole."""
    origin = error.orig
    if isinstance(origin, sqlite3.OperationalError):
        return "locked" in str(origin)
    return bool(origin and origin.args and origin.args[0] in RACES)


class Database:
    """One engine and the two kinds of transaction that the hub's edges open on it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lost: Counter[str] = Counter()
        self._counting = threading.Lock()

    @property
    def races_lost(self) -> Mapping[str, int]:
        """How often transactions of this process lost a race for locks, by ``RACES``; each was rolled back whole."""
        with self._counting:
            return dict(self._lost)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction; always rolled back."""
        with self._connected("read") as db:
            try:
                yield db
            finally:
                db.rollback()
            db.info[_ENDED] = True

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction whose statements all see the same moment, however long they take."""
        with self._connected("read") as db:
            if is_mysql(db):
                db.execution_options(isolation_level="REPEATABLE READ")
                db.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            else:
                # A deferred transaction sees the moment of its first statement.
                db.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").all()
            try:
                yield db
            finally:
                db.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises."""
        with self._connected("write") as db:
            with db.begin():
                yield db
            db.info[_ENDED] = True

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
                self._note_lost(error, attempt)
                if attempt == _TRIES_MAX:
                    raise DatabaseUnavailable("The database is too busy: too many lost races for locks.") from error
                # Two that meet again at the same moment would lose the same race again.
                time.sleep(_chance.uniform(0.2, 1.0) * 0.01 * 2**attempt)
        raise AssertionError("unreachable: the loop returns or raises")

    def _note_lost(self, error: OperationalError, attempt: int) -> None:
        number = error.orig.args[0] if error.orig and error.orig.args else None
        race = RACES.get(number, "busy")
        with self._counting:
            self._lost[race] += 1
        log.info("A transaction lost a race for locks.", extra={"code": race, "count": attempt})

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
    try:
        parsed = make_url(url)
    except ArgumentError:
        # What was given may hold a password, and is not repeated.
        raise InvalidInput(
            "INTERLINE_DATABASE_URL is no URL of a database: write sqlite:///FILE or"
            " mysql+pymysql://USER:PASSWORD@HOST/NAME."
        ) from None
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
    engine = sqlalchemy.create_engine(
        url.set(drivername="mysql+pymysql"),
        isolation_level="READ COMMITTED",
        # An exception's text may reach a log; the values in a statement may be personal.
        hide_parameters=True,
        connect_args=options,
        poolclass=QueuePool,
        pool_size=pool_max,
        max_overflow=0,
        pool_recycle=270,
        pool_reset_on_return=None,
        pool_timeout=20,
    )
    event.listen(engine, "checkout", _require_alive)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "reset", _roll_back)
    return engine


# SQLAlchemy's own ping and reset are two round trips a transaction. Beside the few statements of a hold that is a
# fifth of the time, so both are left out where they can find nothing.


def _require_alive(connection: Any, record: ConnectionPoolEntry, _fairy: object) -> None:  # noqa: ANN401 - a driver's connection
    """A connection that nobody used for a while is asked whether it still works; the pool replaces it if not."""
    if abs(time.time() - record.info.get(_USED_AT, 0.0)) < _PING_AFTER_S:
        return
    try:
        connection.ping(reconnect=False)
    except (connection.Error, OSError) as error:
        raise InvalidatePoolError from error


def _note_use(connection: object, record: ConnectionPoolEntry) -> None:
    if connection is not None:
        record.info[_USED_AT] = time.time()


def _roll_back(connection: Any, record: ConnectionPoolEntry, state: PoolResetState) -> None:  # noqa: ANN401 - a driver's connection
    """Whoever gives a connection back without having ended its transaction has done nothing."""
    if not record.info.pop(_ENDED, False) and not state.transaction_was_reset:
        connection.rollback()


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
