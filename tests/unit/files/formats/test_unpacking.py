"""Compressed files and UTF-16: expanded up to a cap, as a stream, and what is damaged or hostile is refused."""

import gzip
import io
import tracemalloc
import zipfile

import pytest
from sqlalchemy import func, select

from chalicelib.files.formats.reading import Measured
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.register.refusals import FileRefused
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules.layouts import Format
from tests.factories.files import HOURS_HEADER, hours, hours_layout, make_hub

PLAIN = Format()
ROWS = hours(*[f"{number},E1,2026-11-02,8" for number in range(500)]).encode()


def zipped(*contents: bytes, how: int = zipfile.ZIP_DEFLATED, streamed: bool = False) -> bytes:
    """An archive of these files; ``streamed``: sizes and check sums come after the content."""
    target = io.BytesIO()

    class Forward(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            return target.write(bytes(data))

    with zipfile.ZipFile(Forward() if streamed else target, "w", how) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return target.getvalue()


def expanded(data: bytes, how: Format = PLAIN, *, bytes_max: int = 10**8) -> bytes:
    content, _ = content_of(Measured(io.BytesIO(data)), how, expanded_bytes_max=bytes_max)
    return content.read()


class TestZip:
    @pytest.mark.parametrize("streamed", [False, True])
    def test_of_one_file_is_that_file(self, *, streamed: bool):
        assert expanded(zipped(ROWS, streamed=streamed)) == ROWS

    def test_may_be_stored(self):
        assert expanded(zipped(ROWS, how=zipfile.ZIP_STORED)) == ROWS

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (zipped(ROWS, ROWS), "more than one file"),
            (zipped(ROWS, ROWS, streamed=True), "more than one file"),
            (zipped(ROWS)[:200], "cut off"),
            (zipped(ROWS)[:20], "cut off"),
            (zipped(ROWS, how=zipfile.ZIP_BZIP2), "another way"),
            (zipped(ROWS, how=zipfile.ZIP_STORED, streamed=True), "another way"),
            (zipped(ROWS, how=zipfile.ZIP_STORED).replace(b"499,E1", b"499,E2", 1), "check sum"),
            (zipped(ROWS)[:6] + b"\x01" + zipped(ROWS)[7:], "encrypted"),
            (zipped(ROWS)[:60] + b"\xff\xff\xff" + zipped(ROWS)[63:], "zip archive that cannot be used"),
        ],
        # An archive says when it was made: it cannot name a test.
        ids=["two", "two streamed", "no end", "no name", "bzip2", "stored", "one byte", "encrypted", "no stream"],
    )
    def test_that_is_anything_else_is_refused(self, data: bytes, why: str):
        with pytest.raises(FileRefused, match=why) as refused:
            expanded(data)
        assert refused.value.code == "bad_zip"

    def test_a_bomb_is_cut_off_early_and_in_little_memory(self):
        bomb = zipped(b"\0" * 200_000_000)
        content, _ = content_of(Measured(io.BytesIO(bomb)), PLAIN, expanded_bytes_max=50_000_000)
        tracemalloc.start()
        with pytest.raises(FileRefused, match="expands to more than 50000000 bytes"):
            list(iter(lambda: len(content.read(1 << 16)), 0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12_000_000


class TestUtf16:
    HOW = Format(encoding="utf-16")

    def test_becomes_utf_8(self):
        text = "id;naïve 日本 𝔘\r\n" * 100_000
        assert expanded(text.encode("utf-16"), self.HOW) == text.encode()

    def test_with_the_other_order_of_bytes(self):
        assert expanded(b"\xfe\xff" + "a,b\n".encode("utf-16-be"), self.HOW) == b"a,b\n"

    @pytest.mark.parametrize(
        "data", ["a,b\n".encode("utf-16")[:-1], b"\xff\xfe\x00\xd8a\0", "a,b\n".encode("utf-16-le")]
    )
    def test_that_is_damaged_is_refused(self, data: bytes):
        with pytest.raises(FileRefused) as refused:
            expanded(data, self.HOW)
        assert refused.value.code == "bad_encoding"

    def test_within_gzip_counts_against_the_cap(self):
        data = gzip.compress(("x" * 3000).encode("utf-16"))
        with pytest.raises(FileRefused, match="expands to more"):
            expanded(data, self.HOW, bytes_max=2000)


@pytest.mark.usefixtures("aws")
class TestWholeFiles:
    @pytest.mark.parametrize("packed", ["plain", "gzip", "zip"])
    def test_in_utf_16_are_processed_and_answered_in_it(self, database, packed: str):
        hub = make_hub(database, hours_layout(format={"encoding": "utf-16"}))
        data = hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,8").encode("utf-16")
        sent = {"plain": data, "gzip": gzip.compress(data), "zip": zipped(data)}[packed]

        file = hub.process("hours", sent)

        assert (file.state, file.rows_accepted, file.rows_rejected) == ("processed", 1, 1)
        rejects = hub.read("hub-out", hub.receipt()["rejects"]).decode("utf-16")
        assert '"b","E9"' in rejects
        back = hub.process("hours", rejects.replace('"E9"', '"E1"').encode("utf-16"), name="back.csv")
        assert (back.state, back.rows_accepted) == ("processed", 1)
        with hub.database.read() as db:
            assert db.execute(select(func.count()).select_from(accrual_event)).scalar() == 2

    def test_in_zip_keep_their_original(self, sqlite_database):
        hub = make_hub(sqlite_database)
        packed = zipped(ROWS)

        file = hub.process("hours", packed, name="hours.zip")

        assert (file.state, file.rows_accepted) == ("processed", 500)
        digest = (file.sha256 or b"").hex()
        assert hub.read("hub-archive", f"acme/{digest}.original") == packed
        assert hub.read("hub-archive", f"acme/{digest}.csv") == ROWS

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (f"{HOURS_HEADER},{','.join(f'c{n}' for n in range(10_000))}\n".encode(), "too_many_columns"),
            (f"{HOURS_HEADER},{','.join(['x'] * 10_000)}\n".encode(), "too_many_columns"),
            (gzip.compress(b"a" * 10**9), "row_too_long"),
            (gzip.compress(HOURS_HEADER.encode() + b'\n"' + b"a\n" * 10**8), "row_too_long"),
            (zipped(b"PK\x03\x04"), "wrong_header"),
            (zipped(ROWS, ROWS), "bad_zip"),
        ],
        ids=["columns", "one column often", "line", "quote", "nested", "two files"],
    )
    def test_that_attack_are_set_aside(self, sqlite_database, content: bytes, code: str):
        hub = make_hub(sqlite_database)

        file = hub.process("hours", content)

        assert (file.state, file.reason_code) == ("quarantined", code)

    def test_a_thousand_columns_are_named_shortly(self, sqlite_database):
        hub = make_hub(sqlite_database)
        more = [f"c{number}" for number in range(990)]

        hub.process("hours", f"{HOURS_HEADER},{','.join(more)}\na,E1,2026-11-02,8,{','.join(more)}\n")

        warnings = hub.receipt()["warnings"]
        assert (len(warnings), warnings[-1]) == (21, "970 more columns are not in the layout and were not read.")
