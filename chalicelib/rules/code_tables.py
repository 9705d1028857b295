"""Code tables: a partner's code -> ours, dated. What a change replaces is kept: old look-ups can be repeated."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, UnknownReference
from chalicelib.language.bounds import LIST_LENGTH_MAX
from chalicelib.language.faults import Report, at, shown
from chalicelib.rules import canonical
from chalicelib.rules.envelopes import Envelope, day, envelope
from chalicelib.rules.models import code_table, code_table_entry
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, new_ids

KIND = "code_table"
#: The first day of an entry that names none.
ALWAYS = date(1900, 1, 1)
#: What the hash of a table's content is before its first entries are written, in the same transaction.
_NO_CONTENT = bytes(32)
_CODE_LENGTH_MAX = 100
_VALUE_LENGTH_MAX = 200
_DESCRIPTION_LENGTH_MAX = 500
_FIELDS = ("code", "value", "description", "effective_from", "effective_to")
_KEYS = ("$schema", "id", "kind", "partner", "owner", "why", "entries")


@dataclass(frozen=True, slots=True)
class Entry:
    """One translation and the days on which it holds, both inclusive; ``effective_to`` None is for ever."""

    code: str
    effective_from: date
    effective_to: date | None
    value: str
    description: str | None


class DatedTables:
    """The entries of some tables on every day, as known at one moment."""

    def __init__(self, tables: Mapping[str, Sequence[Entry]]) -> None:
        self._tables = tables
        starts = {entry.effective_from for entries in tables.values() for entry in entries}
        ends = {entry.effective_to for entries in tables.values() for entry in entries if entry.effective_to}
        self._changes = sorted(starts | {end + timedelta(days=1) for end in ends if end < date.max})
        self._known: dict[int, dict[str, dict[str, str]]] = {}

    def on(self, day: date) -> dict[str, dict[str, str]]:
        """Table -> code -> value on this day; the same object for all days between two changes."""
        stretch = bisect_right(self._changes, day)
        if stretch not in self._known:
            self._known[stretch] = {
                code: {
                    entry.code: entry.value
                    for entry in entries
                    if entry.effective_from <= day and (entry.effective_to is None or day <= entry.effective_to)
                }
                for code, entries in self._tables.items()
            }
        return self._known[stretch]


def check(document: Mapping[str, Any]) -> tuple[Envelope, list[Entry]]:
    """What a code table document says, entries sorted. Raises RuleRefused naming every fault with its JSON Pointer."""
    opened = envelope(document, kinds=(KIND,))
    report = Report()
    for name in document:
        if name not in _KEYS:
            report.unknown(at("", name), "field", name, _KEYS)
    listed = document.get("entries")
    entries: list[Entry] = []
    if not isinstance(listed, list) or not 0 < len(listed) <= LIST_LENGTH_MAX:
        expected = f"a list of 1 to {LIST_LENGTH_MAX} entries"
        report.add("/entries", "bad_entries", "a code table has entries", expected=expected, found=shown(listed))
    else:
        read = (_entry(written, at("/entries", number), report) for number, written in enumerate(listed))
        entries = sorted(filter(None, read), key=lambda entry: (entry.code, entry.effective_from))
        _examine_overlaps(entries, report)
    report.refuse_if_any()
    return opened, entries


def apply(
    db: Connection, document: Mapping[str, Any], *, partner_id: bytes | None, caller: Caller, now: datetime
) -> bool:
    """Make the document the whole content of its table; whether anything changed.

    The new content holds from now on for every day it names; events that are decided already stay as they are. Raises
    RuleRefused when the document is wrong, Conflict when the table is another owner's.
    """
    opened, entries = check(document)
    opened.require_owner(partner_id)
    content_hash = _hash(opened, entries)
    table = _locked(db, opened.code)
    if table is None:
        row = {
            "id": new_id(),
            "code": opened.code,
            "partner_id": partner_id,
            "owner": opened.owner,
            "content_hash": _NO_CONTENT,
            "created_at": now,
            "changed_at": now,
        }
        bulk.insert_new(db, code_table, [row], key=["code"])
        table = _locked(db, opened.code)
    if table is None:
        raise Broken(f"Code table {opened.code!r} vanished while it was locked.")
    if table.partner_id != partner_id:
        raise Conflict(f"Code table {opened.code!r} belongs to another owner.", code="other_owner")
    if table.content_hash == content_hash:
        return False
    counts = _replace(db, table.id, entries, now=now)
    db.execute(
        update(code_table)
        .where(code_table.c.id == table.id)
        .values(owner=opened.owner, content_hash=content_hash, changed_at=now)
    )
    audit.record(
        db,
        caller=caller,
        action="code_table.applied",
        subject=opened.code,
        partner_id=partner_id,
        after={"content_hash": content_hash, "entries": len(entries), **counts},
        now=now,
    )
    return True


_CURRENT = (
    select(code_table.c.code.label("table_code"), code_table_entry)
    .join_from(code_table, code_table_entry, code_table_entry.c.table_id == code_table.c.id)
    .where(code_table.c.code.in_(bindparam("codes", expanding=True)))
)
_NOW = _CURRENT.where(code_table_entry.c.superseded_at.is_(None))
_THEN = _CURRENT.where(
    code_table_entry.c.recorded_at <= bindparam("known_at"),
    or_(code_table_entry.c.superseded_at.is_(None), code_table_entry.c.superseded_at > bindparam("known_at")),
)


def dated(db: Connection, codes: Iterable[str], *, known_at: datetime | None = None) -> DatedTables:
    """Tables by their codes, in one statement, to be asked for many days; as known at ``known_at``, else now.

    Raises UnknownReference naming a table that does not exist.
    """
    wanted = sorted(set(codes))
    tables: dict[str, list[Entry]] = {}
    if not wanted:
        return DatedTables(tables)
    rows = db.execute(_NOW if known_at is None else _THEN, {"codes": wanted, "known_at": known_at})
    for row in rows:
        entry = Entry(row.entry_code, row.effective_from, row.effective_to, row.value, row.description)
        tables.setdefault(row.table_code, []).append(entry)
    for code in wanted:
        if code not in tables and known_at is None:
            raise UnknownReference(f"There is no code table {code!r}.", code="unknown_code_table")
    return DatedTables({code: tables.get(code, []) for code in wanted})


def resolve(
    db: Connection, table_codes: Iterable[str], *, on: date, known_at: datetime | None = None
) -> dict[str, dict[str, str]]:
    """Table -> code -> value on one day. Raises UnknownReference naming a table that does not exist."""
    return dated(db, table_codes, known_at=known_at).on(on)


def foreign(db: Connection, codes: Iterable[str], partner_id: bytes | None) -> list[str]:
    """Those of the codes that name no table which this owner may use: its own and the shared ones."""
    wanted = sorted(set(codes))
    if not wanted:
        return []
    usable = {
        row.code
        for row in db.execute(
            select(code_table.c.code).where(
                code_table.c.code.in_(wanted),
                or_(code_table.c.partner_id.is_(None), code_table.c.partner_id == partner_id),
            )
        )
    }
    return [code for code in wanted if code not in usable]


def _locked(db: Connection, code: str) -> Row[Any] | None:
    return db.execute(select(code_table).where(code_table.c.code == code).with_for_update()).first()


def _entry(written: object, pointer: str, report: Report) -> Entry | None:
    if not isinstance(written, Mapping):
        report.add(
            pointer, "bad_entry", "an entry is an object", expected='{"code": …, "value": …}', found=shown(written)
        )
        return None
    for name in written:
        if name not in _FIELDS:
            report.unknown(at(pointer, name), "field", name, _FIELDS)
    faults = len(report.faults)
    code = _text(written, "code", pointer, _CODE_LENGTH_MAX, report)
    value = _text(written, "value", pointer, _VALUE_LENGTH_MAX, report)
    description = written.get("description")
    if description is not None:
        description = _text(written, "description", pointer, _DESCRIPTION_LENGTH_MAX, report)
    first = day(written.get("effective_from"), at(pointer, "effective_from"), report) or ALWAYS
    last = day(written.get("effective_to"), at(pointer, "effective_to"), report)
    if first < ALWAYS:
        expected = f"{ALWAYS} or later"
        report.add(at(pointer, "effective_from"), "bad_period", "too early", expected=expected, found=str(first))
    if last is not None and last < first:
        expected = f"{first} or later"
        report.add(
            at(pointer, "effective_to"), "bad_period", "ends before it starts", expected=expected, found=str(last)
        )
    return None if len(report.faults) > faults else Entry(code, first, last, value, description)


def _text(written: Mapping[str, Any], name: str, pointer: str, length_max: int, report: Report) -> str:
    value = written.get(name)
    if isinstance(value, str) and 0 < len(value) <= length_max:
        return value
    expected = f"text of 1 to {length_max} characters"
    report.add(at(pointer, name), "bad_entry", f"`{name}` is needed", expected=expected, found=shown(value))
    return ""


def _examine_overlaps(entries: Sequence[Entry], report: Report) -> None:
    for earlier, later in pairwise(entries):
        if earlier.code == later.code and (
            earlier.effective_to is None or later.effective_from <= earlier.effective_to
        ):
            report.add(
                "/entries",
                "overlap",
                f"code {shown(later.code)} has two entries on {later.effective_from}",
                expected="one entry for a code on any day",
                found=f"{shown(earlier.value)} and {shown(later.value)}",
                suggestion="end the earlier one by `effective_to`",
            )


def _hash(opened: Envelope, entries: Sequence[Entry]) -> bytes:
    rows = [
        [
            entry.code,
            entry.effective_from.isoformat(),
            entry.effective_to.isoformat() if entry.effective_to else None,
            entry.value,
            entry.description,
        ]
        for entry in entries
    ]
    return canonical.digest(canonical.text([opened.code, opened.owner, rows]))


def _replace(db: Connection, table_id: bytes, entries: Sequence[Entry], *, now: datetime) -> dict[str, int]:
    """Supersede the entries that are not wanted any more and record the new ones; how many of each."""
    current = {
        Entry(row.entry_code, row.effective_from, row.effective_to, row.value, row.description): row.id
        for row in db.execute(
            select(code_table_entry).where(
                code_table_entry.c.table_id == table_id, code_table_entry.c.superseded_at.is_(None)
            )
        )
    }
    gone = sorted(identity for entry, identity in current.items() if entry not in set(entries))
    new = [entry for entry in entries if entry not in current]
    for chunk in bulk.in_chunks(gone):
        db.execute(update(code_table_entry).where(code_table_entry.c.id.in_(chunk)).values(superseded_at=now))
    if new:
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
                for identity, entry in zip(new_ids(len(new)), new, strict=True)
            ],
        )
    return {"added": len(new), "superseded": len(gone)}
