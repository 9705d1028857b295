"""The rows are applied: prove that nothing was lost, terminate whom a snapshot leaves out, and then say processed."""

import json
import logging
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.files.formats import layouts
from chalicelib.files.formats.translating import Header
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register import turns
from chalicelib.files.register.register import InboundFile, header_cells, load
from chalicelib.files.register.turns import Turn
from chalicelib.files.rows import conserving
from chalicelib.files.rows.holding import Holding, caller_of
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members

log = logging.getLogger(__name__)
_REASON_LENGTH_MAX = 500


def settle(holding: Holding, partner: Partner) -> None:
    """Move an applied file to ``processed``, or to ``broken`` when its figures do not add up. One transaction."""
    holding.run(lambda db, turn, now: _settle(db, turn, partner, now))


def _settle(db: Connection, turn: Turn, partner: Partner, now: datetime) -> Turn:
    file = turn.file
    turns.lock(db, turn)
    values = _broken(db, file) or {"state": "processed", **absences(db, file, partner, now=now)}
    return turns.write(db, turn, values, now=now)


def settle_again(db: Connection, file_id: bytes, *, now: datetime) -> None:
    """Prove once more that nothing of a processed file was lost, after its figures may have moved.

    When they do not add up, the file is ``broken`` from here on; what was posted stays, and its new receipt says so.
    """
    file = load(db, file_id)
    if file.state != "processed":
        return
    values = _broken(db, file)
    if not values:
        return
    # Its receipt may have been written meanwhile: it has to say so.
    due = {"receipt_revision": file.receipt_revision + 1} if file.receipt_written >= file.receipt_revision else {}
    db.execute(update(inbound_file).where(inbound_file.c.id == file.id).values(values | due | {"changed_at": now}))
    audit.record(
        db,
        caller=caller_of(file),
        action="file.broken",
        subject=file.public_id,
        partner_id=file.partner_id,
        after={"name": file.name, "layout": file.layout_name, "rows": file.rows_total, "reason_code": "not_conserved"},
        now=now,
    )


def _broken(db: Connection, file: InboundFile) -> dict[str, Any]:
    """The state of a file whose figures do not add up; nothing when they do."""
    breaks = conserving.breaks(db, file)
    if not breaks:
        return {}
    log.error("The figures of a file do not add up.", extra={"file_id": file.public_id, "count": len(breaks)})
    reason = f"The figures of this file do not add up ({'; '.join(breaks)}); an engineer has to look at it."
    return {"state": "broken", "reason_code": "not_conserved", "reason": reason[:_REASON_LENGTH_MAX]}


def absences(db: Connection, file: InboundFile, partner: Partner, *, now: datetime) -> dict[str, Any]:
    """Terminate whom an applied snapshot leaves out; how the file row moves by it. Nothing for other files."""
    reading = layouts.reading_of(db, file, partner)
    if reading.layout.spec.mode != "snapshot" or Header(header_cells(file), reading.layout).is_of_rejects:
        return {}
    if file.rows_unnamed:
        return _nobody_left(file, f"{file.rows_unnamed} rejected rows do not say whom they are about")
    if file.snapshot_date is None:
        return _nobody_left(file, "No usable row says from when on the snapshot holds")
    terminated = members.terminate_absent(
        db,
        partner,
        file.id,
        effective_date=file.snapshot_date,
        changed_until=file.arrived_at,
        caller=caller_of(file),
        now=now,
    )
    return {"rows_absent": terminated}


def _nobody_left(file: InboundFile, why: str) -> dict[str, Any]:
    """The file's warnings and why nobody is taken for absent."""
    warnings = [*json.loads(file.warnings or "[]"), f"{why}: nobody was terminated for being absent."]
    return {"warnings": json.dumps(warnings, ensure_ascii=False)}
