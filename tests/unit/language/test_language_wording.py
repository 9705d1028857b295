"""Words of coverage, lint and explanations: what is in brackets in the rule does not fall apart in its words."""

import pytest

from chalicelib.language import compile_ruleset
from chalicelib.language.wording import words
from tests.unit.language.conftest import AS_OF
from tests.unit.language.lint_corpus.words import both, case, eq, flag, ge, gt, no, op, rule, v


def said(document):
    [output] = compile_ruleset(document).subject.program.outputs.values()
    return words(output)


def sentence(document, **record):
    compiled = compile_ruleset(document)
    return compiled.explain(compiled.read(record), as_of=AS_OF)["sentence"]


class TestBrackets:
    @pytest.mark.parametrize(
        ("one", "told", "other", "otherwise"),
        [
            (
                gt(op("*", op("+", v("hours"), v("count")), 2), 5),
                "(hours + count) × 2 > 5",
                gt(op("+", v("hours"), op("*", v("count"), 2)), 5),
                "hours + count × 2 > 5",
            ),
            (
                gt(op("-", v("hours"), op("-", v("count"), 1)), 5),
                "hours - (count - 1) > 5",
                gt(op("-", op("-", v("hours"), v("count")), 1), 5),
                "hours - count - 1 > 5",
            ),
            (
                no(both(v("paid"), v("union"))),
                "not (paid and union)",
                both(no(v("paid")), v("union")),
                "not paid and union",
            ),
            (
                both(v("paid"), op("or", v("union"), gt(v("hours"), 1))),
                "paid and (union or hours > 1)",
                op("or", both(v("paid"), v("union")), gt(v("hours"), 1)),
                "paid and union or hours > 1",
            ),
            (no(eq(v("hours"), 1)), "not (hours = 1)", eq(v("hours"), 1), "hours = 1"),
            (
                gt(case(v("paid"), 1, v("hours")), 2),
                "(1 if paid, else hours) > 2",
                case(v("paid"), v("union"), gt(v("hours"), 2)),
                "union if paid, else hours > 2",
            ),
        ],
    )
    def test_two_formulas_have_two_texts(self, one, told, other, otherwise):
        assert (said(flag(one)), said(flag(other))) == (told, otherwise)

    def test_explanations_keep_their_brackets(self):
        document = rule(op("*", op("coalesce", v("bonus"), v("hours")), 2))
        assert sentence(document, bonus=None, hours="8") == "Points 16.0000: (hours 8 in place of bonus) × 2."
        document = rule(op("*", op("abs", v("count")), 2))
        assert sentence(document, count=-8) == "Points 16.0000: (abs(count -8) = 8) × 2."


class TestReasons:
    def test_what_is_given_otherwise_has_its_reason(self):
        document = rule(case(v("paid"), 1, ge(v("hours"), 40), 2, 3))
        assert sentence(document, paid=False, hours="8") == (
            "Points 3.0000: 3, because paid does not hold and hours 8 < 40."
        )
