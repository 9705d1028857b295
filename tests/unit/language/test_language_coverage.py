"""What the cases of a rule file get to, and what is asked of them at all."""

from decimal import Decimal

from chalicelib.language import compile_ruleset
from tests.unit.language.lint_corpus.uncovered import cased
from tests.unit.language.lint_corpus.words import (
    both,
    case,
    cell,
    eq,
    flag,
    ge,
    gt,
    months,
    op,
    rule,
    table,
    text,
    v,
)

TIERS = {"tier": table(["level"], ["[1,2]", "1.0"], ["3", "1.25"], ["[4,5]", "1.5"])}


def coverage(document, *given, **parts):
    return compile_ruleset(cased(document, *given, **parts)).coverage()


def items(found):
    return [(one.kind, one.pointer, one.by) for one in found.items]


class TestItems:
    def test_each_row_names_the_cases_that_hit_it(self):
        found = coverage(rule(cell("tier", "rate"), tables=TIERS), {"level": 1}, {"level": 2}, {"level": 3})
        assert items(found) == [
            ("row", "/tables/tier/rows/0", ("case 0", "case 1")),
            ("row", "/tables/tier/rows/1", ("case 2",)),
            ("row", "/tables/tier/rows/2", ()),
        ]
        assert [one.what for one in found.items][2] == "row 3 of table tier ([4,5] → 1.5)"
        assert (found.complete, found.percent) == (False, Decimal("66.6"))

    def test_the_condition_is_asked_for_both_ways(self):
        found = coverage(rule(v("hours"), when=both(v("paid"), v("union"))), {"hours": 1, "paid": True, "union": True})
        assert items(found) == [
            ("when", "/when", ("case 0",)),
            ("when", "/when", ()),
            ("part", "/when/and/0", ()),
            ("part", "/when/and/1", ()),
        ]
        assert found.items[1].what == "a record to which the rule does not apply (paid and union)"

    def test_every_arm_is_asked_for_and_the_last_one(self):
        found = coverage(rule(case(v("paid"), 1, v("union"), 2, 3)), {"paid": False, "union": True})
        assert items(found) == [
            ("branch", "/outputs/points/expr/if/1", ()),
            ("branch", "/outputs/points/expr/if/3", ("case 0",)),
            ("branch", "/outputs/points/expr/if/4", ()),
        ]

    def test_defaults_and_misses_are_asked_for(self):
        looked_up = op("lookup", "codes", v("job"), {"on_miss": "default", "default": "?"})
        codes = {"codes": {"CABIN": "1"}}
        document = text(op("cat", looked_up, op("coalesce", v("grade"), "-")))
        hit = coverage(document, {"job": "CABIN", "grade": "E1"}, code_tables=codes)
        missed = coverage(document, {"job": "DECK", "grade": None}, code_tables=codes)
        assert [(one.kind, one.by) for one in hit.items] == [("lookup_miss", ()), ("default", ())]
        assert missed.complete

    def test_a_look_up_that_refuses_on_a_miss_asks_for_no_miss(self):
        assert coverage(text(op("lookup", "codes", v("job"))), {"job": "x"}).items == ()

    def test_a_case_that_is_refused_counts_up_to_there(self):
        document = rule(op("/", 1, case(v("paid"), v("level"), 0)))
        found = coverage(document, {"paid": False, "level": 1})
        assert [one.by for one in found.items] == [(), ("case 0",)]

    def test_inside_lists_every_item_counts(self):
        expr = op("sum", op("map", v("lines"), case(gt(v(".qty"), 9), 2, 1)))
        many = [{"qty": 1, "sku": "a"}] * 20 + [{"qty": 10, "sku": "b"}]
        assert coverage(rule(expr), {"lines": many}).complete
        assert not coverage(rule(expr), {"lines": many[:20]}).complete

    def test_a_rule_without_anything_to_reach_is_complete(self):
        found = coverage(rule(v("hours")), {"hours": 1})
        assert (found.complete, found.percent) == (True, Decimal(100))

    def test_a_rule_without_cases_covers_nothing(self):
        found = compile_ruleset(rule(case(v("paid"), 1, 2))).coverage()
        assert (found.complete, found.percent) == (False, Decimal(0))

    def test_a_part_of_a_thousand_does_not_round_to_all(self):
        rows = [[str(number), "1"] for number in range(400)]
        document = rule(cell("t", "rate"), tables={"t": table(["count"], *rows)})
        found = coverage(document, *({"count": number} for number in range(399)))
        assert found.percent == Decimal("99.7")


class TestWhatCounts:
    def test_a_row_counts_only_where_its_result_is_used(self):
        document = rule(case(v("paid"), v("rate"), 0), let={"rate": cell("tier", "rate")}, tables=TIERS)
        used, unused = coverage(document, {"paid": True, "level": 3}), coverage(document, {"paid": False, "level": 3})
        assert ("row", "/tables/tier/rows/1", ("case 0",)) in items(used)
        assert ("row", "/tables/tier/rows/1", ()) in items(unused)

    def test_a_definition_that_is_used_by_a_used_one_counts(self):
        let = {"a": v("b"), "b": case(v("paid"), 1, 2)}
        assert [one.by for one in coverage(rule(v("a"), let=let), {"paid": True}).items] == [("case 0",), ()]

    def test_what_nobody_can_reach_is_not_asked_for(self):
        tiers = {"t": table(["level"], ["[1,5]", "1"], ["[6,9]", "2"])}
        expr = op("+", cell("t", "rate"), case(ge(v("fte"), 0), 1, 2))
        found = coverage(rule(expr, tables=tiers, when=gt(v("level"), 0)), {"level": 1, "fte": 1})
        assert items(found) == [
            ("row", "/tables/t/rows/0", ("case 0",)),
            ("branch", "/outputs/points/expr/+/1/if/1", ("case 0",)),
        ]

    def test_a_rule_that_never_applies_asks_for_nothing(self):
        assert coverage(rule(case(v("paid"), 1, 2), when=gt(v("fte"), 100)), {"paid": True, "fte": 1}).items == ()

    def test_definitions_that_nothing_uses_ask_for_nothing(self):
        assert coverage(rule(1, let={"spare": case(v("paid"), 1, 2)}), {"paid": True}).items == ()

    def test_a_yes_or_no_is_asked_for_both_ways_and_as_a_whole(self):
        found = coverage(
            flag(both(eq(v("status"), "ACTIVE"), ge(months(), 6))), {"status": "TERM", "hired": "2020-01-01"}
        )
        assert items(found) == [
            ("branch", "/outputs/ok/expr", ()),
            ("branch", "/outputs/ok/expr", ("case 0",)),
            ("part", "/outputs/ok/expr/and/0", ("case 0",)),
            ("part", "/outputs/ok/expr/and/1", ()),
        ]

    def test_a_case_whose_record_cannot_be_read_reaches_nothing(self):
        found = coverage(rule(case(v("paid"), 1, 2)), {"paid": "perhaps"})
        assert [one.by for one in found.items] == [(), ()]


class TestFindings:
    def test_what_no_case_reaches_is_an_error_that_names_it(self):
        document = cased(rule(cell("tier", "rate"), tables=TIERS), {"level": 1}, {"level": 3})
        [finding] = compile_ruleset(document).lint()
        assert (finding.pointer, finding.code, finding.severity) == ("/tables/tier/rows/2", "uncovered", "error")
        assert finding.message == "row 3 of table tier ([4,5] → 1.5) is reached by no case"
        assert finding.suggestion == "add a case that gets to row 3 of table tier ([4,5] → 1.5)"

    def test_cases_kept_elsewhere_count_when_they_are_given(self):
        compiled = compile_ruleset(rule(case(v("paid"), 1, 2)))
        cases = tuple(
            compiled.case({"name": name, "as_of": "2026-10-01", "given": {"paid": paid}, "expect": {"points": points}})
            for name, paid, points in (("yes", True, "1"), ("no", False, "2"))
        )
        assert compiled.with_cases(cases).coverage().complete
