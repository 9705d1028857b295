"""Failures as problem documents (RFC 9457): the only place that turns an error into an HTTP status."""

import json
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.errors import (
    Broken,
    Conflict,
    Fault,
    InterlineError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Unavailable,
)
from chalicelib.settings import settings

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = 2
FAULTS_MAX: Final = 100


class Malformed(InvalidInput):
    """The request cannot be read: not JSON, an unknown parameter, a foreign cursor."""

    code = "malformed"


class LengthRequired(InvalidInput):
    """The request does not say how long its body is."""

    code = "length_required"


class TooLarge(InvalidInput):
    """The body is larger than this endpoint takes."""

    code = "too_large"


class UnsupportedMedia(InvalidInput):
    """The body is of a media type that this endpoint does not read."""

    code = "unsupported_media_type"


class MethodNotAllowed(InvalidInput):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


class Internal(InterlineError):
    """The hub failed in a way that nobody anticipated; the log has it under the trace id."""

    code = "internal_error"


class NotAnswered(InterlineError):
    """The application failed to answer; whether the request took effect is not known."""

    code = "not_answered"


#: From the special to the general: the first that fits decides.
_STATUSES: Final[tuple[tuple[type[InterlineError], int, str], ...]] = (
    (Malformed, 400, "Bad request"),
    (MethodNotAllowed, 405, "Method not allowed"),
    (LengthRequired, 411, "Length required"),
    (TooLarge, 413, "Content too large"),
    (UnsupportedMedia, 415, "Unsupported media type"),
    (InvalidInput, 422, "Unprocessable content"),
    (NotAuthenticated, 401, "Not authenticated"),
    (NotPermitted, 403, "Not permitted"),
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (Unavailable, 503, "Unavailable"),
    (NotAnswered, 502, "Bad gateway"),
    (Broken, 500, "Internal error"),
    (InterlineError, 500, "Internal error"),
)


class FaultView(BaseModel):
    """One place of the request that is wrong."""

    model_config = ConfigDict(defer_build=True)

    pointer: str = Field(
        description="JSON Pointer into the body, or the name of a query parameter.", examples=["/quantity"]
    )
    code: str = Field(examples=["decimal_not_text"])
    message: str = Field(examples=['Send decimals as strings, such as "1.10".'])


class Problem(BaseModel):
    """Why a request was refused and what to do about it (RFC 9457)."""

    model_config = ConfigDict(defer_build=True)

    type: str = Field(examples=["urn:interline:problem:body_invalid"])
    title: str = Field(examples=["Unprocessable content"])
    status: int = Field(examples=[422])
    detail: str = Field(
        description="What is wrong and how to mend it, in one sentence.",
        examples=['The body is wrong at /quantity: Send decimals as strings, such as "1.10".'],
    )
    code: str = Field(description="Stable; programs decide by it.", examples=["body_invalid"])
    retryable: bool = Field(description="Whether the same request may succeed later.", examples=[False])
    trace_id: str = Field(
        description="The correlation id; it finds the request in the logs.",
        examples=["01a201ca08cf7754b42589436f40400f"],
    )
    docs: str = Field(examples=["http://127.0.0.1:8000/docs"])
    faults: list[FaultView]


def status_of(error: type[InterlineError]) -> tuple[int, str]:
    """The HTTP status and title of a kind of failure."""
    return next((status, title) for kind, status, title in _STATUSES if issubclass(error, kind))


def document(error: InterlineError, *, trace_id: str) -> tuple[int, str, dict[str, str]]:
    """The status, the problem document and the extra headers of a failure."""
    status, title = status_of(type(error))
    headers = {"Content-Type": MEDIA_TYPE}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="interline"'
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s or _RETRY_AFTER_S)
    # What is broken inside is for the log, not for the caller.
    detail = error.message if status != 500 else "The hub failed; the trace id finds the reason in its log."
    body = {
        "type": f"urn:interline:problem:{error.code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": error.code,
        "retryable": error.retryable,
        "trace_id": trace_id,
        "docs": f"{settings().public_url}/docs",
        "faults": [_fault(fault) for fault in error.faults[:FAULTS_MAX]],
    }
    return status, json.dumps(body, ensure_ascii=False, separators=(",", ":")), headers


def _fault(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer, "code": fault.code, "message": fault.message}
