"""Control figures: amounts as integers, trailers and sidecars as their senders write them."""

import pytest

from chalicelib.files.formats.controls import Stated, amounts, compare, of_sidecar, of_trailer, shown_sum
from chalicelib.files.register.refusals import FileRefused
from chalicelib.rules.layouts import Control

GERMAN = Control(kind="trailer", column="x", decimal_mark=",", group_mark=".")
PLAIN = Control(kind="trailer", column="x")
HEADERS = {"x": "Paid Hours"}


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "millionths"),
        [
            ("8", 8_000_000),
            (" 8.5 ", 8_500_000),
            ("-0.25", -250_000),
            ("0.000001", 1),
            ("123456789012", 123456789012_000000),
            ("", None),
            (".5", None),
            ("8.", None),
            ("8,5", None),
            ("+8", None),
            ("1e3", None),
            ("1_000", None),
            ("٣", None),
            ("0.0000001", None),
            ("1234567890123", None),
            ("--1", None),
        ],
    )
    def test_reads_plain_numbers_only(self, text: str, millionths: int | None):
        assert amounts(PLAIN)(text) == millionths

    @pytest.mark.parametrize(
        ("text", "millionths"),
        [("1.234,50", 1_234_500_000), ("1234,5", 1_234_500_000), ("12.34,5", None), ("1..234", None), (".234", None)],
    )
    def test_reads_grouped_numbers_where_they_are_declared(self, text: str, millionths: int | None):
        assert amounts(GERMAN)(text) == millionths

    @pytest.mark.parametrize(("millionths", "text"), [(0, "0"), (8_500_000, "8.5"), (-1, "-0.000001"), (10**7, "10")])
    def test_shows_sums_as_people_write_them(self, millionths: int, text: str):
        assert shown_sum(millionths) == text


class TestStatements:
    def test_a_trailer_uses_the_marks_of_its_layout(self):
        assert of_trailer(["#TRAILER", " 3 ", "1.234,5"], GERMAN, HEADERS) == Stated("trailer", 3, 1_234_500_000)

    def test_without_a_column_only_rows_are_stated(self):
        assert of_trailer(["#TRAILER", "3", "", ""], Control(kind="trailer"), HEADERS) == Stated("trailer", 3, None)

    def test_a_sidecar_is_canonical_whatever_the_layout(self):
        digest = "A" * 64
        data = f'{{"rows": 3, "sum": 1234.5, "sha256": "{digest}"}}'.encode()

        assert of_sidecar(data, GERMAN, HEADERS) == Stated("sidecar", 3, 1_234_500_000, digest.lower())

    @pytest.mark.parametrize(
        "data",
        [
            b'{"rows": true, "sum": "1"}',
            b'{"rows": -1, "sum": "1"}',
            b'{"rows": 1, "sum": "1", "extra": 1}',
            b'{"rows": 1, "rows": 2, "sum": "1"}',
            b'{"rows": 1, "sum": "1", "sha256": "short"}',
            b'{"rows": 1, "sum": "1"}' + b" " * 70_000,
            b"\xff",
        ],
    )
    def test_a_sidecar_that_is_something_else_is_refused(self, data: bytes):
        with pytest.raises(FileRefused) as refused:
            of_sidecar(data, PLAIN, HEADERS)
        assert refused.value.code == "bad_sidecar"

    def test_that_lack_the_sum_name_the_column_as_its_sender_does(self):
        with pytest.raises(FileRefused, match=r"must state the sum of `Paid Hours` after the number of rows\."):
            of_trailer(["#TRAILER", "3"], PLAIN, HEADERS)
        with pytest.raises(FileRefused, match=r"must state the sum of `Paid Hours`, like"):
            of_sidecar(b'{"rows": 3}', PLAIN, HEADERS)

    def test_a_mismatch_names_both_figures(self):
        with pytest.raises(FileRefused, match=r"The trailer states a control sum of 9 and the file adds up to 8\.5\."):
            compare(Stated("trailer", 1, 9_000_000), rows=1, total=8_500_000, sha256=b"")
