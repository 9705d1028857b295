"""Bulk writes: many rows in few statements, by LOAD DATA LOCAL where the server allows it.

Callers sort rows by their key: overlapping writers that lock in one order wait for each other instead of deadlocking.
Column defaults of the table are applied here (SQLAlchemy's ``default=``), server defaults are not used.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    Insert,
    PrimaryKeyConstraint,
    Select,
    Table,
    UniqueConstraint,
    Update,
    bindparam,
    case,
    select,
    tuple_,
    update,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from chalicelib.storage import load_data, prepared
from chalicelib.storage.engine import is_mysql

Row = Mapping[str, Any]
V = TypeVar("V")

#: Keys in one IN list. SQLite's bound on host parameters allows it, and it is below the thousand from which on MariaDB
#: makes a temporary table and a join of a list, which takes longer and locks in an order of its own.
CHUNK = 500
#: Fewer rows than this are not worth a LOAD DATA round trip and its staging table.
_LOAD_ROWS_MIN = 200
#: Rows that one statement of ``add`` changes: as many as make it no slower to compile than the rows are to write.
_ADD_ROWS = 40


def in_chunks(values: Sequence[V], size: int = CHUNK) -> Iterator[Sequence[V]]:
    """The values in order, at most ``size`` at a time: what one IN list may hold."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert(db: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert all rows. Raises IntegrityError when a unique key exists already."""
    if not rows:
        return
    if _loads(db, rows):
        loaded = load_data.load(db, table, rows)
        if loaded.skipped:
            raise IntegrityError(f"LOAD DATA into {table.name}: {loaded.skipped} duplicate rows", None, ValueError())
        return
    _write(db, _insert_statement(table), rows)


def insert_new(db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], own: str = "id") -> list[int]:
    """Insert the rows whose unique ``key`` is new, skip the others; the indexes of the skipped rows, ascending.

    ``own`` is the column that tells our row from an earlier one of the same key. A row of a concurrent transaction
    is waited for. No two of the given rows may share a key.
    """
    if not rows:
        return []
    if _loads(db, rows):
        skipped = load_data.load(db, table, rows).skipped
    elif is_mysql(db):
        return _insert_new_by_values(db, table, rows, key=key, own=own)
    else:
        statement = sqlite_insert(table).on_conflict_do_nothing(index_elements=list(key))
        skipped = len(rows) - db.execute(statement, rows).rowcount
    return _not_ours(db, table, rows, key=key, own=own) if skipped else []


def upsert(db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Sequence[str]) -> None:
    """Insert the rows; where the unique ``key`` exists, set the columns in ``update`` to the given values."""
    if not rows:
        return
    if _loads(db, rows):
        load_data.upsert(db, table, rows, key=key, update=update)
    else:
        _write(db, _upsert_statement(table, tuple(key), tuple(update), mysql=is_mysql(db)), rows)


def update_by_key(
    db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], set_: Sequence[str]
) -> None:
    """Set the columns ``set_`` of the rows that ``key`` names; a key that names no row changes nothing."""
    if not rows:
        return
    if _loads(db, rows):
        load_data.update_by_key(db, table, rows, key=key, set_=set_)
        return
    _write(
        db,
        _update_statement(table, tuple(key), tuple(set_)),
        [{f"new_{name}": row[name] for name in set_} | {f"key_{name}": row[name] for name in key} for row in rows],
    )


def add(
    db: Connection,
    table: Table,
    amounts: Mapping[Any, Sequence[int]],
    *,
    key: str,
    columns: Sequence[str],
    within: Mapping[str, Any] | None = None,
) -> None:
    """Add to ``columns`` of the rows that ``key`` and the columns of ``within`` name, each row its own amounts.

    One statement for some dozens of rows, in key order.
    """
    given = {f"in_{name}": value for name, value in (within or {}).items()}
    for keys in in_chunks(sorted(amounts), _ADD_ROWS):
        statement = _add_statement(table, key, tuple(columns), tuple(within or ()), len(keys))
        values = {f"key_{at}": of for at, of in enumerate(keys)}
        values |= {f"add_{name}_{at}": amounts[of][no] for at, of in enumerate(keys) for no, name in enumerate(columns)}
        prepared.write(db, statement, values | given)


def key_in(table: Table, key: Sequence[str], values: Sequence[Sequence[Any]]) -> ColumnElement[bool]:
    """The condition that the ``key`` columns are one of ``values``; columns that never vary become equalities."""
    fixed = [at for at in range(len(key)) if len({value[at] for value in values}) == 1]
    free = [at for at in range(len(key)) if at not in fixed] or [fixed.pop()]
    columns = [table.c[key[at]] for at in free]
    condition: ColumnElement[bool] = (
        columns[0].in_([value[free[0]] for value in values])
        if len(free) == 1
        else tuple_(*columns).in_([tuple(value[at] for at in free) for value in values])
    )
    for at in fixed:
        condition &= table.c[key[at]] == values[0][at]
    return condition


def through_key(query: Select[Any], table: Table, key: Sequence[str]) -> Select[Any]:
    """The query, which on MySQL reads ``table`` through the unique ``key`` and by no other index.

    While a table is being filled the server's statistics lag behind. It then takes an index that only names the partner
    for as good as the key, and reads everything the partner has. Raises ValueError when there is no such key.
    """
    for each in table.constraints:
        if isinstance(each, UniqueConstraint | PrimaryKeyConstraint) and {
            column.name for column in each.columns
        } == set(key):
            name = "PRIMARY" if isinstance(each, PrimaryKeyConstraint) else each.name
            return query.with_hint(table, f"FORCE INDEX ({name})", "mysql")
    raise ValueError(f"{table.name} has no unique key {tuple(key)}.")


# Building a statement costs more than compiling it again from SQLAlchemy's cache: there are few, so they are kept.


@lru_cache(maxsize=256)
def _upsert_statement(table: Table, key: tuple[str, ...], update: tuple[str, ...], *, mysql: bool) -> Insert:
    if mysql:
        by_values = mysql_insert(table)
        return by_values.on_duplicate_key_update({name: by_values.inserted[name] for name in update})
    on_conflict = sqlite_insert(table)
    return on_conflict.on_conflict_do_update(
        index_elements=list(key), set_={name: on_conflict.excluded[name] for name in update}
    )


@lru_cache(maxsize=256)
def _update_statement(table: Table, key: tuple[str, ...], set_: tuple[str, ...]) -> Update:
    statement = update(table).values({name: bindparam(f"new_{name}") for name in set_})
    for name in key:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    return statement


@lru_cache(maxsize=256)
def _add_statement(table: Table, key: str, columns: tuple[str, ...], within: tuple[str, ...], rows: int) -> Update:
    of = table.c[key]
    keys = [bindparam(f"key_{at}", type_=of.type) for at in range(rows)]

    def added(name: str) -> ColumnElement[Any]:
        amounts = [bindparam(f"add_{name}_{at}", type_=table.c[name].type) for at in range(rows)]
        each = amounts[0] if rows == 1 else case(*zip([of == one for one in keys], amounts, strict=True))
        return table.c[name] + each

    named = of == keys[0] if rows == 1 else of.in_(keys)
    same = [table.c[name] == bindparam(f"in_{name}") for name in within]
    return update(table).where(*same, named).values({name: added(name) for name in columns})


@lru_cache(maxsize=256)
def _insert_statement(table: Table) -> Insert:
    return plain_insert(table)


def _write(db: Connection, statement: Insert | Update, rows: Sequence[Row]) -> None:
    if len(rows) == 1:
        prepared.write(db, statement, rows[0])
    else:
        db.execute(statement, rows)


def _loads(db: Connection, rows: Sequence[Row]) -> bool:
    return len(rows) >= _LOAD_ROWS_MIN and is_mysql(db) and load_data.allowed(db)


def _insert_new_by_values(
    db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], own: str
) -> list[int]:
    # INSERT IGNORE would turn wrong values into warnings: so plain inserts, and a second look only when one clashes.
    statement = _insert_statement(table)
    if len(rows) == 1:
        try:
            prepared.write(db, statement, rows[0])
        except IntegrityError:
            return _not_ours(db, table, rows, key=key, own=own)
        return []
    savepoint = db.begin_nested()
    try:
        db.execute(statement, rows)
    except IntegrityError:
        savepoint.rollback()
    else:
        savepoint.commit()
        return []
    for row in rows:
        try:
            db.execute(statement, row)
        except IntegrityError as error:
            if not _exists(db, table, row, key):
                raise error from None
    return _not_ours(db, table, rows, key=key, own=own)


def _exists(db: Connection, table: Table, row: Row, key: Sequence[str]) -> bool:
    found = select(table.c[key[0]]).where(*(table.c[name] == row[name] for name in key))
    return db.execute(found).first() is not None


def _not_ours(db: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], own: str) -> list[int]:
    columns = [table.c[name] for name in (*key, own)]
    stored: dict[tuple[Any, ...], Any] = {}
    for chunk in in_chunks(rows):
        values = [tuple(row[name] for name in key) for row in chunk]
        for found in db.execute(through_key(select(*columns).where(key_in(table, key, values)), table, key)):
            stored[tuple(found[:-1])] = found[-1]
    skipped = []
    for index, row in enumerate(rows):
        name = tuple(row[part] for part in key)
        if name not in stored:
            raise IntegrityError(f"A row of {table.name} was refused by another key than {key}.", None, ValueError())
        if stored[name] != row[own]:
            skipped.append(index)
    return skipped
