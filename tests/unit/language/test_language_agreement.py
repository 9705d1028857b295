"""The compiled program and the interpreter are two readings of one tree: random rules and records must agree."""

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset, json_value
from chalicelib.language.operators import OPERATORS
from tests.unit.language import generated_rules as generated
from tests.unit.language.conftest import AS_OF, FACTS, INPUTS, rule

# Drawing nested rules takes its time, and more on a machine that does other things meanwhile.
SLOW_MACHINE = [HealthCheck.too_slow]


def test_random_rules_have_every_operator():
    assert sorted(OPERATORS.keys() - generated.operators()) == []


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW_MACHINE)
@given(
    generated.OUTPUTS,
    st.one_of(st.none(), generated.DEEP["boolean"]),
    st.lists(generated.RECORDS, min_size=1, max_size=8),
)
def test_a_random_rule_is_explained_as_it_is_decided(output, when, records):
    expr, shape = output
    document = {
        "kind": "mapping",
        "inputs": {**INPUTS, **generated.INPUTS},
        "let": generated.LET,
        "tables": generated.TABLES,
        **({} if when is None else {"when": when}),
        "outputs": {"it": {**shape, "expr": expr}},
    }
    try:
        compiled = compile_ruleset(document)
    except RuleRefused as refused:
        event("does not load")
        codes = {fault.code for fault in refused.faults}
    else:
        codes = set()
        for record in records:
            says_the_same_twice(compiled, {**FACTS, **record})
    # The rules are well typed. What is left to refuse: comparisons with a single possible answer, and what comes of
    # loops that are put inside one another at random.
    assert codes <= {"not_in_values", "ambiguous_name", "too_deep"}


def says_the_same_twice(compiled, facts):
    """Decide and explain one record and compare."""
    explained = compiled.explain(facts, as_of=AS_OF, code_tables=generated.CODES)
    try:
        decided = compiled.decide(facts, as_of=AS_OF, code_tables=generated.CODES)
        codes = []
    except DecisionRefused as refused:
        event("refused")
        decided = None
        codes = [fault.code for fault in refused.faults]
    else:
        event("decided" if decided is not None else "does not apply")
        assert explained["applies"] is (decided is not None)
    assert explained["outputs"] == json_value(decided)
    if decided is not None:
        says_the_same_on_the_way(explained, json_value(decided["it"]))
    assert [fault["code"] for fault in explained["faults"]] == codes


def says_the_same_on_the_way(explained, decided):
    """The last of the intermediate values is the decision, and the sentences end with it."""
    values = explained["values"]
    last = values.get("/outputs/it", values.get("/outputs/it/expr"))
    # A constant has no value of its own in the list.
    assert last == decided or "/outputs/it/expr" not in values
    assert "It " in explained["sentence"]
    for one in explained["conditions"]:
        value = values.get(one["pointer"])
        # Inside a list there is a value for each item.
        assert value in (one["held"], None) or "each" in value


NAMES = st.sampled_from(["map", "object", "reduce", "var", "if", "+", "cat", "in", "lookup", "table", "split", "=="])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.decimals(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(NAMES, st.text(max_size=5)), inner, max_size=2),
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW_MACHINE)
@given(JSON, JSON, JSON, JSON)
def test_a_random_document_loads_or_is_refused_by_name(expr, let, table, case):
    parts = {"let": {"a": let}, "tables": {"t": table}, "cases": [case]}
    for document in ({"when": expr, **parts}, parts, {"when": expr}):
        try:
            rule(expr, "string", **document)
            pointers = []
        except RuleRefused as refused:
            pointers = [fault.pointer for fault in refused.faults]
        assert all(pointer == "" or pointer.startswith("/") for pointer in pointers)
