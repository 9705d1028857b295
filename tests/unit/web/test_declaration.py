"""A wrong declaration fails when its module is imported."""

from typing import Any

import pytest
from chalice.app import Blueprint
from pydantic import BaseModel

from chalicelib.access.scopes import Scope
from chalicelib.web.answers import Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.registry import ENDPOINTS, Effect, Open, Replay
from chalicelib.web.shapes import Body, Query, View


class Said(View):
    text: str


class Lax(BaseModel):
    text: str


class Closed(Body):
    text: str


class Asked(Query):
    text: str = ""


def good(call: Call) -> Said:
    """Say."""
    return Said(text="x")


@pytest.fixture(autouse=True)
def forgotten():
    kept = dict(ENDPOINTS)
    yield
    ENDPOINTS.clear()
    ENDPOINTS.update(kept)


def declare(route="GET /v1/x", handler=good, scope: Any = Scope.MEMBERS_READ, **options):
    endpoint(Blueprint("b"), route, scope=scope, **options)(handler)
    return ENDPOINTS[route]


class TestEffects:
    @pytest.mark.parametrize(
        ("route", "idempotent", "effect", "replay"),
        [
            ("GET /v1/x", None, Effect.READ, Replay.NONE),
            ("POST /v1/x", True, Effect.WRITE, Replay.OPTIONAL),
            ("POST /v1/x", "required", Effect.WRITE, Replay.REQUIRED),
            ("POST /v1/x", False, Effect.READ, Replay.NONE),
            ("PUT /v1/x", None, Effect.WRITE, Replay.OPTIONAL),
            ("PATCH /v1/x", None, Effect.WRITE, Replay.OPTIONAL),
            ("DELETE /v1/x", "required", Effect.WRITE, Replay.REQUIRED),
        ],
    )
    def test_follow_from_method_and_idempotency(self, route, idempotent, effect, replay):
        spec = declare(route, idempotent=idempotent)
        assert (spec.effect, spec.replay) == (effect, replay)

    def test_without_a_transaction_there_is_none(self):
        assert declare(transaction=False).effect is Effect.NONE


def no_docstring(call: Call) -> Said:
    return Said(text="x")


def no_call() -> Said:
    """Say."""
    return Said(text="x")


def no_answer(call: Call):
    """Say."""


def nothing(call: Call) -> None:
    """Say."""


def other_parameter(call: Call, thing_id: str) -> Said:
    """Say."""
    return Said(text="x")


def silent_parameter(call: Call, thing_id: str) -> Said:
    """Say."""
    return Said(text=thing_id)


def silent_query(call: Call, query: Asked) -> Said:
    """Say."""
    return Said(text=query.text)


def odd_parameter(call: Call, number: float) -> Said:
    """Say."""
    return Said(text="x")


def open_body(call: Call, body: Lax) -> Said:
    """Say."""
    return Said(text="x")


def untyped_body(call: Call, body: dict[str, Any]) -> Said:
    """Say."""
    return Said(text="x")


def closed_body(call: Call, body: Closed) -> Said:
    """Say."""
    return Said(text="x")


def open_query(call: Call, query: Lax) -> Said:
    """Say."""
    return Said(text="x")


def attached(call: Call) -> Said | Attachment:
    """Say."""
    return Said(text="x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"route": "FETCH /v1/x"}, "not a route"),
        ({"route": "GET /x"}, "not a route"),
        ({"route": "GET /v1/" + "x" * 100}, "not a route"),
        ({"route": "POST /v1/x"}, "a POST says"),
        ({"route": "POST /v1/x", "idempotent": "maybe"}, "a POST says"),
        ({"idempotent": True}, "idempotent by itself"),
        ({"route": "PUT /v1/x", "idempotent": False}, "says nothing"),
        ({"route": "POST /v1/x", "transaction": False}, "only a GET"),
        ({"route": "PUT /v1/x", "scope": Open.PUBLIC}, "nobody"),
        ({"handler": no_docstring}, "no docstring"),
        ({"handler": no_call}, "first parameter is call"),
        ({"handler": no_answer}, "return annotation"),
        ({"handler": nothing}, "204"),
        ({"status": 204}, "204"),
        ({"handler": other_parameter}, "the path has"),
        ({"route": "GET /v1/x/{other}", "handler": other_parameter}, "the path has"),
        ({"route": "GET /v1/x/{number}", "handler": odd_parameter}, "str or int"),
        ({"route": "GET /v1/x/{thing_id}", "handler": silent_parameter}, "thing_id has no description"),
        ({"handler": silent_query}, r"\['text'\] have no description"),
        ({"route": "PUT /v1/x", "handler": open_body}, "refuse unknown fields"),
        ({"route": "PUT /v1/x", "handler": untyped_body}, "refuse unknown fields"),
        ({"handler": open_query}, "refuse unknown fields"),
        ({"handler": closed_body}, "carries no body"),
        ({"route": "PUT /v1/x", "handler": attached}, "not an attachment"),
    ],
)
def test_what_is_wrong_is_said(options, said):
    with pytest.raises(TypeError, match=said):
        declare(**options)


def test_leaving_out_the_scope_fails():
    with pytest.raises(TypeError, match="scope"):
        endpoint(Blueprint("b"), "GET /v1/x")  # type: ignore[call-arg]
