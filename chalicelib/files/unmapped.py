"""Codes that files brought and that a code table lacks still, counted from the rejected rows that are kept.

Nothing is counted beside the rows, so a row counts once, however often its slice was tried. A row counts no more when
it was accepted after all, or when the table, as it is now, has the code on the day that the row asked for.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, func, or_, select, tuple_
from sqlalchemy.engine import Connection

from chalicelib.files.models import file_row, inbound_file
from chalicelib.rules.models import code_table_entry

_ROW = file_row.c
_ENTRY = code_table_entry.c


class UnmappedCode(NamedTuple):
    """One code, the rows that have it, and the first of them in the latest file."""

    code: str
    rows: int
    first_seen: datetime
    last_seen: datetime
    file_id: bytes
    file_name: str
    row_no: int


def of_table(
    db: Connection, table_id: bytes, table_code: str, *, partner_id: bytes | None, after: str | None, limit: int
) -> list[UnmappedCode]:
    """Up to ``limit`` codes in order, following ``after``; of one partner's files, None: of all."""
    asked = [_ROW.unmapped_table == table_code]
    if partner_id is not None:
        asked.append(_ROW.partner_id == partner_id)
    if after is not None:
        asked.append(_ROW.unmapped_code > after)
    # By day first: whether a code is mapped is looked up once a day, not once a row.
    by_day = (
        select(
            _ROW.unmapped_code.label("code"),
            _ROW.unmapped_on.label("on"),
            func.count().label("rows"),
            func.min(_ROW.recorded_at).label("first_seen"),
            func.max(_ROW.recorded_at).label("last_seen"),
            func.max(_ROW.file_id).label("file_id"),
        )
        .where(*asked)
        .group_by(_ROW.unmapped_code, _ROW.unmapped_on)
        .subquery()
    )
    mapped = exists().where(
        _ENTRY.table_id == table_id,
        _ENTRY.entry_code == by_day.c.code,
        # MySQL compares texts as if padded with blanks, and a look-up does not.
        func.length(_ENTRY.entry_code) == func.length(by_day.c.code),
        _ENTRY.superseded_at.is_(None),
        _ENTRY.effective_from <= by_day.c.on,
        or_(_ENTRY.effective_to.is_(None), _ENTRY.effective_to >= by_day.c.on),
    )
    found = db.execute(
        select(
            by_day.c.code,
            func.sum(by_day.c.rows).label("rows"),
            func.min(by_day.c.first_seen).label("first_seen"),
            func.max(by_day.c.last_seen).label("last_seen"),
            func.max(by_day.c.file_id).label("file_id"),
        )
        .where(~mapped)
        .group_by(by_day.c.code)
        .order_by(by_day.c.code)
        .limit(limit)
    ).all()
    examples = _examples(db, table_code, [(row.code, row.file_id) for row in found])
    return [
        UnmappedCode(
            row.code, int(row.rows), row.first_seen, row.last_seen, row.file_id, *examples[row.code, row.file_id]
        )
        for row in found
    ]


def _examples(
    db: Connection, table_code: str, wanted: list[tuple[str, bytes]]
) -> dict[tuple[str, bytes], tuple[str, int]]:
    """The name of each file, and the number of its first row that has the code."""
    if not wanted:
        return {}
    rows: Any = db.execute(
        select(_ROW.unmapped_code, _ROW.file_id, inbound_file.c.name, func.min(_ROW.row_no).label("row_no"))
        .join_from(file_row, inbound_file, inbound_file.c.id == _ROW.file_id)
        .where(_ROW.unmapped_table == table_code, tuple_(_ROW.unmapped_code, _ROW.file_id).in_(wanted))
        .group_by(_ROW.unmapped_code, _ROW.file_id, inbound_file.c.name)
    )
    return {(row.unmapped_code, row.file_id): (row.name, row.row_no) for row in rows}
