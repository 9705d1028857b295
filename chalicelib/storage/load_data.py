"""LOAD DATA LOCAL INFILE: the fastest way into MySQL, made strict.

The server turns errors of a LOCAL load into warnings (``x1`` is stored as 0): every warning that is not a skipped
duplicate raises here, and the caller's transaction rolls back.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Boolean, Column, Date, LargeBinary, Table
from sqlalchemy.engine import Connection, Engine

from chalicelib.errors import Broken
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage.tables import Microseconds

Row = Mapping[str, Any]
_ANSWER = re.compile(r"Records: (\d+)\s+Deleted: (\d+)\s+Skipped: (\d+)\s+Warnings: (\d+)")
_NULL = rb"\N"
#: What is put between values while they are escaped together. It begins with a byte that it does not repeat, so an
#: occurrence in a value cannot overlap with one between two values.
_BETWEEN = b"\x1e-between-\x1f"
_server_allows: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows were sent, and how many of them met an existing key."""

    rows: int
    skipped: int


def allowed(db: Connection) -> bool:
    """Whether settings and server both allow it; the server is asked once per engine."""
    if settings().load_data == "off":
        return False
    known = _server_allows.get(db.engine)
    if known is None:
        known = _server_allows[db.engine] = bool(db.exec_driver_sql("SELECT @@local_infile").scalar_one())
    return known


def load(db: Connection, table: Table, rows: Sequence[Row]) -> Loaded:
    """Insert the rows, skipping those whose key exists."""
    names = _names(table, rows[0])
    return _load(db, table.name, [table.c[name] for name in names], rows)


def upsert(db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Sequence[str]) -> None:
    """Insert the rows, or set the columns ``update`` where the unique ``key`` exists, through a staging table."""
    names = _names(table, rows[0])
    columns = ", ".join(f"`{name}`" for name in names)
    staged = ", ".join(f"s.`{name}`" for name in names)
    same = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
    changes = ", ".join(f"t.`{name}` = s.`{name}`" for name in update)
    clashing = ", ".join(f"`{name}` = VALUES(`{name}`)" for name in update)
    with _staged(db, table, names, rows) as stage:
        # ON DUPLICATE KEY alone would do, but it inserts each row and takes it back to learn that it exists: five times
        # as slow. It is left with the rows that another writer inserts between the two statements.
        db.exec_driver_sql(f"UPDATE `{stage}` s STRAIGHT_JOIN `{table.name}` t ON {same} SET {changes}")  # noqa: S608 - names of our own tables
        db.exec_driver_sql(
            f"INSERT INTO `{table.name}` ({columns}) SELECT {staged} FROM `{stage}` s"  # noqa: S608 - same
            f" LEFT JOIN `{table.name}` t ON {same} WHERE t.`{key[0]}` IS NULL ON DUPLICATE KEY UPDATE {clashing}"
        )


def update_by_key(
    db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], set_: Sequence[str]
) -> None:
    """Set the columns ``set_`` of the rows that ``key`` names, through a staging table."""
    changes = ", ".join(f"t.`{name}` = s.`{name}`" for name in set_)
    same = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
    with _staged(db, table, [*key, *set_], rows) as stage:
        db.exec_driver_sql(f"UPDATE `{table.name}` t JOIN `{stage}` s ON {same} SET {changes}")  # noqa: S608 - same


@contextmanager
def _staged(db: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    stage = f"stage_{table.name}"
    types = ", ".join(f"`{name}` {table.c[name].type.compile(db.dialect)}" for name in names)
    db.exec_driver_sql(f"CREATE TEMPORARY TABLE `{stage}` ({types}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    try:
        _load(db, stage, [table.c[name] for name in names], rows)
        yield stage
    finally:
        db.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS `{stage}`")


def _names(table: Table, row: Row) -> list[str]:
    """The columns to send: those of the rows, and those that have a default."""
    return [column.name for column in table.c if column.name in row or column.default is not None]


def _load(db: Connection, into: str, columns: Sequence[Column[Any]], rows: Sequence[Row]) -> Loaded:
    names = ", ".join(f"`{column.name}`" for column in columns)
    content = b"\n".join(map(b"\t".join, zip(*_encoded(columns, rows), strict=True)))
    with _as_file(content) as path:
        # As binary, because identifiers and hashes are; text is UTF-8 as the tables keep it.
        db.exec_driver_sql(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE `{into}` CHARACTER SET binary ({names})")
    return _checked(db, into, len(rows))


def _checked(db: Connection, into: str, sent: int) -> Loaded:
    # PyMySQL keeps the server's summary in a private place; there is no public one.
    driver: Any = db.connection.driver_connection
    message = driver._result.message  # noqa: SLF001
    answer = _ANSWER.search(message.decode() if isinstance(message, bytes) else str(message))
    if answer is None:
        raise Broken(f"LOAD DATA into {into} gave no summary.", code="load_data_unclear")
    records, _, skipped, warnings = (int(figure) for figure in answer.groups())
    if records != sent or warnings != skipped:
        raise Broken(
            f"LOAD DATA into {into}: {sent} rows sent, {records} read, {skipped} skipped, {warnings} warnings.",
            code="load_data_altered_values",
        )
    return Loaded(records, skipped)


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """The content under a path that the driver can open, in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("interline-load")
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name


def _encoded(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> Iterator[list[bytes]]:
    """The cells of each column as LOAD DATA reads them. Every cell of every file comes through here."""
    given = [column.name for column in columns if column.name in rows[0]]
    # Row by row, as they lie in memory.
    picked = map(itemgetter(*given), rows)
    values_of = dict(zip(given, zip(*picked, strict=True) if len(given) > 1 else [tuple(picked)], strict=True))
    for column in columns:
        default: Any = column.default
        values = values_of.get(column.name) or (default.arg,) * len(rows)
        first = values[0]
        if values.count(first) == len(values):
            yield ([_NULL] if first is None else _cells(column, [first])) * len(values)
        elif None in values:
            cells = iter(_cells(column, [value for value in values if value is not None]))
            yield [_NULL if value is None else next(cells) for value in values]
        else:
            yield _cells(column, values)


def _cells(column: Column[Any], values: Sequence[Any]) -> list[bytes]:
    """The cells of values that are not None: joined, escaped as a whole and parted again, at the speed of C."""
    binary = isinstance(column.type, LargeBinary)
    joined = _BETWEEN.join(values) if binary else _BETWEEN.decode().join(_texts(column, values)).encode()
    cells = _escaped(joined).split(_BETWEEN)
    if len(cells) == len(values):
        return cells
    # A value holds the very bytes that keep values apart.
    return [_escaped(value) for value in (values if binary else map(str.encode, _texts(column, values)))]


def _texts(column: Column[Any], values: Sequence[Any]) -> Iterable[str]:
    kind = column.type
    if isinstance(kind, Microseconds):
        return map(_moment, values)
    if isinstance(kind, Date):
        return map(date.isoformat, values)
    if isinstance(kind, Boolean):
        return ("1" if value else "0" for value in values)
    return map(str, values)


def _escaped(content: bytes) -> bytes:
    return content.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\0", b"\\0")


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("A datetime without a time zone was about to be stored.")
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
