"""From a handler's annotations to its specification; a wrong declaration raises TypeError while importing."""

import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from chalicelib.access.scopes import Scope
from chalicelib.errors import InterlineError
from chalicelib.web.answers import Answer, Attachment
from chalicelib.web.registry import Effect, EndpointSpec, Open, PathParameter, Replay

#: What repeating a POST means; see ``web.endpoint``.
Idempotent = bool | Literal["required"] | None

_ROUTE: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/v1(?:/(?:[a-z0-9.-]+|\{[a-z_]+\}))+)")
_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")
#: Width of the column that idempotency records keep the route in.
_ROUTE_LENGTH_MAX: Final = 100
_ALWAYS_REPEATABLE: Final = frozenset({"PUT", "PATCH", "DELETE"})


def specify(
    route: str,
    handler: Callable[..., object],
    *,
    scope: Scope | Open,
    status: int,
    idempotent: Idempotent,
    raises: tuple[type[InterlineError], ...],
    content_types: tuple[str, ...],
    body_bytes_max: int,
    exact_numbers: bool,
    transaction: bool,
) -> EndpointSpec:
    """The specification of one endpoint. Raises TypeError naming what is wrong with the declaration."""
    matched = _ROUTE.fullmatch(route)
    if matched is None or len(route) > _ROUTE_LENGTH_MAX:
        raise TypeError(f"{route!r} is not a route such as 'GET /v1/members/{{member_id}}'.")
    method, path = matched.groups()
    if not (handler.__doc__ or "").strip():
        raise TypeError(f"{route}: the handler has no docstring.")
    wanted = inspect.signature(handler, eval_str=True)
    parameters = {name: parameter.annotation for name, parameter in wanted.parameters.items()}
    if next(iter(parameters), None) != "call":
        raise TypeError(f"{route}: the handler's first parameter is call.")
    del parameters["call"]
    query = parameters.pop("query", None)
    body = parameters.pop("body", None)
    described = _path_parameters(route, path, parameters)
    if query is not None:
        _check_closed(route, "query", query)
        silent = [name for name, field in query.model_fields.items() if not field.description]
        if silent:
            raise TypeError(f"{route}: the query parameters {silent} have no description.")
    if body is not None:
        _check_closed(route, "body", body)
        if method in {"GET", "DELETE"}:
            raise TypeError(f"{route}: a {method} carries no body.")
    effect, replay = _effect(route, method, idempotent, transaction=transaction)
    if replay is not Replay.NONE and scope is Open.PUBLIC:
        raise TypeError(f"{route}: without a principal there is nobody whose requests could be replayed.")
    _check_view(route, wanted.return_annotation, status, effect)
    return EndpointSpec(
        method=method,
        path=path,
        handler=handler,
        scope=scope,
        status=status,
        effect=effect,
        replay=replay,
        raises=raises,
        content_types=content_types,
        body_bytes_max=body_bytes_max,
        exact_numbers=exact_numbers,
        path_parameters=described,
        query=query,
        query_lists=frozenset() if query is None else _lists(query),
        body=None if body is None else TypeAdapter(body),
        view=wanted.return_annotation,
    )


def _path_parameters(route: str, path: str, parameters: dict[str, Any]) -> dict[str, PathParameter]:
    named = _PARAMETER.findall(path)
    if sorted(named) != sorted(parameters):
        raise TypeError(f"{route}: the handler takes {sorted(parameters)}, the path has {sorted(named)}.")
    return {name: _path_parameter(route, name, parameters[name]) for name in named}


def _path_parameter(route: str, name: str, annotation: Any) -> PathParameter:  # noqa: ANN401 - an annotation
    kind, *metadata = typing.get_args(annotation) if hasattr(annotation, "__metadata__") else (annotation,)
    if kind not in {str, int}:
        raise TypeError(f"{route}: the path parameter {name} is str or int.")
    fields = [each for each in metadata if isinstance(each, FieldInfo) and each.description]
    if not fields:
        raise TypeError(f"{route}: the path parameter {name} has no description (see web.paths).")
    return PathParameter(kind, fields[0].description or "", tuple(fields[0].examples or ()))


def _check_closed(route: str, what: str, shape: Any) -> None:  # noqa: ANN401 - an annotation
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        closed = shape.model_config.get("extra") == "forbid"
    else:
        closed = what == "body" and getattr(shape, "__pydantic_config__", {}).get("extra") == "forbid"
    if not closed:
        raise TypeError(f"{route}: the {what} must refuse unknown fields (see web.shapes).")


def _effect(route: str, method: str, idempotent: Idempotent, *, transaction: bool) -> tuple[Effect, Replay]:
    if not transaction:
        if method != "GET":
            raise TypeError(f"{route}: only a GET goes without the edge's transaction.")
        return Effect.NONE, Replay.NONE
    if method == "GET":
        if idempotent is not None:
            raise TypeError(f"{route}: a GET is idempotent by itself.")
        return Effect.READ, Replay.NONE
    if method in _ALWAYS_REPEATABLE and idempotent is None:
        return Effect.WRITE, Replay.OPTIONAL
    match idempotent:
        case "required":
            return Effect.WRITE, Replay.REQUIRED
        case True:
            return Effect.WRITE, Replay.OPTIONAL
        case False if method == "POST":
            return Effect.READ, Replay.NONE
    raise TypeError(f"{route}: a POST says idempotent='required', True or False; {idempotent!r} says nothing.")


def _check_view(route: str, view: Any, status: int, effect: Effect) -> None:  # noqa: ANN401 - an annotation
    if view is inspect.Signature.empty:
        raise TypeError(f"{route}: the handler's return annotation is missing.")
    if (view is None) != (status == 204):
        raise TypeError(f"{route}: 204 and no view belong together.")
    if effect is Effect.WRITE and Attachment in shapes_of(view):
        raise TypeError(f"{route}: what is replayed is JSON, not an attachment.")


def shapes_of(view: Any) -> list[Any]:  # noqa: ANN401 - annotations in, annotations out
    """The alternatives of a return annotation, with ``Answer[...]`` unwrapped."""
    if typing.get_origin(view) in {typing.Union, types.UnionType}:
        return [shape for part in typing.get_args(view) for shape in shapes_of(part)]
    if typing.get_origin(view) is Answer:
        return shapes_of(typing.get_args(view)[0])
    return [view]


def _lists(query: type[BaseModel]) -> frozenset[str]:
    return frozenset(
        name
        for name, field in query.model_fields.items()
        if any(typing.get_origin(part) is list for part in shapes_of(field.annotation))
    )
