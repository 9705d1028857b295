"""Secrets Manager: JSON secrets by real name (``settings().secret("data-key")``), kept for five minutes."""

import json
import time
from typing import Any

from chalicelib.errors import Broken
from chalicelib.storage import aws

_KEPT_S = 300.0
_known: dict[str, tuple[float, dict[str, Any]]] = {}


def get(name: str) -> dict[str, Any]:
    """The secret's JSON object. Raises NotFound, Unavailable, and Broken when it is not a JSON object."""
    kept = _known.get(name)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    with aws.failures_of(f"secret {name}"):
        text = aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        # The text must not travel with the exception: it is a secret.
        raise Broken(f"The secret {name} is not JSON.") from None
    if not isinstance(value, dict):
        raise Broken(f"The secret {name} is not a JSON object.")
    _known[name] = (time.monotonic() + _KEPT_S, value)
    return value


def forget(name: str | None = None) -> None:
    """Fetch the secret anew next time (it was refused, so it may have been rotated); every secret without a name."""
    if name is None:
        _known.clear()
    else:
        _known.pop(name, None)
