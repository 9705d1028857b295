"""Entries that come in a partner's file (I16): each row sets or ends one entry of one of the partner's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, TypedDict

from sqlalchemy import case, func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Unprocessable
from chalicelib.records import dataclass
from chalicelib.rules.code_table_content import (
    ALWAYS,
    CODE_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    VALUE_LENGTH_MAX,
    Content,
    locked,
)
from chalicelib.rules.code_table_editing import EntryOverlaps, Wanted, Way, arrange, needs_approval
from chalicelib.rules.models import code_table, code_table_change, code_table_entry
from chalicelib.storage import bulk
from chalicelib.storage.ids import public_id

_LENGTHS: Mapping[Literal["code", "value", "description"], int] = {
    "code": CODE_LENGTH_MAX,
    "value": VALUE_LENGTH_MAX,
    "description": DESCRIPTION_LENGTH_MAX,
}
#: Which column is named for what arranging an entry may refuse.
_COLUMNS: Mapping[str, str] = {
    "bad_value": "value",
    "entry_overlaps": "effective_from",
    "ends_before_it_starts": "effective_to",
}
_Effect = Literal["set", "ended"]


class CodeTableRow(TypedDict):
    """One row, typed (layout I16). ``active`` is "true" or "false"."""

    table: str
    code: str
    value: str
    description: str | None
    active: str
    effective_from: date
    effective_to: date | None


class RowTold(NamedTuple):
    """What became of one row. ``code``, ``column`` and ``message`` say why a rejected row was rejected."""

    outcome: Literal["accepted", "duplicate", "rejected"]
    code: str | None = None
    column: str | None = None
    message: str | None = None


_ACCEPTED = RowTold("accepted")
_DUPLICATE = RowTold("duplicate")


@dataclass(slots=True)
class _Open:
    """One of the partner's tables while rows change it."""

    content: Content
    #: Why no row may change it; None: rows may.
    shut: RowTold | None
    changes: list[tuple[int, Wanted, _Effect]] = field(default_factory=list)


def apply_rows(
    db: Connection,
    partner_id: bytes,
    rows: Sequence[CodeTableRow],
    *,
    file_id: bytes,
    row_numbers: Sequence[int],
    caller: Caller,
    now: datetime,
) -> list[RowTold]:
    """Set or end the entries that the rows of one file name, in their order; one outcome each.

    Only tables of this partner are touched, none that decides points where rules need approval, and a refused row
    changes nothing. A row that says what the table says
    already is a duplicate. Every accepted row leaves one row in ``code_table_change``.
    """
    opened: dict[str, _Open | RowTold] = {}
    # In the order of their codes: who locks the same tables waits instead of deadlocking.
    for code in sorted({row["table"] for row in rows}):
        opened[code] = _opened(db, code, partner_id)
    outcomes: list[RowTold] = []
    for row, row_no in zip(rows, row_numbers, strict=True):
        table = opened[row["table"]]
        outcomes.append(table if isinstance(table, RowTold) else _applied(db, table, row, row_no))
    changed = [table for table in opened.values() if isinstance(table, _Open) and table.changes]
    for table in changed:
        _write(db, table, file_id, caller=caller, now=now)
    bulk.insert(db, code_table_change, _journal(changed, partner_id, file_id, now))
    return outcomes


def by_table(db: Connection, file_id: bytes) -> list[dict[str, Any]]:
    """What a file did to which table: ``table``, ``entries_set``, ``entries_ended``."""
    change = code_table_change.c
    rows = db.execute(
        select(
            code_table.c.code,
            func.sum(case((change.effect == "set", 1), else_=0)).label("entries_set"),
            func.sum(case((change.effect == "ended", 1), else_=0)).label("entries_ended"),
        )
        .join_from(code_table_change, code_table, code_table.c.id == change.table_id)
        .where(change.file_id == file_id)
        .group_by(code_table.c.code)
        .order_by(code_table.c.code)
    )
    return [
        {"table": row.code, "entries_set": int(row.entries_set), "entries_ended": int(row.entries_ended)}
        for row in rows
    ]


def _opened(db: Connection, code: str, partner_id: bytes) -> _Open | RowTold:
    found = locked(db, code)
    # MySQL compares texts as if padded with blanks. Whose table it is otherwise is nobody's business.
    if found is None or found.code != code or found.partner_id not in {None, partner_id}:
        return _refused("unknown_code_table", "table", "The partner has no code table of this name.")
    if found.partner_id is None:
        return _refused("shared_code_table", "table", "Every partner uses this code table: no file changes it.")
    refusal = needs_approval(db, found.code)
    return _Open(Content(db, found), None if refusal is None else _refused("approval_required", "table", refusal))


def _unusable(row: CodeTableRow) -> RowTold | None:
    """Why no table could keep what the row says."""
    for name, longest in _LENGTHS.items():
        text = row[name]
        if text is not None and len(text) > longest:
            return _refused("too_long", name, f"{name} has more than {longest} characters.")
    if row["effective_from"] < ALWAYS:
        return _refused("date_out_of_range", "effective_from", f"Entries begin on {ALWAYS} or later.")
    return None


def _applied(db: Connection, table: _Open, row: CodeTableRow, row_no: int) -> RowTold:
    unusable = _unusable(row)
    if unusable is not None:
        return unusable
    wanted = Wanted(
        row["code"],
        row["value"],
        row["effective_from"],
        row["effective_to"],
        row["description"] or None,
        active=row["active"] == "true",
    )
    before = table.content.of(wanted.code)
    try:
        if not wanted.ends:
            table.content.values.require(wanted.value)
        after = arrange(before, wanted, Way.FIT)
    except (EntryOverlaps, Unprocessable) as refusal:
        return _refused(refusal.code, _COLUMNS[refusal.code], refusal.message)
    if after != before:
        if table.shut is not None:
            return table.shut
        table.content.replace(wanted.code, after)
        table.changes.append((row_no, wanted, "ended" if wanted.ends else "set"))
        return _ACCEPTED
    if wanted.ends and not before and not _ever(db, table, wanted.code):
        return _refused("unknown_entry", "code", "The code table never had this code: there is nothing to end.")
    return _DUPLICATE


def _ever(db: Connection, table: _Open, code: str) -> bool:
    """Whether the table had the code before."""
    entry = code_table_entry.c
    found = select(entry.entry_code).where(entry.table_id == table.content.table.id, entry.entry_code == code)
    return any(each == code for each in db.execute(found).scalars()) or any(
        wanted.code == code for _, wanted, _ in table.changes
    )


def _write(db: Connection, table: _Open, file_id: bytes, *, caller: Caller, now: datetime) -> None:
    owner = table.content.table
    counts = table.content.write(db, now=now)
    audit.record(
        db,
        caller=caller,
        action="code_table.rows_applied",
        subject=owner.code,
        partner_id=owner.partner_id,
        before={"content_hash": owner.content_hash},
        after={"file": public_id("fil", file_id), "rows": len(table.changes), **counts},
        now=now,
    )


def _journal(tables: Sequence[_Open], partner_id: bytes, file_id: bytes, now: datetime) -> list[dict[str, Any]]:
    return sorted(
        (
            {
                "file_id": file_id,
                "row_no": row_no,
                "partner_id": partner_id,
                "table_id": table.content.table.id,
                "entry_code": wanted.code,
                "effective_from": wanted.effective_from,
                "effect": effect,
                "recorded_at": now,
            }
            for table in tables
            for row_no, wanted, effect in table.changes
        ),
        key=lambda change: change["row_no"],
    )


def _refused(code: str, column: str, message: str) -> RowTold:
    return RowTold("rejected", code, column, message)
