import io
import json

import pytest
from rich.console import Console

from local.console import LogView, render


def shown(line: str) -> str:
    text = render("workers", line)
    assert text is not None
    return text.plain


class TestRender:
    def test_shows_a_structured_line_for_people(self):
        line = json.dumps(
            {"time": "2026-11-20T12:00:00.000+00:00", "level": "INFO", "message": "File applied.", "rows": 3}
        )

        text = shown(line)

        assert "INFO" in text
        assert "workers" in text
        assert text.endswith("File applied.  rows=3")

    def test_shows_the_stack_of_an_error_below_it(self):
        text = shown(json.dumps({"level": "ERROR", "message": "Failed.", "stack": ["ValueError", "  app.py:3 in f"]}))

        assert text.splitlines()[1:] == ["ValueError", "  app.py:3 in f"]

    def test_shows_any_other_line_as_it_is(self):
        assert shown("plain [not markup] text\n").endswith("plain [not markup] text")

    def test_cuts_long_values(self):
        assert len(shown(json.dumps({"message": "m", "value": "x" * 1000}))) < 300

    def test_leaves_out_empty_lines(self):
        assert render("workers", "  \n") is None

    def test_puts_what_a_person_looks_for_first_and_identifiers_last(self):
        record = {"message": "Request answered.", "correlation_id": "c", "status": 200, "rows": 1, "route": "GET /x"}

        assert shown(json.dumps(record)).endswith(
            "Request answered.  route=GET /x  status=200  rows=1  correlation_id=c"
        )


class TestLogView:
    @pytest.mark.parametrize(("quiet", "expected"), [(True, ["Failed."]), (False, ["Ran.", "Failed."])])
    def test_leaves_out_ordinary_events_while_quiet(self, quiet, expected):
        console = Console(file=io.StringIO(), width=200)
        view = LogView(console)
        view.quiet = quiet

        view.show("workers", json.dumps({"level": "INFO", "message": "Ran."}))
        view.show("workers", json.dumps({"level": "ERROR", "message": "Failed."}))

        assert isinstance(console.file, io.StringIO)
        assert [line.split()[-1] for line in console.file.getvalue().splitlines()] == expected
