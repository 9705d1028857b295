"""One entry of a code table is set or ended; the entries beside it give way as the caller says, or refuse it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Fault, NotFound, Unprocessable
from chalicelib.rules.code_table_content import ALWAYS, Content, Entry, in_order, locked

_DAY = timedelta(days=1)


class EntryOverlaps(Conflict):
    """A code would have two values on one day; the message says how to mend that."""

    code = "entry_overlaps"


class Way(StrEnum):
    """What becomes of an entry that begins before a new one and reaches into it.

    ``REFUSE`` it stays, the new one is refused. ``END`` it ends the day before. ``SPLIT`` it ends the day before and
    goes on when the new one has ended. ``FIT``, of files: a new entry without an end holds until the next one begins,
    and the earlier one gives way where it has no end, or ends where the next one begins. So the order of a file's rows
    does not matter.
    """

    REFUSE = "refuse"
    END = "end"
    SPLIT = "split"
    FIT = "fit"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is said of one code: its value from one day to another, both inclusive; None is for ever.

    Not ``active``: it ends. With ``effective_to`` the entry that begins on ``effective_from`` ends on that day;
    without, the code has no value from ``effective_from`` on, until a later entry begins.
    """

    code: str
    value: str
    effective_from: date = ALWAYS
    effective_to: date | None = None
    description: str | None = None
    active: bool = True

    @property
    def ends(self) -> bool:
        """Whether the code has no value from ``effective_from`` on."""
        return not self.active and self.effective_to is None


@dataclass(frozen=True, slots=True)
class Edited:
    """The entries of the code as they are now. ``created``: no entry began on that day before."""

    entries: tuple[Entry, ...]
    changed: bool
    created: bool


def put(
    db: Connection,
    table_code: str,
    wanted: Wanted,
    *,
    way: Way,
    partner_id: bytes | None,
    reason: str | None = None,
    caller: Caller,
    now: datetime,
) -> Edited:
    """Set or end one entry; the same again changes nothing.

    ``partner_id`` may change its own tables only, None every table. Raises NotFound for other tables, EntryOverlaps,
    and Unprocessable (``ends_before_it_starts``, ``too_many_entries``).
    """
    table = locked(db, table_code)
    if table is None or (partner_id is not None and table.partner_id != partner_id):
        raise NotFound(f"There is no code table {table_code!r}.")
    content = Content(db, table)
    before = content.of(wanted.code)
    after = arrange(before, wanted, way)
    created = not wanted.ends and all(entry.effective_from != wanted.effective_from for entry in before)
    if after == before:
        return Edited(after, changed=False, created=False)
    content.replace(wanted.code, after)
    content.write(db, now=now)
    audit.record(
        db,
        caller=caller,
        action="code_table.entry_ended" if wanted.ends else "code_table.entry_set",
        subject=table.code,
        partner_id=table.partner_id,
        before={"code": wanted.code, "entries": [_told(entry) for entry in before]},
        after={"code": wanted.code, "entries": [_told(entry) for entry in after]},
        reason=reason,
        now=now,
    )
    return Edited(after, changed=True, created=created)


def arrange(entries: Sequence[Entry], wanted: Wanted, way: Way) -> tuple[Entry, ...]:
    """All entries of the code, once ``wanted`` is true, in order; ``entries`` are those of now.

    Raises EntryOverlaps and Unprocessable.
    """
    if wanted.effective_to is not None and wanted.effective_to < wanted.effective_from:
        raise Unprocessable("The entry would end before it starts.", code="ends_before_it_starts")
    arranged = _without(entries, wanted.effective_from) if wanted.ends else _with(entries, wanted, way)
    return tuple(sorted(arranged, key=in_order))


def _without(entries: Sequence[Entry], first: date) -> list[Entry]:
    """The entries, without that one which holds on ``first``, from then on."""
    return [
        replace(entry, effective_to=first - _DAY) if entry.holds(first) else entry
        for entry in entries
        if entry.effective_from != first
    ]


def _with(entries: Sequence[Entry], wanted: Wanted, way: Way) -> list[Entry]:
    first, last = wanted.effective_from, wanted.effective_to
    others = [entry for entry in entries if entry.effective_from != first]
    following = min((entry for entry in others if entry.effective_from > first), key=in_order, default=None)
    if following is not None and last is None and way is Way.FIT:
        last = following.effective_from - _DAY
    if following is not None and (last is None or following.effective_from <= last):
        raise _in_the_way(following, f"let this entry end on {following.effective_from - _DAY} (effective_to)")
    earlier = next((entry for entry in others if entry.holds(first)), None)
    found = [*others, Entry(wanted.code, first, last, wanted.value, wanted.description)]
    if earlier is None:
        return found
    if way is Way.REFUSE:
        raise _in_the_way(earlier, "let it end the day before with `ends_earlier`, or go on after this one with "
                                   "`splits_earlier`")  # fmt: skip
    if way is Way.FIT and earlier.effective_to is not None and (following is None or earlier.effective_to != last):
        raise _in_the_way(earlier, f"send it again with {first - _DAY} as its last day")
    found.remove(earlier)
    found.append(replace(earlier, effective_to=first - _DAY))
    if way is Way.SPLIT and (last or date.max) < (earlier.effective_to or date.max):
        found.append(replace(earlier, effective_from=(last or date.max) + _DAY))
    return found


def _in_the_way(other: Entry, mend: str) -> EntryOverlaps:
    since = "always" if other.effective_from == ALWAYS else str(other.effective_from)
    until = f" to {other.effective_to}" if other.effective_to else " on"
    message = f"The code has another entry in that period, from {since}{until}: {mend}."
    return EntryOverlaps(message, faults=[Fault("/effective_from", "overlap", message)])


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "value": entry.value,
        "description": entry.description,
        "effective_from": entry.effective_from,
        "effective_to": entry.effective_to,
    }
