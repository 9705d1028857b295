"""S3 objects through moto; conditional requests and events of real S3 clients are tested against the stand-in."""

import gzip
import io
from collections.abc import Iterator

import pytest

from chalicelib.errors import Conflict, NotFound, Unavailable
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import objects

BIG = bytes(range(256)) * 40_000  # 10 MB: more than one part


def put(key: str, data: bytes) -> str:
    objects.put("hub-in", key, data)
    found = objects.head("hub-in", key)
    assert found is not None
    return found.etag


@pytest.mark.usefixtures("aws")
class TestHead:
    def test_tells_size_and_metadata(self):
        objects.put("hub-in", "a/b.csv", b"12345", metadata={"sha256": "abc"})

        found = objects.head("hub-in", "a/b.csv")

        assert found is not None
        assert (found.key, found.size, dict(found.metadata)) == ("a/b.csv", 5, {"sha256": "abc"})
        assert found.last_modified.tzinfo is not None

    def test_of_a_missing_object_is_none(self):
        assert objects.head("hub-in", "none") is None

    def test_in_a_missing_bucket_is_none(self):
        assert objects.head("no-such-bucket", "none") is None


@pytest.mark.usefixtures("aws")
class TestOpenRange:
    def test_reads_from_the_middle(self):
        put("k", b"0123456789")

        with objects.open_range("hub-in", "k", 3, 4) as body:
            assert body.read() == b"3456"

    def test_reads_to_the_end_without_a_length(self):
        put("k", b"0123456789")

        with objects.open_range("hub-in", "k", 7) as body:
            assert body.read() == b"789"

    def test_past_the_end_is_empty(self):
        put("k", b"0123456789")

        with objects.open_range("hub-in", "k", 10) as body:
            assert body.read() == b""

    def test_of_no_bytes_is_empty(self):
        put("k", b"0123456789")

        with objects.open_range("hub-in", "k", 2, 0) as body:
            assert body.read() == b""

    def test_refuses_an_object_that_changed(self):
        old = put("k", b"first")
        put("k", b"second")

        with pytest.raises(Conflict) as refused:
            objects.open_range("hub-in", "k", etag=old)
        assert refused.value.code == "object_changed"

    def test_accepts_the_object_that_it_knows(self):
        etag = put("k", b"first")

        with objects.open_range("hub-in", "k", etag=etag) as body:
            assert body.read() == b"first"

    def test_of_a_missing_object_is_not_found(self):
        with pytest.raises(NotFound):
            objects.open_range("hub-in", "none")

    def test_feeds_readers_of_text_and_of_gzip(self):
        put("k.gz", gzip.compress("straße\nzwei\n".encode()))

        with objects.open_range("hub-in", "k.gz") as body, gzip.open(body, "rt", encoding="utf-8") as lines:
            assert list(lines) == ["straße\n", "zwei\n"]


@pytest.mark.usefixtures("aws")
class TestStream:
    def test_gives_every_byte_in_bounded_chunks(self):
        put("big", BIG)

        chunks = list(objects.stream("hub-in", "big", start=5))

        assert b"".join(chunks) == BIG[5:]
        assert max(map(len, chunks)) <= 1 << 20


@pytest.mark.usefixtures("aws")
class TestPut:
    def test_sends_a_big_file_in_parts(self):
        objects.put("hub-in", "big", io.BytesIO(BIG), metadata={"a": "b"})

        found = objects.head("hub-in", "big")
        assert found is not None
        assert found.size == len(BIG)
        assert found.etag.endswith('-2"')
        assert dict(found.metadata) == {"a": "b"}

    def test_uploads_chunks_as_they_come(self):
        objects.upload("hub-in", "k", (b"%06d\n" % number for number in range(200_000)))

        assert b"".join(objects.stream("hub-in", "k")) == b"".join(b"%06d\n" % number for number in range(200_000))

    def test_uploads_nothing_from_no_chunks(self):
        objects.upload("hub-in", "k", iter(()))

        found = objects.head("hub-in", "k")
        assert found is not None
        assert found.size == 0

    def test_leaves_nothing_when_the_chunks_fail(self):
        def failing() -> Iterator[bytes]:
            yield BIG
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            objects.upload("hub-in", "k", failing())

        assert objects.head("hub-in", "k") is None


@pytest.mark.usefixtures("aws")
class TestCopyAndDelete:
    def test_copies_with_metadata(self):
        objects.put("hub-in", "a", b"1", metadata={"m": "1"})

        objects.copy("hub-in", "a", "hub-archive", "b")

        copied = objects.head("hub-archive", "b")
        assert copied is not None
        assert dict(copied.metadata) == {"m": "1"}

    def test_copying_what_is_missing_is_not_found(self):
        with pytest.raises(NotFound):
            objects.copy("hub-in", "none", "hub-archive", "b")

    def test_deleting_twice_is_fine(self):
        etag = put("a", b"1")

        objects.delete("hub-in", "a", etag=etag)
        objects.delete("hub-in", "a", etag=etag)
        objects.delete("hub-in", "a")

        assert objects.head("hub-in", "a") is None

    def test_never_deletes_a_newer_upload_of_the_same_name(self):
        old = put("a", b"first")
        put("a", b"second")

        with pytest.raises(Conflict):
            objects.delete("hub-in", "a", etag=old)

        assert b"".join(objects.stream("hub-in", "a")) == b"second"


@pytest.mark.usefixtures("aws")
class TestListUnder:
    def test_goes_through_every_page_in_order(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "5")  # 1,000 at Amazon
        keys = [f"p/{number:04d}" for number in range(12)]
        for key in ["o/1", *keys, "q/1"]:
            aws_clients.client("s3").put_object(Bucket="hub-in", Key=key, Body=b"")

        assert [found.key for found in objects.list_under("hub-in", "p/")] == keys


class TestWithoutAws:
    def test_says_that_the_service_is_unavailable(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        aws_clients.reset()

        with pytest.raises(Unavailable) as failed:
            objects.head("hub-in", "a")

        assert failed.value.retryable
        aws_clients.reset()
