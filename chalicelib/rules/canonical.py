"""The one text of a JSON document: what is stored of a rule and what its hash is taken of."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def text(document: Any) -> str:  # noqa: ANN401 - any JSON value
    """The document with sorted keys and no spaces; ``language.parse_json`` reads it back unchanged.

    Numbers keep the digits they were written with: 1.50 and 1.5 are two contents. Raises TypeError for what JSON read
    by ``parse_json`` cannot hold, a float above all: its exact digits are already lost.
    """
    match document:
        case None | bool() | int() | str():
            return json.dumps(document, ensure_ascii=False)
        case Decimal():
            return str(document)
        case Mapping():
            pairs = (f"{json.dumps(key, ensure_ascii=False)}:{text(document[key])}" for key in sorted(document))
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(text, document)) + "]"
        case _:
            raise TypeError(f"A {type(document).__name__} has no exact JSON text.")


def digest(content: str) -> bytes:
    """The SHA-256 of a text."""
    return hashlib.sha256(content.encode()).digest()
