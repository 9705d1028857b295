"""Rule documents as JSON Schema (2020-12), so that an editor completes, explains and checks while an admin types.

Made of what the hub itself checks with: the operator registry, the declarations, the known facts, the models of
layouts. A schema knows structure only. What it refuses the hub refuses too, and for the same place; the hub refuses
more: types, names, cells, cases.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from chalicelib.language.bounds import LIST_LENGTH_MAX
from chalicelib.language.compile import DECIDES
from chalicelib.language.rounding import ROUNDING_MODES
from chalicelib.rules import code_tables, documents, entities, envelopes, facts, targets
from chalicelib.rules.code_table_content import CODE_LENGTH_MAX, DESCRIPTION_LENGTH_MAX, VALUE_LENGTH_MAX
from chalicelib.rules.layouts import LayoutDocument
from chalicelib.rules.schemas.declarations import (
    aggregate,
    case,
    day,
    declared_input,
    declared_value,
    named,
    shape,
    table,
)
from chalicelib.rules.schemas.declarations import facts as known_facts
from chalicelib.rules.schemas.operators import EXPRESSION, Schema, expression

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KIND_WORDS: Final[Mapping[str, str]] = {
    "mapping": "a record of the hub in the words of an outside system: the outputs are the fields of the target",
}


def ruleset() -> Schema:
    """Rulesets of every kind but layouts."""
    kinds = [kind for kind in documents.KINDS if kind != "layout"]
    words = "; ".join(f"{kind}: {_decides(kind)}" for kind in kinds)
    texts = {name: {"type": "string"} for name in ("title", "description", "program", "target", "entity")}
    return {
        "$schema": DIALECT,
        "title": "Ruleset",
        "description": "What the hub decides about a record, and by which rule.",
        "type": "object",
        "properties": {
            **envelope(),
            **texts,
            "kind": {"enum": kinds, "description": f"What it decides. {words}."},
            "effective": period(),
            "inputs": named({"$ref": "#/$defs/input"}, "The facts that the rule reads, with their types."),
            "aggregates": named({"$ref": "#/$defs/aggregate"}, "Sums that are made before the rule decides."),
            "let": named(dict(EXPRESSION), "Named values, in any order; they may use one another."),
            "when": {**EXPRESSION, "title": "Whether the rule applies at all; by default it does."},
            "tables": named({"$ref": "#/$defs/table"}, "Decision tables."),
            "outputs": {
                **named({"$ref": "#/$defs/output"}, "What it decides, with type, scale and rounding."),
                "minProperties": 1,
            },
            "cases": {
                "type": "array",
                "items": {"$ref": "#/$defs/case"},
                "description": "Examples that must come true; they must get to every branch and table row.",
            },
        },
        "required": ["id", "kind", "owner", "why", "outputs"],
        "additionalProperties": False,
        "allOf": [*(_of_kind(kind) for kind in kinds), *_of_entities()],
        "$defs": {
            "expression": expression(),
            "input": declared_input(),
            "output": shape(output=True),
            "item": shape(),
            "field": shape(of_object=True),
            "aggregate": aggregate(),
            "table": table(),
            "case": case(),
        },
    }


def layout() -> Schema:
    """File layouts: what a partner's file looks like, and how each field of the hub comes from its columns."""
    made = _inlined(LayoutDocument)
    fields = made["properties"]
    expressions = named(dict(EXPRESSION), "Named values over the columns; they may use one another.")
    fields["let"] = {**expressions, "default": {}}
    fields["tables"] = {**named({"$ref": "#/$defs/table"}, "Decision tables."), "default": {}}
    fields["ignore_when"] = {**EXPRESSION, "title": "Rows for which this holds are ignored."}
    field = made["$defs"]["LayoutField"]["properties"]
    field["expr"] = {**EXPRESSION, "title": "The field's value, of the columns of a row."}
    field["rounding"] = {"enum": [*ROUNDING_MODES, None], "description": "How excess digits are rounded."}
    return {
        "$schema": DIALECT,
        "title": "Layout",
        "description": "What a partner's file looks like, and how each field of the hub comes from its columns.",
        **made,
        "properties": {
            **envelope(),
            "kind": {"const": "layout"},
            "effective": {**period(), "type": ["object", "null"]},
            **fields,
        },
        "required": ["id", "kind", "owner", "why", *made["required"]],
        "allOf": [_fields_of(entity) for entity in entities.ENTITIES],
        "$defs": {**made["$defs"], "expression": expression(), "table": table()},
    }


def code_table() -> Schema:
    """Code tables: a partner's codes and what they mean to the hub, dated."""
    text = {"type": "string", "minLength": 1}
    entry = {
        "type": "object",
        "properties": {
            "code": {**text, "maxLength": CODE_LENGTH_MAX, "description": "The partner's code."},
            "value": {**text, "maxLength": VALUE_LENGTH_MAX, "description": "What it means to the hub."},
            "description": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": DESCRIPTION_LENGTH_MAX,
                "description": "For people.",
            },
            "effective_from": day("The first day of this meaning; null: always."),
            "effective_to": day("The last day of this meaning; null: until further notice."),
        },
        "required": ["code", "value"],
        "additionalProperties": False,
        "defaultSnippets": [{"label": "entry", "description": "One translation.", "body": {"code": "", "value": ""}}],
    }
    return {
        "$schema": DIALECT,
        "title": "Code table",
        "description": "A partner's codes and what they mean to the hub. A look-up sees the record's date.",
        "type": "object",
        "properties": {
            **envelope(),
            "kind": {"const": code_tables.KIND},
            "value": declared_value(),
            "entries": {
                "type": "array",
                "items": entry,
                "minItems": 1,
                "maxItems": LIST_LENGTH_MAX,
                "description": "One meaning of a code on each day.",
            },
            "entries_begin": {
                "type": "boolean",
                "default": False,
                "description": (
                    "true: the entries are what the table begins with; once it exists, only single entries and files "
                    "change it, and applying this document again leaves them alone."
                ),
            },
        },
        "required": ["id", "kind", "owner", "why", "entries"],
        "additionalProperties": False,
    }


def envelope() -> Schema:
    """What every document says about itself, ``kind`` and ``effective`` apart."""
    owner, why = envelopes.OWNER_LENGTH_MAX, envelopes.WHY_LENGTH_MAX
    return {
        "$schema": {"description": "The JSON Schema by which editors check this file."},
        "id": {
            "type": "string",
            "maxLength": envelopes.CODE_LENGTH_MAX,
            "pattern": f"^(?:{envelopes.CODE.pattern})$",
            "description": "Lower case; of a partner's own document it begins with the partner's code and a dot.",
            "examples": ["aurora-air.accrual"],
        },
        "partner": {
            "type": ["string", "null"],
            "minLength": 1,
            "description": "The code of the partner that owns it; null: every partner may use it.",
        },
        "owner": {"type": "string", "minLength": 1, "maxLength": owner, "description": "The team that answers for it."},
        "why": {
            "type": "string",
            "minLength": 1,
            "maxLength": why,
            "description": "What it does and by which agreement, for who reads it next year.",
        },
    }


def period() -> Schema:
    """The days on which a version may decide."""
    return {
        "type": "object",
        "properties": {"from": day("The first day; null: any."), "to": day("The last day; null: until another does.")},
        "additionalProperties": False,
        "description": "The first and the last day on which it may decide.",
        "examples": [{"from": "2026-10-01", "to": None}],
    }


def of_model(model: type[BaseModel]) -> Schema:
    """The schema of a pydantic model, without the titles that pydantic makes of names."""
    found: Schema = _untitled(model.model_json_schema(by_alias=True))
    return found


def _inlined(model: type[BaseModel]) -> Schema:
    made = of_model(model)
    made.setdefault("$defs", {})
    made.pop("description", None)
    return made


def _untitled(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(schema, dict):
        # A property may be called "title": only the keyword, which is text, goes.
        return {
            name: _untitled(part) for name, part in schema.items() if not (name == "title" and isinstance(part, str))
        }
    return [_untitled(part) for part in schema] if isinstance(schema, list) else schema


def _decides(kind: str) -> str:
    decides = DECIDES.get(kind)
    return _KIND_WORDS.get(kind, "") if decides is None else decides.meaning


def _of_kind(kind: str) -> Schema:
    """What the outputs and inputs of one kind are."""
    then: Schema = {}
    decides = DECIDES.get(kind)
    if decides is not None:
        typed = {"properties": {"type": {"enum": list(decides.types)}}}
        then["properties"] = {
            "outputs": {"required": [decides.output], "properties": {decides.output: typed}},
        }
    if kind == "accrual":
        points = then["properties"]["outputs"]
        points["additionalProperties"] = False
        then["properties"]["inputs"] = known_facts(facts.ACCRUAL)
    if kind == "enrolment":
        then["properties"]["inputs"] = known_facts(facts.MEMBER)
    if kind == "mapping":
        then = {
            "required": ["entity", "target"],
            "properties": {
                "entity": {"enum": list(facts.ENTITIES), "description": "What is mapped."},
                "target": {"enum": list(targets.SHAPES), "description": "The connector whose fields the outputs are."},
            },
        }
    return {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": then}


def _of_entities() -> list[Schema]:
    """What a mapping may read of the entity that it maps."""
    return [
        {
            "if": {
                "properties": {"kind": {"const": "mapping"}, "entity": {"const": entity}},
                "required": ["kind", "entity"],
            },
            "then": {"properties": {"inputs": known_facts(known)}},
        }
        for entity, known in facts.ENTITIES.items()
    ]


def _fields_of(entity: str) -> Schema:
    """The fields that a layout of one entity has, and those that it needs."""
    known = entities.ENTITIES[entity]
    fields = {
        "properties": {name: {"$ref": "#/$defs/LayoutField"} for name in known},
        "required": [name for name, field in known.items() if not field.nullable],
        "additionalProperties": False,
    }
    return {
        "if": {"properties": {"entity": {"const": entity}}, "required": ["entity"]},
        "then": {"properties": {"fields": fields}},
    }
