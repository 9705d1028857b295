"""What changed between two versions, in sentences; and what is no change."""

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import parse_json
from chalicelib.rules.diffing.comparing import diff
from chalicelib.rules.diffing.forms import Forms, parsed

RULES = Path(__file__).parents[3] / "rules"
FILES = sorted([*(RULES / "rulesets").glob("*.json"), *(RULES / "layouts").glob("*.json")])


def var(name: str) -> dict[str, str]:
    return {"var": name}


def load(name: str) -> Any:
    return parse_json((RULES / f"{name}.json").read_bytes())


def rule() -> dict[str, Any]:
    return {
        "id": "acme.accrual",
        "kind": "accrual",
        "partner": "acme",
        "owner": "tests",
        "why": "A rule of the tests.",
        "inputs": {
            "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
            "grade": {"type": "string"},
            "hours": {"type": "decimal", "scale": 2, "min": "0"},
            "hire_date": {"type": "date"},
        },
        "let": {"tenure_months": {"months_between": [var("hire_date"), var("as_of")]}},
        "when": {"and": [{"==": [var("status"), "ACTIVE"]}, {">=": [var("tenure_months"), 6]}]},
        "tables": {
            "tier": {
                "hit": "unique",
                "in": ["tenure_months"],
                "out": ["rate"],
                "rows": [["[6,24)", "1.0"], ["[24,60)", "1.25"], ["[60,)", "1.5"]],
            }
        },
        "outputs": {
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {"min": [{"*": [var("hours"), {"table": ["tier", "rate"]}]}, 400]},
            }
        },
        "cases": [
            {
                "name": "two years",
                "as_of": "2026-10-01",
                "given": {"status": "ACTIVE", "grade": "E1", "hours": "100", "hire_date": "2024-10-01"},
                "expect": {"points": "125.00"},
            }
        ],
    }


def told(change: Any) -> list[str]:
    """The sentences about what ``change`` does to the rule."""
    after = rule()
    change(after)
    return [found.what for found in diff(rule(), after)]


def setting(*path: Any) -> Any:
    """Something that puts the last of ``path`` where the others lead."""

    def change(document: Any) -> None:
        for step in path[:-2]:
            document = document[step]
        document[path[-2]] = path[-1]

    return change


CELLS = ("tables", "tier", "rows")
CHANGED = {
    "a rate": (
        setting(*CELLS, 1, 1, "1.30"),
        "table tier, tenure months 24 up to, not including, 60: rate 1.25 → 1.30",
    ),
    "a bound": (
        setting(*CELLS, 0, 0, "[3,24)"),
        (
            "table tier: tenure months 6 up to, not including, 24 gives rate 1.0"
            " → tenure months 3 up to, not including, 24 gives rate 1.0"
        ),
    ),
    "a row gone": (
        lambda one: one["tables"]["tier"]["rows"].pop(),
        "table tier: row removed: tenure months 60 or more gives rate 1.5",
    ),
    "a row more": (
        lambda one: one["tables"]["tier"]["rows"].insert(0, ["[0,6)", "0.5"]),
        "table tier: new row: tenure months 0 up to, not including, 6 gives rate 0.5",
    ),
    "the policy": (
        setting("tables", "tier", "hit", "first"),
        "table tier: At most one row fits, and it answers. → The first row that fits answers.",
    ),
    "a condition more": (
        lambda one: one["when"]["and"].insert(0, {"!=": [var("grade"), "X"]}),
        "new condition: grade is not “X”",
    ),
    "a condition less": (lambda one: one["when"]["and"].pop(0), "no longer condition: status is “ACTIVE”"),
    "a condition": (
        setting("when", "and", 1, ">=", 1, 12),
        "condition: tenure months is at least 6 → tenure months is at least 12",
    ),
    "a limit": (
        setting("outputs", "points", "expr", "min", 1, 500),
        "output points: hours × rate of table tier, at most 400 → hours × rate of table tier, at most 500",
    ),
    "the rounding": (
        setting("outputs", "points", "rounding", "half_even"),
        "output points: rounding half_up → half_even",
    ),
    "no rounding": (lambda one: one["outputs"]["points"].pop("rounding"), "output points: rounding half_up → nothing"),
    "the scale": (setting("inputs", "hours", "scale", 3), "input hours: scale 2 → 3"),
    "null": (setting("inputs", "grade", "nullable", True), "input grade: now nullable"),
    "a value": (
        setting("inputs", "status", "values", ["ACTIVE", "LEAVE", "LAYOFF"]),
        "input status: may also be LAYOFF|input status: may no longer be TERM",
    ),
    "an input": (setting("inputs", "union", {"type": "string"}), "new input union: text"),
    "a type": (setting("inputs", "grade", {"type": "integer"}), "input grade: text → whole number"),
    "a definition": (
        setting("let", "tenure_months", {"years_between": [var("hire_date"), var("as_of")]}),
        (
            "tenure months: the whole months from hire date to the day of the decision"
            " → the whole years from hire date to the day of the decision"
        ),
    ),
    "what a case expects": (
        setting("cases", 0, "expect", {"points": "130.00"}),
        "case “two years”: expects points: 125.00 → points: 130.00",
    ),
    "a case's name": (setting("cases", 0, "name", "24 months"), "case “two years” is now called “24 months”"),
    "a case gone": (lambda one: one["cases"].pop(), "case “two years” removed"),
    "the period": (
        setting("effective", {"from": "2027-01-01"}),
        "In force on any day → in force from 2027-01-01 on",
    ),
    "why": (setting("why", "Another."), "why: A rule of the tests. → Another."),
}


class TestSentences:
    @pytest.mark.parametrize("what", sorted(CHANGED))
    def test_say_what_changed(self, what):
        change, sentence = CHANGED[what]
        assert "|".join(told(change)) == sentence

    def test_point_to_the_place_in_both_versions_and_show_it(self):
        after = rule()
        after["tables"]["tier"]["rows"].reverse()
        after["tables"]["tier"]["rows"][1][1] = "1.30"

        [change] = diff(rule(), after)

        assert (change.kind, change.pointer_before, change.pointer_after) == (
            "row",
            "/tables/tier/rows/1/1",
            "/tables/tier/rows/1/1",
        )
        assert (change.before, change.after) == ("1.25", "1.30")

    def test_a_renamed_definition_is_one_change_wherever_it_is_used(self):
        def rename(document):
            document["let"]["months"] = document["let"].pop("tenure_months")
            document["when"]["and"][1] = {">=": [var("months"), 6]}
            document["tables"]["tier"]["in"] = ["months"]

        assert told(rename) == ["definition tenure months is now called months"]

    def test_a_renamed_table_is_one_change(self):
        def rename(document):
            document["tables"]["rates"] = document["tables"].pop("tier")
            document["outputs"]["points"]["expr"]["min"][0]["*"][1] = {"table": ["rates", "rate"]}

        assert told(rename) == ["table tier is now called rates"]

    def test_rows_of_first_that_overlap_count_in_their_order(self):
        before, after = rule(), rule()
        for document in (before, after):
            document["tables"]["tier"] |= {"hit": "first", "rows": [["[6,24)", "1"], ["[12,60)", "2"], ["[70,)", "3"]]}
        after["tables"]["tier"]["rows"] = [after["tables"]["tier"]["rows"][place] for place in (1, 0, 2)]

        assert [one.what for one in diff(before, after)] == ["table tier: rows that overlap stand in another order"]

        after["tables"]["tier"]["rows"] = [before["tables"]["tier"]["rows"][place] for place in (2, 0, 1)]
        assert diff(before, after) == []

    def test_the_first_version_is_new_in_every_part(self):
        sentences = [one.what for one in diff({}, rule())]
        assert "new condition: status is “ACTIVE”" in sentences
        assert "new table tier" in sentences
        assert "new output points: number with 2 places; rounded half up" in sentences

    def test_a_version_that_does_not_compile_any_more_is_compared_as_it_is_written(self):
        before, after = rule(), rule()
        for document in (before, after):
            document["inputs"]["no_longer_allowed"] = {"type": "gone"}
        after["tables"]["tier"]["rows"][2][1] = "1.75"

        assert [one.what for one in diff(before, after)] == ["table tier, tenure months 60 or more: rate 1.5 → 1.75"]

    def test_a_version_that_does_not_compile_is_compared_with_one_that_does(self):
        after = rule()
        after["cases"][0]["expect"] = {"applies": False, "points": "1"}
        after["tables"]["tier"]["rows"][2][1] = "1.75"

        assert [one.what for one in diff(rule(), after) if one.kind != "case"] == [
            "table tier, tenure months 60 or more: rate 1.5 → 1.75"
        ]

    def test_a_layout_is_told_by_its_columns_file_and_fields(self):
        before = load("layouts/harbor-hotels.roster")
        after = deepcopy(before)
        after["format"]["delimiter"] = ","
        after["terminate_share_max"] = "0.30"
        after["columns"]["city"]["header"] = "Stadt"
        after["columns"]["grade"]["nullable"] = False
        after["fields"]["country"]["expr"] = var("country")

        assert [one.what for one in diff(before, after)] == [
            "terminate share max: 0.20 → 0.30",
            "format delimiter: ; → ,",
            "column grade: may be empty yes → no",
            "column city: header Ort → Stadt",
            "field country: country in upper case → country",
        ]


SAME = {
    "a number's zeros": (Decimal("1.0"), Decimal("1.00")),
    "a short argument": ({"trim": var("a")}, {"trim": [var("a")]}),
    "a name in a list": (var("a"), {"var": ["a"]}),
    "a null test": ({"is_null": var("a")}, {"==": [None, var("a")]}),
    "its opposite": ({"!": {"is_null": var("a")}}, {"!=": [var("a"), None]}),
    "sides": ({">": [var("a"), 1]}, {"<": [1, var("a")]}),
    "an opposite": ({"!": {"<": [var("a"), 1]}}, {">=": [var("a"), 1]}),
    "a choice": ({"?:": [var("a"), 1, 2]}, {"if": [var("a"), 1, 2]}),
    "an order of conditions": ({"and": [var("a"), {"!": var("b")}]}, {"and": [{"!": var("b")}, var("a")]}),
    "brackets": ({"or": [var("a"), {"or": [var("b"), var("c")]}]}, {"or": [var("c"), var("a"), var("b")]}),
    "a member twice": ({"in": [var("a"), ["x", "y"]]}, {"in": [var("a"), ["y", "x", "x"]]}),
    "a range": ({"in_range": [var("a"), "[6,24)"]}, {"in_range": [var("a"), " [ 6.0 , 24 )"]}),
    "what is so anyway": ({"lookup": ["t", var("a")]}, {"lookup": ["t", var("a"), {"on_miss": "error"}]}),
    "two factors": ({"*": [var("a"), 2]}, {"*": [2, var("a")]}),
}
OTHER = {
    "an integer": (1, Decimal("1.0")),
    "a text": ("1", "1.0"),
    "a difference": ({"-": [var("a"), 1]}, {"-": [1, var("a")]}),
    "three summands": ({"+": [var("a"), var("b"), 1]}, {"+": [1, var("a"), var("b")]}),
    "a guard": (
        {"and": [{"!=": [var("a"), 0]}, {">": [{"/": [1, var("a")]}, 2]}]},
        {"and": [{">": [{"/": [1, var("a")]}, 2]}, {"!=": [var("a"), 0]}]},
    ),
    "a bound": ({"in_range": [var("a"), "[6,24)"]}, {"in_range": [var("a"), "(6,24)"]}),
    "what is missed": ({"lookup": ["t", var("a")]}, {"lookup": ["t", var("a"), {"on_miss": "null"}]}),
    "a chain": ({"<": [1, var("a"), 2]}, {"<": [2, var("a"), 1]}),
}


class TestForms:
    @pytest.mark.parametrize("what", sorted(SAME))
    def test_spellings_of_one_thing_are_one(self, what):
        left, right = (Forms().of(parsed(raw, "")) for raw in SAME[what])
        assert left == right

    @pytest.mark.parametrize("what", sorted(OTHER))
    def test_what_may_decide_otherwise_is_another(self, what):
        left, right = (Forms().of(parsed(raw, "")) for raw in OTHER[what])
        assert left != right

    def test_a_definition_that_may_refuse_keeps_its_place_among_conditions(self):
        raws = [{"and": [var("a"), {">": [var("share"), 1]}]}, {"and": [{">": [var("share"), 1]}, var("a")]}]
        left, right = (parsed(raw, "") for raw in raws)
        safe = Forms({"share": parsed({"coalesce": [var("b"), 1]}, "")})
        unsafe = Forms({"share": parsed({"/": [1, var("b")]}, "")})
        assert safe.of(left) == safe.of(right)
        assert unsafe.of(left) != unsafe.of(right)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestRuleFiles:
    def test_nothing_changed_between_a_version_and_itself(self, path):
        assert diff(load_path(path), load_path(path)) == []

    def test_every_part_that_is_taken_away_is_told(self, path):
        whole = load_path(path)
        for part in ("inputs", "let", "tables", "outputs", "columns", "fields", "aggregates"):
            for name in whole.get(part, {}):
                changed = deepcopy(whole)
                del changed[part][name]
                assert any(name.replace("_", " ") in one.what.replace("_", " ") for one in diff(whole, changed))


def load_path(path: Path) -> Any:
    return parse_json(path.read_bytes())
