"""/v1/health: is the hub there, can it work, and what can be asked of it."""

from functools import lru_cache
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, NotAuthenticated, Unavailable
from chalicelib.operations import readiness
from chalicelib.settings import settings
from chalicelib.web import authentication
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.registry import ENDPOINTS, Open
from chalicelib.web.shapes import View

blueprint = Blueprint(__name__)

API_VERSION = "1.0"


class NotReady(Unavailable):
    """A part the hub leans on does not work; ``faults`` names it."""

    code = "not_ready"


class HealthView(View):
    """The process answers."""

    status: Literal["alive"]


class PartView(View):
    """One part that the hub leans on."""

    part: str = Field(examples=["database"])
    detail: str


class ReadyView(View):
    """Every part works."""

    status: Literal["ready"]
    parts: list[PartView]


@endpoint(blueprint, "GET /v1/health", scope=Open.PUBLIC, transaction=False)
def health(call: Call) -> HealthView:  # noqa: ARG001 - every handler takes the call
    """Answer that this process is alive, without touching anything else."""
    return HealthView(status="alive")


@endpoint(blueprint, "GET /v1/health/ready", scope=Open.PUBLIC, transaction=False, raises=[NotReady])
def ready(call: Call) -> ReadyView:
    """Ask every part that the hub leans on; 503 names those that fail."""
    checks = readiness.checks(call.database, now=call.now)
    failing = [check for check in checks if not check.ok]
    if failing:
        raise NotReady(
            f"Not ready: {', '.join(check.part for check in failing)}.",
            faults=[Fault(check.part, "part_failing", check.detail) for check in failing],
        )
    return ReadyView(status="ready", parts=[PartView(part=check.part, detail=check.detail) for check in checks])


@endpoint(blueprint, "GET /v1/openapi.json", scope=Open.PUBLIC, transaction=False, raises=[NotAuthenticated])
def openapi_document(call: Call) -> dict[str, Any]:
    """Describe every operation by OpenAPI 3.1; with a key, only those that the key may call."""
    header = call.headers.get("authorization")
    if header is None:
        return _document(None)
    return _document(authentication.principal_of(header, database=call.database, now=call.now).scopes)


@lru_cache(maxsize=32)
def _document(scopes: frozenset[Scope] | None) -> dict[str, Any]:
    from chalicelib.web import openapi

    return openapi.document(
        ENDPOINTS.values(), title="Interline", version=API_VERSION, server=settings().public_url, scopes=scopes
    )
