"""Reading raw records: strict, and every fault of a record at once."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from chalicelib.language import InputRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import var


def reader(**inputs):
    """A compiled rule with these inputs; its output reads none of them."""
    return compile_ruleset(
        {"kind": "mapping", "inputs": inputs, "outputs": {"it": {"type": "date", "expr": var("as_of")}}}
    )


def refusals(compiled, raw):
    with pytest.raises(InputRefused) as raised:
        compiled.read(raw)
    return {fault.pointer: fault.code for fault in raised.value.faults}


class TestTypes:
    @pytest.mark.parametrize(
        ("declared", "raw", "value"),
        [
            ({"type": "string"}, "", ""),
            ({"type": "string", "normalize": ["trim", "upper"]}, " ab ", "AB"),
            ({"type": "enum", "values": ["A"], "normalize": ["trim"]}, "A ", "A"),
            ({"type": "integer"}, 7, 7),
            ({"type": "integer"}, "-7", -7),
            ({"type": "decimal", "scale": 2}, "12.50", Decimal("12.50")),
            ({"type": "decimal", "scale": 2}, Decimal("12.5"), Decimal("12.5")),
            ({"type": "decimal", "scale": 2}, 12, Decimal(12)),
            ({"type": "date"}, "2024-02-29", date(2024, 2, 29)),
            ({"type": "date"}, date(2024, 2, 29), date(2024, 2, 29)),
            ({"type": "boolean"}, True, True),
            ({"type": "boolean"}, "false", False),
            ({"type": "list", "items": {"type": "integer"}}, ["1", 2], [1, 2]),
            ({"type": "object", "fields": {"n": {"type": "integer"}}}, {"n": "1"}, {"n": 1}),
        ],
    )
    def test_converts(self, declared, raw, value):
        read = reader(x=declared).read({"x": raw})["x"]
        assert read == value
        assert type(read) is type(value)

    @pytest.mark.parametrize(
        ("declared", "raw", "code"),
        [
            ({"type": "string"}, 7, "wrong_type"),
            ({"type": "string"}, "x" * 5000, "text_too_long"),
            ({"type": "enum", "values": ["A"]}, "a", "not_in_values"),
            ({"type": "integer"}, "7.0", "bad_integer"),
            ({"type": "integer"}, True, "bad_integer"),
            ({"type": "integer"}, 10**18, "bad_integer"),
            ({"type": "integer"}, "", "bad_integer"),
            ({"type": "decimal", "scale": 2}, 12.5, "bad_decimal"),
            ({"type": "decimal", "scale": 2}, True, "bad_decimal"),
            ({"type": "decimal", "scale": 2}, "1e2", "bad_decimal"),
            ({"type": "decimal", "scale": 2}, "NaN", "bad_decimal"),
            ({"type": "decimal", "scale": 2}, Decimal("NaN"), "number_too_large"),
            ({"type": "decimal", "scale": 2}, Decimal("1E+40"), "number_too_large"),
            ({"type": "decimal", "scale": 2}, "12.505", "excess_digits"),
            ({"type": "decimal", "scale": 2}, Decimal("0.001"), "excess_digits"),
            ({"type": "date"}, "2023-02-29", "bad_date"),
            ({"type": "date"}, "20230228", "bad_date"),
            ({"type": "date"}, datetime(2024, 2, 29), "bad_date"),  # noqa: DTZ001 - that it is refused is the point
            ({"type": "boolean"}, "yes", "bad_boolean"),
            ({"type": "boolean"}, [], "bad_boolean"),
            ({"type": "list", "items": {"type": "integer"}}, "1,2", "wrong_type"),
            ({"type": "list", "items": {"type": "integer"}}, "12", "wrong_type"),
            ({"type": "object", "fields": {"n": {"type": "integer"}}}, [], "wrong_type"),
        ],
    )
    def test_refuses(self, declared, raw, code):
        assert refusals(reader(x=declared), {"x": raw}) == {"x": code}

    def test_min_and_max_are_inclusive(self):
        compiled = reader(x={"type": "decimal", "scale": 2, "min": "0", "max": "400"})
        assert compiled.read({"x": "0"}) == {"x": 0}
        assert compiled.read({"x": "400"}) == {"x": 400}
        assert refusals(compiled, {"x": "-0.01"}) == {"x": "below_minimum"}
        assert refusals(compiled, {"x": "400.01"}) == {"x": "above_maximum"}


class TestAbsence:
    def test_absent_null_and_empty_are_told_apart(self):
        compiled = reader(
            must={"type": "string"},
            may={"type": "string", "required": False},
            null={"type": "string", "nullable": True, "required": True},
        )
        assert compiled.read({"must": "", "null": None}) == {"must": "", "may": None, "null": None}
        assert refusals(compiled, {"must": None}) == {"must": "missing_value", "null": "missing"}

    def test_an_unknown_name_is_refused(self):
        assert refusals(reader(x={"type": "string"}), {"x": "a", "y": "b"}) == {"y": "unknown_input"}

    def test_every_fault_is_listed(self):
        compiled = reader(a={"type": "integer"}, b={"type": "date"}, c={"type": "string"})
        assert refusals(compiled, {"a": "x", "b": "y"}) == {"a": "bad_integer", "b": "bad_date", "c": "missing"}

    def test_no_message_repeats_a_value(self):
        compiled = reader(
            a={"type": "integer", "personal": True},
            b={"type": "enum", "values": ["A"]},
            c={"type": "decimal", "scale": 0, "max": "1"},
        )
        with pytest.raises(InputRefused) as raised:
            compiled.read({"a": "secret-1", "b": "secret-2", "c": "4711"})
        assert not any(word in str(raised.value.faults) for word in ("secret", "4711"))


class TestDeclarations:
    @pytest.mark.parametrize(
        ("declared", "pointer"),
        [
            ({}, "/inputs/x/type"),
            ({"type": "strin"}, "/inputs/x/type"),
            ({"type": "decimal"}, "/inputs/x/scale"),
            ({"type": "decimal", "scale": 13}, "/inputs/x/scale"),
            ({"type": "string", "scale": 2}, "/inputs/x/scale"),
            ({"type": "enum"}, "/inputs/x/values"),
            ({"type": "enum", "values": ["A", "A"]}, "/inputs/x/values"),
            ({"type": "string", "values": ["A"]}, "/inputs/x/values"),
            ({"type": "string", "min": "a"}, "/inputs/x/min"),
            ({"type": "integer", "min": "x"}, "/inputs/x/min"),
            ({"type": "integer", "min": 2, "max": 1}, "/inputs/x/max"),
            ({"type": "integer", "normalize": ["trim"]}, "/inputs/x/normalize"),
            ({"type": "string", "normalize": ["trimm"]}, "/inputs/x/normalize"),
            ({"type": "string", "requird": True}, "/inputs/x/requird"),
            ({"type": "string", "nullable": "yes"}, "/inputs/x/nullable"),
            ({"type": "list"}, "/inputs/x/items"),
            ({"type": "object"}, "/inputs/x/fields"),
        ],
    )
    def test_wrong_ones_are_refused_where_they_stand(self, declared, pointer):
        with pytest.raises(RuleRefused, match=r"expected|unknown") as raised:
            reader(x=declared)
        assert pointer in {fault.pointer for fault in raised.value.faults}

    def test_the_date_of_the_decision_is_no_input(self):
        with pytest.raises(RuleRefused, match="already stands for the date of the decision"):
            reader(as_of={"type": "date"})
