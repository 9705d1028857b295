"""Lines of archived files without what they said: of the same length, so that every other row stays where it is.

What an erased line was is kept as its hash, beside the hash of the whole file, in a record that the hub signs: so it
can still be proven that a line which somebody has is the one that was applied, and that nothing else was changed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

from chalicelib.errors import NotFound
from chalicelib.files.formats import archive
from chalicelib.records import dataclass
from chalicelib.rules.layouts import Format
from chalicelib.storage import objects, signing
from chalicelib.storage.signing import Signature

#: What erased bytes become: the control character DELETE, which no identifier, number or date may hold.
FILL: Final = b"\x7f"


@dataclass(frozen=True, slots=True)
class ErasedLine:
    """One line that was erased, whole or in part; ``sha256`` is of its bytes as they arrived."""

    row_no: int
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file that are to go."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ErasedLines:
    """The signed record of one file: its hash as it arrived, and what its erased lines were."""

    file_sha256: str
    lines: tuple[ErasedLine, ...]
    original_removed: bool

    def line_at(self, offset: int) -> ErasedLine | None:
        """The erased line that begins at a byte; None when that line is whole."""
        return next((line for line in self.lines if line.offset == offset), None)


def kept_bytes(how: Format) -> bytes:
    """The bytes that stay in an erased line, so that it still is one row of so many cells."""
    return f"{how.delimiter}{how.quote}\r\n".encode("ascii", "ignore")


def filled(raw: bytes, keep: bytes) -> bytes:
    """A line without what it said, and as long."""
    return raw.translate(_fill(keep))


def _fill(keep: bytes) -> bytes:
    return bytes(each if each in keep else FILL[0] for each in range(256))


def is_erased(raw: bytes, how: Format) -> bool:
    """Whether a line was erased as a whole."""
    return FILL in raw and not raw.strip(FILL + kept_bytes(how))


def line(row_no: int, offset: int, raw: bytes) -> ErasedLine:
    """What will be known of a line once it is erased."""
    return ErasedLine(row_no, offset, len(raw), sha256(raw).hexdigest())


def record_key(partner_code: str, file_sha256: bytes) -> str:
    """Where the signed record of a file is, in the archive bucket."""
    return f"{partner_code}/{file_sha256.hex()}.erased.json"


def read_record(partner_code: str, file_sha256: bytes) -> tuple[ErasedLines, bool] | None:
    """The record of a file and whether its signature holds; None when nothing of it was erased. Raises Unavailable."""
    try:
        with objects.open_range(archive.bucket(), record_key(partner_code, file_sha256)) as source:
            signed: dict[str, Any] = json.loads(source.read())
    except NotFound:
        return None
    signature = Signature(signed.pop("key_no"), bytes.fromhex(signed.pop("signature")))
    lines = tuple(ErasedLine(**each) for each in signed["lines"])
    found = ErasedLines(signed["file_sha256"], lines, signed["original_removed"])
    return found, signing.holds(_content(found), signature)


def write_record(
    partner_code: str, file_sha256: bytes, lines: Iterable[ErasedLine], *, original_removed: bool
) -> ErasedLines:
    """Add lines to the record of a file, before they are erased; those that are in it already stay as they are."""
    earlier = read_record(partner_code, file_sha256)
    known = {} if earlier is None else {each.offset: each for each in earlier[0].lines}
    merged = {each.offset: each for each in lines} | known
    removed = original_removed or (earlier is not None and earlier[0].original_removed)
    made = ErasedLines(file_sha256.hex(), tuple(merged[offset] for offset in sorted(merged)), removed)
    signature = signing.sign(_content(made))
    signed = {**asdict(made), "key_no": signature.key_no, "signature": signature.digest.hex()}
    objects.put(
        archive.bucket(),
        record_key(partner_code, file_sha256),
        json.dumps(signed).encode(),
        content_type="application/json",
    )
    return made


def _content(record: ErasedLines) -> bytes:
    return json.dumps(asdict(record), sort_keys=True).encode()


def rewrite(bucket: str, key: str, spans: Sequence[Span], keep: bytes) -> None:
    """Fill the spans of an object, in bounded memory. Raises NotFound, Conflict when it is replaced, Unavailable."""
    found = objects.head(bucket, key)
    if found is None:
        raise NotFound(f"There is no object {key}.")
    chunks = objects.stream(bucket, key, etag=found.etag)
    objects.upload(bucket, key, patched(chunks, spans, keep), content_type="text/csv", metadata=found.metadata)


def patched(chunks: Iterable[bytes], spans: Sequence[Span], keep: bytes) -> Iterator[bytes]:
    """The chunks with the bytes of the spans, which ascend, filled."""
    table = _fill(keep)
    position, at = 0, 0
    for chunk in chunks:
        end = position + len(chunk)
        while at < len(spans) and spans[at].offset + spans[at].length <= position:
            at += 1
        changed = bytearray(chunk)
        for span in spans[at:]:
            if span.offset >= end:
                break
            first, last = max(span.offset - position, 0), min(span.offset + span.length, end) - position
            changed[first:last] = changed[first:last].translate(table)
        yield bytes(changed)
        position = end
