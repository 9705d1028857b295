"""Operators on dates: read and shown by a format, moved, compared, taken apart."""

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise

from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.faults import Refusal
from chalicelib.language.kinds import DATE, INTEGER, TEXT, Kind
from chalicelib.language.memo import Memo
from chalicelib.language.months import (
    add_days,
    add_months,
    add_years,
    days_between,
    months_between,
    years_between,
)
from chalicelib.language.operators.logic import unknown
from chalicelib.language.operators.strict import strict
from chalicelib.language.parse import Call, Tree
from chalicelib.language.places import Narrowed
from chalicelib.language.tree import Apply, Form, Function, Node

_DATE = (Kind.DATE,)
_TOKENS = re.compile(r"YYYY|MM|M|DD|D|[-/. ,]")
_PATTERNS = {"YYYY": "([0-9]{4})", "MM": "([0-9]{2})", "M": "([0-9]{1,2})", "DD": "([0-9]{2})", "D": "([0-9]{1,2})"}
FORMAT_WORDS = 'a date format of YYYY, MM or M, DD or D and - / . , or a blank, like "M/D/YYYY"'


_ADDITIONS: dict[str, Callable[[date, int], date]] = {"days": add_days, "months": add_months, "years": add_years}
_STARTS: dict[str, Callable[[date], date]] = {
    "week": lambda day: add_days(day, -day.weekday()),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
    "year": lambda day: date(day.year, 1, 1),
}


# How long each is, from its first day.
_LENGTHS = {"week": (7, add_days), "month": (1, add_months), "quarter": (3, add_months), "year": (1, add_years)}


def _end_of(of: str) -> Callable[[date], date]:
    """The last day of a date's period. Of the last week there is, which has no Sunday, that is its last day."""
    start, (count, later) = _STARTS[of], _LENGTHS[of]

    def end(day: date) -> date:
        first = start(day)
        return date.max if first >= start(date.max) else add_days(later(first, count), -1)

    return end


def _date_add(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    day = checker.value(call.arguments[0], narrowed, Kind.DATE)
    count = checker.value(call.arguments[1], narrowed, Kind.INTEGER)
    of = checker.choice(call.arguments[2], tuple(_ADDITIONS))
    if unknown(day, count) or of is None:
        return wrong(call.pointer)
    return Apply(call.pointer, DATE, Function("date_add", _ADDITIONS[of]), (day, count))


def _bound_of(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    """``start_of`` and ``end_of``."""
    day = checker.value(call.arguments[0], narrowed, Kind.DATE)
    of = checker.choice(call.arguments[1], tuple(_STARTS))
    if unknown(day) or of is None:
        return wrong(call.pointer)
    bound = _STARTS[of] if call.operator == "start_of" else _end_of(of)
    return Apply(call.pointer, DATE, Function(call.operator, bound), (day,))


def _parse_date(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    tokens = _format(checker, call.arguments[1])
    if unknown(text) or tokens is None:
        return wrong(call.pointer)
    memo = Memo(_parser(tokens))
    return Apply(call.pointer, DATE, Function("parse_date", memo.__getitem__, Form.MEMO, data=memo), (text,))


def _format_date(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    day = checker.value(call.arguments[0], narrowed, Kind.DATE)
    tokens = _format(checker, call.arguments[1])
    if unknown(day) or tokens is None:
        return wrong(call.pointer)
    pieces = {"YYYY": "{0.year:04}", "MM": "{0.month:02}", "M": "{0.month}", "DD": "{0.day:02}", "D": "{0.day}"}
    return Apply(
        call.pointer,
        TEXT,
        Function("format_date", "".join(pieces.get(token, token) for token in tokens).format),
        (day,),
    )


def _format(checker: Checker, tree: Tree) -> list[str] | None:
    """The tokens of a date format; None, and a fault, when it is not one that reads every date in one way."""
    written = checker.constant(tree, FORMAT_WORDS, _is_format)
    return None if written is None else _TOKENS.findall(written)


def _is_format(written: object) -> bool:
    if not isinstance(written, str):
        return False
    tokens = _TOKENS.findall(written)
    fields = [token[0] for token in tokens if token[0] in "YMD"]
    if "".join(tokens) != written or sorted(fields) != ["D", "M", "Y"]:
        return False
    # A field of one or two digits needs a mark next to it, or 1112011 would have two readings.
    return not any(
        left in _PATTERNS and right in _PATTERNS and {left, right} & {"M", "D"} for left, right in pairwise(tokens)
    )


def _parser(tokens: list[str]) -> Callable[[str], date]:
    pattern = re.compile("".join(_PATTERNS.get(token, re.escape(token)) for token in tokens))
    fields = [token[0] for token in tokens if token in _PATTERNS]
    year, month, day = (fields.index(field) for field in "YMD")
    shape = "".join(tokens)

    def parse(text: str) -> date:
        match = pattern.fullmatch(text)
        if match is None:
            raise Refusal("bad_date", f"the text is not a date written {shape}")
        found = match.groups()
        try:
            return date(int(found[year]), int(found[month]), int(found[day]))
        except ValueError:
            raise Refusal("bad_date", "there is no such day") from None

    return parse


OPERATORS = (
    Operator(
        "parse_date",
        2,
        2,
        "(text, format) -> date",
        "Reads a date strictly. MM and DD have two digits, M and D one or two; YYYY has four.",
        _parse_date,
    ),
    Operator("format_date", 2, 2, "(date, format) -> text", "Writes a date in a format of `parse_date`.", _format_date),
    strict(
        "days_between",
        (_DATE, _DATE),
        INTEGER,
        days_between,
        "Days from the first to the second date, the second not counted; of one day, 0.",
    ),
    strict(
        "months_between",
        (_DATE, _DATE),
        INTEGER,
        months_between,
        "Whole months from the first to the second date. From 31 January to 28 February, its month's end, is one.",
    ),
    strict(
        "years_between",
        (_DATE, _DATE),
        INTEGER,
        years_between,
        "Whole years from the first to the second date. From 29 February to 28 February is whole.",
    ),
    Operator(
        "date_add",
        3,
        3,
        "(date, integer, days|months|years) -> date",
        "Moved by a count; a day that the month does not have becomes the month's last.",
        _date_add,
    ),
    Operator(
        "start_of",
        2,
        2,
        "(date, week|month|quarter|year) -> date",
        "The first day of the date's week (Monday), month, quarter or year.",
        _bound_of,
    ),
    Operator(
        "end_of",
        2,
        2,
        "(date, week|month|quarter|year) -> date",
        "The last day of the date's week (Sunday), month, quarter or year.",
        _bound_of,
    ),
)
