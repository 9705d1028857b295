"""What documents declare, as JSON Schema: inputs, outputs, sums of a period, decision tables, cases."""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.language.bounds import KEY_LENGTH_MAX, SCALE_MAX, TABLE_ROWS_MAX
from chalicelib.language.cases import APPLIES, REFUSED
from chalicelib.language.declarations import BACK_MAX, PERIODS, TYPES
from chalicelib.language.hit_policies import COLLECTIONS, HIT_POLICIES
from chalicelib.language.reading import NORMALIZERS
from chalicelib.language.rounding import ROUNDING_MODES
from chalicelib.language.tree import AS_OF
from chalicelib.rules.code_table_values import TYPES as VALUE_TYPES
from chalicelib.rules.facts import Fact
from chalicelib.rules.schemas.operators import EXPRESSION, Schema

_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
#: Read by people only, so it may be anything; text is what an editor suggests.
DESCRIPTION: Final[Schema] = {"description": "For who reads the rule.", "examples": [""]}
_TYPE_WORDS = (
    "string: text. enum: one of `values`. integer. decimal: at most `scale` places. date: 2026-10-01. "
    "boolean. list of `items`. object of `fields`."
)
_ROUNDING_WORDS = (
    "How excess digits are rounded; without it they refuse the record. half_up: 0.5 goes away from zero. half_even: to "
    "the even neighbour. half_down: towards zero. up, down: away from zero, towards it. ceiling, floor: up, down."
)
_HIT_WORDS = (
    "Which of the rows that fit answers. unique: rows never overlap. any: overlapping rows say the same. first: the "
    "first that fits. priority: the one that ranks highest. collect: all of them."
)


def flag(description: str) -> Schema:
    """A boolean."""
    return {"type": "boolean", "description": description}


def day(description: str) -> Schema:
    """A date, or null."""
    return {"type": ["string", "null"], "pattern": _DAY, "description": description, "examples": ["2026-10-01"]}


def named(value: Schema, description: str, *, length_min: int = 1) -> Schema:
    """Values by names that the author chooses."""
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"minLength": length_min, "maxLength": KEY_LENGTH_MAX},
        "additionalProperties": value,
    }


def texts(description: str, **more: Any) -> Schema:  # noqa: ANN401 - keywords of JSON Schema
    """A list of different texts."""
    return {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "uniqueItems": True,
        "description": description,
        **more,
    }


def _only_for(key: str, types: tuple[str, ...], *, required: bool = False) -> Schema:
    """``key`` goes with these types only."""
    then: Schema = {"required": [key]} if required else {}
    return {
        "if": {"properties": {"type": {"enum": list(types)}}, "required": ["type"]},
        "then": then,
        "else": {"properties": {key: False}},
    }


_VALUES = texts("The values of an enum.", examples=[["ACTIVE", "LEAVE"]])
_SCALE = {"type": "integer", "minimum": 0, "maximum": SCALE_MAX, "description": "Decimal places of a decimal."}
_TYPE = {"enum": list(TYPES), "description": _TYPE_WORDS}
_PERSONAL = flag("Whether it tells about a person: it is masked wherever it is kept.")


def declared_input() -> Schema:
    """The declaration of one input."""
    bound = {"description": "Inclusive; of numbers and dates.", "examples": ["0"]}
    fields = named({"$ref": "#/$defs/input"}, "The fields of an object.", length_min=0)
    return {
        "type": "object",
        "properties": {
            "type": _TYPE,
            "scale": _SCALE,
            "values": _VALUES,
            "required": flag("Whether a record must have it; by default it must, unless it is nullable."),
            "nullable": flag("Whether it may be null; the rule must then handle null."),
            "min": bound,
            "max": bound,
            "normalize": {
                "type": "array",
                "items": {"enum": list(NORMALIZERS)},
                "uniqueItems": True,
                "description": "What is done to a text before the rule sees it, in this order.",
                "examples": [["trim", "upper"]],
            },
            "personal": _PERSONAL,
            "items": {"description": "The declaration of a list's items."},
            "fields": {"description": "The declarations of an object's fields, by name."},
            "description": DESCRIPTION,
        },
        "required": ["type"],
        "additionalProperties": False,
        "allOf": [
            _only_for("scale", ("decimal",), required=True),
            _only_for("values", ("enum",), required=True),
            _only_for("min", ("integer", "decimal", "date")),
            _only_for("max", ("integer", "decimal", "date")),
            _required_for("items", "list", {"$ref": "#/$defs/input"}),
            _required_for("fields", "object", {**fields, "minProperties": 1}),
        ],
        "examples": [{"type": "decimal", "scale": 2, "min": "0"}],
    }


def declared_value() -> Schema:
    """What the values of a code table may be."""
    bound = {"description": "Inclusive.", "examples": ["2"]}
    return {
        "type": "object",
        "description": "What the values may be, where a rule reads them as numbers, say; without it any text.",
        "properties": {
            "type": {
                "enum": list(VALUE_TYPES),
                "description": "decimal: to `scale` places. enum: one of `values`.",
            },
            "scale": _SCALE,
            "values": _VALUES,
            "min": bound,
            "max": bound,
            "description": DESCRIPTION,
        },
        "required": ["type"],
        "additionalProperties": False,
        "allOf": [
            _only_for("scale", ("decimal",), required=True),
            _only_for("values", ("enum",), required=True),
            _only_for("min", ("integer", "decimal", "date")),
            _only_for("max", ("integer", "decimal", "date")),
        ],
        "examples": [{"type": "decimal", "scale": 4, "min": "0.5", "max": "2"}],
    }


def _required_for(key: str, kind: str, value: Schema) -> Schema:
    """A ``kind`` needs ``key``; with other types the hub does not look at it."""
    return {
        "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
        "then": {"required": [key], "properties": {key: value}},
    }


def facts(known: Mapping[str, Fact]) -> Schema:
    """Inputs that must be facts the hub knows, each with its meaning and a declaration to begin with."""
    return {
        "properties": {
            name: {
                "allOf": [{"$ref": "#/$defs/input"}],
                "description": fact.meaning + (" May be null." if fact.nullable else ""),
                "defaultSnippets": [{"label": fact.type, "description": fact.meaning, "body": declaration(fact)}],
            }
            for name, fact in known.items()
        },
        "additionalProperties": False,
    }


def declaration(fact: Fact) -> dict[str, Any]:
    """How a rule declares a fact."""
    found: dict[str, Any] = {"type": fact.type}
    if fact.scale is not None:
        found["scale"] = fact.scale
    if fact.values:
        found["values"] = list(fact.values)
    if fact.nullable:
        found["nullable"] = True
    if fact.personal:
        found["personal"] = True
    return found


def shape(*, output: bool = False, of_object: bool = False) -> Schema:
    """The form of an output, of an item of one, or of a field of one."""
    properties: Schema = {
        "type": _TYPE,
        "scale": _SCALE,
        "rounding": {"enum": list(ROUNDING_MODES), "description": _ROUNDING_WORDS},
        "values": _VALUES,
        "nullable": flag("Whether it may be null."),
        "items": {"$ref": "#/$defs/item"},
        "fields": {
            **named({"$ref": "#/$defs/field"}, "The fields of an object.", length_min=0),
            "minProperties": 1,
        },
        "description": DESCRIPTION,
    }
    required = ["type"]
    if output:
        properties |= {"personal": _PERSONAL, "expr": dict(EXPRESSION)}
        required.append("expr")
    if of_object:
        properties["omit_null"] = flag("Whether it is left out when it is null.")
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "allOf": [
            _only_for("scale", ("decimal",), required=True),
            _only_for("values", ("enum",), required=True),
            _only_for("rounding", ("decimal", "integer")),
            _only_for("items", ("list",), required=True),
            _only_for("fields", ("object",), required=True),
        ],
    }


def aggregate() -> Schema:
    """A sum over a period, which the hub makes before it decides."""
    return {
        "type": "object",
        "properties": {
            "of": {"enum": ["points"], "description": "What is added up: points earned before this event."},
            "period": {"enum": list(PERIODS), "description": "The period that the event's date lies in."},
            "back": {
                "type": "integer",
                "minimum": 0,
                "maximum": BACK_MAX,
                "description": "How many periods earlier: 1 is the one before.",
            },
            "event_types": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "uniqueItems": True,
                "description": "Only events of these types count, each a value of the input `event_type`.",
            },
            "description": DESCRIPTION,
        },
        "required": ["of", "period"],
        "additionalProperties": False,
        "examples": [
            {"of": "points", "period": "calendar_month"},
            {"of": "points", "period": "calendar_month", "event_types": ["HOURS", "SPEND"]},
        ],
    }


def table() -> Schema:
    """A decision table: rows of conditions and results, held to a hit policy."""
    scalar = ["string", "number", "boolean"]
    column = {
        "type": "object",
        "properties": {
            "type": {"enum": ["string", "integer", "decimal", "date", "boolean"]},
            "description": DESCRIPTION,
        },
        "required": ["type"],
        "additionalProperties": False,
    }
    cell: Schema = {
        "type": [*scalar, "null", "array"],
        "items": {"type": scalar},
        "minItems": 1,
        "description": 'A literal, a list of them, an interval such as "[6,24)" or "[60,)", or "-" for anything.',
        "examples": ["-", "[6,24)", "(,6)", "[60,)"],
    }
    return {
        "type": "object",
        "properties": {
            "hit": {"enum": list(HIT_POLICIES), "description": _HIT_WORDS},
            "priority": _ranking(),
            "collect": {"enum": list(COLLECTIONS), "description": "What becomes of the rows that fit."},
            "in": texts("The inputs or `let` names that the conditions of a row test, in order.", minItems=1),
            "out": {
                "type": ["array", "object"],
                "items": {"type": "string", "minLength": 1},
                "uniqueItems": True,
                "minItems": 1,
                "minProperties": 1,
                "additionalProperties": column,
                "description": "The result columns: names, or names with types.",
            },
            "rows": {
                "type": "array",
                "minItems": 1,
                "maxItems": TABLE_ROWS_MAX,
                "items": {"type": "array", "minItems": 2, "items": cell},
                "description": "Of each row first the conditions, then the results.",
            },
            "description": DESCRIPTION,
        },
        "required": ["hit", "in", "out", "rows"],
        "additionalProperties": False,
        "allOf": [_goes_with("priority", required=True), _goes_with("collect")],
        "defaultSnippets": [{"label": "tiers", "description": "A table of ranges.", "body": _TIERS}],
    }


_TIERS: Final[dict[str, Any]] = {
    "hit": "unique",
    "in": ["tenure_months"],
    "out": ["rate"],
    "rows": [["(,24)", "1.0"], ["[24,)", "1.25"]],
}


def _goes_with(key: str, *, required: bool = False) -> Schema:
    """A key of a table that goes with the hit policy of its name only."""
    then: Schema = {"required": [key]} if required else {}
    return {
        "if": {"properties": {"hit": {"const": key}}, "required": ["hit"]},
        "then": then,
        "else": {"properties": {key: False}},
    }


def _ranking() -> Schema:
    return {
        "type": "object",
        "properties": {
            "by": {"type": "string", "description": "The result column that ranks the rows."},
            "order": {
                "type": ["string", "array"],
                "description": "highest, lowest, or the list of the column's values, the first of which wins.",
                "examples": ["highest", "lowest"],
            },
        },
        "required": ["by", "order"],
        "additionalProperties": False,
    }


def case() -> Schema:
    """An example that must come true before the rule decides."""
    refused = {
        "if": {"required": [REFUSED]},
        "then": {"maxProperties": 1, "properties": {REFUSED: {"type": "string"}}},
    }
    applies = {
        "if": {"required": [APPLIES]},
        "then": {"maxProperties": 1, "properties": {APPLIES: {"type": "boolean"}}},
    }
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "What it shows, in a few words."},
            AS_OF: {
                "type": "string",
                "pattern": _DAY,
                "description": "The date of the decision.",
                "examples": ["2026-10-01"],
            },
            "given": {"type": "object", "description": "The record: inputs by name."},
            "expect": {
                "type": "object",
                "minProperties": 1,
                "description": 'Outputs by name; or {"refused": code}, or {"applies": false}.',
                "allOf": [refused, applies],
            },
            "aggregates": {"type": "object", "description": "The sums of the period before this record; else 0."},
            "code_tables": named(
                {"type": "object", "additionalProperties": {"type": "string"}},
                "What code tables say on that day: texts by code, by table.",
                length_min=0,
            ),
            "why": DESCRIPTION,
            "description": DESCRIPTION,
        },
        "required": ["name", AS_OF, "expect"],
        "additionalProperties": False,
        "defaultSnippets": [
            {
                "label": "case",
                "description": "An example of what the rule decides.",
                "body": {"name": "", AS_OF: "2026-10-01", "given": {}, "expect": {}},
            }
        ],
    }
