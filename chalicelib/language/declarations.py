"""Reading the declarations of a document: unknown, missing and mistyped keys are all noted, each with its pointer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.language.bounds import SCALE_MAX
from chalicelib.language.declared import Aggregate, Declared, DeclaredOutput
from chalicelib.language.faults import Refusal, Report, at, shown
from chalicelib.language.reading import NORMALIZERS, reader
from chalicelib.language.rounding import ROUNDING_MODES

TYPES = ("string", "enum", "integer", "decimal", "date", "boolean", "list", "object")
PERIODS = ("calendar_month", "calendar_quarter", "calendar_year")
#: How many periods back an aggregate may reach.
BACK_MAX = 12
NESTING_MAX = 8

_INPUT_KEYS = (
    "type", "scale", "values", "required", "nullable", "min", "max", "normalize", "personal", "items", "fields",
    "description",
)  # fmt: skip
_SHAPE_KEYS = ("type", "scale", "rounding", "values", "nullable", "items", "fields", "description")
_OUTPUT_KEYS = (*_SHAPE_KEYS, "personal", "expr")
#: What other languages call a type, and what says the same here.
_CALLED_ELSEWHERE = {
    "number": "write `decimal` with its `scale`, or `integer`",
    "float": "write `decimal` with its `scale`",
    "int": "write `integer`",
    "text": "write `string`",
    "str": "write `string`",
    "bool": "write `boolean`",
    "datetime": "write `date`",
    "array": "write `list`",
}
_BOUNDED = ("integer", "decimal", "date")


class Keys:
    """Reads the keys of one object of the document, noting unknown, missing and mistyped ones."""

    def __init__(self, raw: object, pointer: str, report: Report, known: tuple[str, ...]) -> None:
        self.raw: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        self.pointer = pointer
        self.report = report
        if not isinstance(raw, Mapping):
            report.add(pointer, "wrong_type", "expected an object", expected="an object", found=shown(raw))
        for key in self.raw:
            if key not in known:
                report.unknown(at(pointer, key), "key", key, known)

    def wrong(self, key: str, expected: str, suggestion: str | None = None, *, known: tuple[str, ...] = ()) -> None:
        """Note that ``key`` holds something else than ``expected``, one of ``known`` perhaps, or nothing."""
        found = shown(self.raw[key]) if key in self.raw else "nothing"
        code = "wrong_value" if key in self.raw else "missing_key"
        message = f"expected {expected}, found {found}"
        self.report.add(
            at(self.pointer, key),
            code,
            message,
            expected=expected,
            found=found,
            suggestion=suggestion,
            misspelt=(self.raw.get(key), known),
        )

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean."""
        value = self.raw.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "true or false")
            return default
        return value

    def choice(self, key: str, choices: tuple[str, ...], *, default: str | None = None) -> str | None:
        """One of ``choices``; None when it is absent without a default or wrong."""
        value = self.raw.get(key, default)
        if isinstance(value, str) and value in choices:
            return value
        if key in self.raw or default is None:
            elsewhere = _CALLED_ELSEWHERE.get(str(value)) if choices is TYPES else None
            self.wrong(key, "one of " + ", ".join(choices), elsewhere, known=() if elsewhere else choices)
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different, non-empty texts; empty when it is absent or wrong."""
        value = self.raw.get(key, ())
        if (
            not isinstance(value, list | tuple)
            or not all(isinstance(text, str) and text for text in value)
            or len(set(value)) != len(value)
        ):
            self.wrong(key, "a list of different texts")
            return ()
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """An object; empty when it is absent or wrong."""
        value = self.raw.get(key, {})
        if not isinstance(value, Mapping):
            self.wrong(key, "an object")
            return {}
        return value


def declared_input(
    raw: object, pointer: str, report: Report, *, column: bool = False, nesting: int = 0
) -> Declared | None:
    """Read one input declaration; of a file's ``column`` the type is text unless said. None when it cannot be used."""
    keys = Keys(raw, pointer, report, _INPUT_KEYS)
    kind = keys.choice("type", TYPES, default="string" if column else None)
    if kind is None or nesting > NESTING_MAX:
        if kind is not None:
            keys.wrong("type", f"at most {NESTING_MAX} levels of nesting")
        return None
    # An input that may be absent is null when it is.
    required = keys.flag("required", default=not keys.flag("nullable", default=False))
    nullable = keys.flag("nullable", default=not required) or not required
    found = Declared(
        type=kind,
        scale=_scale(keys, kind),
        values=_values(keys, kind),
        required=required,
        nullable=nullable,
        normalize=_normalize(keys, kind),
        personal=keys.flag("personal", default=False),
        empty_is_null=column and nullable,
        items=_items(keys, kind, nesting),
        fields=_fields(keys, kind, nesting),
    )
    parts = [*(found.fields or {}).values(), *([found.items] if found.items else [])]
    if any(part.personal for part in parts):
        found = replace(found, personal=True)
    return _with_bounds(found, keys)


def _scale(keys: Keys, kind: str) -> int | None:
    if kind != "decimal":
        if "scale" in keys.raw:
            keys.wrong("scale", "no scale: only decimals have one")
        return None
    scale = keys.raw.get("scale")
    if not isinstance(scale, int) or isinstance(scale, bool) or not 0 <= scale <= SCALE_MAX:
        keys.wrong("scale", f"the number of decimal places, 0 to {SCALE_MAX}")
        return 0
    return scale


def _values(keys: Keys, kind: str) -> tuple[str, ...]:
    values = keys.texts("values")
    if kind == "enum" and not values and not isinstance(keys.raw.get("values"), list):
        keys.wrong("values", "the list of values of the enum")
    if kind != "enum" and "values" in keys.raw:
        keys.wrong("values", "no values: only an enum lists them", 'set "type": "enum"')
    return values


def _normalize(keys: Keys, kind: str) -> tuple[str, ...]:
    names = keys.texts("normalize")
    for name in names:
        if name not in NORMALIZERS:
            keys.report.unknown(at(keys.pointer, "normalize"), "normalization", name, NORMALIZERS)
    if names and kind not in {"string", "enum"}:
        keys.wrong("normalize", "no normalization: only text has one")
        return ()
    return tuple(name for name in names if name in NORMALIZERS)


def _items(keys: Keys, kind: str, nesting: int) -> Declared | None:
    if kind != "list":
        return None
    if "items" not in keys.raw:
        keys.wrong("items", "the declaration of the list's items")
        return None
    return declared_input(keys.raw["items"], at(keys.pointer, "items"), keys.report, nesting=nesting + 1)


def _fields(keys: Keys, kind: str, nesting: int) -> Mapping[str, Declared] | None:
    if kind != "object":
        return None
    if not keys.mapping("fields"):
        keys.wrong("fields", "the declarations of the object's fields")
    pointer = at(keys.pointer, "fields")
    fields = {
        name: declared_input(field, at(pointer, name), keys.report, nesting=nesting + 1)
        for name, field in keys.mapping("fields").items()
    }
    return {name: field for name, field in fields.items() if field is not None}


def _with_bounds(declared: Declared, keys: Keys) -> Declared:
    limits: dict[str, Any] = {}
    for key in ("min", "max"):
        if key not in keys.raw:
            continue
        if declared.type not in _BOUNDED:
            keys.wrong(key, f"no {key}: only numbers and dates are bounded")
            continue
        try:
            limits[key] = reader(declared)(keys.raw[key])
        except Refusal as refusal:
            keys.wrong(key, f"a value of the input itself ({refusal.message})")
    if len(limits) == 2 and limits["min"] > limits["max"]:
        keys.wrong("max", "a maximum that is not below the minimum")
    return replace(declared, **limits)


def declared_output(raw: object, pointer: str, report: Report) -> DeclaredOutput | None:
    """Read one output declaration, its expression apart; None when it cannot be used."""
    keys = Keys(raw, pointer, report, _OUTPUT_KEYS)
    if "expr" not in keys.raw:
        keys.wrong("expr", "the expression that computes the output")
    found = _shape(keys, 0)
    return None if found is None else replace(found, personal=keys.flag("personal", default=False))


def _shape(keys: Keys, nesting: int) -> DeclaredOutput | None:
    """The form of an output, or of a part of one; None when it cannot be used."""
    kind = keys.choice("type", TYPES)
    if kind is None or nesting > NESTING_MAX:
        if kind is not None:
            keys.wrong("type", f"at most {NESTING_MAX} levels of nesting")
        return None
    for key, of in (("items", "list"), ("fields", "object")):
        if (key in keys.raw) is not (kind == of):
            keys.wrong(key, f"the declaration of the {of}'s {key}" if kind == of else f"no {key}: only a {of} has them")
            return None
    rounding = keys.choice("rounding", tuple(ROUNDING_MODES)) if "rounding" in keys.raw else None
    if rounding is not None and kind not in {"decimal", "integer"}:
        keys.wrong("rounding", "no rounding: only numbers are rounded")
    return DeclaredOutput(
        type=kind,
        scale=_scale(keys, kind),
        rounding=rounding,
        nullable=keys.flag("nullable", default=False),
        values=_values(keys, kind),
        items=_part(keys.raw["items"], at(keys.pointer, "items"), keys.report, nesting) if kind == "list" else None,
        fields=_parts(keys, nesting) if kind == "object" else None,
        omit_null=keys.flag("omit_null", default=False),
    )


def _part(raw: object, pointer: str, report: Report, nesting: int, *, of_object: bool = False) -> DeclaredOutput | None:
    known = (*_SHAPE_KEYS, "omit_null") if of_object else _SHAPE_KEYS
    return _shape(Keys(raw, pointer, report, known), nesting + 1)


def _parts(keys: Keys, nesting: int) -> Mapping[str, DeclaredOutput]:
    if not keys.mapping("fields"):
        keys.wrong("fields", "the declarations of the object's fields")
    pointer = at(keys.pointer, "fields")
    found = {
        name: _part(raw, at(pointer, name), keys.report, nesting, of_object=True)
        for name, raw in keys.mapping("fields").items()
    }
    return {name: one for name, one in found.items() if one is not None}


def declared_aggregate(raw: object, pointer: str, report: Report) -> Aggregate | None:
    """Read one period aggregate; None when it cannot be used. Expressions see it as a decimal."""
    keys = Keys(raw, pointer, report, ("of", "period", "back", "event_types", "description"))
    of = keys.choice("of", ("points",))
    period = keys.choice("period", PERIODS)
    back = keys.raw.get("back", 0)
    if not isinstance(back, int) or isinstance(back, bool) or not 0 <= back <= BACK_MAX:
        keys.wrong("back", f"how many periods earlier, 0 to {BACK_MAX}")
        back = 0
    event_types = tuple(sorted(keys.texts("event_types")))
    if keys.raw.get("event_types") == []:
        keys.wrong("event_types", "at least one event type; without the key, all of them count")
    return Aggregate(of, period, back, event_types) if of and period else None
