"""Reading a file by the layout that it was written by gives the rows that it was made of: for every export."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import Broken
from chalicelib.files.exporting import layouts, writing
from chalicelib.files.exporting.layouts import FOLDER, OutColumn, OutLayout
from chalicelib.files.exporting.registry import exports
from chalicelib.files.exporting.writing import Written

AS_OF = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
every_layout = pytest.mark.parametrize("name", NAMES)
#: What breaks tables: formulas, quotes, line ends, the trailer's mark, blanks, other scripts, half characters apart.
_NASTY = st.sampled_from(
    [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "'=1",
        "''",
        '"',
        '"",',
        "a\nb",
        "a\r\nb",
        "\r",
        "\t",
        "#TRAILER",
        " a ",
        "—é日本𝄞",
        "\x1a",
        "＝1",
    ]
)
_TEXTS = st.one_of(_NASTY, st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20))


def value_of(column: OutColumn) -> st.SearchStrategy[Any]:
    """Any value that a column may have."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": _TEXTS.filter(bool),
        "integer": st.integers(-(10**9), 10**9),
        "decimal": st.decimals(-(10**9), 10**9, places=column.scale),
        "date": st.dates(),
        "datetime": st.datetimes(timezones=st.just(UTC), allow_imaginary=False)
        .filter(lambda at: at.year >= 1000)
        .map(lambda at: at.replace(fold=0)),
    }
    values = st.sampled_from(column.values) if column.type == "enum" else kinds[column.type]
    return st.none() | values if column.nullable else values


def rows_of(layout: OutLayout) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Any rows that a file of the layout may have."""
    columns = {name: value_of(column) for name, column in layout.columns.items()}
    return st.lists(st.fixed_dictionaries(columns), max_size=5)


def written(layout: OutLayout, rows: list[dict[str, Any]], seq: int = 7) -> tuple[bytes, Written]:
    told = Written(seq, AS_OF)
    return b"".join(writing.chunks(layout, rows, told)), told


def read(layout: OutLayout, data: bytes) -> tuple[list[dict[str, Any]], Written]:
    found = Written(0, AS_OF)
    return list(writing.read(layout, io.BytesIO(data), found)), found


def a_layout(columns: dict[str, Any], **more: Any) -> OutLayout:
    document = {"id": "one", "kind": "layout", "direction": "outbound", "owner": "a", "why": "b", "columns": columns}
    return layouts.parse({**document, **more})


class TestEveryExport:
    def test_has_a_layout_and_every_layout_an_export(self):
        assert list(exports()) == NAMES

    def test_that_has_deltas_can_tell_what_a_written_one_said(self):
        assert [name for name, export in exports().items() if export.deltas != (export.marks_of is not None)] == []

    @every_layout
    def test_says_what_each_column_means_or_shows_one(self, name: str):
        layout = layouts.named(name)
        assert layout.why
        assert [key for key, column in layout.columns.items() if not (column.description or column.sample)] == []

    @every_layout
    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_gives_back_the_rows_that_it_was_made_of(self, name: str, data: st.DataObject):
        layout = layouts.named(name)
        rows = data.draw(rows_of(layout))
        content, told = written(layout, rows)

        found, noted = read(layout, content)

        assert found == rows
        for mine, theirs in zip(rows, found, strict=True):
            assert {key: repr(value) for key, value in mine.items()} == {
                key: repr(each) for key, each in theirs.items()
            }
        assert noted == told

    @every_layout
    @settings(max_examples=20, deadline=None)
    @given(data=st.data())
    def test_has_no_cell_that_a_spreadsheet_takes_for_a_formula(self, name: str, data: st.DataObject):
        layout = layouts.named(name)
        texts = [name for name, column in layout.columns.items() if column.type == "string"]
        [row] = data.draw(rows_of(layout).filter(bool))[:1]
        content, _ = written(layout, [row | dict.fromkeys(texts, "=cmd()")])

        cells = content.decode().splitlines()[1].split('","')

        assert [cell for cell in cells if cell.lstrip('"')[:1] in {"=", "@", "+"}] == []


class TestAFile:
    layout = a_layout(
        {
            "who": {"type": "string"},
            "much": {"type": "decimal", "scale": 2},
            "note": {"type": "string", "nullable": True},
        },
        control={"kind": "trailer", "required": True, "column": "much"},
    )
    rows: list[dict[str, Any]] = [  # noqa: RUF012 - read only
        {"who": "a", "much": Decimal("1.50"), "note": None},
        {"who": "b", "much": Decimal("-0.25"), "note": "x"},
    ]

    def test_ends_by_saying_what_there_has_to_be(self):
        content, _ = written(self.layout, self.rows)
        assert content.decode().splitlines() == [
            '"who","much","note"',
            '"a","1.50",""',
            '"b","-0.25","x"',
            "#TRAILER,2,1.25,7,2026-11-20T12:00:00.000005Z",
        ]

    @pytest.mark.parametrize("cut", range(1, 100, 7))
    def test_that_is_cut_off_is_not_taken_for_whole(self, cut: int):
        content, _ = written(self.layout, self.rows)
        with pytest.raises(Broken):
            read(self.layout, content[:-cut])

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            (b"#TRAILER,2", b"#TRAILER,3"),
            (b",1.25,", b",1.26,"),
            (b'"1.50"', b'"1.5x"'),
            (b'"a"', b'""'),
            (b"who", b"why"),
        ],
    )
    def test_that_was_changed_is_refused(self, was: bytes, becomes: bytes):
        content, _ = written(self.layout, self.rows)
        with pytest.raises(Broken):
            read(self.layout, content.replace(was, becomes))

    @pytest.mark.parametrize(
        "row",
        [
            {"who": None, "much": Decimal(1), "note": None},
            {"who": "", "much": Decimal(1), "note": None},
            {"who": 7, "much": Decimal(1), "note": None},
            {"who": "a", "much": 1.5, "note": None},
            {"who": "a", "much": Decimal("1.555"), "note": None},
            {"who": "a", "much": Decimal("NaN"), "note": None},
            {"who": "a", "much": Decimal(1)},
            {"who": "a", "much": Decimal(1), "note": None, "more": "b"},
        ],
    )
    def test_is_not_made_of_a_row_that_the_layout_does_not_allow(self, row: dict[str, Any]):
        with pytest.raises(Broken):
            written(self.layout, [row])

    def test_of_no_rows_is_whole_too(self):
        content, _ = written(self.layout, [])
        assert read(self.layout, content)[0] == []

    def test_is_as_long_and_has_the_digest_that_is_noted(self):
        content, told = written(self.layout, self.rows * 3_000)
        assert (told.rows, told.size_bytes) == (6_000, len(content))


class TestALayout:
    @pytest.mark.parametrize(
        "more",
        [
            {"control": {"kind": "none"}},
            {"control": {"kind": "trailer", "column": "b"}},
            {"format": {"trim": True}},
            {"direction": "inbound"},
            {"columns": {"a": {}, "b": {"header": "a"}}},
            {"columns": {"a": {}, "b": {"type": "enum"}}},
        ],
    )
    def test_that_could_not_be_read_back_is_refused(self, more: dict[str, Any]):
        with pytest.raises(Broken):
            a_layout(**{"columns": {"a": {}, "b": {"type": "date"}}, **more})
