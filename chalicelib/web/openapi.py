"""The OpenAPI 3.1 document, made from the registry of endpoints; nothing in it is written twice."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from chalicelib.access.scopes import Scope
from chalicelib.errors import (
    Conflict,
    InterlineError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Unavailable,
)
from chalicelib.web import problems
from chalicelib.web.answers import JSON, Attachment
from chalicelib.web.declaration import shapes_of
from chalicelib.web.problems import Malformed, Problem
from chalicelib.web.registry import Effect, EndpointSpec, Open, Replay

_REF: Final = "#/components/schemas/{model}"
_CORRELATION: Final = {"$ref": "#/components/parameters/CorrelationId"}
_IDEMPOTENCY: Final = {
    Replay.OPTIONAL: {"$ref": "#/components/parameters/IdempotencyKeyIfWanted"},
    Replay.REQUIRED: {"$ref": "#/components/parameters/IdempotencyKey"},
}
_INTRODUCTION: Final = (
    "Errors are problem documents (RFC 9457): decide by `code`, repeat only what is `retryable`, quote `trace_id`. "
    "Amounts and points are decimal strings, never numbers. Lists are pages: send `next_cursor` as `cursor`. "
    "A write repeated with the same `Idempotency-Key` takes effect once and gives the same answer."
)
#: Viewers show a lock and no scope.
_NEEDS: Final[Mapping[Scope | Open, str]] = MappingProxyType({Open.PUBLIC: "", Open.AUTHENTICATED: "Any key may ask."})
_Mode = Literal["validation", "serialization"]
_Schemas = dict[tuple[str, _Mode], dict[str, Any]]


def document(
    endpoints: Iterable[EndpointSpec], *, title: str, version: str, server: str, scopes: frozenset[Scope] | None = None
) -> dict[str, Any]:
    """The OpenAPI document of ``endpoints``: with ``scopes``, only of those that a key with them may call."""
    shown = sorted(
        (spec for spec in endpoints if scopes is None or isinstance(spec.scope, Open) or spec.scope in scopes),
        key=lambda spec: (spec.path, spec.method),
    )
    schemas, definitions = _schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    for spec in shown:
        paths.setdefault(spec.path, {})[spec.method.lower()] = _operation(spec, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _INTRODUCTION},
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in sorted({_tag(spec) for spec in shown})],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key: `ilk_…`. Each operation names the scope that it needs.",
                }
            },
            "parameters": _shared_parameters(),
        },
    }


def _schemas(specs: list[EndpointSpec]) -> tuple[_Schemas, dict[str, Any]]:
    wanted: list[tuple[str, _Mode, TypeAdapter[Any]]] = [("problem", "serialization", TypeAdapter(Problem))]
    for spec in specs:
        if spec.body is not None:
            wanted.append((f"{spec.route} body", "validation", spec.body))
        if spec.query is not None:
            wanted.append((f"{spec.route} query", "validation", TypeAdapter(spec.query)))
        wanted.extend(
            (f"{spec.route} view {number}", "serialization", _adapter(shape))
            for number, shape in enumerate(shapes_of(spec.view))
            if shape is not None and shape is not Attachment
        )
    made, rest = TypeAdapter.json_schemas(wanted, ref_template=_REF)
    schemas: _Schemas = dict(made.items())
    definitions = rest.get("$defs", {})
    # A query is a list of parameters, not a document: its definition is written out where it is used, and only there.
    for key, schema in schemas.items():
        if key[0].endswith(" query") and "$ref" in schema:
            schemas[key] = definitions[schema["$ref"].rpartition("/")[2]]
    for spec in specs:
        if spec.query is not None:
            definitions.pop(spec.query.__name__, None)
    return schemas, definitions


@lru_cache(maxsize=512)
def _adapter(shape: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - an annotation
    return TypeAdapter(shape)


def _operation(spec: EndpointSpec, schemas: _Schemas) -> dict[str, Any]:
    purpose = inspect.cleandoc(spec.purpose)
    summary, _, rest = purpose.partition("\n")
    operation: dict[str, Any] = {
        "operationId": _operation_id(spec),
        "summary": summary.strip(),
        "tags": [_tag(spec)],
        "parameters": _parameters(spec, schemas),
        "responses": _responses(spec, schemas),
        "security": [] if spec.scope is Open.PUBLIC else [{"key": _scopes(spec)}],
    }
    told = [part for part in (rest.strip(), _NEEDS.get(spec.scope, f"Needs the scope `{spec.scope}`.")) if part]
    if told:
        operation["description"] = "\n\n".join(told)
    if spec.body is not None:
        schema = schemas[f"{spec.route} body", "validation"]
        content = {media_type: {"schema": schema} for media_type in spec.content_types}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _scopes(spec: EndpointSpec) -> list[str]:
    return [spec.scope.value] if isinstance(spec.scope, Scope) else []


def _operation_id(spec: EndpointSpec) -> str:
    return spec.handler.__name__


def _tag(spec: EndpointSpec) -> str:
    return spec.path.split("/")[2].removesuffix(".json")


def _parameters(spec: EndpointSpec, schemas: _Schemas) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _with_example(parameter.description, parameter.examples),
            "schema": {
                **({"type": "integer", "minimum": 0} if parameter.kind is int else {"type": "string"}),
                **({"examples": list(parameter.examples)} if parameter.examples else {}),
            },
        }
        for name, parameter in spec.path_parameters.items()
    ]
    if spec.query is not None:
        parameters.extend(_query_parameters(spec, schemas))
    if spec.replay is not Replay.NONE:
        parameters.append(_IDEMPOTENCY[spec.replay])
    return [*parameters, _CORRELATION]


def _query_parameters(spec: EndpointSpec, schemas: _Schemas) -> Iterable[dict[str, Any]]:
    schema = schemas[f"{spec.route} query", "validation"]
    required = schema.get("required", ())
    for name, described in schema["properties"].items():
        sent = _sent(described)
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": _with_example(described["description"], sent.get("examples", ())),
            "schema": sent,
        }


def _with_example(description: str, examples: Sequence[object]) -> str:
    """Viewers show a parameter's description, and not the examples of its schema."""
    return description if not examples else f"{description} Such as `{examples[0]}`."


def _sent(described: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter: nobody sends null, it is left out instead."""
    schema = {key: value for key, value in described.items() if key not in {"description", "title"}}
    if schema.get("default", "") is None:
        del schema["default"]
    alternatives = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(alternatives) == 1:
        del schema["anyOf"]
        schema = {**alternatives[0], **schema}
    return schema


def _responses(spec: EndpointSpec, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    alternatives: list[dict[str, Any]] = []
    for number, shape in enumerate(shapes_of(spec.view)):
        if shape is Attachment:
            content["text/csv"] = {"schema": {"type": "string"}}
        elif shape is not None:
            alternatives.append(schemas[f"{spec.route} view {number}", "serialization"])
    if alternatives:
        content[JSON] = {"schema": alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}}
    good: dict[str, Any] = {"description": HTTPStatus(spec.status).phrase, "headers": _headers(spec)}
    if content:
        good["content"] = content
    responses = {str(spec.status): good}
    if spec.status == 201:
        responses["200"] = {**good, "description": "The same thing was there already: nothing changed."}
    for status, kinds in sorted(_refusals(spec).items()):
        responses[str(status)] = {
            "description": "\n".join(f"`{kind.code}`: {inspect.cleandoc(kind.__doc__ or '')}" for kind in kinds),
            "content": {problems.MEDIA_TYPE: {"schema": schemas["problem", "serialization"]}},
        }
    return responses


def _headers(spec: EndpointSpec) -> dict[str, Any]:
    headers = {"X-Correlation-Id": {"schema": {"type": "string"}, "description": "Finds the request in the logs."}}
    if spec.replay is not Replay.NONE:
        headers["Idempotency-Replayed"] = {
            "schema": {"type": "string", "enum": ["true"]},
            "description": "Present when this is the kept answer to an earlier request.",
        }
    return headers


def _refusals(spec: EndpointSpec) -> Mapping[int, list[type[InterlineError]]]:
    kinds: list[type[InterlineError]] = [*spec.raises, problems.Internal]
    if spec.effect is not Effect.NONE:
        kinds.append(Unavailable)
    if spec.scope is not Open.PUBLIC:
        kinds.append(NotAuthenticated)
    if isinstance(spec.scope, Scope):
        kinds.append(NotPermitted)
    if spec.path_parameters:
        kinds.append(NotFound)
    if spec.query is not None or spec.body is not None or spec.replay is not Replay.NONE:
        kinds.append(Malformed)
    if spec.body is not None:
        kinds += [InvalidInput, problems.TooLarge, problems.UnsupportedMedia]
    if spec.replay is not Replay.NONE:
        kinds.append(Conflict)
    by_status: dict[int, list[type[InterlineError]]] = {}
    for kind in kinds:
        listed = by_status.setdefault(problems.status_of(kind)[0], [])
        if kind not in listed:
            listed.append(kind)
    return by_status


def _shared_parameters() -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["2026-11-20-till-4-0017"]},
    }
    return {
        "IdempotencyKey": {**key, "required": True, "description": "New for each new request; the same on a repeat."},
        "IdempotencyKeyIfWanted": {**key, "required": False, "description": "A repeat with the same key is replayed."},
        "CorrelationId": {
            "name": "X-Correlation-Id",
            "in": "header",
            "required": False,
            "schema": {
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{7,63}$",
                "examples": ["payroll-2026-11-20"],
            },
            "description": "An id of yours, to follow the request through every log.",
        },
    }
