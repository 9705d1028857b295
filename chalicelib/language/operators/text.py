"""Text: cutting, joining, normalizing, and its conversion from and to numbers and dates."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from chalicelib.language.bounds import SCALE_MAX, TEXT_LENGTH_MAX, fits
from chalicelib.language.check import Checker, Operator, wrong
from chalicelib.language.faults import Refusal, at
from chalicelib.language.kinds import DECIMAL, INTEGER, TEXT, Kind, list_of
from chalicelib.language.memo import Memo
from chalicelib.language.operators.logic import unknown
from chalicelib.language.operators.misses import on_miss
from chalicelib.language.operators.strict import strict
from chalicelib.language.parse import Call
from chalicelib.language.places import Narrowed
from chalicelib.language.reading import INTEGER_TEXT, nfkc
from chalicelib.language.rounding import plain, quantizer, unit, zero
from chalicelib.language.tree import Apply, FirstValue, Form, Function, Node

_STRING = (Kind.STRING,)
_INTEGER = (Kind.INTEGER,)
SEPARATOR_LENGTH_MAX = 16
PAD_WIDTH_MAX = 256
PARTS_MAX = 200


def _bounded(text: str) -> str:
    if len(text) > TEXT_LENGTH_MAX:
        raise Refusal("text_too_long", f"a text has more than {TEXT_LENGTH_MAX} characters")
    return text


def _joined(*texts: str) -> str:
    return _bounded("".join(texts))


def _part(text: str, start: int, length: int | None = None) -> str:
    begin = max(len(text) + start, 0) if start < 0 else start
    if length is None:
        return text[begin:]
    return text[begin:length] if length < 0 else text[begin : begin + length]


def _upper(text: str) -> str:
    found = text.upper()
    return found if len(found) <= TEXT_LENGTH_MAX else _bounded(found)


def _lower(text: str) -> str:
    found = text.lower()
    return found if len(found) <= TEXT_LENGTH_MAX else _bounded(found)


def _folded(text: str) -> str:
    return _bounded(nfkc(text))


def _integer(text: str) -> int:
    if INTEGER_TEXT.fullmatch(text):
        return int(text)
    raise Refusal("bad_integer", "the text is not an integer of at most 18 digits")


def _cat(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    nodes = tuple(checker.value(argument, narrowed, Kind.STRING) for argument in call.arguments)
    return wrong(call.pointer) if unknown(*nodes) else Apply(call.pointer, TEXT, _CAT, nodes)


def _short_text(checker: Checker, call: Call, index: int, what: str) -> str | None:
    found = checker.constant(
        call.arguments[index],
        f"{what}, of 1 to {SEPARATOR_LENGTH_MAX} characters",
        lambda value: isinstance(value, str) and 1 <= len(value) <= SEPARATOR_LENGTH_MAX,
    )
    return found if isinstance(found, str) else None


def _replace(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    old = _short_text(checker, call, 1, "the text to replace")
    new = checker.constant(
        call.arguments[2],
        f"the new text, of at most {SEPARATOR_LENGTH_MAX} characters",
        lambda value: isinstance(value, str) and len(value) <= SEPARATOR_LENGTH_MAX,
    )
    if unknown(text) or old is None or new is None:
        return wrong(call.pointer)
    if len(new) <= len(old):
        return Apply(
            call.pointer, TEXT, Function("replace", lambda value: value.replace(old, new), grows=True, reads=1), (text,)
        )
    # The length is known before the text is built: a rule must not be able to ask for gigabytes.
    growth = len(new) - len(old)

    def replaced(value: str) -> str:
        if len(value) + value.count(old) * growth > TEXT_LENGTH_MAX:
            raise Refusal("text_too_long", f"a text has more than {TEXT_LENGTH_MAX} characters")
        return value.replace(old, new)

    return Apply(call.pointer, TEXT, Function("replace", replaced, grows=True), (text,))


def _split(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    separator = _short_text(checker, call, 1, "the separator")
    if len(call.arguments) == 2:
        return _parts(checker, call, text, separator)
    index = checker.constant(
        call.arguments[2],
        f"the number of the part: 0 is the first, -1 the last, to {PARTS_MAX}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and -PARTS_MAX <= value <= PARTS_MAX,
    )
    miss = on_miss(checker, call, narrowed)
    if unknown(text) or separator is None or index is None or miss is None or unknown(*miss.default):
        return wrong(call.pointer)
    part = _splitter(separator, index, refuses=miss.refuses)
    function = Function("split", part, reads=1)
    if miss.refuses:
        return Apply(call.pointer, TEXT, function, (text,))
    found = Apply(call.pointer, TEXT.with_null(), function, (text,))
    if not miss.default:
        return found
    nodes, whole = checker.common([found, *miss.default])
    return FirstValue(call.pointer, whole if miss.default[0].type.nullable else whole.without_null(), tuple(nodes))


def _parts(checker: Checker, call: Call, text: Node, separator: str | None) -> Node:
    """All parts of a text, as a list."""
    for option in call.options.values():
        expected = "no options: they go with the number of a part"
        checker.report.add(option.pointer, "bad_literal", f"expected {expected}", expected=expected, found="one")
    if unknown(text) or separator is None or call.options:
        return wrong(call.pointer)

    def parts(value: str) -> list[str]:
        found = value.split(separator, PARTS_MAX)
        if len(found) > PARTS_MAX:
            raise Refusal("list_too_long", f"the text has more than {PARTS_MAX} parts")
        return found

    return Apply(call.pointer, list_of(TEXT), Function("split", parts, grows=True), (text,))


def _splitter(separator: str, index: int, *, refuses: bool) -> Callable[[str], str | None]:
    def part(text: str) -> str | None:
        parts = text.split(separator)
        if -len(parts) <= index < len(parts):
            return parts[index]
        if refuses:
            raise Refusal("no_such_part", f"the text has no part {index} when it is split")
        return None

    return part


def _pad_left(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    width = checker.constant(
        call.arguments[1],
        f"the width, 1 to {PAD_WIDTH_MAX}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PAD_WIDTH_MAX,
    )
    fill = checker.constant(
        call.arguments[2], "one character to fill with", lambda value: isinstance(value, str) and len(value) == 1
    )
    if unknown(text) or width is None or fill is None:
        return wrong(call.pointer)
    return Apply(call.pointer, TEXT, Function("pad_left", lambda value: value.rjust(width, fill)), (text,))


def _parse_decimal(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    text = checker.value(call.arguments[0], narrowed, Kind.STRING)
    mark = _mark(checker, call, "decimal_mark", (".", ","), ".")
    group = _mark(checker, call, "group_mark", ("", ",", ".", " ", "'", "\u00a0", "\u202f"), "")
    if unknown(text) or mark is None or group is None:
        return wrong(call.pointer)
    if mark == group:
        pointer = at(call.pointer, "parse_decimal")
        expected = "two different marks"
        checker.report.add(pointer, "bad_literal", "the marks are the same", expected=expected, found="one mark")
        return wrong(call.pointer)
    memo = Memo(_decimal_parser(mark, group))
    return Apply(call.pointer, DECIMAL, Function("parse_decimal", memo.__getitem__, Form.MEMO, data=memo), (text,))


def _mark(checker: Checker, call: Call, name: str, allowed: tuple[str, ...], default: str) -> str | None:
    if name not in call.options:
        return default
    expected = "one of " + " ".join(f'"{mark}"' for mark in allowed)
    found = checker.constant(call.options[name], expected, lambda value: value in allowed)
    return found if isinstance(found, str) else None


def _decimal_parser(mark: str, group: str) -> Callable[[str], Decimal]:
    fraction = f"(?:{re.escape(mark)}[0-9]{{1,28}})?"
    grouped = f"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}}){{1,9}}|" if group else ""
    pattern = re.compile(f"-?(?:{grouped}[0-9]{{1,28}}){fraction}")

    def parse(text: str) -> Decimal:
        if not pattern.fullmatch(text):
            raise Refusal("bad_decimal", "the text is not a plain number")
        number = Decimal((text.replace(group, "") if group else text).replace(mark, "."))
        if not fits(number):
            raise Refusal("number_too_large", "the number has too many digits")
        return number

    return parse


def _to_text(checker: Checker, call: Call, narrowed: Narrowed) -> Node:
    node = checker.value(call.arguments[0], narrowed, Kind.INTEGER, Kind.DECIMAL, Kind.DATE)
    if unknown(node):
        return wrong(call.pointer)
    if len(call.arguments) == 1:
        return Apply(call.pointer, TEXT, _TO_TEXT[node.type.kind], (node,))
    places = checker.constant(
        call.arguments[1],
        f"the number of decimal places, 0 to {SCALE_MAX}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SCALE_MAX,
    )
    node = checker.required(node, Kind.DECIMAL)
    if unknown(node) or places is None:
        return wrong(call.pointer)
    quantize, step, nought = quantizer(None), unit(places), zero(places)

    def placed(number: Decimal) -> str:
        return format(quantize(number, step) or nought, "f")

    return Apply(call.pointer, TEXT, Function("to_text", placed), (node,))


_CAT = Function("cat", _joined, grows=True)
_TO_TEXT = {
    Kind.INTEGER: Function("to_text", str),
    Kind.DECIMAL: Function("to_text", plain),
    Kind.DATE: Function("to_text", date.isoformat),
}

OPERATORS = (
    Operator("cat", 1, None, "(text, …) -> text", "Joined; other types are written with `to_text` first.", _cat),
    strict(
        "substr",
        (_STRING, _INTEGER, _INTEGER),
        TEXT,
        _part,
        "From a position, counted from the end when negative; a negative length leaves out that many at the end.",
        optional=1,
        grows=True,
    ),
    strict("length", (_STRING,), INTEGER, len, "The number of its characters."),
    strict("trim", (_STRING,), TEXT, str.strip, "Without white space at both ends.", grows=True),
    strict("upper", (_STRING,), TEXT, _upper, "In upper case.", grows=True),
    strict("lower", (_STRING,), TEXT, _lower, "In lower case.", grows=True),
    strict(
        "normalize",
        (_STRING,),
        TEXT,
        _folded,
        "In Unicode's NFKC form: full-width letters, ligatures … folded.",
        grows=True,
    ),
    Operator("replace", 3, 3, "(text, old, new) -> text", "Every `old` replaced by `new`.", _replace),
    Operator(
        "split",
        2,
        3,
        "(text, separator) -> list of text, (text, separator, index, {on_miss}) -> text",
        "Its parts; or one, a negative index counts from the end. No such part: `on_miss` error, null or default.",
        _split,
        ("on_miss", "default"),
    ),
    Operator(
        "pad_left",
        3,
        3,
        "(text, width, fill) -> text",
        "Filled on the left, as a zip code that lost its zeros.",
        _pad_left,
    ),
    Operator(
        "parse_decimal",
        1,
        1,
        "(text, {decimal_mark, group_mark}) -> decimal",
        "A plain number: no exponent, no currency, no white space; groups of three only with a `group_mark`.",
        _parse_decimal,
        ("decimal_mark", "group_mark"),
    ),
    strict("parse_integer", (_STRING,), INTEGER, _integer, "An integer of at most 18 digits."),
    Operator(
        "to_text",
        1,
        2,
        "(integer|date, or decimal and its places) -> text",
        "Canonical text: ISO dates, decimals without exponent or trailing zeros, or with exactly the given places.",
        _to_text,
    ),
)
