"""Writes whose text is made once.

From a statement to its text SQLAlchemy takes as long, also from its cache, as the driver takes from there to the server
and back. A spend is a dozen small statements, so on MySQL the text and the order of its values are kept here. SQLite
answers within the process and is left to SQLAlchemy.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Insert, Update
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.compiler import SQLCompiler

from chalicelib.storage.engine import is_mysql

#: A value's place in the text as SQLAlchemy writes it for PyMySQL. A percent sign of the statement's own is doubled.
_PLACE: Final = re.compile(r"%(?:\((\w+)\)s|%)")


class _Text(NamedTuple):
    """A statement for the driver: ``names`` of its values in order, ``constants`` among them, what converts them."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


def write(db: Connection, statement: Insert | Update, values: Mapping[str, Any]) -> None:
    """Execute a statement that is kept, and not made anew each time, with the values that it names.

    Exactly what ``db.execute(statement, values)`` does, errors included; nothing is returned.
    """
    text = _text(statement, tuple(values), db.dialect) if is_mysql(db) else None
    if text is None:
        db.execute(statement, values)
        return
    given = {**text.constants, **values} if text.constants else values
    parameters = [given[name] for name in text.names]
    for at, convert in text.converted:
        parameters[at] = convert(parameters[at])
    db.exec_driver_sql(text.sql, tuple(parameters))


@lru_cache(maxsize=512)
def _text(statement: Insert | Update, given: tuple[str, ...], dialect: Dialect) -> _Text | None:
    """The text, or None where SQLAlchemy has to look at the values: lists that expand, defaults, a missing value."""
    compiled = statement.compile(dialect=dialect, column_keys=list(given))
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"{statement} is no statement with values.")
    if compiled.post_compile_params or compiled.insert_prefetch or compiled.update_prefetch:
        return None
    names: list[str] = list(compiled.positiontup or ())

    def placed(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        names.append(found[1])
        return "%s"

    sql = str(compiled) if compiled.positional else _PLACE.sub(placed, str(compiled))
    constants = {name: compiled.params[name] for name in names if name not in given}
    if any(compiled.binds[name].required for name in constants):
        return None
    converters = [compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    converted = tuple((at, convert) for at, convert in enumerate(converters) if convert is not None)
    return _Text(sql, tuple(names), constants, converted)
