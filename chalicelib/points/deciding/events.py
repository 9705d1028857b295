"""What a partner says about one accrual, what its content is, and what became of it."""

from datetime import date
from decimal import Decimal
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Literal, NamedTuple, Protocol, TypedDict

from chalicelib.language.rounding import plain
from chalicelib.rules.code_tables import Unmapped

#: The longest event id that the hub keeps.
EVENT_ID_LENGTH_MAX = 100
#: What ids of events begin with that the hub makes itself: nobody else's may.
HUBS_OWN = "grant."
#: The longest event type that the hub keeps.
EVENT_TYPE_LENGTH_MAX = 20
#: The longest category that the hub keeps.
CATEGORY_LENGTH_MAX = 64
#: The largest quantity of one event, and decimals that count.
QUANTITY_MAX = Decimal(10) ** 12
QUANTITY_SCALE = 6
#: The generation of the events that hold their ids. What the rollback of a file took back has another: its id is free.
CURRENT = 0


class Earner(Protocol):
    """Whose events they are: a partner, of which only the id matters here."""

    @property
    def id(self) -> bytes:
        """The partner's id."""
        ...


class NewAccrual(TypedDict):
    """One event that may earn points, as parsed at the edge: dates and Decimals, None where nothing was given."""

    program_code: str
    event_id: str
    employee_id: str
    event_type: str
    event_date: date
    quantity: Decimal
    unit: str
    amount: Decimal | None
    currency: str | None
    pay_period: str | None
    job_code_override: str | None
    category: str | None
    reference: str | None
    description: str | None


Outcome = Literal["posted", "no_points", "duplicate", "rejected"]


class Recorded(NamedTuple):
    """What became of one event.

    A duplicate carries the original's id, points and version. A rejected event has no id: nothing of it is stored;
    ``code``, ``column`` and ``message`` say why, and ``fixable`` whether it may pass unchanged once a roster arrived.
    """

    outcome: Outcome
    event_id: str
    id: bytes | None = None
    points_minor: int = 0
    version_id: bytes | None = None
    program_id: bytes | None = None
    member_id: bytes | None = None
    #: Decimals of the program's unit: ``points_minor`` counts 10^-scale of it.
    scale: int = 0
    #: What was decided when the event was first accepted; for a duplicate, the original's.
    decided: Literal["posted", "no_points"] | None = None
    code: str | None = None
    column: str | None = None
    message: str | None = None
    fixable: bool = False
    #: The code that a code table lacks, if that is why.
    unmapped: Unmapped | None = None


def rejected(event_id: str, code: str, column: str | None, message: str, *, fixable: bool = False) -> Recorded:
    """The outcome of a refused event."""
    return Recorded("rejected", event_id, code=code, column=column, message=message, fixable=fixable)


def other_content(event_id: str) -> Recorded:
    """The outcome of an event whose id was used before, for other content."""
    message = "This event id was recorded before with other content: an event is never changed by sending it again."
    return rejected(event_id, "other_content", "event_id", message)


def told_before(original: Recorded, reversed_minor: int) -> Recorded:
    """A duplicate that says, where it is so, that what the original earned was taken back since.

    Sending the event again changes nothing about that: only the rollback of its file frees its id.
    """
    if not reversed_minor:
        return original
    whole = reversed_minor == original.points_minor
    return original._replace(
        code="reversed" if whole else "corrected",
        message=f"The event was recorded before, and {'all' if whole else 'some'} of its points were taken back since.",
    )


def content_hash(event: NewAccrual) -> bytes:
    """SHA-256 of what the event says, as a JSON list. Numbers count by value: 8, 8.0 and 8.00 are the same content.

    Without a category the list is one shorter: events that were recorded before there were any keep their hash.
    """
    amount, category = event["amount"], event["category"]
    content: tuple[str | None, ...] = (
        event["program_code"],
        event["employee_id"],
        event["event_type"],
        event["event_date"].isoformat(),
        plain(event["quantity"]),
        event["unit"],
        None if amount is None else plain(amount),
        event["currency"],
        event["pay_period"],
        event["job_code_override"],
        event["reference"],
        event["description"],
    )
    if category is not None:
        content = (*content, category)
    # As JSONEncoder would write it, in a quarter of its time.
    listed = ",".join(["null" if text is None else _quoted(text) for text in content])
    return sha256(f"[{listed}]".encode()).digest()
