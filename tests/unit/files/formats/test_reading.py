"""Records and the bytes they stand for: what is cut out of a file is what was in it."""

import csv
import gzip
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.files.formats import reading
from chalicelib.files.formats.reading import Measured, one_record, records
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.register.refusals import FileRefused
from chalicelib.rules.layouts import Format

PLAIN = Format()


def read(data: bytes, how: Format = PLAIN, *, offset: int = 0) -> list[reading.Record]:
    return list(records(io.BytesIO(data), how, offset=offset))


class TestRecords:
    def test_a_quoted_line_feed_does_not_end_a_record(self):
        data = b'a,"b\r\nc"\r\nd,e\r\n'

        assert [(record.offset, record.cells) for record in read(data)] == [(0, ["a", "b\r\nc"]), (10, ["d", "e"])]

    def test_blank_lines_are_no_records_but_have_bytes(self):
        assert [(record.offset, record.cells) for record in read(b"\n  \na,b\n\nc,d")] == [
            (4, ["a", "b"]),
            (9, ["c", "d"]),
        ]

    def test_a_bad_record_does_not_spoil_the_next(self):
        first, second, third = read(b'a,b\n"x"y,z\nc,d\n')

        assert (first.fault, second.fault, third.fault) == (None, "malformed_row", None)
        assert second.raw == b'"x"y,z\n'
        assert (third.offset, third.cells) == (11, ["c", "d"])

    def test_reading_on_from_a_record_finds_the_same_records(self):
        data = b"name;no\n" + 'Müller;1\n"Ä\nÖ";2\nß;3\n'.encode()
        how = Format(delimiter=";")
        whole = read(data, how)

        for record in whole[1:]:
            assert read(data[record.offset :], how, offset=record.offset)[0] == record

    def test_names_the_byte_that_is_not_of_the_encoding(self):
        with pytest.raises(FileRefused, match="Byte 8 of the file is not utf-8"):
            read(b"a,b\n\nc,d\xff\n")

    @pytest.mark.parametrize("data", [b"a" * 70_000, b'"a\n' + b"b\n" * 40_000 + b'"\n'])
    def test_bounds_a_record(self, data: bytes):
        with pytest.raises(FileRefused, match="longer than 65536 bytes"):
            read(data)

    @given(
        st.lists(
            st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), min_size=2, max_size=4)
        )
    )
    def test_agrees_with_the_csv_module_and_covers_every_byte(self, rows: list[list[str]]):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
        data = b"x,y\n" + text.getvalue().encode()

        found = read(data)[1:]

        assert [record.cells for record in found] == rows
        assert b"".join(record.raw for record in found) == data[4:]
        for record in found:
            assert one_record(record.raw, PLAIN).cells == record.cells


class TestContent:
    def test_measures_what_arrived_and_not_what_it_expands_to(self):
        packed = gzip.compress(b"a,b\n" * 1000)
        measured = Measured(io.BytesIO(packed))

        content, compressed = content_of(measured, PLAIN, expanded_bytes_max=4000)

        assert (content.read(), compressed) == (b"a,b\n" * 1000, True)
        measured.drain()
        assert (measured.bytes_read, measured.digest) == (len(packed), hashlib.sha256(packed).digest())

    def test_a_bomb_is_cut_off_early(self):
        bomb = gzip.compress(b"\0" * 50_000_000)
        content, _ = content_of(Measured(io.BytesIO(bomb)), PLAIN, expanded_bytes_max=2_000_000)

        with pytest.raises(FileRefused, match="expands to more than 2000000 bytes"):
            list(iter(lambda: content.read(1 << 16), b""))

    def test_an_empty_object_is_empty(self):
        content, compressed = content_of(Measured(io.BytesIO(b"")), PLAIN, expanded_bytes_max=10)

        assert (content.read(), compressed) == (b"", False)
