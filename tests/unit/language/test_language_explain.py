"""An explanation: every intermediate value by its place, and the decision in plain sentences."""

from datetime import date

from chalicelib.language import compile_ruleset
from tests.unit.language.conftest import AS_OF
from tests.unit.language.lint_corpus.words import (
    both,
    case,
    cell,
    eq,
    flag,
    ge,
    months,
    ne,
    no,
    op,
    rule,
    table,
    text,
    v,
)

TIERS = {"tier": table(["tenure_months"], ["[6,24)", "1.0"], ["[24,60)", "1.25"], ["[60,)", "1.5"])}
ACCRUAL = rule(
    outputs={
        "points": {
            "type": "decimal",
            "scale": 2,
            "rounding": "half_up",
            "expr": op("min", op("*", v("hours"), cell("tier", "rate")), 400),
        }
    },
    let={"tenure_months": months()},
    tables=TIERS,
    when=both(eq(v("status"), "ACTIVE"), ge(v("tenure_months"), 6)),
)


def explained(document, record, code_tables=None):
    compiled = compile_ruleset(document)
    return compiled.explain(compiled.read(record), as_of=AS_OF, code_tables=code_tables or {})


def sentence(document, code_tables=None, **record):
    return explained(document, record, code_tables)["sentence"]


class TestSentence:
    def test_says_why_it_applies_and_how_the_points_came_about(self):
        assert sentence(ACCRUAL, status="ACTIVE", hours="100", hired="2024-10-01") == (
            "The rule applies: status is “ACTIVE” and "
            "tenure_months 24 (months_between(hired 2024-10-01, as_of 2026-10-01) = 24) ≥ 6. "
            "Points 125.00: hours 100 × rate 1.25 (table tier row 2: tenure_months 24 in [24,60)), at most 400."
        )

    def test_says_what_was_capped(self):
        told = sentence(ACCRUAL, status="ACTIVE", hours="700", hired="2024-10-01")
        assert told.endswith(
            "Points 400.00: hours 700 × rate 1.25 (table tier row 2: tenure_months 24 in [24,60)) = 875.00, "
            "but at most 400."
        )

    def test_says_what_was_rounded(self):
        told = sentence(ACCRUAL, status="ACTIVE", hours="7.25", hired="2020-10-01")
        assert "Points 10.88, rounded from 10.875: hours 7.25 × rate 1.5" in told

    def test_says_which_part_keeps_the_rule_from_applying(self):
        told = sentence(ACCRUAL, status="LEAVE", hours="1", hired="2024-10-01")
        assert told == "The rule does not apply: status “LEAVE” ≠ “ACTIVE”."

    def test_says_what_refuses_a_record(self):
        told = sentence(rule(op("/", 1, v("count"))), count=0)
        assert told == "The record is refused: points: division by zero."

    def test_names_the_branch_and_its_condition(self):
        document = rule(case(eq(v("event"), "BONUS"), v("amount"), 0))
        assert sentence(document, event="BONUS", amount="5") == "Points 5.0000: amount 5, because event is “BONUS”."

    def test_a_negation_reads_as_what_holds(self):
        document = rule(case(no(eq(v("event"), "BONUS")), 1, 2))
        assert sentence(document, event="HOURS") == "Points 1.0000: 1, because event “HOURS” ≠ “BONUS”."

    def test_a_default_says_what_it_stands_for(self):
        document = rule(op("coalesce", v("bonus"), v("hours")))
        assert sentence(document, bonus=None, hours="8") == "Points 8.0000: hours 8 in place of bonus."

    def test_a_look_up_says_its_table_and_its_code(self):
        document = text(op("lookup", "codes", v("job"), {"on_miss": "default", "default": "none"}))
        tables = {"codes": {"CABIN": "crew"}}
        assert sentence(document, tables, job="CABIN") == "It “crew”: “crew” (codes: job “CABIN”)."
        assert sentence(document, tables, job="DECK") == "It “none”: “none” because codes does not have job “DECK”."

    def test_an_answer_says_what_decided_it(self):
        document = flag(both(v("paid"), ne(v("left"), None)))
        assert sentence(document, paid=True, left=None) == "Ok false: false because left is null."

    def test_a_definition_is_told_once(self):
        document = rule(op("+", v("twice"), v("twice")), let={"twice": op("*", v("hours"), 2)})
        assert sentence(document, hours="3") == "Points 12.0000: twice 6 (hours 3 × 2) + twice 6."

    def test_rows_that_are_collected_are_all_named(self):
        tiers = {"t": table(["level"], ["[1,3]", "1"], ["[2,5]", "2"], hit="collect", collect="sum")}
        assert sentence(rule(cell("t", "rate"), tables=tiers), level=2) == "Points 3.0000: rate 3 (table t row 1, 2)."

    def test_huge_explanations_are_cut(self):
        parts = [op("+", v("hours"), number) for number in range(150)]
        told = sentence(rule(op("+", *parts)), hours="1")
        assert len(told) <= 2_000
        assert told.endswith("…")


class TestValues:
    def test_has_every_intermediate_value_at_its_pointer(self):
        values = explained(ACCRUAL, {"status": "ACTIVE", "hours": "7.25", "hired": "2020-10-01"})["values"]
        assert values == {
            "/when": True,
            "/when/and/0": True,
            "/when/and/0/==/0": "ACTIVE",
            "/when/and/1": True,
            "/when/and/1/>=/0": 72,
            "/let/tenure_months": 72,
            "/let/tenure_months/months_between/0": "2020-10-01",
            "/let/tenure_months/months_between/1": "2026-10-01",
            "/tables/tier": ["1.5"],
            "/tables/tier/in/0": 72,
            "/outputs/points": "10.88",
            "/outputs/points/expr": "10.875",
            "/outputs/points/expr/min/0": "10.875",
            "/outputs/points/expr/min/0/*/0": "7.25",
            "/outputs/points/expr/min/0/*/1": "1.5",
        }

    def test_what_was_not_needed_has_no_value(self):
        document = rule(case(v("paid"), v("half"), 1), let={"half": op("/", v("hours"), 2)})
        values = explained(document, {"paid": False, "hours": "3"})["values"]
        assert "/let/half" not in values
        assert "/outputs/points/expr/if/1" not in values
        assert values["/outputs/points"] == "1.0000"

    def test_items_of_a_list_have_their_first_values(self):
        document = flag(op("some", v("lines"), ge(v(".qty"), 50)))
        lines = [{"qty": number, "sku": "a"} for number in range(1, 21)]
        values = explained(document, {"lines": lines})["values"]
        assert values["/outputs/ok/expr/some/1"] == {"each": [False] * 8}

    def test_long_texts_are_cut_wherever_they_stand(self):
        document = text(v("long"), let={"long": op("cat", *[v("job")] * 9)})
        trace = explained(document, {"job": "x" * 500})
        assert trace["let"]["long"] == trace["values"]["/let/long"] == "x" * 199 + "…"
        assert trace["outputs"]["it"] == "x" * 4_500

    def test_of_a_refused_record_there_is_what_was_reached(self):
        values = explained(rule(op("/", v("hours"), v("count"))), {"hours": "1", "count": 0})["values"]
        assert values == {"/outputs/points/expr/~1/0": "1", "/outputs/points/expr/~1/1": 0}


class TestTrace:
    def test_conditions_rows_and_look_ups_that_did_not_matter_are_left_out(self):
        document = rule(
            case(v("paid"), 1, op("*", v("rate"), v("code"))),
            let={"rate": cell("t", "rate"), "code": op("parse_decimal", op("lookup", "codes", v("job")))},
            tables={"t": table(["level"], ["[1,5]", "1"])},
        )
        record = {"paid": True, "level": 1, "job": "CABIN"}
        trace = explained(document, record, {"codes": {"CABIN": "2"}})
        assert (trace["tables"], trace["lookups"]) == ([], [])
        trace = explained(document, {**record, "paid": False}, {"codes": {"CABIN": "2"}})
        assert trace["tables"] == [{"table": "t", "row": 1}]
        assert trace["lookups"] == [{"table": "codes", "key": "CABIN", "hit": True}]

    def test_an_output_may_be_called_as_the_condition_is(self):
        document = rule(outputs={"when": {"type": "boolean", "expr": v("paid")}}, when=v("union"))
        trace = explained(document, {"paid": True, "union": False})
        assert (trace["applies"], trace["outputs"], trace["values"]) == (False, None, {"/when": False})
        assert date(2026, 10, 1) == AS_OF
