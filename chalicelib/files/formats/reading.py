"""Records of a delimited file, streamed, each with the bytes it stands for.

A record is what RFC 4180 calls one: a quoted line feed does not end it. Byte offsets count expanded bytes. A row that
is not well formed is a record with a fault; what makes the rest of the file unreadable raises FileRefused.
"""

import csv
import hashlib
import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, NamedTuple

from chalicelib.files.register.refusals import FileRefused
from chalicelib.rules.layouts import Format

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: The longest row in bytes: longer ones are an open quote or not a table.
RECORD_BYTES_MAX = 65_536

_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 20
#: Blanks, and the end-of-file mark of DOS that old exports leave behind.
_BLANK = b" \t\r\n\x1a"
_OPEN_QUOTE = "unexpected end of data"
#: How files begin that are taken for text by mistake.
_FOREIGN = {
    b"\xff\xfe": "UTF-16: save it in the declared encoding",
    b"\xfe\xff": "UTF-16: save it in the declared encoding",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV",
    b"%PDF": "a PDF document: send CSV",
}


def kept_encoding(how: Format) -> str:
    """The encoding of the plain content as it is kept and cut into rows: UTF-16 has become UTF-8 (``unpacking``)."""
    return "utf-8" if how.encoding == "utf-16" else how.encoding


class Record(NamedTuple):
    """One row: where its bytes begin, the bytes, its cells, and what is wrong with its form (None: nothing)."""

    offset: int
    raw: bytes
    cells: list[str]
    fault: str | None


def records(source: IO[bytes], how: Format, *, offset: int = 0) -> Iterator[Record]:
    """The records of ``source``, which begins at byte ``offset`` of the file. Blank lines are no records.

    Raises FileRefused (``bad_encoding``, ``row_too_long``, ``quote_not_closed``).
    """
    pending: list[bytes] = []
    position = offset
    reader = csv.reader(
        _lines(source, how, pending, at_start=offset == 0), delimiter=how.delimiter, quotechar=how.quote, strict=True
    )
    while True:
        fault: str | None = None
        try:
            for cells in reader:
                raw = pending[0] if len(pending) == 1 else b"".join(pending)
                pending.clear()
                if cells and raw.strip(_BLANK):
                    yield Record(position, raw, cells, "nul_byte" if b"\0" in raw else None)
                position += len(raw)
        except csv.Error as error:
            if str(error) == _OPEN_QUOTE:
                message = f"The quote in the row that begins at byte {position} is never closed."
                raise FileRefused("quote_not_closed", message) from error
            fault = "malformed_row"
        except UnicodeDecodeError as error:
            at = position + sum(map(len, pending[:-1])) + error.start
            message = (
                f"Byte {at} of the file is not {kept_encoding(how)}, the encoding that the layout declares."
                f"{_looks_like(b''.join(pending)) if position == 0 else ''}"
            )
            raise FileRefused("bad_encoding", message) from error
        if fault is None:
            return
        raw = b"".join(pending)
        pending.clear()
        yield Record(position, raw, [], fault)
        position += len(raw)


def _looks_like(beginning: bytes) -> str:
    """What a file is that begins so, for whoever sent it."""
    for mark, told in _FOREIGN.items():
        if beginning.startswith(mark):
            return f" It begins like {told}."
    return ""


def _lines(source: IO[bytes], how: Format, pending: list[bytes], *, at_start: bool) -> Iterator[str]:
    """Decoded lines; the bytes of those that the record in progress has taken are in ``pending``."""
    encoding = kept_encoding(how)
    limit = RECORD_BYTES_MAX
    readline = source.readline
    bom = _BOM if at_start and encoding == "utf-8" else b""
    taken = 0
    while line := readline(limit + 1):
        pending.append(line)
        # The first line of a record is alone; a record of thousands of short lines must not be summed at each of them.
        taken = len(line) if len(pending) == 1 else taken + len(line)
        if taken > limit:
            raise FileRefused(
                "row_too_long",
                f"A row is longer than {limit} bytes: a quote is not closed, or this is not a table with line feeds.",
            )
        if bom:
            line, bom = line.removeprefix(bom), b""
        yield line.decode(encoding)


def one_record(raw: bytes, how: Format) -> Record:
    """The single record that ``raw`` holds; its bytes were read as one record before."""
    # An offset above zero keeps the first line's byte order mark, which only a header has.
    return next(records(io.BytesIO(raw), how, offset=1))


class Measured(io.RawIOBase):
    """A raw stream that counts and hashes what is read through it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self.bytes_read = 0

    def readable(self) -> bool:
        """Always: this is a reader."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill ``buffer`` with what the source has at hand; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self._source.read(len(view))
        view[: len(data)] = data
        self._hash.update(data)
        self.bytes_read += len(data)
        return len(data)

    def drain(self) -> None:
        """Read to the end, so that the digest is of the whole."""
        while self.read(_BUFFER_BYTES):
            pass

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was read so far."""
        return self._hash.digest()
