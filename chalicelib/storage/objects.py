"""S3 objects in bounded memory. Buckets are real names (``settings().bucket("hub-in")``); ETags are as S3 quotes them.

An ETag identifies content but is not its MD5: multipart uploads have ETags of their own kind.
"""

import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from chalicelib.errors import NotFound
from chalicelib.records import dataclass
from chalicelib.storage import aws

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)
_CHUNK_BYTES = 1 << 20
_PART_BYTES = 8 << 20
_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it: ``size`` in bytes, ``metadata`` only as ``head`` gives it."""

    key: str
    etag: str
    size: int
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


def head(bucket: str, key: str) -> ObjectInfo | None:
    """The object's properties, or None when there is none. Raises Unavailable."""
    from botocore.exceptions import ClientError

    with aws.failures_of(f"s3://{bucket}/{key}"):
        try:
            found = aws.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
    return ObjectInfo(key, found["ETag"], found["ContentLength"], found["LastModified"], found.get("Metadata", {}))


def open_range(
    bucket: str, key: str, start: int = 0, length: int | None = None, *, etag: str | None = None
) -> IO[bytes]:
    """A forward-only reader of ``length`` bytes from byte ``start`` (to the end without it); empty past the end.

    With ``etag``, Conflict when the object is not that one any more. Raises NotFound and, also later, Unavailable.
    Close it, or read it to its end, to give its connection back.
    """
    from botocore.exceptions import ClientError

    if length == 0:
        return io.BytesIO()
    what = f"s3://{bucket}/{key}"
    wanted: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if start or length is not None:
        wanted["Range"] = f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
    if etag is not None:
        wanted["IfMatch"] = etag
    with aws.failures_of(what):
        try:
            body = aws.client("s3").get_object(**wanted)["Body"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == _NOT_SATISFIABLE:
                return io.BytesIO()
            raise
    return io.BufferedReader(_Body(body, what), _CHUNK_BYTES)


def stream(bucket: str, key: str, *, start: int = 0, etag: str | None = None) -> Iterator[bytes]:
    """The object's bytes from ``start`` in chunks of up to 1 MiB; errors as for ``open_range``."""
    with open_range(bucket, key, start, etag=etag) as body:
        while chunk := body.read(_CHUNK_BYTES):
            yield chunk


def put(
    bucket: str,
    key: str,
    data: bytes | IO[bytes],
    *,
    content_type: str = "application/octet-stream",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an object, replacing one of that name; bigger files go in parts of 8 MiB. Raises Unavailable."""
    described = {"ContentType": content_type, "Metadata": dict(metadata or {})}
    with aws.failures_of(f"s3://{bucket}/{key}"):
        if isinstance(data, bytes):
            aws.client("s3").put_object(Bucket=bucket, Key=key, Body=data, **described)
            return
        from boto3.s3.transfer import TransferConfig

        # Without threads a transfer holds one part in memory, not ten, and ends with the thread that asked for it.
        parts = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, use_threads=False)
        aws.client("s3").upload_fileobj(data, bucket, key, ExtraArgs=described, Config=parts)


def upload(
    bucket: str,
    key: str,
    chunks: Iterable[bytes],
    *,
    content_type: str = "application/octet-stream",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an object from chunks that come one by one, holding about one part of 8 MiB. Raises Unavailable.

    When ``chunks`` raises, nothing is written and its exception passes through.
    """
    reader = io.BufferedReader(_Chunks(iter(chunks)), _CHUNK_BYTES)
    put(bucket, key, reader, content_type=content_type, metadata=metadata)


def create(
    bucket: str,
    key: str,
    chunks: Iterable[bytes],
    *,
    content_type: str = "application/octet-stream",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an object that is not there yet, whole or not at all, from chunks; holds about one part of 8 MiB.

    Raises Conflict when there is one of that name already, which stays as it is, and Unavailable. When ``chunks``
    raises, nothing is written and its exception passes through.
    """
    described = {"Bucket": bucket, "Key": key, "ContentType": content_type, "Metadata": dict(metadata or {})}
    parts = _parts(chunks)
    first = next(parts, b"")
    second = next(parts, None)
    with aws.failures_of(f"s3://{bucket}/{key}"):
        s3 = aws.client("s3")
        if second is None:
            s3.put_object(Body=first, IfNoneMatch="*", **described)
            return
        upload_id = s3.create_multipart_upload(**described)["UploadId"]
    named = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
    try:
        sent = []
        for number, part in enumerate(chain((first, second), parts), start=1):
            with aws.failures_of(f"s3://{bucket}/{key}"):
                etag = s3.upload_part(PartNumber=number, Body=part, **named)["ETag"]
            sent.append({"PartNumber": number, "ETag": etag})
        with aws.failures_of(f"s3://{bucket}/{key}"):
            s3.complete_multipart_upload(MultipartUpload={"Parts": sent}, IfNoneMatch="*", **named)
    except Exception:
        try:
            with aws.failures_of(f"s3://{bucket}/{key}"):
                s3.abort_multipart_upload(**named)
        except NotFound:
            log.info("An upload had been completed after all, or given up by another.", extra={"object_key": key})
        raise


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks joined to parts of at least 8 MiB, the last one excepted."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) >= _PART_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def drop_unfinished(bucket: str, key: str) -> int:
    """Give up the uploads in parts to this key that nobody completed; how many there were. Raises Unavailable."""
    with aws.failures_of(f"s3://{bucket}/{key}"):
        s3 = aws.client("s3")
        found = s3.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", ())
        left = [upload["UploadId"] for upload in found if upload["Key"] == key]
        for upload_id in left:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    return len(left)


def presigned_get(bucket: str, key: str, *, file_name: str, expires_s: int) -> str:
    """A URL by which whoever has it may fetch this one object for ``expires_s`` seconds. Nothing is asked of S3."""
    wanted = {"Bucket": bucket, "Key": key, "ResponseContentDisposition": f'attachment; filename="{file_name}"'}
    with aws.failures_of(f"s3://{bucket}/{key}"):
        url: str = aws.client("s3").generate_presigned_url("get_object", Params=wanted, ExpiresIn=expires_s)
    return url


def presigned_put(bucket: str, key: str, *, size: int, expires_s: int) -> tuple[str, dict[str, str]]:
    """A URL by which whoever has it may put this one object for ``expires_s`` seconds, and the headers to send with it.

    Signature and headers bind the length, and that no object of this name waits there. Nothing is asked of S3.
    """
    wanted = {"Bucket": bucket, "Key": key, "ContentLength": size, "IfNoneMatch": "*"}
    with aws.failures_of(f"s3://{bucket}/{key}"):
        url: str = aws.client("s3").generate_presigned_url(
            "put_object", Params=wanted, ExpiresIn=expires_s, HttpMethod="PUT"
        )
    return url, {"Content-Length": str(size), "If-None-Match": "*"}


def copy(from_bucket: str, from_key: str, bucket: str, key: str, *, etag: str | None = None) -> None:
    """Copy inside S3, properties and all; S3 itself refuses sources over 5 GB.

    With ``etag``, Conflict when the source is not that one any more. Raises NotFound and Unavailable.
    """
    condition = {} if etag is None else {"CopySourceIfMatch": etag}
    with aws.failures_of(f"s3://{from_bucket}/{from_key}"):
        aws.client("s3").copy_object(
            Bucket=bucket, Key=key, CopySource={"Bucket": from_bucket, "Key": from_key}, **condition
        )


def delete(bucket: str, key: str, *, etag: str | None = None) -> None:
    """Delete an object; one that is gone already is fine.

    With ``etag``, Conflict when another content has taken its name: a newer upload is never deleted for an older one.
    Raises Unavailable.
    """
    condition = {} if etag is None else {"IfMatch": etag}
    try:
        with aws.failures_of(f"s3://{bucket}/{key}"):
            aws.client("s3").delete_object(Bucket=bucket, Key=key, **condition)
    except NotFound:
        # Only a conditional delete says so.
        return


def list_under(bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
    """Every object whose key begins with ``prefix``, in key order, asked for by pages of 1,000. Raises Unavailable."""
    with aws.failures_of(f"s3://{bucket}/{prefix}"):
        for page in aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", ()):
                yield ObjectInfo(found["Key"], found["ETag"], found["Size"], found["LastModified"])


class _Body(io.RawIOBase):
    """A response body as a raw stream, with the failures of the network translated."""

    def __init__(self, body: Any, what: str) -> None:  # noqa: ANN401 - botocore's StreamingBody is untyped
        self._body = body
        self._what = what

    def readable(self) -> bool:
        """Always: this is a reader."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill ``buffer``; 0 at the end. Raises Unavailable when the connection breaks."""
        view = memoryview(buffer).cast("B")
        with aws.failures_of(self._what):
            data = self._body.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._body.close()
        super().close()


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a raw stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always: this is a reader."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill ``buffer`` from the chunk at hand; 0 when there is none left."""
        while not self._rest:
            following = next(self._chunks, None)
            if following is None:
                return 0
            self._rest = memoryview(following)
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
