"""The expressions of the language as JSON Schema: every operator with its arity, its written-out arguments, an example.

Only structure is here: types are the compiler's business. What is refused here the compiler refuses too, never the
other way round, so that an editor can be wrong about a rule in one direction only.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from chalicelib.language.bounds import ARGUMENTS_MAX, KEY_LENGTH_MAX, SCALE_MAX
from chalicelib.language.check import Operator
from chalicelib.language.operators import OPERATORS
from chalicelib.language.operators.dates import FORMAT_WORDS
from chalicelib.language.operators.misses import CHOICES, QUARANTINE
from chalicelib.language.operators.text import PAD_WIDTH_MAX, PARTS_MAX, SEPARATOR_LENGTH_MAX
from chalicelib.language.parse import OBJECT
from chalicelib.language.rounding import ROUNDING_MODES

Schema = dict[str, Any]

EXPRESSION: Final[Mapping[str, str]] = MappingProxyType({"$ref": "#/$defs/expression"})


def _var(name: str) -> dict[str, str]:
    return {"var": name}


_LINE_AMOUNT = {"*": [_var("qty"), _var("price")]}

#: What the arguments of each operator look like; a snippet of an editor, and an example in a schema.
EXAMPLES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "var": "hours",
        "==": [_var("status"), "ACTIVE"],
        "!=": [_var("grade"), None],
        "<": [_var("hours"), 40],
        "<=": [0, _var("hours"), 40],
        ">": [_var("hours"), 0],
        ">=": [_var("hire_date"), "2026-01-01"],
        "and": [{"==": [_var("status"), "ACTIVE"]}, {">": [_var("hours"), 0]}],
        "or": [{"==": [_var("status"), "ACTIVE"]}, {"==": [_var("status"), "LEAVE"]}],
        "!": [_var("part_time")],
        "if": [{">": [_var("hours"), 40]}, 40, _var("hours")],
        "?:": [_var("part_time"), 1, 2],
        "in": [_var("status"), ["ACTIVE", "LEAVE"]],
        "in_range": [_var("hours"), "[0,40)"],
        "coalesce": [_var("grade"), "E1"],
        "is_null": [_var("grade")],
        "missing": ["grade", "fte_pct"],
        "missing_some": [1, ["grade", "fte_pct"]],
        "+": [_var("hours"), 8],
        "-": [_var("hours"), 8],
        "*": [_var("hours"), 2],
        "/": [_var("hours"), 100],
        "%": [_var("days"), 7],
        "min": [_var("hours"), 400],
        "max": [_var("hours"), 0],
        "abs": [_var("hours")],
        "round": [_var("hours"), 2, "half_up"],
        "allocate": [_var("hours"), [60, 40], 2],
        "cat": [_var("name"), " ", _var("job")],
        "substr": [_var("name"), 0, 3],
        "length": [_var("name")],
        "trim": [_var("name")],
        "upper": [_var("name")],
        "lower": [_var("name")],
        "normalize": [_var("name")],
        "replace": [_var("name"), "-", " "],
        "split": [_var("name"), ",", 0],
        "pad_left": [_var("name"), 5, "0"],
        "parse_decimal": [_var("name"), {"decimal_mark": ","}],
        "parse_integer": [_var("name")],
        "to_text": [{"*": [_var("hours"), 2]}, 2],
        "matches": [_var("name"), "[A-Z]{2}[0-9]{6}"],
        "parse_date": [_var("name"), "MM/DD/YYYY"],
        "format_date": [_var("hire_date"), "YYYY-MM-DD"],
        "months_between": [_var("hire_date"), _var("as_of")],
        "years_between": [_var("hire_date"), _var("as_of")],
        "date_add": [_var("hire_date"), 6, "months"],
        "days_between": [_var("hire_date"), _var("as_of")],
        "start_of": [_var("as_of"), "month"],
        "end_of": [_var("as_of"), "month"],
        "map": [_var("lines"), _LINE_AMOUNT],
        "filter": [_var("lines"), {">": [_var("qty"), 0]}],
        "reduce": [_var("tags"), {"cat": [_var("accumulator"), _var("current")]}, ""],
        "all": [_var("lines"), {">": [_var("qty"), 0]}],
        "some": [_var("lines"), {">": [_var("qty"), 100]}],
        "none": [_var("lines"), {"<": [_var("qty"), 0]}],
        "merge": [_var("tags"), ["extra"]],
        "count": [_var("lines")],
        "sum": [{"map": [_var("lines"), _LINE_AMOUNT]}],
        OBJECT: {"sku": _var("name"), "qty": _var("days")},
        "table": ["tier", "rate"],
        "lookup": ["acme.grades", _var("name"), {"on_miss": "error"}],
    }
)


def _whole(low: int, high: int, description: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def _written(description: str, length_min: int = 0, length_max: int | None = None) -> Schema:
    found: Schema = {"type": "string", "description": description}
    if length_min:
        found["minLength"] = length_min
    return found if length_max is None else {**found, "maxLength": length_max}


def _options(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _on_miss(*choices: str) -> Schema:
    """The options of what may find nothing: a default stands beside ``on_miss`` "default", and only there."""
    asked = {"properties": {"on_miss": {"const": "default"}}, "required": ["on_miss"]}
    told = "What if nothing is found: refuse the record, take the default, null, or hold the record back."
    return {
        **_options(on_miss={"enum": list(choices), "description": told}, default=dict(EXPRESSION)),
        "if": asked,
        "then": {"required": ["default"]},
        "else": {"properties": {"default": False}},
    }


_SCALE = _whole(0, SCALE_MAX, "How many decimal places.")
_MODE = {"enum": list(ROUNDING_MODES), "description": "How it is rounded."}
_DATE_FORMAT = {**_written(FORMAT_WORDS), "examples": ["YYYY-MM-DD", "M/D/YYYY", "DD.MM.YYYY"]}
_INTERVAL = {**_written("[ and ] include the bound, ( and ) do not."), "examples": ["[6,24)", "(,6)", "[60,)"]}
_ANY = dict(EXPRESSION)

#: The arguments of operators that want some of them written out, by place. All others are expressions.
_WRITTEN_OUT: Final[Mapping[str, tuple[Schema, ...]]] = MappingProxyType(
    {
        "in_range": (_ANY, _INTERVAL),
        "missing_some": (
            _whole(1, ARGUMENTS_MAX, "How many of them are needed."),
            {"type": "array", "minItems": 1, "items": _written("The name of an input.")},
        ),
        "round": (_ANY, _SCALE, _MODE),
        "allocate": (_ANY, _ANY, _SCALE),
        "replace": (
            _ANY,
            _written("What is replaced.", 1, SEPARATOR_LENGTH_MAX),
            _written("By what.", 0, SEPARATOR_LENGTH_MAX),
        ),
        "split": (
            _ANY,
            _written("The separator.", 1, SEPARATOR_LENGTH_MAX),
            _whole(-PARTS_MAX, PARTS_MAX, "Which part: 0 is the first, -1 the last."),
            _on_miss(*CHOICES),
        ),
        "pad_left": (_ANY, _whole(1, PAD_WIDTH_MAX, "The width."), _written("One character.", 1, 1)),
        "parse_decimal": (
            _ANY,
            _options(
                decimal_mark={"enum": [".", ","], "description": "Before the decimal places."},
                group_mark={
                    "enum": ["", ",", ".", " ", "'", "\u00a0", "\u202f"],
                    "description": "Between groups of three digits.",
                },
            ),
        ),
        "to_text": (_ANY, _SCALE),
        "matches": (_ANY, _written("A pattern: characters, sets, groups, | and repetitions.")),
        "parse_date": (_ANY, _DATE_FORMAT),
        "format_date": (_ANY, _DATE_FORMAT),
        "date_add": (_ANY, _ANY, {"enum": ["days", "months", "years"]}),
        **dict.fromkeys(("start_of", "end_of"), (_ANY, {"enum": ["week", "month", "quarter", "year"]})),
        "table": (_written("A table of this document."), _written("One of its result columns.")),
        "lookup": (_written("The code of a code table.", 1, KEY_LENGTH_MAX), _ANY, _on_miss(*CHOICES, QUARANTINE)),
    }
)
_NAMES = frozenset({"var", "missing"})


def expression() -> Schema:
    """Any expression: a literal, a list of expressions, or one operator with its arguments.

    The keywords of objects and of lists each say nothing about other values, so no alternatives are needed and an
    editor says exactly what is wrong.
    """
    return {
        "properties": {name: _call(operator) for name, operator in OPERATORS.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "items": dict(EXPRESSION),
        "defaultSnippets": [
            {"label": name, "description": operator.summary, "body": {name: EXAMPLES[name]}}
            for name, operator in OPERATORS.items()
            if name in EXAMPLES
        ],
    }


def _call(operator: Operator) -> Schema:
    """The arguments of one operator. ``{"trim": x}`` is short for ``{"trim": [x]}``."""
    told: Schema = {
        "description": f"{operator.summary} {operator.signature}",
        "markdownDescription": f"{operator.summary}\n\n`{operator.name}`: `{operator.signature}`",
    }
    if operator.name in EXAMPLES:
        told["examples"] = [EXAMPLES[operator.name]]
    if operator.name == OBJECT:
        return {**told, **_fields()}
    if operator.name in _NAMES:
        return {**told, **_names(operator)}
    if operator.name in _WRITTEN_OUT:
        return {**told, **_places(operator, _WRITTEN_OUT[operator.name])}
    high = ARGUMENTS_MAX if operator.arguments_max is None else operator.arguments_max
    bounds = {"minItems": operator.arguments_min, "maxItems": high}
    if operator.arguments_min > 1:
        return {**told, "type": "array", "items": dict(EXPRESSION), **bounds}
    return {**told, **EXPRESSION, **bounds}


def _names(operator: Operator) -> Schema:
    """One name, or a list of them."""
    high = ARGUMENTS_MAX if operator.arguments_max is None else operator.arguments_max
    return {"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "maxItems": high}


def _places(operator: Operator, places: tuple[Schema, ...]) -> Schema:
    listed = {
        "prefixItems": list(places),
        "items": False,
        "minItems": operator.arguments_min,
        "maxItems": len(places),
    }
    if operator.arguments_min > 1:
        return {"type": "array", **listed}
    return {"if": {"type": "array"}, "then": listed, "else": dict(EXPRESSION)}


def _fields() -> Schema:
    """The fields of an object that is built, alone or as the only argument."""
    named = {
        "minProperties": 1,
        "propertyNames": {"minLength": 1, "maxLength": KEY_LENGTH_MAX},
        "additionalProperties": dict(EXPRESSION),
    }
    only = {"type": "object", **named}
    return {"type": ["object", "array"], **named, "items": only, "minItems": 1, "maxItems": 1}
