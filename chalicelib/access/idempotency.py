"""Idempotency-Key: the first request of a key takes effect, the others are given its answer.

The claim is a row in the transaction of the effect, so that both commit or neither. On MySQL a second request waits on
the unique key until the first has ended; on SQLite, writers are serial anyway. Refused requests roll back and leave no
record: the same key may be tried again after mending. Answers are kept encrypted, as they may hold personal data.
"""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.models import idempotency_record
from chalicelib.errors import Broken, Unprocessable
from chalicelib.records import dataclass
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
_REWRITE: Final = update(idempotency_record).where(*_mine).values(body=bindparam("sealed"))
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


def rewrite(
    db: Connection, change: Callable[[str], str | None], *, after: tuple[bytes, str] | None, rows_max: int
) -> tuple[int, tuple[bytes, str] | None]:
    """Put what ``change`` makes of them in place of kept answers, behind a principal and key; None leaves one alone.

    How many were changed, and the principal and key to go on behind; None at the end. Answers are never read otherwise
    than by the request that they answered: this is for erasing what must be forgotten.
    """
    query = select(_record.principal_id, _record.idempotency_key, _record.body).where(_record.body.is_not(None))
    if after is not None:
        principal_id, key = after
        same = (_record.principal_id == principal_id) & (_record.idempotency_key > key)
        query = query.where((_record.principal_id > principal_id) | same)
    rows = db.execute(query.order_by(_record.principal_id, _record.idempotency_key).limit(rows_max)).all()
    changed = 0
    for principal_id, key, sealed in rows:
        binding = _binding(principal_id, key)
        body = change(encryption.decrypt(sealed, bound_to=binding).decode())
        if body is not None:
            mine = {"of": principal_id, "key": key}
            db.execute(_REWRITE, {**mine, "sealed": encryption.encrypt(body.encode(), bound_to=binding)})
            changed += 1
    return changed, (rows[-1][0], rows[-1][1]) if len(rows) == rows_max else None


def _binding(principal_id: bytes, key: str) -> bytes:
    return sha256(principal_id + key.encode()).digest()
