"""The limits that make every rule finite, and the walk that holds a document to them before anything else reads it."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from chalicelib.language.faults import Report, RuleRefused, at, shown

DOCUMENT_BYTES_MAX = 4_000_000
EXPRESSION_DEPTH_MAX = 64
# An operator costs two levels of JSON (the object and its list); the rest of a document is shallow.
DOCUMENT_DEPTH_MAX = 2 * EXPRESSION_DEPTH_MAX + 16
NODES_MAX = 50_000
LIST_LENGTH_MAX = 2_000
KEY_LENGTH_MAX = 128
STRING_LENGTH_MAX = 4_096
ARGUMENTS_MAX = 199
TABLE_ROWS_MAX = 500
# Of all tables of a document: every row of a table is compared with every other.
ALL_TABLE_ROWS_MAX = 2_000
# Decimals are computed with this many significant digits, and none longer is read.
DIGITS_MAX = 28
SCALE_MAX = 12
INTEGER_MAX = 10**18 - 1
# What an operator may build at run time; a text that doubles forty times must stop long before memory does.
TEXT_LENGTH_MAX = 16_384
# Types are compared part by part, so one that doubles forty times must stop as well; and how often they are compared.
TYPE_SIZE_MAX = 2_000
TYPE_DEPTH_MAX = 16
CHECKS_MAX = 500_000
# A `map` inside a `map` inside …
LOOPS_NESTED_MAX = 4
# What one decision may spend in loops and on what it gives out: each item costs the parts of the expression that is
# evaluated for it, and what is built or given out costs its length. Half a second's work, about.
OPERATIONS_MAX = 500_000
CHARACTERS_PER_OPERATION = 32
# Of a list that an operator goes through by itself, as `sum` does.
ITEMS_PER_OPERATION = 16

_SURROGATE = re.compile("[\ud800-\udfff]")

# Where a value is, from the leaf upwards: a pointer is only written out for a fault.
Path = tuple[Any, str | int] | None


def examine(document: object, pointer: str, report: Report) -> None:
    """Refuse a document that is too deep, too large or not JSON, in time bounded by ``NODES_MAX``.

    Wrong scalars are noted in ``report``; what makes further reading unsafe raises ``RuleRefused`` at once.
    """
    pending: list[tuple[object, Path, int]] = [(document, None, 0)]
    nodes = 0
    while pending:
        value, path, depth = pending.pop()
        nodes += 1
        if nodes > NODES_MAX:
            _stop(report, pointer, "too_large", f"at most {NODES_MAX} values in a document", "more")
        if depth > DOCUMENT_DEPTH_MAX:
            _stop(report, _pointer(pointer, path), "too_deep", f"at most {DOCUMENT_DEPTH_MAX} levels", "more")
        if isinstance(value, Mapping):
            _check_length(value, path, pointer, report)
            for key, child in value.items():
                if not isinstance(key, str) or len(key) > KEY_LENGTH_MAX or _SURROGATE.search(key):
                    expected = f"keys that are text of at most {KEY_LENGTH_MAX} characters"
                    _stop(report, _pointer(pointer, path), "bad_key", expected, shown(key))
                pending.append((child, (path, key), depth + 1))
        elif isinstance(value, list | tuple):
            _check_length(value, path, pointer, report)
            pending.extend((child, (path, index), depth + 1) for index, child in enumerate(value))
        else:
            _check_scalar(value, path, pointer, report)


def _check_length(
    value: Mapping[object, object] | list[object] | tuple[object, ...], path: Path, pointer: str, report: Report
) -> None:
    if len(value) > LIST_LENGTH_MAX:
        expected = f"at most {LIST_LENGTH_MAX} entries"
        _stop(report, _pointer(pointer, path), "too_large", expected, f"{len(value)} entries")


def _check_scalar(value: object, path: Path, pointer: str, report: Report) -> None:
    expected = _wrong_scalar(value)
    if expected is not None:
        where = _pointer(pointer, path)
        report.add(where, "bad_literal", "this value is not allowed", expected=expected, found=shown(value))


def _wrong_scalar(value: object) -> str | None:  # noqa: PLR0911 - one return for each type
    """What is expected instead of ``value``, or None when it is allowed."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > STRING_LENGTH_MAX:
            return f"text of at most {STRING_LENGTH_MAX} characters"
        return "text without lone surrogates" if _SURROGATE.search(value) else None
    if isinstance(value, int):
        return None if abs(value) <= INTEGER_MAX else f"an integer of at most {len(str(INTEGER_MAX))} digits"
    if isinstance(value, Decimal):
        return None if fits(value) else f"a number of at most {DIGITS_MAX} digits"
    if isinstance(value, float):
        return "an exact number (read JSON with parse_json, which keeps decimals)"
    return "JSON: object, list, text, number, boolean or null"


def fits(number: Decimal) -> bool:
    """Whether ``number`` is finite and can be written out with at most ``DIGITS_MAX`` digits."""
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and max(len(digits), len(digits) + exponent, -exponent) <= DIGITS_MAX


def _pointer(prefix: str, path: Path) -> str:
    keys: list[str | int] = []
    while path is not None:
        path, key = path
        keys.append(key)
    return at(prefix, *reversed(keys))


def _stop(report: Report, pointer: str, code: str, expected: str, found: str) -> NoReturn:
    report.add(pointer, code, f"expected {expected}, found {found}", expected=expected, found=found)
    raise RuleRefused(report.faults)
