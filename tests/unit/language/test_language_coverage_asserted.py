"""A place counts as reached only by a case that says what comes of it."""

from typing import Any

import pytest

from chalicelib.language import compile_ruleset
from tests.unit.language.lint_corpus.words import both, case, cell, either, eq, ge, months, op, rule, table, v

PAID = case(v("paid"), 2, 1)


def reached(document: Any, *cases: dict[str, Any]) -> dict[tuple[str, str], bool]:
    """By kind and pointer, whether the cases reach it; of several things at one place, whether they reach all."""
    named = [{"name": f"case {number}", "as_of": "2026-10-01", **one} for number, one in enumerate(cases)]
    found: dict[tuple[str, str], bool] = {}
    for item in compile_ruleset({**document, "cases": named}).coverage().items:
        key = (item.kind, item.pointer)
        found[key] = found.get(key, True) and bool(item.by)
    return found


class TestWhatIsAsserted:
    def test_that_it_applies_says_nothing_of_the_money(self):
        document = rule(PAID, when=ge(v("hours"), 1))
        cases = [{"given": {"paid": paid, "hours": 1}, "expect": {"applies": True}} for paid in (True, False)]
        cases.append({"given": {"paid": True, "hours": 0}, "expect": {"applies": False}})
        assert reached(document, *cases) == {
            ("when", "/when"): True,
            ("branch", "/outputs/points/expr/if/1"): False,
            ("branch", "/outputs/points/expr/if/2"): False,
        }

    def test_of_a_mapping_only_the_asserted_outputs_count(self):
        number = {"type": "decimal", "scale": 2, "rounding": "half_up"}
        document = rule(outputs={"a": {**number, "expr": PAID}, "b": {**number, "expr": case(v("union"), 2, 1)}})
        given = {"paid": True, "union": True}
        found = reached(document, {"given": given, "expect": {"a": "2"}})
        assert found["branch", "/outputs/a/expr/if/1"]
        assert not found["branch", "/outputs/b/expr/if/1"]

    def test_a_refused_case_reaches_what_refuses_and_no_other_output(self):
        number = {"type": "decimal", "scale": 2, "rounding": "half_up"}
        broken = op("/", 1, case(v("union"), v("level"), 0))
        document = rule(outputs={"a": {**number, "expr": PAID}, "b": {**number, "expr": broken}})
        case_ = {"given": {"paid": True, "union": False, "level": 1}, "expect": {"refused": "division_by_zero"}}
        found = reached(document, case_)
        assert found["branch", "/outputs/b/expr///1/if/2".replace("///1", "/~1/1")]
        assert not found["branch", "/outputs/a/expr/if/1"]

    @pytest.mark.parametrize(("day", "counts"), [("2026-10-14", False), ("2026-10-15", True), ("2026-11-01", False)])
    def test_a_case_outside_the_days_of_the_rule_reaches_nothing(self, day, counts):
        document = rule(PAID, effective={"from": "2026-10-15", "to": "2026-10-31"})
        found = reached(document, {"as_of": day, "given": {"paid": True}, "expect": {"points": "2"}})
        assert found["branch", "/outputs/points/expr/if/1"] is counts

    def test_a_case_that_expects_points_of_a_record_that_does_not_apply_reaches_nothing(self):
        document = rule(PAID, when=v("union"))
        found = reached(document, {"given": {"paid": True, "union": False}, "expect": {"points": "2"}})
        assert not any(found.values())


class TestLimits:
    def test_a_cap_is_asked_for_reached_and_not_reached(self):
        document = rule(op("min", v("hours"), 400))
        below = {"given": {"hours": "399"}, "expect": {"points": "399"}}
        at, above = ({"given": {"hours": hours}, "expect": {"points": "400"}} for hours in ("400", "401"))
        places = [("limit", f"/outputs/points/expr/min/{place}") for place in (0, 1)]
        assert reached(document, below) == dict(zip(places, (True, False), strict=True))
        assert reached(document, at) == dict(zip(places, (False, False), strict=True))
        assert reached(document, above, below) == dict.fromkeys(places, True)

    def test_a_limit_that_cannot_be_reached_is_not_asked_for(self):
        document = rule(op("max", v("hours"), 0))
        found = reached(document, {"given": {"hours": "1"}, "expect": {"points": "1"}})
        assert found == {("limit", "/outputs/points/expr/max/0"): True}


class TestParts:
    def test_each_part_of_a_condition_decides_once(self):
        document = rule(1, when=both(v("paid"), either(v("union"), ge(months(), 6))))
        applies = {"given": {"paid": True, "union": True, "hired": "2026-09-30"}, "expect": {"points": "1"}}
        unpaid = {"given": {**applies["given"], "paid": False}, "expect": {"applies": False}}
        found = reached(document, applies, unpaid)
        assert found == {
            ("when", "/when"): True,
            ("part", "/when/and/0"): True,
            ("part", "/when/and/1"): False,
            ("part", "/when/and/1/or/0"): True,
            ("part", "/when/and/1/or/1"): False,
        }
        neither = {"given": {**applies["given"], "union": False}, "expect": {"applies": False}}
        served = {"given": {**neither["given"], "hired": "2020-01-01"}, "expect": {"points": "1"}}
        assert all(reached(document, applies, unpaid, neither, served).values())

    def test_parts_of_a_branch_are_asked_for_with_its_money(self):
        document = rule(case(either(eq(v("level"), 1), v("paid")), 2, 1))
        one = {"given": {"level": 1, "paid": False}, "expect": {"points": "2"}}
        other = {"given": {"level": 2, "paid": False}, "expect": {"points": "1"}}
        found = reached(document, one, other)
        assert found["part", "/outputs/points/expr/if/0/or/0"]
        assert not found["part", "/outputs/points/expr/if/0/or/1"]


class TestMessages:
    def test_a_gap_is_shown_by_a_record_that_could_be(self):
        for last, told in (
            ("[24,)", "takes service -1: for example hired 2026-02-01 on 2026-01-01"),
            ("[24,60)", "takes service 60: for example hired 2021-01-01 on 2026-01-01"),
        ):
            tiers = {"t": table(["service"], ["[0,24)", "1"], [last, "2"])}
            document = rule(cell("t", "rate"), let={"service": months()}, tables=tiers)
            [gap] = [one.message for one in compile_ruleset(document).lint() if one.code == "table_gap"]
            assert gap == f"no row of table t {told}"

    def test_a_gap_that_no_example_was_found_for_is_told_as_unchecked(self):
        tiers = {"t": table(["third"], ["[0,10)", "1"], ["(10,)", "2"])}
        document = rule(cell("t", "rate"), let={"third": op("/", v("hours"), 3)}, tables=tiers)
        codes = {one.code for one in compile_ruleset(document).lint()}
        assert codes & {"table_gap", "table_gap_unchecked"}
