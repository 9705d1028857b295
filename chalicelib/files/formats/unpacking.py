"""The plain content of an object: gzip and zip are expanded up to a cap, UTF-16 becomes UTF-8, as a stream.

A zip archive is read from its beginning, entry by entry, so that it need not be kept: it holds exactly one file. What
the archive's directory at the end says is not asked, only that it follows.
"""

import codecs
import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, NamedTuple

from chalicelib.files.formats.reading import Measured
from chalicelib.files.register.refusals import FileRefused
from chalicelib.rules.layouts import Format

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_ZIP_DIRECTORY = b"PK\x01\x02"
_ZIP_DESCRIPTOR = b"PK\x07\x08"
_ZIP_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED, _DESCRIPTOR_FOLLOWS = 1, 8
_STORED, _DEFLATED = 0, 8
_UNKNOWN_SIZE = 0xFFFFFFFF
_BUFFER_BYTES = 1 << 20
_UTF_16 = "utf-16"


def content_of(source: Measured, how: Format, *, expanded_bytes_max: int) -> tuple[IO[bytes], bool]:
    """The plain content of an object, and whether it is other bytes than arrived.

    Gzip and zip are told by their first bytes. Reading raises FileRefused (``bad_gzip``, ``bad_zip``,
    ``expands_too_far``, ``bad_encoding``).
    """
    buffered = io.BufferedReader(source, _BUFFER_BYTES)
    content: IO[bytes] = buffered
    magic = buffered.peek(len(_ZIP_MAGIC))
    packed = magic.startswith((_GZIP_MAGIC, _ZIP_MAGIC))
    if packed:
        chunks = _gunzipped(buffered) if magic.startswith(_GZIP_MAGIC) else _unzipped(buffered)
        content = _stream(chunks, expanded_bytes_max)
    if how.encoding == _UTF_16:
        return _stream(_as_utf_8(content), expanded_bytes_max), True
    return content, packed


class _Pulled(io.RawIOBase):
    """Chunks as a raw stream, up to a cap. Raises FileRefused (``expands_too_far``)."""

    def __init__(self, chunks: Iterator[bytes], bytes_max: int) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._left = bytes_max
        self._bytes_max = bytes_max

    def readable(self) -> bool:
        """Always: this is a reader."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill ``buffer`` from the chunk at hand; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left -= len(chunk)
            if self._left < 0:
                message = f"The file expands to more than {self._bytes_max} bytes, the most that is accepted."
                raise FileRefused("expands_too_far", message)
            self._rest = memoryview(chunk)
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _stream(chunks: Iterator[bytes], bytes_max: int) -> IO[bytes]:
    return io.BufferedReader(_Pulled(chunks, bytes_max), _BUFFER_BYTES)


def _gunzipped(source: IO[bytes]) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as expanded:
            while chunk := expanded.read(_BUFFER_BYTES):
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileRefused("bad_gzip", f"The file is a damaged or cut-off gzip archive ({error}).") from error


def _as_utf_8(source: IO[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(_UTF_16)("strict")
    position = 0
    ended = False
    while not ended:
        chunk = source.read(_BUFFER_BYTES)
        ended = not chunk
        try:
            text = decoder.decode(chunk, ended)
        except UnicodeDecodeError as error:
            message = f"About byte {position + error.start} the file is not {_UTF_16}, the encoding of the layout."
            raise FileRefused("bad_encoding", message) from error
        except UnicodeError as error:
            message = f"The file does not begin with a byte order mark, as {_UTF_16}, the encoding of the layout, does."
            raise FileRefused("bad_encoding", message) from error
        position += len(chunk)
        if text:
            yield text.encode()


class _Entry(NamedTuple):
    """The header of one file in a zip archive."""

    flags: int
    method: int
    crc: int
    packed_bytes: int


def _unzipped(source: IO[bytes]) -> Iterator[bytes]:
    entry = _entry(source)
    crc = 0
    tail = b""
    if entry.method == _STORED:
        left = entry.packed_bytes
        while left:
            chunk = source.read(min(left, _BUFFER_BYTES))
            if not chunk:
                raise _bad_zip("it is cut off")
            left -= len(chunk)
            crc = zlib.crc32(chunk, crc)
            yield chunk
    else:
        expander = zlib.decompressobj(-zlib.MAX_WBITS)
        while not expander.eof:
            packed = expander.unconsumed_tail or source.read(_BUFFER_BYTES)
            if not packed:
                raise _bad_zip("it is cut off")
            try:
                chunk = expander.decompress(packed, _BUFFER_BYTES)
            except zlib.error as error:
                raise _bad_zip(str(error)) from error
            crc = zlib.crc32(chunk, crc)
            if chunk:
                yield chunk
        tail = expander.unused_data
    _examine_end(entry, crc, tail + source.read(max(0, 64 - len(tail))))


def _entry(source: IO[bytes]) -> _Entry:
    head = source.read(_ZIP_HEADER.size)
    if len(head) < _ZIP_HEADER.size:
        raise _bad_zip("it is cut off")
    _, _, flags, method, _, _, crc, packed, _, name_length, extra_length = _ZIP_HEADER.unpack(head)
    name = source.read(name_length)
    source.read(extra_length)
    if flags & _ENCRYPTED:
        raise _bad_zip("it is encrypted")
    if name.endswith(b"/"):
        raise _bad_zip("it holds a folder")
    unknown = flags & _DESCRIPTOR_FOLLOWS or packed == _UNKNOWN_SIZE
    if method not in {_STORED, _DEFLATED} or (method == _STORED and unknown):
        raise _bad_zip("it is compressed in another way than by deflate")
    return _Entry(flags, method, crc, packed)


def _examine_end(entry: _Entry, crc: int, tail: bytes) -> None:
    """Raise FileRefused unless the content is whole and the archive's directory follows it."""
    following = {tail[:4]: entry.crc}
    if entry.flags & _DESCRIPTOR_FOLLOWS:
        after = tail[4:] if tail.startswith(_ZIP_DESCRIPTOR) else tail
        stated = int.from_bytes(after[:4], "little")
        # Two sizes follow the check sum, of four bytes each or of eight.
        following = {after[12:16]: stated, after[20:24]: stated}
    if _ZIP_MAGIC in following:
        raise _bad_zip("it holds more than one file")
    if _ZIP_DIRECTORY not in following:
        raise _bad_zip("it is cut off")
    if following[_ZIP_DIRECTORY] != crc:
        raise _bad_zip("its check sum is wrong")


def _bad_zip(why: str) -> FileRefused:
    return FileRefused("bad_zip", f"The file is a zip archive that cannot be used ({why}): it must hold one file.")
