"""Runs that take files back: asked for, taken up under a lease, carried on by compare-and-set, and read.

While a run is not finished its file is ``rolling_back``: nobody mends its rows, and its partner's other files wait.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict
from chalicelib.files.models.files import inbound_file
from chalicelib.files.models.rollbacks import file_rollback, file_rollback_left
from chalicelib.files.register import register
from chalicelib.files.register.refusals import TurnLost
from chalicelib.files.register.register import InboundFile
from chalicelib.points.corrections.taking_back import Sums
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

#: What is taken back one after the other: what came last, first.
STAGES: Final = (
    "corrections", "mended", "rows", "brought", "words", "gaps", "documents", "members", "entries",
)  # fmt: skip
#: The checkpoint of a stage that has not begun: more than any number that is counted down from.
LAST: Final = 2**62
#: Takings of one run without progress before it is given up.
ATTEMPTS_MAX: Final = 10
#: What is left of these is taken back by another run, once what stands in its way is gone.
_MAY_GO_LATER: Final = frozenset(
    {"points_spent", "points_held", "member_changed_since", "member_in_use", "document_in_use", "entry_changed_since"}
)
_RUN = file_rollback.c
_LEFT = file_rollback_left.c
_FILE = inbound_file.c


class FileNotReversible(Conflict):
    """Only a file whose rows took effect can be taken back, and only once."""

    code = "file_not_reversible"


@dataclass(frozen=True, slots=True)
class Rollback:
    """One run; each field is the column of that name (``rollback_models.file_rollback`` says what it means)."""

    id: bytes
    partner_id: bytes
    file_id: bytes
    run_no: int
    reason: str
    stage: str
    slice_no: int
    checkpoint: int
    lease_until: datetime | None
    attempts: int
    undone: int
    left_over: int
    points: str
    actor: str
    correlation_id: str
    requested_at: datetime
    changed_at: datetime
    finished_at: datetime | None

    @property
    def caller(self) -> Caller:
        """As whom the run acts: who asked for it."""
        return Caller(self.actor, self.correlation_id)

    @property
    def sums(self) -> dict[bytes, Sums]:
        """What became of the points, by program."""
        return {bytes.fromhex(key): Sums(**sums) for key, sums in json.loads(self.points).items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that a run had to leave, whole or in part. ``row_no`` None: it has no row of the file."""

    number: int
    kind: str
    subject_id: bytes
    entry_code: str | None
    row_no: int | None
    code: str
    program_id: bytes | None
    amount_minor: int


def require_reversible(file: InboundFile) -> None:
    """Raise FileNotReversible unless rows of the file took effect."""
    if file.finished_at is None or file.rows_total is None or file.state not in {"processed", "broken"}:
        raise FileNotReversible(f"The file is {file.state}: a file is taken back once its rows took effect.")


def request(db: Connection, file_id: bytes, *, reason: str, caller: Caller, now: datetime) -> tuple[Rollback, bool]:
    """Begin to take a processed file back, and say whether that is new; asked again, it is the run that there is.

    A file that was taken back but for what had to stay may be tried again. Raises NotFound, FileNotReversible.
    """
    file = register.lock(db, file_id)
    latest = of_file(db, file_id)
    if file.state == "rolling_back" and latest is not None:
        return latest, False
    if file.state == "rolled_back" and latest is not None:
        if not _may_go_later(db, latest):
            return latest, False
    else:
        require_reversible(file)
    row: dict[str, Any] = {
        "id": new_id(),
        "partner_id": file.partner_id,
        "file_id": file.id,
        "run_no": 1 if latest is None else latest.run_no + 1,
        "reason": reason,
        "stage": STAGES[0],
        "slice_no": 0,
        "checkpoint": LAST,
        "attempts": 0,
        "undone": 0,
        "left_over": 0,
        "points": "{}",
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "requested_at": now,
        "changed_at": now,
    }
    bulk.insert(db, file_rollback, [row])
    db.execute(update(inbound_file).where(_FILE.id == file.id).values(state="rolling_back", changed_at=now))
    audit.record(
        db,
        caller=caller,
        action="file.rollback_requested",
        subject=file.public_id,
        partner_id=file.partner_id,
        before={"state": file.state},
        after={"state": "rolling_back", "run_no": row["run_no"]},
        reason=reason,
        now=now,
    )
    made = of_file(db, file.id)
    assert made is not None  # noqa: S101 - it was just written
    return made, True


def of_file(db: Connection, file_id: bytes) -> Rollback | None:
    """The latest run that takes a file back, if there is one."""
    row = db.execute(_OF_FILE, {"file_id": file_id}).first()
    return None if row is None else Rollback(*row)


def take(db: Connection, rollback_id: bytes, *, slice_no: int | None, now: datetime) -> Rollback | None:
    """The run under a lease of the caller's; None when it is finished, in other hands or further on than ``slice_no``.

    A run that was taken too often without progress comes back in stage ``failed``.
    """
    row = db.execute(_BY_ID.with_for_update(), {"id": rollback_id}).first()
    if row is None:
        return None
    found = Rollback(*row)
    held = found.lease_until is not None and found.lease_until > now
    if found.finished_at is not None or held or (slice_no is not None and slice_no != found.slice_no):
        return None
    values: dict[str, Any] = {"lease_until": _token(now), "attempts": found.attempts + 1, "changed_at": now}
    if found.attempts >= ATTEMPTS_MAX:
        values["stage"] = "failed"
    db.execute(update(file_rollback).where(_RUN.id == rollback_id).values(values))
    return Rollback(*db.execute(_BY_ID, {"id": rollback_id}).one())


def write(db: Connection, held: Rollback, values: Mapping[str, Any], *, now: datetime) -> Rollback:
    """End a slice: move the run on, prolong the lease. Raises TurnLost when another handler has it."""
    token = max(_token(now), held.lease_until or now)
    moved = {"lease_until": token, "changed_at": now, "attempts": 0, "slice_no": held.slice_no + 1, **values}
    changed = db.execute(
        update(file_rollback)
        .where(_RUN.id == held.id, _RUN.lease_until == held.lease_until, _RUN.slice_no == held.slice_no)
        .values(moved)
    )
    if changed.rowcount != 1:
        raise TurnLost("The rollback of a file is in other hands.")
    return Rollback(*db.execute(_BY_ID, {"id": held.id}).one())


def lock(db: Connection, held: Rollback) -> None:
    """Lock the run for the rest of the transaction. Raises TurnLost when another handler has it."""
    row = db.execute(_BY_ID.with_for_update(), {"id": held.id}).one()
    if (row.lease_until, row.slice_no) != (held.lease_until, held.slice_no):
        raise TurnLost("The rollback of a file is in other hands.")


def release(db: Connection, held: Rollback, *, blameless: bool, now: datetime) -> None:
    """Let others take the run at once. ``blameless``: this taking does not count as a failed attempt."""
    values: dict[str, Any] = {"lease_until": None, "changed_at": now}
    if blameless:
        values["attempts"] = max(0, held.attempts - 1)
    db.execute(update(file_rollback).where(_RUN.id == held.id, _RUN.lease_until == held.lease_until).values(values))


def keep_left(db: Connection, held: Rollback, left: Sequence[Kept]) -> None:
    """Write down what a slice had to leave."""
    rows = [
        {name: getattr(each, name) for name in Kept.__slots__} | {"rollback_id": held.id, "partner_id": held.partner_id}
        for each in left
    ]
    bulk.insert(db, file_rollback_left, rows)


def left(db: Connection, rollback_id: bytes, *, after: int = 0, limit: int) -> list[Kept]:
    """Up to ``limit`` things that a run had to leave, in its order."""
    query = (
        select(*(_LEFT[name] for name in Kept.__slots__))
        .where(_LEFT.rollback_id == rollback_id, _LEFT.number > after)
        .order_by(_LEFT.number)
        .limit(limit)
    )
    return [Kept(*row) for row in db.execute(query)]


def stuck(db: Connection, *, now: datetime, before: datetime, limit: int) -> list[tuple[str, int]]:
    """Runs that nobody works on, as a message names them."""
    unheld = _RUN.lease_until.is_(None) | (_RUN.lease_until <= now)
    query = (
        select(_RUN.id, _RUN.slice_no)
        .where(_RUN.finished_at.is_(None), unheld, _RUN.changed_at <= before)
        .order_by(_RUN.id)
        .limit(limit)
    )
    return [(public_id("rbk", row.id), row.slice_no) for row in db.execute(query)]


def _may_go_later(db: Connection, of: Rollback) -> bool:
    query = select(func.count()).where(_LEFT.rollback_id == of.id, _LEFT.code.in_(sorted(_MAY_GO_LATER)))
    return bool(db.execute(query).scalar())


def _token(now: datetime) -> datetime:
    return now + timedelta(seconds=settings().file_lease_s)


_COLUMNS: Final = tuple(_RUN[name] for name in Rollback.__slots__)
_BY_ID: Final = select(*_COLUMNS).where(_RUN.id == bindparam("id"))
_OF_FILE: Final = select(*_COLUMNS).where(_RUN.file_id == bindparam("file_id")).order_by(_RUN.run_no.desc()).limit(1)
