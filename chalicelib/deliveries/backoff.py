"""How long the pump waits: full-jitter backoff of one message, and the pauses of a target's breaker.

Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from datetime import timedelta
from random import Random
from typing import Final

from chalicelib.connectors.contract import Result

BASE_S: Final = 2.0
CAP_S: Final = 900.0
PATIENT_BASE_S: Final = 300.0
PATIENT_CAP_S: Final = 21_600.0
HERD_SHARE: Final = 0.1
"""Messages that were told the same Retry-After come back spread over this share of it."""

BREAKER_FAILURES: Final = 5
BREAKER_BASE_S: Final = 15.0
BREAKER_CAP_S: Final = 900.0
RATE_LIMIT_PAUSE_S: Final = 1.0
"""A target that answers 429 without saying for how long is left alone for a second."""

_EXPONENT_MAX: Final = 20


def delay(result: Result, failures: int, chance: Random) -> timedelta:
    """When to send a message again that has failed ``failures`` times (1 and more). A Retry-After wins."""
    if result.retry_after_s is not None:
        return timedelta(seconds=result.retry_after_s * (1 + HERD_SHARE * chance.random()))
    base_s, cap_s = (PATIENT_BASE_S, PATIENT_CAP_S) if result.patient else (BASE_S, CAP_S)
    longest_s = min(cap_s, base_s * 2 ** min(failures - 1, _EXPONENT_MAX))
    return timedelta(seconds=longest_s * chance.random())


def pause(opened: int, chance: Random) -> timedelta:
    """How long a breaker stays open the ``opened``-th time in a row (1 and more)."""
    longest_s = min(BREAKER_CAP_S, BREAKER_BASE_S * 2 ** min(opened - 1, _EXPONENT_MAX))
    return timedelta(seconds=longest_s * (0.5 + 0.5 * chance.random()))
