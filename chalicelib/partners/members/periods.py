"""Dated periods of one pair (member and program, member and system): what must change for them to be as wanted."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

_DAY: Final = timedelta(days=1)


class Period(NamedTuple):
    """A stored period; ``until`` is inclusive, None is open; before ``since`` it is void and kept for the record."""

    id: bytes
    since: date
    until: date | None


class Changes(NamedTuple):
    """Ends to set by id of the period, and periods to add."""

    ends: list[tuple[bytes, date | None]]
    added: list[tuple[date, date | None]]


def reconciled(stored: Sequence[Period], wanted: Sequence[tuple[date, date | None]], since: date) -> Changes:
    """How the stored periods become the wanted ones from the day ``since`` on; what was before stays as it was.

    ``wanted`` are ordered, disjoint and start on ``since`` or later. A wanted period that continues a stored one
    prolongs it. A stored period that is not wanted any more is made void, never deleted.
    """
    if not stored:
        return Changes([], list(wanted))
    changes = Changes([], [])
    rest = list(wanted)
    eve = since - _DAY
    for period in stored:
        if period.since < since and (period.until is None or period.until >= eve):
            until = rest.pop(0)[1] if rest and rest[0][0] == since else eve
            _end(changes, period, until)
    later = {period.since: period for period in stored if period.since >= since}
    for start, until in rest:
        known = later.pop(start, None)
        if known is None:
            changes.added.append((start, until))
        else:
            _end(changes, known, until)
    for period in later.values():
        _end(changes, period, period.since - _DAY)
    return changes


def _end(changes: Changes, period: Period, until: date | None) -> None:
    if period.until != until:
        changes.ends.append((period.id, until))
