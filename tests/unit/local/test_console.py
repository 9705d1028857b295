import io
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console

from local.console import LogView, render
from local.log_file import LogFile


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
        record = {"level": "ERROR", "message": "Failed.", "correlation_id": "c", "rows": 1, "handler": "file_intake"}

        assert shown(json.dumps(record)).endswith("Failed.  handler=file_intake  rows=1  correlation_id=c")

    def test_leaves_identifiers_of_ordinary_lines_to_the_file(self):
        record = {"level": "INFO", "message": "File applied.", "correlation_id": "c", "key_id": "key_1", "rows": 1}

        assert shown(json.dumps(record)).endswith("File applied.  rows=1")


class TestRequests:
    RECORD: ClassVar = {
        "time": "2026-11-20T12:00:00.000+00:00", "level": "INFO", "logger": "chalicelib.web.endpoint",
        "message": "Request answered.", "correlation_id": "01a201d8", "route": "GET /v1/members/{member_id}",
        "status": 200, "duration_ms": 3.14, "actor": "usr_1", "key_id": "key_1", "code": None,
    }  # fmt: skip

    def request(self, **changes: Any) -> str:
        return shown(json.dumps({**self.RECORD, **changes})).partition("workers")[2].strip()

    def test_are_one_short_line(self):
        assert self.request() == "GET    /v1/members/{member_id}  200  3.14 ms"

    def test_that_are_refused_say_why(self):
        assert self.request(status=404, code="not_found").endswith("404  3.14 ms  not_found")

    def test_that_failed_say_how_to_find_them(self):
        assert self.request(status=500, code="internal_error").endswith("500  3.14 ms  internal_error  01a201d8")


class TestLogFile:
    def test_keeps_every_line_with_all_its_fields(self, tmp_path: Path):
        file = LogFile(tmp_path / "hub.log")
        view = LogView(Console(file=io.StringIO()), file)
        view.quiet = True

        view.show("gateway", json.dumps({"level": "INFO", "message": "Ran.", "key_id": "key_ä"}) + "\n")
        view.show("aws", "plain text\n")
        view.show("aws", "\n")
        file.close()

        assert [json.loads(line) for line in (tmp_path / "hub.log").read_text().splitlines()] == [
            {"source": "gateway", "level": "INFO", "message": "Ran.", "key_id": "key_ä"},
            {"source": "aws", "message": "plain text"},
        ]

    def test_is_turned_over_and_never_grows_without_end(self, tmp_path: Path):
        file = LogFile(tmp_path / "hub.log", bytes_max=100)
        for number in range(50):
            file.write("hub", json.dumps({"message": "x" * 40, "count": number}))
        file.close()

        assert sorted(path.name for path in tmp_path.iterdir()) == ["hub.log", "hub.log.1", "hub.log.2", "hub.log.3"]
        assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
        assert json.loads((tmp_path / "hub.log").read_text().splitlines()[-1])["count"] == 49


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
