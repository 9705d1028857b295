"""Strict conversion of raw record values (JSON or the texts of a file) to declared types.

No message repeats a value: a record may be personal.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from chalicelib.errors import Fault
from chalicelib.language.bounds import INTEGER_MAX, LIST_LENGTH_MAX, STRING_LENGTH_MAX, fits
from chalicelib.language.declared import Declared
from chalicelib.language.faults import FAULTS_MAX, InputRefused, Refusal, clip
from chalicelib.language.kinds import Value
from chalicelib.language.memo import Memo

Reader = Callable[[object], Value]

INTEGER_TEXT = re.compile(r"-?[0-9]{1,18}")
DECIMAL_TEXT = re.compile(r"-?[0-9]{1,28}(?:\.[0-9]{1,28})?")
DATE_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def nfkc(text: str) -> str:
    """Unicode's compatibility composition (NFKC), which folds full-width letters, ligatures and the like."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


NORMALIZERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"trim": str.strip, "upper": str.upper, "lower": str.lower, "nfkc": nfkc}
)


def iso_date(text: str) -> date:
    """``2026-10-01``, nothing else; raises ``Refusal``."""
    if DATE_TEXT.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Refusal("bad_date", "there is no such day") from None
    raise Refusal("bad_date", "expected a date like 2026-10-01")


def reader(declared: Declared) -> Reader:
    """The conversion of one non-null raw value to ``declared``; it raises ``Refusal``."""
    convert = _CONVERSIONS[declared.type](declared)
    low: Any = declared.min
    high: Any = declared.max
    if low is None and high is None:
        return convert

    def bounded(raw: object) -> Value:
        value: Any = convert(raw)
        if low is not None and value < low:
            raise Refusal("below_minimum", f"expected at least {low}")
        if high is not None and value > high:
            raise Refusal("above_maximum", f"expected at most {high}")
        return value  # type: ignore[no-any-return]

    return bounded


class InputReader:
    """Reads whole records against their declarations."""

    def __init__(self, declared: Mapping[str, Declared]) -> None:
        self._declared = declared
        self._readers = {name: reader(one) for name, one in declared.items()}

    def read(self, raw: Mapping[str, object]) -> dict[str, Value]:
        """Every declared input, converted; raises ``InputRefused`` with every fault of the record."""
        values, faults = self.attempt(raw)
        if faults:
            raise InputRefused(faults)
        return values

    def attempt(self, raw: Mapping[str, object], prefix: str = "") -> tuple[dict[str, Value], list[Fault]]:
        """The inputs that could be read and the faults of the others, each named ``prefix`` + input."""
        values: dict[str, Value] = {}
        faults: list[Fault] = []
        for name, read in self._readers.items():
            declared = self._declared[name]
            value = raw.get(name)
            if value is None or (declared.empty_is_null and value == ""):
                if declared.required and name not in raw:
                    faults.append(Fault(prefix + name, "missing", "a value is required"))
                elif not declared.nullable:
                    faults.append(Fault(prefix + name, "missing_value", "null is not allowed"))
                values[name] = None
                continue
            try:
                values[name] = read(value)
            except _Inside as inside:
                faults.extend(fault_at(prefix + name, fault) for fault in inside.faults)
            except Refusal as refusal:
                faults.append(Fault(prefix + name, refusal.code, refusal.message))
        if len(raw) != len(values) or raw.keys() != values.keys():
            faults.extend(self._unknown(raw, prefix))
        return values, faults[:FAULTS_MAX]

    def _unknown(self, raw: Mapping[str, object], prefix: str) -> list[Fault]:
        unknown = [name for name in raw if name not in self._declared]
        return [Fault(prefix + clip(str(name)), "unknown_input", "no such input is declared") for name in unknown]


class _Inside(Refusal):
    """Parts of a list or an object cannot be read; the pointers of ``faults`` start inside it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults[0].code, faults[0].message)
        self.faults = faults


def fault_at(place: str | int, fault: Fault) -> Fault:
    """``fault``, whose pointer starts inside ``place``, as seen from outside."""
    return Fault(f"{place}/{fault.pointer}", fault.code, fault.message)


def _plain_text(raw: object) -> str:
    if not isinstance(raw, str):
        raise Refusal("wrong_type", "expected text")
    if len(raw) > STRING_LENGTH_MAX:
        raise Refusal("text_too_long", f"expected at most {STRING_LENGTH_MAX} characters")
    return raw


def _text(declared: Declared) -> Reader:
    if declared.type == "string" and not declared.normalize:
        return _plain_text
    steps = [NORMALIZERS[name] for name in declared.normalize]
    values = frozenset(declared.values) if declared.type == "enum" else None

    def convert(raw: object) -> Value:
        text = _plain_text(raw)
        for step in steps:
            text = step(text)
        if values is not None and text not in values:
            raise Refusal("not_in_values", "expected one of " + clip(", ".join(declared.values), 200))
        return text

    return convert


def _integer(_: Declared) -> Reader:
    def convert(raw: object) -> Value:
        if isinstance(raw, str) and INTEGER_TEXT.fullmatch(raw):
            return int(raw)
        if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) <= INTEGER_MAX:
            return raw
        raise Refusal("bad_integer", "expected an integer of at most 18 digits")

    return convert


def _decimal(declared: Declared) -> Reader:
    scale = declared.scale or 0

    def convert_text(text: str) -> Decimal:
        if DECIMAL_TEXT.fullmatch(text) is None:
            raise Refusal("bad_decimal", "expected a number as text, like 12.50")
        return scaled(Decimal(text))

    def scaled(number: Decimal) -> Decimal:
        if not fits(number):
            raise Refusal("number_too_large", "the number has too many digits")
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > scale:
            raise Refusal("excess_digits", f"expected at most {scale} decimal places")
        return number

    known = Memo(convert_text)

    def convert(raw: object) -> Value:
        if isinstance(raw, str):
            return known[raw]
        if isinstance(raw, Decimal):
            return scaled(raw)
        if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) <= INTEGER_MAX:
            return Decimal(raw)
        raise Refusal("bad_decimal", "expected a number as text, like 12.50")

    return convert


def _date(_: Declared) -> Reader:
    known = Memo(iso_date)

    def convert(raw: object) -> Value:
        if isinstance(raw, str):
            return known[raw]
        if isinstance(raw, date) and not isinstance(raw, datetime):
            return raw
        raise Refusal("bad_date", "expected a date like 2026-10-01")

    return convert


def _boolean(_: Declared) -> Reader:
    def convert(raw: object) -> Value:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw in {"true", "false"}:
            return raw == "true"
        raise Refusal("bad_boolean", "expected true or false")

    return convert


def _list(declared: Declared) -> Reader:
    nullable = declared.items is not None and declared.items.nullable
    read = reader(declared.items) if declared.items else None

    def convert(raw: object) -> Value:
        if not isinstance(raw, list | tuple) or read is None:
            raise Refusal("wrong_type", "expected a list")
        if len(raw) > LIST_LENGTH_MAX:
            raise Refusal("list_too_long", f"expected at most {LIST_LENGTH_MAX} items")
        try:
            if nullable:
                return [None if item is None else read(item) for item in raw]
            return [read(item) for item in raw]
        except Refusal:
            raise _Inside(_faults_of(raw, read, nullable=nullable)) from None

    return convert


def _faults_of(items: Sequence[object], read: Reader, *, nullable: bool) -> list[Fault]:
    """What is wrong with the items of a list, each at its place."""
    found: list[Fault] = []
    for index, item in enumerate(items):
        try:
            if item is not None:
                read(item)
            elif not nullable:
                found.append(Fault(f"{index}", "missing_value", "null is not allowed"))
        except _Inside as inside:
            found.extend(fault_at(index, fault) for fault in inside.faults)
        except Refusal as refusal:
            found.append(Fault(f"{index}", refusal.code, refusal.message))
        if len(found) >= FAULTS_MAX:
            break
    return found


def _object(declared: Declared) -> Reader:
    fields = InputReader(declared.fields or {})

    def convert(raw: object) -> Value:
        if not isinstance(raw, Mapping):
            raise Refusal("wrong_type", "expected an object")
        values, faults = fields.attempt(raw)
        if faults:
            raise _Inside(faults)
        return values

    return convert


_CONVERSIONS: Mapping[str, Callable[[Declared], Reader]] = MappingProxyType(
    {
        "string": _text,
        "enum": _text,
        "integer": _integer,
        "decimal": _decimal,
        "date": _date,
        "boolean": _boolean,
        "list": _list,
        "object": _object,
    }
)
