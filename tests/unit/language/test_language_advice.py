"""What an author is told who wrote nearly the right thing."""

from typing import Any

import pytest

from chalicelib.language import RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF
from tests.unit.language.lint_corpus.words import case, cell, ge, ne, op, rule, table, v


def faults(document: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(RuleRefused) as refused:
        compile_ruleset(document)
    return [(fault.pointer, fault.suggestion) for fault in refused.value.faults]


class TestAdvice:
    def test_a_date_is_written_as_a_date(self):
        document = rule(1, when=ge(v("hired"), "1/31/2026"))
        assert faults(document) == [("/when/>=/1", "write dates as 2026-01-31")]

    def test_a_number_is_a_decimal_or_an_integer(self):
        document = rule(v("hours"), inputs={"hours": {"type": "number"}})
        assert faults(document) == [("/inputs/hours/type", "write `decimal` with its `scale`, or `integer`")]

    @pytest.mark.parametrize("amount", ["1,5", "01.5", "1 000.50", "$2", "1.", ".5"])
    def test_an_amount_that_is_no_number_is_a_fault_of_its_cell(self, amount):
        tiers = {"t": table(["level"], ["1", "1.0"], ["2", amount], ["[3,5]", "2.0"])}
        [(pointer, suggestion)] = faults(rule(cell("t", "rate"), tables=tiers))
        assert pointer == "/tables/t/rows/1/1"
        assert '"1.50"' in (suggestion or "")

    def test_codes_with_leading_zeros_stay_texts(self):
        tiers = {"t": table(["level"], ["1", "001"], ["2", "100"], ["[3,5]", "1A"])}
        output = {"it": {"type": "string", "expr": cell("t", "rate")}}
        rule_ = compile_ruleset(rule(outputs=output, tables=tiers))
        assert rule_.decide({"level": 2}, as_of=AS_OF) == {"it": "100"}

    def test_a_rule_may_be_in_force_on_one_day(self):
        compile_ruleset(rule(1, effective={"from": "2026-10-01", "to": "2026-10-01"}))

    def test_a_condition_that_is_null_is_refused(self):
        assert [pointer for pointer, _ in faults({**rule(1), "when": None})] == ["/when"]


class TestGuards:
    @pytest.mark.parametrize(
        "parts",
        [
            {"when": ne(v("bonus"), None)},
            {"when": v("has"), "let": {"has": ne(v("bonus"), None)}},
            {"when": v("has"), "let": {"has": v("same"), "same": ne(v("bonus"), None)}},
        ],
    )
    def test_what_the_condition_has_tested_is_not_null_in_outputs(self, parts):
        compiled = compile_ruleset(rule(op("*", v("bonus"), 2), **parts))
        for given, points in (({"bonus": "3"}, "6.0000"), ({"bonus": None}, None)):
            decided = compiled.decide(compiled.read(given), as_of=AS_OF)
            assert (decided and str(decided["points"])) == points

    def test_nor_behind_a_named_test_in_an_if(self):
        compile_ruleset(rule(case(v("has"), v("bonus"), 0), let={"has": ne(v("bonus"), None)}))
