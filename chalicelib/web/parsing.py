"""Requests into typed parameters; every fault is named, none is repaired."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, TypeAdapter, ValidationError

from chalicelib.errors import Fault, InvalidInput, NotFound
from chalicelib.language import RuleRefused, parse_json
from chalicelib.web import wording
from chalicelib.web.problems import FAULTS_MAX, Malformed, TooLarge, UnsupportedMedia
from chalicelib.web.registry import EndpointSpec

#: A number with a fraction or an exponent, or a text that looks like one: the careful look follows.
_MAYBE_FLOAT: Final = re.compile(rb"(?:^|[\[:,])\s*-?\d+[.eE]")
_PLACES_SHOWN_MAX: Final = 5


def path_of(spec: EndpointSpec, raw: Mapping[str, str]) -> dict[str, Any]:
    """The path parameters, percent-decoded. Raises NotFound where a number is wanted and something else comes."""
    values: dict[str, Any] = {}
    for name, parameter in spec.path_parameters.items():
        value = raw[name]
        if "%" in value:
            value = unquote(value)
        if parameter.kind is int:
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
                Fault(str(found["loc"][0]) if found["loc"] else "", found["type"], wording.sentence(found))
                for found in error.errors(include_url=False, include_input=False)
            ]
    if faults:
        message = _told("The query is wrong", "query parameters are wrong", faults)
        raise Malformed(message, code="query_malformed", faults=faults)
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
    document = _document(raw)
    floats = [] if spec.exact_numbers or not _MAYBE_FLOAT.search(raw) else list(_floats(document))
    if floats:
        raise _refused(floats)
    try:
        if spec.exact_numbers:
            return spec.body.validate_python(document)
        # Of JSON text, strictly: Python values would have to be dates already where a date is declared.
        return spec.body.validate_json(raw, strict=True)
    except ValidationError as error:
        # The cause quotes the body, which may be personal: it does not travel on.
        [first, *_] = error.errors(include_url=False, include_input=False)
        if first["type"] == "json_invalid":
            raise Malformed(f"The body is not usable JSON: {first['ctx']['error']}.", code="not_json") from None
        raise _refused(wording.faults(error, document, _names(spec.body))) from None


@lru_cache(maxsize=256)
def _names(body: TypeAdapter[Any]) -> tuple[str, ...]:
    """The fields that a body has; none where it is not one object."""
    schema = body.json_schema()
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    return tuple(schema.get("properties", ()))


def _document(raw: bytes) -> object:
    try:
        return parse_json(raw)
    except RuleRefused as refused:
        if refused.faults[0].code == "repeated_name":
            faults = [Fault(fault.pointer, fault.code, _ended(fault.message)) for fault in refused.faults]
            message = _told("The body is ambiguous", "names of the body are repeated", faults)
            raise Malformed(message, code="repeated_name", faults=faults) from None
        raise Malformed(f"The body is not JSON: {refused.faults[0].message}.", code="not_json") from None


def _refused(faults: Sequence[Fault]) -> InvalidInput:
    message = _told("The body is wrong", "places of the body are wrong", faults)
    return InvalidInput(message, code="body_invalid", faults=faults[:FAULTS_MAX])


def _floats(document: object) -> Iterator[Fault]:
    """Every number with a fraction or an exponent, in the document's order."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, Decimal):
            told = 'Send decimals as strings, such as "1.10", never as numbers.'
            yield Fault(wording.pointer(place), "float_refused", told)
        elif isinstance(value, dict):
            waiting.extend(((*place, key), inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*place, at), inner) for at, inner in reversed(list(enumerate(value))))


def _told(one: str, many: str, faults: Sequence[Fault]) -> str:
    """What is wrong and where, in one sentence; of several faults the places only."""
    if len(faults) == 1:
        place = f" at {faults[0].pointer}" if faults[0].pointer else ""
        return f"{one}{place}: {_ended(faults[0].message)}"
    places = ", ".join(fault.pointer or "the whole" for fault in faults[:_PLACES_SHOWN_MAX])
    more = "" if len(faults) <= _PLACES_SHOWN_MAX else " and more"
    return f"{len(faults)} {many} ({places}{more}); `faults` says how to mend each."


def _ended(message: str) -> str:
    return message if message.endswith((".", "?", "!")) else f"{message}."
