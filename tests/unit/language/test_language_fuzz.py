"""Nothing that is fed to the language as a rule or as a record gets out by another way than the declared errors.

Every example runs under guards (``hostile``): a hang fails, and so does asking for much memory. Every program that is
generated is read again as Python and may hold nothing but the compiler's own constructs and names.
"""

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from chalicelib.language import RuleRefused, compile_expression, compile_fields, compile_ruleset, parse_json
from chalicelib.language.operators import GRAMMAR
from tests.unit.language.conftest import FACTS, INPUTS, output_of, rule, var
from tests.unit.language.hostile import (
    ANYTHING,
    EXPRESSIONS,
    TEXTS,
    compiled_or_refused,
    guarded,
    mutated,
    places,
    require_only_compilers_words,
    require_pointed_faults,
    rulesets,
    use,
)

SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=SLOW_MACHINE)
KINDS = st.sampled_from(["decimal", "string", "boolean", "integer", "date", "enum"])
REAL = rulesets()


def document(expr, kind="decimal", **parts):
    return {"kind": "mapping", "inputs": INPUTS, "outputs": {"it": output_of(expr, kind)}, **parts}


class TestRuleTexts:
    @FUZZ
    @given(
        st.one_of(
            st.text(), st.binary(), ANYTHING.map(repr), EXPRESSIONS.map(lambda expr: json.dumps(expr, default=str))
        )
    )
    @example(b"\xff\xfe[")
    @example('{"a": 1e400}')
    def test_any_text_is_read_or_refused(self, text):
        with guarded():
            try:
                read = parse_json(text)
            except RuleRefused:
                return
        compiled_or_refused(read)
        compiled_or_refused(document(read))

    @settings(FUZZ, max_examples=500)
    @given(EXPRESSIONS, KINDS, st.one_of(st.none(), EXPRESSIONS), st.dictionaries(TEXTS, EXPRESSIONS, max_size=2))
    def test_any_expression_is_decided_or_refused(self, expr, kind, when, let):
        compiled = compiled_or_refused(document(expr, kind, let=let, **({} if when is None else {"when": when})))
        event("refused at load" if compiled is None else use(compiled, FACTS))

    @settings(FUZZ, max_examples=500)
    @given(mutated(list(REAL.values())))
    def test_a_real_rule_file_with_anything_changed_is_decided_or_refused(self, changed):
        compiled = compiled_or_refused(changed)
        if compiled is None:
            event("refused at load")
            return
        for case in compiled.cases:
            event(use(compiled, case.given))

    @FUZZ
    @given(
        st.dictionaries(TEXTS, ANYTHING, max_size=3), st.dictionaries(TEXTS, ANYTHING, max_size=3), ANYTHING, ANYTHING
    )
    def test_any_layout_is_compiled_or_refused(self, columns, fields, let, ignore_when):
        with guarded():
            try:
                compiled = compile_fields(columns, fields, let=let, ignore_when=ignore_when)
            except RuleRefused:
                return
        require_only_compilers_words(compiled.source)
        use(compiled, dict.fromkeys(columns, "7"))

    @FUZZ
    @given(
        st.text(alphabet="ab01()[]{}|*+?.^$,-:\\\\dws\n\u00e9", max_size=30),
        st.text(alphabet="ab01\n\u00e9 ", max_size=30),
    )
    def test_any_pattern_is_matched_or_refused(self, pattern, text):
        compiled = compiled_or_refused(document({"matches": [var("text"), pattern]}, "boolean"))
        event("refused at load" if compiled is None else use(compiled, {**FACTS, "text": text}))

    @FUZZ
    @given(EXPRESSIONS, KINDS)
    def test_any_single_expression_is_compiled_or_refused(self, expr, kind):
        with guarded():
            try:
                compile_expression(expr, INPUTS, result=kind)
            except RuleRefused as refused:
                require_pointed_faults(refused)


class TestDeepWideAndHuge:
    @pytest.mark.parametrize("operator", sorted(GRAMMAR))
    @pytest.mark.parametrize("depth", [40, 70, 3_000])
    def test_any_operator_nested_to_any_depth(self, operator, depth):
        for leaf in ({"var": "count"}, {"var": "text"}, {"var": "tags"}, True):
            for before, after in ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2)):
                nested = leaf
                for _ in range(depth):
                    nested = {operator: [*[leaf] * before, nested, *[leaf] * after]}
                compiled = compiled_or_refused(document(nested))
                if compiled is not None:
                    use(compiled, FACTS)

    @pytest.mark.parametrize("operator", sorted(GRAMMAR))
    @pytest.mark.parametrize("width", [150, 199, 2_000, 200_000])
    def test_any_operator_of_any_width(self, operator, width):
        for leaf in (1, "1", True, {"var": "count"}, {"var": "text"}, [1]):
            compiled = compiled_or_refused(document({operator: [leaf] * width}))
            if compiled is not None:
                use(compiled, FACTS)

    @pytest.mark.parametrize("operator", sorted(GRAMMAR))
    @pytest.mark.parametrize(
        "large",
        ["x" * 4_096, "x" * 3_000_000, 10**18 - 1, 10**4_000, Decimal("9e27"), Decimal("1e-28")],
        ids=["longest text", "longer text", "largest integer", "larger integer", "largest decimal", "smallest decimal"],
    )
    def test_any_operator_of_large_values(self, operator, large):
        for count in range(1, 5):
            for other in ({"var": "text"}, {"var": "count"}, 1, "x", large):
                for arguments in ([large, *[other] * (count - 1)], [*[other] * (count - 1), large]):
                    compiled = compiled_or_refused(document({operator: arguments}, "string"))
                    if compiled is not None:
                        use(compiled, FACTS)

    @settings(FUZZ, max_examples=60)
    @given(st.sampled_from(sorted(REAL)), st.data())
    def test_a_real_rule_file_with_a_place_blown_up_is_decided_or_refused(self, name, data):
        whole = REAL[name]
        path = data.draw(st.sampled_from(list(places(whole))))
        huge = data.draw(st.sampled_from(["deep", "wide", "long", "many"]))
        for key in path[:-1]:
            whole = whole[key]
        compiled_or_refused(blown_up(REAL[name], path, huge))


def blown_up(whole, path, how):
    """A copy of a document with something enormous at a path."""
    if not path:
        return enormous(whole, how)
    copy = dict(whole) if isinstance(whole, dict) else list(whole)
    copy[path[0]] = blown_up(whole[path[0]], path[1:], how)
    return copy


def enormous(value, how):
    match how:
        case "deep":
            for _ in range(20_000):
                value = [value]
            return value
        case "wide":
            return [value] * 100_000
        case "long":
            return "9" * 3_000_000
    return {f"name {index}": value for index in range(30_000)}


class TestRecords:
    @FUZZ
    @given(st.sampled_from(sorted(REAL)), st.data())
    def test_any_record_is_decided_or_refused(self, name, data):
        compiled = compile_ruleset(REAL[name])
        known = data.draw(st.sampled_from([dict(case.given) for case in compiled.cases]))
        changed = data.draw(
            st.dictionaries(st.one_of(st.sampled_from(sorted(compiled.inputs)), TEXTS), ANYTHING, max_size=3)
        )
        tables = data.draw(
            st.one_of(st.none(), st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2))
        )
        event(use(compiled, {**known, **changed}, tables))

    @pytest.mark.parametrize("how", ["deep", "wide", "long", "many"])
    def test_an_enormous_value_is_refused(self, how):
        compiled = rule({"var": "count"}, "integer")
        for name in INPUTS:
            assert use(compiled, {**FACTS, name: enormous("9", how)}) == "input refused"

    def test_a_record_of_very_many_values_is_refused(self):
        assert use(rule({"var": "count"}, "integer"), enormous(1, "many")) == "input refused"
