"""What the strict dialect shares with plain JsonLogic means the same there: the same rule text, three engines."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from chalicelib.language import RuleRefused, compile_ruleset
from tests.compatibility.javascript import from_json, same, to_json
from tests.compatibility.oracles import Datalogic
from tests.compatibility.strict_rules import INPUTS, RECORDS, rules
from tests.unit.language.conftest import AS_OF, output_of

EXAMPLES = 1_500
INTEGERS = [-7, -2, -1, 0, 1, 3, 8]
DECIMALS = [Decimal(text) for text in ("-7.5", "-2", "-0.25", "0", "0.5", "3", "8.75")]
TEXTS = ["", "a", "b", "ab", "abc", "äbc"]
NUMERIC = ("+", "-", "*", "%", "/", "min", "max", "<", "<=", ">", ">=", "==", "!=")
# A number is written with at most twelve decimal places; a product of quarters may have more.
PLACES = 12


def test_a_strict_rule_is_answered_as_two_other_engines_answer_it(reference, record_property):
    tally: Counter[str] = Counter()
    reasons: set[str] = set()
    datalogic = Datalogic()

    @seed(20261001)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(rules(levels=3), RECORDS)
    def compare(written, record):
        expr, kind = written
        tally["rules"] += 1
        try:
            compiled = compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": output_of(expr, kind)}})
        except RuleRefused as refused:
            tally["refused"] += 1
            reasons.update(fault.code for fault in refused.faults)
            return
        decided = compiled.decide(compiled.read(record), as_of=AS_OF)
        assert decided is not None
        rule, data = plain(expr), plain(record)
        answers = [rounded(engine(rule, data)) for engine in (reference, datalogic)]
        found = rounded(plain(decided["it"]))
        tally["decided"] += 1
        tally["as json-logic-js"] += same(found, answers[0])
        tally["as datalogic-py"] += same(found, answers[1])
        if same(*answers):
            tally["agreed"] += 1
            assert same(found, answers[0]), f"{json.dumps(rule)} with {json.dumps(data)}: {found}, not {answers[0]}"

    compare()
    # A test with only one answer is a mistake in the strict dialect, and the only one made here.
    assert reasons <= {"not_in_values"}
    record_property(
        "figure",
        f"random strict rules: of {tally['decided']} decided ({tally['refused']} refused at load) the two other "
        f"engines agree on {tally['agreed']}, on these ours agrees too; it agrees with json-logic-js on "
        f"{tally['as json-logic-js'] / tally['decided']:.1%}, with datalogic-py on "
        f"{tally['as datalogic-py'] / tally['decided']:.1%}",
    )
    assert tally["agreed"] > tally["rules"] // 2


def pairs_of(operator: str, values: list[Any]) -> list[tuple[Any, Any]]:
    """The pairs that have an answer: the strict dialect refuses to divide by zero."""
    divides = operator in {"/", "%"}
    return [(left, right) for left in values for right in values if right or not divides]


@pytest.mark.parametrize(
    ("operator", "kind", "values"),
    [
        *((operator, "integer", INTEGERS) for operator in NUMERIC),
        *((operator, "decimal", DECIMALS) for operator in NUMERIC),
        *((operator, "string", TEXTS) for operator in ("==", "!=", "in", "cat")),
    ],
)
def test_an_operator_of_edge_values_is_answered_as_by_the_reference_implementation(reference, operator, kind, values):
    field = {"type": kind, **({"scale": 2} if kind == "decimal" else {})}
    expr = {operator: [{"var": "a"}, {"var": "b"}]}
    result = {"string": "string" if operator == "cat" else "boolean"}.get(kind, "decimal")
    result = "boolean" if operator in {"<", "<=", ">", ">=", "==", "!="} else result
    compiled = compile_ruleset(
        {"kind": "mapping", "inputs": {"a": field, "b": field}, "outputs": {"it": output_of(expr, result)}}
    )
    for left, right in pairs_of(operator, values):
        decided = compiled.decide(compiled.read({"a": left, "b": right}), as_of=AS_OF)
        assert decided is not None
        expected = rounded(reference(expr, plain({"a": left, "b": right})))
        if (operator, left, right) == ("in", "", ""):
            continue  # known to differ, see below
        assert same(rounded(plain(decided["it"])), expected), f"{left} {operator} {right}"


@pytest.mark.parametrize(
    ("expr", "here", "there"),
    [
        # An empty text is part of every text, the empty one too.
        ({"in": [{"substr": [{"var": "text"}, 0, 0]}, {"var": "text"}]}, True, False),
        # The names around a loop stay visible inside it.
        ({"some": [{"var": "amounts"}, {"==": [{"var": "count"}, 1]}]}, True, False),
    ],
    ids=["empty text", "names around a loop"],
)
def test_known_differences_from_the_reference_implementation(reference, expr, here, there):
    record = {
        "count": 1,
        "limit": 0,
        "hours": "0",
        "text": "",
        "status": "TERM",
        "paid": False,
        "address": {"city": "", "floor": 0},
        "amounts": ["1"],
        "tags": [],
        "lines": [],
    }
    compiled = compile_ruleset({"kind": "mapping", "inputs": INPUTS, "outputs": {"it": output_of(expr, "boolean")}})
    assert reference(expr, record) is there
    assert compiled.decide(compiled.read(record), as_of=AS_OF) == {"it": here}


def plain(value: Any) -> Any:
    """A rule, record or answer as other engines read it: with binary numbers."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value


def rounded(value: Any) -> Any:
    value = to_json(from_json(value))
    return round(value, PLACES) if isinstance(value, float) else value
