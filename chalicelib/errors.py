"""Every anticipated failure, arranged by what the caller can do about it.

::

    InterlineError
    ├── InvalidInput            mend the request and send it again          (not retryable)
    │   ├── UnknownReference    a code or id in the input names nothing
    │   └── Unprocessable       well formed, but refused by a rule or a stored fact
    ├── NotAuthenticated        present a valid key
    ├── NotPermitted            ask an administrator for the scope
    ├── NotFound                there is no such thing, or it is another partner's
    ├── Conflict                the stored state contradicts the request
    │   └── OtherContent        the same business key or idempotency key with other content
    ├── Unavailable             wait and retry                              (retryable)
    │   └── DatabaseUnavailable
    └── Broken                  give up and call an engineer: a promise of the hub does not hold

Each error names a stable ``code`` (snake_case, part of the API) and says in one sentence what is wrong, where, and how
to mend it. Transport (HTTP status, receipt, exit code) is chosen at the edge, never here.
"""

from collections.abc import Sequence

from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One place in an input that is wrong.

    ``pointer`` is a JSON Pointer or a column name; ``code`` is stable; ``message`` repeats nothing personal.
    """

    pointer: str
    code: str
    message: str


class InterlineError(Exception):
    """The root of every failure that the hub anticipates."""

    code = "interline_error"
    retryable = False

    def __init__(self, message: str, *, code: str | None = None, faults: Sequence[Fault] = ()) -> None:
        """Say what is wrong in one sentence; ``faults`` lists the places when there are several."""
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.faults = tuple(faults)


class InvalidInput(InterlineError):
    """The input is malformed: mend it and send it again."""

    code = "invalid_input"


class UnknownReference(InvalidInput):
    """A code or id inside the input names nothing that exists."""

    code = "unknown_reference"


class Unprocessable(InvalidInput):
    """The input is well formed, but a rule or a stored fact refuses it."""

    code = "unprocessable"


class NotAuthenticated(InterlineError):
    """No key, an unknown, an expired or a revoked key."""

    code = "not_authenticated"


class NotPermitted(InterlineError):
    """The key is valid but lacks the scope."""

    code = "not_permitted"


class NotFound(InterlineError):
    """There is no such thing, or it belongs to another partner."""

    code = "not_found"


#: Said in both cases: who may not see a thing does not learn whether there is one.
NOT_YOURS = "There is no such thing, or it belongs to another partner."


class Conflict(InterlineError):
    """The stored state contradicts the request."""

    code = "conflict"


class OtherContent(Conflict):
    """The same business key or idempotency key was used before with other content."""

    code = "other_content"


class Unavailable(InterlineError):
    """Something outside this process does not answer: wait and retry."""

    code = "unavailable"
    retryable = True

    def __init__(
        self, message: str, *, code: str | None = None, faults: Sequence[Fault] = (), retry_after_s: int | None = None
    ) -> None:
        """``retry_after_s`` is what the other side asked for, if it did."""
        super().__init__(message, code=code, faults=faults)
        self.retry_after_s = retry_after_s


class DatabaseUnavailable(Unavailable):
    """The database does not answer or a transaction lost its race too often."""

    code = "database_unavailable"


class Broken(InterlineError):
    """A promise of the hub does not hold: stop, keep the evidence, call an engineer."""

    code = "broken_promise"
