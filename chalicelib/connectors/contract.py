"""What every connector promises to the pump: messages in, one result per message out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from pydantic import JsonValue

from chalicelib.records import dataclass


class Outcome(StrEnum):
    """What is known about a message after it was sent, and so what the pump may do next."""

    CONFIRMED = "confirmed"
    """The outside system has taken the effect and said so."""

    RETRY = "retry"
    """The same message may be sent again: either nothing happened, or happening twice is the same as once."""

    REJECTED = "rejected"
    """The outside system refuses this content; sending it again unchanged is pointless."""

    UNAUTHORIZED = "unauthorized"
    """The credentials or their scope are refused; nothing can be sent to this target until somebody mends them."""

    UNCERTAIN = "uncertain"
    """The effect may have happened and repeating it could double it: look it up before anything else."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record on its way out.

    ``key`` orders messages of one record; ``external_id`` is the stable id that the outside system knows the record by;
    ``attempt`` counts from 1. ``body`` is what the mapping produced, in the outside system's field names.
    """

    id: bytes
    entity: str
    operation: str
    key: str
    external_id: str
    body: Mapping[str, JsonValue]
    attempt: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message.

    ``status`` is the protocol's status where there was an answer; ``code`` is stable and snake_case; ``detail`` is one
    sentence for an operator and may quote the outside system, so it can repeat personal values of the body.
    ``retry_after_s`` is how long the outside system, or its protocol, asks to leave this record alone. ``patient``
    marks a RETRY that waits for somebody else, such as a customer whom the store does not have yet: it may take months,
    so ask seldom and never give up.
    """

    message_id: bytes
    outcome: Outcome
    status: int | None
    code: str
    detail: str
    remote_id: str | None = None
    retry_after_s: float | None = None
    response: Mapping[str, JsonValue] | None = None
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one target the pump may use at once.

    ``timeout_s`` bounds the delivery of one message, retries of a token included, so a batch lasts at most
    ``batch_max`` x ``timeout_s``.
    """

    batch_max: int
    inflight_max: int
    timeout_s: float
    attempts_max: int


class Connector(Protocol):
    """The protocol of one outside system and nothing else: no retry, database, logging, masking, mapping."""

    limits: Limits

    def check(self) -> None:
        """Read something cheap with the credentials.

        Raises Unavailable when the system does not answer for now, Unprocessable when it refuses the configuration.
        """
        ...

    def deliver(self, batch: Sequence[Message]) -> list[Result]:
        """Send each message once and say what became of it, in order. Raises nothing for what the system does."""
        ...
