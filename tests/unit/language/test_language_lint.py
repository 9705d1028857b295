"""What findings say, how grave they are, that they are true, and that lint ends in time whatever it is given."""

import time

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from chalicelib.language import RuleRefused, compile_fields, compile_ruleset, lint
from chalicelib.language.interpret import Interpreter
from chalicelib.language.lint import rows
from chalicelib.language.recording import HELD, NOT_HELD, Recording
from tests.unit.language import generated_rules as generated
from tests.unit.language.conftest import AS_OF, FACTS, INPUTS
from tests.unit.language.hostile import rulesets
from tests.unit.language.lint_corpus.words import (
    both,
    case,
    cell,
    eq,
    ge,
    gt,
    le,
    lt,
    months,
    ne,
    op,
    rule,
    table,
    v,
)
from tests.unit.language.test_language_agreement import SLOW_MACHINE

SECONDS_MAX = 20


def found(document, code):
    """The findings of one code, which must be there."""
    findings = [one for one in compile_ruleset(document).lint() if one.code == code]
    assert findings
    return findings


def only(document, code):
    [finding] = found(document, code)
    return finding


class TestMessages:
    def test_a_condition_that_always_holds_names_the_values_that_make_it_so(self):
        finding = only(rule(when=both(ge(v("tenure"), 12), ge(v("tenure"), 6))), "always_true")
        assert finding.message == "tenure ≥ 6 always holds: here tenure is [12,600]"
        assert finding.suggestion == "remove it, or correct it"

    def test_a_condition_that_never_holds_says_what_becomes_of_the_rule(self):
        finding = only(rule(when=both(eq(v("status"), "TERM"), ne(v("status"), "TERM"))), "always_false")
        assert finding.message == "status ≠ “TERM” never holds: here status is TERM; so the rule never applies"

    def test_the_part_that_settles_a_nested_condition_is_named(self):
        nested = case(both(v("paid"), both(gt(v("age"), 20), lt(v("age"), 18))), 1, 2)
        finding = only(rule(nested), "always_false")
        assert finding.pointer == "/outputs/points/expr/if/0/and/1/and/1"
        assert finding.message == (
            "age < 18 never holds: here age is [21,99]; so paid and (age > 20 and age < 18) never holds"
        )

    def test_an_arm_that_is_hidden_names_what_hides_it(self):
        finding = only(rule(case(lt(v("tenure"), 60), 1, lt(v("tenure"), 24), 2, 3)), "unreachable_branch")
        assert finding.message == "nobody gets to arm 2 (tenure < 24): tenure < 60 took every such record before"
        assert finding.suggestion == "remove the arm, put it before those, or correct its condition"

    def test_a_row_that_is_hidden_names_the_rows_that_hide_it(self):
        tiers = table(["level"], ["[1,3]", "1"], ["[3,5]", "2"], ["[2,4]", "3"], hit="first")
        finding = only(rule(cell("t", "rate"), tables={"t": tiers}), "unreachable_row")
        assert finding.message == "row 3 of table t ([2,4] → 3) is never hit: rows 1, 2 take every record before it"
        assert finding.suggestion == "remove row 3, or put it before row 1"

    def test_a_row_out_of_range_names_what_the_columns_can_hold(self):
        tiers = table(["level"], ["[1,5]", "1"], ["[6,)", "2"])
        finding = only(rule(cell("t", "rate"), tables={"t": tiers}), "unreachable_row")
        assert finding.message == "row 2 of table t ([6,) → 2) is never hit: here level is [1,5]"

    def test_a_gap_shows_a_record_that_falls_into_it(self):
        tiers = table(["service"], ["[6,24)", "1"], ["[24,)", "2"])
        document = rule(
            cell("t", "rate"), let={"service": months()}, tables={"t": tiers}, when=le(v("hired"), v("as_of"))
        )
        finding = only(document, "table_gap")
        assert finding.pointer == "/tables/t/rows"
        assert finding.message == ("no row of table t takes service 0: for example hired 2026-01-01 on 2026-01-01")

    def test_the_record_of_a_gap_is_really_refused(self):
        tiers = table(["country", "level"], ["AT", "-", "1"], [["CH", "DE"], "[1,4]", "2"])
        document = rule(op("*", v("hours"), cell("t", "rate")), tables={"t": tiers}, when=v("paid"))
        finding = found(document, "table_gap")[0]
        assert "country “CH”, level 5: for example" in finding.message
        compiled = compile_ruleset(document)
        facts = compiled.read({"country": "CH", "level": 5, "hours": "1", "paid": True})
        assert [fault.code for fault in compiled.faults(facts, as_of=AS_OF)] == ["no_table_row"]

    def test_a_gap_is_shown_with_the_record_of_a_case(self):
        tiers = table(["country"], ["AT", "1"], ["CH", "2"])
        document = rule(op("*", v("hours"), cell("t", "rate")), tables={"t": tiers})
        document["cases"] = [
            {
                "name": "a",
                "as_of": "2026-03-04",
                "given": {"country": "AT", "hours": "7.5"},
                "expect": {"points": "7.5"},
            }
        ]
        assert "for example country “DE”, hours 7.5 on 2026-03-04" in only(document, "table_gap").message

    def test_what_only_unused_names_read_says_so(self):
        document = rule(1, let={"spare": op("*", v("hours"), 2)})
        assert [one.message for one in found(document, "unused_input")] == [
            "hours is used by spare only, which nothing uses"
        ]

    def test_a_field_of_a_payload_that_is_always_null_is_named(self):
        payload = {
            "type": "object",
            "fields": {"a": {"type": "string"}, "b": {"type": "string", "nullable": True}},
            "expr": {"object": {"a": v("unit"), "b": case(gt(v("fte"), 100), "x", None)}},
        }
        finding = only(rule(outputs={"it": payload}), "output_never_set")
        assert (finding.pointer, finding.message) == ("/outputs/it/expr/object/b", "b of it is null for every record")

    def test_what_keeps_a_rule_from_loading_reads_like_a_finding(self):
        with pytest.raises(RuleRefused) as raised:
            compile_ruleset(rule(cell("t", "rate"), tables={"t": table(["level"], ["[1,3]", "1"], ["[3,5]", "2"])}))
        [finding] = map(lint.of_fault, raised.value.faults)
        assert (finding.code, finding.severity) == ("table_overlap", "error")
        assert finding.suggestion == 'narrow one of them, or use "hit": "first"'


class TestSeverity:
    @pytest.mark.parametrize("code", lint.CODES)
    def test_every_code_has_a_whole_meaning_and_a_way_to_mend(self, code):
        described = lint.CODES[code]
        assert described.severity in {"error", "warning"}
        assert described.meaning.endswith(".")
        assert described.mend.endswith(".")

    def test_errors_come_before_warnings(self):
        found = compile_ruleset(rule(case(ge(v("hours"), 0), 1, 2), inputs={"grade": {"type": "string"}})).lint()
        severities = [one.severity for one in found]
        assert set(severities) == {"error", "warning"}
        assert severities == sorted(severities)


COLUMNS = {"code": {}, "kind": {"type": "enum", "values": ["H", "D"]}, "filler": {}}


class TestLayouts:
    def layout(self, ignore_when):
        fields = {"code": {"type": "string", "expr": v("code")}}
        return compile_fields(COLUMNS, fields, ignore_when=ignore_when, pointer="/layout")

    def test_columns_that_nobody_reads_are_the_files_own_affair(self):
        assert self.layout(eq(v("kind"), "H")).lint() == ()

    def test_rows_that_are_all_ignored_are_an_error(self):
        [finding] = self.layout({"in": [v("kind"), ["H", "D"]]}).lint()
        assert (finding.pointer, finding.code, finding.severity) == ("/layout/ignore_when", "always_true", "error")
        assert finding.message.endswith("; so every row is ignored")

    def test_cases_are_not_asked_for(self):
        assert self.layout(eq(v("kind"), "H")).coverage().complete


FIRST = {"id": "acme.a", "partner": "acme", "program": "uniform", **rule(when=ge(months(), 6))}
SECOND = {"id": "acme.b", "partner": "acme", "program": "uniform", **rule(when=v("paid"))}


class TestConflicts:
    def test_the_example_is_a_record_that_both_take_on_a_common_day(self):
        case_of_first = {"name": "a", "as_of": "2026-10-01", "given": {"hired": "2020-02-01"}, "expect": {"points": 1}}
        documents = [{**FIRST, "cases": [case_of_first]}, SECOND]
        [finding] = lint.conflicts([lint.Deciding.of(one, pointer=f"/{place}") for place, one in enumerate(documents)])
        assert (finding.pointer, finding.severity) == ("/1", "error")
        assert finding.message == (
            "acme.a and acme.b both decide for accrual acme uniform: "
            "for example hired 2020-02-01, paid true on 2026-10-01"
        )

    def test_each_program_has_its_own_events(self):
        other = {**SECOND, "program": "shoes"}
        assert lint.conflicts([lint.Deciding.of(one) for one in (FIRST, other)]) == ()

    def test_the_caller_says_what_is_asked_about_the_same_events(self):
        documents = [{key: one[key] for key in one if key != "program"} for one in (FIRST, SECOND)]
        apart = [lint.Deciding.of(one) for one in documents]
        together = [lint.Deciding.of(one, scope="acme/uniform") for one in documents]
        assert lint.conflicts(apart) == ()
        assert len(lint.conflicts(together)) == 1

    def test_the_last_day_belongs_to_the_period(self):
        periods = [("2026-01-01", "2026-06-30"), ("2026-06-30", None)]
        documents = [
            {**document, "effective": {"from": start, "to": end}}
            for document, (start, end) in zip((FIRST, SECOND), periods, strict=True)
        ]
        [finding] = lint.conflicts([lint.Deciding.of(one) for one in documents])
        assert " from 2026-06-30 to 2026-06-30" in finding.message
        assert finding.message.endswith("on 2026-06-30")


RULESETS = rulesets()


class TestBounds:
    """Whatever is given, lint ends, and says where it has not looked."""

    def within_time(self, document):
        started = time.perf_counter()
        findings = compile_ruleset(document).lint()
        assert time.perf_counter() - started < SECONDS_MAX
        return {one.code for one in findings}

    @pytest.mark.parametrize("name", RULESETS)
    def test_a_rule_file_of_the_repository_is_looked_at_whole(self, name):
        assert not self.within_time(RULESETS[name]) & {"lint_incomplete", "table_gap_unchecked"}

    def test_a_wide_table_is_cut_short_and_says_so(self, monkeypatch):
        monkeypatch.setattr(rows, "STEPS_MAX", 1_000)
        columns = [f"c{number}" for number in range(12)]
        inputs = {name: {"type": "integer", "min": 0, "max": 999} for name in columns}
        boxes = [
            [*(f"[{(row * (place + 7)) % 900},{(row * (place + 7)) % 900 + 90}]" for place in range(12)), str(row)]
            for row in range(60)
        ]
        document = rule(cell("t", "rate"), tables={"t": table(columns, *boxes, hit="first")}, inputs=inputs)
        assert "table_gap_unchecked" in self.within_time(document)

    def test_a_long_table_is_looked_at_whole(self):
        tiers = [[f"[{number},{number + 1})", str(number)] for number in range(499)]
        document = rule(
            cell("t", "rate"),
            tables={"t": table(["n"], *tiers)},
            inputs={"n": {"type": "integer", "min": 0, "max": 498}},
        )
        codes = self.within_time(document)
        assert not codes & {"table_gap", "table_gap_unchecked", "unreachable_row"}

    def test_a_long_table_of_nested_rows_is_looked_at_whole(self):
        nested = [[f"(,{number}]", str(number)] for number in range(300)]
        document = rule(
            cell("t", "rate"),
            tables={"t": table(["n"], *nested, ["[300,400]", "0"], ["[250,350]", "0"], ["-", "0"], hit="first")},
            inputs={"n": {"type": "integer", "min": 0}},
        )
        codes = self.within_time(document)
        assert "table_gap_unchecked" not in codes
        assert "unreachable_row" in codes

    def test_conditions_that_branch_on_branches_are_given_up(self):
        let = {"l0": eq(v("count"), 0)}
        for number in range(1, 60):
            before = v(f"l{number - 1}")
            let[f"l{number}"] = case(
                both(before, gt(v("count"), number)), before, lt(v("hours"), number), before, False
            )
        codes = self.within_time(rule(case(v("l59"), 1, 2), let=let))
        assert "lint_incomplete" in codes

    def test_a_long_chain_of_definitions_is_no_trouble(self):
        let = {f"x{number}": op("+", v(f"x{number + 1}"), 1) for number in range(400)} | {"x400": v("level")}
        assert "always_true" in self.within_time(rule(case(gt(v("x0"), 0), 1, 2), let=let))

    def test_many_arms_and_deep_nesting_are_no_trouble(self):
        arms = [part for number in range(98) for part in (eq(v("count"), number), number)]
        expr = case(*arms, 0)
        for number in range(25):
            expr = case(gt(v("tenure"), number), expr, number)
        self.within_time(rule(expr))


#: The ranges that the records of the agreement test keep to.
DECLARED = {
    **INPUTS,
    **generated.INPUTS,
    "count": {"type": "integer", "min": -3, "max": 10**17},
    "hours": {"type": "decimal", "scale": 3, "min": "-2", "max": "37.5"},
    "limit": {"type": "integer", "nullable": True, "min": 0, "max": 3},
    "hired": {"type": "date", "min": "2020-01-31", "max": "2027-01-01"},
    "amounts": {"type": "list", "items": {"type": "decimal", "scale": 2, "min": "-3", "max": "1.50"}},
}


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW_MACHINE)
@given(
    generated.OUTPUTS,
    st.one_of(st.none(), generated.DEEP["boolean"]),
    st.lists(generated.RECORDS, min_size=1, max_size=12),
)
def test_what_lint_calls_impossible_does_not_happen(output, when, records):
    expr, shape = output
    document = {
        "kind": "mapping",
        "inputs": DECLARED,
        "let": generated.LET,
        "tables": generated.TABLES,
        **({} if when is None else {"when": when}),
        "outputs": {"it": {**shape, "expr": expr}},
    }
    try:
        subject = compile_ruleset(document).subject
    except RuleRefused:
        event("does not load")
        return
    examined = lint.examine(subject)
    event("something impossible" if examined.dead or examined.settled else "all possible")
    impossible = examined.dead | {(node, NOT_HELD if always else HELD) for node, always in examined.settled.items()}
    unset = {one.pointer for one in examined.findings if one.code == "output_never_set"} & {"/outputs/it"}
    for record in records:
        recording = Recording()
        facts = {**FACTS, **record}
        outcome = Interpreter(subject.program, subject.needs, facts, AS_OF, generated.CODES, recording).run()
        assert not {chosen for met in recording.met() for chosen in met.chosen} & impossible
        assert not unset or (outcome.outputs or {"it": None})["it"] is None
