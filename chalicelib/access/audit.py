"""The audit trail: who did what, to what, when and why, in the transaction of the change itself."""

import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

_INSERT: Final = insert(audit_event)


def record(
    db: Connection,
    *,
    caller: Caller,
    action: str,
    subject: str,
    partner_id: bytes | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
    now: datetime,
) -> None:
    """Note that ``caller`` did ``action`` (``partner.suspended``) to ``subject`` (a public id or code).

    ``before`` and ``after`` hold what changed and nothing personal; ``partner_id`` None is a change of the hub itself.
    """
    db.execute(
        _INSERT,
        {
            "id": new_id(),
            "at": now,
            "actor": caller.actor,
            "action": action,
            "subject": subject,
            "partner_id": partner_id,
            "before": _text(before),
            "after": _text(after),
            "reason": reason,
            "correlation_id": caller.correlation_id,
        },
    )


def forget_reasons(db: Connection, subjects: Collection[str]) -> int:
    """Take out why people said that they did something to these subjects; of how many entries.

    Only for words about a person who is erased: who did what, and when, stays.
    """
    changed = 0
    for chunk in bulk.in_chunks(sorted(set(subjects))):
        changed += db.execute(
            update(audit_event)
            .where(audit_event.c.subject.in_(chunk), audit_event.c.reason.is_not(None))
            .values(reason=None)
        ).rowcount
    return changed


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry of the trail; ``seq`` orders it among its neighbours, newest last."""

    seq: int
    id: bytes
    at: datetime
    actor: str
    action: str
    subject: str
    partner_id: bytes | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    correlation_id: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None is no condition. ``since`` is inclusive, ``until`` exclusive."""

    partner_id: bytes | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def newest_first(db: Connection, wanted: AuditFilter, *, before_seq: int | None, limit: int) -> list[AuditEvent]:
    """Up to ``limit`` entries, newest first, older than ``before_seq``."""
    column = audit_event.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.partner_id is not None:
        conditions.append(column.partner_id == wanted.partner_id)
    if wanted.actor is not None:
        conditions.append(column.actor == wanted.actor)
    if wanted.action is not None:
        conditions.append(column.action == wanted.action)
    if wanted.subject is not None:
        conditions.append(column.subject == wanted.subject)
    if wanted.since is not None:
        conditions.append(column.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(column.at < wanted.until)
    if before_seq is not None:
        conditions.append(column.seq < before_seq)
    rows = db.execute(select(audit_event).where(*conditions).order_by(column.seq.desc()).limit(limit)).mappings()
    return [AuditEvent(**{**row, "before": _parsed(row["before"]), "after": _parsed(row["after"])}) for row in rows]


def _text(values: Mapping[str, Any] | None) -> str | None:
    if values is None:
        return None
    return json.dumps(dict(values), default=_plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"An audit entry cannot hold a {type(value).__name__}.")


def _parsed(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
