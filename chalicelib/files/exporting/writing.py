"""Rows -> the bytes of one file, and back: header, quoted cells, and a trailer that says what there has to be.

The last line is ``#TRAILER,<rows>,<control sum>,<file_seq>,<as_of>``. Both ways hold one batch of rows in memory.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Context, Decimal
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import IO, Any, Final

from chalicelib.errors import Broken
from chalicelib.files.exporting.layouts import OutLayout, Value, cell_readers, cell_writers, moment, moment_of
from chalicelib.files.formats.controls import SUM_SCALE, amounts, shown_sum
from chalicelib.files.formats.reading import Measured, Record, kept_encoding, records
from chalicelib.files.register.refusals import FileRefused
from chalicelib.records import dataclass

#: Rows that become one piece of text.
_BATCH_ROWS: Final = 2_000
_TRAILER_CELLS: Final = 5
_EXACT: Final = Context(prec=60)
#: Sums are kept in a database's 64 bits.
_SUM_MAX: Final = 2**63 - 1


@dataclass(slots=True)
class Written:
    """What a file has in it. ``control_sum`` is in millionths; complete once the last byte was made."""

    file_seq: int
    as_of: datetime
    rows: int = 0
    control_sum: int = 0
    size_bytes: int = 0
    sha256: bytes = b""


def chunks(layout: OutLayout, rows: Iterable[Mapping[str, Any]], written: Written) -> Iterator[bytes]:
    """The file of ``rows`` piece by piece; ``written`` has its number and moment, and is counted up.

    A row has exactly the layout's columns. Raises Broken for one that has not, or a value that is not of its type.
    """
    how, digest = layout.format, sha256()

    def encoded(text: str) -> bytes:
        data = text.encode(kept_encoding(how), errors="replace")
        digest.update(data)
        written.size_bytes += len(data)
        return data

    yield encoded(_lines(layout, [layout.headers]))
    pick, tell = _picked(layout), cell_writers(layout)
    summed = layout.control.column
    every = iter(rows)
    while some := list(islice(every, _BATCH_ROWS)):
        told = [[write(value) for write, value in zip(tell, pick(row), strict=True)] for row in some]
        if summed is not None:
            written.control_sum += sum(_millionths(row[summed]) for row in some)
            if abs(written.control_sum) > _SUM_MAX:
                raise Broken(f"The control sum of {layout.id} does not fit.")
        written.rows += len(some)
        yield encoded(_lines(layout, told))
    total = shown_sum(written.control_sum) if summed is not None else ""
    trailer = (layout.control.marker, str(written.rows), total, str(written.file_seq), moment(written.as_of))
    yield encoded(how.delimiter.join(trailer) + "\r\n")
    written.sha256 = digest.digest()


def read(layout: OutLayout, source: IO[bytes], found: Written | None = None) -> Iterator[dict[str, Value]]:
    """The rows of a file that was written by the layout; ``found`` then has what the file is.

    Raises Broken, at the latest at the end, when it is not such a file, or not whole: what is read must not be used
    before that.
    """
    measured = Measured(source)
    rows = total = 0
    summed = layout.control.column
    last: Record | None = None
    try:
        lines = records(io.BufferedReader(measured), layout.format)
        header = next(lines, None)
        if header is None or header.cells != layout.headers:
            raise Broken(f"This is no file of the layout {layout.id}: its header is another.")
        readers = list(cell_readers(layout).items())
        for record in lines:
            if last is not None:
                cells = _whole(layout, last)
                values = {name: understand(cell) for (name, understand), cell in zip(readers, cells, strict=True)}
                rows += 1
                total += _millionths(values[summed]) if summed is not None else 0
                yield values
            last = record
    except FileRefused as error:
        raise Broken(f"The file of the layout {layout.id} is not whole: {error.message}") from error
    stated = _trailer(layout, last)
    if (stated.rows, stated.control_sum) != (rows, total):
        raise Broken(f"The file of the layout {layout.id} has {rows} rows and its trailer says {stated.rows}.")
    if found is not None:
        found.file_seq, found.as_of, found.rows, found.control_sum = stated.file_seq, stated.as_of, rows, total
        found.size_bytes, found.sha256 = measured.bytes_read, measured.digest


def _lines(layout: OutLayout, rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO(newline="")
    how = layout.format
    csv.writer(text, delimiter=how.delimiter, quotechar=how.quote, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def _picked(layout: OutLayout) -> Any:  # noqa: ANN401 - a function from a row to the tuple of its values
    names = tuple(layout.columns)
    pick, wanted = itemgetter(*names), set(names)

    def picked(row: Mapping[str, Any]) -> tuple[Any, ...]:
        if row.keys() != wanted:
            raise Broken(f"A row of {layout.id} has other columns than its layout: {sorted(row.keys() ^ wanted)}.")
        return tuple(pick(row))

    return picked


def _millionths(value: object) -> int:
    """A value of the control column; nothing counts as 0."""
    return int(Decimal(value).scaleb(SUM_SCALE, _EXACT)) if isinstance(value, Decimal | int) else 0


def _whole(layout: OutLayout, record: Record) -> list[str]:
    if record.fault is not None or len(record.cells) != len(layout.columns):
        raise Broken(f"The row at byte {record.offset} is no row of the layout {layout.id}.")
    return record.cells


def _trailer(layout: OutLayout, record: Record | None) -> Written:
    cells = record.cells if record is not None else []
    if record is None or len(cells) != _TRAILER_CELLS or cells[0] != layout.control.marker or record.raw[-1:] != b"\n":
        raise Broken(f"The file of the layout {layout.id} has no trailer: it is not whole.")
    try:
        total = amounts(layout.control)(cells[2]) if layout.control.column else 0
        stated = Written(int(cells[3]), moment_of(cells[4]), rows=int(cells[1]), control_sum=total or 0)
    except ValueError as error:
        raise Broken(f"The trailer of the layout {layout.id} cannot be read.") from error
    if total is None:
        raise Broken(f"The trailer of the layout {layout.id} states no sum.")
    return stated
