"""Every endpoint keeps the house's contract, and the OpenAPI document that is made of them is valid."""

import copy
import importlib
import re
from collections import Counter
from functools import lru_cache

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from chalicelib.access.scopes import Scope
from chalicelib.web import openapi
from chalicelib.web.registry import ENDPOINTS, Effect, EndpointSpec, Open, Replay

APP = importlib.import_module("app").app
SPECS = sorted(ENDPOINTS.values(), key=lambda spec: spec.route)
every_endpoint = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.route)


@lru_cache(maxsize=8)
def whole_document(scopes=None):
    return openapi.document(SPECS, title="Interline", version="1.0", server="http://hub.example", scopes=scopes)


def test_the_registry_and_the_app_have_the_same_routes():
    served = {f"{method} {path}" for path, methods in APP.routes.items() for method in methods}
    assert served == set(ENDPOINTS)


def test_no_two_path_variables_share_a_place_under_different_names():
    # API Gateway refuses such siblings when the app is deployed.
    places: dict[str, set[str]] = {}
    for spec in SPECS:
        parts = spec.path.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                places.setdefault("/".join(parts[:at]), set()).add(part)
    assert {place: names for place, names in places.items() if len(names) > 1} == {}


def test_operations_have_names_of_their_own():
    names = Counter(spec.handler.__name__ for spec in SPECS)
    assert [name for name, count in names.items() if count > 1] == []


def test_only_health_and_the_document_are_public():
    assert [spec.route for spec in SPECS if spec.scope is Open.PUBLIC] == [
        "GET /v1/health",
        "GET /v1/health/ready",
        "GET /v1/openapi.json",
    ]


def test_every_scope_opens_something():
    # members:personal unmasks fields instead of opening a route.
    used = {spec.scope for spec in SPECS if isinstance(spec.scope, Scope)} | {Scope.MEMBERS_PERSONAL}
    assert frozenset(Scope) - used <= {Scope.RULES_WRITE}


@every_endpoint
class TestEveryEndpoint:
    def test_says_in_a_sentence_what_it_does(self, spec: EndpointSpec):
        assert re.match(r"[A-Z][^\n]+[.]", spec.purpose), spec.purpose
        assert "`" not in spec.purpose.partition("\n")[0], "a summary is plain text"

    def test_shows_a_declared_view(self, spec: EndpointSpec):
        operation = whole_document()["paths"][spec.path][spec.method.lower()]
        good = operation["responses"][str(spec.status)]
        if spec.status != 204:
            for media in good["content"].values():
                assert media["schema"], spec.route

    def test_answers_within_the_family_of_its_method(self, spec: EndpointSpec):
        assert spec.status in {200, 201, 202, 204}
        assert spec.status != 201 or spec.method in {"POST", "PUT"}

    def test_refuses_unknown_fields_however_deep(self, spec: EndpointSpec):
        if spec.body is None:
            return
        schema = spec.body.json_schema()
        open_ones = [
            name
            for name, part in {"(body)": schema, **schema.get("$defs", {})}.items()
            if "properties" in part and part.get("additionalProperties") is not False
        ]
        assert open_ones == []

    def test_takes_no_number_for_an_amount(self, spec: EndpointSpec):
        if spec.body is not None:
            assert '"type": "number"' not in re.sub(r"\s+", " ", str(spec.body.json_schema()).replace("'", '"'))

    def test_that_writes_can_be_repeated(self, spec: EndpointSpec):
        assert (spec.effect is Effect.WRITE) == (spec.replay is not Replay.NONE)


class TestTheOpenApiDocument:
    @pytest.mark.parametrize(
        "scopes",
        [None, frozenset(), frozenset({Scope.LEDGER_READ})],
        ids=["all", "none", "one"],
    )
    def test_is_valid(self, scopes):
        assert [error.message for error in OpenAPIV31SpecValidator(whole_document(scopes)).iter_errors()] == []

    def test_a_broken_one_is_found(self):
        document = copy.deepcopy(whole_document(frozenset()))
        document["paths"]["/v1/health"]["get"]["summary"] = 7
        assert list(OpenAPIV31SpecValidator(document).iter_errors())

    def test_shows_no_schema_that_nothing_points_to(self):
        document = whole_document()
        text = str(document)
        schemas = document["components"]["schemas"]
        assert [name for name in schemas if f"#/components/schemas/{name}'" not in text] == []

    @every_endpoint
    def test_asks_for_the_key_that_the_endpoint_asks_for(self, spec: EndpointSpec):
        security = whole_document()["paths"][spec.path][spec.method.lower()]["security"]
        expected = [] if spec.scope is Open.PUBLIC else [{"key": [spec.scope] if isinstance(spec.scope, Scope) else []}]
        assert security == expected

    @every_endpoint
    def test_documents_every_refusal(self, spec: EndpointSpec):
        responses = whole_document()["paths"][spec.path][spec.method.lower()]["responses"]
        wanted = {"500"} if spec.effect is Effect.NONE else {"500", "503"}
        if spec.scope is not Open.PUBLIC:
            wanted.add("401")
        if isinstance(spec.scope, Scope):
            wanted.add("403")
        if spec.path_parameters:
            wanted.add("404")
        if spec.body is not None:
            wanted |= {"400", "413", "415", "422"}
        assert wanted <= responses.keys()
        for kind in spec.raises:
            assert any(f"`{kind.code}`" in response["description"] for response in responses.values()), kind

    @every_endpoint
    def test_describes_every_parameter_and_shows_one(self, spec: EndpointSpec):
        document = whole_document()
        for given in document["paths"][spec.path][spec.method.lower()]["parameters"]:
            shared = given.get("$ref", "").rpartition("/")[2]
            parameter = document["components"]["parameters"][shared] if shared else given
            name, schema = parameter["name"], parameter["schema"]
            assert re.fullmatch(r"(?s)[A-Z`].*[.…]", parameter.get("description", "")), name
            # What a person may choose from, or need not give, needs no example; a cursor is copied from an answer.
            obvious = (
                name == "cursor"
                or "default" in schema
                or schema.get("type") == "boolean"
                or re.search("enum|[$]ref", str(schema))
            )
            assert obvious or "examples" in schema, name

    @every_endpoint
    def test_offers_no_null_where_a_parameter_is_left_out_instead(self, spec: EndpointSpec):
        for parameter in whole_document()["paths"][spec.path][spec.method.lower()]["parameters"]:
            assert "null" not in str(parameter.get("schema", "")), parameter["name"]
            assert "None" not in str(parameter.get("schema", "")), parameter["name"]
