"""One entry of a code table is set or ended; the entries beside it give way as the caller says, or refuse it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import insert
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Fault, NotFound, NotPermitted, Unprocessable
from chalicelib.language.faults import shown
from chalicelib.records import dataclass
from chalicelib.rules import money_tables
from chalicelib.rules.code_table_content import ALWAYS, Content, Entry, in_order, locked
from chalicelib.rules.models import code_table_change
from chalicelib.settings import settings

_DAY = timedelta(days=1)


class EntryOverlaps(Conflict):
    """A code would have two values on one day; the message says how to mend that."""

    code = "entry_overlaps"


class Way(StrEnum):
    """What becomes of an entry that a new one cuts: that begins before it, or with it and says another value.

    ``REFUSE`` it stays, the new one is refused. ``END`` it ends the day before, unless days would be left without a
    value. ``SPLIT`` it ends the day before and goes on when the new one has ended. ``FIT``, of files: the same as
    ``SPLIT`` where the earlier one has no end; a new entry without an end holds until the next one begins, and the
    earlier one gives way where it has no end, or ends where the next one begins. So rows without an end fit in any
    order. In every way, days outside the new entry keep their value, or the new one is refused.
    """

    REFUSE = "refuse"
    END = "end"
    SPLIT = "split"
    FIT = "fit"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is said of one code: its value from one day to another, both inclusive; None is for ever.

    Not ``active``: it ends. With ``effective_to`` nothing that held before goes on after that day; without, the code
    has no value from ``effective_from`` on. Either way until a later entry begins.
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


class OfFile(NamedTuple):
    """The row of a file that wants a change: with its file, the change can be taken back."""

    file_id: bytes
    row_no: int
    partner_id: bytes


def put(
    db: Connection,
    table_code: str,
    wanted: Wanted,
    *,
    way: Way,
    partner_id: bytes | None,
    reason: str | None = None,
    of_file: OfFile | None = None,
    caller: Caller,
    now: datetime,
) -> Edited:
    """Set or end one entry; the same again changes nothing.

    ``partner_id`` may change its own tables only, None every table. Raises NotFound for other tables, NotPermitted
    (``approval_required``) for tables that decide points, EntryOverlaps, and Unprocessable (``bad_value``,
    ``ends_before_it_starts``, ``too_many_entries``).
    """
    table = locked(db, table_code)
    if table is None or (partner_id is not None and table.partner_id != partner_id):
        raise NotFound(f"There is no code table {table_code!r}.")
    content = Content(db, table)
    before = content.of(wanted.code)
    if not wanted.ends:
        content.values.require(wanted.value)
    after = arrange(before, wanted, way)
    created = not wanted.ends and all(entry.effective_from != wanted.effective_from for entry in before)
    if after == before:
        return Edited(after, changed=False, created=False)
    refusal = needs_approval(db, table.code)
    if refusal is not None:
        raise NotPermitted(refusal, code="approval_required")
    content.replace(wanted.code, after)
    content.write(db, now=now)
    if of_file is not None:
        change = of_file._asdict() | {"table_id": table.id, "entry_code": wanted.code, "recorded_at": now}
        effect = "ended" if wanted.ends else "set"
        db.execute(insert(code_table_change), change | {"effective_from": wanted.effective_from, "effect": effect})
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


def needs_approval(db: Connection, table_code: str) -> str | None:
    """Why one person alone may not change the table: rules decide points by it. None where that is nobody's concern."""
    if settings().rule_approval != "required":
        return None
    rules = money_tables.looked_up_by_live(db, table_code)
    if not rules:
        return None
    more = f" and {len(rules) - 1} more" if len(rules) > 1 else ""
    return (
        f"{table_code} decides points of {rules[0]}{more}: change the document and have the plan approved, "
        "`hub rules plan --out`, `hub rules approve`, `hub rules apply`."
    )


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
        if len(others) == len(entries):
            _require_no_gap(others, first)
    if following is not None and (last is None or following.effective_from <= last):
        raise _in_the_way(following, f"let this entry end on {following.effective_from - _DAY} (effective_to)")
    found = [*others, Entry(wanted.code, first, last, wanted.value, wanted.description)]
    cut = next((entry for entry in entries if entry.holds(first)), None)
    if cut is None:
        return found
    rest = _rest(cut, wanted, last)
    if cut.effective_from < first:
        _require_way(cut, way, following, first, last)
        found.remove(cut)
        found.append(replace(cut, effective_to=first - _DAY))
    if rest is not None:
        if way in {Way.REFUSE, Way.END}:
            raise _in_the_way(cut, _gap(rest))
        found.append(rest)
    return found


def _rest(cut: Entry, wanted: Wanted, last: date | None) -> Entry | None:
    """What of the entry that is cut lies after the new one; None where nothing does, or where the code is to end."""
    if last is None or last == date.max or not wanted.active:
        return None
    if cut.effective_to is not None and cut.effective_to <= last:
        return None
    # The same entry said again with an earlier end: that is how an entry is closed.
    if cut.effective_from == wanted.effective_from and cut.value == wanted.value:
        return None
    return replace(cut, effective_from=last + _DAY)


def _require_way(earlier: Entry, way: Way, following: Entry | None, first: date, last: date | None) -> None:
    """Raise EntryOverlaps when the entry that begins before ``first`` does not give way."""
    if way is Way.REFUSE:
        raise _in_the_way(earlier, "let it end the day before with `ends_earlier`, or go on after this one with "
                                   "`splits_earlier`")  # fmt: skip
    if way is Way.FIT and earlier.effective_to is not None and (following is None or earlier.effective_to != last):
        goes_on = last is not None and earlier.effective_to > last
        again = f", and what follows from {last + _DAY} on as a row of its own" if last and goes_on else ""
        raise _in_the_way(earlier, f"send it again with {first - _DAY} as its last day{again}")


def _require_no_gap(others: Sequence[Entry], first: date) -> None:
    """Raise EntryOverlaps when a new entry from ``first`` on, for ever, would end with the last of the later ones."""
    later = sorted((entry for entry in others if entry.effective_from > first), key=in_order)
    for entry, next_one in zip(later, [*later[1:], None], strict=True):
        until = entry.effective_to
        if until is not None and until < date.max and (next_one is None or next_one.effective_from > until + _DAY):
            ends = later[0].effective_from - _DAY
            raise _in_the_way(
                entry,
                f"from {until + _DAY} on the code would have no value; let this entry end on {ends} (effective_to), "
                "and say in a row of its own what holds afterwards",
            )


def _gap(rest: Entry) -> str:
    until = f"to {rest.effective_to}" if rest.effective_to else "on"
    return (
        f"from {rest.effective_from} {until} the code would have no value; let {shown(rest.value)} go on then with "
        '`splits_earlier`, or end the code with `"active": false`'
    )


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
