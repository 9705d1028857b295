"""Whole rule documents: an accrual rule, its cases, its names and their order."""

import copy
from datetime import date
from decimal import Decimal

import pytest

from chalicelib.language import (
    Aggregate,
    DecisionRefused,
    RuleRefused,
    compile_expression,
    compile_ruleset,
    parse_json,
)
from tests.unit.language.conftest import var

ACCRUAL = """
{
  "$schema": "../schemas/ruleset.json",
  "id": "acme-uniform.accrual", "kind": "accrual", "owner": "benefits-ops",
  "why": "Uniform allowance accrues per paid hour, by tenure. Contract 2026, appendix B.",
  "effective": {"from": "2026-10-01", "to": null},
  "inputs": {
    "employee_id": {"type": "string", "normalize": ["trim"], "required": true},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
    "hours": {"type": "decimal", "scale": 3, "min": "0"},
    "hire_date": {"type": "date"}
  },
  "aggregates": {"month_points": {"of": "points", "period": "calendar_month"}},
  "let": {"tenure_months": {"months_between": [{"var": "hire_date"}, {"var": "as_of"}]}},
  "when": {"and": [{"==": [{"var": "status"}, "ACTIVE"]}, {">=": [{"var": "tenure_months"}, 6]}]},
  "tables": {"tier": {"hit": "unique", "in": ["tenure_months"], "out": ["rate"],
    "rows": [["[6,24)", "1.0"], ["[24,60)", "1.25"], ["[60,)", "1.5"]]}},
  "outputs": {"points": {"type": "decimal", "scale": 2, "rounding": "half_up",
    "expr": {"max": [0, {"min": [
      {"*": [{"var": "hours"}, {"table": ["tier", "rate"]}]},
      {"-": [400, {"var": "month_points"}]}]}]}}},
  "cases": [
    {"name": "tier changes on the day of 24 months", "as_of": "2026-10-01",
     "given": {"employee_id": "7", "status": "ACTIVE", "hours": "100", "hire_date": "2024-10-01"},
     "expect": {"points": "125.00"}},
    {"name": "the cap of a month counts what was given before", "as_of": "2026-10-01",
     "given": {"employee_id": "7", "status": "ACTIVE", "hours": "100", "hire_date": "2024-10-01"},
     "aggregates": {"month_points": "399.25"},
     "expect": {"points": "0.75"}},
    {"name": "none on leave", "as_of": "2026-10-01",
     "given": {"employee_id": "7", "status": "LEAVE", "hours": "100", "hire_date": "2024-10-01"},
     "expect": {"applies": false}},
    {"name": "hours are never negative", "as_of": "2026-10-01",
     "given": {"employee_id": "7", "status": "ACTIVE", "hours": "-1", "hire_date": "2024-10-01"},
     "expect": {"refused": "below_minimum"}}
  ]
}
"""


def accrual(**changes):
    """The accrual document with some of its parts replaced."""
    return {**copy.deepcopy(parse_json(ACCRUAL)), **changes}


def pointers_of(document):
    with pytest.raises(RuleRefused) as raised:
        compile_ruleset(document)
    return {fault.pointer: fault.code for fault in raised.value.faults}


def mapping(let, expr, **outputs):
    declared = {"it": {"type": "integer", "expr": expr}, **outputs}
    return compile_ruleset({"kind": "mapping", "inputs": {"n": {"type": "integer"}}, "let": let, "outputs": declared})


class TestAccrualRule:
    def test_every_case_comes_true(self):
        results = compile_ruleset(accrual()).run_cases()
        assert [(result.passed, result.message) for result in results] == [(True, "")] * 4

    def test_decides_points_from_read_facts_and_aggregates(self):
        rule = compile_ruleset(accrual())
        facts = rule.read({"employee_id": " 7", "status": "ACTIVE", "hours": "10.5", "hire_date": "2020-01-01"})
        decided = rule.decide({**facts, "month_points": Decimal(0)}, as_of=date(2026, 10, 1))
        assert decided == {"points": Decimal("15.75")}

    def test_an_aggregate_that_the_caller_forgot_refuses_the_record(self):
        rule = compile_ruleset(accrual())
        facts = rule.read({"employee_id": "7", "status": "ACTIVE", "hours": "1", "hire_date": "2020-01-01"})
        with pytest.raises(DecisionRefused) as raised:
            rule.decide(facts, as_of=date(2026, 10, 1))
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [("month_points", "missing")]

    def test_says_what_it_declares_and_reads(self):
        rule = compile_ruleset(accrual())
        assert rule.aggregates == {"month_points": Aggregate("points", "calendar_month")}
        assert rule.outputs["points"].columns == ("hours", "hire_date")
        assert (rule.outputs["points"].scale, rule.outputs["points"].rounding) == (2, "half_up")
        assert rule.inputs["employee_id"].normalize == ("trim",)
        assert rule.code_tables == frozenset()

    def test_one_day_before_the_tier_changes_earns_the_lower_rate(self):
        rule = compile_ruleset(accrual())
        facts = rule.read({"employee_id": "7", "status": "ACTIVE", "hours": "100", "hire_date": "2024-10-01"})
        decided = rule.decide({**facts, "month_points": Decimal(0)}, as_of=date(2026, 9, 30))
        assert decided == {"points": Decimal("100.00")}


class TestCases:
    def failing(self, **case):
        document = accrual()
        document["cases"] = [{**document["cases"][0], **case}]
        [result] = compile_ruleset(document).run_cases()
        return result

    def test_a_case_that_does_not_come_true_says_how(self):
        result = self.failing(expect={"points": "125.01"})
        assert not result.passed
        assert result.expected == {"points": "125.01"}
        assert result.actual == {"points": "125.00"}
        assert result.message == "expected points = 125.01, got points = 125.00"

    def test_an_unexpected_refusal_fails_with_its_reason(self):
        result = self.failing(given={"employee_id": "7"})
        assert not result.passed
        assert ", got a refusal (input_refused, missing" in result.message
        assert "['" not in result.message

    @pytest.mark.parametrize("expect", [{"applies": False}, {"refused": "below_minimum"}])
    def test_a_decision_is_neither_a_refusal_nor_none(self, expect):
        assert not self.failing(expect=expect).passed

    def test_a_rule_that_applies_may_be_all_that_is_expected(self):
        assert self.failing(expect={"applies": True}).passed

    def test_a_refused_record_is_no_record_to_which_the_rule_applies(self):
        assert not self.failing(given={}, expect={"applies": True}).passed

    def test_a_case_may_bring_code_tables(self):
        [result] = compile_ruleset(
            {
                "kind": "mapping",
                "inputs": {"code": {"type": "string"}},
                "outputs": {"name": {"type": "string", "expr": {"lookup": ["jobs", var("code")]}}},
                "cases": [
                    {
                        "name": "a pilot",
                        "as_of": "2026-10-01",
                        "given": {"code": "P"},
                        "code_tables": {"jobs": {"P": "Pilot"}},
                        "expect": {"name": "Pilot"},
                    }
                ],
            }
        ).run_cases()
        assert result.passed

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"as_of": "1.10.2026"}, "/cases/0/as_of"),
            ({"expect": {}}, "/cases/0/expect"),
            ({"expect": {"point": "1"}}, "/cases/0/expect/point"),
            ({"expect": {"points": "1.005"}}, "/cases/0/expect/points"),
            ({"expect": {"applies": "no"}}, "/cases/0/expect"),
            ({"expect": {"applies": False, "points": "1"}}, "/cases/0/expect"),
            ({"aggregates": {"year_points": "1"}}, "/cases/0/aggregates"),
            ({"code_tables": {"jobs": "P"}}, "/cases/0/code_tables"),
            ({"name": ""}, "/cases/0/name"),
            ({"givn": {}}, "/cases/0/givn"),
        ],
    )
    def test_a_case_that_says_nothing_sure_is_refused(self, change, pointer):
        document = accrual()
        document["cases"] = [{**document["cases"][0], **change}]
        assert pointer in pointers_of(document)

    def test_two_cases_do_not_share_a_name(self):
        document = accrual()
        document["cases"] *= 2
        assert "/cases/4/name" in pointers_of(document)


class TestDocuments:
    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"kind": "accruals"}, "/kind"),
            ({"wehn": True}, "/wehn"),
            ({"outputs": {}}, "/outputs"),
            ({"outputs": {"hours": {"type": "integer", "expr": 1}}}, "/outputs/points"),
            ({"outputs": {"points": {"type": "decimal", "scale": 2}}}, "/outputs/points/expr"),
            ({"outputs": {"applies": {"type": "integer", "expr": 1}}}, "/outputs/applies"),
            ({"when": {"var": "hours"}}, "/when"),
            ({"inputs": []}, "/inputs"),
            ({"let": {"hours": 1}}, "/let/hours"),
            ({"let": {"": 1}}, "/let/"),
            ({"let": {"a~/b": {"var": "nope"}}}, "/let/a~0~1b"),
            ({"aggregates": {"x": {"of": "hours", "period": "calendar_month"}}}, "/aggregates/x/of"),
            ({"aggregates": {"x": {"of": "points", "period": "month"}}}, "/aggregates/x/period"),
            ({"tables": {"t": {"hit": "unique", "in": ["hours"], "out": ["x"], "rows": []}}}, "/tables/t/rows"),
            ({"effective": {"from": "2026-10-02", "to": "2026-10-01"}}, "/effective/to"),
            ({"when": None}, "/when"),
            ({"effective": {"from": "soon"}}, "/effective/from"),
            ({"why": 7}, "/why"),
        ],
    )
    def test_wrong_parts_are_refused_where_they_stand(self, change, pointer):
        assert pointer in pointers_of(accrual(**change))

    def test_a_misspelt_key_is_not_passed_over(self):
        with pytest.raises(RuleRefused, match="did you mean `when`"):
            compile_ruleset(accrual(wehn=True))

    def test_the_error_names_the_first_place_and_counts_the_others(self):
        with pytest.raises(RuleRefused) as raised:
            compile_ruleset(accrual(when={"var": "statu"}, why=7))
        assert raised.value.code == "rule_refused"
        assert "(1 more)" in raised.value.message


class TestLet:
    def test_names_are_found_in_whatever_order_they_stand(self):
        rule = mapping({"a": {"+": [var("b"), 1]}, "b": {"+": [var("c"), 1]}, "c": {"+": [var("n"), 1]}}, var("a"))
        assert rule.decide({"n": 0}, as_of=date(2026, 1, 1)) == {"it": 3}

    def test_a_definition_by_itself_is_refused_once(self):
        with pytest.raises(RuleRefused) as raised:
            mapping({"a": var("b"), "b": var("a"), "c": {"+": [var("a"), 1]}}, var("c"))
        assert [fault.code for fault in raised.value.faults] == ["cycle"]

    def test_the_users_of_a_wrong_definition_are_not_blamed(self):
        with pytest.raises(RuleRefused) as raised:
            mapping({"a": {"+": [var("nope"), 1]}, "b": {"+": [var("a"), 1]}}, var("b"))
        assert [fault.pointer for fault in raised.value.faults] == ["/let/a/+/0"]

    def test_a_definition_is_only_needed_on_the_path_that_uses_it(self):
        rule = mapping(
            {"share": {"/": [100, var("n")]}},
            {"if": [{"==": [var("n"), 0]}, 0, {"<": [var("share"), 50]}, 1, {">": [var("share"), 90]}, 3, 2]},
        )
        found = [rule.decide({"n": n}, as_of=date(2026, 1, 1))["it"] for n in (0, 1, 2, 4)]
        assert found == [0, 3, 2, 1]

    def test_a_failed_definition_refuses_the_record_that_uses_it(self):
        rule = mapping(
            {"share": {"/": [100, var("n")]}},
            {"if": [{"<": [var("n"), 1]}, {"if": [{"<": [var("share"), 1]}, 1, 2]}, 0]},
        )
        assert rule.decide({"n": 1}, as_of=date(2026, 1, 1)) == {"it": 0}
        with pytest.raises(DecisionRefused) as raised:
            rule.decide({"n": 0}, as_of=date(2026, 1, 1))
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [("n", "division_by_zero")]

    def test_two_hundred_names_in_a_row_are_no_trouble(self):
        let = {f"x{index}": {"+": [var(f"x{index + 1}"), 1]} for index in range(500)} | {"x500": var("n")}
        assert mapping(let, var("x0")).decide({"n": 1}, as_of=date(2026, 1, 1)) == {"it": 501}


class TestExplain:
    def test_shows_how_the_decision_came_about(self):
        rule = compile_ruleset(accrual())
        facts = rule.read({"employee_id": "7", "status": "ACTIVE", "hours": "100", "hire_date": "2024-10-01"})
        trace = rule.explain({**facts, "month_points": Decimal(0)}, as_of=date(2026, 10, 1))
        assert trace == {
            "as_of": "2026-10-01",
            "applies": True,
            "conditions": [{"pointer": place, "held": True} for place in ("/when/and/0", "/when/and/1", "/when")],
            "let": {"tenure_months": 24},
            "tables": [{"table": "tier", "row": 2}],
            "lookups": [],
            "values": trace["values"],
            "outputs": {"points": "125.00"},
            "faults": [],
            "sentence": (
                "The rule applies: status is “ACTIVE” and "
                "tenure_months 24 (months_between(hire_date 2024-10-01, as_of 2026-10-01) = 24) ≥ 6. "
                "Points 125.00: (hours 100 × rate 1.25 (table tier row 2: tenure_months 24 in [24,60)), "
                "at most (400 - month_points 0)), at least 0."
            ),
        }
        assert trace["values"]["/outputs/points"] == "125.00"

    def test_shows_why_a_rule_does_not_apply(self):
        rule = compile_ruleset(accrual())
        facts = rule.read({"employee_id": "7", "status": "ACTIVE", "hours": "100", "hire_date": "2026-09-01"})
        trace = rule.explain({**facts, "month_points": Decimal(0)}, as_of=date(2026, 10, 1))
        assert (trace["applies"], trace["outputs"]) == (False, None)
        assert trace["conditions"][1] == {"pointer": "/when/and/1", "held": False}

    def test_shows_what_refuses_a_record(self):
        rule = mapping({"share": {"/": [100, var("n")]}}, {"if": [{"<": [var("share"), 1]}, 1, 2]})
        trace = rule.explain({"n": 0}, as_of=date(2026, 1, 1))
        assert trace["let"] == {"share": {"refused": "division_by_zero"}}
        assert [fault["code"] for fault in trace["faults"]] == ["division_by_zero"]


class TestExpression:
    def test_is_a_function_of_facts_and_date(self):
        enrols = compile_expression(
            {"and": [{"==": [var("status"), "ACTIVE"]}, {">=": [{"months_between": [var("hired"), var("as_of")]}, 3]}]},
            {"status": {"type": "string"}, "hired": {"type": "date"}},
            result="boolean",
        )
        facts = {"status": "ACTIVE", "hired": date(2026, 7, 1)}
        assert enrols(facts, date(2026, 9, 30)) is False
        assert enrols(facts, date(2026, 10, 1)) is True

    def test_faults_point_into_the_callers_document(self):
        with pytest.raises(RuleRefused) as raised:
            compile_expression({"!": [var("x")]}, {}, result="boolean", pointer="/programs/0/enrolment")
        assert [fault.pointer for fault in raised.value.faults] == ["/programs/0/enrolment/!/0"]

    def test_may_not_be_null_nor_of_another_type(self):
        inputs = {"x": {"type": "boolean", "nullable": True}}
        for expr in (var("x"), 1):
            with pytest.raises(RuleRefused) as raised:
                compile_expression(expr, inputs, result="boolean", pointer="/rule")
            assert raised.value.faults[0].pointer == "/rule"

    def test_has_no_code_tables(self):
        with pytest.raises(RuleRefused, match="look-ups are not possible here"):
            compile_expression({"lookup": ["t", "x"]}, {}, result="string")
