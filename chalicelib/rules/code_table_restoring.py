"""What a file changed in code tables is undone, code by code, where nobody has changed it since."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.rules.code_table_content import Content, Entry, locked, of_row
from chalicelib.rules.code_table_editing import needs_approval
from chalicelib.rules.models import code_table, code_table_change, code_table_entry
from chalicelib.storage.ids import public_id

_CHANGE = code_table_change.c
_ENTRY = code_table_entry.c


def rows_of(db: Connection, file_id: bytes, entries: Collection[tuple[bytes, str]]) -> set[int]:
    """Which rows of a file set or ended any of these entries, each a table's id and a code."""
    found = db.execute(select(_CHANGE.row_no, _CHANGE.table_id, _CHANGE.entry_code).where(_CHANGE.file_id == file_id))
    return {row.row_no for row in found if (row.table_id, row.entry_code) in entries}


class Restored(NamedTuple):
    """What became of one code of one table; ``why`` it stays as the file left it, None: it is as it was before."""

    table_id: bytes
    entry_code: str
    why: str | None


def restore(db: Connection, file_id: bytes, *, caller: Caller, now: datetime) -> list[Restored]:
    """Let each code that the file set or ended be as it was before the file; what became of each.

    A code that somebody changed since stays, and so does a table that decides points where rules need approval.
    """
    found: Sequence[Any] = db.execute(
        select(
            code_table.c.code,
            _CHANGE.entry_code,
            func.min(_CHANGE.recorded_at).label("first"),
            func.max(_CHANGE.recorded_at).label("last"),
        )
        .join(code_table, code_table.c.id == _CHANGE.table_id)
        .where(_CHANGE.file_id == file_id)
        .group_by(code_table.c.code, _CHANGE.entry_code)
        .order_by(code_table.c.code, _CHANGE.entry_code)
    ).all()
    outcomes: list[Restored] = []
    for name in sorted({row.code for row in found}):
        outcomes += _table(db, name, [row for row in found if row.code == name], file_id, caller, now)
    return outcomes


def _table(
    db: Connection, name: str, changes: Sequence[Row[Any]], file_id: bytes, caller: Caller, now: datetime
) -> list[Restored]:
    table = locked(db, name)
    assert table is not None  # noqa: S101 - its changes were just read, and tables are not deleted
    if needs_approval(db, name) is not None:
        return [Restored(table.id, change.entry_code, "approval_required") for change in changes]
    content = Content(db, table)
    stored: dict[str, list[Row[Any]]] = {}
    for entry in db.execute(select(code_table_entry).where(_ENTRY.table_id == table.id)):
        stored.setdefault(entry.entry_code, []).append(entry)
    outcomes = []
    for change in changes:
        since = [
            row
            for row in stored.get(change.entry_code, [])
            if row.recorded_at > change.last or (row.superseded_at or change.last) > change.last
        ]
        # What changed it since may have been taken back: then it means again what the file said.
        if since and {*content.of(change.entry_code)} == _after(stored[change.entry_code], change):
            since = []
        if not since:
            content.replace(change.entry_code, _before(db, table.id, change))
        outcomes.append(Restored(table.id, change.entry_code, "entry_changed_since" if since else None))
    counts = content.write(db, now=now)
    audit.record(
        db,
        caller=caller,
        action="code_table.rows_taken_back",
        subject=name,
        partner_id=table.partner_id,
        before={"content_hash": table.content_hash},
        after={"file": public_id("fil", file_id), **counts},
        now=now,
    )
    return outcomes


def _after(stored: Sequence[Row[Any]], change: Row[Any]) -> set[Entry]:
    """The entries of a code just after the file's last change of it."""
    return {
        of_row(row)
        for row in stored
        if row.recorded_at <= change.last and (row.superseded_at is None or row.superseded_at > change.last)
    }


def _before(db: Connection, table_id: bytes, change: Row[Any]) -> list[Any]:
    """The entries of a code just before the file's first change of it."""
    held = select(code_table_entry).where(
        _ENTRY.table_id == table_id,
        _ENTRY.entry_code == change.entry_code,
        _ENTRY.recorded_at < change.first,
        _ENTRY.superseded_at.is_(None) | (_ENTRY.superseded_at >= change.first),
    )
    return [of_row(row) for row in db.execute(held)]
