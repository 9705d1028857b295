"""What bodies and queries are made of: one way to write a day, a moment and each text that has a form."""

from datetime import UTC, date, datetime
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.web import wording
from chalicelib.web.shapes import Body, Day, Moment, Written

DAY: TypeAdapter[date] = TypeAdapter(Day)
MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


class Months(Body):
    months: int


class Days(Body):
    days: int


class Lots(Body):
    expires: Months | Days | None
    code: Annotated[str, Written("[A-Z]{2}", "Two capital letters.")] = "US"


def refusal(adapter: TypeAdapter, value: object) -> wording.ErrorDetails:
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(value)
    return refused.value.errors()[0]


class TestDay:
    def test_is_written_with_hyphens(self):
        assert DAY.validate_json('"2028-02-29"', strict=True) == date(2028, 2, 29)

    # The first two are seconds since 1970 to pydantic, the next two days of ISO 8601.
    @pytest.mark.parametrize(
        "text", ["0", "86400", "20261120", "2026-W47-5", "2026-11-20T00:00:00", "20.11.2026", "", "٢٠٢٦-11-20"]
    )
    def test_is_written_in_no_other_way(self, text: str):
        assert refusal(DAY, text)["type"] == "day_malformed"

    @pytest.mark.parametrize("value", [0, None, True, ["2026-11-20"]])
    def test_is_a_text(self, value: object):
        assert refusal(DAY, value)["type"] == "day_malformed"

    def test_exists_in_the_calendar(self):
        assert refusal(DAY, "2026-02-29")["type"] == "day_unknown"


class TestMoment:
    @pytest.mark.parametrize(
        "text", ["2026-11-20T12:00Z", "2026-11-20T14:00:00+02:00", "2026-11-20T07:00:00.000-05:00"]
    )
    def test_is_kept_in_utc(self, text: str):
        found = MOMENT.validate_python(text)
        assert (found, found.tzinfo) == (datetime(2026, 11, 20, 12, tzinfo=UTC), UTC)

    @pytest.mark.parametrize("text", ["2026-11-20T12:00:00", "2026-11-20", "1700000000", "2026-11-20 12:00Z", ""])
    def test_has_an_offset_and_is_no_number(self, text: str):
        assert refusal(MOMENT, text)["type"] == "moment_malformed"

    # The last two lie before and after what can be told in UTC.
    @pytest.mark.parametrize(
        "text", ["2026-02-29T12:00Z", "2026-11-20T25:00Z", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"]
    )
    def test_can_be_told_in_utc(self, text: str):
        assert refusal(MOMENT, text)["type"] == "moment_unknown"


class TestWritten:
    def test_says_its_form_in_its_own_sentence(self):
        adapter = TypeAdapter(Lots)
        assert adapter.validate_python({"expires": None, "code": "CA"}).code == "CA"
        for code in ("us", "USA", "US\n"):
            found = refusal(adapter, {"expires": None, "code": code})
            assert (found["type"], wording.sentence(found)) == ("string_pattern_mismatch", "Two capital letters.")

    def test_shows_its_form_in_the_schema(self):
        assert TypeAdapter(Lots).json_schema()["properties"]["code"]["pattern"] == "^(?:[A-Z]{2})$"


class TestFaults:
    def test_of_alternatives_are_at_places_of_the_document(self):
        given = {"expires": {"years": 2}}
        with pytest.raises(ValidationError) as refused:
            Lots.model_validate(given)

        assert [(one.pointer, one.code) for one in wording.faults(refused.value, given)] == [
            ("/expires/months", "missing"),
            ("/expires/years", "extra_forbidden"),
            ("/expires/days", "missing"),
        ]
