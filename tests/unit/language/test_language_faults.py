"""What is said of a wrong rule: where it is wrong, what was expected, what was found, and how to mend it.

Each row is one mistake in a rule that is otherwise right. It must be reported at its place, and nothing else with it:
who uses what is wrong is not to blame.
"""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.language import RuleRefused, compile_fields, compile_ruleset
from tests.unit.language.conftest import var
from tests.unit.language.hostile import places, replaced, require_pointed_faults

NOTHING = "(left out)"
RULE: dict[str, Any] = {
    "id": "acme.accrual",
    "kind": "accrual",
    "inputs": {
        "tenure": {"type": "integer", "min": 0},
        "hours": {"type": "decimal", "scale": 2},
        "status": {"type": "enum", "values": ["ACTIVE", "LEAVE"]},
        "hired": {"type": "date"},
        "note": {"type": "string", "nullable": True},
        "job": {"type": "string"},
        "paid": {"type": "boolean"},
        "lines": {
            "type": "list",
            "items": {"type": "object", "fields": {"qty": {"type": "integer"}, "sku": {"type": "string"}}},
        },
        "address": {"type": "object", "fields": {"city": {"type": "string"}}},
    },
    "let": {"months": {"months_between": [var("hired"), var("as_of")]}},
    "tables": {"tier": {"hit": "unique", "in": ["months"], "out": ["rate"], "rows": [["[0,24)", 1], ["[24,)", 2]]}},
    "outputs": {
        "points": {
            "type": "decimal",
            "scale": 2,
            "rounding": "half_up",
            "expr": {"*": [var("hours"), {"table": ["tier", "rate"]}]},
        }
    },
}
EXPR = "outputs/points/expr"
ARGUMENT = EXPR + "/*/0"
ROWS = "tables/tier/rows"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The rule with another value at a path, or with nothing there."""
    whole = place = deepcopy(RULE)
    *way, last = path.split("/")
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value == NOTHING:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return whole


def faults(document: Any):
    with pytest.raises(RuleRefused) as raised:
        compile_ruleset(document)
    return raised.value.faults


def chosen(condition: Any) -> dict[str, Any]:
    return {"if": [condition, 1, 2]}


#: What stands where, and of the one fault: where, its code, what was found, and words of the suggestion.
EXPRESSIONS = [
    (var("tenur"), "", "unknown_field", "tenur", "did you mean `tenure`?"),
    (var("address.ctiy"), "", "unknown_field", "ctiy", "did you mean `city`?"),
    (var("lines.qty"), "", "wrong_type", "a list", 'go through its items: {"map": [list, {"var": "qty"}]}'),
    (var(""), "", "unknown_field", '""', "an item exists inside `map`, `filter`, `all`, `some` and `none` only"),
    ({"coalese": [var("note"), 1]}, "", "unknown_operator", "coalese", "did you mean `coalesce`?"),
    ({"===": [var("job"), "x"]}, "", "unknown_operator", "===", "write `==`: nothing is converted here"),
    ({"now": []}, "", "unknown_operator", "now", 'a decision has no clock: its date is {"var": "as_of"}'),
    ({"hours": 1, "tenure": 2}, "", "not_an_operator", "an object with hours, tenure", "write `object`"),
    ({"table": ["teir", "rate"]}, "/table/0", "unknown_table", "teir", "did you mean `tier`?"),
    ({"table": ["tier", "rat"]}, "/table/1", "unknown_column", "rat", "did you mean `rate`?"),
    ({"+": ["1", 2]}, "/+/0", "wrong_type", 'text "1"', "`parse_decimal`"),
    ({"+": [var("hours"), var("job")]}, "/+/1", "wrong_type", "text", "`parse_decimal`"),
    ({"*": [var("hours")]}, "", "wrong_arity", "1", None),
    ({"substr": [var("job"), 1, 2, 3]}, "", "wrong_arity", "4", None),
    ({"if": [var("paid"), 1]}, "", "wrong_arity", "2", None),
    ({"if": [var("paid"), 1, var("paid"), 2]}, "", "wrong_arity", "4 arguments", "write null as the last argument"),
    (chosen(var("hours")), "/if/0", "wrong_type", "a decimal", 'compare it, like {">": [x, 0]}'),
    (chosen(var("lines")), "/if/0", "wrong_type", "a list", "ask for its length"),
    (chosen({"and": [var("paid"), 1]}), "/if/0/and/1", "wrong_type", "an integer 1", "compare it"),
    (chosen({"==": [var("status"), "ACTVE"]}), "/if/0/==/1", "not_in_values", '"ACTVE"', "did you mean `ACTIVE`?"),
    (chosen({"in": [var("status"), ["LEAV"]]}), "/if/0/in/1", "not_in_values", '"LEAV"', "did you mean `LEAVE`?"),
    (chosen({"==": [var("tenure"), "7"]}), "/if/0/==/1", "wrong_type", 'text "7"', "`parse_integer`"),
    (
        chosen({"==": [var("hired"), "1.10.26"]}),
        "/if/0/==/1",
        "wrong_type",
        'text "1.10.26"',
        "write dates as 2026-01-31",
    ),
    (chosen({"==": [var("job"), None]}), "/if/0", "never_null", "text", 'declare it with "nullable": true'),
    (chosen({"in_range": [var("tenure"), "6-24"]}), "/if/0/in_range/1", "bad_cell", '"6-24"', None),
    (chosen({"in_range": [var("tenure"), "[24,6)"]}), "/if/0/in_range/1", "bad_cell", '"[24,6)"', None),
    (chosen({"matches": [var("job"), "(?=a)"]}), "/if/0/matches/1", "bad_pattern", '"(?=a)"', "no look-around"),
    (chosen({"matches": [var("job"), "(a)\\1"]}), "/if/0/matches/1", "bad_pattern", '"(a)\\1"', "its groups"),
    ({"length": [var("note")]}, "/length/0", "may_be_null", "text or null", "give a value with `coalesce`"),
    (None, "", "may_be_null", "null", 'declare the output with "nullable": true'),
    ({"round": [var("hours"), 2, "half-up"]}, "/round/2", "bad_literal", '"half-up"', "did you mean `half_up`?"),
    ({"round": [var("hours"), "2", "half_up"]}, "/round/1", "bad_literal", '"2"', None),
    ({"date_add": [var("hired"), 1, "month"]}, "/date_add/2", "bad_literal", '"month"', "did you mean `months`?"),
    ({"parse_date": [var("job"), "yyyy-mm"]}, "/parse_date/1", "bad_literal", '"yyyy-mm"', None),
    (
        {"parse_decimal": [var("job"), {"decimal": ","}]},
        "/parse_decimal/1/decimal",
        "unknown_option",
        "decimal",
        "did you mean `decimal_mark`?",
    ),
    ({"lookup": ["codes", var("tenure")]}, "/lookup/1", "wrong_type", "an integer", "`to_text`"),
    (
        {"lookup": ["codes", var("job"), {"on_miss": "defalt"}]},
        "/lookup/2/on_miss",
        "bad_literal",
        '"defalt"',
        "did you mean `default`?",
    ),
    (
        {"lookup": ["codes", var("job"), {"on_miss": "default"}]},
        "/lookup",
        "bad_literal",
        "none",
        'add it, like {"on_miss": "default", "default": ""}',
    ),
    (
        {"lookup": ["codes", var("job"), {"default": ""}]},
        "/lookup",
        "bad_literal",
        "one",
        'set "on_miss": "default"',
    ),
    ({"sum": [var("lines")]}, "/sum/0", "wrong_type", "a list of an object", None),
    ({"sum": [{"map": [var("lines"), var("qyt")]}]}, "/sum/0/map/1", "unknown_field", "qyt", "did you mean `qty`?"),
    ({"max": [[]]}, "/max/0", "wrong_type", "an empty list", None),
    ({"map": [var("lines"), var("qty")]}, "", "wrong_type", "a list", "`sum` or `count`"),
    (
        {"reduce": [var("lines"), {"+": [var("acumulator"), var("current.qty")]}, 0]},
        "/reduce/1/+/0",
        "unknown_field",
        "acumulator",
        "did you mean `accumulator`?",
    ),
    ({"count": [{"missing": ["tenure"]}]}, "/count/0/missing/0", "never_null", "an integer", '"required": false'),
    ({"count": [{"missing": ["notes"]}]}, "/count/0/missing/0", "unknown_input", "notes", "did you mean `note`?"),
    (1.5, "", "bad_literal", "1.5", None),
    (Decimal("1e40"), "", "bad_literal", "1E+40", None),
]

DECLARATIONS = [
    ("kind", "acrual", "kind", "wrong_value", '"acrual"', "did you mean `accrual`?"),
    ("outptus", {}, "outptus", "unknown_key", "outptus", "did you mean `outputs`?"),
    ("owner", 7, "owner", "wrong_value", "7", None),
    ("effective", {"from": "1.10.2026"}, "effective/from", "wrong_value", '"1.10.2026"', None),
    ("effective", {"from": "2026-10-01", "to": "2026-01-01"}, "effective/to", "wrong_value", '"2026-01-01"', None),
    ("inputs/hours/scale", NOTHING, "inputs/hours/scale", "missing_key", "nothing", None),
    ("inputs/hours/scale", 40, "inputs/hours/scale", "wrong_value", "40", None),
    ("inputs/hours/typ", "x", "inputs/hours/typ", "unknown_key", "typ", "did you mean `type`?"),
    ("inputs/hours/type", "decimals", "inputs/hours/type", "wrong_value", '"decimals"', "did you mean `decimal`?"),
    ("inputs/status/values", NOTHING, "inputs/status/values", "missing_key", "nothing", None),
    ("inputs/job/values", ["A"], "inputs/job/values", "wrong_value", "a list of 1", 'set "type": "enum"'),
    (
        "inputs/job/normalize",
        ["trimm"],
        "inputs/job/normalize",
        "unknown_normalization",
        "trimm",
        "did you mean `trim`?",
    ),
    ("inputs/job/min", 1, "inputs/job/min", "wrong_value", "1", None),
    ("inputs/tenure/max", "x", "inputs/tenure/max", "wrong_value", '"x"', None),
    ("inputs/tenure/max", -1, "inputs/tenure/max", "wrong_value", "-1", None),
    ("inputs/tenure/required", "yes", "inputs/tenure/required", "wrong_value", '"yes"', None),
    ("inputs/lines/items", NOTHING, "inputs/lines/items", "missing_key", "nothing", None),
    ("inputs/months", {"type": "integer"}, "let/months", "name_taken", "months", None),
    ("let/twice", {"*": [var("tenur"), 2]}, "let/twice/*/0", "unknown_field", "tenur", "did you mean `tenure`?"),
    ("let/self", var("self"), "let/self", "cycle", "a cycle", None),
    ("tables/tier/hit", "uniqe", "tables/tier/hit", "wrong_value", '"uniqe"', "did you mean `unique`?"),
    ("tables/tier/in", ["moths"], "tables/tier/in/0", "unknown_field", "moths", "did you mean `months`?"),
    ("tables/tier/colect", "sum", "tables/tier/colect", "unknown_key", "colect", "did you mean `collect`?"),
    ("tables/tier/collect", "sum", "tables/tier/collect", "wrong_value", '"sum"', None),
    ("tables/tier/priority", {"by": "rate"}, "tables/tier/priority", "wrong_value", "an object with by", None),
    (ROWS, [], ROWS, "wrong_value", "a list of 0", None),
    (ROWS + "/0", ["[0,24)"], ROWS + "/0", "bad_row", "a list of 1", None),
    (ROWS + "/0/0", "[0;24)", ROWS + "/0/0", "bad_cell", '"[0;24)"', None),
    (ROWS + "/0/0", "soon", ROWS + "/0/0", "bad_cell", '"soon"', None),
    (ROWS + "/1/0", "[12,)", ROWS + "/1", "table_overlap", "rows 1 and 2", 'use "hit": "first"'),
    ("outputs/points/scale", NOTHING, "outputs/points/scale", "missing_key", "nothing", None),
    ("outputs/points/rounding", "halfup", "outputs/points/rounding", "wrong_value", '"halfup"', "`half_up`"),
    ("outputs/points/nullabel", True, "outputs/points/nullabel", "unknown_key", "nullabel", "`nullable`"),
    ("outputs/points/expr", NOTHING, "outputs/points/expr", "missing_key", "nothing", None),
    ("outputs/refused", {"type": "integer", "expr": 1}, "outputs/refused", "name_taken", "refused", None),
    ("when", var("hours"), "when", "wrong_type", "a decimal", 'compare it, like {">": [x, 0]}'),
    (
        "aggregates",
        {"sum": {"of": "points", "period": "calendar_moth"}},
        "aggregates/sum/period",
        "wrong_value",
        '"calendar_moth"',
        "did you mean `calendar_month`?",
    ),
]

CASE = {"name": "one", "as_of": "2026-10-01", "given": {"hours": "8"}, "expect": {"points": "8.00"}}
CASES = [
    ({**CASE, "as_of": "today"}, "/as_of", "wrong_value", '"today"', None),
    ({**CASE, "expect": {"point": "8.00"}}, "/expect/point", "unknown_output", "point", "did you mean `points`?"),
    ({**CASE, "expect": {"points": "eight"}}, "/expect/points", "bad_decimal", '"eight"', None),
    ({**CASE, "expect": {"points": "8.005"}}, "/expect/points", "excess_digits", '"8.005"', None),
    ({**CASE, "gvien": {}}, "/gvien", "unknown_key", "gvien", "did you mean `given`?"),
    ({**CASE, "name": ""}, "/name", "wrong_value", '""', None),
    ({**CASE, "code_tables": {"codes": 1}}, "/code_tables", "wrong_value", "an object with codes", None),
]


def require_one(document: Any, pointer: str, code: str, found: str, suggestion: str | None) -> None:
    """Fails unless exactly this is said of the document, in whole sentences."""
    [fault] = faults(document)
    assert (fault.pointer, fault.code, fault.found) == (pointer, code, found)
    assert fault.message
    assert fault.expected
    assert fault.expected != fault.found
    if suggestion is None:
        assert fault.suggestion is None
    else:
        assert suggestion in (fault.suggestion or "")


def test_the_rule_without_a_mistake_loads():
    assert compile_ruleset({**RULE, "cases": [CASE]}).cases[0].name == "one"


class TestOneMistakeIsOneFault:
    @pytest.mark.parametrize(
        ("expr", "place", "code", "found", "suggestion"), EXPRESSIONS, ids=lambda one: str(one)[:40]
    )
    def test_in_an_expression(self, expr, place, code, found, suggestion):
        require_one(changed(EXPR, expr), f"/{EXPR}{place}", code, found, suggestion)

    @pytest.mark.parametrize(
        ("path", "value", "place", "code", "found", "suggestion"), DECLARATIONS, ids=lambda one: str(one)[:40]
    )
    def test_in_a_declaration(self, path, value, place, code, found, suggestion):
        require_one(changed(path, value), f"/{place}", code, found, suggestion)

    @pytest.mark.parametrize(("case", "place", "code", "found", "suggestion"), CASES, ids=lambda one: str(one)[:40])
    def test_in_a_case(self, case, place, code, found, suggestion):
        require_one({**RULE, "cases": [case]}, f"/cases/0{place}", code, found, suggestion)

    def test_in_a_layout_it_has_the_layouts_pointer(self):
        fields = {"id": {"type": "string", "expr": {"trim": [var("empid")]}}}
        with pytest.raises(RuleRefused) as raised:
            compile_fields({"emp_id": {}}, fields, pointer="/fields_of/acme")
        [fault] = raised.value.faults
        assert (fault.pointer, fault.suggestion) == (
            "/fields_of/acme/fields/id/expr/trim/0",
            "did you mean `emp_id`?",
        )


class TestManyMistakes:
    def test_are_all_reported_at_once_and_the_first_is_the_message(self):
        document = changed(EXPR, {"*": [var("tenur"), {"+": [var("hourz"), "1"]}]})
        document["tables"]["tier"]["hit"] = "uniqe"
        with pytest.raises(RuleRefused) as raised:
            compile_ruleset(document)
        assert [fault.pointer for fault in raised.value.faults] == [
            "/tables/tier/hit",
            "/outputs/points/expr/*/0",
            "/outputs/points/expr/*/1/+/0",
            "/outputs/points/expr/*/1/+/1",
        ]
        assert str(raised.value) == (
            '/tables/tier/hit: expected one of unique, any, first, priority, collect, found "uniqe"; '
            "did you mean `unique`? (3 more)"
        )

    def test_are_told_in_the_words_of_the_issue(self):
        [fault] = faults(changed(EXPR, var("tenur")))
        assert f"{fault.message}; {fault.suggestion}" == "unknown field `tenur`; did you mean `tenure`?"


RANKED = {
    "hit": "priority",
    "priority": {"by": "rate", "order": "highest"},
    "in": ["months"],
    "out": {"rate": {"type": "integer"}},
    "rows": [["-", 1], [["1", "2"], 2]],
}
JUDGED = {
    "kind": "validation",
    "inputs": RULE["inputs"],
    "outputs": {
        "violations": {"type": "list", "items": {"type": "enum", "values": ["note"]}, "expr": {"missing": ["note"]}}
    },
}
OTHER = [None, True, 7, "x", "table\0tier", [], [[]], [{}], {}, {"type": []}, {"x": {}}]


class TestAnythingAnywhere:
    @pytest.mark.parametrize("value", OTHER, ids=repr)
    @pytest.mark.parametrize(
        "whole", [{**RULE, "cases": [CASE]}, changed("tables/tier", RANKED), JUDGED], ids=["rule", "ranked", "judged"]
    )
    def test_is_read_or_refused_with_its_place(self, whole, value):
        assert compile_ruleset(whole).outputs
        for path in places(whole):
            try:
                compile_ruleset(replaced(whole, path, value))
            except RuleRefused as refused:
                require_pointed_faults(refused)

    @pytest.mark.parametrize("name", ["table\0tier", "table\0other", "\n"])
    @pytest.mark.parametrize("part", ["let", "inputs", "tables", "outputs"])
    def test_names_that_nobody_can_read_are_refused_and_mix_up_nothing(self, part, name):
        named = {**RULE[part], name: next(iter(RULE[part].values()))}
        found = faults({**RULE, part: named})
        assert (found[0].pointer, found[0].code) == (f"/{part}/{name}", "bad_name")


class TestPointers:
    @pytest.mark.parametrize("name", ["a/b", "m~n", "~1", "é", " "])
    def test_escape_what_stands_in_a_name(self, name):
        document = {**RULE, "let": {**RULE["let"], name: {"+": [var("hours"), "x"]}}}
        [fault] = faults(document)
        escaped = name.replace("~", "~0").replace("/", "~1")
        assert fault.pointer == f"/let/{escaped}/+/1"

    @pytest.mark.parametrize("place", ["inputs/hours/type", "let/months", "tables/tier/out"])
    def test_who_uses_what_is_wrong_is_not_blamed(self, place):
        assert all(fault.pointer.startswith(f"/{place}") for fault in faults(changed(place, {"x": 1, "y": 2})))
