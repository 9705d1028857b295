"""A whole rule in plain words: every kind, every operator, and nothing of the author's taken for Markdown."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from chalicelib.language import compile_ruleset, parse_json
from chalicelib.language.operators import OPERATORS
from chalicelib.rules.rendering.markdown import render
from chalicelib.rules.rendering.phrases import interval
from chalicelib.rules.rendering.words import SAID, Words
from chalicelib.rules.schemas.operators import EXAMPLES
from tests.unit.language.generated_rules import OUTPUTS

RULES = Path(__file__).parents[3] / "rules"
FILES = sorted([*(RULES / "rulesets").glob("*.json"), *(RULES / "layouts").glob("*.json")])


def var(name: str) -> dict[str, str]:
    return {"var": name}


def load(name: str) -> Any:
    return parse_json((RULES / f"{name}.json").read_bytes())


def lines_of(document: Any) -> list[str]:
    return render(document).splitlines()


class TestWords:
    def test_every_operator_has_words(self):
        assert sorted(SAID) == sorted(OPERATORS)

    @pytest.mark.parametrize("name", sorted(EXAMPLES))
    def test_no_operator_is_said_by_its_sign_in_the_language(self, name):
        told = Words().of({name: EXAMPLES[name]})
        assert told.strip()
        assert not any(sign in told.replace("{2}[0-9]{6}", "") for sign in ("{", "}", "var", "_", "==", "…"))

    @pytest.mark.parametrize(
        ("raw", "told"),
        [
            (
                {"and": [{"==": [var("status"), "ACTIVE"]}, {">=": [var("tenure_months"), 6]}]},
                "status is “ACTIVE” and tenure months is at least 6",
            ),
            (
                {"and": [var("paid"), {"or": [{"!": [var("left")]}, {"is_null": var("grade")}]}]},
                "paid is true and (left is false or grade has no value)",
            ),
            ({"<": [1, var("x"), 5]}, "x lies between 1 and 5, and is neither"),
            ({">=": [5, var("x"), 1]}, "x lies between 1 and 5, and may be either"),
            ({"!": [{"in": [var("x"), ["a", "b"]]}]}, "x is none of “a” or “b”"),
            ({"!": [{"and": [var("a"), var("b")]}]}, "it does not hold that (a is true and b is true)"),
            ({"*": [{"+": [var("a"), 1]}, var("b")]}, "(a + 1) × b"),
            ({"-": [var("a"), {"-": [var("b"), 1]}]}, "a − (b − 1)"),
            ({"/": [var("a"), {"*": [var("b"), 2]}]}, "a ÷ (b × 2)"),
            (
                {"min": [{"*": [var("hours"), {"table": ["tier", "rate"]}]}, 400]},
                "hours × rate of table tier, at most 400",
            ),
            ({"max": [0, var("rest")]}, "rest, at least 0"),
            (
                {"sum": {"map": [var("lines"), {"*": [var("qty"), var("price")]}]}},
                "the sum of qty × price over the items of lines",
            ),
            (
                {"lookup": ["acme.grades", var("grade"), {"on_miss": "default", "default": "E1"}]},
                "what code table acme.grades says for grade, or “E1” where there is none",
            ),
            ({"map": [var("lines"), var(".note")]}, "for each item of lines: its note"),
        ],
    )
    def test_reads_as_a_sentence(self, raw, told):
        assert Words().condition(raw) == told

    @pytest.mark.parametrize(
        ("written", "told"),
        [
            ("[24,60)", "24 up to, not including, 60"),
            ("(24,60]", "more than 24 up to and including 60"),
            ("[6,)", "6 or more"),
            ("(6,)", "more than 6"),
            ("(,6)", "less than 6"),
            ("(,6]", "6 or less"),
            ("[2026-01-01,)", "2026-01-01 or later"),
            ("(,2026-01-01)", "before 2026-01-01"),
        ],
    )
    def test_ranges_say_which_bound_belongs_to_them(self, written, told):
        assert interval(written) == told

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(OUTPUTS)
    def test_whatever_the_language_takes_has_words(self, generated):
        expr, _ = generated
        told = Words().of(expr)
        assert told
        assert "no expression" not in told
        assert told.count("(") == told.count(")")


class TestDocuments:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
    def test_every_rule_file_is_told_whole(self, path):
        document = parse_json(path.read_bytes())
        text = render(document)
        for part in ("inputs", "columns", "aggregates", "let", "tables", "outputs", "fields"):
            for name in document.get(part, {}):
                assert name.replace("_", " ") in text.replace("\\_", " "), f"{part} {name}"
        for case in document.get("cases", ()):
            assert case["name"] in text

    def test_a_tier_table_is_a_table_of_readable_ranges(self):
        found = lines_of(load("rulesets/harbor-hotels.accrual"))
        assert "| 10 up to, not including, 25 | 150 |" in found
        assert "| 25 or more | 300 |" in found
        assert "- **points** (number with 2 places; rounded half up): the first that fits:" in found
        assert "  - if event type is “ANNIVERSARY”: points of table anniversary" in found
        assert "- event type is “BONUS”" in found
        assert "- In force from 2026-01-01 on." in found

    def test_a_layout_is_told_with_its_file_and_columns(self):
        found = lines_of(load("layouts/harbor-hotels.roster"))
        assert "- A snapshot: who is not in it has left, refused above a share of 0.20." in found
        assert "| email | E-Mail | must be there; may be empty; personal | j.mueller@example.com |  |" in found
        assert "- **country**: country in upper case." in found

    def test_a_payload_is_told_field_by_field(self):
        line = {"sku": {"type": "string"}, "note": {"type": "string", "omit_null": True}}
        document = {
            "kind": "mapping",
            "inputs": {
                "number": {"type": "string"},
                "lines": {
                    "type": "list",
                    "items": {
                        "type": "object",
                        "fields": {"sku": {"type": "string"}, "note": {"type": "string", "nullable": True}},
                    },
                },
            },
            "outputs": {
                "order": {
                    "type": "object",
                    "fields": {
                        "no": {"type": "string"},
                        "lines": {"type": "list", "items": {"type": "object", "fields": line}},
                    },
                    "expr": {
                        "object": {
                            "no": var("number"),
                            "lines": {
                                "map": [
                                    var("lines"),
                                    {"object": {"sku": {"lookup": ["erp.sku", var("sku")]}, "note": var("note")}},
                                ]
                            },
                        }
                    },
                }
            },
        }
        compile_ruleset(document)
        found = lines_of(document)
        start = found.index("- **order** (object):")
        assert found[start + 1 : start + 5] == [
            "  - **no** (text): number",
            "  - **lines** (list of objects): for each item of lines",
            "    - **sku** (text): what code table erp.sku says for sku",
            "    - **note** (text; left out when it has no value): note",
        ]

    def test_nothing_that_an_author_writes_becomes_markdown_or_html(self):
        document = load("rulesets/harbor-hotels.accrual")
        document["why"] = "<script>alert(1)</script> | # *x* [a](b)\n\n# no heading"
        document["cases"][0]["name"] = "a | b"
        text = render(document)
        assert "<script" not in text.replace("\\<", "")
        assert "\n# no heading" not in text
        assert "| a \\| b | 2026-10-31 |" in text

    def test_coverage_names_what_no_case_reaches(self):
        document = load("rulesets/harbor-hotels.accrual")
        complete = compile_ruleset(document).coverage()
        assert f"The cases reach all {len(complete.items)} places" in render(document, coverage=complete)
        document["cases"] = [case for case in document["cases"] if "twenty-five" not in case["name"]]
        text = render(document, version=3, coverage=compile_ruleset(document).coverage())
        assert text.startswith("# harbor-hotels.accrual, version 3\n")
        assert f"{len(complete.items) - 1} of {len(complete.items)} places" in text
        assert "row 5 of table anniversary" in text
