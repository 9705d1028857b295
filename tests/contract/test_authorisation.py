"""Who may not: over every endpoint, without a key, without the scope, and with another partner's key."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.access.caller import Caller
from chalicelib.access.principal import Principal
from chalicelib.access.scopes import Scope
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.pages import PageQuery
from chalicelib.web.registry import ENDPOINTS, EndpointSpec, Open
from tests.contract.bodies import BODIES
from tests.contract.world import OF_THE_HUB, OWN_NAMES, Hub, World, headers, path_of
from tests.factories.access import make_user_key
from tests.factories.partners import NOW

# Importing the app fills the registry.
importlib.import_module("app")
SPECS = sorted(ENDPOINTS.values(), key=lambda spec: spec.route)


def over(wanted) -> pytest.MarkDecorator:
    """The test, once for each endpoint that is wanted."""
    found = [spec for spec in SPECS if wanted(spec)]
    return pytest.mark.parametrize("spec", found, ids=lambda spec: spec.route)


def names_a_partners(spec: EndpointSpec) -> bool:
    return bool(set(spec.path_parameters) - set(OF_THE_HUB))


def is_list(spec: EndpointSpec) -> bool:
    return spec.query is not None and issubclass(spec.query, PageQuery)


def references(spec: EndpointSpec) -> Iterator[tuple[str, str]]:
    """Where a body or a filter may name something of a partner: place and name."""
    if spec.body is not None:
        schema = spec.body.json_schema()
        yield from (("body", name) for name in schema.get("properties", {}))
    if spec.query is not None:
        yield from (("query", name) for name in spec.query.model_fields)


def names_something(name: str) -> bool:
    return name.endswith(("_id", "_code", "_key", "_version")) or name in {"target", "subject", "code", "version"}


#: Each reference, except the names that mean nothing outside the partner that is asked about.
REFERENCES = [
    (spec, place, name)
    for spec in SPECS
    for place, name in references(spec)
    if names_something(name) and name not in OWN_NAMES and not (place == "query" and name == "code")
]


def send(hub: Hub, spec: EndpointSpec, path: str, key: str | None, *, body: Any = None, params: Any = None) -> Any:
    return hub.api.request(spec.method, path, key=key, body=body, params=params, headers=headers())


def body_for(spec: EndpointSpec, side: Any) -> Any:
    return None if spec.body is None else BODIES[spec.route](side)


@over(lambda spec: spec.body is not None)
def test_every_body_is_declared(spec: EndpointSpec):
    assert spec.route in BODIES, "say in world.BODIES what a good body is"


class TestWithoutRights:
    @over(lambda spec: spec.scope is not Open.PUBLIC)
    def test_no_key_is_401(self, hub: Hub, spec: EndpointSpec):
        path = spec.path.replace("{", "").replace("}", "")
        answer = send(hub, spec, path, None, body={} if spec.body else None)
        assert (answer.status, answer.code) == (401, "key_missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    @over(lambda spec: isinstance(spec.scope, Scope))
    def test_every_scope_but_the_one_is_403(self, hub: Hub, spec: EndpointSpec):
        with hub.database.write() as db:
            _, text = make_user_key(db, scopes=frozenset(Scope) - {spec.scope})
        path = spec.path.replace("{version}", "1").replace("{", "").replace("}", "")
        answer = send(hub, spec, path, text, body={} if spec.body else None)
        assert (answer.status, answer.code) == (403, "scope_missing")


class TestTheHubsOwn:
    @over(lambda spec: set(OF_THE_HUB) & set(spec.path_parameters))
    def test_is_nothing_for_a_key_of_one_partner(self, hub: Hub, spec: EndpointSpec):
        path = path_of(spec, hub.world.mine)
        answer = send(hub, spec, path, hub.world.mine.admin_key, body=body_for(spec, hub.world.mine))
        assert answer.status == 403, answer.text


class TestAnotherPartnersData:
    @over(names_a_partners)
    def test_is_not_there_by_path(self, hub: Hub, spec: EndpointSpec):
        body = body_for(spec, hub.world.mine)
        path = path_of(spec, hub.world.theirs)
        answer = send(hub, spec, path, hub.world.mine.admin_key, body=body)
        assert answer.status == 404, answer.text
        assert not leaks(answer, hub.world, sent=path)

    @over(names_a_partners)
    def test_is_there_for_its_own_partner_on_the_same_path(self, hub: Hub, spec: EndpointSpec):
        # Without this, the 404 above could come from a path that exists for nobody.
        body = body_for(spec, hub.world.theirs)
        answer = send(hub, spec, path_of(spec, hub.world.theirs), hub.world.theirs.admin_key, body=body)
        assert answer.status != 404, answer.text

    @pytest.mark.parametrize(
        ("spec", "place", "name"), REFERENCES, ids=[f"{spec.route} {place} {name}" for spec, place, name in REFERENCES]
    )
    def test_is_not_there_by_body_or_filter(self, hub: Hub, spec: EndpointSpec, place: str, name: str):
        assert name in hub.world.theirs.ids, "say in world.Side.ids what the other partner has of this kind"
        body, params = body_for(spec, hub.world.mine), None
        if place == "body":
            body = {**body, name: hub.world.theirs.ids[name]}
        else:
            params = {name: hub.world.theirs.ids[name]}
        answer = send(hub, spec, path_of(spec, hub.world.mine), hub.world.mine.admin_key, body=body, params=params)
        nothing = answer.status == 200 and (answer.json.get("items") == [] or answer.json.get("balances") == [])
        assert answer.status == 404 or (place == "query" and nothing), answer.text
        assert not leaks(answer, hub.world, sent=hub.world.theirs.ids[name])

    @over(is_list)
    def test_is_not_there_by_cursor(self, hub: Hub, spec: EndpointSpec):
        mine = path_of(spec, hub.world.mine)
        answer = send(hub, spec, mine, hub.world.mine.admin_key, params={"cursor": their_cursor(spec, hub)})
        assert (answer.status, answer.code) == (400, "cursor_foreign")

    @over(lambda spec: spec.method == "GET" and not spec.path_parameters and spec.scope is not Open.PUBLIC)
    def test_is_in_no_list(self, hub: Hub, spec: EndpointSpec):
        params = {"limit": 200} if is_list(spec) else None
        for key in (hub.world.mine.admin_key, hub.world.mine.partner_key):
            answer = send(hub, spec, spec.path, key, params=params)
            assert answer.status in {200, 403}
            assert not leaks(answer, hub.world)

    @over(lambda spec: is_list(spec) and not spec.path_parameters)
    def test_is_in_every_list_of_the_hubs_own_administrator(self, hub: Hub, spec: EndpointSpec):
        # Without this, the lists above could be empty for everybody.
        answer = send(hub, spec, spec.path, hub.world.hub_key, params={"limit": 200})
        assert leaks(answer, hub.world), answer.text


def leaks(answer: Any, world: World, *, sent: str = "") -> set[str]:
    """What of the other partner's the answer names, beyond what was sent."""
    return {value for value in world.theirs.ids.values() if value in answer.text and value not in sent}


def their_cursor(spec: EndpointSpec, hub: Hub) -> str:
    """A cursor as the other partner's administrator is given by this very list, on the path to my thing."""
    side = hub.world.mine
    path = {name: side.ids.get(name, "") for name in spec.path_parameters}
    their_partner = hub.world.theirs.earning.partner.id
    principal = Principal(b"k" * 16, public_id("usr", b"u" * 16), b"u" * 16, their_partner, frozenset(Scope))
    call = Call(
        db=None,
        principal=principal,
        caller=Caller(principal.actor, "corr-1234"),
        now=NOW,
        database=hub.database,
        headers={},
        bound_to=f"{spec.route} {path}",
    )
    query = spec.query(limit=1)  # type: ignore[misc]
    cursor = pages.page(call, query, [1, 2], view=str, position=lambda number: (number,)).next_cursor
    assert cursor is not None
    return cursor
