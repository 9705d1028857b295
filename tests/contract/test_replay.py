"""Every write may be sent again under its Idempotency-Key: one effect, the same answer."""

import importlib
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.storage.engine import Database
from chalicelib.storage.tables import metadata
from chalicelib.web.registry import ENDPOINTS, Effect, EndpointSpec, Replay
from tests.contract.bodies import BODIES
from tests.contract.world import Hub, path_of

# Importing the app fills the registry.
importlib.import_module("app")
WRITES = [spec for _, spec in sorted(ENDPOINTS.items()) if spec.effect is Effect.WRITE]
REQUIRED = [spec for spec in WRITES if spec.replay is Replay.REQUIRED]
READS = [spec for _, spec in sorted(ENDPOINTS.items()) if spec.method == "POST" and spec.effect is Effect.READ]


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with database.read() as db:
        return {
            table.name: sorted((tuple(row) for row in db.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


@pytest.mark.parametrize("spec", WRITES, ids=lambda spec: spec.route)
def test_a_write_sent_twice_has_one_effect_and_one_answer(hub: Hub, spec: EndpointSpec):
    world = hub.world
    path = path_of(spec, world.mine, written=True)
    body = None if spec.body is None else BODIES[spec.route](world.mine)
    sent = {"key": world.hub_key, "body": body, "headers": {"Idempotency-Key": "k-1"}}
    # Asking first who we are notes the use of the key, which is no effect of the write.
    hub.api.get("/v1/me", key=world.hub_key)
    before = dump(hub.database)
    first = hub.api.request(spec.method, path, **sent)
    assert first.status in {200, 201, 202, 204}, first.text
    between = dump(hub.database)
    second = hub.api.request(spec.method, path, **sent)
    assert (second.status, second.text) == (first.status, first.text)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert dump(hub.database) == between != before


@pytest.mark.parametrize("spec", REQUIRED, ids=lambda spec: spec.route)
def test_a_write_that_needs_its_key_is_refused_without(hub: Hub, spec: EndpointSpec):
    world = hub.world
    body = None if spec.body is None else BODIES[spec.route](world.mine)
    answer = hub.api.request(spec.method, path_of(spec, world.mine), key=world.hub_key, body=body)
    assert (answer.status, answer.code) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("spec", READS, ids=lambda spec: spec.route)
def test_a_post_that_only_asks_leaves_no_trace(hub: Hub, spec: EndpointSpec):
    world = hub.world
    hub.api.get("/v1/me", key=world.hub_key)
    before = dump(hub.database)
    body = None if spec.body is None else BODIES[spec.route](world.mine)
    answer = hub.api.request(spec.method, path_of(spec, world.mine), key=world.hub_key, body=body)
    assert answer.status == 200, answer.text
    assert dump(hub.database) == before
