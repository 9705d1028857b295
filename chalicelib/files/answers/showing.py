"""Files and rows as people see them: pages of files, outcomes of rows, cells without what the caller may not see."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection, Row

from chalicelib.files.answers import rejects
from chalicelib.files.formats import layouts
from chalicelib.files.formats.marking import MASK
from chalicelib.files.formats.reading import kept_encoding
from chalicelib.files.formats.translating import Header
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register.register import InboundFile, header_cells, key_hash, of_row
from chalicelib.files.rows import handlers
from chalicelib.partners.models.partners import member_history
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules import rulesets
from chalicelib.rules.layouts import Layout
from chalicelib.rules.models import code_table_change


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files; None filters nothing. ``partner_id`` is the only partner that may be seen."""

    partner_id: bytes | None = None
    layout: str | None = None
    state: str | None = None
    name: str | None = None
    object_key: str | None = None
    sha256: bytes | None = None


class RowOutcome(NamedTuple):
    """What became of one row, or of a run of neighbours (``row_to``) with the same outcome."""

    row_no: int
    row_to: int
    outcome: str
    code: str | None = None
    column: str | None = None
    message: str | None = None
    fixable: bool = False
    accrual_id: bytes | None = None
    recorded_at: datetime | None = None


def newest_first(db: Connection, wanted: FileFilter, *, before: bytes | None, limit: int) -> list[InboundFile]:
    """Up to ``limit`` files, the latest registered first, registered before the file ``before``."""
    columns = inbound_file.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.partner_id is not None:
        conditions.append(columns.partner_id == wanted.partner_id)
    if wanted.layout is not None:
        conditions.append(columns.layout_name == wanted.layout)
    if wanted.state is not None:
        conditions.append(columns.state == wanted.state)
    if wanted.name is not None:
        conditions.append(columns.name == wanted.name)
    if wanted.object_key is not None:
        conditions.append(columns.key_hash == key_hash(wanted.object_key))
    if wanted.sha256 is not None:
        conditions.append(columns.sha256 == wanted.sha256)
    if before is not None:
        conditions.append(columns.id < before)
    query = select(inbound_file).where(*conditions).order_by(columns.id.desc()).limit(limit)
    return [of_row(row) for row in db.execute(query)]


def layout_of(db: Connection, file: InboundFile) -> Layout | None:
    """The layout that the file is read by; None when it names none."""
    if file.layout_version_id is None:
        return None
    return layouts.of_version(rulesets.version(db, file.layout_version_id))


def rows(db: Connection, file: InboundFile, *, outcome: str | None, after: int, limit: int) -> list[RowOutcome]:
    """Up to ``limit`` outcomes by row number after row ``after``; of one outcome, or all."""
    found: list[RowOutcome] = []
    if outcome != "accepted":
        found += _kept(db, file, outcome, after, limit)
    if outcome in {None, "accepted"}:
        found += _accepted(db, file, after, limit)
    return sorted(found)[:limit]


def _kept(db: Connection, file: InboundFile, outcome: str | None, after: int, limit: int) -> list[RowOutcome]:
    columns = file_row.c
    wanted = columns.outcome != "accepted" if outcome is None else columns.outcome == outcome
    query = (
        select(file_row)
        .where(columns.file_id == file.id, columns.row_no > after, wanted)
        .order_by(columns.row_no)
        .limit(limit)
    )
    return [
        RowOutcome(
            row.row_no,
            row.row_to,
            row.outcome,
            row.code,
            row.column_name,
            row.message,
            row.fixable,
            recorded_at=row.recorded_at,
        )
        for row in db.execute(query)
    ]


def _accepted(db: Connection, file: InboundFile, after: int, limit: int) -> list[RowOutcome]:
    """Rows that became events or history; these tables know them, ``file_row`` does not."""
    if file.entity == "accrual":
        events = accrual_event.c
        query = (
            select(events.row_no, events.id, events.received_at)
            .where(events.source_file_id == file.id, events.row_no > after, events.generation >= 0)
            .order_by(events.row_no)
            .limit(limit)
        )
        return [
            RowOutcome(row.row_no, row.row_no, "accepted", accrual_id=row.id, recorded_at=row.received_at)
            for row in db.execute(query)
        ]
    if file.entity == "code_table":
        return _changes(db, file, after, limit)
    handler = handlers.of(file.entity)
    if handler is not None:
        kept = db.execute(handler.accepted(file, after=after, limit=limit))
        return [RowOutcome(row.row_no, row.row_no, "accepted", recorded_at=row.recorded_at) for row in kept]
    history = member_history.c
    entries = (
        select(history.row_no, history.recorded_at)
        .where(
            history.partner_id == file.partner_id,
            history.source_id == file.id,
            history.source_kind == "file",
            history.row_no > after,
        )
        .order_by(history.row_no)
        .limit(limit)
    )
    return [RowOutcome(row.row_no, row.row_no, "accepted", recorded_at=row.recorded_at) for row in db.execute(entries)]


def _changes(db: Connection, file: InboundFile, after: int, limit: int) -> list[RowOutcome]:
    """Rows that changed an entry of a code table."""
    change = code_table_change.c
    query = (
        select(change.row_no, change.recorded_at)
        .where(change.file_id == file.id, change.row_no > after)
        .order_by(change.row_no)
        .limit(limit)
    )
    return [RowOutcome(row.row_no, row.row_no, "accepted", recorded_at=row.recorded_at) for row in db.execute(query)]


def rejected(db: Connection, file: InboundFile, *, after: int, limit: int) -> list[Row[Any]]:
    """Up to ``limit`` rejected rows by number after row ``after``, as they are kept."""
    columns = file_row.c
    query = (
        select(file_row)
        .where(columns.file_id == file.id, columns.row_no > after, columns.outcome == "rejected")
        .order_by(columns.row_no)
        .limit(limit)
    )
    return list(db.execute(query).all())


class Cells:
    """The sender's cells of a file's rows.

    Unless ``personal``, only those of columns are shown that the layout declares and does not mark as personal: nobody
    knows what an undeclared one holds.
    """

    def __init__(self, layout: Layout, file: InboundFile, *, personal: bool) -> None:
        self._how = layout.spec.format
        self.columns = Header(header_cells(file), layout)
        self.header = self.columns.cells
        positions = self.columns.positions
        columns = layout.spec.columns
        self._personal = personal
        declared = {at for name, at in positions.items() if not columns[name].personal}
        self._open = frozenset(range(len(self.header))) if personal else declared

    def of(self, row: Row[Any]) -> list[str]:
        """The cells of one kept row, one for each column of the header.

        A row whose form is wrong is masked as a whole: which cell belongs to which column is unknown.
        """
        cells = rejects.cells_of(row, self._how, width=len(self.header))
        if row.code in rejects.FORM_FAULTS and not self._personal:
            return [MASK] * len(self.header)
        return [cell if at in self._open or not cell else MASK for at, cell in enumerate(cells)]

    def text(self, raw: bytes) -> str | None:
        """One raw row as text; None when it may hold what the caller must not see."""
        if len(self._open) < len(self.header):
            return None
        return raw.decode(kept_encoding(self._how)).rstrip("\r\n")

    def seen(self, header: str, cell: str) -> str:
        """One cell of the column with this header."""
        return cell if not cell or self.header.index(header) in self._open else MASK

    def named(self, cells: Sequence[str]) -> dict[str, str]:
        """Cells by header name."""
        return dict(zip(self.header, cells, strict=True))
