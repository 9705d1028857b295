"""Two formulas that mean different things never have the same words: one could be approved for the other."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from chalicelib.rules.diffing.forms import Forms, parsed
from chalicelib.rules.rendering.markdown import render
from chalicelib.rules.rendering.parts import escaped
from chalicelib.rules.rendering.words import Words
from tests.unit.language.generated_rules import OUTPUTS
from tests.unit.rules.test_diffing_property import disturbed, everywhere


def v(name: str) -> dict[str, str]:
    return {"var": name}


LEAVES: dict[str, list[Any]] = {
    "number": [v("h"), v("k"), 5, Decimal("5.0"), -5, {"table": ["t", "rate"]}],
    "boolean": [v("p"), v("q"), {"table": ["t", "ok"]}],
    "text": [v("s"), v("u"), "s", ", ", "”", "a  b", ""],
    "date": [v("d"), v("as_of"), "2026-01-31"],
    "numbers": [v("ns"), v("ms")],
    "texts": [v("ts"), v("us")],
}
#: What an operator takes and gives, by the kinds of its arguments.
SHAPES: list[tuple[str, str, tuple[str, ...]]] = [
    *((kind, "boolean", ("number", "number")) for kind in ("==", "!=", "<", ">=")),
    *((kind, "boolean", ("number", "number", "number")) for kind in ("<", "<=")),
    *((kind, "boolean", ("text", "text")) for kind in ("==", "in")),
    *((kind, "boolean", ("date", "date")) for kind in ("==", "<")),
    *((kind, "boolean", ("boolean",) * count) for kind in ("and", "or") for count in (2, 3)),
    ("!", "boolean", ("boolean",)),
    ("==", "boolean", ("boolean", "boolean")),
    *((kind, "boolean", ("numbers", "boolean")) for kind in ("all", "some", "none")),
    ("in", "boolean", ("text", "texts")),
    *((kind, "number", ("number",) * count) for kind in ("+", "*", "min", "max") for count in (2, 3)),
    *((kind, "number", ("number", "number")) for kind in ("-", "/", "%")),
    *((kind, "number", ("number",)) for kind in ("-", "abs")),
    *(("if", kind, ("boolean", kind, kind)) for kind in ("number", "boolean", "text", "numbers")),
    ("if", "number", ("boolean", "number", "boolean", "number", "number")),
    *(("coalesce", kind, (kind,) * count) for kind in ("number", "text") for count in (1, 2, 3)),
    *((kind, "number", ("numbers",)) for kind in ("sum", "count", "min", "max")),
    ("reduce", "number", ("numbers", "number", "number")),
    *((kind, "number", ("date", "date")) for kind in ("months_between", "days_between")),
    ("map", "numbers", ("numbers", "number")),
    ("filter", "numbers", ("numbers", "boolean")),
    *(("merge", "numbers", ("numbers",) * count) for count in (1, 2)),
    ("cat", "text", ("text",)),
    ("cat", "text", ("text", "text")),
    *((kind, "text", ("text",)) for kind in ("trim", "upper", "lower", "normalize")),
    ("substr", "text", ("text", "number")),
    ("substr", "text", ("text", "number", "number")),
    ("length", "number", ("text",)),
    ("parse_integer", "number", ("text",)),
    ("parse_decimal", "number", ("text",)),
    ("to_text", "text", ("number",)),
]
#: Operators with arguments that are written out.
WRITTEN: list[tuple[str, Any]] = [
    ("number", lambda of: {"round": [of("number"), 2, "half_up"]}),
    ("number", lambda of: {"round": [of("number"), 0, "half_up"]}),
    ("text", lambda of: {"to_text": [of("number"), 2]}),
    ("boolean", lambda of: {"in_range": [of("number"), "[5,)"]}),
    ("boolean", lambda of: {"in_range": [of("number"), "(5,)"]}),
    ("boolean", lambda of: {"in_range": [of("number"), "(,5)"]}),
    ("boolean", lambda of: {"in_range": [of("number"), "[5,5]"]}),
    ("boolean", lambda of: {"in": [of("text"), ["s", "t"]]}),
    ("boolean", lambda of: {"in": [of("number"), [of("number"), of("number")]]}),
    ("boolean", lambda of: {"!": {"in": [of("text"), [of("text"), of("text")]]}}),
    ("boolean", lambda of: {"==": [of("number"), None]}),
    ("boolean", lambda of: {"==": [of("boolean"), True]}),
    ("boolean", lambda of: {"matches": [of("text"), "[a-z]+"]}),
    ("date", lambda of: {"date_add": [of("date"), of("number"), "days"]}),
    ("date", lambda of: {"start_of": [of("date"), "month"]}),
    ("text", lambda of: {"format_date": [of("date"), "M/D/YYYY"]}),
    ("date", lambda of: {"parse_date": [of("text"), "M/D/YYYY"]}),
    ("text", lambda of: {"replace": [of("text"), "a", "b"]}),
    ("text", lambda of: {"pad_left": [of("text"), 5, "0"]}),
    ("text", lambda of: {"split": [of("text"), ",", 0]}),
    ("text", lambda of: {"split": [of("text"), ",", -1, {"on_miss": "default", "default": of("text")}]}),
    ("text", lambda of: {"lookup": ["codes", of("text")]}),
    ("text", lambda of: {"lookup": ["codes", of("text"), {"on_miss": "default", "default": of("text")}]}),
    ("texts", lambda of: {"split": [of("text"), ","]}),
    ("texts", lambda of: [of("text"), of("text")]),
    ("numbers", lambda of: {"allocate": [of("number"), of("numbers"), 2]}),
    ("number", lambda of: {"sum": {"map": [of("numbers"), of("number")]}}),
]


def shallow() -> dict[str, list[Any]]:
    """Every operator over plain names and constants."""
    found: dict[str, list[Any]] = {kind: [] for kind in LEAVES}
    for operator, kind, takes in SHAPES:
        for arguments in product(*(LEAVES[one][:2] for one in takes)):
            found[kind].append({operator: list(arguments)})
    random = Random(7)  # noqa: S311 - a repeatable test
    for kind, build in WRITTEN:
        found[kind].extend(build(lambda one: random.choice(LEAVES[one][:3])) for _ in range(4))
    return found


SHALLOW = shallow()


def nested() -> Iterator[Any]:
    """Every operator at every place of every other one."""
    for operator, _, takes in SHAPES:
        for place, kind in enumerate(takes):
            for inner in SHALLOW[kind]:
                arguments = [LEAVES[one][slot % 2] for slot, one in enumerate(takes)]
                arguments[place] = inner
                yield {operator: arguments}
    random = Random(11)  # noqa: S311 - a repeatable test
    for _, build in WRITTEN:
        for _ in range(150):
            yield build(lambda one: random.choice([*LEAVES[one], *SHALLOW[one]]))


def grown(kind: str, levels: int, random: Random) -> Any:
    """A random formula over few names, so that many of them look alike."""
    if levels == 0 or random.random() < 0.15:
        return random.choice(LEAVES[kind])
    shapes = [one for one in SHAPES if one[1] == kind]
    builds = [build for of, build in WRITTEN if of == kind]
    if builds and (not shapes or random.random() < 0.3):
        return random.choice(builds)(lambda one: grown(one, levels - 1, random))
    operator, _, takes = random.choice(shapes)
    return {operator: [grown(one, levels - 1, random) for one in takes]}


def told_alike(formulas: Iterator[Any]) -> list[tuple[str, Any, Any]]:
    """Formulas of one text and different meanings, as a document shows them."""
    seen: dict[str, tuple[Any, Any]] = {}
    alike = []
    for formula in formulas:
        text, form = escaped(Words().condition(formula)), Forms().of(parsed(formula, ""))
        known, other = seen.setdefault(text, (form, formula))
        if known != form:
            alike.append((text, formula, other))
    return alike


class TestOneTextOneMeaning:
    def test_every_operator_inside_every_other_one(self):
        assert told_alike(nested()) == []

    @pytest.mark.parametrize("kind", sorted(LEAVES))
    def test_deep_formulas_over_few_names(self, kind):
        random = Random(kind)  # noqa: S311 - a repeatable test
        assert told_alike(grown(kind, random.choice([2, 2, 3]), random) for _ in range(6_000)) == []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(OUTPUTS, st.randoms(use_true_random=False))
    def test_a_rule_and_the_same_rule_with_something_moved(self, generated, random):
        rule, _ = generated
        other = moved(rule, random) if random.random() < 0.5 else disturbed(rule, random)
        one, two = (Forms().of(parsed(formula, "")) for formula in (rule, other))
        assume(one != two)
        event("differ")
        assert escaped(Words().of(rule)) != escaped(Words().of(other))

    @pytest.mark.parametrize(
        ("raw", "told"),
        [
            ({"+": [{"min": [v("h"), v("k")]}, 100]}, "(the least of h and k) + 100"),
            ({"min": [v("h"), {"+": [v("k"), 100]}]}, "the least of h and (k + 100)"),
            ({"-": [{"max": [v("a"), v("b")]}, v("c")]}, "(the greatest of a and b) − c"),
            ({"+": [{"%": [v("h"), v("b")]}, 1]}, "(the rest of h divided by b) + 1"),
            ({"%": [v("h"), {"+": [v("b"), 1]}]}, "the rest of h divided by (b + 1)"),
            (
                {"and": [{"some": [v("xs"), {">": [v(""), 1]}]}, v("z")]},
                "(for at least one item of xs, the item is more than 1) and z is true",
            ),
            ({"or": [{"!": {"==": [v("h"), 1]}}, v("c")]}, "it does not hold that (h is 1) or c is true"),
            ({"abs": {"-": [v("h"), v("k")]}}, "(h − k) without its sign"),
            ({"-": [v("h"), {"abs": v("k")}]}, "h − (k without its sign)"),
            ({"substr": [v("s"), 0, -2]}, "the part of s from character 1 on, without the last 2 characters of s"),
            ({"substr": [v("s"), -5]}, "the part of s from the last 5 characters on"),
            ({"split": [v("s"), ",", -2]}, "the last part but 1 of s, split at “,”"),
            ({"+": [v("a_b"), v("a b")]}, "a b + «a b»"),
            ({"+": [v("x_y"), v("x y")]}, "x y + «x y»"),
            ({"+": [v("years_of_service"), v("x")]}, "‘years of service’ + x"),
            ({"+": [v("x.y_z"), v("x.y.z")]}, "x’s y z + x’s y’s z"),
        ],
    )
    def test_reads_as_it_is_meant(self, raw, told):
        assert Words().condition(raw) == told


def moved(rule: Any, random: Random) -> Any:
    """A copy in which two operators, one inside the other, have changed places."""
    places: list[tuple[dict[str, Any], str, dict[str, Any], str, int]] = []

    def note(part: Any) -> Any:
        if isinstance(part, dict) and len(part) == 1:
            [(operator, arguments)] = part.items()
            for place, inner in enumerate(arguments if isinstance(arguments, list) else ()):
                if isinstance(inner, dict) and len(inner) == 1 and isinstance(next(iter(inner.values())), list):
                    places.append((part, operator, inner, next(iter(inner)), place))
        return part

    found = everywhere(rule, note)
    if places:
        outer, operator, inner, other, place = random.choice(places)
        arguments, others = outer.pop(operator), inner.pop(other)
        inner[operator] = [*arguments[:place], others[0], *arguments[place + 1 :]]
        outer[other] = [inner, *others[1:]]
    return found


class TestCells:
    def test_a_cell_of_a_text_column_is_the_text(self):
        assert "| “\\[1,2)” | 1 |" in shown({"type": "string"}, "[1,2)")

    def test_a_cell_of_a_number_column_is_a_range(self):
        assert "| 1 up to, not including, 2 | 1 |" in shown({"type": "integer"}, "[1,2)")

    def test_a_dash_in_a_list_is_a_dash(self):
        assert "| “-” or b | 1 |" in shown({"type": "string"}, ["-", "b"])

    @pytest.mark.parametrize("text", ["anything", "5 or more", "a, b", "b or c", "", " b"])
    def test_a_text_that_reads_as_something_else_is_in_quotes(self, text):
        assert f"| “{text.replace(' b', '␣b') if text[:1] == ' ' else text}” | 1 |" in shown({"type": "string"}, text)

    def test_a_table_of_a_rule_that_does_not_load_is_told_by_what_its_cells_look_like(self):
        assert "| 1 up to, not including, 2 | 1 |" in shown({"type": "no such type"}, "[1,2)")


def shown(declared: dict[str, Any], cell: Any) -> list[str]:
    table = {"hit": "first", "in": ["code"], "out": ["rate"], "rows": [[cell, 1], ["-", 2]]}
    document = {
        "kind": "accrual",
        "inputs": {"code": declared},
        "tables": {"t": table},
        "outputs": {"points": {"type": "integer", "expr": {"table": ["t", "rate"]}}},
    }
    return render(document).splitlines()
