"""Whose turn it is: one file of a partner at a time, layouts by rank, then by arrival, under a lease on the file row.

The lease's end is its token. A handler that lost its lease can change nothing: every write here compares the token.
Files of an unknown layout or partner need no turn: they are only moved aside.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.files.models.files import inbound_file
from chalicelib.files.models.rollbacks import file_rollback
from chalicelib.files.register.refusals import TurnLost
from chalicelib.files.register.register import UNDECIDED, InboundFile, load
from chalicelib.records import dataclass
from chalicelib.settings import settings

#: Takings of one file without progress before it is given up: more than one message's five tries.
ATTEMPTS_MAX = 10

_COLUMNS = inbound_file.c
_UNFINISHED = (
    select(_COLUMNS.id, _COLUMNS.rank, _COLUMNS.arrived_at, _COLUMNS.state, _COLUMNS.lease_until)
    .where(_COLUMNS.partner_id == bindparam("partner_id"), _COLUMNS.finished_at.is_(None))
    .order_by(_COLUMNS.rank, _COLUMNS.arrived_at, _COLUMNS.id)
)
_BEING_TAKEN_BACK = (
    select(file_rollback.c.id)
    .where(file_rollback.c.partner_id == bindparam("partner_id"), file_rollback.c.finished_at.is_(None))
    .limit(1)
)
_LOCKED = (
    select(_COLUMNS.slice_no)
    .where(_COLUMNS.id == bindparam("file_id"), _COLUMNS.lease_until == bindparam("token"))
    .with_for_update()
)


@dataclass(slots=True)
class Turn:
    """The right to work on one file, as long as nobody takes it over. ``file`` is the row as last written."""

    file: InboundFile
    token: datetime

    @property
    def id(self) -> bytes:
        """The file's id."""
        return self.file.id


def take(db: Connection, file_id: bytes, *, now: datetime) -> Turn | None:
    """The turn of this file, or None when it is finished, held by a live handler, or another file comes first.

    A file that was taken too often without progress comes back in state ``broken``: only its answer is left to give.
    """
    file = load(db, file_id)
    if file.finished_at is not None:
        return None
    if file.rank is None:
        # Held briefly by whoever is first; nothing of other files depends on it.
        locked = db.execute(select(_COLUMNS.lease_until).where(_COLUMNS.id == file_id).with_for_update()).one()
        if locked.lease_until is not None and locked.lease_until > now:
            return None
    elif first_of(db, file.partner_id, now=now) != file_id:
        return None
    return _claimed(db, load(db, file_id), now)


def first_of(db: Connection, partner_id: bytes, *, now: datetime) -> bytes | None:
    """The partner's file that may be worked on now; None when there is none or one is being worked on.

    Locks the partner's unfinished files, so that two handlers cannot both find theirs first.
    """
    rows = db.execute(_UNFINISHED.with_for_update(), {"partner_id": partner_id}).all()
    if db.execute(_BEING_TAKEN_BACK, {"partner_id": partner_id}).first() is not None:
        # What is to be loaded anew would find the ids of its events taken still.
        return None
    if any(row.rank is not None and row.lease_until is not None and row.lease_until > now for row in rows):
        return None
    return _first_ready(rows)


def first_waiting(db: Connection, partner_id: bytes, *, now: datetime) -> bytes | None:
    """The partner's file that comes first now, without locking anything; None when one is being worked on."""
    rows = db.execute(_UNFINISHED, {"partner_id": partner_id}).all()
    if any(row.lease_until is not None and row.lease_until > now for row in rows):
        return None
    return _first_ready(rows)


def _first_ready(rows: Sequence[Any]) -> bytes | None:
    """The first of unfinished rows in order that needs a turn and does not wait for its sidecar."""
    return next((row.id for row in rows if row.rank is not None and row.state != "waiting"), None)


def next_after(db: Connection, turn: Turn) -> bytes | None:
    """The partner's file that comes after this one, to be woken when this one is finished."""
    rows = db.execute(_UNFINISHED, {"partner_id": turn.file.partner_id}).all()
    return _first_ready([row for row in rows if row.id != turn.id])


def _claimed(db: Connection, file: InboundFile, now: datetime) -> Turn:
    token = now + timedelta(seconds=settings().file_lease_s)
    values: dict[str, Any] = {"lease_until": token, "changed_at": now, "attempts": file.attempts + 1}
    if file.started_at is None:
        values["started_at"] = now
    if file.attempts >= ATTEMPTS_MAX and file.state in UNDECIDED:
        values |= {
            "state": "broken",
            "reason_code": "gave_up",
            "reason": f"The hub tried {ATTEMPTS_MAX} times and could not go on at row {file.next_row}; "
            "an engineer has to look at it.",
        }
    db.execute(update(inbound_file).where(_COLUMNS.id == file.id).values(values))
    return Turn(load(db, file.id), token)


def wake(db: Connection, file_id: bytes, *, now: datetime) -> None:
    """Let a file that waits for its sidecar take its turn: the sidecar has come, or will not come any more."""
    db.execute(
        update(inbound_file)
        .where(_COLUMNS.id == file_id, _COLUMNS.state == "waiting")
        .values(state="arrived", changed_at=now)
    )


def lock(db: Connection, turn: Turn) -> None:
    """Lock the file row for the rest of the transaction. Raises TurnLost when another handler has the file."""
    if db.execute(_LOCKED, {"file_id": turn.id, "token": turn.token}).first() is None:
        raise TurnLost(f"File {turn.file.public_id} is held by another handler.")


def write(db: Connection, turn: Turn, values: Mapping[str, Any], *, now: datetime, slice_no: int | None = None) -> Turn:
    """Change the file row, prolong the lease and return the turn that holds it after the commit.

    With ``slice_no`` the checkpoint is compared too. Raises TurnLost when another handler has the file.
    """
    token = max(now + timedelta(seconds=settings().file_lease_s), turn.token)
    held = and_(_COLUMNS.id == turn.id, _COLUMNS.lease_until == turn.token)
    if slice_no is not None:
        held = and_(held, _COLUMNS.slice_no == slice_no)
    changed = db.execute(
        update(inbound_file).where(held).values({"lease_until": token, "changed_at": now, "attempts": 0, **values})
    )
    if changed.rowcount != 1:
        raise TurnLost(f"File {turn.file.public_id} is held by another handler.")
    return Turn(load(db, turn.id), token)


def release(db: Connection, turn: Turn, *, now: datetime, blameless: bool) -> None:
    """Let others take the file at once. ``blameless``: this taking does not count as a failed attempt."""
    values: dict[str, Any] = {"lease_until": None, "changed_at": now}
    if blameless:
        values["attempts"] = max(0, turn.file.attempts - 1)
    db.execute(update(inbound_file).where(_COLUMNS.id == turn.id, _COLUMNS.lease_until == turn.token).values(values))
