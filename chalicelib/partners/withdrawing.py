"""What a roster file said is withdrawn: its members stand again as they did before it, where nobody spoke since.

The withdrawn entries are kept, superseded, under revisions below zero. A member of whom nobody else ever said anything,
and who has not been used, is forgotten: the number is unknown again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners import member_writing, roster
from chalicelib.partners.directory import Partner
from chalicelib.partners.drafting import Draft, Held
from chalicelib.partners.models import enrolment, member, member_history, member_identity
from chalicelib.partners.roster import Entry
from chalicelib.storage import bulk

_HISTORY: Final = member_history.c


class Withdrawn(NamedTuple):
    """What became of one member. ``changed_since``: somebody spoke later; ``in_use``: forgetting would lose points."""

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
    used: Sequence[bytes],
    caller: Caller,
    now: datetime,
) -> list[Withdrawn]:
    """Withdraw what the file said about these members; what became of each. ``used`` are those that hold points."""
    numbers = [
        number
        for chunk in bulk.in_chunks(sorted(member_ids))
        for number in db.execute(select(member.c.employee_id).where(member.c.id.in_(chunk))).scalars()
    ]
    held = {each.id: each for each in member_writing.lock(db, partner.id, numbers).values()}
    said = _entries(db, sorted(held))
    batch = member_writing.Batch(partner, (), (), None, caller, now)
    outcomes: list[Withdrawn] = []
    drafts: list[Draft] = []
    forgotten: list[bytes] = []
    for member_id in sorted(held):
        rows = said[member_id]
        own = [row for row in rows if row["source_id"] == file_id]
        latest = max(row["seq"] for row in own)
        if any(row["seq"] > latest and row["source_id"] != file_id for row in rows):
            outcomes.append(Withdrawn(member_id, "changed_since"))
        elif len(own) == len(rows):
            in_use = member_id in used
            outcomes.append(Withdrawn(member_id, "in_use" if in_use else "forgotten"))
            if not in_use:
                forgotten.append(member_id)
        else:
            drafts.append(_draft(held[member_id], rows, file_id, batch))
            _set_aside(db, rows, file_id, now)
            outcomes.append(Withdrawn(member_id, "restored"))
    member_writing.rewrite(db, batch, drafts)
    _forget(db, forgotten)
    return outcomes


def _entries(db: Connection, member_ids: Sequence[bytes]) -> dict[bytes, list[dict[str, Any]]]:
    """All that was ever said about these members and was not withdrawn, in the order in which it was said."""
    found: dict[bytes, list[dict[str, Any]]] = {member_id: [] for member_id in member_ids}
    for chunk in bulk.in_chunks(list(member_ids)):
        query = select(member_history).where(_HISTORY.member_id.in_(chunk), _HISTORY.revision > 0)
        for row in db.execute(query.order_by(_HISTORY.seq)).mappings():
            found[row["member_id"]].append(dict(row))
    return found


def _draft(held: Held, rows: Sequence[Mapping[str, Any]], file_id: bytes, batch: member_writing.Batch) -> Draft:
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
