"""Decision tables and code-table look-ups."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

TIER = {
    "hit": "unique",
    "in": ["count"],
    "out": ["rate"],
    "rows": [["[6,24)", "1.0"], ["[24,60)", "1.25"], ["[60,)", "1.5"]],
}


def table(rows, inputs=("count",), outs=("it",), hit="unique"):
    return {"t": {"hit": hit, "in": list(inputs), "out": list(outs), "rows": rows}}


def cell_of(tables, kind, out="it", **facts):
    """What the table says of a record, or the code of its refusal."""
    compiled = rule({"table": ["t", out]}, kind, tables=tables)
    try:
        return compiled.decide({**FACTS, **facts}, as_of=AS_OF)["it"]
    except DecisionRefused as refused:
        return refused.faults[0].code


class TestHits:
    @pytest.mark.parametrize(
        ("count", "rate"),
        [(5, "no_table_row"), (6, "1"), (23, "1"), (24, "1.25"), (59, "1.25"), (60, "1.5"), (10**9, "1.5")],
    )
    def test_rows_hit_at_their_edges(self, count, rate):
        found = cell_of({"t": TIER}, "decimal", "rate", count=count)
        assert str(found) == rate if isinstance(found, str) else found == Decimal(rate)

    @pytest.mark.parametrize(
        ("bounds", "hours", "hits"),
        [
            ("(1,2)", ["1", "1.001", "1.999", "2"], [False, True, True, False]),
            ("[1,2]", ["0.999", "1", "2", "2.001"], [False, True, True, False]),
            ("(,2]", ["-100", "2", "2.001"], [True, True, False]),
            ("( 1.5 , )", ["1.5", "1.501", "99999"], [False, True, True]),
        ],
    )
    def test_bounds_are_open_or_closed_as_written(self, bounds, hours, hits):
        tables = table([[bounds, True]], ["hours"])
        found = [cell_of(tables, "boolean", hours=Decimal(one)) for one in hours]
        assert [one is True for one in found] == hits

    def test_dates_have_intervals_too(self):
        tables = table([["[2020-01-01,2020-02-01)", "first"], ["[2020-02-01,)", "later"]], ["hired"])
        assert cell_of(tables, "string") == "first"
        assert cell_of(tables, "string", hired=date(2020, 2, 1)) == "later"
        assert cell_of(tables, "string", hired=date(2019, 12, 31)) == "no_table_row"

    def test_literals_lists_and_any_are_conditions(self):
        rows = [["ACTIVE", True, 1], [["LEAVE", "TERM"], True, 2], ["-", False, 3]]
        tables = table(rows, ["status", "paid"])
        assert cell_of(tables, "integer") == 1
        assert cell_of(tables, "integer", status="TERM") == 2
        assert cell_of(tables, "integer", status="TERM", paid=False) == 3

    def test_a_table_of_literals_finds_each_of_them(self):
        rows = [["ACTIVE", [1, 2], "a"], ["ACTIVE", 3, "b"], [["LEAVE", "TERM"], 1, "c"]]
        tables = table(rows, ["status", "count"])
        assert [cell_of(tables, "string", count=count) for count in (1, 2, 3, 4)] == ["a", "a", "b", "no_table_row"]
        assert cell_of(tables, "string", status="TERM", count=1) == "c"

    def test_first_takes_the_first_row_that_hits(self):
        tables = table([["[10,)", "high"], ["-", "low"]], hit="first")
        assert [cell_of(tables, "string", count=count) for count in (9, 10)] == ["low", "high"]

    def test_first_takes_the_first_of_overlapping_literals(self):
        tables = table([[[1, 2], "a"], [[2, 3], "b"]], hit="first")
        assert [cell_of(tables, "string", count=count) for count in (1, 2, 3)] == ["a", "a", "b"]

    def test_any_takes_rows_that_agree(self):
        tables = table([["[1,10)", "same"], ["[5,20)", "same"]], hit="any")
        assert [cell_of(tables, "string", count=count) for count in (1, 7, 19)] == ["same", "same", "same"]

    def test_several_columns_come_from_one_row(self, evaluate):
        tables = table([["[0,5)", "low", 1], ["[5,)", "high", 2]], outs=["name", "factor"])
        both = {"cat": [{"table": ["t", "name"]}, {"to_text": {"table": ["t", "factor"]}}]}
        assert evaluate(both, "string", parts={"tables": tables}) == "high2"

    def test_conditions_may_test_a_let_that_comes_from_another_table(self):
        tables = {
            "t": {"hit": "unique", "in": ["tenure"], "out": ["it"], "rows": [["[80,)", "old"], ["(,80)", "new"]]},
            "months": {"hit": "unique", "in": ["status"], "out": ["n"], "rows": [["ACTIVE", 80], ["LEAVE", 1]]},
        }
        compiled = rule({"table": ["t", "it"]}, "string", tables=tables, let={"tenure": {"table": ["months", "n"]}})
        assert compiled.decide(FACTS, as_of=AS_OF) == {"it": "old"}
        with pytest.raises(DecisionRefused):
            compiled.decide({**FACTS, "status": "TERM"}, as_of=AS_OF)


class TestCells:
    def test_codes_with_a_leading_zero_are_text(self):
        assert cell_of(table([["-", "007"]]), "string") == "007"

    def test_numbers_written_as_text_are_decimals(self):
        assert cell_of(table([["(,5]", "1.5"], ["(5,)", 2]]), "decimal") == 2

    def test_a_declared_type_wins(self):
        tables = {"t": {"hit": "first", "in": ["count"], "out": {"it": {"type": "string"}}, "rows": [["-", "12"]]}}
        assert cell_of(tables, "string") == "12"

    def test_a_null_cell_makes_the_column_nullable(self, refused):
        tables = table([["[1,10)", 5], ["[10,)", None]])
        assert cell_of(tables, "integer", count=10) is None
        assert refused({"+": [{"table": ["t", "it"]}, 1]}, "integer", tables=tables)[0].code == "may_be_null"

    def test_a_column_that_mixes_types_is_refused(self, refused):
        tables = table([["[1,10)", "a"], ["[10,)", 5]])
        assert refused({"table": ["t", "it"]}, "string", tables=tables)[0].code == "mixed_column"

    @pytest.mark.parametrize(
        "cell", ["[5", "[9,1)", "(5,5]", "[a,b]", "[1,2,3]", "[2026-01-01,)", "x", True, None, [], [1, "x"]]
    )
    def test_conditions_that_hold_nothing_are_refused_where_they_stand(self, refused, cell):
        fault = refused({"table": ["t", "it"]}, "integer", tables=table([[cell, 1]]))[0]
        assert fault.code == "bad_cell"
        assert fault.pointer == "/tables/t/rows/0/0"

    def test_a_condition_outside_the_enum_is_refused(self, refused):
        fault = refused({"table": ["t", "it"]}, "integer", tables=table([["LEAV", 1]], ["status"]))[0]
        assert (fault.code, fault.suggestion) == ("bad_cell", "did you mean `LEAVE`?")

    def test_a_row_of_another_width_is_refused(self, refused):
        fault = refused({"table": ["t", "it"]}, "integer", tables=table([["-", 1], ["-"]]))[0]
        assert (fault.code, fault.pointer) == ("bad_row", "/tables/t/rows/1")

    def test_a_nullable_field_is_not_tested(self, refused):
        fault = refused({"table": ["t", "it"]}, "integer", tables=table([["-", 1]], ["limit"]))[0]
        assert (fault.code, fault.pointer) == ("may_be_null", "/tables/t/in/0")

    def test_unknown_tables_and_columns_are_refused_with_the_nearest(self, refused):
        tables = {"tier": TIER}
        assert refused({"table": ["teir", "rate"]}, tables=tables)[0].suggestion == "did you mean `tier`?"
        assert refused({"table": ["tier", "rat"]}, tables=tables)[0].suggestion == "did you mean `rate`?"


class TestPolicies:
    @pytest.mark.parametrize(
        ("one", "other", "overlap"),
        [
            ("[1,5)", "[5,9)", False),
            ("[1,5]", "[5,9)", True),
            ("(,5)", "(4,)", True),
            ("[1,5)", 5, False),
            ("[1,5)", 4, True),
            ("(4,9)", [4, 9], False),
            ("(4,9)", [4, 5], True),
            ("(4,9)", [1, 5, 20], True),
            ([1, 2], [2, 3], True),
            ([1, 2], [3], False),
            ("-", 3, True),
        ],
    )
    def test_unique_refuses_rows_that_can_both_hit(self, refused, one, other, overlap):
        for first, second in ((one, other), (other, one)):
            tables = table([[first, 1], [second, 2]])
            if overlap:
                fault = refused({"table": ["t", "it"]}, "integer", tables=tables)[0]
                assert (fault.code, fault.pointer) == ("table_overlap", "/tables/t/rows/1")
            else:
                rule({"table": ["t", "it"]}, "integer", tables=tables)

    def test_rows_apart_in_one_column_do_not_overlap(self):
        rows = [["[1,9)", "ACTIVE", 1], ["[5,20)", "LEAVE", 2]]
        rule({"table": ["t", "it"]}, "integer", tables=table(rows, ["count", "status"]))

    def test_any_refuses_overlapping_rows_that_disagree(self, refused):
        tables = table([["[1,9)", 1], ["[5,20)", 2]], hit="any")
        assert refused({"table": ["t", "it"]}, "integer", tables=tables)[0].code == "table_overlap"

    @pytest.mark.parametrize(
        ("first", "second", "covered"),
        [
            ("-", "[1,2)", True),
            ("[1,9)", "[2,9)", True),
            ("[1,9)", "[2,9]", False),
            ("(,9)", [1, 2, 8], True),
            ("(,9)", [1, 9], False),
            ([1, 2], 2, True),
            ([1, 2], "[1,2]", False),
            ("[1,9)", "-", False),
            ("(1,9)", "[1,9)", False),
            ("[1,)", "(1,)", True),
        ],
    )
    def test_first_refuses_rows_that_an_earlier_one_covers(self, refused, first, second, covered):
        tables = table([[first, 1], [second, 2]], hit="first")
        if covered:
            fault = refused({"table": ["t", "it"]}, "integer", tables=tables)[0]
            assert (fault.code, fault.pointer) == ("unreachable_row", "/tables/t/rows/1")
        else:
            rule({"table": ["t", "it"]}, "integer", tables=tables)


CODES = {"status": {"Voluntarily Terminated": "TERM", "Active": "ACTIVE"}}


class TestLookup:
    def test_gives_what_the_code_table_says(self, evaluate):
        expr = {"lookup": ["status", var("text")]}
        assert evaluate(expr, "enum", text="Active", code_tables=CODES) == "ACTIVE"

    def test_names_the_code_tables_that_it_needs(self):
        assert rule({"lookup": ["status", var("text")]}, "string").code_tables == {"status"}

    def test_an_unknown_code_refuses_the_record_by_name(self):
        compiled = rule({"lookup": ["status", {"trim": var("text")}]}, "string")
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide({**FACTS, "text": "Gone "}, as_of=AS_OF, code_tables=CODES)
        [fault] = raised.value.faults
        assert (fault.pointer, fault.code) == ("text", "unknown_code")
        assert "`Gone`" in fault.message

    def test_an_unknown_personal_code_is_not_repeated(self):
        inputs = {"text": {"type": "string", "personal": True}}
        compiled = rule({"lookup": ["status", var("text")]}, "string", inputs=inputs)
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide({"text": "Gone"}, as_of=AS_OF, code_tables=CODES)
        assert "Gone" not in str(raised.value)

    def test_on_miss_gives_null_or_a_default(self, evaluate, refused):
        null = {"lookup": ["status", var("text"), {"on_miss": "null"}]}
        assert evaluate(null, "string", code_tables=CODES) is None
        default = {"lookup": ["status", var("text"), {"on_miss": "default", "default": {"upper": var("text")}}]}
        assert evaluate(default, "string", code_tables=CODES) == "ADA"
        assert evaluate(default, "string", text="Active", code_tables=CODES) == "ACTIVE"
        assert refused({"cat": [null]}, "string")[0].code == "may_be_null"

    def test_a_default_is_only_evaluated_on_a_miss(self, evaluate):
        second = {"split": [{"cat": [var("text"), ""]}, ",", 1]}
        fallback = {"if": [{"in": ["x", second]}, second, "-"]}
        expr = {"lookup": ["status", var("text"), {"on_miss": "default", "default": fallback}]}
        assert evaluate(expr, "string", text="Active", code_tables=CODES) == "ACTIVE"

    def test_a_code_table_without_entries_refuses_the_record(self):
        compiled = rule({"lookup": ["status", var("text")]}, "string")
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide(FACTS, as_of=AS_OF)
        assert raised.value.faults[0].code == "code_table_missing"

    def test_the_table_is_named_in_the_rule(self, refused):
        assert refused({"lookup": [var("text"), "x"]}, "string")[0].code == "bad_literal"
