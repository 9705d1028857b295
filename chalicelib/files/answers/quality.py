"""How good a file was: a score of 0 to 100, what was most often wrong, and where its duplicate rows were before.

The score is the share of rows that needed nobody's attention, times the share of control amounts that could be read; a
file that was refused as a whole has none of either. It follows the rows: mended ones count as they end.
"""

import io
from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.files.formats import archive
from chalicelib.files.formats.reading import records
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import recording
from chalicelib.partners.directory import Partner
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.storage import bulk

_TENTH = Decimal("0.1")
_REASONS_MAX = 10
#: Duplicate rows that are looked up at most, and what one ranged read of them may hold.
_LOOKED_UP_MAX = 1_000
_RANGE_BYTES_MAX = 1 << 20
_ROW = file_row.c


class Reason(NamedTuple):
    """One code of refusal, and how many rows of the file have it still."""

    code: str
    rows: int


class Earlier(NamedTuple):
    """A file that rows were in before; None: they came by request."""

    file_id: bytes | None
    name: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Quality:
    """The score, one decimal, and the most frequent reasons; ``unmapped_rows`` lack an entry of a code table."""

    score: Decimal
    reasons: Sequence[Reason]
    unmapped_rows: int


def of(db: Connection, file: InboundFile) -> Quality | None:
    """The quality of a file that was decided on; None while it is in work, and for one that nobody had to read."""
    if file.state in {"quarantined", "broken"}:
        return Quality(Decimal("0.0"), [], 0)
    if file.state != "processed" or not file.rows_total:
        return None
    good = Decimal(file.rows_total - file.rows_rejected) / file.rows_total
    readable = Decimal(file.rows_total - file.control_unreadable) / file.rows_total
    rejected = (_ROW.file_id == file.id, _ROW.outcome == "rejected")
    rows = func.count()
    found = db.execute(
        select(_ROW.code, rows)
        .where(*rejected)
        .group_by(_ROW.code)
        .order_by(rows.desc(), _ROW.code)
        .limit(_REASONS_MAX)
    )
    unmapped = db.execute(select(rows).where(*rejected, _ROW.unmapped_code.is_not(None))).scalar()
    score = (100 * good * readable).quantize(_TENTH, ROUND_HALF_UP)
    return Quality(score, [Reason(code, count) for code, count in found], unmapped or 0)


def duplicates(db: Connection, file: InboundFile, partner: Partner) -> list[Earlier]:
    """In which files the first duplicate rows of a processed file of accruals were before, the most rows first.

    Reads the rows again from the archive, at most ``_LOOKED_UP_MAX`` of them. Raises Unavailable.
    """
    if file.entity != "accrual" or file.state != "processed" or not file.rows_duplicate:
        return []
    if file.sha256 is None:
        raise Broken(f"File {file.public_id} was processed and has no SHA-256.")
    work = recording.work_of(db, file, partner)
    how = work.reading.layout.spec.format
    event_ids: list[str] = []
    ranges = db.execute(
        select(_ROW.byte_offset, _ROW.byte_length)
        .where(_ROW.file_id == file.id, _ROW.outcome == "duplicate", _ROW.code == "same_content")
        .order_by(_ROW.row_no)
        .limit(_LOOKED_UP_MAX)
    ).all()
    for offset, length in ranges:
        if len(event_ids) >= _LOOKED_UP_MAX:
            break
        data = archive.raw_row(partner.code, file.sha256, offset=offset, length=min(length, _RANGE_BYTES_MAX))
        if length > _RANGE_BYTES_MAX:
            data = data[: data.rfind(b"\n") + 1]
        for record in records(io.BytesIO(data), how, offset=offset):
            row = work.translator.row(record)
            if not isinstance(row, RowRefused):
                event_ids.append(str(row["event_id"]))
    return _earlier(db, file, event_ids[:_LOOKED_UP_MAX])


def _earlier(db: Connection, file: InboundFile, event_ids: Sequence[str]) -> list[Earlier]:
    event = accrual_event.c
    counted: Counter[bytes | None] = Counter()
    sources: dict[str, bytes | None] = {}
    for chunk in bulk.in_chunks(sorted(set(event_ids))):
        query = select(event.event_id, event.source_file_id).where(
            event.partner_id == file.partner_id, event.event_id.in_(chunk), event.generation == 0
        )
        sources |= {found.event_id: found.source_file_id for found in db.execute(query)}
    counted.update(sources[event_id] for event_id in event_ids if event_id in sources)
    ids = [file_id for file_id in counted if file_id is not None]
    names = {
        row.id: row.name
        for chunk in bulk.in_chunks(ids)
        for row in db.execute(select(inbound_file.c.id, inbound_file.c.name).where(inbound_file.c.id.in_(chunk)))
    }
    return [Earlier(file_id, names.get(file_id or b""), rows) for file_id, rows in counted.most_common()]
