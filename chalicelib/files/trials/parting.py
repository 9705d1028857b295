"""The rows of a file are spread over parts of which none depends on another: what shares a key goes together.

The key is whom or what the rows are about: points of one employee never depend on another's, words of one article not
on another's. Rows that share an id of their own although their keys differ go into one part, the last.
"""

import struct
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, NamedTuple

from chalicelib.documents.kinds import KINDS
from chalicelib.errors import Unprocessable
from chalicelib.files.formats.reading import one_record
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.rows.recording import Line, Work
from chalicelib.records import dataclass

#: Rows of one part: it holds its locks, on one machine the only one, until it is taken back.
PART_ROWS: Final = 5_000
#: Rows of a file that is tried.
ROWS_MAX: Final = 2_000_000
#: Rows of the part of those that share ids.
_SHARING_ROWS_MAX: Final = 4 * PART_ROWS
_HEAD: Final = struct.Struct("<IQIQqB")


class _Named(NamedTuple):
    """The fields of an entity that say whom a row is about, and the row's own id."""

    key: str
    own: str | None = None


_NAMED: Final[Mapping[str, _Named]] = MappingProxyType(
    {
        "accrual": _Named("employee_id", "event_id"),
        "roster": _Named("employee_id"),
        "opening_balance": _Named("employee_id"),
        "adjustment": _Named("employee_id", "adjustment_id"),
        "product": _Named("sku"),
        "price": _Named("sku"),
        "stock": _Named("sku"),
        "erp_ack": _Named("posting_id"),
        **{name: _Named(kind.number) for name, kind in KINDS.items()},
    }
)
#: Entities whose files can be spread.
ENTITIES: Final = frozenset(_NAMED)


class Stored(NamedTuple):
    """One row as it was spread: its number, the hash of its key, its place in the content, its amount and its bytes."""

    row_no: int
    key: int
    offset: int
    amount: int | None
    raw: bytes


@dataclass(slots=True)
class Spread:
    """The parts of a file, each in a file of a directory."""

    directory: Path
    parts: int
    #: Hashes of the keys whose rows share ids with others: their rows are in the part after the last.
    sharing: set[int] = field(default_factory=set)

    def rows(self, part: int) -> Iterator[Stored]:
        """The rows of a part in the order of the file; ``parts`` is the part of those that share ids."""
        if part < self.parts:
            yield from (each for each in self._stored(part) if each.key not in self.sharing)
        elif self.sharing:
            yield from sorted(self.shared())

    def shared(self) -> Iterator[Stored]:
        """The rows that share ids, in no order."""
        for part in range(self.parts):
            yield from (each for each in self._stored(part) if each.key in self.sharing)

    def _stored(self, part: int) -> Iterator[Stored]:
        with (self.directory / str(part)).open("rb") as source:
            while head := source.read(_HEAD.size):
                row_no, offset, length, key, amount, readable = _HEAD.unpack(head)
                yield Stored(row_no, key, offset, amount if readable else None, source.read(length))


def lines(rows: Sequence[Stored], work: Work) -> list[Line]:
    """The rows as they are given to the room that keeps them."""
    how = work.reading.layout.spec.format
    found: list[Line] = []
    for row in rows:
        record = one_record(row.raw, how)._replace(offset=row.offset)
        told = work.translator.row(record)
        found.append(Line(row.row_no, record, row.amount, told, work.translator.missed()))
    return found


def parts_of(rows: int) -> int:
    """Into how many parts so many rows are spread."""
    return max(1, -(-rows // PART_ROWS))


def spread(lines: Iterator[Line], work: Work, directory: Path, *, parts: int) -> Spread:
    """Spread the lines over the parts. Raises Unprocessable when too many rows share ids that should be their own."""
    named = _NAMED[work.reading.layout.spec.entity]
    keys, owns = array("Q"), array("Q")
    files = [(directory / str(part)).open("wb") for part in range(parts)]
    try:
        for line in lines:
            key, own = _places(line, work, named)
            if own is not None:
                keys.append(key)
                owns.append(own)
            _store(files[key % parts], key, line)
    finally:
        for file in files:
            file.close()
    sharing = _sharing(keys, owns)
    found = Spread(directory, parts, sharing)
    if sharing and sum(1 for _ in found.shared()) > _SHARING_ROWS_MAX:
        message = f"More than {_SHARING_ROWS_MAX} rows share ids that should be their own: send a part of the file."
        raise Unprocessable(message, code="too_large_to_try")
    return found


def _store(file: IO[bytes], key: int, line: Line) -> None:
    raw, amount = line.record.raw, line.amount
    file.write(_HEAD.pack(line.row_no, line.record.offset, len(raw), key, amount or 0, amount is not None))
    file.write(raw)


def _places(line: Line, work: Work, named: _Named) -> tuple[int, int | None]:
    """The hashes of a row's key and of its own id."""
    row: Mapping[str, Any] | None = None if isinstance(line.row, RowRefused) else line.row
    if row is None and work.reading.layout.spec.entity in KINDS:
        row = work.translator.place_of(line.record)
    if row is None:
        return zlib.crc32(str(line.row_no).encode()), None
    own = None if named.own is None else row.get(named.own)
    return _hash(str(row[named.key])), None if own is None else _hash(str(own))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _sharing(keys: "array[int]", owns: "array[int]") -> set[int]:
    """The keys of rows whose own id a row of another key has, too."""
    again = {one for one, other in pairwise(sorted(owns)) if one == other}
    holders: dict[int, set[int]] = {}
    for key, own in zip(keys, owns, strict=True):
        if own in again:
            holders.setdefault(own, set()).add(key)
    return {key for of in holders.values() if len(of) > 1 for key in of}
