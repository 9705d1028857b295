"""Writes a batch of drafts in a few statements: members, history, identities, enrolments.

Whoever changes a member holds its row's lock from reading to writing, taken in the order of employee ids; a member that
two transactions would create at once is created by one, and the other then builds on it. So two rosters, or a roster
and a request, about one employee are applied one after the other, and neither is lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import outbox
from chalicelib.deliveries.routes import BALANCE
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import drafting, enrolments, identities
from chalicelib.partners.members.drafting import Draft, Held
from chalicelib.partners.members.roster import Entry, RosterRow, personal
from chalicelib.partners.models.partners import member, member_history
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.encryption import blind_index, decrypt_fields, encrypt_fields
from chalicelib.storage.ids import new_ids

_HELD: Final = tuple(member.c[name] for name in Held.__slots__)
_ENTRY: Final = (
    "id",
    "effective_date",
    "revision",
    "action",
    "hire_date",
    "term_date",
    "job_code",
    "country",
    "attributes",
    "content_hash",
)
_STATE: Final = (
    "status",
    "hire_date",
    "term_date",
    "effective_date",
    "next_effective_date",
    "job_code",
    "country",
    "attributes",
    "personal",
    "last_name_index",
    "email_index",
    "changed_at",
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call applies: the rows behind the entries, where they came from, for whom and when."""

    partner: Partner
    rows: Sequence[RosterRow]
    sources: Sequence[RowSource]
    snapshot_file: bytes | None
    caller: Caller
    now: datetime

    @property
    def today(self) -> date:
        """The partner's date of ``now``."""
        return programs.business_date(self.now, self.partner)


def apply(db: Connection, batch: Batch, said: Mapping[str, Sequence[Entry]]) -> list[Draft]:
    """Apply the entries of each employee, in the given order; what came of it, by member."""
    held = lock(db, batch.partner.id, list(said))
    fresh = _create(db, batch, {number: entries for number, entries in said.items() if number not in held})
    lost = [number for number in said if number not in held and number not in fresh]
    if lost:
        held |= lock(db, batch.partner.id, lost)
    drafts = list(fresh.values())
    drafts += _draft(db, {number: (known, said[number]) for number, known in held.items()}, batch.today)
    _write_history(db, batch, drafts)
    _write_states(db, batch, [draft for draft in drafts if draft.held is not None and draft.written])
    identities.follow(db, batch.partner.id, drafts)
    of_partner = programs.of_partner(db, batch.partner.id).values()
    enrolments.apply_rule(db, batch.partner.id, of_partner, drafts, now=batch.now)
    _tell_names(db, batch, of_partner, [draft for draft in drafts if draft.held is not None and draft.written])
    if batch.snapshot_file is not None:
        mark_seen(db, [known.id for known in held.values()], batch.snapshot_file)
    return drafts


def rewrite(db: Connection, batch: Batch, drafts: Sequence[Draft]) -> None:
    """Write members whose history has been changed by other means: states, identities, enrolments, and who is told."""
    if not drafts:
        return
    _write_states(db, batch, drafts)
    identities.follow(db, batch.partner.id, drafts)
    of_partner = programs.of_partner(db, batch.partner.id).values()
    enrolments.apply_rule(db, batch.partner.id, of_partner, drafts, now=batch.now)
    _tell_names(db, batch, of_partner, drafts)


def lock(db: Connection, partner_id: bytes, employee_ids: Sequence[str]) -> dict[str, Held]:
    """The known members among these, their rows locked for this transaction."""
    held: dict[str, Held] = {}
    for chunk in bulk.in_chunks(sorted(employee_ids)):
        rows = db.execute(
            select(*_HELD)
            .where(member.c.partner_id == partner_id, member.c.employee_id.in_(chunk))
            .order_by(member.c.employee_id)
            .with_for_update()
        )
        for row in rows:
            held[row.employee_id] = Held(*row)
    return held


def live_entries(db: Connection, member_ids: Sequence[bytes], *, sealed: bool = False) -> dict[bytes, list[Entry]]:
    """The entries of these members that no later revision has superseded, by effective date.

    ``sealed``: with the encrypted personal fields, which only a writer needs.
    """
    found: dict[bytes, list[Entry]] = defaultdict(list)
    columns = [member_history.c[name] for name in (*_ENTRY, "personal")[: None if sealed else -1]]
    for chunk in bulk.in_chunks(sorted(member_ids)):
        rows = db.execute(
            select(member_history.c.member_id, *columns)
            .where(member_history.c.member_id.in_(chunk), member_history.c.superseded_at.is_(None))
            .order_by(member_history.c.member_id, member_history.c.effective_date)
        )
        for member_id, *values in rows:
            found[member_id].append(Entry(*values))
    return found


def mark_seen(db: Connection, member_ids: Sequence[bytes], file_id: bytes) -> None:
    """Note that a snapshot file names these members: they are not absent from it."""
    for chunk in bulk.in_chunks(sorted(member_ids)):
        db.execute(update(member).where(member.c.id.in_(chunk)).values(seen_in=file_id))


def _draft(db: Connection, known: Mapping[str, tuple[Held, Sequence[Entry]]], today: date) -> list[Draft]:
    drafts: list[Draft] = []
    unclear: list[tuple[Held, Sequence[Entry]]] = []
    for held, entries in known.values():
        if drafting.builds_on_state(held, entries):
            drafts.append(drafting.draft_on_state(held, entries, today=today))
        else:
            unclear.append((held, entries))
    # A file that comes again says nothing new: found without reading whole histories.
    repeated = _repeated(db, unclear)
    rest = []
    for held, entries in unclear:
        if all(entry.content_hash == repeated.get((held.id, entry.effective_date)) for entry in entries):
            drafts.append(Draft(held.id, held.employee_id, held, duplicates=list(entries)))
        else:
            rest.append((held, entries))
    histories = live_entries(db, [held.id for held, _ in rest], sealed=True)
    drafts += [drafting.draft_on_history(held, histories[held.id], entries, today=today) for held, entries in rest]
    return drafts


def _repeated(db: Connection, unclear: Sequence[tuple[Held, Sequence[Entry]]]) -> dict[tuple[bytes, date], bytes]:
    column = member_history.c
    found: dict[tuple[bytes, date], bytes] = {}
    for chunk in bulk.in_chunks(sorted(unclear, key=lambda pair: pair[0].id)):
        days = sorted({entry.effective_date for _, entries in chunk for entry in entries})
        rows = db.execute(
            select(column.member_id, column.effective_date, column.content_hash).where(
                column.member_id.in_([held.id for held, _ in chunk]),
                column.effective_date.between(days[0], days[-1]),
                column.superseded_at.is_(None),
            )
        )
        found.update(((member_id, day), digest) for member_id, day, digest in rows)
    return found


def _create(db: Connection, batch: Batch, said: Mapping[str, Sequence[Entry]]) -> dict[str, Draft]:
    """Insert the members that nobody else is creating; their drafts by employee id."""
    drafts = [
        drafting.draft_new(member_id, number, entries, today=batch.today)
        for member_id, (number, entries) in zip(new_ids(len(said)), sorted(said.items()), strict=True)
    ]
    rows = [
        _state(draft, batch)
        | {
            "id": draft.member_id,
            "partner_id": batch.partner.id,
            "employee_id": draft.employee_id,
            "seen_in": batch.snapshot_file,
            "created_at": batch.now,
        }
        for draft in drafts
    ]
    lost = {drafts[index].employee_id for index in bulk.insert_new(db, member, rows, key=["partner_id", "employee_id"])}
    for draft in drafts:
        if draft.employee_id in lost:
            # Drafted again on the row that won.
            for entry in draft.written:
                entry.revision, entry.sealed = 1, None
    return {draft.employee_id: draft for draft in drafts if draft.employee_id not in lost}


def _write_states(db: Connection, batch: Batch, drafts: Sequence[Draft]) -> None:
    rows = [{"id": draft.member_id} | _state(draft, batch) for draft in sorted(drafts, key=lambda one: one.member_id)]
    bulk.update_by_key(db, member, rows, key=["id"], set_=_STATE)


def _state(draft: Draft, batch: Batch) -> dict[str, Any]:
    standing = draft.standing
    assert standing is not None  # noqa: S101 - every draft that writes has one
    entry = standing.entry
    fields = _personal(draft, entry, batch)
    email = fields["email"]
    return {
        "status": standing.status,
        "hire_date": entry.hire_date,
        "term_date": standing.last_day or entry.term_date,
        "effective_date": entry.effective_date,
        "next_effective_date": standing.next_date,
        "job_code": entry.job_code,
        "country": entry.country,
        "attributes": entry.attributes,
        "personal": _sealed(draft, entry, batch),
        "last_name_index": blind_index(fields["last_name"] or ""),
        "email_index": None if email is None else blind_index(email),
        "changed_at": batch.now,
    }


def _personal(draft: Draft, entry: Entry, batch: Batch) -> Mapping[str, str | None]:
    """What an entry says about the person."""
    if entry.row is not None:
        return personal(batch.rows[entry.row])
    assert entry.sealed is not None  # noqa: S101 - stored entries and absences carry theirs
    return decrypt_fields(entry.sealed, bound_to=draft.member_id)


def _tell_names(db: Connection, batch: Batch, of_partner: Iterable[Program], drafts: Sequence[Draft]) -> None:
    """See that outside systems that know of a member's points are told the member's new last name."""
    renamed = [draft.member_id for draft in drafts if _renamed(draft, batch)]
    keys = [account_id(program.id, MEMBER, member_id).hex() for program in of_partner for member_id in renamed]
    outbox.told_otherwise(db, batch.partner.id, BALANCE, keys, now=batch.now)


def _renamed(draft: Draft, batch: Batch) -> bool:
    assert draft.held is not None  # noqa: S101 - the caller selects those who were known
    assert draft.standing is not None  # noqa: S101 - every draft that writes has one
    before = decrypt_fields(draft.held.personal, bound_to=draft.member_id)
    return before["last_name"] != _personal(draft, draft.standing.entry, batch)["last_name"]


def _sealed(draft: Draft, entry: Entry, batch: Batch) -> bytes:
    if entry.sealed is None:
        assert entry.row is not None  # noqa: S101 - only rows are sealed late
        entry.sealed = encrypt_fields(personal(batch.rows[entry.row]), bound_to=draft.member_id)
    return entry.sealed


def _write_history(db: Connection, batch: Batch, drafts: Sequence[Draft]) -> None:
    rows = [_history(draft, entry, batch) for draft in drafts for entry in draft.written]
    rows.sort(key=lambda row: (row["member_id"], row["effective_date"], row["revision"]))
    replaced: list[dict[str, Any]] = [
        {"id": entry.id, "superseded_at": batch.now} for draft in drafts for entry in draft.replaced
    ]
    replaced.sort(key=lambda row: row["id"])
    bulk.update_by_key(db, member_history, replaced, key=["id"], set_=["superseded_at"])
    bulk.insert(db, member_history, rows)


def _history(draft: Draft, entry: Entry, batch: Batch) -> dict[str, Any]:
    source = BY_API if entry.row is None else batch.sources[entry.row]
    if entry.row is None:
        kind, source = "absence", RowSource(file_id=batch.snapshot_file)
    else:
        kind = "api" if source.file_id is None else "file"
    return {
        "id": entry.id,
        "partner_id": batch.partner.id,
        "member_id": draft.member_id,
        "effective_date": entry.effective_date,
        "revision": entry.revision,
        "action": entry.action,
        "status": _status(draft, entry),
        "hire_date": entry.hire_date,
        "term_date": entry.term_date,
        "job_code": entry.job_code,
        "country": entry.country,
        "attributes": entry.attributes,
        "personal": _sealed(draft, entry, batch),
        "content_hash": entry.content_hash,
        "source_kind": kind,
        "source_id": source.file_id,
        "row_no": source.row_no,
        "byte_offset": source.byte_offset,
        "byte_length": source.byte_length,
        "actor": batch.caller.actor,
        "recorded_at": batch.now,
        "superseded_at": batch.now if entry.id in draft.overtaken else None,
    }


def _status(draft: Draft, entry: Entry) -> str:
    day = entry.effective_date
    if entry.action == "terminate":
        return "active" if entry.last_day >= day else "terminated"
    employed = any(span.since <= day and (span.until is None or span.until >= day) for span in draft.course)
    return "active" if entry.action == "hire" or employed else "terminated"
