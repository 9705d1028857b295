"""Codes that records brought and that a code table lacks still, and how the records were treated.

Refused rows are counted from the rows that are kept, records that were decided without the code from what was noted
with their decision: so each counts once, however often its slice was tried. A row that was accepted after all counts as
refused no more. Neither counts when the table, as it is now, has the code on the day that the record asked for.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Subquery, case, exists, func, literal, or_, select, tuple_, union_all
from sqlalchemy.engine import Connection

from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.rules.models import code_table_entry, code_table_miss
from chalicelib.storage.tables import Id

_ROW = file_row.c
_MISS = code_table_miss.c
_ENTRY = code_table_entry.c


class Example(NamedTuple):
    """A record that has the code: the first row of the latest file, or an accrual where no file brought the code."""

    file_id: bytes | None
    file_name: str | None
    row_no: int | None
    accrual_id: bytes | None


class UnmappedCode(NamedTuple):
    """One code: rows that it refuses, and records that were decided with a default, or with null, in its place."""

    code: str
    refused: int
    defaulted: int
    nulled: int
    first_seen: datetime
    last_seen: datetime
    example: Example

    @property
    def rows(self) -> int:
        """Records that asked for it, however they were treated."""
        return self.refused + self.defaulted + self.nulled


def of_table(
    db: Connection, table_id: bytes, table_code: str, *, partner_id: bytes | None, after: str | None, limit: int
) -> list[UnmappedCode]:
    """Up to ``limit`` codes in order, following ``after``; of one partner's records, None: of all."""
    by_day = _by_day(table_code, partner_id, after)
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
            *(func.sum(by_day.c[name]).label(name) for name in ("refused", "defaulted", "nulled")),
            func.min(by_day.c.first_seen).label("first_seen"),
            func.max(by_day.c.last_seen).label("last_seen"),
            func.max(by_day.c.file_id).label("file_id"),
            func.max(by_day.c.accrual_id).label("accrual_id"),
        )
        .where(~mapped)
        .group_by(by_day.c.code)
        .order_by(by_day.c.code)
        .limit(limit)
    ).all()
    examples = _examples(db, table_code, [(row.code, row.file_id) for row in found if row.file_id is not None])
    return [
        UnmappedCode(
            row.code,
            int(row.refused),
            int(row.defaulted),
            int(row.nulled),
            row.first_seen,
            row.last_seen,
            examples.get((row.code, row.file_id)) or Example(None, None, None, row.accrual_id),
        )
        for row in found
    ]


def _by_day(table_code: str, partner_id: bytes | None, after: str | None) -> Subquery:
    """The counts by code and the day that was asked for; a code may be there twice, once of each kind of record."""
    refused, noted = [_ROW.unmapped_table == table_code], [_MISS.table_code == table_code]
    if partner_id is not None:
        refused.append(_ROW.partner_id == partner_id)
        noted.append(_MISS.partner_id == partner_id)
    if after is not None:
        refused.append(_ROW.unmapped_code > after)
        noted.append(_MISS.entry_code > after)
    # By day first: whether a code is mapped is looked up once a day, not once a record.
    return union_all(
        select(
            _ROW.unmapped_code.label("code"),
            _ROW.unmapped_on.label("on"),
            func.count().label("refused"),
            literal(0).label("defaulted"),
            literal(0).label("nulled"),
            func.min(_ROW.recorded_at).label("first_seen"),
            func.max(_ROW.recorded_at).label("last_seen"),
            func.max(_ROW.file_id).label("file_id"),
            literal(None, Id).label("accrual_id"),
        )
        .where(*refused)
        .group_by(_ROW.unmapped_code, _ROW.unmapped_on),
        select(
            _MISS.entry_code,
            _MISS.asked_on,
            literal(0),
            _records("default"),
            _records("null"),
            func.min(_MISS.recorded_at),
            func.max(_MISS.recorded_at),
            func.max(_MISS.file_id),
            func.max(_MISS.accrual_id),
        )
        .where(*noted)
        .group_by(_MISS.entry_code, _MISS.asked_on),
    ).subquery()


def _records(treated: str) -> Any:  # noqa: ANN401 - a labelled column
    return func.sum(case((_MISS.treated == treated, _MISS.records), else_=0))


def _examples(db: Connection, table_code: str, wanted: list[tuple[str, bytes]]) -> dict[tuple[str, bytes], Example]:
    """The first row of each file that has the code."""
    if not wanted:
        return {}
    found: dict[tuple[str, bytes], Example] = {}
    of_rows = (
        select(_ROW.unmapped_code.label("code"), _ROW.file_id, inbound_file.c.name, func.min(_ROW.row_no).label("row"))
        .join_from(file_row, inbound_file, inbound_file.c.id == _ROW.file_id)
        .where(_ROW.unmapped_table == table_code, tuple_(_ROW.unmapped_code, _ROW.file_id).in_(wanted))
        .group_by(_ROW.unmapped_code, _ROW.file_id, inbound_file.c.name)
    )
    of_misses = (
        select(_MISS.entry_code.label("code"), _MISS.file_id, inbound_file.c.name, func.min(_MISS.row_no).label("row"))
        .join_from(code_table_miss, inbound_file, inbound_file.c.id == _MISS.file_id)
        .where(_MISS.table_code == table_code, tuple_(_MISS.entry_code, _MISS.file_id).in_(wanted))
        .group_by(_MISS.entry_code, _MISS.file_id, inbound_file.c.name)
    )
    for row in [*db.execute(of_misses), *db.execute(of_rows)]:
        # What is refused is more pressing than what was decided without.
        found[row.code, row.file_id] = Example(row.file_id, row.name, row.row, None)
    return found
