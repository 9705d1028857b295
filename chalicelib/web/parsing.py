"""Requests into typed parameters; every fault is named, none is repaired."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, TypeAdapter, ValidationError

from chalicelib.errors import Fault, InvalidInput, NotFound
from chalicelib.language import RuleRefused, parse_json
from chalicelib.web.problems import FAULTS_MAX, Malformed, TooLarge, UnsupportedMedia
from chalicelib.web.registry import EndpointSpec

#: A number with a fraction or an exponent, NaN or Infinity, or a text that looks like one: the careful look follows.
_MAYBE_FLOAT: Final = re.compile(rb"(?:^|[\[:,])\s*-?(?:\d+[.eE]|NaN|Infinity)")
_ESCAPES: Final = str.maketrans({"~": "~0", "/": "~1"})


def path_of(spec: EndpointSpec, raw: Mapping[str, str]) -> dict[str, Any]:
    """The path parameters, percent-decoded. Raises NotFound where a number is wanted and something else comes."""
    values: dict[str, Any] = {}
    for name, kind in spec.path_parameters.items():
        value = raw[name]
        if "%" in value:
            value = unquote(value)
        if kind is int:
            if not value.isascii() or not value.isdigit() or len(value) > 18:
                raise NotFound(f"There is no such thing: {name} is a number.")
            values[name] = int(value)
        else:
            values[name] = value
    return values


def query_of(spec: EndpointSpec, raw: Mapping[str, Any] | None) -> BaseModel | None:
    """The query parameters. Raises Malformed for unknown, repeated and ill-typed ones."""
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    if raw is not None:
        # Chalice's mapping gives the last of several values; the lists are behind its getlist.
        for name in raw:
            values: list[str] = raw.getlist(name)  # type: ignore[attr-defined]
            if spec.query is None or name not in spec.query.model_fields:
                known = "" if spec.query is None else f"; there are {', '.join(sorted(spec.query.model_fields))}"
                faults.append(Fault(name, "unknown_parameter", f"There is no parameter of this name{known}."))
            elif name in spec.query_lists:
                given[name] = values
            elif len(values) > 1:
                faults.append(Fault(name, "repeated_parameter", "This parameter is given once."))
            else:
                given[name] = values[0]
    query: BaseModel | None = None
    if spec.query is not None:
        try:
            query = spec.query.model_validate(given)
        except ValidationError as error:
            faults += [
                Fault(str(found["loc"][0]) if found["loc"] else "", found["type"], found["msg"])
                for found in error.errors(include_url=False, include_input=False, include_context=False)
            ]
    if faults:
        raise Malformed(_count("query parameter", faults), code="query_malformed", faults=faults)
    return query


def body_of(spec: EndpointSpec, raw: bytes, content_type: str | None) -> object:
    """The typed body. Raises Malformed when it is not JSON, InvalidInput with every fault when it is a wrong one."""
    if spec.body is None:
        return None
    if len(raw) > spec.body_bytes_max:
        raise TooLarge(f"The body has {len(raw)} bytes; this endpoint takes {spec.body_bytes_max}.")
    if content_type is not None and content_type.partition(";")[0].strip().lower() not in spec.content_types:
        raise UnsupportedMedia(f"Send the body as {' or '.join(spec.content_types)}.")
    if not raw:
        raise Malformed("The body is missing: this endpoint takes a JSON document.", code="body_missing")
    if spec.exact_numbers:
        return _exactly(spec.body, raw)
    floats = list(_floats(raw)) if _MAYBE_FLOAT.search(raw) else []
    if floats:
        raise InvalidInput(_count("place of the body", floats), code="body_invalid", faults=floats[:FAULTS_MAX])
    try:
        return spec.body.validate_json(raw, strict=True)
    except ValidationError as error:
        # The cause quotes the body, which may be personal: it does not travel on.
        raise _refusal(error) from None


def _exactly(body: TypeAdapter[Any], raw: bytes) -> object:
    try:
        return body.validate_python(parse_json(raw))
    except RuleRefused as refused:
        raise Malformed(
            f"The body is not usable JSON: {refused.message}", code="not_json", faults=refused.faults
        ) from None
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> InvalidInput:
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Malformed(f"The body is not JSON: {found[0]['ctx']['error']}.", code="not_json")
    faults = [Fault(_pointer(fault["loc"]), fault["type"], fault["msg"]) for fault in found[:FAULTS_MAX]]
    return InvalidInput(_count("place of the body", faults), code="body_invalid", faults=faults)


class _Float(str):
    """A JSON number that is not an integer, kept as it was written."""

    __slots__ = ()


def _floats(raw: bytes) -> Iterator[Fault]:
    try:
        document = json.loads(raw, parse_float=_Float, parse_constant=_Float)
    except (ValueError, RecursionError):
        # It is not JSON at all: the validation that follows says where.
        return
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, _Float):
            yield Fault(_pointer(place), "float_refused", 'Send decimals as strings, such as "1.10", never as numbers.')
        elif isinstance(value, dict):
            waiting.extend(((*place, key), inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*place, at), inner) for at, inner in reversed(list(enumerate(value))))


def _pointer(place: tuple[str | int, ...]) -> str:
    return "".join(f"/{str(part).translate(_ESCAPES)}" for part in place)


def _count(what: str, faults: list[Fault]) -> str:
    if len(faults) == 1:
        return f"One {what} is wrong: {faults[0].message}"
    plural = what.replace("parameter", "parameters").replace("place", "places")
    return f"{len(faults)} {plural} are wrong; `faults` lists them."
