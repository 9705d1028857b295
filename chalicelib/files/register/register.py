"""The file row: what is known of one arrival, as a typed value."""

import json
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import Broken, NotFound
from chalicelib.files.models.files import inbound_file
from chalicelib.records import dataclass
from chalicelib.storage.ids import public_id

#: States in which the hub still has to find out what becomes of a file.
UNDECIDED = frozenset({"arrived", "checked", "applying", "applied"})


@dataclass(frozen=True, slots=True)
class InboundFile:
    """One arrival; each field is the column of that name (``models.inbound_file`` says what it means)."""

    id: bytes
    partner_id: bytes
    arrival_key: bytes
    bucket: str
    object_key: str
    key_hash: bytes
    arrival_no: int
    etag: str
    name: str
    layout_name: str
    layout_version_id: bytes | None
    entity: str | None
    rank: int | None
    size_bytes: int
    sha256: bytes | None
    compressed: bool
    header: str | None
    warnings: str | None
    state: str
    reason_code: str | None
    reason: str | None
    duplicate_of: bytes | None
    lease_until: datetime | None
    attempts: int
    slice_no: int
    next_row: int
    next_offset: int
    rows_total: int | None
    rows_accepted: int
    rows_rejected: int
    rows_duplicate: int
    rows_ignored: int
    control_in: int
    control_accepted: int
    control_rejected: int
    control_duplicate: int
    control_ignored: int
    control_unreadable: int
    control_source: str | None
    sidecar_key: str | None
    sidecar_etag: str | None
    snapshot_date: date | None
    rows_absent: int
    rows_unnamed: int
    receipt_revision: int
    receipt_written: int
    correlation_id: str
    arrived_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    changed_at: datetime

    @property
    def public_id(self) -> str:
        """The file as callers name it."""
        return public_id("fil", self.id)

    @property
    def place(self) -> str:
        """The first part of the key: the partner's code, or whatever stood there."""
        return self.object_key.partition("/")[0] if "/" in self.object_key else "unknown"

    @property
    def warning_texts(self) -> list[str]:
        """Sentences for the sender about what did not stop the file."""
        texts: list[str] = json.loads(self.warnings or "[]")
        return texts

    @property
    def shown_name(self) -> str:
        """The file's name, told apart from earlier files of the same name."""
        return numbered(self.name, self.arrival_no)


_BY_ID = select(inbound_file).where(inbound_file.c.id == bindparam("id"))
_BY_ARRIVAL = select(inbound_file).where(inbound_file.c.arrival_key == bindparam("arrival_key"))


def of_row(row: Row[Any]) -> InboundFile:
    """The typed value of a row of ``inbound_file``."""
    return InboundFile(**row._mapping)  # noqa: SLF001 - the public name of a row's names and values


def numbered(name: str, arrival_no: int) -> str:
    """A name or key, told apart from earlier arrivals of the same."""
    return name if arrival_no == 1 else f"{name}.{arrival_no}"


def key_hash(object_key: str) -> bytes:
    """By which hash the files of one key are found."""
    return sha256(object_key.encode()).digest()


def load(db: Connection, file_id: bytes) -> InboundFile:
    """One file. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": file_id}).first()
    if row is None:
        raise NotFound("There is no such file.")
    return of_row(row)


def lock(db: Connection, file_id: bytes) -> InboundFile:
    """The file, its row locked: of several who mend rows of it, or answer it, one goes at a time. Raises NotFound."""
    db.execute(select(inbound_file.c.id).where(inbound_file.c.id == file_id).with_for_update()).one_or_none()
    return load(db, file_id)


def by_arrival(db: Connection, arrival_key: bytes) -> InboundFile | None:
    """The file of one arrival, if it was registered."""
    row = db.execute(_BY_ARRIVAL, {"arrival_key": arrival_key}).first()
    return None if row is None else of_row(row)


def header_cells(file: InboundFile) -> list[str]:
    """The header of a checked file. Raises Broken when it was not checked."""
    if file.header is None:
        raise Broken(f"File {file.public_id} was not checked: its header is unknown.")
    cells: list[str] = json.loads(file.header)
    return cells
