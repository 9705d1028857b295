"""A file tried without being sent: everything that intake does to it, in a transaction that is taken back.

So whatever a trial says of rows, members and points is what the file would have come to at that moment.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.files.answers import receipts
from chalicelib.files.formats import layouts
from chalicelib.files.formats.reading import Measured, records
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.intake import applying, arrivals, checking, opening
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import conserving, gathering, settling
from chalicelib.files.rows.recording import Line
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.records import dataclass
from chalicelib.storage.ids import new_id, public_id

#: What one trial may cost: it holds its locks, on one machine the only one, until it is taken back.
ROWS_MAX = 5_000
EXPANDED_BYTES_MAX = 20_000_000
#: Rejected rows that are named.
ERRORS_MAX = 200
_BATCH_ROWS = 500
_FILE = inbound_file.c


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of the file: its row as it would stand, the first refused rows, and what was earned."""

    file: InboundFile
    layout_version: str | None
    errors: Sequence[Row[Any]]
    points: Mapping[str, dict[str, Any]]
    code_tables: Sequence[Any]


def attempt(
    db: Connection,
    partner: Partner,
    layout_name: str,
    content: bytes,
    *,
    name: str,
    sidecar: bytes | None,
    now: datetime,
) -> Tried:
    """Try a file of a partner's layout; nothing is kept.

    Raises NotFound for an unknown layout, InvalidInput for a name that intake would leave alone, Unprocessable when the
    partner is not active, may not send such files (``layout_not_agreed``, ``not_the_house``), or the file has more than
    ``ROWS_MAX`` rows.
    """
    live = agreed(db, partner, layout_name, name, now=now)
    savepoint = db.begin_nested()
    try:
        file = registered(db, partner, live, f"{partner.code}/{layout_name}/{name}", len(content), now)
        return _tried(db, file, partner, content, sidecar, now)
    finally:
        savepoint.rollback()


def agreed(db: Connection, partner: Partner, layout_name: str, name: str, *, now: datetime) -> layouts.Live:
    """The layout by which a partner's file of this name would be read; raises what ``attempt`` raises of it."""
    directory.require_active(partner)
    live = layouts.in_force(db, partner, layout_name, now=now)
    if live is None:
        raise NotFound(f"The partner {partner.code} has no layout {layout_name!r}.")
    refusal = arrivals.not_agreed(db, partner, live)
    if refusal is not None:
        raise Unprocessable(refusal[1], code=refusal[0])
    if arrivals.is_temporary(name) or arrivals.is_sidecar(name):
        raise InvalidInput(
            "A file whose name ends in .tmp, .part, .partial or .filepart would be left alone, and one in .ctl taken"
            " for a sidecar. Give it the name that it will have.",
            code="file_name_unusable",
        )
    return live


def _tried(
    db: Connection, file: InboundFile, partner: Partner, content: bytes, sidecar: bytes | None, now: datetime
) -> Tried:
    reading = layouts.reading_of(db, file, partner)
    checked = checking.check(
        io.BytesIO(content),
        reading,
        partner_code=partner.code,
        sidecar=sidecar,
        expanded_bytes_max=EXPANDED_BYTES_MAX,
        alive=lambda: None,
    )
    if checked.rows > ROWS_MAX:
        message = f"The file has {checked.rows} rows; at most {ROWS_MAX} are tried at once: POST /v1/file-trials."
        raise Unprocessable(message, code="too_large_to_try")
    file = moved(db, file, opening.decided(db, file, reading, checked))
    if file.state == "checked":
        file = _applied(db, file, partner, content, now)
        breaks = conserving.breaks(db, file)
        reason = {"state": "broken", "reason_code": "not_conserved", "reason": "; ".join(breaks)[:500]}
        file = moved(db, file, reason if breaks else {"state": "processed"})
    effect = receipts.build(db, file, rejects_key=None)
    return Tried(
        file,
        effect["layout_version"],
        refused(db, file),
        receipts.points_by_program(db, file) if file.entity == "accrual" else {},
        effect.get("code_tables", []),
    )


def refused(db: Connection, file: InboundFile) -> Sequence[Row[Any]]:
    """The first rows of a file that were rejected."""
    rejected = (
        select(file_row)
        .where(file_row.c.file_id == file.id, file_row.c.outcome == "rejected")
        .order_by(file_row.c.row_no)
        .limit(ERRORS_MAX)
    )
    return db.execute(rejected).all()


def _applied(db: Connection, file: InboundFile, partner: Partner, content: bytes, now: datetime) -> InboundFile:
    work = applying.work_of(db, file, partner)
    how = work.reading.layout.spec.format
    plain, _ = content_of(Measured(io.BytesIO(content)), how, expanded_bytes_max=EXPANDED_BYTES_MAX)
    plain.read(file.next_offset)
    rows = applying.lines_of(records(plain, how, offset=file.next_offset), work, 1)
    for lines in batches(islice(rows, file.rows_total or 0)):
        file = moved(db, file, applying.apply_lines(db, file, work, lines, now=now))
    gathering.gather_all(db, file, now=now)
    return moved(db, file, settling.absences(db, file, partner, now=now))


def batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """The lines, so many at a time as are recorded together."""
    while batch := list(islice(lines, _BATCH_ROWS)):
        yield batch


def moved(db: Connection, file: InboundFile, values: Mapping[str, Any]) -> InboundFile:
    """The file with these columns changed."""
    if values:
        db.execute(update(inbound_file).where(_FILE.id == file.id).values(dict(values)))
    return register.load(db, file.id)


def registered(
    db: Connection, partner: Partner, live: layouts.Live, key: str, size_bytes: int, now: datetime
) -> InboundFile:
    """The file as its arrival would be registered, which nobody else ever sees."""
    file_id = new_id()
    version, layout = live
    row = {
        "id": file_id,
        "partner_id": partner.id,
        "arrival_key": sha256(file_id).digest(),
        "bucket": arrivals.inbox(),
        "object_key": key,
        # Of its own, since a file of this name may arrive at the same moment.
        "key_hash": sha256(file_id).digest(),
        "arrival_no": 1,
        "etag": "",
        "name": key.rpartition("/")[2],
        "layout_name": layout.spec.name,
        "layout_version_id": version.version_id,
        "entity": layout.spec.entity,
        "rank": layout.spec.rank,
        "size_bytes": size_bytes,
        "state": "arrived",
        "correlation_id": public_id("fil", file_id),
        "arrived_at": now,
        "started_at": now,
        "changed_at": now,
    }
    db.execute(insert(inbound_file), row)
    return register.load(db, file_id)
