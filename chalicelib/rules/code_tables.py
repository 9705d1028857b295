"""Code tables: a partner's code -> ours, dated. What a change replaces is kept: old look-ups can be repeated."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, UnknownReference
from chalicelib.language import DecisionRefused
from chalicelib.language.bounds import LIST_LENGTH_MAX
from chalicelib.language.faults import Report, at, shown
from chalicelib.rules.code_table_content import (
    ALWAYS,
    CODE_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    VALUE_LENGTH_MAX,
    Content,
    Entry,
    content_hash,
    in_order,
    locked,
    of_row,
)
from chalicelib.rules.code_table_values import Values
from chalicelib.rules.envelopes import Envelope, day, envelope, wrong_text
from chalicelib.rules.models import code_table, code_table_entry
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

__all__ = ["ALWAYS", "KIND", "DatedTables", "Entry", "Unmapped", "apply", "check", "dated", "foreign", "resolve"]

KIND = "code_table"
#: What the hash of a table's content is before its first entries are written, in the same transaction.
_NO_CONTENT = bytes(32)
_FIELDS = ("code", "value", "description", "effective_from", "effective_to")
_KEYS = ("$schema", "id", "kind", "partner", "owner", "why", "value", "entries", "entries_begin")


class Unmapped(NamedTuple):
    """A code that a record looked up in vain, and the day of which it asked."""

    table: str
    code: str
    on: date

    @classmethod
    def of(cls, refusal: DecisionRefused, day: date) -> "Unmapped | None":
        """The first look-up that keeps a record from an answer; None for other reasons, and for personal codes."""
        found = next((fault.lookup for fault in refusal.faults if fault.lookup is not None), None)
        # What is longer than any entry's code can never be mapped.
        return None if found is None or len(found[1]) > CODE_LENGTH_MAX else cls(*found, day)


class Checked(NamedTuple):
    """A code table document that is right: its entries, sorted, and what it declares their values to be.

    ``begins``: they are what the table begins with; from then on those who write single entries and files own them.
    """

    envelope: Envelope
    entries: list[Entry]
    values: Values
    begins: bool


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
                code: {entry.code: entry.value for entry in entries if entry.holds(day)}
                for code, entries in self._tables.items()
            }
        return self._known[stretch]


def check(document: Mapping[str, Any]) -> Checked:
    """What a code table document says. Raises RuleRefused naming every fault with its JSON Pointer."""
    opened = envelope(document, kinds=(KIND,))
    report = Report()
    for name in document:
        if name not in _KEYS:
            report.unknown(at("", name), "field", name, _KEYS)
    values = Values.declared(document, report)
    listed = document.get("entries")
    entries: list[Entry] = []
    if not isinstance(listed, list) or not 0 < len(listed) <= LIST_LENGTH_MAX:
        expected = f"a list of 1 to {LIST_LENGTH_MAX} entries"
        report.add("/entries", "bad_entries", "a code table has entries", expected=expected, found=shown(listed))
    else:
        read = (_entry(written, at("/entries", number), values, report) for number, written in enumerate(listed))
        entries = sorted(filter(None, read), key=in_order)
        _examine_overlaps(entries, report)
    begins = document.get("entries_begin", False)
    if not isinstance(begins, bool):
        report.add("/entries_begin", "bad_flag", "it is true or false", expected="true or false", found=shown(begins))
    report.refuse_if_any()
    return Checked(opened, entries, values, begins is True)


def apply(
    db: Connection, document: Mapping[str, Any], *, partner_id: bytes | None, caller: Caller, now: datetime
) -> bool:
    """Make the document the whole content of its table; whether anything changed.

    Where its entries are what the table begins with, one that exists keeps the entries it has.
    The new content holds from now on for every day it names; events that are decided already stay as they are. Raises
    RuleRefused when the document is wrong, Conflict when the table is another owner's.
    """
    opened, entries, values, begins = check(document)
    opened.require_owner(partner_id)
    table = locked(db, opened.code)
    if table is None:
        row = {
            "id": new_id(),
            "code": opened.code,
            "partner_id": partner_id,
            "owner": opened.owner,
            "value_declaration": values.stored,
            "content_hash": _NO_CONTENT,
            "created_at": now,
            "changed_at": now,
        }
        bulk.insert_new(db, code_table, [row], key=["code"])
        table = locked(db, opened.code)
    if table is None:
        raise Broken(f"Code table {opened.code!r} vanished while it was locked.")
    if table.partner_id != partner_id:
        raise Conflict(f"Code table {opened.code!r} belongs to another owner.", code="other_owner")
    content = Content(db, table)
    if begins and table.content_hash != _NO_CONTENT:
        entries = content.entries
    said = content_hash(opened.code, opened.owner, entries, values)
    if table.content_hash == said:
        return False
    content.replace_all(entries)
    content.values = values
    counts = content.write(db, owner=opened.owner, now=now)
    audit.record(
        db,
        caller=caller,
        action="code_table.applied",
        subject=opened.code,
        partner_id=partner_id,
        after={"content_hash": said, "entries": len(entries), **counts},
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
        tables.setdefault(row.table_code, []).append(of_row(row))
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


def _entry(written: object, pointer: str, values: Values, report: Report) -> Entry | None:
    if not isinstance(written, Mapping):
        report.add(
            pointer, "bad_entry", "an entry is an object", expected='{"code": …, "value": …}', found=shown(written)
        )
        return None
    for name in written:
        if name not in _FIELDS:
            report.unknown(at(pointer, name), "field", name, _FIELDS)
    faults = len(report.faults)
    code = _text(written, "code", pointer, CODE_LENGTH_MAX, report)
    value = _text(written, "value", pointer, VALUE_LENGTH_MAX, report)
    wanted = values.fault(value) if value else None
    if wanted is not None:
        report.add(at(pointer, "value"), "bad_value", wanted, expected="what the table declares", found=shown(value))
    description = written.get("description")
    if description is not None:
        description = _text(written, "description", pointer, DESCRIPTION_LENGTH_MAX, report)
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
    wrong_text(written, name, at(pointer, name), "bad_entry", length_max, report)
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
