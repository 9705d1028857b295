"""The last steps of every file: answered, moved out of the inbox, finished. Each step may happen again without harm.

Processed files have been in the archive since before their first row was applied; refused ones go to the reject bucket.
The original is deleted last, and only if it still is what was read.
"""

import logging
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.errors import Broken, Conflict
from chalicelib.files.answers import receipts, rejects
from chalicelib.files.formats import archive
from chalicelib.files.formats.marking import TOKEN
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register import turns
from chalicelib.files.register.register import InboundFile, header_cells, load, numbered
from chalicelib.files.register.turns import Turn
from chalicelib.files.rows import retrying
from chalicelib.files.rows.holding import Holding, caller_of
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)
#: States whose object is set aside for its sender and operators.
_SET_ASIDE = frozenset({"quarantined", "broken"})


def finish(holding: Holding) -> None:
    """Answer the file, give rejected rows of other files their other try, empty the inbox and close the row.

    Raises TimeShort while rows are retried.
    """
    file = holding.file
    if file.receipt_revision == 0:
        holding.change({"receipt_revision": 1})
    if file.state in _SET_ASIDE:
        _set_aside(file)
    if file.state == "duplicate" and not archive.holds(file, partner_code=file.place):
        archive.keep(file, holding.format(), partner_code=file.place, alive=holding.alive)
    answer(holding.database, file.id)
    if file.state == "processed":
        retrying.retry(holding)
    if file.state == "processed" and (file.entity in retrying.MENDS or _names_rows(file)):
        for changed in retrying.files_to_answer(holding):
            answer(holding.database, changed)
    _empty_inbox(file)
    holding.run(_closed)
    log.info(
        "A file is finished.",
        extra={
            "partner": file.place,
            "layout": file.layout_name,
            "state": file.state,
            "code": file.reason_code,
            "file_id": file.public_id,
        },
    )


def _names_rows(file: InboundFile) -> bool:
    """Whether the file may have taken over rows of others, whose figures have moved then."""
    return TOKEN in (cell.strip().casefold() for cell in header_cells(file))


def answer(database: Database, file_id: bytes) -> None:
    """Write rejects and receipt of a file as it stands now, and note which revision they are.

    The file's row is locked meanwhile: of several who answer at once, whoever comes last tells the latest truth.
    """
    own = inbound_file.c.id == file_id
    # Not tried again by itself when it loses a race: it writes objects, and its message comes again.
    with database.write() as db:
        db.execute(select(inbound_file.c.id).where(own).with_for_update()).one()
        file = load(db, file_id)
        receipts.write(db, file, rejects_key=_write_rejects(db, file))
        db.execute(update(inbound_file).where(own).values(receipt_written=file.receipt_revision))


def _write_rejects(db: Connection, file: InboundFile) -> str | None:
    """Write the rejects, if the file has or had some; their key."""
    if file.header is None or file.rows_total is None or not (file.rows_rejected or file.receipt_revision > 1):
        return None
    key = receipts.rejects_key_of(file)
    with rejects.written(db, file) as content:
        objects.put(receipts.bucket(), key, content, content_type="text/csv")
    return key


def _set_aside(file: InboundFile) -> None:
    """Copy a refused file and its sidecar to the reject bucket, under the names they came with."""
    bucket = settings().bucket("hub-reject")
    for key, etag in _objects_of(file):
        target = numbered(key, file.arrival_no)
        found = objects.head(file.bucket, key)
        if found is None or found.etag != etag:
            # An earlier try moved it and emptied the inbox.
            continue
        objects.copy(file.bucket, key, bucket, target, etag=etag)
        copied = objects.head(bucket, target)
        if copied is None or copied.size != found.size:
            raise Broken(f"The copy of {key} in {bucket} is not what was copied.", code="copy_differs")


def _empty_inbox(file: InboundFile) -> None:
    for key, etag in _objects_of(file):
        try:
            objects.delete(file.bucket, key, etag=etag)
        except Conflict:
            # Another content has taken the name: it is a file of its own and has its own notification.
            log.info("An object was replaced meanwhile and stays in the inbox.", extra={"object_key": key})


def _objects_of(file: InboundFile) -> list[tuple[str, str]]:
    found = [(file.object_key, file.etag)]
    if file.sidecar_key is not None and file.sidecar_etag is not None:
        found.append((file.sidecar_key, file.sidecar_etag))
    return found


def _closed(db: Connection, turn: Turn, now: datetime) -> Turn:
    file = turn.file
    audit.record(
        db,
        caller=caller_of(file),
        action=f"file.{file.state}",
        subject=file.public_id,
        partner_id=file.partner_id if file.rank is not None else None,
        after={"name": file.name, "layout": file.layout_name, "rows": file.rows_total, "reason_code": file.reason_code},
        now=now,
    )
    values = {"finished_at": now, "receipt_written": file.receipt_revision}
    closed = turns.write(db, turn, values, now=now)
    turns.release(db, closed, now=now, blameless=True)
    return closed
