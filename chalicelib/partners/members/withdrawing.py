"""What a roster file said is withdrawn: its members stand again as they did before it, where nobody spoke since.

The withdrawn entries are kept, superseded, under revisions below zero. A member of whom nobody else ever said anything,
and of whom nothing else is kept, is forgotten: the number is unknown again.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import roster, writing
from chalicelib.partners.members.drafting import Draft, Held
from chalicelib.partners.members.roster import Entry
from chalicelib.partners.models.erasures import member_erasure
from chalicelib.partners.models.house import customer
from chalicelib.partners.models.partners import enrolment, member, member_history, member_identity
from chalicelib.storage import bulk

_HISTORY: Final = member_history.c
#: Those of a partner's members of whom rooms above this one keep something.
Used: TypeAlias = Callable[[Connection, bytes, Sequence[bytes]], set[bytes]]


class Withdrawn(NamedTuple):
    """What became of one member. ``changed_since``: somebody spoke later; ``in_use``: others go by the member's id."""

    member_id: bytes
    outcome: Literal["restored", "forgotten", "changed_since", "in_use"]


def members_of(db: Connection, file_id: bytes, *, after: bytes, limit: int) -> list[bytes]:
    """Up to ``limit`` members, by id after ``after``, of whom the file's word still holds."""
    query = (
        select(_HISTORY.member_id)
        .distinct()
        .where(_HISTORY.source_id == file_id, _HISTORY.member_id > after, _HISTORY.revision > 0)
        .order_by(_HISTORY.member_id)
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def withdraw(
    db: Connection,
    partner: Partner,
    file_id: bytes,
    member_ids: Sequence[bytes],
    *,
    used: Used,
    caller: Caller,
    now: datetime,
) -> list[Withdrawn]:
    """Withdraw what the file said about these members; what became of each."""
    numbers = [
        number
        for chunk in bulk.in_chunks(sorted(member_ids))
        for number in db.execute(select(member.c.employee_id).where(member.c.id.in_(chunk))).scalars()
    ]
    held = {each.id: each for each in writing.lock(db, partner.id, numbers).values()}
    said = _entries(db, sorted(held))
    # Asked under the locks: something may have come for a member since the file's were listed.
    kept = _kept_elsewhere(db, sorted(held)) | used(db, partner.id, sorted(held))
    batch = writing.Batch(partner, (), (), None, caller, now)
    outcomes: list[Withdrawn] = []
    drafts: list[Draft] = []
    forgotten: list[bytes] = []
    for member_id in sorted(held):
        rows = said[member_id]
        told = _told(member_id, rows, file_id, kept)
        outcomes.append(told)
        if told.outcome == "forgotten":
            forgotten.append(member_id)
        elif told.outcome == "restored":
            drafts.append(_draft(held[member_id], rows, file_id, batch))
            _set_aside(db, rows, file_id, now)
    writing.rewrite(db, batch, drafts)
    _forget(db, forgotten)
    return outcomes


def foresee(
    db: Connection, partner_id: bytes, file_id: bytes, member_ids: Sequence[bytes], *, used: Used
) -> list[Withdrawn]:
    """What ``withdraw`` would make of these members; nothing is written or locked."""
    said = _entries(db, sorted(member_ids))
    kept = _kept_elsewhere(db, member_ids) | used(db, partner_id, member_ids)
    return [_told(member_id, said[member_id], file_id, kept) for member_id in sorted(member_ids)]


def _kept_elsewhere(db: Connection, member_ids: Sequence[bytes]) -> set[bytes]:
    """Those of the members who are known as customers, or who were erased: their erasure may still be under way."""
    found: set[bytes] = set()
    for of in (customer, member_erasure):
        for chunk in bulk.in_chunks(list(member_ids)):
            found |= set(db.execute(select(of.c.member_id).where(of.c.member_id.in_(chunk))).scalars())
    return found


def _told(member_id: bytes, rows: Sequence[Mapping[str, Any]], file_id: bytes, kept: set[bytes]) -> Withdrawn:
    """What becomes of one member of whom ``rows`` were said; ``kept`` must be known on."""
    own = [row for row in rows if row["source_id"] == file_id]
    latest = max(row["seq"] for row in own)
    if any(row["seq"] > latest and row["source_id"] != file_id for row in rows):
        return Withdrawn(member_id, "changed_since")
    if len(own) < len(rows):
        return Withdrawn(member_id, "restored")
    return Withdrawn(member_id, "in_use" if member_id in kept else "forgotten")


def _entries(db: Connection, member_ids: Sequence[bytes]) -> dict[bytes, list[dict[str, Any]]]:
    """All that was ever said about these members and was not withdrawn, in the order in which it was said."""
    found: dict[bytes, list[dict[str, Any]]] = {member_id: [] for member_id in member_ids}
    for chunk in bulk.in_chunks(list(member_ids)):
        query = select(member_history).where(_HISTORY.member_id.in_(chunk), _HISTORY.revision > 0)
        for row in db.execute(query.order_by(_HISTORY.seq)).mappings():
            found[row["member_id"]].append(dict(row))
    return found


def _draft(held: Held, rows: Sequence[Mapping[str, Any]], file_id: bytes, batch: writing.Batch) -> Draft:
    """The member as it stands without what the file said."""
    before = [_entry(row) for row in _live(rows)]
    after = [_entry(row) for row in _live([row for row in rows if row["source_id"] != file_id])]
    draft = Draft(held.id, held.employee_id, held)
    draft.course = roster.spans(after)
    draft.since = roster.first_difference(roster.spans(before), draft.course)
    draft.standing = roster.standing(after, draft.course, batch.today)
    return draft


def _live(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last word about each day, by day."""
    last = {row["effective_date"]: row for row in sorted(rows, key=lambda row: row["revision"])}
    return [last[day] for day in sorted(last)]


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        row["id"],
        row["effective_date"],
        row["revision"],
        row["action"],
        row["hire_date"],
        row["term_date"],
        row["job_code"],
        row["country"],
        row["attributes"],
        row["content_hash"],
        row["personal"],
    )


def _set_aside(db: Connection, rows: Sequence[Mapping[str, Any]], file_id: bytes, now: datetime) -> None:
    """Supersede what the file said, under revisions of its own, and let what it had superseded hold again."""
    own = [row for row in rows if row["source_id"] == file_id]
    days = {row["effective_date"] for row in own}
    member_id = own[0]["member_id"]
    lowest = db.execute(_LOWEST, {"of": member_id}).scalar() or 0
    for number, row in enumerate(own, 1):
        revision = min(0, lowest) - number
        db.execute(_WITHDRAW, {"of": row["id"], "revision": revision, "at": row["superseded_at"] or now})
    for row in _live([row for row in rows if row["source_id"] != file_id]):
        if row["effective_date"] in days and row["superseded_at"] is not None:
            db.execute(_REVIVE, {"of": row["id"]})


def _forget(db: Connection, member_ids: Sequence[bytes]) -> None:
    for chunk in bulk.in_chunks(list(member_ids)):
        for table in (enrolment, member_identity, member_history):
            db.execute(delete(table).where(table.c.member_id.in_(chunk)))
        db.execute(delete(member).where(member.c.id.in_(chunk)))


_LOWEST: Final = select(func.min(_HISTORY.revision)).where(_HISTORY.member_id == bindparam("of"))
_WITHDRAW: Final = (
    update(member_history)
    .where(_HISTORY.id == bindparam("of"))
    .values(revision=bindparam("revision"), superseded_at=bindparam("at"))
)
_REVIVE: Final = update(member_history).where(_HISTORY.id == bindparam("of")).values(superseded_at=None)
