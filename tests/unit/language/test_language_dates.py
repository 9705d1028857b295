"""Dates and the month-end rule."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused
from chalicelib.language.memo import ENTRIES_MAX, Memo
from chalicelib.language.months import add_months, months_between
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))


def refusal_of(expr, kind="date", **facts):
    """The code with which a record is refused."""
    compiled = rule(expr, kind)
    with pytest.raises(DecisionRefused) as raised:
        compiled.decide({**FACTS, **facts}, as_of=AS_OF)
    return raised.value.faults[0].code


class TestMonthsBetween:
    @pytest.mark.parametrize(
        ("start", "end", "months"),
        [
            ("2024-10-01", "2026-09-30", 23),
            ("2024-10-01", "2026-10-01", 24),
            ("2026-01-31", "2026-02-27", 0),
            ("2026-01-31", "2026-02-28", 1),
            ("2024-01-31", "2024-02-28", 0),
            ("2024-01-31", "2024-02-29", 1),
            ("2026-01-30", "2026-02-28", 1),
            ("2026-02-28", "2026-03-28", 1),
            ("2026-02-28", "2026-03-27", 0),
            ("2026-04-30", "2026-05-30", 1),
            ("2026-05-31", "2026-06-30", 1),
            ("2026-05-05", "2026-05-05", 0),
            ("2026-10-01", "2024-10-01", -24),
            ("2026-02-28", "2026-01-31", -1),
        ],
    )
    def test_counts_whole_months(self, start, end, months):
        assert months_between(date.fromisoformat(start), date.fromisoformat(end)) == months

    @given(DATES, DATES)
    def test_is_the_most_that_can_be_added_without_passing_the_end(self, one, other):
        start, end = sorted((one, other))
        months = months_between(start, end)
        assert add_months(start, months) <= end < add_months(start, months + 1)

    @given(DATES, DATES)
    def test_turns_its_sign_with_the_order(self, one, other):
        assert months_between(one, other) == -months_between(other, one)

    @pytest.mark.parametrize(
        ("start", "end", "years"),
        [
            ("2020-02-29", "2021-02-28", 1),
            ("2020-02-29", "2024-02-28", 3),
            ("2020-02-29", "2024-02-29", 4),
            ("2020-10-01", "2026-09-30", 5),
            ("2026-09-30", "2020-10-01", -5),
        ],
    )
    def test_counts_whole_years(self, evaluate, start, end, years):
        counted = evaluate({"years_between": [var("hired"), end]}, "integer", hired=date.fromisoformat(start))
        assert counted == years


class TestDaysBetween:
    @pytest.mark.parametrize(
        ("start", "end", "days"),
        [("2024-02-28", "2024-03-01", 2), ("2026-05-05", "2026-05-05", 0), ("2026-01-01", "2025-01-01", -365)],
    )
    def test_counts_the_days_up_to_the_second(self, evaluate, start, end, days):
        counted = evaluate({"days_between": [var("hired"), end]}, "integer", hired=date.fromisoformat(start))
        assert counted == days


class TestDateAdd:
    @pytest.mark.parametrize(
        ("day", "count", "of", "expected"),
        [
            ("2026-01-31", 1, "months", "2026-02-28"),
            ("2024-01-31", 1, "months", "2024-02-29"),
            ("2026-03-31", -1, "months", "2026-02-28"),
            ("2026-12-15", 1, "months", "2027-01-15"),
            ("2024-02-29", 1, "years", "2025-02-28"),
            ("2024-02-29", 4, "years", "2028-02-29"),
            ("2026-02-28", 1, "days", "2026-03-01"),
            ("2026-03-01", -1, "days", "2026-02-28"),
        ],
    )
    def test_keeps_to_the_end_of_the_month(self, evaluate, day, count, of, expected):
        moved = evaluate({"date_add": [var("hired"), count, of]}, "date", hired=date.fromisoformat(day))
        assert moved == date.fromisoformat(expected)

    @pytest.mark.parametrize("of", ["days", "months", "years"])
    def test_refuses_to_leave_the_calendar(self, of):
        assert refusal_of({"date_add": [var("hired"), var("count"), of]}, count=10**17) == "date_out_of_range"
        assert refusal_of({"date_add": [var("hired"), var("count"), of]}, count=-(10**7)) == "date_out_of_range"

    def test_an_unknown_unit_is_refused(self, refused):
        fault = refused({"date_add": [var("hired"), 1, "month"]}, "date")[0]
        assert fault.suggestion == "did you mean `months`?"


class TestStartOf:
    @pytest.mark.parametrize(
        ("of", "expected"),
        [("week", "2026-11-16"), ("month", "2026-11-01"), ("quarter", "2026-10-01"), ("year", "2026-01-01")],
    )
    def test_is_the_first_day(self, evaluate, of, expected):
        found = evaluate({"start_of": [var("hired"), of]}, "date", hired=date(2026, 11, 22))
        assert found == date.fromisoformat(expected)

    @pytest.mark.parametrize(
        ("of", "expected"),
        [("week", "2026-11-22"), ("month", "2026-11-30"), ("quarter", "2026-12-31"), ("year", "2026-12-31")],
    )
    def test_and_end_of_is_the_last(self, evaluate, of, expected):
        found = evaluate({"end_of": [var("hired"), of]}, "date", hired=date(2026, 11, 22))
        assert found == date.fromisoformat(expected)

    @pytest.mark.parametrize("of", ["week", "month", "quarter", "year"])
    @pytest.mark.parametrize("day", [date(2024, 2, 29), date(2023, 12, 31), date(1, 1, 1), date(9999, 12, 31)])
    def test_a_day_lies_between_both_and_the_next_day_begins_anew(self, evaluate, of, day):
        first = evaluate({"start_of": [var("hired"), of]}, "date", hired=day)
        last = evaluate({"end_of": [var("hired"), of]}, "date", hired=day)
        assert first <= day <= last
        if last < date.max:
            following = last + timedelta(days=1)
            assert evaluate({"start_of": [var("hired"), of]}, "date", hired=following) == following

    def test_the_first_week_of_all_begins_too_early(self, evaluate):
        assert evaluate({"start_of": [var("hired"), "week"]}, "date", hired=date(1, 1, 2)) == date(1, 1, 1)


class TestParseDate:
    @pytest.mark.parametrize(
        ("text", "how", "expected"),
        [
            ("2011-07-05", "YYYY-MM-DD", "2011-07-05"),
            ("7/5/2011", "M/D/YYYY", "2011-07-05"),
            ("07/05/2011", "M/D/YYYY", "2011-07-05"),
            ("05.07.2011", "DD.MM.YYYY", "2011-07-05"),
            ("20110705", "YYYYMMDD", "2011-07-05"),
            ("29 02 2024", "DD MM YYYY", "2024-02-29"),
        ],
    )
    def test_reads_the_declared_format(self, evaluate, text, how, expected):
        assert evaluate({"parse_date": [var("text"), how]}, "date", text=text) == date.fromisoformat(expected)

    @pytest.mark.parametrize(
        ("text", "how"),
        [
            ("", "M/D/YYYY"),
            ("2011-7-5", "YYYY-MM-DD"),
            ("7/5/11", "M/D/YYYY"),
            (" 7/5/2011", "M/D/YYYY"),
            ("7/5/2011 ", "M/D/YYYY"),
            ("7/5/2011\n", "M/D/YYYY"),
            ("13/5/2011", "M/D/YYYY"),
            ("2/30/2011", "M/D/YYYY"),
            ("0/1/2011", "M/D/YYYY"),
            ("1/1/0000", "M/D/YYYY"),
            ("\u0667/5/2011", "M/D/YYYY"),
            ("05-07-2011", "DD.MM.YYYY"),
        ],
    )
    def test_refuses_every_other_text(self, text, how):
        assert refusal_of({"parse_date": [var("text"), how]}, text=text) == "bad_date"

    @pytest.mark.parametrize("how", ["YYYY-MM", "YYYY-MM-DD-DD", "YYYYMD", "DD/MM/YY", "%Y", "", "MM/DD/YYYY HH"])
    def test_refuses_formats_that_read_no_date_or_more_than_one(self, refused, how):
        assert refused({"parse_date": [var("text"), how]}, "date")[0].code == "bad_literal"

    def test_writes_what_it_reads(self, evaluate):
        written = {"format_date": [var("hired"), "D.M.YYYY"]}
        assert evaluate(written, "string", hired=date(987, 3, 4)) == "4.3.0987"

    @given(DATES, st.sampled_from(["YYYY-MM-DD", "M/D/YYYY", "DD.MM.YYYY", "YYYYMMDD"]))
    def test_every_date_survives_writing_and_reading(self, day, how):
        compiled = rule({"parse_date": [{"format_date": [var("hired"), how]}, how]}, "date")
        assert compiled.decide({**FACTS, "hired": day}, as_of=AS_OF) == {"it": day}


class TestMemo:
    def test_remembers_no_more_than_its_bound(self):
        converted = []
        memo = Memo(lambda text: converted.append(text) or len(text))
        for index in range(2 * ENTRIES_MAX):
            assert memo[str(index)] == len(str(index))
        assert len(memo) <= ENTRIES_MAX
        assert len(converted) == 2 * ENTRIES_MAX

    def test_converts_a_repeated_text_once(self):
        converted = []
        memo = Memo(lambda text: converted.append(text) or len(text))
        assert [memo["a"], memo["a"]] == [1, 1]
        assert converted == ["a"]

    def test_does_not_keep_long_texts(self):
        memo = Memo(len)
        assert memo["x" * 1000] == 1000
        assert len(memo) == 0
