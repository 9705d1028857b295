"""Patterns: what they match, what is no pattern, and that none of them takes long."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused
from chalicelib.language.patterns import BadPattern, compiled
from tests.unit.language.conftest import AS_OF, FACTS, rule, var

IS = "boolean"
ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "-",
        ".",
        "[ab]",
        "[^a]",
        "[a-c1]",
        "[-x]",
        "[\\d-]",
        "\\d",
        "\\D",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "\\.",
        "\\n",
        " ",
        "é",
    ]
)
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{0}", "{0,0}", "{1}"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(st.one_of(inner, st.just("")), min_size=1, max_size=3).map(lambda found: f"({'|'.join(found)})"),
        st.builds(lambda found, times: f"(?:{found}){times}", inner, REPEATS),
        st.builds(lambda found, times: f"{found}{times}", ATOMS, REPEATS),
    ),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(PATTERNS, st.lists(st.text(alphabet="abcx1 .-\n\té", max_size=8), min_size=5, max_size=20))
def test_a_pattern_matches_what_python_matches_with_it(pattern, texts):
    try:
        matches = compiled(pattern).matches
    except BadPattern:
        # Its repetitions make it too large; what is no pattern is not generated.
        return
    peer = re.compile(pattern, re.ASCII)
    assert [matches(text) for text in texts] == [peer.fullmatch(text) is not None for text in texts]


class TestMatches:
    @pytest.mark.parametrize(
        ("pattern", "yes", "no"),
        [
            ("[A-Z]{2}[0-9]{6}", "AB123456", "AB12345"),
            ("^[A-Z]{2}[0-9]{6}$", "AB123456", "xAB123456"),
            ("\\d{5}(-\\d{4})?", "12345-6789", "12345-"),
            ("[^@ ]+@[a-z]+\\.(com|org)", "ada@example.org", "ada@example.net"),
            ("(a|b)*a(a|b){20}", "b" * 9 + "a" + "b" * 20, "a" + "b" * 19),
            ("\\$\\d+", "$7", "7"),
            ("", "", "a"),
            ("a|", "", "b"),
        ],
    )
    def test_asks_for_the_whole_text(self, evaluate, pattern, yes, no):
        assert [evaluate({"matches": [var("text"), pattern]}, IS, text=text) for text in (yes, no)] == [True, False]

    def test_digits_are_those_of_ascii(self, evaluate):
        assert evaluate({"matches": ["٣", "\\d"]}, IS) is False

    def test_a_text_that_is_too_long_refuses_the_record(self):
        compiled_rule = rule({"matches": [var("text"), "a*"]}, IS)
        assert compiled_rule.decide({**FACTS, "text": "a" * 1024}, as_of=AS_OF) == {"it": True}
        with pytest.raises(DecisionRefused) as raised:
            compiled_rule.decide({**FACTS, "text": "a" * 1025}, as_of=AS_OF)
        assert raised.value.faults[0].code == "text_too_long"


class TestRefused:
    @pytest.mark.parametrize(
        ("pattern", "suggestion"),
        [
            ("(a)\\1", "a pattern cannot refer to its groups"),
            ("(?=a)a", "only (…) and (?:…) are known: no look-around, names or options"),
            ("(?i)a", "only (…) and (?:…) are known: no look-around, names or options"),
            ("a\\b", "write out what may stand next to it"),
            ("a\\Z", "the whole text is matched: leave it out"),
            ("a^b", "write \\^ for the character itself"),
            ("a$b", "write \\$ for the character itself"),
            ("a*?", "put the inner one in parentheses; greed has no meaning here"),
            ("a{2}{3}", "put the inner one in parentheses; greed has no meaning here"),
            ("a{,3}", "write \\{ for the character itself"),
            ("*a", "write \\* for the character itself"),
            ("[[]", "write \\[ for the character itself"),
            ("[]a]", "write \\] for the character itself"),
            ("[^\\d\\S]", "begin the set with ^ instead"),
        ],
    )
    def test_says_what_to_write_instead(self, refused, pattern, suggestion):
        [fault] = refused({"matches": [var("text"), pattern]}, IS)
        assert (fault.pointer, fault.code) == ("/outputs/it/expr/matches/1", "bad_pattern")
        assert fault.suggestion == suggestion

    @pytest.mark.parametrize(
        "pattern",
        ["(a", "a)", "[a", "[b-a]", "[\\d-z]", "a\\", "\\q", "a{3,2}", "a{256}", "(" * 17 + "a" + ")" * 17, "a" * 257],
    )
    def test_what_is_no_pattern(self, refused, pattern):
        assert refused({"matches": [var("text"), pattern]}, IS)[0].code == "bad_pattern"

    @pytest.mark.parametrize("pattern", ["a{255}b{255}", "((a{100}){100}){100}", "(((((a{9}){9}){9}){9}){9}){9}"])
    def test_repetitions_that_explode(self, refused, pattern):
        [fault] = refused({"matches": [var("text"), pattern]}, IS)
        assert "when its repetitions are written out" in fault.message

    def test_a_pattern_is_written_out(self, refused):
        assert refused({"matches": [var("text"), var("text")]}, IS)[0].code == "bad_literal"

    def test_thousands_of_large_patterns_are_refused(self, refused):
        let = {f"l{number}": {"matches": [var("text"), f"(a|b)*a(a|b){{140}}{number}"]} for number in range(1_000)}
        assert {fault.code for fault in refused(True, IS, let=let)} == {"too_large"}


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|b)*a(a|b){99}", "a*a*a*a*a*a*b", "(.*)(.*)(.*)(.*)b"])
def test_no_pattern_takes_longer_than_its_text(pattern):
    """Python's own engine needs years for some of these."""
    matches = compiled(pattern).matches
    started = time.process_time()
    assert matches("ab" * 511 + "aa") is (pattern == "(a|b)*a(a|b){99}")
    assert matches("a" * 1024) is (pattern == "(a|b)*a(a|b){99}")
    assert time.process_time() - started < 1
