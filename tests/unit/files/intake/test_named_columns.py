"""A refused row names every column that its sender may have to look at."""

from typing import Any

import pytest

from chalicelib.storage.engine import Database
from tests.factories.files import Hub, hours_layout, make_hub

HEADER = "Emp,Site,Day,Month,Hours\n"
GOOD = "E1,A,02,11,8"


def layout() -> dict[str, Any]:
    """Employees are numbered within their site; dates come in two columns."""
    columns = {name: {"header": name.title()} for name in ("emp", "site", "day", "month", "hours")}
    written = {"cat": ["2026-", {"var": "month"}, "-", {"var": "day"}]}
    fields = hours_layout()["fields"] | {
        "event_id": {"expr": {"cat": [{"var": "emp"}, {"var": "day"}, {"var": "month"}]}},
        "employee_id": {
            "expr": {"cat": [{"var": "emp"}, {"if": [{"==": [{"var": "site"}, "A"]}, "", {"var": "site"}]}]}
        },
        "event_date": {"expr": {"parse_date": [written, "YYYY-MM-DD"]}},
    }
    del fields["description"]
    return hours_layout(columns=columns, fields=fields, control={"kind": "none"}, partner_column=None)


@pytest.fixture
def hub(sqlite_database: Database, aws: None) -> Hub:
    return make_hub(sqlite_database, layout())


@pytest.mark.parametrize(
    ("row", "code", "columns"),
    [
        # What an expression of several columns cannot make.
        ("E1,A,31,11,8", "bad_date", "Month, Day"),
        # What the hub refuses of a field that is made of several columns.
        ("E9,B,02,11,8", "unknown_member", "Emp, Site"),
        # One column is to blame alone, though its field is read with others.
        ("E1,A,02,11,eight", "bad_decimal", "Hours"),
        ("E1,A,,11,8", "missing_value", "Day"),
    ],
)
def test_names_them_all_in_the_sender_s_words(hub: Hub, row: str, code: str, columns: str):
    hub.process("hours", f"{HEADER}{GOOD}\n{row}\n")

    [kept] = hub.rows()
    assert (kept.row_no, kept.code, kept.column_name) == (2, code, columns)
    assert f'"2","{code}","{columns}"' in hub.read("hub-out", "acme/hours/rejects_file.csv").decode()
