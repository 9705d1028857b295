"""Every endpoint, as declared: what OpenAPI and the contract tests read."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, TypeAdapter

from chalicelib.access.scopes import Scope
from chalicelib.errors import InterlineError
from chalicelib.records import dataclass


class Open(StrEnum):
    """Who may call an endpoint that asks for no scope."""

    #: Anyone, without a key.
    PUBLIC = "public"
    #: Anyone with a key that is accepted.
    AUTHENTICATED = "authenticated"


class Effect(StrEnum):
    """What a handler is given to work with."""

    #: No transaction: it touches no database, or opens its own.
    NONE = "none"
    #: A read-only transaction, always rolled back.
    READ = "read"
    #: One write transaction, tried again as a whole when it loses a race for locks.
    WRITE = "write"


class Replay(StrEnum):
    """What an endpoint does with an Idempotency-Key."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class PathParameter:
    """One variable of a path: its type (str or int) and what it means."""

    kind: type
    description: str
    examples: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """One endpoint: its place, its contract, and the function that decides."""

    method: str
    path: str
    handler: Callable[..., object]
    scope: Scope | Open
    status: int
    effect: Effect
    replay: Replay
    raises: tuple[type[InterlineError], ...]
    content_types: tuple[str, ...]
    body_bytes_max: int
    #: Numbers with a fraction arrive as Decimal instead of being refused.
    exact_numbers: bool
    #: By name, in the order of the path.
    path_parameters: Mapping[str, PathParameter]
    query: type[BaseModel] | None
    #: Query parameters that may be given several times.
    query_lists: frozenset[str]
    body: TypeAdapter[Any] | None
    #: The view's annotation; None answers without content.
    view: Any

    @property
    def route(self) -> str:
        """Method and path, as they are declared."""
        return f"{self.method} {self.path}"

    @property
    def purpose(self) -> str:
        """What the endpoint does, as its handler's docstring says."""
        return (self.handler.__doc__ or "").strip()


#: By route. Filled by ``@endpoint`` when the modules of the rooms' ``api`` packages are imported.
ENDPOINTS: dict[str, EndpointSpec] = {}
