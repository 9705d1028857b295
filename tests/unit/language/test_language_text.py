"""Text: cutting, joining, and reading numbers from it."""

from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused
from tests.unit.language.conftest import AS_OF, FACTS, rule, var


def refusal_of(expr, kind="string", **facts):
    """The code with which a record is refused."""
    compiled = rule(expr, kind)
    with pytest.raises(DecisionRefused) as raised:
        compiled.decide({**FACTS, **facts}, as_of=AS_OF)
    return raised.value.faults[0].code


class TestText:
    @pytest.mark.parametrize(
        ("expr", "expected"),
        [
            ({"cat": [var("text"), "-", var("status")]}, "Ada-ACTIVE"),
            ({"substr": [var("text"), 1]}, "da"),
            ({"substr": [var("text"), -2]}, "da"),
            ({"substr": [var("text"), 0, 2]}, "Ad"),
            ({"substr": [var("text"), 0, -1]}, "Ad"),
            ({"substr": [var("text"), -9, 1]}, "A"),
            ({"trim": "  a b\t"}, "a b"),
            ({"upper": var("text")}, "ADA"),
            ({"lower": [var("text")]}, "ada"),
            ({"replace": ["a-b-c", "-", ""]}, "abc"),
            ({"replace": ["a-b", "-", "--"]}, "a--b"),
            ({"pad_left": ["1960", 5, "0"]}, "01960"),
            ({"pad_left": ["12345-6789", 5, "0"]}, "12345-6789"),
            ({"normalize": "\ufb01\uff21"}, "fiA"),
        ],
    )
    def test_gives(self, evaluate, expr, expected):
        assert evaluate(expr, "string") == expected

    @pytest.mark.parametrize(
        ("expr", "suggestion"),
        [
            ({"cat": [var("text"), var("count")]}, "to_text"),
            ({"upper": var("hired")}, "to_text"),
            ({"trim": var("note")}, "coalesce"),
        ],
    )
    def test_takes_nothing_but_text(self, refused, expr, suggestion):
        assert suggestion in (refused(expr, "string")[0].suggestion or "")

    def test_a_text_that_doubles_forty_times_stops_in_time(self):
        doubled = {f"d{n}": {"cat": [var(f"d{n - 1}" if n else "text")] * 2} for n in range(40)}
        compiled = rule(var("d39"), "string", let=doubled)
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide(FACTS, as_of=AS_OF)
        assert raised.value.faults[0].code == "text_too_long"

    def test_replacing_by_longer_text_stops_in_time(self):
        grown = {f"g{n}": {"replace": [var(f"g{n - 1}" if n else "text"), "a", "a" * 16]} for n in range(9)}
        compiled = rule(var("g8"), "string", let=grown)
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide(FACTS, as_of=AS_OF)
        assert raised.value.faults[0].code == "text_too_long"


class TestSplit:
    def test_gives_one_part(self, evaluate):
        name = "Adinolfi, Wilson K"
        assert evaluate({"split": [var("text"), ",", 0]}, "string", text=name) == "Adinolfi"
        assert evaluate({"split": [{"split": [var("text"), ", ", 1]}, " ", 0]}, "string", text=name) == "Wilson"
        assert evaluate({"split": [var("text"), " ", -1]}, "string", text=name) == "K"

    def test_refuses_the_record_that_has_no_such_part(self):
        assert refusal_of({"split": [var("text"), ",", 1]}) == "no_such_part"

    def test_gives_null_or_a_default_for_a_missing_part_when_it_is_told_so(self, evaluate, refused):
        middle = {"split": [var("text"), " ", 1, {"on_miss": "null"}]}
        assert evaluate(middle, "string") is None
        assert evaluate({"split": [var("text"), " ", 1, {"on_miss": "default", "default": "-"}]}, "string") == "-"
        assert refused({"upper": middle}, "string")[0].code == "may_be_null"

    def test_a_default_goes_with_on_miss_default_only(self, refused):
        assert refused({"split": [var("text"), " ", 1, {"default": "-"}]}, "string")[0].code == "bad_literal"
        assert refused({"split": [var("text"), " ", 1, {"on_miss": "default"}]}, "string")[0].code == "bad_literal"

    def test_an_unknown_option_is_refused(self, refused):
        fault = refused({"split": [var("text"), " ", 1, {"on_mis": "null"}]}, "string")[0]
        assert (fault.code, fault.suggestion) == ("unknown_option", "did you mean `on_miss`?")

    def test_the_separator_is_not_empty(self, refused):
        assert refused({"split": [var("text"), "", 1]}, "string")[0].pointer == "/outputs/it/expr/split/1"


class TestParseDecimal:
    @pytest.mark.parametrize(
        ("text", "options", "expected"),
        [
            ("80", {}, "80"),
            ("-80.50", {}, "-80.50"),
            ("007.5", {}, "7.5"),
            ("1.234,5", {"decimal_mark": ",", "group_mark": "."}, "1234.5"),
            ("1,234,567.89", {"group_mark": ","}, "1234567.89"),
            ("1234567", {"group_mark": ","}, "1234567"),
            ("12'345", {"group_mark": "'"}, "12345"),
        ],
    )
    def test_reads(self, evaluate, text, options, expected):
        assert evaluate({"parse_decimal": [var("text"), options]}, text=text) == Decimal(expected)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " 1",
            "1 ",
            "+1",
            "1e3",
            "NaN",
            "Infinity",
            "1_000",
            ".5",
            "5.",
            "1,5",
            "--1",
            "\u0661",
            "1,234.5",
            "1" * 29,
        ],
    )
    def test_refuses_what_is_not_a_plain_number(self, text):
        assert refusal_of({"parse_decimal": [var("text")]}, "decimal", text=text) == "bad_decimal"

    @pytest.mark.parametrize("text", ["1,23", "12,34,567", ",123", "1234,567", "1,234,"])
    def test_refuses_groups_that_are_not_of_three(self, text):
        assert refusal_of({"parse_decimal": [var("text"), {"group_mark": ","}]}, "decimal", text=text) == "bad_decimal"

    def test_refuses_the_same_mark_twice(self, refused):
        same = {"parse_decimal": [var("text"), {"decimal_mark": ",", "group_mark": ","}]}
        assert refused(same)[0].message == "the marks are the same"

    def test_refuses_the_second_time_too(self):
        compiled = rule({"parse_decimal": [var("text")]})
        for _ in range(2):
            with pytest.raises(DecisionRefused):
                compiled.decide({**FACTS, "text": "x"}, as_of=AS_OF)


class TestParseInteger:
    def test_reads_an_integer(self, evaluate):
        assert evaluate({"parse_integer": var("text")}, "integer", text="-0042") == -42

    @pytest.mark.parametrize("text", ["", "4.0", " 4", "4a", "1" * 19, "\u0661"])
    def test_refuses_anything_else(self, text):
        assert refusal_of({"parse_integer": var("text")}, "integer", text=text) == "bad_integer"


class TestToText:
    @pytest.mark.parametrize(
        ("hours", "expected"), [("8.000", "8"), ("8.50", "8.5"), ("1E+3", "1000"), ("-0.00", "0"), ("0.001", "0.001")]
    )
    def test_equal_decimals_have_equal_texts(self, evaluate, hours, expected):
        assert evaluate({"to_text": var("hours")}, "string", hours=Decimal(hours)) == expected

    def test_a_decimal_has_the_places_that_are_asked_for(self, evaluate):
        assert evaluate({"to_text": [var("hours"), 2]}, "string") == "37.50"
        assert evaluate({"to_text": [{"-": [var("hours"), var("hours")]}, 2]}, "string") == "0.00"

    def test_it_never_drops_a_digit(self):
        assert refusal_of({"to_text": [var("hours"), 0]}) == "inexact"

    def test_writes_integers_and_dates(self, evaluate):
        assert evaluate({"to_text": var("count")}, "string") == "7"
        assert evaluate({"to_text": var("hired")}, "string") == "2020-01-31"

    def test_text_is_text_already(self, refused):
        assert refused({"to_text": var("text")}, "string")[0].code == "wrong_type"


class TestMessages:
    def test_a_refusal_repeats_no_value(self):
        compiled = rule({"parse_decimal": [var("text")]})
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide({**FACTS, "text": "secret-4711"}, as_of=AS_OF)
        [fault] = raised.value.faults
        assert fault.pointer == "text"
        assert fault.message == "it: the text is not a plain number"
        assert "4711" not in str(raised.value)
