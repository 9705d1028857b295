"""docs/rules.md: its examples are evaluated, its limits are those of the code, its explanation is what explain says."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from chalicelib.language import RuleRefused, bounds, compile_ruleset, json_value, parse_json
from chalicelib.language.declarations import TYPES
from chalicelib.language.hit_policies import COLLECTIONS, HIT_POLICIES
from chalicelib.language.operators import OPERATORS
from tests.unit.language.conftest import AS_OF

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
INPUTS = {
    "hours": {"type": "decimal", "scale": 1},
    "count": {"type": "integer"},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE"]},
    "name": {"type": "string"},
    "grade": {"type": "string", "nullable": True},
    "note": {"type": "string", "nullable": True},
    "hired": {"type": "date"},
    "paid": {"type": "boolean"},
    "tags": {"type": "list", "items": {"type": "string"}},
    "lines": {
        "type": "list",
        "items": {
            "type": "object",
            "fields": {
                "sku": {"type": "string"},
                "qty": {"type": "integer"},
                "price": {"type": "decimal", "scale": 2},
            },
        },
    },
}
TIERS = {"hit": "unique", "in": ["count"], "out": ["rate"], "rows": [["[0,5)", "1.0"], ["[5,)", "1.25"]]}
CODES = {"acme.grades": {"E1": "junior"}}
NUMBER = {"type": "decimal", "scale": 12, "rounding": "half_even"}
FIELDS = {"sku": {"type": "string"}, "qty": {"type": "integer"}}
#: What an example may give, from the narrowest on: a text that is a date is no text, an integer no decimal.
SHAPES = [
    {"type": "boolean"},
    {"type": "integer"},
    NUMBER,
    {"type": "date"},
    {"type": "string"},
    {"type": "list", "items": {"type": "string"}},
    {"type": "list", "items": NUMBER},
    {"type": "object", "fields": FIELDS},
]


def section(title):
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(title):
    return [parse_json(block) for block in re.findall(r"```json\n(.*?)```", section(title), re.DOTALL)]


RECORD = blocks("Operators")[0]
EXAMPLES = {
    name: (shown.replace("\\|", "|"), result)
    for name, shown, result in re.findall(
        r"^\| `([^`]+)` \|.*\| `(\{.*\})` → `(.+)` \|$", section("Operators"), re.MULTILINE
    )
}


def decided(expr):
    """The value of an expression of the documentation."""
    for shape in SHAPES:
        document = {"kind": "mapping", "inputs": INPUTS, "tables": {"tier": TIERS}}
        try:
            rule = compile_ruleset({**document, "outputs": {"it": {**shape, "nullable": True, "expr": expr}}})
        except RuleRefused:
            continue
        return rule.decide(rule.read(RECORD), as_of=AS_OF, code_tables=CODES)["it"]
    raise AssertionError(f"{expr} does not load")


def plain(value):
    """A value without the zeros that its output's scale adds."""
    match value:
        case bool() | str():
            return value
        case int() | Decimal():
            return Decimal(value).normalize()
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return json_value(value)


class TestOperators:
    def test_all_are_there_as_the_registry_has_them_each_with_an_example(self):
        rows = re.findall(r"^\| `([^`]+)` \| (.+?) (?<!\\)\| (.+?) (?<!\\)\| `", section("Operators"), re.MULTILINE)
        listed = {name: (signature.replace("\\|", "|"), text.replace("\\|", "|")) for name, signature, text in rows}
        assert listed == {one.name: (one.signature, one.summary) for one in OPERATORS.values()}
        assert list(listed) == list(OPERATORS)
        assert EXAMPLES.keys() == OPERATORS.keys()

    @pytest.mark.parametrize("name", OPERATORS)
    def test_an_example_gives_what_it_says(self, name):
        shown, result = EXAMPLES[name]
        expr = parse_json(shown)
        assert list(expr) == [name]
        assert plain(decided(expr)) == plain(parse_json(result))


class TestTables:
    def test_every_hit_policy_and_every_way_to_collect_is_explained(self):
        text = section("Decision tables")
        _, *listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        assert listed == list(HIT_POLICIES)
        assert [how for how in COLLECTIONS if f'"{how}"' not in text] == []

    def test_every_type_is_explained(self):
        assert re.findall(r"^\| `(\w+)` \|", section("Types"), re.MULTILINE) == list(TYPES)


class TestBounds:
    def test_the_limits_are_those_of_the_code(self):
        shown = [
            int(number.replace(",", "")) for number in re.findall(r"\| ([0-9,]+) \|$", section("Bounds"), re.MULTILINE)
        ]
        assert shown == [
            bounds.DOCUMENT_BYTES_MAX,
            bounds.NODES_MAX,
            bounds.LIST_LENGTH_MAX,
            bounds.STRING_LENGTH_MAX,
            bounds.ARGUMENTS_MAX,
            bounds.EXPRESSION_DEPTH_MAX,
            bounds.LOOPS_NESTED_MAX,
            bounds.TABLE_ROWS_MAX,
            bounds.ALL_TABLE_ROWS_MAX,
            bounds.DIGITS_MAX,
            bounds.SCALE_MAX,
            bounds.LIST_LENGTH_MAX,
            bounds.TEXT_LENGTH_MAX,
            bounds.OPERATIONS_MAX,
        ]
        assert f"{bounds.CHARACTERS_PER_OPERATION} characters or {bounds.ITEMS_PER_OPERATION} items" in section(
            "Bounds"
        )


class TestExplain:
    def test_the_explanation_is_the_one_that_explain_gives(self):
        document, shown = blocks("Explain")
        record, day = re.findall(r"the record `(.+)` on ([0-9-]+) is explained", section("Explain"))[0]
        rule = compile_ruleset(document)
        explained = rule.explain(rule.read(parse_json(record)), as_of=date.fromisoformat(day))
        assert explained == shown
