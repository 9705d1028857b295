"""Hostile documents: refused, by a declared error, in bounded time."""

import time
from decimal import Decimal

import pytest

from chalicelib.errors import Broken
from chalicelib.language import (
    DecisionRefused,
    RuleRefused,
    code,
    compile_expression,
    compile_ruleset,
    emit,
    parse_json,
)
from chalicelib.language.bounds import EXPRESSION_DEPTH_MAX
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

SECONDS_MAX = 10


@pytest.fixture(autouse=True)
def in_bounded_time():
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS_MAX


def refusal_of(document):
    with pytest.raises(RuleRefused) as raised:
        compile_ruleset(document)
    return raised.value.faults


def document(expr, **parts):
    return {"kind": "mapping", "outputs": {"it": {"type": "integer", "expr": expr}}, **parts}


def nested(depth, inner, wrap):
    for _ in range(depth):
        inner = wrap(inner)
    return inner


class TestParseJson:
    def test_keeps_decimals_exactly(self):
        assert parse_json(b'{"a": 0.1, "b": 10, "c": [1.50]}') == {"a": Decimal("0.1"), "b": 10, "c": [Decimal("1.50")]}
        assert str(parse_json("1.50")) == "1.50"

    def test_reads_utf8_with_and_without_a_byte_order_mark(self):
        assert parse_json("\ufeff{}".encode()) == {}

    @pytest.mark.parametrize(
        "text",
        [
            "NaN",
            "[Infinity]",
            "[-Infinity]",
            "",
            "{",
            "[1,]",
            "'a'",
            b"\xff",
            b"\xfe\xff\x00{",
            "[" * 100_000,
            '{"a":' * 50_000,
            "9" * 100_000,
            "1e99999999999999999999999",
            "0." + "1" * 1000,
            " " * 5_000_000,
            r'["\ud800"]',
            r'{"\uDFFF": 1}',
        ],
        ids=lambda text: repr(text[:12]),
    )
    def test_refuses_everything_else(self, text):
        with pytest.raises(RuleRefused) as raised:
            parse_json(text)
        assert raised.value.faults[0].code == "not_json"

    def test_reads_a_character_that_is_escaped_in_two_halves(self):
        assert parse_json(r'["\ud83d\ude00"]') == ["\N{GRINNING FACE}"]

    def test_names_every_key_that_is_there_twice_and_its_place(self):
        with pytest.raises(RuleRefused, match='/rate: "rate" is there twice') as raised:
            parse_json('{"rate": 1, "x": [{"b": {"c~": 1, "c~": 1}}], "rate": 2}')
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [
            ("/rate", "repeated_name"),
            ("/x/0/b/c~0", "repeated_name"),
        ]

    def test_a_document_of_many_keys_with_one_twice_is_refused_at_once(self):
        keys = ",".join(f'"k{index}":0' for index in range(200_000))
        with pytest.raises(RuleRefused):
            parse_json("{" + keys + ',"k199999":1}')


class TestShape:
    @pytest.mark.parametrize("given", [None, [], "x", 7, {}, {"kind": {}}, {1: 2}, {"kind": None, "outputs": [1]}])
    def test_anything_that_is_no_ruleset_is_refused(self, given):
        assert refusal_of(given)

    def test_keys_are_text(self):
        assert refusal_of(document({1: 2}))[0].code == "bad_key"
        assert refusal_of(document({"x" * 1000: 2}))[0].code == "bad_key"

    @pytest.mark.parametrize(
        "value",
        [
            1.5,
            float("nan"),
            10**18,
            Decimal("1e30"),
            Decimal("NaN"),
            Decimal("1" * 29),
            "x" * 5000,
            "\ud800",
            b"x",
            {1},
        ],
    )
    def test_values_that_json_or_the_language_has_not_are_refused_where_they_stand(self, value):
        faults = refusal_of(document({"==": [1, value]}))
        assert (faults[0].pointer, faults[0].code) == ("/outputs/it/expr/==/1", "bad_literal")

    def test_a_document_that_holds_itself_is_refused(self):
        loop = []
        loop.append(loop)
        assert refusal_of(document(loop))[0].code == "too_deep"

    def test_a_small_document_that_unfolds_without_end_is_refused(self):
        bomb = nested(40, [1], lambda inner: [inner, inner])
        assert refusal_of(document({"in": [1, bomb]}))[0].code == "too_large"

    def test_a_wide_document_is_refused(self):
        assert refusal_of(document({"+": [1] * 3_000}))[0].code == "too_large"
        assert refusal_of(document({"+": [1] * 300}))[0].code == "too_large"
        assert refusal_of(document([[1] * 1_000] * 100))[0].code == "too_large"


class TestDepth:
    def test_an_expression_at_the_limit_loads_and_decides(self):
        deep = nested(EXPRESSION_DEPTH_MAX - 1, var("count"), lambda inner: {"+": [inner, 1]})
        assert rule(deep, "integer").decide(FACTS, as_of=AS_OF) == {"it": 7 + EXPRESSION_DEPTH_MAX - 1}

    def test_one_level_more_is_refused(self):
        deep = nested(EXPRESSION_DEPTH_MAX, var("count"), lambda inner: {"+": [inner, 1]})
        assert {fault.code for fault in refusal_of(document(deep))} == {"too_deep"}

    def test_thousands_of_levels_are_refused(self):
        deep = nested(100_000, 1, lambda inner: {"!": [inner]})
        assert refusal_of(document(deep))[0].code == "too_deep"
        with pytest.raises(RuleRefused):
            compile_expression(deep, {}, result="boolean")

    @pytest.mark.parametrize(
        ("levels", "wrap"),
        [
            (1, lambda inner: {"-": [inner]}),
            (1, lambda inner: {"min": [inner, 5]}),
            (1, lambda inner: {"coalesce": [var("limit"), inner]}),
            (1, lambda inner: {"if": [{"<": [var("count"), 9]}, inner, {"<": [var("count"), 3]}, 1, 2]}),
            (1, lambda inner: {"if": [{"<": [var("count"), 3]}, 1, {"<": [{"/": [1, var("count")]}, 9]}, inner, 2]}),
            (1, lambda inner: {"if": [*[var("paid"), 1] * 4, inner]}),
            (1, lambda inner: {"if": [{"!": var("paid")}, 1, {"<": [{"coalesce": [var("limit"), 1]}, 9]}, inner, 2]}),
            (2, lambda inner: {"if": [{"<": [inner, 9]}, 1, 2]}),
            (3, lambda inner: {"if": [{"and": [var("paid"), {"==": [inner, 1]}]}, 1, 0]}),
            (3, lambda inner: {"if": [{"or": [{"!": var("paid")}, {"<": [inner, 1]}]}, 1, 0]}),
        ],
    )
    def test_every_construct_nests_to_the_limit(self, levels, wrap, evaluate):
        deepest = nested((EXPRESSION_DEPTH_MAX - 4) // levels, var("count"), wrap)
        assert evaluate(deepest, "integer") is not None

    def test_ninety_arms_at_every_level_load_and_decide(self):
        def arms(inner):
            conditions = [part for n in range(20) for part in ({"==": [var("count"), 100 + n]}, n)]
            return {"if": [*conditions, {"==": [{"coalesce": [var("limit"), 1]}, 2]}, 2, *conditions, inner]}

        compiled = rule(nested(EXPRESSION_DEPTH_MAX - 4, var("count"), arms), "integer")
        assert compiled.decide(FACTS, as_of=AS_OF) == {"it": 7}
        assert compiled.decide({**FACTS, "count": 119}, as_of=AS_OF) == {"it": 19}
        assert compiled.decide({**FACTS, "limit": 2}, as_of=AS_OF) == {"it": 2}


class TestSize:
    def test_thousands_of_misspelt_names_are_refused_in_time(self):
        inputs = {f"field_number_{index}": {"type": "integer"} for index in range(1_000)}
        wrong = [{"+": [var(f"fild_numbr_{index}_{n}") for n in range(10)]} for index in range(400)]
        let = {f"l{index}": expr for index, expr in enumerate(wrong)}
        assert len(refusal_of(document(1, inputs=inputs, let=let))) == 200

    def test_thousands_of_values_outside_a_large_enum_are_refused_in_time(self):
        values = [f"value-number-{index}" for index in range(1_500)]
        inputs = {"e": {"type": "enum", "values": values}}
        let = {f"l{index}": {"==": [var("e"), f"value-numbr-{index}x"]} for index in range(1_500)}
        assert len(refusal_of(document(1, inputs=inputs, let=let))) == 200

    def test_a_large_table_is_held_to_its_policy_in_time(self):
        rows = [[f"[{index},{index + 1})", [f"{index}", "z"], index] for index in range(500)]
        inputs = {"n": {"type": "integer"}, "s": {"type": "string"}}
        table = {"hit": "unique", "in": ["n", "s"], "out": ["r"], "rows": rows}
        tables = {f"t{index}": table for index in range(4)}
        compile_ruleset(document({"table": ["t0", "r"]}, inputs=inputs, tables=tables))

    def test_too_many_rows_are_refused(self):
        rows = [[index, index] for index in range(450)]
        table = {"hit": "unique", "in": ["as_of"], "out": ["r"], "rows": rows}
        faults = refusal_of(document(1, tables={f"t{index}": table for index in range(5)}))
        assert faults[0].expected == "at most 2000 rows in all tables"

    def test_literals_whose_combinations_explode_are_not_spelled_out(self):
        many = [[str(index) for index in range(100)]]
        names = ["a", "b", "c", "d", "e"]
        inputs = {name: {"type": "string"} for name in names}
        table = {"hit": "unique", "in": names, "out": ["r"], "rows": [[*many * 5, 1]]}
        compiled = compile_ruleset(document({"table": ["t", "r"]}, inputs=inputs, tables={"t": table}))
        assert compiled.decide(dict.fromkeys(names, "99"), as_of=AS_OF) == {"it": 1}

    def test_numbers_that_square_forty_times_stop_in_time(self):
        let = {f"s{n}": {"*": [var(f"s{n - 1}" if n else "count")] * 2} for n in range(40)}
        with pytest.raises(DecisionRefused) as raised:
            rule(var("s39"), "integer", let=let).decide(FACTS, as_of=AS_OF)
        assert raised.value.faults[0].code == "number_too_large"

    def test_the_bomb_of_plain_jsonlogic_never_runs(self):
        assert refusal_of(document({"*": ["a", 10_000_000_000]}))[0].code == "wrong_type"


class TestGeneratedCode:
    NASTY = '"""); __import__("os").system("true")  #\n\\u0022'

    def test_no_text_of_a_rule_reaches_the_source(self):
        compiled = compile_ruleset(
            {
                "kind": "mapping",
                "inputs": {"nasty_input": {"type": "string"}},
                "let": {"nasty_let": {"cat": [var("nasty_input"), self.NASTY]}},
                "tables": {
                    "nasty_table": {
                        "hit": "first",
                        "in": ["nasty_let"],
                        "out": ["nasty_out"],
                        "rows": [[self.NASTY, self.NASTY], ["-", "x"]],
                    }
                },
                "outputs": {"nasty_output": {"type": "string", "expr": {"table": ["nasty_table", "nasty_out"]}}},
            }
        )
        assert "nasty" not in compiled.source
        assert "import" not in compiled.source
        assert not set(compiled.source) & set("\"'.\\#@;")
        assert compiled.decide({"nasty_input": ""}, as_of=AS_OF) == {"nasty_output": self.NASTY}

    def test_the_program_has_no_builtins(self):
        decide = rule({"+": [var("count"), 1]}, "integer")._decide
        assert decide.__globals__["__builtins__"] == {}

    @pytest.mark.parametrize(
        "part",
        [
            code.Local("x; import os"),
            code.Bound("facts.clear"),
            code.Call(code.Bound("__import__"), ()),
            code.Compare("; ", (code.Null(), code.Null())),
            code.Joined("or not", (code.Null(), code.Null())),
            "__import__('os')",
        ],
    )
    def test_nothing_but_the_compilers_own_names_and_symbols_is_emitted(self, part):
        with pytest.raises(Broken):
            emit.expr(part)
