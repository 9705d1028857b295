"""What each kind of ruleset decides, what a record lacks, and codes that wait for their table."""

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

HOURS = {"hours": {"type": "decimal", "scale": 2}, "note": {"type": "string", "nullable": True}}
TOO_MANY = {"if": [{">": [var("hours"), 24]}, ["too_many_hours"], []]}
NO_NOTE = {"if": [{"is_null": var("note")}, ["note_missing"], []]}
VIOLATIONS = {"type": "list", "items": {"type": "enum", "values": ["too_many_hours", "note_missing"]}}
DECIDED = {
    "accrual": {"points": {"type": "decimal", "scale": 2, "expr": var("hours")}},
    "eligibility": {"eligible": {"type": "boolean", "expr": {">": [var("hours"), 0]}}},
    "enrolment": {"enrolled": {"type": "boolean", "expr": True}},
    "routing": {"route": {"type": "enum", "values": ["erp", "by_hand"], "expr": "erp"}},
    "validation": {"violations": {**VIOLATIONS, "expr": {"merge": [TOO_MANY, NO_NOTE]}}},
    "mapping": {"hours": {"type": "decimal", "scale": 2, "expr": var("hours")}},
}


def faults(kind, outputs):
    with pytest.raises(RuleRefused) as raised:
        compile_ruleset({"kind": kind, "inputs": HOURS, "outputs": outputs})
    return raised.value.faults


class TestKinds:
    @pytest.mark.parametrize("kind", DECIDED)
    def test_each_decides_what_it_is_for(self, kind):
        compiled = compile_ruleset({"kind": kind, "inputs": HOURS, "outputs": DECIDED[kind]})
        assert compiled.decide({"hours": 7, "note": None}, as_of=AS_OF).keys() == DECIDED[kind].keys()

    @pytest.mark.parametrize("kind", sorted(DECIDED.keys() - {"mapping"}))
    def test_and_nothing_else_instead(self, kind):
        [fault] = faults(kind, {"other": {"type": "boolean", "expr": True}})
        assert fault.code == ("no_points" if kind == "accrual" else "no_decision")
        [output] = DECIDED[kind]
        assert fault.pointer == f"/outputs/{output}"

    @pytest.mark.parametrize("kind", sorted(DECIDED.keys() - {"mapping", "accrual"}))
    def test_and_never_null(self, kind):
        [(name, output)] = DECIDED[kind].items()
        assert faults(kind, {name: {**output, "nullable": True}})[0].code == "no_decision"

    def test_a_route_is_one_of_those_it_declares(self):
        assert faults("routing", {"route": {"type": "string", "expr": "erp"}})[0].code == "no_decision"
        wrong = {"type": "enum", "values": ["erp"], "expr": "er"}
        [fault] = faults("routing", {"route": wrong})
        assert (fault.code, fault.suggestion) == ("not_in_values", "did you mean `erp`?")

    def test_violations_are_codes(self):
        counted = {"type": "list", "items": {"type": "integer"}, "expr": [1]}
        assert faults("validation", {"violations": counted})[0].pointer == "/outputs/violations/items"

    def test_violations_are_listed_and_none_is_right(self):
        compiled = compile_ruleset({"kind": "validation", "inputs": HOURS, "outputs": DECIDED["validation"]})
        assert compiled.decide({"hours": 25, "note": None}, as_of=AS_OF) == {
            "violations": ["too_many_hours", "note_missing"]
        }
        assert compiled.decide({"hours": 24, "note": "x"}, as_of=AS_OF) == {"violations": []}

    def test_an_unknown_kind_is_refused_with_the_nearest_one(self):
        assert faults("rooting", DECIDED["routing"])[0].suggestion == "did you mean `routing`?"


class TestMissing:
    def lacking(self, expr, **facts):
        compiled = compile_ruleset(
            {
                "kind": "mapping",
                "inputs": {name: {"type": "string", "nullable": True} for name in ("a", "b", "c")},
                "outputs": {"it": {"type": "list", "items": {"type": "string"}, "expr": expr}},
            }
        )
        return compiled.decide(compiled.read(facts), as_of=AS_OF)["it"]

    def test_names_the_inputs_that_are_null_or_absent(self):
        assert self.lacking({"missing": ["a", "b", "c"]}, a="x", b=None) == ["b", "c"]
        assert self.lacking({"missing": "a"}, a=None) == ["a"]

    def test_an_empty_text_is_there(self):
        assert self.lacking({"missing": ["a"]}, a="") == []

    def test_some_are_enough_if_that_is_said(self):
        some = {"missing_some": [1, ["a", "b"]]}
        assert [self.lacking(some, a="x"), self.lacking(some)] == [[], ["a", "b"]]
        assert self.lacking({"missing_some": [2, ["a", "b"]]}, a="x") == ["b"]

    @pytest.mark.parametrize(
        ("expr", "pointer", "code"),
        [
            ({"missing": ["nte"]}, "/missing/0", "unknown_input"),
            ({"missing": ["note", "count"]}, "/missing/1", "never_null"),
            ({"missing": [var("note")]}, "/missing/0", "bad_literal"),
            ({"missing_some": [1, ["nte"]]}, "/missing_some/1/0", "unknown_input"),
            ({"missing_some": [3, ["note", "limit"]]}, "/missing_some/0", "bad_literal"),
            ({"missing_some": [1, "note"]}, "/missing_some/1", "bad_literal"),
        ],
    )
    def test_only_of_declared_inputs_that_may_be_null(self, refused, expr, pointer, code):
        [fault] = refused(expr, "list")
        assert (fault.pointer, fault.code) == (f"/outputs/it/expr{pointer}", code)

    def test_the_nearest_input_is_suggested(self, refused):
        assert refused({"missing": ["nte"]}, "list")[0].suggestion == "did you mean `note`?"


ASKED = {"lookup": ["codes", var("text"), {"on_miss": "quarantine"}]}


class TestQuarantine:
    def test_a_code_that_is_known_is_an_answer(self, evaluate):
        assert evaluate(ASKED, "string", code_tables={"codes": {"Ada": "A"}}) == "A"

    def test_a_code_that_is_not_refuses_the_record_until_it_is(self):
        with pytest.raises(DecisionRefused) as raised:
            rule(ASKED, "string").decide(FACTS, as_of=AS_OF, code_tables={"codes": {}})
        [fault] = raised.value.faults
        assert (fault.pointer, fault.code) == ("text", "unmapped_code")
        assert raised.value.fixable

    @pytest.mark.parametrize("on_miss", [{}, {"on_miss": "error"}])
    def test_an_error_stays_one(self, on_miss):
        asked = {"lookup": ["codes", var("text"), *([on_miss] if on_miss else [])]}
        with pytest.raises(DecisionRefused) as raised:
            rule(asked, "string").decide(FACTS, as_of=AS_OF, code_tables={"codes": {}})
        assert [fault.code for fault in raised.value.faults] == ["unknown_code"]
        assert not raised.value.fixable

    def test_a_record_with_another_fault_is_not_mended_by_its_table(self):
        both = {"cat": [ASKED, {"to_text": {"%": [1, {"-": [var("count"), 7]}]}}]}
        compiled = rule(both, "string")
        with pytest.raises(DecisionRefused) as raised:
            compiled.decide(FACTS, as_of=AS_OF, code_tables={"codes": {"Ada": "A"}})
        assert not raised.value.fixable

    def test_only_a_look_up_has_it(self, refused):
        [fault] = refused({"split": [var("text"), ",", 1, {"on_miss": "quarantine"}]}, "string")
        assert fault.code == "bad_literal"
