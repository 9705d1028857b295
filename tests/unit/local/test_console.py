import json

from local.console import render


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
