"""Accounts: who holds points in which program, under which id, and how their rows are locked.

An account's id follows from its program, kind and owner (``partners.account_ids``), so a writer locks by primary key
without looking the id up, and two writers who create the same account make the same row. Every lock is taken in the
order of ids, before any other row of the ledger is written: two batches never wait for each other in a circle, save
when both create accounts that the other locks; the edge then tries the transaction again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.partners.account_ids import HOUSE, MEMBER, account_id
from chalicelib.points.models import account
from chalicelib.storage import bulk

HouseKind = Literal["issuance", "redemption", "expiry", "adjustment"]


@dataclass(slots=True)
class Locked:
    """A member account whose row this transaction holds locked. The counters are in minor units.

    Writers move ``entry_no`` and the counters here as they post, then write the row once.
    """

    id: bytes
    entry_no: int
    debits_pending: int
    debits_posted: int
    credits_posted: int
    partner_id: bytes
    program_id: bytes


_COUNTERS = (
    account.c.id,
    account.c.entry_no,
    account.c.debits_pending,
    account.c.debits_posted,
    account.c.credits_posted,
)
_LOCK_ONE = (
    select(*_COUNTERS, account.c.partner_id, account.c.program_id)
    .where(account.c.id == bindparam("id"), account.c.kind == MEMBER)
    .with_for_update()
)
# Only what is not known already: a batch reads thousands of these.
_LOCK_MANY = (
    select(*_COUNTERS)
    .where(account.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(account.c.id)
    .with_for_update()
)


def lock(db: Connection, account: bytes) -> Locked:
    """The member account, locked. Raises NotFound when there is none with this id."""
    row = db.execute(_LOCK_ONE, {"id": account}).one_or_none()
    if row is None:
        raise NotFound("There is no such member account.")
    return Locked(*row)


def lock_members(
    db: Connection, partner_id: bytes, owners: Mapping[bytes, tuple[bytes, bytes]], *, now: datetime
) -> dict[bytes, Locked]:
    """Lock the member accounts named by ``owners`` (account id -> program id, member id); open those that are missing.

    With a member's first account in a program its issuance account is opened too, so an earning needs no look-up.
    """
    locked = _lock_existing(db, partner_id, owners, sorted(owners))
    missing = sorted(owners.keys() - locked.keys())
    if not missing:
        return locked
    # Apart, since the issuance account is nearly always there: the members' are then all new and need no second look.
    insert_missing(
        db, [_row(partner_id, of_program, "issuance", HOUSE, now) for of_program in {owners[key][0] for key in missing}]
    )
    insert_missing(db, [_row(partner_id, owners[key][0], MEMBER, owners[key][1], now) for key in missing])
    # Those that another writer opened in the meantime are committed by now, and not ours: lock them like the rest.
    return locked | _lock_existing(db, partner_id, owners, missing)


def open_house(db: Connection, partner_id: bytes, program_id: bytes, kind: HouseKind, *, now: datetime) -> bytes:
    """The id of a program's house account, which exists afterwards."""
    row = _row(partner_id, program_id, kind, HOUSE, now)
    insert_missing(db, [row])
    house: bytes = row["id"]
    return house


def insert_missing(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert account rows, leaving those alone that exist already."""
    ordered = sorted(rows, key=lambda row: (row["program_id"], row["kind"], row["owner_id"]))
    bulk.insert_new(db, account, ordered, key=("program_id", "kind", "owner_id"))


def _lock_existing(
    db: Connection, partner_id: bytes, owners: Mapping[bytes, tuple[bytes, bytes]], ids: Sequence[bytes]
) -> dict[bytes, Locked]:
    return {
        row[0]: Locked(*row, partner_id, owners[row[0]][0])
        for chunk in bulk.in_chunks(ids)
        for row in db.execute(_LOCK_MANY, {"ids": chunk}).all()
    }


def _row(partner_id: bytes, program_id: bytes, kind: str, owner_id: bytes, now: datetime) -> dict[str, Any]:
    return {
        "id": account_id(program_id, kind, owner_id),
        "partner_id": partner_id,
        "program_id": program_id,
        "kind": kind,
        "owner_id": owner_id,
        "debits_pending": 0,
        "debits_posted": 0,
        "credits_pending": 0,
        "credits_posted": 0,
        "entry_no": 0,
        "created_at": now,
        "changed_at": now,
    }
