"""Accounts: who holds points in which program, under which id, and how their rows are locked.

An account's id follows from its program, kind and owner (``partners.account_ids``), so a writer locks by primary key
without looking the id up, and two writers who create the same account make the same row. Every lock is taken in the
order of ids, before any other row of the ledger is written: two batches never wait for each other in a circle, save
when both create accounts that the other locks; the edge then tries the transaction again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, ScalarSelect, Select, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.partners.account_ids import HOUSE, MEMBER, account_id
from chalicelib.points.models.ledger import account
from chalicelib.records import dataclass
from chalicelib.storage import bulk

HouseKind = Literal["issuance", "opening", "redemption", "expiry", "adjustment", "carry_over", "pay_out"]
HOUSE_KINDS: tuple[HouseKind, ...] = get_args(HouseKind)


@dataclass(slots=True)
class Locked:
    """A member account whose row this transaction holds locked. The counters are in minor units.

    Writers move ``entry_no`` and the counters here as they post, then write the row once. ``overdrawn_minor`` is what
    reversals took that was not there any more; it is owed, and not available until it has been earned.
    ``unearned_minor`` is what was credited without being earned, or earned and taken back.
    """

    id: bytes
    entry_no: int
    hold_changes: int
    debits_pending: int
    debits_posted: int
    credits_posted: int
    overdrawn_minor: int
    unearned_minor: int
    partner_id: bytes
    program_id: bytes

    @property
    def version(self) -> int:
        """Grows with every entry and every change of a hold."""
        return self.entry_no + self.hold_changes


_COUNTERS: tuple[ColumnElement[Any], ...] = (
    account.c.id,
    account.c.entry_no,
    account.c.hold_changes,
    account.c.debits_pending,
    account.c.debits_posted,
    account.c.credits_posted,
    account.c.overdrawn_minor,
    account.c.unearned_minor,
)
_LOCK: Select[Any] = (
    select(*_COUNTERS, account.c.partner_id, account.c.program_id).where(account.c.kind == MEMBER).with_for_update()
)
_LOCK_ONE = _LOCK.where(account.c.id == bindparam("id"))
_LOCK_ALL = (
    select(*_COUNTERS, account.c.partner_id, account.c.program_id)
    .where(account.c.id.in_(bindparam("ids", expanding=True)), account.c.kind == MEMBER)
    .order_by(account.c.id)
    .with_for_update()
)
_KNOWN = select(account.c.id).where(account.c.id.in_(bindparam("ids", expanding=True)))
# Only what is not known already: a batch reads thousands of these.
_LOCK_MANY = (
    select(*_COUNTERS)
    .where(account.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(account.c.id)
    .with_for_update()
)


def named_by(found: ScalarSelect[bytes]) -> Select[Any]:
    """A query for ``lock``, made once: the member account whose id ``found`` reads from the row of id ``:id``.

    Only the account is locked; what ``found`` reads must never change.
    """
    return _LOCK.where(account.c.id == found)


def lock(db: Connection, key: bytes, by: Select[Any] = _LOCK_ONE) -> Locked:
    """The member account of this id, or that ``by`` finds for it, locked. Raises NotFound when there is none."""
    row = db.execute(by, {"id": key}).one_or_none()
    if row is None:
        raise NotFound("There is no such member account.")
    return _locked(row)


def lock_members(
    db: Connection, partner_id: bytes, owners: Mapping[bytes, tuple[bytes, bytes]], *, now: datetime
) -> dict[bytes, Locked]:
    """Lock the member accounts named by ``owners`` (account id -> program id, member id); open those that are missing.

    With a member's first account in a program its house accounts are opened too, so no posting looks one up.
    """
    locked = _lock_existing(db, partner_id, owners, sorted(owners))
    missing = sorted(owners.keys() - locked.keys())
    if not missing:
        return locked
    open_houses(db, partner_id, sorted({owners[key][0] for key in missing}), now=now)
    insert_missing(db, [_row(partner_id, owners[key][0], MEMBER, owners[key][1], now) for key in missing])
    # Those that another writer opened in the meantime are committed by now, and not ours: lock them like the rest.
    return locked | _lock_existing(db, partner_id, owners, missing)


def insert_missing(db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert account rows, leaving those alone that exist already."""
    ordered = sorted(rows, key=lambda row: (row["program_id"], row["kind"], row["owner_id"]))
    bulk.insert_new(db, account, ordered, key=("program_id", "kind", "owner_id"))


def lock_existing(db: Connection, accounts: Iterable[bytes]) -> list[Locked]:
    """The member accounts of these ids, locked in the order of ids; unknown ones are left out."""
    return [
        _locked(row)
        for chunk in bulk.in_chunks(sorted(set(accounts)))
        for row in db.execute(_LOCK_ALL, {"ids": chunk}).all()
    ]


def open_houses(db: Connection, partner_id: bytes, program_ids: Sequence[bytes], *, now: datetime) -> None:
    """Open the house accounts that programs do not have yet."""
    # Looked for first: they are nearly always there, and an insert that is refused costs more than a look.
    rows = {
        row["id"]: row
        for each in program_ids
        for kind in HOUSE_KINDS
        for row in [_row(partner_id, each, kind, HOUSE, now)]
    }
    for chunk in bulk.in_chunks(sorted(rows)):
        for known in db.execute(_KNOWN, {"ids": chunk}).scalars():
            del rows[known]
    if rows:
        insert_missing(db, rows.values())


def _lock_existing(
    db: Connection, partner_id: bytes, owners: Mapping[bytes, tuple[bytes, bytes]], ids: Sequence[bytes]
) -> dict[bytes, Locked]:
    return {
        row[0]: _locked((*row, partner_id, owners[row[0]][0]))
        for chunk in bulk.in_chunks(ids)
        for row in db.execute(_LOCK_MANY, {"ids": chunk}).all()
    }


def _locked(columns: Sequence[Any]) -> Locked:
    """The columns of ``_COUNTERS``, then partner and program."""
    return Locked(*columns)


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
        "hold_changes": 0,
        "overdrawn_minor": 0,
        "unearned_minor": 0,
        "created_at": now,
        "changed_at": now,
    }
