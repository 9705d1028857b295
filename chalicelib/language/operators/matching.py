"""``matches``: whether a text as a whole has the form that a pattern describes, in time linear in the text."""

from collections.abc import Callable

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.faults import Refusal, shown
from chalicelib.language.kinds import BOOLEAN, Kind
from chalicelib.language.memo import Memo
from chalicelib.language.operators.logic import unknown
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Apply, Form, Function, Node

TEXT_LENGTH_MAX = 1_024


def _matches(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    from chalicelib.language.patterns import BadPattern, compiled

    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    written = checker.constant(call.arguments[1], "a pattern, written out", lambda value: isinstance(value, str))
    if not isinstance(written, str):
        return wrong(call.pointer)
    pointer = call.arguments[1].pointer
    try:
        pattern = compiled(written)
    except BadPattern as bad:
        checker.report.add(
            pointer,
            "bad_pattern",
            bad.message,
            expected="letters, [sets], (groups), | . * + ? {n,m} and \\d \\w \\s",
            found=shown(written),
            suggestion=bad.suggestion,
        )
        return wrong(call.pointer)
    # So that a document cannot hold thousands of the longest patterns.
    checker.spend(pattern.positions * _CHECKS_PER_POSITION, pointer)
    if unknown(text):
        return wrong(call.pointer)
    memo = Memo(_bounded(pattern.matches))
    function = Function("matches", memo.__getitem__, Form.MEMO, data=memo, reads=pattern.positions)
    return Apply(call.pointer, BOOLEAN, function, (text,))


# What texts may cost is paid for when the rule is checked: 10,000 positions in all.
_CHECKS_PER_POSITION = 50


def _bounded(matches: Callable[[str], bool]) -> Callable[[str], bool]:
    def bounded(text: str) -> bool:
        if len(text) > TEXT_LENGTH_MAX:
            raise Refusal("text_too_long", f"a text that is matched has more than {TEXT_LENGTH_MAX} characters")
        return matches(text)

    return bounded


OPERATORS = (
    Operator(
        "matches",
        2,
        2,
        "(text, pattern) -> boolean",
        "The whole text has the form: characters, sets, groups, `|` and repetitions; no look-around, no references.",
        _matches,
    ),
)
