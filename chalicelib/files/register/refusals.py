"""Why a whole file is refused, and why one row is."""

from chalicelib.errors import InterlineError, InvalidInput
from chalicelib.records import dataclass
from chalicelib.rules.code_tables import Unmapped


class FileRefused(InvalidInput):
    """The file as a whole cannot be used; nothing of it is applied. ``message`` is one sentence for its sender."""

    code = "file_refused"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class TurnLost(InterlineError):
    """Another handler holds the file now: whatever this one still meant to do is the other's business."""

    code = "turn_lost"


class TimeShort(InterlineError):
    """The handler's time nears its end: the file continues by a new message."""

    code = "time_short"


@dataclass(frozen=True, slots=True)
class RowRefused:
    """One row is not accepted. ``column`` is the sender's header; ``message`` repeats no personal value.

    ``outcome``: ``rejected``, or ``ignored`` when the layout says that such rows mean nothing. ``unmapped``: the code
    that a code table lacks, if that is why.
    """

    outcome: str
    code: str
    column: str | None
    message: str | None
    rule_version_id: bytes | None = None
    unmapped: Unmapped | None = None
