"""The archive: what arrived, under its SHA-256, readable row by row for ever.

``<partner>/<sha256>.csv`` is always the plain content, so that a row is one ranged read; an object that came compressed
or in UTF-16 is kept beside it as ``.original``, and a sidecar as ``.ctl``. The digest is of the object as it arrived.

Pass 2 reads the archive and not the inbox: what was checked is what is applied, whatever happens to the name in the
inbox meanwhile, and a compressed file is expanded once. S3 does not copy
objects over 5 GB.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import IO

from chalicelib.errors import Broken
from chalicelib.files.formats.reading import Measured
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.register.register import InboundFile
from chalicelib.rules.layouts import Format
from chalicelib.settings import settings
from chalicelib.storage import objects

_CHUNK_BYTES = 1 << 20
_TEXT = "text/csv"


def key_of(partner_code: str, sha256: bytes) -> str:
    """The key of the plain content in the archive bucket."""
    return f"{partner_code}/{sha256.hex()}.csv"


def bucket() -> str:
    """The archive's bucket."""
    return settings().bucket("hub-archive")


def keep(file: InboundFile, how: Format, *, partner_code: str, alive: Callable[[], None]) -> None:
    """Copy a checked object and its sidecar into the archive and verify the copies; again is harmless.

    ``how`` is the format by its layout; ``alive`` is called now and then while bytes flow. Raises NotFound or Conflict
    when the object is gone or replaced.
    """
    sha256 = _digest_of(file)
    plain = key_of(partner_code, sha256)
    if file.compressed:
        _copy_verified(file.bucket, file.object_key, original_of(plain), etag=file.etag, sha256=sha256)
        _keep_expanded(file, how, plain, sha256, alive)
    else:
        _copy_verified(file.bucket, file.object_key, plain, etag=file.etag, sha256=sha256)
    if file.sidecar_key is not None:
        sidecar = f"{partner_code}/{sha256.hex()}.ctl"
        _copy_verified(file.bucket, file.sidecar_key, sidecar, etag=file.sidecar_etag, sha256=None)


def holds(file: InboundFile, *, partner_code: str) -> bool:
    """Whether the archive has this file's content already."""
    return objects.head(bucket(), key_of(partner_code, _digest_of(file))) is not None


def open_rows(file: InboundFile, *, partner_code: str, offset: int) -> IO[bytes]:
    """The plain content from a byte on. Raises NotFound."""
    return objects.open_range(bucket(), key_of(partner_code, _digest_of(file)), offset)


def raw_row(partner_code: str, sha256: bytes, *, offset: int, length: int) -> bytes:
    """The bytes of one row as they arrived. Raises NotFound."""
    with objects.open_range(bucket(), key_of(partner_code, sha256), offset, length) as source:
        return source.read(length)


def original_of(key: str) -> str:
    """The key of what arrived compressed or in UTF-16, beside its plain content."""
    return f"{key.removesuffix('.csv')}.original"


def _digest_of(file: InboundFile) -> bytes:
    if file.sha256 is None:
        raise Broken(f"File {file.public_id} was not checked: it has no SHA-256.")
    return file.sha256


def _copy_verified(from_bucket: str, from_key: str, to_key: str, *, etag: str | None, sha256: bytes | None) -> None:
    copied = objects.head(bucket(), to_key)
    source = objects.head(from_bucket, from_key)
    if copied is not None and (source is None or source.etag != etag):
        # An earlier try made the copy; the inbox has moved on since.
        _verify(to_key, sha256)
        return
    objects.copy(from_bucket, from_key, bucket(), to_key, etag=etag)
    copied = objects.head(bucket(), to_key)
    if source is None or copied is None or copied.size != source.size:
        raise Broken(f"The copy of {from_key} in the archive is not what was copied.", code="archive_differs")
    if copied.etag != source.etag:
        # ETags of objects that came in parts are not comparable: read the copy again.
        _verify(to_key, sha256)


def _verify(key: str, sha256: bytes | None) -> None:
    if sha256 is None:
        return
    digest = hashlib.sha256()
    for chunk in objects.stream(bucket(), key):
        digest.update(chunk)
    if digest.digest() != sha256:
        raise Broken(f"The archived object {key} does not have the SHA-256 it is filed under.", code="archive_differs")


def _keep_expanded(file: InboundFile, how: Format, key: str, sha256: bytes, alive: Callable[[], None]) -> None:
    """Write the expanded content; the archived original is the source, since nobody can replace that one."""
    with objects.open_range(bucket(), original_of(key)) as arrived:
        measured = Measured(arrived)
        plain, _ = content_of(measured, how, expanded_bytes_max=settings().expanded_bytes_max)
        written = hashlib.sha256()
        objects.upload(bucket(), key, _hashed(plain, written, alive), content_type=_TEXT)
        measured.drain()
    if measured.digest != sha256:
        raise Broken(f"The archived original of {key} is not file {file.public_id}.", code="archive_differs")
    _verify(key, written.digest())


def _hashed(source: IO[bytes], digest: "hashlib._Hash", alive: Callable[[], None]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        alive()
        yield chunk
