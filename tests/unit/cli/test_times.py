"""Days and moments that a person types."""

import pytest
import typer
from typer.testing import CliRunner

from cli import times
from cli.commands import app


class TestDay:
    def test_is_handed_on_as_the_hub_takes_it(self):
        assert times.day("2026-11-20") == "2026-11-20"

    @pytest.mark.parametrize("text", ["nonsense", "20.11.2026", "2026-02-30", "2026-11-20T00:00:00", ""])
    def test_that_is_none_is_wrong_usage_told_in_a_sentence(self, text: str):
        with pytest.raises(typer.BadParameter, match="such as 2026-11-20"):
            times.day(text)

    def test_that_is_none_is_told_before_a_hub_is_asked(self):
        refused = CliRunner().invoke(app, ["balance", "acme/1", "--as-of", "nonsense"])

        assert refused.exit_code == 2
        assert "write a day as YYYY-MM-DD" in refused.stderr


class TestMoment:
    def test_keeps_its_offset(self):
        assert times.moment("2027-01-01T00:00:00Z") == "2027-01-01T00:00:00+00:00"

    @pytest.mark.parametrize("text", ["2027-01-01T00:00:00", "2027-01-01", "tomorrow"])
    def test_without_an_offset_is_wrong_usage(self, text: str):
        with pytest.raises(typer.BadParameter, match="offset from UTC"):
            times.moment(text)
