"""What one code table says, read under its lock, changed in memory and written back; what is replaced is kept."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import Unprocessable
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.rules.code_table_values import Values
from chalicelib.rules.models import code_table, code_table_entry
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

#: The first day of an entry that names none.
ALWAYS = date(1900, 1, 1)
CODE_LENGTH_MAX = 100
VALUE_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 500
#: Entries of one table: each batch of events that looks something up reads them all.
ENTRIES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One translation and the days on which it holds, both inclusive; ``effective_to`` None is for ever."""

    code: str
    effective_from: date
    effective_to: date | None
    value: str
    description: str | None

    def holds(self, day: date) -> bool:
        """Whether the entry is in force on a day."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


def in_order(entry: Entry) -> tuple[str, date]:
    """By what entries are sorted."""
    return entry.code, entry.effective_from


def of_row(row: Row[Any]) -> Entry:
    """The entry of a row of ``code_table_entry``."""
    return Entry(row.entry_code, row.effective_from, row.effective_to, row.value, row.description)


def content_hash(code: str, owner: str, entries: Iterable[Entry], values: Values | None = None) -> bytes:
    """SHA-256 of all that a table says; approvals of rules that look up in it are bound to it.

    ``values``: what it declares its values to be, if it does.
    """
    rows = [
        [
            entry.code,
            entry.effective_from.isoformat(),
            entry.effective_to.isoformat() if entry.effective_to else None,
            entry.value,
            entry.description,
        ]
        for entry in sorted(entries, key=in_order)
    ]
    declared = [] if values is None or values.stored is None else [values.stored]
    return canonical.digest(canonical.text([code, owner, rows, *declared]))


def locked(db: Connection, code: str) -> Row[Any] | None:
    """The row of ``code_table``, locked for the rest of the transaction; None when there is no such table."""
    return db.execute(select(code_table).where(code_table.c.code == code).with_for_update()).first()


def hold(db: Connection, codes: Iterable[str]) -> None:
    """Lock the rows of these tables, in order: what they say stays as it is for the rest of the transaction."""
    wanted = sorted(set(codes))
    if wanted:
        locking = select(code_table.c.code).where(code_table.c.code.in_(wanted)).order_by(code_table.c.code)
        db.execute(locking.with_for_update()).all()


class Content:
    """The current entries of a locked table. Nothing is written before ``write``."""

    def __init__(self, db: Connection, table: Row[Any]) -> None:
        self.table = table
        #: What the values may be.
        self.values = Values(table.value_declaration)
        rows = db.execute(
            select(code_table_entry).where(
                code_table_entry.c.table_id == table.id, code_table_entry.c.superseded_at.is_(None)
            )
        )
        self._stored = {of_row(row): row.id for row in rows}
        self._by_code: dict[str, tuple[Entry, ...]] = {}
        self.replace_all(self._stored)

    @property
    def entries(self) -> list[Entry]:
        """All entries, sorted."""
        return sorted((entry for of_code in self._by_code.values() for entry in of_code), key=in_order)

    def of(self, code: str) -> tuple[Entry, ...]:
        """The entries of one code, by their first day."""
        return self._by_code.get(code, ())

    def replace(self, code: str, entries: Iterable[Entry]) -> None:
        """Let these be all entries of the code."""
        self._by_code[code] = tuple(sorted(entries, key=in_order))

    def replace_all(self, entries: Iterable[Entry]) -> None:
        """Let these be all entries of the table."""
        self._by_code = {}
        for entry in sorted(entries, key=in_order):
            self._by_code[entry.code] = (*self._by_code.get(entry.code, ()), entry)

    def write(self, db: Connection, *, now: datetime, owner: str | None = None) -> dict[str, int]:
        """Supersede the entries that are not wanted any more and record the new ones; how many of each.

        ``owner`` is the table's from now on, when given, as ``values`` are. Raises Unprocessable
        (``too_many_entries``).
        """
        entries = [entry for of_code in self._by_code.values() for entry in of_code]
        if len(entries) > ENTRIES_MAX:
            raise Unprocessable(
                f"Code table {self.table.code} would have more than {ENTRIES_MAX:,} entries.", code="too_many_entries"
            )
        wanted = set(entries)
        gone = sorted(identity for entry, identity in self._stored.items() if entry not in wanted)
        new = [entry for entry in entries if entry not in self._stored]
        for chunk in bulk.in_chunks(gone):
            db.execute(update(code_table_entry).where(code_table_entry.c.id.in_(chunk)).values(superseded_at=now))
        _record(db, self.table.id, new, now=now)
        owner = owner or self.table.owner
        values = {
            "owner": owner,
            "value_declaration": self.values.stored,
            "content_hash": content_hash(self.table.code, owner, entries, self.values),
            "changed_at": now,
        }
        db.execute(update(code_table).where(code_table.c.id == self.table.id).values(values))
        return {"added": len(new), "superseded": len(gone)}


def _record(db: Connection, table_id: bytes, entries: Sequence[Entry], *, now: datetime) -> None:
    if not entries:
        return
    db.execute(
        insert(code_table_entry),
        [
            {
                "id": identity,
                "table_id": table_id,
                "entry_code": entry.code,
                "value": entry.value,
                "description": entry.description,
                "effective_from": entry.effective_from,
                "effective_to": entry.effective_to,
                "recorded_at": now,
                "superseded_at": None,
            }
            for identity, entry in zip(new_ids(len(entries)), entries, strict=True)
        ],
    )
