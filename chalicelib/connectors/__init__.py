"""One file per outside system, ``http`` which they share, and the registry that finds them by kind.

Importing this package imports no HTTP client: a process pays for one only when it has something to deliver.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, cast

from pydantic import BaseModel, JsonValue, ValidationError

from chalicelib.connectors.contract import Connector, Limits
from chalicelib.errors import Fault, InvalidInput, UnknownReference
from chalicelib.web.wording import sentence

if TYPE_CHECKING:
    import httpx


class _System(Protocol):
    """What a connector's module offers."""

    Config: type[BaseModel]
    Credentials: type[BaseModel]
    LIMITS: Limits

    def build(
        self, config: Mapping[str, JsonValue], credentials: Mapping[str, str], client: "httpx.Client", limits: Limits
    ) -> Connector:
        """The connector of one target."""
        ...


KINDS: Final[Mapping[str, str]] = MappingProxyType({"sfcc_customers": "chalicelib.connectors.sfcc"})
"""Each kind of target and the module that speaks its protocol."""


def build(
    kind: str,
    config: Mapping[str, JsonValue],
    credentials: Mapping[str, str],
    client: "httpx.Client",
    *,
    limits: Limits | None = None,
) -> Connector:
    """The connector of one target, within ``limits`` or else its system's own.

    Raises UnknownReference and InvalidInput; no message repeats a credential.
    """
    system = _system(kind)
    check_config(kind, config)
    try:
        system.Credentials.model_validate(credentials)
    except ValidationError as error:
        raise InvalidInput(
            f"The credentials for a {kind} target are not usable.", code="credentials_unusable", faults=_faults(error)
        ) from None
    return system.build(config, credentials, client, limits or system.LIMITS)


def limits_of(kind: str) -> Limits:
    """What a system of this kind bears where nobody asked for more. Raises UnknownReference."""
    return _system(kind).LIMITS


def check_config(kind: str, config: Mapping[str, JsonValue]) -> None:
    """Accept the configuration of a target, without its credentials. Raises UnknownReference and InvalidInput."""
    try:
        _system(kind).Config.model_validate(config)
    except ValidationError as error:
        raise InvalidInput(
            f"The configuration of a {kind} target is not usable.", code="target_config_unusable", faults=_faults(error)
        ) from error


def _system(kind: str) -> _System:
    if kind not in KINDS:
        raise UnknownReference(f"There is no connector of kind {kind!r}; there are {', '.join(sorted(KINDS))}.")
    return cast("_System", importlib.import_module(KINDS[kind]))


def _faults(error: ValidationError) -> list[Fault]:
    return [
        Fault("/" + "/".join(str(part) for part in fault["loc"]), fault["type"], sentence(fault))
        for fault in error.errors(include_input=False)
    ]
