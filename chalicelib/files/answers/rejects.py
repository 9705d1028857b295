"""O5, the rejects: the refused rows as the sender wrote them, with the reasons in further columns.

Same header, delimiter and encoding as the layout, so that a mended file of rejects can be sent in as it is, under any
name: ``resubmit_token`` says which row each of its rows is. What we add is written by a layout of its own,
``rejects.json``. No spreadsheet takes a cell for a formula (``marking``). Every cell is quoted.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.engine import Connection, Row

from chalicelib.files.exporting import layouts as exporting
from chalicelib.files.exporting.layouts import Value
from chalicelib.files.formats import layouts
from chalicelib.files.formats.marking import REASON_COLUMNS, harmless, restored, resubmit_token
from chalicelib.files.formats.reading import kept_encoding, one_record
from chalicelib.files.formats.translating import Header
from chalicelib.files.models.files import file_row
from chalicelib.files.register.register import InboundFile, header_cells
from chalicelib.files.rows.tallies import unseal
from chalicelib.rules import rulesets
from chalicelib.rules.layouts import Format

#: Codes of rows whose cells cannot be told apart by column.
FORM_FAULTS = frozenset({"malformed_row", "nul_byte", "short_row", "long_row"})
_PAGE_ROWS = 1000
_IN_MEMORY_BYTES = 4 << 20


def iter_rejected(db: Connection, file_id: bytes) -> Iterator[Row[Any]]:
    """The rejected rows of a file that nothing has resolved, in the order of the file."""
    last = 0
    while True:
        rows = db.execute(
            select(file_row)
            .where(file_row.c.file_id == file_id, file_row.c.row_no > last, file_row.c.outcome == "rejected")
            .order_by(file_row.c.row_no)
            .limit(_PAGE_ROWS)
        ).all()
        yield from rows
        if len(rows) < _PAGE_ROWS:
            return
        last = rows[-1].row_no


def raw_text(row: Row[Any], how: Format) -> str:
    """A kept row as text; bytes that its encoding does not have cannot occur in a checked file."""
    return unseal(row.raw, row.file_id).decode(kept_encoding(how)).rstrip("\r\n")


@contextmanager
def written(db: Connection, file: InboundFile) -> Iterator[IO[bytes]]:
    """The rejects of a file as a CSV, rewound. Small ones stay in memory."""
    version = rulesets.version(db, file.layout_version_id or b"")
    how = layouts.of_version(version).spec.format
    header = Header(header_cells(file), layouts.of_version(version))
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as target:
        # What we say is ASCII; anything else in it is shown as a question mark rather than lost.
        text = io.TextIOWrapper(target, encoding=how.encoding, errors="replace", newline="")
        table = csv.writer(text, delimiter=how.delimiter, quotechar=how.quote, quoting=csv.QUOTE_ALL)
        table.writerows(
            lines(db, file, cells_of=lambda row: cells_of(row, how, width=len(header.cells)), header=header)
        )
        text.flush()
        text.detach()
        target.seek(0)
        yield target


def lines(
    db: Connection, file: InboundFile, *, cells_of: Callable[[Row[Any]], Sequence[str]], header: Header
) -> Iterator[Sequence[str]]:
    """Header and rows of the rejects; ``cells_of`` gives the cells of a kept row by the file's whole ``header``.

    Of rejects that came back and are rejected again, the reasons of the last time are left out.
    """
    yield [*(harmless(header.cells[at]) for at in header.own), *REASON_COLUMNS]
    versions: dict[bytes, tuple[str, int]] = {}
    told = exporting.cell_writers(exporting.of_rejects())
    for row in iter_rejected(db, file.id):
        cells = cells_of(row)
        reasons = _reasons(row, file, _version(db, row, versions))
        yield [
            *(_shown(cells[at], header) for at in header.own),
            *(write(reason) for write, reason in zip(told, reasons, strict=True)),
        ]


def cells_of(row: Row[Any], how: Format, *, width: int) -> list[str]:
    """The sender's cells, padded or joined to the header's width, so that the reasons stand in their columns."""
    record = one_record(unseal(row.raw, row.file_id), how)
    cells = record.cells or [raw_text(row, how)]
    if len(cells) > width:
        cells = [*cells[: width - 1], how.delimiter.join(cells[width - 1 :])]
    return cells + [""] * (width - len(cells))


def _shown(cell: str, header: Header) -> str:
    """A cell without danger; those of rejects that came back were made harmless before."""
    return harmless(restored(cell) if header.is_of_rejects else cell)


def _version(db: Connection, row: Row[Any], known: dict[bytes, tuple[str, int]]) -> tuple[str, int] | None:
    if row.rule_version_id is None:
        return None
    if row.rule_version_id not in known:
        version = rulesets.version(db, row.rule_version_id)
        known[row.rule_version_id] = (version.ruleset_code, version.number)
    return known[row.rule_version_id]


def _reasons(row: Row[Any], file: InboundFile, version: tuple[str, int] | None) -> list[Value]:
    """The values of our columns, in the order of their layout."""
    rule_id, rule_version = version or (None, None)
    return [
        row.row_no,
        row.code,
        row.column_name,
        row.message,
        rule_id,
        rule_version,
        "true" if row.fixable else "false",
        resubmit_token(file.id, row.row_no),
    ]
