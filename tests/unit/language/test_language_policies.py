"""Decision tables: which of the rows that fit answers (the hit policies of DMN)."""

import random
from datetime import date
from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF

INPUTS = {"months": {"type": "integer"}, "union": {"type": "string"}}
ROWS = [
    ["[6,24)", "-", "1.0", "base"],
    ["[24,)", "-", "1.25", "senior"],
    ["-", "U7", "1.5", "union"],
    ["[60,)", "U7", "1.1", "veteran"],
]
RANKED = {"hit": "priority", "priority": {"by": "rate", "order": "highest"}}


def table(**changed):
    return {"in": ["months", "union"], "out": ["rate", "why"], "rows": ROWS, **changed}


def compiled(tier, column="rate", **shape):
    shape = shape or {"type": "decimal", "scale": 2, "nullable": True}
    output = {**shape, "expr": {"table": ["tier", column]}}
    return compile_ruleset({"kind": "mapping", "inputs": INPUTS, "tables": {"tier": tier}, "outputs": {"it": output}})


def answer(rule, months, union="none"):
    """The rule's answer; explain must say the same."""
    facts = {"months": months, "union": union}
    found = rule.decide(facts, as_of=AS_OF)["it"]
    assert rule.explain(facts, as_of=AS_OF)["faults"] == []
    return found


def faults(tier, **shape):
    with pytest.raises(RuleRefused) as raised:
        compiled(tier, **shape)
    return raised.value.faults


class TestPriority:
    def test_the_highest_rank_answers(self):
        rule = compiled(table(**RANKED, rows=ROWS[:3]))
        assert [answer(rule, 7), answer(rule, 30), answer(rule, 7, "U7"), answer(rule, 99, "U7")] == [
            Decimal("1.0"), Decimal("1.25"), Decimal("1.5"), Decimal("1.5"),
        ]  # fmt: skip

    def test_the_trace_names_the_row_as_it_is_written(self):
        rule = compiled(table(**RANKED, rows=ROWS[:3]))
        explained = rule.explain({"months": 30, "union": "U7"}, as_of=AS_OF)
        assert explained["tables"] == [{"table": "tier", "row": 3}]

    def test_the_lowest_rank_answers_where_that_is_said(self):
        ranked = {"hit": "priority", "priority": {"by": "rate", "order": "lowest"}}
        rule = compiled(table(**ranked))
        assert [answer(rule, 7, "U7"), answer(rule, 99, "U7"), answer(rule, 1, "U7")] == [
            Decimal("1.0"), Decimal("1.1"), Decimal("1.5"),
        ]  # fmt: skip

    def test_words_are_ranked_by_a_list(self):
        ranked = {"hit": "priority", "priority": {"by": "why", "order": ["veteran", "union", "senior", "base"]}}
        rule = compiled(table(**ranked), "why", type="string")
        assert [answer(rule, 99, "U7"), answer(rule, 30, "U7"), answer(rule, 30)] == ["veteran", "union", "senior"]

    def test_a_row_that_another_outranks_everywhere_is_refused(self):
        [fault] = faults(table(**RANKED))
        assert (fault.pointer, fault.code) == ("/tables/tier/rows/3", "unreachable_row")
        assert fault.message == "row 4 is never reached: row 3 outranks it"

    def test_rows_of_one_rank_that_overlap_are_refused_unless_they_agree(self):
        tied = [["-", "U7", "1.5", "union"], ["[6,)", "-", "1.5", "tenure"]]
        [fault] = faults(table(**RANKED, rows=tied))
        assert (fault.pointer, fault.code) == ("/tables/tier/rows/1", "table_overlap")
        agreed = [["-", "U7", "1.5", "x"], ["[6,)", "-", "1.5", "x"]]
        assert answer(compiled(table(**RANKED, rows=agreed)), 7) == Decimal("1.5")

    @pytest.mark.parametrize(
        ("changed", "pointer"),
        [
            ({"hit": "priority"}, "/tables/tier/priority"),
            ({"hit": "priority", "priority": {"by": "rat", "order": "highest"}}, "/tables/tier/priority/by"),
            ({"hit": "priority", "priority": {"by": "rate"}}, "/tables/tier/priority/order"),
            ({"hit": "priority", "priority": {"by": "rate", "order": "best"}}, "/tables/tier/priority/order"),
            ({"hit": "priority", "priority": {"by": "why", "order": "highest"}}, "/tables/tier/priority/order"),
            ({"hit": "priority", "priority": {"by": "why", "order": ["base"]}}, "/tables/tier/priority/order"),
            ({"hit": "first", "priority": {"by": "rate", "order": "highest"}}, "/tables/tier/priority"),
            ({"hit": "first", "collect": "sum"}, "/tables/tier/collect"),
            ({"hit": "collect", "collect": "average"}, "/tables/tier/collect"),
            ({"hit": "collct"}, "/tables/tier/hit"),
        ],
    )
    def test_what_is_no_policy_is_refused_where_it_stands(self, changed, pointer):
        assert pointer in {fault.pointer for fault in faults(table(**changed))}


class TestCollect:
    @pytest.mark.parametrize(
        ("how", "both", "none"),
        [
            ("sum", Decimal("3.85"), Decimal(0)),
            ("min", Decimal("1.1"), None),
            ("max", Decimal("1.5"), None),
            ("count", Decimal(3), Decimal(0)),
        ],
    )
    def test_makes_one_answer_of_all_rows_that_fit(self, how, both, none):
        rule = compiled(table(hit="collect", collect=how, out=["rate"], rows=[row[:3] for row in ROWS]))
        assert answer(rule, 99, "U7") == both
        assert answer(rule, 1) == none

    def test_without_a_word_it_is_the_list_of_them_in_order(self):
        rule = compiled(table(hit="collect"), "why", type="list", items={"type": "string"})
        assert [answer(rule, 99, "U7"), answer(rule, 7), answer(rule, 1)] == [
            ["senior", "union", "veteran"],
            ["base"],
            [],
        ]
        answer(rule, 7).append("changed")
        assert answer(rule, 7) == ["base"]

    def test_a_row_for_anything_is_collected_with_the_others(self):
        rows = [["-", "-", "1", "a"], ["[6,)", "-", "2", "b"]]
        rule = compiled(table(hit="collect", rows=rows), "why", type="list", items={"type": "string"})
        assert [answer(rule, 1), answer(rule, 7)] == [["a"], ["a", "b"]]

    def test_every_row_that_fits_is_in_the_trace(self):
        rule = compiled(table(hit="collect"), "why", type="list", items={"type": "string"})
        explained = rule.explain({"months": 99, "union": "U7"}, as_of=AS_OF)
        assert [hit["row"] for hit in explained["tables"]] == [2, 3, 4]

    def test_words_are_not_added_up(self):
        assert faults(table(hit="collect", collect="sum"))[0].pointer == "/tables/tier/out"

    def test_a_least_one_may_be_missing_and_the_rule_says_what_then(self):
        shape = {"type": "decimal", "scale": 2}
        [fault] = faults(table(hit="collect", collect="min", out=["rate"], rows=[row[:3] for row in ROWS]), **shape)
        assert fault.code == "may_be_null"

    def test_dates_have_a_first_one(self):
        rows = [["-", "-", "2026-03-01"], ["[6,)", "-", "2025-01-01"]]
        tier = table(hit="collect", collect="min", out={"since": {"type": "date"}}, rows=rows)
        rule = compiled(tier, "since", type="date", nullable=True)
        assert [answer(rule, 1), answer(rule, 7)] == [date(2026, 3, 1), date(2025, 1, 1)]


@pytest.mark.parametrize("hit", ["first", "priority", "collect"])
def test_random_tables_answer_as_their_rows_are_read(hit):
    draw = random.Random(hit)  # noqa: S311 - tables that can be drawn again
    tried = 0
    while tried < 60:
        rows = []
        for number in range(draw.randrange(1, 7)):
            low = draw.randrange(10)
            cell = draw.choice(["-", f"[{low},{low + draw.randrange(1, 8)})", [low, low + 3], low])
            rows.append([cell, draw.choice(["-", "U7"]), draw.randrange(4), f"row {number}"])
        policy = {"hit": hit, **({"priority": {"by": "rate", "order": "highest"}} if hit == "priority" else {})}
        shape = {"type": "list", "items": {"type": "string"}} if hit == "collect" else {"type": "string"}
        try:
            rule = compiled(table(**policy, rows=rows), "why", **shape)
        except RuleRefused:
            continue
        tried += 1
        for months in range(12):
            for union in ("U7", "none"):
                assert _read(rule, months, union) == _plainly(rows, hit, months, union)


def _read(rule, months, union):
    try:
        return answer(rule, months, union)
    except DecisionRefused as refused:
        return [fault.code for fault in refused.faults]


def _plainly(rows, hit, months, union):
    """What the table says, read row by row without any of our code."""
    fit = [row for row in rows if _fits(row[0], months) and row[1] in {"-", union}]
    if hit == "collect":
        return [row[3] for row in fit]
    if not fit:
        return ["no_table_row"]
    best = max(row[2] for row in fit)
    return (fit[0] if hit == "first" else next(row for row in fit if row[2] == best))[3]


def _fits(cell, months):
    if isinstance(cell, str) and cell != "-":
        low, high = cell.strip("[)").split(",")
        return int(low) <= months < int(high)
    return cell == "-" or months in (cell if isinstance(cell, list) else [cell])
