"""Whatever is wrong with a body or a query of any endpoint, it is said in a sentence for people, with its place."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chalice.app import MultiDict

from chalicelib.errors import Fault, InvalidInput
from chalicelib.web import parsing
from chalicelib.web.registry import ENDPOINTS, EndpointSpec

# Importing the app fills the registry.
importlib.import_module("app")
WITH_BODY = [spec for _, spec in sorted(ENDPOINTS.items()) if spec.body is not None]
WITH_QUERY = [spec for _, spec in sorted(ENDPOINTS.items()) if spec.query is not None]
WRONG: tuple[Any, ...] = (
    None,
    7,
    -1,
    10**30,
    True,
    "",
    " ?",
    "x" * 2000,
    "1.23456789",
    [],
    ["?"],
    [7] * 600,
    {},
    {"?": 1},
)
WRONG_TEXTS = ("", " ?", "0", "-1", "9" * 30, "x" * 2000, "2026-13-01", "2026-11-20T12:00:00")
#: How pydantic speaks, to engineers.
FOREIGN = re.compile(r"[Ii]nput should|should (have|be|match)|[Ff]ield required|[Ee]xtra inputs|Value error|unable to")


def wrong_documents(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[Any]:
    """Documents of a schema's form, each with one wrong value at one place, however deep."""
    if "$ref" in schema:
        yield from wrong_documents(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for alternative in schema.get("anyOf", ()):
        yield from wrong_documents(alternative, definitions)
    yield from WRONG
    if "items" in schema:
        yield from ([inner] for inner in wrong_documents(schema["items"], definitions))
    for name, inner in schema.get("properties", {}).items():
        yield from ({name: wrong} for wrong in wrong_documents(inner, definitions))


def assert_readable(fault: Fault) -> None:
    assert re.fullmatch(r"(?:[A-Z]|\d+ places).*[.]", fault.message, re.DOTALL), fault
    assert not FOREIGN.search(fault.message), fault


def assert_there(pointer: str, document: Any) -> None:
    """The place exists, or only its last name is missing."""
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]] or [None]
    for part in path:
        document = document[int(part) if isinstance(document, list) else part]
    assert last is None or isinstance(document, dict) or int(last) < len(document), pointer


def refusal(parse: Callable[..., object], *given: object) -> InvalidInput | None:
    """Why the edge does not take it; None when it does."""
    try:
        parse(*given)
    except InvalidInput as refused:
        return refused
    return None


@pytest.mark.parametrize("spec", WITH_BODY, ids=lambda spec: spec.route)
def test_a_wrong_body_is_told_in_sentences(spec: EndpointSpec):
    assert spec.body is not None
    schema = spec.body.json_schema()
    seen = 0
    for document in wrong_documents(schema, schema.get("$defs", {})):
        refused = refusal(parsing.body_of, spec, json.dumps(document).encode(), "application/json")
        if refused is None:
            continue
        assert_readable(Fault("", refused.code, refused.message))
        for fault in refused.faults:
            seen += 1
            assert_readable(fault)
            assert_there(fault.pointer, document)
    assert seen >= len(WRONG)


@pytest.mark.parametrize("spec", WITH_QUERY, ids=lambda spec: spec.route)
def test_a_wrong_query_is_told_in_sentences(spec: EndpointSpec):
    assert spec.query is not None
    for name in [*spec.query.model_fields, "unheard-of"]:
        for text in WRONG_TEXTS:
            refused = refusal(parsing.query_of, spec, MultiDict({name: [text]}))
            if refused is not None:
                assert f" {name}: " in refused.message
                [fault] = refused.faults
                assert fault.pointer == name
                assert_readable(fault)
