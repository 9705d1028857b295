"""Forgetting a person in files: archived lines, kept rows and their corrections, rejects, refused and sent files.

A row is about the person when its layout reads the person's employee number or customer number out of it, or when a
cell is one of the person's mail addresses; of a row that cannot be read, any cell that is either. The row of another
person that names the number elsewhere, such as a manager's, loses that cell. In the retailer's own files, which name
the employees of every partner, an employee number counts only beside the person's partner.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.files.answers import finishing
from chalicelib.files.formats import archive, redacting
from chalicelib.files.formats.reading import Record, kept_encoding, one_record, records
from chalicelib.files.formats.redacting import ErasedLine, Span
from chalicelib.files.models.files import file_row, file_row_fix, inbound_file
from chalicelib.files.register.refusals import FileRefused
from chalicelib.files.register.register import InboundFile, of_row
from chalicelib.files.rows import recording
from chalicelib.files.rows.recording import Work
from chalicelib.files.rows.tallies import seal, unseal
from chalicelib.partners.directory import Partner
from chalicelib.partners.members.erasing import Sought
from chalicelib.partners.onboarding import manifests
from chalicelib.records import dataclass
from chalicelib.rules.layouts import Format
from chalicelib.storage import objects
from chalicelib.storage.encryption import SEALED_BYTES
from chalicelib.storage.engine import Database

log = logging.getLogger(__name__)
AnyRow: TypeAlias = Row[Any]

_ROW: Final = file_row.c
_FIX: Final = file_row_fix.c
_FILE: Final = inbound_file.c
_ROWS_MAX: Final = 500
_NO_CELLS: Final = b"{}"
#: The fields with numbers of customers.
_ACCOUNTS: Final = ("customer_no", "salesforce_id")
#: What the retailer's own systems send about people.
OF_PEOPLE: Final = frozenset({"customer", "order", "quote", "lead"})


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the rows of one file are read: ``work`` None where its layout or header cannot be used any more.

    ``beside``: the partner's code, without which an employee number in a row is somebody else's; None: it need not.
    """

    how: Format
    work: Work | None
    beside: str | None = None

    def is_about(self, record: Record, sought: Sought) -> bool:
        """Whether a record is about the person."""
        if sought.mails and any(cell.strip().casefold() in sought.mails for cell in record.cells):
            return True
        if any(cell in sought.accounts for field in _ACCOUNTS for cell in self._cells_of(field, record)):
            return True
        cells = record.cells or re.split(rb"[,;|\t\"\r\n]", record.raw)
        if self.beside is not None and all(_text(cell).strip() != self.beside for cell in cells):
            return False
        number = None if self.work is None else self.work.translator.employee_id(record)
        if number is not None:
            return number in sought.numbers
        return any(_text(cell).strip() in sought.numbers for cell in cells)

    def _cells_of(self, field: str, record: Record) -> Iterator[str]:
        """The cells of which a field is made."""
        output = None if self.work is None else self.work.reading.layout.compiled.outputs.get(field)
        if self.work is None or output is None or record.fault is not None:
            return
        for column in output.columns:
            at = self.work.header.positions.get(column)
            if at is not None and at < len(record.cells):
                yield record.cells[at].strip()

    def mentions(self, record: Record, sought: Sought) -> Iterator[Span]:
        """The cells of a record about somebody else that name the person's number as a member's."""
        if self.work is None or record.fault is not None:
            return
        spec = self.work.reading.layout.spec
        output = self.work.reading.layout.compiled.outputs.get("manager_id")
        if "manager_id" not in spec.fields or output is None:
            return
        for column in output.columns:
            at = self.work.header.positions.get(column)
            if at is None or at >= len(record.cells) or record.cells[at].strip() not in sought.numbers:
                continue
            yield from _cell(record, at, self.how)


def _names(value: str, sought: Sought) -> bool:
    return value.strip() in sought.numbers or value.strip().casefold() in sought.mails


def _text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode("utf-8", "replace")


def _cell(record: Record, at: int, how: Format) -> Iterator[Span]:
    """Where a cell stands; of a quoted record, every place where its text does."""
    if how.quote.encode() not in record.raw:
        before = record.raw.split(how.delimiter.encode())[: at + 1]
        yield Span(record.offset + sum(len(cell) + 1 for cell in before[:-1]), len(before[-1].rstrip(b"\r\n")))
        return
    token = re.escape(record.cells[at].strip().encode(kept_encoding(how)))
    edge = re.escape(redacting.kept_bytes(how) + b" ")
    for found in re.finditer(rb"(?<![^" + edge + rb"])" + token + rb"(?![^" + edge + rb"])", record.raw):
        yield Span(record.offset + found.start(), len(found[0]))


def finished_after(
    db: Connection,
    partner_ids: Collection[bytes],
    place: tuple[datetime, bytes] | None,
    *,
    entities: Collection[str] | None = None,
) -> InboundFile | None:
    """The next finished file of these partners, in the order in which they were finished; of some entities or all."""
    query = select(inbound_file).where(_FILE.partner_id.in_(sorted(partner_ids)), _FILE.finished_at.is_not(None))
    if entities is not None:
        query = query.where(_FILE.entity.in_(sorted(entities)))
    if place is not None:
        at, file_id = place
        query = query.where((_FILE.finished_at > at) | ((_FILE.finished_at == at) & (_FILE.id > file_id)))
    row = db.execute(query.order_by(_FILE.finished_at, _FILE.id).limit(1)).first()
    return None if row is None else of_row(row)


def unfinished(db: Connection, partner_ids: Collection[bytes], *, until: datetime) -> bool:
    """Whether a file of these partners that arrived by then is still in work."""
    query = select(_FILE.id).where(
        _FILE.partner_id.in_(sorted(partner_ids)), _FILE.finished_at.is_(None), _FILE.arrived_at <= until
    )
    return db.execute(query.limit(1)).first() is not None


def erase(database: Database, file: InboundFile, partner: Partner, sought: Sought, *, code: str) -> Counter[str]:
    """Erase the person from one finished file: archive, kept rows, corrections, rejects; how much of each.

    ``partner`` sent the file; ``code`` is the partner's whose employee the person is. Again changes nothing more.
    Raises Unavailable.
    """
    found: Counter[str] = Counter()
    with database.read() as db:
        is_of_everybody = file.entity in OF_PEOPLE and manifests.is_house(db, partner)
    reader = replace(_reader(database, file, partner), beside=code if is_of_everybody else None)
    if file.sha256 is not None:
        found.update(_archive(file, partner, file.sha256, reader, sought))
    rows = _rows(database, file, lambda db, row: _erase_row(db, file, row, reader, sought))
    if rows:
        found["rows"] += rows
        finishing.answer(database, file.id)
        found["rejects"] += 1
    return found


def mask(database: Database, file: InboundFile, partner: Partner, *, before: datetime) -> int:
    """Fill all rows of a finished file that were kept before a moment, as if nobody had sent them; how many.

    Their outcomes and reasons stay. Raises Unavailable.
    """
    reader = _reader(database, file, partner)
    rows = _rows(database, file, lambda db, row: _fill(db, file, row, reader), _ROW.recorded_at < before)
    if rows:
        finishing.answer(database, file.id)
        log.info("Rows of a file were masked.", extra={"file_id": file.public_id, "count": rows})
    return rows


def _reader(database: Database, file: InboundFile, partner: Partner) -> _Reader:
    if file.layout_version_id is None or file.header is None:
        return _Reader(Format(), None)
    try:
        work = recording.work_on(database, file, partner)
    except (FileRefused, NotFound):
        return _Reader(Format(), None)
    return _Reader(work.reading.layout.spec.format, work)


def _archive(file: InboundFile, partner: Partner, sha256: bytes, reader: _Reader, sought: Sought) -> dict[str, int]:
    key = archive.key_of(partner.code, sha256)
    if objects.head(archive.bucket(), key) is None:
        return {}
    lines: list[ErasedLine] = []
    spans: list[Span] = []
    try:
        with archive.open_rows(file, partner_code=partner.code, offset=0) as source:
            for row_no, record in enumerate(records(source, reader.how)):
                if row_no == 0 or redacting.is_erased(record.raw, reader.how):
                    continue
                if reader.is_about(record, sought):
                    wanted = [Span(record.offset, len(record.raw))]
                else:
                    wanted = list(reader.mentions(record, sought))
                if wanted:
                    lines.append(redacting.line(row_no, record.offset, record.raw))
                    spans += wanted
    except FileRefused:
        # What cannot be read to its end was not applied: a file that was is in the archive as it was read.
        return {"unreadable": 1}
    if not lines and not (file.compressed and redacting.read_record(partner.code, sha256)):
        return {}
    redacting.write_record(partner.code, sha256, lines, original_removed=file.compressed)
    if lines:
        redacting.rewrite(archive.bucket(), key, spans, redacting.kept_bytes(reader.how))
    if file.compressed:
        # It cannot be changed in place; all that it holds is in the expanded copy, and its hash in the record.
        objects.delete(archive.bucket(), archive.original_of(key))
    return {"lines": len(lines)}


def _rows(
    database: Database,
    file: InboundFile,
    change: Callable[[Connection, AnyRow], int],
    condition: ColumnElement[bool] | None = None,
) -> int:
    """Give each kept row of a file to ``change``, in short transactions; how many it changed."""
    done, last = 0, 0
    while True:
        after = last

        def some(db: Connection, after: int = after) -> tuple[int, int | None]:
            query = select(_ROW.row_no, _ROW.raw).where(_ROW.file_id == file.id, _ROW.row_no > after, SAYS_SOMETHING)
            if condition is not None:
                query = query.where(condition)
            rows = db.execute(query.order_by(_ROW.row_no).limit(_ROWS_MAX).with_for_update()).all()
            changed = sum(change(db, row) for row in cast("list[AnyRow]", rows))
            return changed, rows[-1].row_no if len(rows) == _ROWS_MAX else None

        changed, following = database.run(some)
        done += changed
        if following is None:
            return done
        last = following


def _erase_row(db: Connection, file: InboundFile, row: AnyRow, reader: _Reader, sought: Sought) -> int:
    """Fill a kept row that is about the person, or of which a correction named the person."""
    raw = unseal(row.raw, file.id)
    fixes = db.execute(select(_FIX.cells).where(_FIX.file_id == file.id, _FIX.row_no == row.row_no)).scalars()
    corrected = [unseal(cells, file.id) for cells in fixes]
    # What was corrected may have said it, and the row as it stands now may not.
    told = any(_names(value, sought) for cells in corrected for pair in json.loads(cells).values() for value in pair)
    if not told and (redacting.is_erased(raw, reader.how) or not reader.is_about(one_record(raw, reader.how), sought)):
        return 0
    return _fill(db, file, row, reader)


def _fill(db: Connection, file: InboundFile, row: AnyRow, reader: _Reader) -> int:
    """Fill a kept row and empty its corrections; 0 when it was before."""
    if redacting.is_erased(unseal(row.raw, file.id), reader.how):
        return 0
    db.execute(
        update(file_row_fix)
        .where(_FIX.file_id == file.id, _FIX.row_no == row.row_no)
        .values(cells=seal(_NO_CELLS, file.id), reason=None)
    )
    db.execute(
        update(file_row)
        .where(_ROW.file_id == file.id, _ROW.row_no == row.row_no)
        .values(raw=seal(redacting.FILL, file.id), fixable=False)
    )
    return 1


#: Kept rows that were not filled: a sealed row is longer than what it says by as much for each.
SAYS_SOMETHING: Final = _ROW.raw.is_not(None) & (func.length(_ROW.raw) > SEALED_BYTES + len(redacting.FILL))
