"""Under which number a system knows a member, and when: the HR system's employee, the store's customer number."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.engine import Connection

from chalicelib.partners.members.drafting import Draft
from chalicelib.partners.members.periods import Period, reconciled
from chalicelib.partners.members.roster import intervals
from chalicelib.partners.models.partners import member_identity as table
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

#: The system whose number the roster carries.
HR: Final = "hrms"
#: Commerce Cloud.
STORE: Final = "sfcc"
SALESFORCE: Final = "salesforce"


def customer_numbers(
    db: Connection, member_ids: Collection[bytes], *, system: str = STORE, on: date
) -> dict[bytes, str]:
    """The number under which ``system`` knows each member on a day; members that it does not know are left out."""
    found: dict[bytes, str] = {}
    for chunk in bulk.in_chunks(sorted(set(member_ids))):
        rows = db.execute(
            select(table.c.member_id, table.c.external_id)
            .where(
                table.c.member_id.in_(chunk),
                table.c.system == system,
                table.c.valid_from <= on,
                (table.c.valid_to.is_(None)) | (table.c.valid_to >= on),
            )
            .order_by(table.c.valid_from)
        )
        found.update((row.member_id, row.external_id) for row in rows)
    return found


def follow(db: Connection, partner_id: bytes, drafts: Sequence[Draft]) -> None:
    """Let the employee numbers of the HR system follow employment: one period for each time somebody is employed."""
    changed = [draft for draft in drafts if draft.since is not None]
    stored = _stored(db, [draft.member_id for draft in changed if draft.held is not None])
    added, ended = [], []
    for draft in changed:
        assert draft.since is not None  # noqa: S101 - selected above
        wanted = intervals(draft.course, lambda _entry: True, since=draft.since)
        changes = reconciled(stored.get(draft.member_id, ()), wanted, draft.since)
        added += [(draft, since, until) for since, until in changes.added]
        ended += [{"id": period_id, "valid_to": until} for period_id, until in changes.ends]
    rows = [
        {
            "id": identity_id,
            "partner_id": partner_id,
            "member_id": draft.member_id,
            "system": HR,
            "external_id": draft.employee_id,
            "valid_from": since,
            "valid_to": until,
        }
        for identity_id, (draft, since, until) in zip(new_ids(len(added)), added, strict=True)
    ]
    bulk.insert(db, table, rows)
    bulk.update_by_key(db, table, sorted(ended, key=lambda row: row["id"]), key=["id"], set_=["valid_to"])


def know(
    db: Connection, partner_id: bytes, numbers: Mapping[bytes, str], *, system: str = STORE, since: date
) -> list[bytes]:
    """Let a system know members of one partner under these numbers from a day on; the members for whom that is new.

    The number that it knew a member under before ends the day before.
    """
    open_periods: defaultdict[bytes, list[Row[Any]]] = defaultdict(list)
    for chunk in bulk.in_chunks(sorted(numbers)):
        query = select(table).where(table.c.member_id.in_(chunk), table.c.system == system, table.c.valid_to.is_(None))
        for row in db.execute(query):
            open_periods[row.member_id].append(row)
    changed = sorted(
        member_id
        for member_id, number in numbers.items()
        if number not in {row.external_id for row in open_periods[member_id]}
    )
    ended = [
        {"id": row.id, "valid_to": since - timedelta(days=1)}
        for member_id in changed
        for row in open_periods[member_id]
    ]
    bulk.update_by_key(db, table, sorted(ended, key=lambda row: row["id"]), key=["id"], set_=["valid_to"])
    rows = [
        {
            "id": identity_id,
            "partner_id": partner_id,
            "member_id": member_id,
            "system": system,
            "external_id": numbers[member_id],
            "valid_from": since,
            "valid_to": None,
        }
        for identity_id, member_id in zip(new_ids(len(changed)), changed, strict=True)
    ]
    rows.sort(key=lambda row: str(row["external_id"]))
    bulk.upsert(
        db,
        table,
        rows,
        key=("partner_id", "system", "external_id", "valid_from"),
        update=("member_id", "valid_to"),
    )
    return changed


def unknow(db: Connection, numbers: Mapping[bytes, Collection[str]], *, system: str = STORE, on: date) -> None:
    """Let a system not know members under these numbers from a day on; the number that they had before goes on."""
    for member_id, gone in sorted(numbers.items()):
        periods = db.execute(
            select(table).where(table.c.member_id == member_id, table.c.system == system).order_by(table.c.valid_from)
        ).all()
        for period in periods:
            if period.valid_to is not None or period.external_id not in gone:
                continue
            before = [each for each in periods if each.valid_to == period.valid_from - timedelta(days=1)]
            ended = {"id": period.id, "valid_to": on - timedelta(days=1)}
            again = [{"id": each.id, "valid_to": None} for each in before if each.valid_from <= each.valid_to][-1:]
            bulk.update_by_key(db, table, sorted([ended, *again], key=_id_of), key=["id"], set_=["valid_to"])


def _id_of(row: Mapping[str, Any]) -> bytes:
    found: bytes = row["id"]
    return found


def _stored(db: Connection, member_ids: Sequence[bytes]) -> dict[bytes, list[Period]]:
    found: dict[bytes, list[Period]] = defaultdict(list)
    for chunk in bulk.in_chunks(sorted(member_ids)):
        rows = db.execute(
            select(table.c.member_id, table.c.id, table.c.valid_from, table.c.valid_to)
            .where(table.c.member_id.in_(chunk), table.c.system == HR)
            .order_by(table.c.valid_from)
        )
        for member_id, *period in rows:
            found[member_id].append(Period(*period))
    return found
