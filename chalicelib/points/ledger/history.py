"""Accrual events and ledger entries as they were written, read back one by one or in pages, newest first."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.models.partners import program
from chalicelib.points.models.ledger import account, accrual_event, transfer
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted accrual event. Amounts are minor units at ``scale``; ``facts`` is the JSON of ``deciding.Decision``.

    ``source_file_id`` and the row's place are None for an event that came by API.
    """

    seq: int
    id: bytes
    partner_id: bytes
    event_id: str
    content_hash: bytes
    program_id: bytes
    member_id: bytes
    account_id: bytes
    event_type: str
    event_date: date
    outcome: str
    points_minor: int
    #: Of the points, what was taken back since.
    reversed_minor: int
    #: 0 while the event holds its id; see ``points.models.ledger``.
    generation: int
    ruleset_version_id: bytes
    facts: str
    source_file_id: bytes | None
    row_no: int | None
    byte_offset: int | None
    byte_length: int | None
    actor: str
    correlation_id: str
    received_at: datetime
    scale: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One transfer as an entry of a member's account; ``amount_minor`` is negative when the account was debited."""

    seq: int
    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    member_id: bytes
    entry_no: int
    version: int
    amount_minor: int
    kind: str
    source_id: bytes
    business_date: date
    posted_at: datetime
    scale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a list shows; None filters nothing. ``file_id`` is the file that brought them.

    ``since_day`` is the first date of events that are wanted.
    """

    partner_id: bytes | None = None
    member_id: bytes | None = None
    program_id: bytes | None = None
    file_id: bytes | None = None
    version_id: bytes | None = None
    outcome: str | None = None
    since_day: date | None = None


_EVENTS = select(
    *(program.c.scale if name == "scale" else accrual_event.c[name] for name in Event.__slots__)
).join_from(accrual_event, program, program.c.id == accrual_event.c.program_id)

_ENTRIES = select(
    transfer.c.seq,
    transfer.c.id,
    transfer.c.partner_id,
    transfer.c.program_id,
    transfer.c.account_id,
    account.c.owner_id,
    transfer.c.entry_no,
    transfer.c.version,
    transfer.c.amount_minor,
    transfer.c.kind,
    transfer.c.source_id,
    transfer.c.business_date,
    transfer.c.posted_at,
    program.c.scale,
    transfer.c.debit_account_id,
).select_from(
    transfer.join(account, account.c.id == transfer.c.account_id).join(program, program.c.id == transfer.c.program_id)
)
_EVENT_BY_ID = _EVENTS.where(accrual_event.c.id == bindparam("id"))
_ENTRY_BY_ID = _ENTRIES.where(transfer.c.id == bindparam("id"))
_ENTRY_OF_SOURCE = _ENTRIES.where(transfer.c.source_id == bindparam("source_id")).order_by(transfer.c.seq)


def event(db: Connection, accrual_id: bytes) -> Event:
    """One accrual event. Raises NotFound."""
    row = db.execute(_EVENT_BY_ID, {"id": accrual_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such accrual.")
    return Event(*row)


def events(db: Connection, wanted: EventFilter, *, before_seq: int | None, limit: int) -> list[Event]:
    """Up to ``limit`` events, newest first, older than ``before_seq``."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.partner_id is not None:
        conditions.append(accrual_event.c.partner_id == wanted.partner_id)
    if wanted.member_id is not None:
        # By the accounts, which are indexed: one for each program.
        owned = select(account.c.id).where(account.c.owner_id == wanted.member_id, account.c.kind == MEMBER)
        conditions.append(accrual_event.c.account_id.in_(owned))
    if wanted.program_id is not None:
        conditions.append(accrual_event.c.program_id == wanted.program_id)
    if wanted.file_id is not None:
        conditions.append(accrual_event.c.source_file_id == wanted.file_id)
    if wanted.version_id is not None:
        conditions.append(accrual_event.c.ruleset_version_id == wanted.version_id)
    if wanted.outcome is not None:
        conditions.append(accrual_event.c.outcome == wanted.outcome)
    if wanted.since_day is not None:
        conditions.append(accrual_event.c.event_date >= wanted.since_day)
    if before_seq is not None:
        conditions.append(accrual_event.c.seq < before_seq)
    query = _EVENTS.where(*conditions).order_by(accrual_event.c.seq.desc()).limit(limit)
    return [Event(*row) for row in db.execute(query)]


def entry(db: Connection, transfer_id: bytes) -> Entry:
    """One entry of a member's account. Raises NotFound."""
    row = db.execute(_ENTRY_BY_ID, {"id": transfer_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such ledger entry.")
    return _entry(row)


def entries_of_source(db: Connection, source_id: bytes) -> list[Entry]:
    """What one accrual event, redemption, … moved, in order."""
    return [_entry(row) for row in db.execute(_ENTRY_OF_SOURCE, {"source_id": source_id})]


def entries(
    db: Connection, member_id: bytes, *, program_id: bytes | None = None, before_seq: int | None, limit: int
) -> list[Entry]:
    """Up to ``limit`` entries of the member's accounts, newest first, older than ``before_seq``."""
    conditions: list[ColumnElement[bool]] = [account.c.owner_id == member_id, account.c.kind == MEMBER]
    if program_id is not None:
        conditions.append(account.c.program_id == program_id)
    if before_seq is not None:
        conditions.append(transfer.c.seq < before_seq)
    query = _ENTRIES.where(*conditions).order_by(transfer.c.seq.desc()).limit(limit)
    return [_entry(row) for row in db.execute(query)]


def _entry(row: Sequence[Any]) -> Entry:
    made = dict(zip(Entry.__slots__, row[:-1], strict=True))
    debited = row[-1]
    if debited == made["account_id"]:
        made["amount_minor"] = -made["amount_minor"]
    return Entry(**made)
