"""Random rules in compatibility mode: where two other engines say the same, ours says it too."""

import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused, RuleRefused, parse_json
from tests.compatibility.checking import compile_plain
from tests.compatibility.javascript import from_json, same, to_json
from tests.compatibility.oracles import REFUSED, Datalogic
from tests.compatibility.plain_rules import DATA, RECORDS, RULES

EXAMPLES = 2_000
EDGES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2.5, -7, 1e21, 1e-6, 1.5e-7, 123456789.125),
    *("", "0", "1", " 7 ", "-2.5", "1e2", "0x1f", "3 apples", "a", "b", "null"),
    *([], [0], [1, 2], ["a"], [[1], None], {}),
]
BINARY = (
    "==",
    "===",
    "!=",
    "!==",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "min",
    "max",
    "and",
    "or",
    "in",
    "cat",
)


def ours(rule: Any, data: Any) -> Any:
    """The answer in compatibility mode, of the rule as text: so the numbers are read as the product reads them."""
    try:
        return compile_plain(parse_json(json.dumps(rule)))(parse_json(json.dumps(data)))
    except (DecisionRefused, RuleRefused):
        return REFUSED


def test_random_rules_are_answered_as_two_other_engines_agree(reference, record_property):
    tally: Counter[str] = Counter()
    datalogic = Datalogic()

    @seed(20261001)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(RULES, st.one_of(RECORDS, DATA))
    def compare(rule, data):
        found, first, second = ours(rule, data), reference(rule, data), datalogic(rule, data)
        first, second = (answer if answer is REFUSED else to_json(from_json(answer)) for answer in (first, second))
        tally["rules"] += 1
        tally["as json-logic-js"] += same(found, first)
        tally["as datalogic-py"] += same(found, second)
        if same(first, second):
            tally["agreed"] += 1
            assert same(found, first), f"{json.dumps(rule)} with {json.dumps(data)}: {found}, not {first}"

    compare()
    record_property(
        "figure",
        f"random rules in compatibility mode: the two other engines agree on {tally['agreed']} of {tally['rules']}, "
        f"on these ours agrees too; it agrees with json-logic-js on {tally['as json-logic-js'] / tally['rules']:.1%}, "
        f"with datalogic-py on {tally['as datalogic-py'] / tally['rules']:.1%} of all",
    )
    assert tally["agreed"] > tally["rules"] // 2


def test_every_operator_of_every_pair_of_edge_values_is_answered_as_by_the_reference_implementation(
    reference, record_property
):
    # The values are data, so that one rule answers for all pairs.
    pairs = {"pairs": [{"a": left, "b": right} for left in EDGES for right in EDGES]}
    wrong = []
    for operator in BINARY:
        rule = {"map": [{"var": "pairs"}, {operator: [{"var": "a"}, {"var": "b"}]}]}
        found, expected = ours(rule, pairs), to_json(from_json(reference(rule, pairs)))
        wrong += [
            f"{operator} of {pair}: {mine}, not {theirs}"
            for pair, mine, theirs in zip(pairs["pairs"], found, expected, strict=True)
            if not same(mine, theirs)
        ]
    count = len(BINARY) * len(EDGES) ** 2
    record_property(
        "figure",
        f"pairs of edge values in compatibility mode: {count - len(wrong)} of {count} answered as by json-logic-js",
    )
    assert wrong == []
