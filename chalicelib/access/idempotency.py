"""Idempotency-Key: the first request of a key takes effect, the others are given its answer.

The claim is a row in the transaction of the effect, so that both commit or neither. On MySQL a second request waits on
the unique key until the first has ended; on SQLite, writers are serial anyway. Refused requests roll back and leave no
record: the same key may be tried again after mending. Answers are kept encrypted, as they may hold personal data.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.models import idempotency_record
from chalicelib.errors import Broken, Unprocessable
from chalicelib.storage import encryption

_record = idempotency_record.c
_mine = (_record.principal_id == bindparam("of"), _record.idempotency_key == bindparam("key"))
_CLAIM: Final = (
    insert(idempotency_record)
    .prefix_with("IGNORE", dialect="mysql")
    .prefix_with("OR IGNORE", dialect="sqlite")
    .inline()
)
_KEPT: Final = select(_record.route, _record.request_hash, _record.status, _record.body).where(*_mine)
_KEEP: Final = update(idempotency_record).where(*_mine).values(status=bindparam("answered"), body=bindparam("sealed"))
#: Longest key; longer ones are refused at the edge.
KEY_LENGTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Answered:
    """The committed answer of an earlier request."""

    status: int
    body: str


def claim(
    db: Connection, *, principal_id: bytes, key: str, route: str, request_hash: bytes, now: datetime
) -> Answered | None:
    """None when this transaction is the first with the key and must do the work, else the answer to replay.

    Raises Unprocessable (``other_content``) when the key was used for another request.
    """
    row = {
        "principal_id": principal_id,
        "idempotency_key": key,
        "route": route,
        "request_hash": request_hash,
        "created_at": now,
    }
    if db.execute(_CLAIM, row).rowcount:
        return None
    earlier = db.execute(_KEPT, {"of": principal_id, "key": key}).one()
    if (earlier.route, earlier.request_hash) != (route, request_hash):
        raise Unprocessable(
            "The Idempotency-Key was used before for another request: take a new key for new content.",
            code="other_content",
        )
    if earlier.status is None or earlier.body is None:
        raise Broken("An idempotency record was committed without its answer.", code="answer_missing")
    return Answered(earlier.status, encryption.decrypt(earlier.body, bound_to=_binding(principal_id, key)).decode())


def keep(db: Connection, *, principal_id: bytes, key: str, status: int, body: str) -> None:
    """Store the answer with the claim of this transaction."""
    sealed = encryption.encrypt(body.encode(), bound_to=_binding(principal_id, key))
    db.execute(_KEEP, {"of": principal_id, "key": key, "answered": status, "sealed": sealed})


def purge(db: Connection, *, before: datetime, rows_max: int = 1000) -> int:
    """Forget up to ``rows_max`` answers older than ``before``; returns how many. Their keys may then be used anew."""
    old = db.execute(
        select(_record.principal_id, _record.idempotency_key)
        .where(_record.created_at < before)
        .order_by(_record.created_at)
        .limit(rows_max)
    ).all()
    if old:
        db.execute(
            delete(idempotency_record).where(*_mine),
            [{"of": principal_id, "key": key} for principal_id, key in sorted(old)],
        )
    return len(old)


def _binding(principal_id: bytes, key: str) -> bytes:
    return sha256(principal_id + key.encode()).digest()
