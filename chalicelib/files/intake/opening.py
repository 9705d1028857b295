"""An arrived file is opened: read once in whole (pass 1), and then allowed, refused, told a duplicate, or made to wait.

Only the file row is written here. Whatever is allowed is archived before its first row has an effect.
"""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.errors import Conflict, NotFound
from chalicelib.files.formats import controls, layouts
from chalicelib.files.formats.layouts import Reading
from chalicelib.files.formats.reading import RECORD_BYTES_MAX
from chalicelib.files.intake import arrivals, checking
from chalicelib.files.intake.checking import Checked
from chalicelib.files.models.files import inbound_file
from chalicelib.files.models.rollbacks import file_rollback
from chalicelib.files.register.refusals import FileRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows.handlers import AGAIN
from chalicelib.files.rows.holding import Holding
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.objects import ObjectInfo

_COLUMNS = inbound_file.c
_REASON_LENGTH_MAX = 500


def open_file(holding: Holding, partner: Partner) -> None:
    """Read the object and move the file on: ``checked``, ``waiting``, ``duplicate``, ``quarantined`` or ``ignored``."""
    file = holding.file
    with holding.database.read() as db:
        reading = layouts.reading_of(db, file, partner)
    sidecar = None
    if reading.layout.spec.control.kind == "sidecar":
        sidecar = arrivals.sidecar_of(file)
        required = sidecar is None and reading.layout.spec.control.required
        if required and not waited_enough(file, holding.clock()) and not _of_rejects(file, reading):
            holding.change({"state": "waiting", "lease_until": None})
            return
    try:
        checked = _check(holding, partner, reading, sidecar)
    except (NotFound, Conflict):
        holding.change(gone(holding))
        return
    with holding.database.read() as db:
        values = decided(db, file, reading, checked)
    if sidecar is not None:
        values |= {"sidecar_key": sidecar.key, "sidecar_etag": sidecar.etag}
    holding.change(values)


def waited_enough(file: InboundFile, now: datetime) -> bool:
    """Whether a file need not wait for its sidecar any longer."""
    return now >= file.arrived_at + timedelta(seconds=settings().sidecar_wait_s)


def _of_rejects(file: InboundFile, reading: Reading) -> bool:
    """Whether these are rejects that came back, which no sidecar goes with."""
    try:
        with objects.open_range(file.bucket, file.object_key, 0, 2 * RECORD_BYTES_MAX, etag=file.etag) as source:
            return checking.begins_like_rejects(source, reading)
    except (NotFound, Conflict):
        # Whether it is gone is found out when it is read.
        return False


def _check(holding: Holding, partner: Partner, reading: Reading, sidecar: ObjectInfo | None) -> Checked:
    file = holding.file
    stated = None
    if sidecar is not None:
        with objects.open_range(
            file.bucket, sidecar.key, 0, controls.SIDECAR_BYTES_MAX + 1, etag=sidecar.etag
        ) as stream:
            stated = stream.read(controls.SIDECAR_BYTES_MAX + 1)
    with objects.open_range(file.bucket, file.object_key, etag=file.etag) as source:
        return checking.check(
            source,
            reading,
            partner_code=partner.code,
            sidecar=stated,
            expanded_bytes_max=settings().expanded_bytes_max,
            alive=holding.alive,
        )


def gone(holding: Holding) -> dict[str, Any]:
    """What becomes of a file whose object was deleted or replaced before it was safe in the archive.

    When it was only the sidecar, both are looked at anew.
    """
    file = holding.file
    found = objects.head(file.bucket, file.object_key)
    if found is not None and found.etag == file.etag:
        return {"state": "arrived", "sidecar_key": None, "sidecar_etag": None}
    with holding.database.read() as db:
        twin = db.execute(
            select(_COLUMNS.id, _COLUMNS.sha256)
            .where(
                _COLUMNS.key_hash == file.key_hash,
                _COLUMNS.partner_id == file.partner_id,
                _COLUMNS.etag == file.etag,
                _COLUMNS.state == "processed",
                _COLUMNS.id != file.id,
            )
            .order_by(_COLUMNS.arrived_at)
        ).first()
    if twin is not None:
        return {**_duplicate(twin.id), "sha256": twin.sha256}
    reason = "The object was removed or replaced before the hub could read it."
    return {"state": "ignored", "reason_code": "object_gone", "reason": reason}


def _duplicate(original: bytes) -> dict[str, Any]:
    reason = "A file of exactly this content was processed before; nothing was applied again."
    return {"state": "duplicate", "reason_code": "same_file", "reason": reason, "duplicate_of": original}


def decided(db: Connection, file: InboundFile, reading: Reading, checked: Checked) -> dict[str, Any]:
    """How the file row moves by what pass 1 found: to ``checked``, ``duplicate`` or ``quarantined``."""
    values: dict[str, Any] = {
        "sha256": checked.sha256,
        "compressed": checked.compressed,
        "header": json.dumps(checked.header, ensure_ascii=False),
        "warnings": json.dumps(checked.warnings, ensure_ascii=False),
    }
    original = _same_content(db, file, reading, checked)
    if original is not None:
        return values | _duplicate(original)
    snapshot_date = _snapshot_date(reading, checked)
    refused = checked.refused or _too_many_absent(db, file, reading, checked, on=snapshot_date)
    if refused is not None:
        return values | {
            "state": "quarantined",
            "reason_code": refused.code,
            "reason": refused.message[:_REASON_LENGTH_MAX],
        }
    return values | {
        "state": "checked",
        "rows_total": checked.rows,
        "control_in": checked.total,
        "control_unreadable": checked.unreadable,
        "control_source": checked.stated.source if checked.stated else None,
        "next_offset": checked.first_row_offset,
        "snapshot_date": snapshot_date,
    }


def _same_content(db: Connection, file: InboundFile, reading: Reading, checked: Checked) -> bytes | None:
    """The processed file that this one repeats.

    A snapshot that speaks of the day it arrives, and a file whose rows correct earlier ones, repeat the latest one
    only: what was true once may be true again.
    """
    taken_back = select(file_rollback.c.id).where(
        file_rollback.c.partner_id == file.partner_id, file_rollback.c.finished_at >= _COLUMNS.finished_at
    )
    processed = select(_COLUMNS.id, _COLUMNS.sha256).where(
        _COLUMNS.partner_id == file.partner_id,
        _COLUMNS.layout_name == file.layout_name,
        _COLUMNS.state == "processed",
        _COLUMNS.id != file.id,
        # What it came to, or repeated, may have gone with another file: then its rows are looked at one by one.
        ~taken_back.exists(),
    )
    spec = reading.layout.spec
    if spec.entity in AGAIN or (spec.mode == "snapshot" and not reading.dated_by_rows):
        latest = db.execute(processed.order_by(_COLUMNS.arrived_at.desc(), _COLUMNS.id.desc()).limit(1)).first()
        return latest.id if latest is not None and latest.sha256 == checked.sha256 else None
    return db.execute(
        processed.where(_COLUMNS.sha256 == checked.sha256).order_by(_COLUMNS.arrived_at).limit(1)
    ).scalar()


def _snapshot_date(reading: Reading, checked: Checked) -> date | None:
    """From when on whoever a snapshot leaves out is gone: its latest row's date, else the day on which it arrived.

    None for other files, and where rows should say it and no usable one does.
    """
    if reading.layout.spec.mode != "snapshot" or checked.of_rejects:
        return None
    return checked.latest_date if reading.dated_by_rows else reading.day


def _too_many_absent(
    db: Connection, file: InboundFile, reading: Reading, checked: Checked, *, on: date | None
) -> FileRefused | None:
    """A snapshot that leaves out too many is half a file, not a wave of dismissals."""
    share_max = reading.layout.spec.terminate_share_max
    if share_max is None or checked.of_rejects:
        return None
    active = members.active_employee_ids(db, file.partner_id)
    # Nobody is marked as named by this file yet: these are all whom it could terminate.
    terminable = members.absent(db, file.partner_id, file.id, on=on, changed_until=file.arrived_at)
    absent = len(set(terminable) - checked.employee_ids)
    if absent <= share_max * len(active):
        return None
    share = (Decimal(absent) / len(active)).quantize(Decimal("0.01"))
    return FileRefused(
        "too_many_absent",
        f"The snapshot leaves out {absent} of {len(active)} active employees ({share:.0%}); "
        f"the layout allows {share_max:.0%} to be terminated by one file.",
    )
