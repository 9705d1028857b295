"""The connectors of this process: one a target, with its token, sharing one HTTP client."""

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from chalicelib import connectors
from chalicelib.connectors.contract import Connector, Limits
from chalicelib.deliveries.targets import Target
from chalicelib.settings import settings
from chalicelib.storage import secrets

if TYPE_CHECKING:
    import httpx

KEPT_MAX: Final = 256
CONNECTIONS_MAX: Final = 64
ADDRESSES: Final = ("base_url", "token_url")

_kept: OrderedDict[str, Connector] = OrderedDict()
_lock = threading.Lock()
_client: "httpx.Client | None" = None


def connector(found: Target) -> Connector:
    """The connector of a target, kept as long as its configuration and its secret stay the same.

    Addresses in the secret win over the manifest's: so one manifest serves test systems and production.
    Raises NotFound when there is no such secret, InvalidInput when it or the configuration does not fit, Unavailable
    when the secrets store does not answer.
    """
    secret = {name: str(value) for name, value in secrets.get(settings().secret(found.secret_name)).items()}
    credentials = {name: value for name, value in secret.items() if name not in ADDRESSES}
    config = dict(found.config) | {name: secret[name] for name in ADDRESSES if name in secret}
    key = json.dumps([found.id.hex(), config, found.timeout_s, credentials], sort_keys=True)
    with _lock:
        if key not in _kept:
            limits = Limits(found.batch_max, found.inflight_max, found.timeout_s, found.attempts_max)
            _kept[key] = connectors.build(found.connector, config, credentials, _http(), limits=limits)
            while len(_kept) > KEPT_MAX:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]


def refused(found: Target) -> None:
    """The target refused our credentials: read them anew next time, because they may have been rotated."""
    secrets.forget(settings().secret(found.secret_name))


def _http() -> "httpx.Client":
    """The client that all connectors share. Proxies and the like are not taken from the environment."""
    global _client  # noqa: PLW0603 - one connection pool a process
    if _client is None:
        import httpx

        pool = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
        _client = httpx.Client(limits=pool, trust_env=False)
    return _client


def reset() -> None:
    """Close every connection and forget every token."""
    global _client  # noqa: PLW0603 - one connection pool a process
    with _lock:
        _kept.clear()
        if _client is not None:
            _client.close()
        _client = None
