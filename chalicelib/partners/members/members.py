"""Members: a partner's employees, what rosters say about them, and how they stand on a day."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import erasing, roster, writing
from chalicelib.partners.members.roster import PERSONAL, Entry, RosterOutcome, RosterRow
from chalicelib.partners.models.partners import member
from chalicelib.partners.provenance import RowSource
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields, keyed_digest
from chalicelib.storage.ids import new_ids, public_id

__all__ = [
    "PERSONAL",
    "MemberRef",
    "RosterOutcome",
    "RosterRow",
    "absent",
    "active_employee_ids",
    "apply_roster",
    "as_of",
    "by_employee",
    "by_employee_on",
    "by_ids",
    "mark_seen",
    "matching",
    "personal",
    "terminate_absent",
]


class MemberRef(NamedTuple):
    """A member and its facts; nothing personal.

    ``status`` is active or terminated; ``term_date`` is the last day of employment where it ended or will end;
    ``attributes`` has the roster's other fields, ``fte_pct`` as Decimal. The facts hold from ``effective_date`` to the
    day before ``next_effective_date`` (None: nothing is foreseen).
    """

    id: bytes
    partner_id: bytes
    employee_id: str
    status: str
    hire_date: date
    term_date: date | None
    job_code: str | None
    country: str | None
    attributes: dict[str, Any]
    effective_date: date
    next_effective_date: date | None


class Named(NamedTuple):
    """A member without its facts: who it is, and whose employee."""

    id: bytes
    partner_id: bytes
    employee_id: str


_REF: Final = tuple(member.c[name] for name in MemberRef._fields)
_BY_EMPLOYEE: Final = select(*_REF)
# Made once: what is made anew for each call costs as much as the server's answer.
_OF_EMPLOYEES: Final = _BY_EMPLOYEE.where(
    member.c.partner_id == bindparam("partner_id"), member.c.employee_id.in_(bindparam("employees", expanding=True))
)
_OF_IDS: Final = _BY_EMPLOYEE.where(member.c.id.in_(bindparam("ids", expanding=True)))
_NAMED: Final = select(*(member.c[name] for name in Named._fields)).where(member.c.id == bindparam("id"))


def apply_roster(
    db: Connection,
    partner: Partner,
    rows: Sequence[RosterRow],
    *,
    sources: Sequence[RowSource],
    snapshot_file: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> list[RosterOutcome]:
    """Apply roster rows of one partner in their order; one outcome per row, in order.

    A row about a person and date that is known already is a duplicate when it says the same and a correction when not:
    the later word holds, the earlier is kept. Rows may come late, and rows of the future take effect on their date.
    Members, their history, identities and enrolments are written; the rows' order of locking is by employee id.
    ``snapshot_file`` names the snapshot that the rows belong to: members it does not name are ``absent``, and whom it
    names as changed is employed. Raises nothing for bad rows.
    """
    outcomes: list[RosterOutcome | None] = [roster.examine(row) for row in rows]
    erased = erasing.erased_numbers(db, partner.id, {row["employee_id"] for row in rows})
    if erased:
        outcomes = [outcome or _of_erased(row, erased) for row, outcome in zip(rows, outcomes, strict=True)]
    said: defaultdict[str, list[Entry]] = defaultdict(list)
    for index, (row, entry_id) in enumerate(zip(rows, new_ids(len(rows)), strict=True)):
        if outcomes[index] is None:
            said[row["employee_id"]].append(_entry(row, index, entry_id, snapshot=snapshot_file is not None))
    batch = writing.Batch(partner, rows, sources, snapshot_file, caller, now)
    for draft in writing.apply(db, batch, said) if said else ():
        for entry in draft.written:
            outcomes[_row(entry)] = RosterOutcome("accepted", member_id=draft.member_id)
        for entry in draft.duplicates:
            outcomes[_row(entry)] = RosterOutcome("duplicate", member_id=draft.member_id)
    return [_decided(outcome) for outcome in outcomes]


def mark_seen(db: Connection, partner_id: bytes, employee_ids: Collection[str], file_id: bytes) -> None:
    """Note that a snapshot names these employees although its rows about them were rejected: they are not absent."""
    held = writing.lock(db, partner_id, sorted(set(employee_ids)))
    writing.mark_seen(db, [known.id for known in held.values()], file_id)


def absent(
    db: Connection, partner_id: bytes, file_id: bytes, *, on: date | None = None, changed_until: datetime | None = None
) -> list[str]:
    """The employee ids, in order, of active members that the snapshot file did not name.

    ``on`` is the snapshot's effective date: whom a later row speaks about, whose first day is later, or who has left by
    then, is not among them.
    Nor is who was hired or changed after ``changed_until``: a snapshot cannot know whom it was too early for.
    """
    unseen = member.c.seen_in.is_(None) | (member.c.seen_in != file_id)
    query = _BY_EMPLOYEE.where(member.c.partner_id == partner_id, member.c.status == "active", unseen)
    if changed_until is not None:
        query = query.where(member.c.changed_at <= changed_until)
    if on is not None:
        query = query.where(member.c.effective_date <= on, member.c.hire_date <= on)
    refs = [_ref(row) for row in db.execute(query.order_by(member.c.employee_id))]
    if on is not None:
        refs = [ref for ref in as_of(db, refs, on) if ref.status == "active"]
    return [ref.employee_id for ref in refs]


def terminate_absent(
    db: Connection,
    partner: Partner,
    file_id: bytes,
    *,
    effective_date: date,
    changed_until: datetime | None = None,
    caller: Caller,
    now: datetime,
) -> int:
    """Terminate the active members that a snapshot file did not name, from its effective date on; how many.

    ``changed_until`` is when the file arrived. Calling it again changes nothing.
    """
    missing = absent(db, partner.id, file_id, on=effective_date, changed_until=changed_until)
    if not missing:
        return 0
    batch = writing.Batch(partner, (), (), file_id, caller, now)
    said: dict[str, list[Entry]] = {}
    for number, held in writing.lock(db, partner.id, missing).items():
        entry = held.entry()
        [entry.id] = new_ids(1)
        entry.revision, entry.action, entry.term_date = 1, "terminate", None
        entry.effective_date = effective_date
        entry.content_hash = keyed_digest(f"absent {number} {effective_date}".encode())
        said[number] = [entry]
    terminated = sum(len(draft.written) for draft in writing.apply(db, batch, said)) if said else 0
    audit.record(
        db,
        caller=caller,
        action="members.absent_terminated",
        subject=public_id("fil", file_id),
        partner_id=partner.id,
        after={"members": terminated, "effective_date": effective_date},
        now=now,
    )
    return terminated


def active_employee_ids(db: Connection, partner_id: bytes) -> set[str]:
    """The employee ids of the partner's active members, as of the latest roster."""
    query = select(member.c.employee_id).where(member.c.partner_id == partner_id, member.c.status == "active")
    return set(db.execute(query).scalars())


def by_employee(db: Connection, partner_id: bytes, employee_ids: Collection[str]) -> dict[str, MemberRef]:
    """The known members among these employee ids, as the latest roster row in force says."""
    found: dict[str, MemberRef] = {}
    for chunk in bulk.in_chunks(sorted(set(employee_ids))):
        rows = db.execute(_OF_EMPLOYEES, {"partner_id": partner_id, "employees": chunk})
        found.update((row.employee_id, _ref(row)) for row in rows)
    return found


def by_employee_on(
    db: Connection, partner_id: bytes, wanted: Iterable[tuple[str, date]]
) -> dict[tuple[str, date], MemberRef]:
    """The known members among (employee id, date), with the facts that were in force on that date.

    Costs one query per chunk of employees when the facts of today hold on the dates, two when some are older.
    """
    pairs = list(wanted)
    known = by_employee(db, partner_id, [employee_id for employee_id, _ in pairs])
    found: dict[tuple[str, date], MemberRef] = {}
    other: list[tuple[MemberRef, date]] = []
    for employee_id, day in pairs:
        ref = known.get(employee_id)
        if ref is None:
            continue
        later = ref.next_effective_date
        since = max(ref.effective_date, ref.hire_date)
        if since <= day and (later is None or day < later) and ref.status == "active":
            found[employee_id, day] = ref
        else:
            other.append((ref, day))
    histories = writing.live_entries(db, sorted({ref.id for ref, _ in other}))
    courses = {member_id: roster.spans(entries) for member_id, entries in histories.items()}
    for ref, day in other:
        entries = histories.get(ref.id)
        found[ref.employee_id, day] = ref if not entries else _ref_on(ref, entries, courses[ref.id], day)
    return {pair: found[pair] for pair in pairs if pair in found}


def by_ids(db: Connection, member_ids: Collection[bytes]) -> dict[bytes, MemberRef]:
    """The members of these ids, as the latest roster row in force says."""
    found: dict[bytes, MemberRef] = {}
    for chunk in bulk.in_chunks(sorted(set(member_ids))):
        found.update((row.id, _ref(row)) for row in db.execute(_OF_IDS, {"ids": chunk}))
    return found


def named(db: Connection, member_id: bytes) -> Named | None:
    """Who a member is, without what rosters say of it; None when there is no such member."""
    row = db.execute(_NAMED, {"id": member_id}).one_or_none()
    return None if row is None else Named._make(row)


def matching(db: Connection, conditions: Sequence[ColumnElement[bool]], *, limit: int) -> list[MemberRef]:
    """Up to ``limit`` members by partner and employee id, as the latest roster row in force said."""
    query = _BY_EMPLOYEE.where(*conditions).order_by(member.c.partner_id, member.c.employee_id).limit(limit)
    return [_ref(row) for row in db.execute(query)]


def as_of(db: Connection, refs: Sequence[MemberRef], on: date) -> list[MemberRef]:
    """The same members with the facts in force on a day, where something foreseen has taken effect since."""
    due = [ref.id for ref in refs if ref.next_effective_date is not None and ref.next_effective_date <= on]
    histories = writing.live_entries(db, due)
    return [
        _ref_on(ref, histories[ref.id], roster.spans(histories[ref.id]), on) if ref.id in histories else ref
        for ref in refs
    ]


def personal(db: Connection, member_ids: Collection[bytes]) -> dict[bytes, dict[str, str | None]]:
    """The decrypted personal fields (``PERSONAL``) of the members of these ids. They must not be stored or logged."""
    found: dict[bytes, dict[str, str | None]] = {}
    for chunk in bulk.in_chunks(sorted(set(member_ids))):
        for member_id, sealed in db.execute(select(member.c.id, member.c.personal).where(member.c.id.in_(chunk))):
            found[member_id] = decrypt_fields(sealed, bound_to=member_id)
    return found


def _of_erased(row: RosterRow, erased: Mapping[str, datetime]) -> RosterOutcome | None:
    """The refusal of a row about an erased person; whoever is hired after that under the same number is another one."""
    at = erased.get(row["employee_id"])
    if at is None or row["hire_date"] > at.date():
        return None
    return RosterOutcome("rejected", erasing.ERASED, "employee_id", erasing.ERASED_MESSAGE)


def _entry(row: RosterRow, index: int, entry_id: bytes, *, snapshot: bool) -> Entry:
    action = roster.ACTIONS[row["action"]]
    return Entry(
        id=entry_id,
        effective_date=row["effective_date"],
        revision=1,
        # A snapshot lists who is employed: to be named in it at all, is to be employed again.
        action="hire" if snapshot and action == "change" else action,
        hire_date=row["hire_date"],
        term_date=row["term_date"],
        job_code=row["job_code"],
        country=row["country"],
        attributes=roster.attributes(row),
        content_hash=keyed_digest(roster.content(row)),
        row=index,
    )


def _row(entry: Entry) -> int:
    assert entry.row is not None  # noqa: S101 - every entry of a roster stands for a row
    return entry.row


def _decided(outcome: RosterOutcome | None) -> RosterOutcome:
    assert outcome is not None  # noqa: S101 - every row is examined, or written or duplicate
    return outcome


def _ref(row: Row[Any]) -> MemberRef:
    return MemberRef._make(row)._replace(attributes=roster.parsed_attributes(row.attributes))


def _ref_on(ref: MemberRef, entries: Sequence[Entry], course: Sequence[roster.Span], on: date) -> MemberRef:
    standing = roster.standing(entries, course, on)
    entry = standing.entry
    return ref._replace(
        status=standing.status,
        hire_date=entry.hire_date,
        term_date=standing.last_day or entry.term_date,
        job_code=entry.job_code,
        country=entry.country,
        attributes=roster.parsed_attributes(entry.attributes),
        effective_date=entry.effective_date,
        next_effective_date=standing.next_date,
    )
