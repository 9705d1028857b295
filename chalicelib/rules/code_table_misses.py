"""Codes that a table lacked when a record was decided all the same, by a default or by null: counted, so they are seen.

Written where the record is accepted, in its transaction, a row for each code of a batch: what is decided once is
counted once. A record that is refused for a code is kept with the file's rows instead (``files.answers.unmapped``).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.language.declared import Treated
from chalicelib.rules.code_table_content import CODE_LENGTH_MAX
from chalicelib.rules.models import code_table_miss
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids


class Missed(NamedTuple):
    """One look-up that found nothing: the table, the code, the day that was asked for, and what stood in."""

    table: str
    code: str
    on: date
    treated: Treated


class Seen(NamedTuple):
    """The same with the record that asked: a row of a file, or an accrual."""

    missed: Missed
    file_id: bytes | None = None
    row_no: int | None = None
    accrual_id: bytes | None = None


def of_lookups(
    lookups: Mapping[str, Mapping[str, str | None]], tolerated: Mapping[str, Treated], day: date
) -> Iterator[Missed]:
    """The misses among what a record looked up (table -> code -> value, None for a miss) that did not refuse it."""
    for table, asked in lookups.items():
        how = tolerated.get(table)
        if how is not None:
            for code, value in asked.items():
                # What is longer than any entry's code can never be mapped.
                if value is None and len(code) <= CODE_LENGTH_MAX:
                    yield Missed(table, code, day, how)


def record(db: Connection, partner_id: bytes, found: Iterable[Seen], *, now: datetime) -> None:
    """Count misses of records that have just been accepted."""
    rows: dict[tuple[Missed, bytes | None], dict[str, Any]] = {}
    for missed, file_id, row_no, accrual_id in found:
        known = rows.get((missed, file_id))
        if known is not None:
            known["records"] += 1
            continue
        rows[missed, file_id] = {
            "partner_id": partner_id,
            "table_code": missed.table,
            "entry_code": missed.code,
            "asked_on": missed.on,
            "treated": missed.treated,
            "records": 1,
            "file_id": file_id,
            "row_no": row_no,
            "accrual_id": accrual_id,
            "recorded_at": now,
        }
    if rows:
        ids = new_ids(len(rows))
        bulk.insert(db, code_table_miss, [{"id": own, **row} for own, row in zip(ids, rows.values(), strict=True)])
