"""Exports that were asked for: what is known of each, as a typed value, and how it gets from one state to the next.

A stream is one export for one receiver. Its files have the numbers 1, 2, 3, … in the order in which they were written:
one export of a stream is written at a time, and a number that was given but not used is given again.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import NOT_YOURS, InterlineError, NotFound
from chalicelib.files.exporting.registry import Asked, Export, Marks, Mode
from chalicelib.files.exporting.writing import Written
from chalicelib.files.models.files import NOBODY, export_file, export_stream
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

State: TypeAlias = Literal["queued", "writing", "written", "empty", "failed"]
OPEN: Final = ("queued", "writing")
#: Takings without an end before an export is given up.
ATTEMPTS_MAX: Final = 10
_COLUMNS = export_file.c


class LeaseLost(InterlineError):
    """Another handler has the export now, or it has ended."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was asked for, beside the export and its receiver."""

    mode: Mode
    day: date
    period: tuple[date, date] | None = None
    reference: str | None = None

    def text(self) -> str:
        """As it is kept."""
        period = None if self.period is None else [each.isoformat() for each in self.period]
        return canonical.text(
            {"mode": self.mode, "day": self.day.isoformat(), "period": period, "reference": self.reference}
        )

    @classmethod
    def of(cls, text: str) -> "Parameters":
        """What ``text`` kept."""
        read = json.loads(text)
        first_last = [date.fromisoformat(each) for each in read["period"] or ()]
        period = (first_last[0], first_last[1]) if first_last else None
        return cls(read["mode"], date.fromisoformat(read["day"]), period, read["reference"])


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One export; each field is the column of that name (``models.export_file`` says what it means)."""

    id: bytes
    partner_id: bytes
    export: str
    receiver: str
    request_key: str
    parameters: str
    layout_hash: bytes | None
    state: State
    file_seq: int | None
    object_key: str | None
    as_of: datetime | None
    rows: int | None
    control_sum: int | None
    size_bytes: int | None
    sha256: bytes | None
    reason_code: str | None
    reason: str | None
    lease_until: datetime | None
    attempts: int
    created_by: str
    correlation_id: str
    created_at: datetime
    finished_at: datetime | None
    changed_at: datetime

    @property
    def public_id(self) -> str:
        """As callers see it."""
        return public_id("exp", self.id)

    @property
    def asked(self) -> Parameters:
        """What was asked for."""
        return Parameters.of(self.parameters)


@dataclass(frozen=True, slots=True)
class Taken:
    """The right to write one export, and what is to be written. ``token`` is the end of the lease."""

    file: ExportFile
    asked: Asked
    object_key: str
    token: datetime

    @property
    def exhausted(self) -> bool:
        """Whether it was tried too often: it only remains to find out how it ended."""
        return self.file.attempts > ATTEMPTS_MAX


_FIELDS: Final = tuple(_COLUMNS[name] for name in ExportFile.__slots__)


def receiver_of(export: Export, partner: Partner | None) -> str:
    """The first part of the key: a partner's folder is its own; no partner's code begins with an underscore."""
    return f"_{export.system}" if partner is None else partner.code


def request(
    db: Connection,
    export: Export,
    partner: Partner | None,
    asked: Parameters,
    *,
    request_key: str | None,
    caller: Caller,
    now: datetime,
) -> tuple[ExportFile, bool]:
    """The export of that receiver and ``request_key``, and whether it is to be written now, as one that had failed is.

    None: it is always another one.
    """
    made = new_id()
    row = {
        "id": made,
        "partner_id": NOBODY if partner is None else partner.id,
        "export": export.name,
        "receiver": receiver_of(export, partner),
        "request_key": request_key or f"request {public_id('exp', made)}",
        "parameters": asked.text(),
        "state": "queued",
        "created_by": caller.actor,
        "correlation_id": caller.correlation_id,
        "created_at": now,
        "changed_at": now,
    }
    if bulk.insert_new(db, export_file, [row], key=["export", "receiver", "request_key"]):
        key = (export.name, row["receiver"], row["request_key"])
        known = select(_COLUMNS.id).where(
            _COLUMNS.export == key[0], _COLUMNS.receiver == key[1], _COLUMNS.request_key == key[2]
        )
        file = load(db, db.execute(known).scalar_one())
        again = (
            update(export_file)
            .where(_COLUMNS.id == file.id, _COLUMNS.state == "failed")
            .values(state="queued", attempts=0, reason_code=None, reason=None, finished_at=None, changed_at=now)
        )
        if not db.execute(again).rowcount:
            return file, False
        made = file.id
    audit.record(
        db,
        caller=caller,
        action="export.requested",
        subject=public_id("exp", made),
        partner_id=None if partner is None else partner.id,
        after={"export": export.name, "receiver": row["receiver"], "request_key": row["request_key"]},
        now=now,
    )
    return load(db, made), True


def load(db: Connection, export_id: bytes) -> ExportFile:
    """The export of that id. Raises NotFound."""
    row = db.execute(select(*_FIELDS).where(_COLUMNS.id == export_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(NOT_YOURS)
    return ExportFile(**row)


def newest_first(
    db: Connection,
    *,
    partner_id: bytes | None = None,
    export: str | None = None,
    state: State | None = None,
    before: bytes | None = None,
    limit: int,
) -> list[ExportFile]:
    """Up to ``limit`` exports, the latest request first, asked for before the one of the id ``before``."""
    conditions: list[ColumnElement[bool]] = []
    if partner_id is not None:
        conditions.append(_COLUMNS.partner_id == partner_id)
    if export is not None:
        conditions.append(_COLUMNS.export == export)
    if state is not None:
        conditions.append(_COLUMNS.state == state)
    if before is not None:
        conditions.append(_COLUMNS.id < before)
    rows = db.execute(select(*_FIELDS).where(*conditions).order_by(_COLUMNS.id.desc()).limit(limit)).mappings()
    return [ExportFile(**row) for row in rows]


def take(db: Connection, export: Export, export_id: bytes, *, now: datetime) -> Taken | None:
    """The right to write an export, with its number and key; None when it has ended, is held, or its stream is busy.

    The number stays the same until it is written or has failed.
    """
    file = load(db, export_id)
    stream = _locked_stream(db, file, now=now)
    locked = db.execute(select(*_FIELDS).where(_COLUMNS.id == export_id).with_for_update()).mappings().one()
    file = ExportFile(**locked)
    if file.state not in OPEN or (file.lease_until is not None and file.lease_until > now):
        return None
    if stream.writing_id not in {None, export_id}:
        return None
    partner = None if file.partner_id == NOBODY else directory.by_id(db, file.partner_id)
    file_seq = stream.last_seq + 1
    parameters = file.asked
    asked = Asked(
        file.receiver,
        partner,
        parameters.mode,
        parameters.day,
        parameters.period,
        parameters.reference,
        now,
        file_seq,
        Marks(),
    )
    key = f"{file.receiver}/{export.name}/{export.file_name(asked)}"
    token = now + timedelta(seconds=settings().file_lease_s)
    values: dict[str, Any] = {
        "state": "writing",
        "file_seq": file_seq,
        "object_key": key,
        "as_of": now,
        "layout_hash": export.layout.digest,
        "lease_until": token,
        "attempts": file.attempts + 1,
        "changed_at": now,
    }
    db.execute(update(export_file).where(_COLUMNS.id == export_id).values(values))
    _move_stream(db, file, writing_id=export_id, changed_at=now)
    return Taken(load(db, export_id), asked, key, token)


def finish(db: Connection, taken: Taken, written: Written | None, *, now: datetime) -> ExportFile:
    """The export as written, or as empty when there is None: its number is then free again. Raises LeaseLost."""
    values: dict[str, Any] = {"state": "empty", "file_seq": None, "object_key": None, "rows": 0}
    stream: dict[str, Any] = {}
    if written is not None:
        values = {
            "state": "written",
            "as_of": written.as_of,
            "rows": written.rows,
            "control_sum": written.control_sum,
            "size_bytes": written.size_bytes,
            "sha256": written.sha256,
        }
        stream = {"last_seq": taken.asked.file_seq}
    return _end(db, taken, values, stream, now=now)


def fail(db: Connection, taken: Taken, *, code: str, reason: str, now: datetime) -> ExportFile:
    """The export as failed; nothing was sent, and its number is free again. Raises LeaseLost."""
    values = {"state": "failed", "file_seq": None, "object_key": None, "reason_code": code, "reason": reason[:500]}
    return _end(db, taken, values, {}, now=now)


def release(db: Connection, taken: Taken, *, blameless: bool, now: datetime) -> None:
    """Let others go on at once. ``blameless``: this taking does not count."""
    attempts = max(1, taken.file.attempts - 1) if blameless else taken.file.attempts
    db.execute(
        update(export_file)
        .where(_COLUMNS.id == taken.file.id, _COLUMNS.state == "writing", _COLUMNS.lease_until == taken.token)
        .values(lease_until=None, attempts=attempts, changed_at=now)
    )


def waiting(db: Connection, *, unchanged_since: datetime, now: datetime, limit: int) -> Sequence[bytes]:
    """Exports that nobody works on, the oldest first."""
    unheld = or_(_COLUMNS.lease_until.is_(None), _COLUMNS.lease_until <= now)
    found = select(_COLUMNS.id).where(_COLUMNS.finished_at.is_(None), unheld, _COLUMNS.changed_at <= unchanged_since)
    return db.execute(found.order_by(_COLUMNS.id).limit(limit)).scalars().all()


def next_of(db: Connection, file: ExportFile) -> bytes | None:
    """The oldest export of the same stream that waits."""
    same = (_COLUMNS.export == file.export, _COLUMNS.receiver == file.receiver, _COLUMNS.finished_at.is_(None))
    return db.execute(select(_COLUMNS.id).where(*same).order_by(_COLUMNS.id).limit(1)).scalar()


def _end(db: Connection, taken: Taken, values: dict[str, Any], stream: dict[str, Any], *, now: datetime) -> ExportFile:
    file = taken.file
    _locked_stream(db, file, now=now)
    ended = (
        update(export_file)
        .where(_COLUMNS.id == file.id, _COLUMNS.state == "writing", _COLUMNS.lease_until == taken.token)
        .values({**values, "lease_until": None, "finished_at": now, "changed_at": now})
    )
    if db.execute(ended).rowcount != 1:
        raise LeaseLost(f"Export {file.public_id} is not this handler's any more.")
    _move_stream(db, file, **stream, writing_id=None, changed_at=now)
    found = load(db, file.id)
    audit.record(
        db,
        caller=Caller("system:exports", file.correlation_id),
        action=f"export.{found.state}",
        subject=found.public_id,
        partner_id=None if file.partner_id == NOBODY else file.partner_id,
        after={
            "export": found.export,
            "object_key": found.object_key,
            "file_seq": found.file_seq,
            "rows": found.rows,
            "sha256": found.sha256,
            "reason_code": found.reason_code,
        },
        now=now,
    )
    return found


def _locked_stream(db: Connection, file: ExportFile, *, now: datetime) -> Any:  # noqa: ANN401 - a row of the table
    columns = export_stream.c
    of_file = (columns.export == file.export, columns.receiver == file.receiver)
    found = db.execute(select(export_stream).where(*of_file).with_for_update()).first()
    if found is not None:
        return found
    row = {"export": file.export, "receiver": file.receiver, "partner_id": file.partner_id, "changed_at": now}
    bulk.insert_new(db, export_stream, [row], key=["export", "receiver"], own="changed_at")
    return db.execute(select(export_stream).where(*of_file).with_for_update()).one()


def _move_stream(db: Connection, file: ExportFile, **values: Any) -> None:  # noqa: ANN401 - columns of the table
    columns = export_stream.c
    db.execute(
        update(export_stream).where(columns.export == file.export, columns.receiver == file.receiver).values(**values)
    )
