"""Trials of large files: asked for, begun, taken up under a lease, carried on by compare-and-set, and read."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound
from chalicelib.files.models.trials import file_trial
from chalicelib.files.register.refusals import TurnLost
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

#: Takings of one trial without progress before it is given up.
ATTEMPTS_MAX: Final = 10
_TRIAL = file_trial.c


class TrialBegun(Conflict):
    """A trial begins once."""

    code = "trial_begun"


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial; each field is the column of that name (``models.trials.file_trial`` says what it means)."""

    id: bytes
    partner_id: bytes
    kind: str
    file_id: bytes | None
    layout_name: str
    layout_version_id: bytes
    name: str
    object_key: str | None
    size_bytes: int
    rules: str | None
    state: str
    parts: int | None
    part: int
    figures: str
    reason_code: str | None
    reason: str | None
    lease_until: datetime | None
    attempts: int
    actor: str
    correlation_id: str
    requested_at: datetime
    changed_at: datetime
    finished_at: datetime | None

    @property
    def public_id(self) -> str:
        """The trial as callers name it."""
        return public_id("trl", self.id)

    @property
    def found(self) -> dict[str, Any]:
        """What has come of it so far."""
        figures: dict[str, Any] = json.loads(self.figures)
        return figures


def create(
    db: Connection,
    values: Mapping[str, Any],
    *,
    figures: Mapping[str, Any] = MappingProxyType({}),
    caller: Caller,
    now: datetime,
) -> Trial:
    """Keep a new trial; ``values`` are its columns."""
    row: dict[str, Any] = {
        "id": new_id(),
        "figures": json.dumps(dict(figures), ensure_ascii=False),
        "part": 0,
        "attempts": 0,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "requested_at": now,
        "changed_at": now,
        **values,
    }
    bulk.insert(db, file_trial, [row])
    return load(db, row["id"])


def put(db: Connection, trial_id: bytes, values: Mapping[str, Any]) -> Trial:
    """Set columns of a trial that is not begun."""
    db.execute(update(file_trial).where(_TRIAL.id == trial_id, _TRIAL.state == "awaiting").values(dict(values)))
    return load(db, trial_id)


def load(db: Connection, trial_id: bytes) -> Trial:
    """One trial. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": trial_id}).first()
    if row is None:
        raise NotFound("There is no such trial.")
    return Trial(*row)


def begin(db: Connection, trial_id: bytes, *, now: datetime) -> Trial:
    """Let the workers begin, since the content is there. Raises NotFound, TrialBegun."""
    begun = (
        update(file_trial)
        .where(_TRIAL.id == trial_id, _TRIAL.state == "awaiting")
        .values(state="working", changed_at=now)
    )
    if db.execute(begun).rowcount != 1:
        load(db, trial_id)
        raise TrialBegun("The trial has begun: read how far it is.")
    return load(db, trial_id)


def mark_made(db: Connection, trial_id: bytes, *, now: datetime) -> bool:
    """Note that the difference of a comparison is made; False when it was before."""
    made = update(file_trial).where(_TRIAL.id == trial_id, _TRIAL.state == "done").values(state="made", changed_at=now)
    return bool(db.execute(made).rowcount)


def take(db: Connection, trial_id: bytes, *, part: int | None, now: datetime) -> Trial | None:
    """The trial under a lease of the caller's; None when it is not to be worked on, or is beyond ``part``.

    A trial that was taken too often without progress comes back ``failed``.
    """
    row = db.execute(_BY_ID.with_for_update(), {"id": trial_id}).first()
    if row is None:
        return None
    found = Trial(*row)
    held = found.lease_until is not None and found.lease_until > now
    if found.state != "working" or held or (part is not None and part != found.part):
        return None
    values: dict[str, Any] = {"lease_until": _token(now), "attempts": found.attempts + 1, "changed_at": now}
    if found.attempts >= ATTEMPTS_MAX:
        reason = f"The hub tried {ATTEMPTS_MAX} times and could not go on; an engineer has to look at it."
        values |= {"state": "failed", "reason_code": "gave_up", "reason": reason, "finished_at": now}
    db.execute(update(file_trial).where(_TRIAL.id == trial_id).values(values))
    return load(db, trial_id)


def write(db: Connection, held: Trial, values: Mapping[str, Any], *, now: datetime) -> Trial:
    """Move a trial on and prolong the lease. Raises TurnLost when another handler has it."""
    moved = {"lease_until": max(_token(now), held.lease_until or now), "changed_at": now, "attempts": 0, **values}
    own = (_TRIAL.id == held.id, _TRIAL.lease_until == held.lease_until, _TRIAL.part == held.part)
    if db.execute(update(file_trial).where(*own).values(moved)).rowcount != 1:
        raise TurnLost("The trial of a file is in other hands.")
    return load(db, held.id)


def release(db: Connection, held: Trial, *, blameless: bool, now: datetime) -> None:
    """Let others take the trial at once. ``blameless``: this taking does not count as a failed attempt."""
    values: dict[str, Any] = {"lease_until": None, "changed_at": now}
    if blameless:
        values["attempts"] = max(0, held.attempts - 1)
    db.execute(update(file_trial).where(_TRIAL.id == held.id, _TRIAL.lease_until == held.lease_until).values(values))


def stuck(db: Connection, *, now: datetime, before: datetime, limit: int) -> list[tuple[str, int]]:
    """Trials that nobody works on, as a message names them."""
    unheld = _TRIAL.lease_until.is_(None) | (_TRIAL.lease_until <= now)
    query = (
        select(_TRIAL.id, _TRIAL.part)
        .where(_TRIAL.state == "working", unheld, _TRIAL.changed_at <= before)
        .order_by(_TRIAL.id)
        .limit(limit)
    )
    return [(public_id("trl", row.id), row.part) for row in db.execute(query)]


def _token(now: datetime) -> datetime:
    return now + timedelta(seconds=settings().file_lease_s)


_BY_ID: Final = select(*(_TRIAL[name] for name in Trial.__slots__)).where(_TRIAL.id == bindparam("id"))
