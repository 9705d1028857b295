"""Identifiers: 16-byte UUIDv7 (RFC 9562) inside, ``prefix_`` and 26 Crockford base-32 characters outside."""

import os
import secrets
import threading
import time

from chalicelib.errors import NotFound

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_TEXT_LENGTH = 26
_RAND_BITS = 74
_lock = threading.Lock()
_last = 0
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def _restart_in_child() -> None:
    """A forked process must not continue its parent's sequence."""
    global _last  # noqa: PLW0603 - one sequence a process
    _last = 0


os.register_at_fork(after_in_child=_restart_in_child)


def new_id() -> bytes:
    """A new UUIDv7, larger than every earlier one of this process (method 2 of RFC 9562, 6.2)."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[bytes]:
    """``count`` new identifiers in ascending order; cheaper than one by one."""
    global _last  # noqa: PLW0603 - one sequence a process
    base = (int(time.time() * 1000) << _RAND_BITS) | secrets.randbits(_RAND_BITS - 1)
    steps = os.urandom(4 * count)
    made: list[bytes] = []
    with _lock:
        value = max(base, _last + 1)
        for at in range(0, 4 * count, 4):
            value += 1 + int.from_bytes(steps[at : at + 4])
            # 48 bits of time, then version 7, 12 bits, variant 2, 62 bits.
            made.append(
                (
                    (value >> 74 << 80)
                    | 0x7000 << 64
                    | ((value >> 62 & 0xFFF) << 64)
                    | 0x8 << 60
                    | (value & (1 << 62) - 1)
                ).to_bytes(16)
            )
        _last = value
    return made


def public_id(prefix: str, raw: bytes) -> str:
    """An identifier as callers see it: ``mbr_`` and 26 characters."""
    number = int.from_bytes(raw)
    pairs = _PAIRS
    return (
        f"{prefix}_"
        + pairs[number >> 120 & 0x3FF]
        + "".join([pairs[number >> shift & 0x3FF] for shift in range(110, -1, -10)])
    )


def raw_id(prefix: str, text: str) -> bytes:
    """The identifier behind ``text``. Raises NotFound when it is not one of this kind: no such thing can exist."""
    head, separator, body = text.partition("_")
    if not separator or head != prefix or len(body) != _TEXT_LENGTH:
        raise NotFound(f"There is no {text!r}: identifiers of this kind look like {prefix}_ and 26 characters.")
    number = 0
    for character in body:
        value = _VALUES.get(character)
        if value is None:
            raise NotFound(f"There is no {text!r}: {character!r} does not occur in identifiers.")
        number = number << 5 | value
    if number >> 128:
        raise NotFound(f"There is no {text!r}.")
    return number.to_bytes(16)
