"""Where a record came from: a row of a file, or a request; and what became of it."""

from typing import Literal, NamedTuple

from chalicelib.partners import identifiers


class RowSource(NamedTuple):
    """The place of one row in the archived file, for lineage; all None when it came by API.

    ``row_no`` is the record's ordinal (1 is the first after the header); offset and length are bytes, expanded.
    """

    file_id: bytes | None = None
    row_no: int | None = None
    byte_offset: int | None = None
    byte_length: int | None = None


#: A record that came with a request; the audit trail has its correlation id.
BY_API = RowSource()


class Told(NamedTuple):
    """What became of one row. ``code``, ``column`` and ``message`` say why it was not accepted.

    ``ignored``: something newer is known already. ``fixable``: it may pass unchanged once a roster arrived.
    """

    outcome: Literal["accepted", "duplicate", "rejected", "ignored"]
    code: str | None = None
    column: str | None = None
    message: str | None = None
    fixable: bool = False


ACCEPTED = Told("accepted")
DUPLICATE = Told("duplicate", "same_content")


def refused(code: str, column: str | None, message: str, *, fixable: bool = False) -> Told:
    """The outcome of a row that is refused; ``message`` repeats no personal value."""
    return Told("rejected", code, column, message, fixable)


def unusable(name: str, identifier: str, characters_max: int) -> Told | None:
    """The refusal of a row whose identifier ``name`` cannot be told apart or is too long; None for a good one."""
    found = identifiers.unusable(name, identifier)
    if found is not None:
        return refused(found[0], name, found[1])
    if len(identifier) > characters_max:
        return refused("too_long", name, f"{name} has more than {characters_max} characters.")
    return None
