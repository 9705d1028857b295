"""O5: whatever cells were refused, the rejects give them back as they were, with the reasons of the hub."""

import csv
import io
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.files.answers import receipts
from chalicelib.files.exporting import layouts
from chalicelib.files.exporting.layouts import Value
from chalicelib.files.formats import layouts as readings
from chalicelib.files.formats.marking import REASON_COLUMNS, restored, resubmit_token
from chalicelib.files.formats.reading import Record, records
from chalicelib.files.formats.translating import Header
from chalicelib.files.register.register import InboundFile
from chalicelib.rules import rulesets
from chalicelib.rules.layouts import Format, Layout
from tests.factories import rules
from tests.factories.files import Hub, hours_layout

HEADER = ["id", "event", "day", "hours", "note", "their own; column"]
FORMATS = {
    "utf-8": Format(),
    "cp1252": Format(encoding="cp1252", delimiter=";", quote="'"),
    "tabs": Format(delimiter="\t"),
}
#: What breaks tables and what spreadsheets run.
NASTY = [
    "=1+1",
    "+cmd()",
    "-8",
    "-x",
    "@a",
    "'=1",
    "''@",
    "\t=1",
    '"',
    '"",',
    "'",
    ";';",
    "a\nb",
    "a\r\nb",
    "\r",
    " a ",
    "",
]
_numbers = count(1)


def cell(encoding: str) -> st.SearchStrategy[str]:
    """Any cell that a sender can write in an encoding; files with NUL bytes are refused before."""
    return st.sampled_from(NASTY) | st.text(st.characters(codec=encoding, exclude_characters="\0"), max_size=20)


def encoded(how: Format, rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=how.delimiter, quotechar=how.quote, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    return out.getvalue().encode(how.encoding)


def read(hub: Hub, file: InboundFile) -> tuple[Layout, list[Record]]:
    """The records of the rejects as a file that came in is read, and by which layout."""
    with hub.database.read() as db:
        layout = readings.of_version(rulesets.version(db, file.layout_version_id or b""))
    data = hub.read("hub-out", receipts.rejects_key_of(file))
    return layout, list(records(io.BytesIO(data), layout.spec.format))


def parted(layout: Layout, found: list[Record]) -> tuple[list[list[str]], list[dict[str, Value]]]:
    """The sender's cells of each row, and our reasons, each by its layout."""
    assert [record.fault for record in found] == [None] * len(found)
    header = Header(found[0].cells, layout)
    assert header.is_of_rejects
    readers = layouts.cell_readers(layouts.of_rejects())
    at = {name: header.cells.index(name) for name in readers}
    theirs = [[restored(record.cells[place]) for place in header.own] for record in found[1:]]
    ours = [{name: understood(record.cells[at[name]]) for name, understood in readers.items()} for record in found[1:]]
    return theirs, ours


def reasons(hub: Hub, file: InboundFile) -> list[dict[str, Value]]:
    """What the hub knows of the refused rows; nothing that is said is an empty text."""
    return [
        {
            "row_no": row.row_no,
            "error_code": row.code,
            "error_field": row.column_name or None,
            "error_message": row.message or None,
            # Refused by the layout, or by the room that keeps members.
            "rule_id": None if row.rule_version_id is None else "acme.sheet",
            "rule_version": None if row.rule_version_id is None else 1,
            "fixable": "true" if row.fixable else "false",
            "resubmit_token": resubmit_token(file.id, row.row_no),
        }
        for row in hub.rows(file.name)
    ]


class TestTheLayout:
    def test_has_the_columns_that_a_file_of_rejects_is_known_by(self):
        assert tuple(layouts.of_rejects().headers) == REASON_COLUMNS

    def test_says_what_each_column_means_or_shows_one(self):
        columns = layouts.of_rejects().columns
        assert [name for name, column in columns.items() if not (column.description or column.sample)] == []


class TestReadingBack:
    @pytest.fixture(params=FORMATS)
    def how(self, request: pytest.FixtureRequest) -> Format:
        return FORMATS[request.param]

    @pytest.fixture
    def sender(self, light_hub: Hub, how: Format) -> Hub:
        """acme, whose layout of hours has the format."""
        layout = hours_layout(name="sheet", id="acme.sheet", format=how.model_dump(mode="json"))
        with light_hub.database.write() as db:
            rules.live_ruleset(db, light_hub.partner.id, layout)
        return light_hub

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_gives_the_cells_and_the_reasons(self, sender: Hub, how: Format, data: st.DataObject):
        free = cell(how.encoding)
        number = next(_numbers)
        # Nobody of that number is known, so every row is refused, whatever else it says.
        drawn = st.tuples(free, free, st.just("8"), free, free).map(lambda cells: [f"X{number}", *cells])
        rows = data.draw(st.lists(drawn, min_size=1, max_size=4))

        file = sender.process("sheet", encoded(how, rows), name=f"{number}.csv")
        layout, found = read(sender, file)
        theirs, ours = parted(layout, found)

        assert (file.state, file.rows_rejected) == ("processed", len(rows))
        assert theirs == rows
        assert ours == reasons(sender, file)
