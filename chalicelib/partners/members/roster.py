"""What roster rows say, and what follows from them: who is employed when, and under which facts.

Pure: rows and dates in, entries and spans out. A row is a full statement about one employee from its effective date on:

- ``A`` (hire) employs from the hire date, also after an earlier termination;
- ``C`` (change) changes facts; of an employee who has left it changes nothing but the facts;
- ``T`` (terminate) ends employment: the term date is its last day; without one, the day before the effective date is.

The first row about somebody is taken at its word whatever its action: employed since the hire date.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypedDict

from chalicelib.language.rounding import plain
from chalicelib.partners import identifiers
from chalicelib.records import dataclass

_DAY: Final = timedelta(days=1)
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RosterRow(TypedDict):
    """One roster row, typed (layout I1). ``fte_pct`` is in percent; dates are in the partner's time zone."""

    employee_id: str
    action: str
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    hire_date: date
    term_date: date | None
    job_code: str
    grade: str | None
    department: str | None
    cost_center: str | None
    location_code: str | None
    country: str
    currency: str | None
    union_code: str | None
    fte_pct: Decimal | None
    manager_id: str | None
    ship_to_line1: str | None
    ship_to_city: str | None
    ship_to_region: str | None
    ship_to_postal: str | None
    effective_date: date


class RosterOutcome(NamedTuple):
    """What became of one row. ``code``, ``column`` and ``message`` say why a rejected row was rejected."""

    outcome: Literal["accepted", "duplicate", "rejected"]
    code: str | None = None
    column: str | None = None
    message: str | None = None
    member_id: bytes | None = None


_PERSONAL_ORDER: Final = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "ship_to_line1",
    "ship_to_city",
    "ship_to_region",
    "ship_to_postal",
)
#: Fields that are stored encrypted only.
PERSONAL: Final = frozenset(_PERSONAL_ORDER)
#: Fields without a column of their own; none is personal.
ATTRIBUTES: Final = (
    "grade",
    "department",
    "cost_center",
    "location_code",
    "currency",
    "union_code",
    "fte_pct",
    "manager_id",
)
ACTIONS: Final = {"A": "hire", "C": "change", "T": "terminate"}
_CHARACTERS_MAX: Final = {"employee_id": 64, "job_code": 64, "country": 2}
_TEXT_CHARACTERS_MAX: Final = 200
_TEXTS: Final = tuple(name for name in (*_PERSONAL_ORDER, *ATTRIBUTES) if name != "fte_pct")


def examine(row: RosterRow) -> RosterOutcome | None:
    """Why the row cannot be applied, or None. The message never repeats a value."""
    if row["action"] not in ACTIONS:
        return RosterOutcome("rejected", "unknown_action", "action", "The action must be A, C or T.")
    unusable = identifiers.unusable("employee_id", row["employee_id"])
    if unusable is not None:
        code, message = unusable
        return RosterOutcome("rejected", code, "employee_id", message)
    fields: Any = row
    for name, longest in _CHARACTERS_MAX.items():
        if len(fields[name]) > longest:
            return _too_long(name, longest)
    for name in _TEXTS:
        value = fields[name]
        if value is not None and len(value) > _TEXT_CHARACTERS_MAX:
            return _too_long(name, _TEXT_CHARACTERS_MAX)
    term_date = row["term_date"]
    if term_date is not None and term_date < row["hire_date"]:
        return RosterOutcome("rejected", "term_before_hire", "term_date", "The term date is before the hire date.")
    return None


def _too_long(name: str, longest: int) -> RosterOutcome:
    return RosterOutcome("rejected", "too_long", name, f"{name} has more than {longest} characters.")


@dataclass(slots=True)
class Entry:
    """One dated statement about a member: a row of ``member_history``, stored or about to be."""

    id: bytes
    effective_date: date
    revision: int
    action: str
    hire_date: date
    term_date: date | None
    job_code: str | None
    country: str | None
    attributes: str
    content_hash: bytes
    #: The encrypted personal fields; None until they are needed.
    sealed: bytes | None = None
    #: Index of the row of the batch that says it; None for what is stored already, and for an absence.
    row: int | None = None

    @property
    def last_day(self) -> date:
        """The last day of employment that a ``terminate`` states."""
        return self.term_date or self.effective_date - _DAY


class Span(NamedTuple):
    """Days of employment under the facts of one entry; ``until`` is inclusive, None is open."""

    since: date
    until: date | None
    entry: Entry


def content(row: RosterRow) -> bytes:
    """The canonical text of everything the row says: equal rows have equal texts."""
    fields: Any = row
    term_date, fte_pct = row["term_date"], row["fte_pct"]
    said = [
        row["action"],
        row["effective_date"].isoformat(),
        row["hire_date"].isoformat(),
        None if term_date is None else term_date.isoformat(),
        row["job_code"],
        row["country"],
        None if fte_pct is None else plain(fte_pct),
        *[fields[name] for name in _TEXTS],
    ]
    return _encode(said).encode()


def attributes(row: RosterRow) -> str:
    """The JSON text of the fields without a column of their own; absent ones are left out."""
    fields: Any = row
    return _attributes_text(tuple([fields[name] for name in ATTRIBUTES]))


def parsed_attributes(text: str) -> dict[str, Any]:
    """What ``attributes`` was given, every field present; ``fte_pct`` a Decimal."""
    return dict(_parsed_attributes(text))


# Departments, grades and places repeat from row to row of a roster.
@lru_cache(maxsize=4096)
def _attributes_text(values: tuple[str | Decimal | None, ...]) -> str:
    said = {name: value for name, value in zip(ATTRIBUTES, values, strict=True) if value is not None}
    return _encode({name: plain(value) if isinstance(value, Decimal) else value for name, value in said.items()})


@lru_cache(maxsize=4096)
def _parsed_attributes(text: str) -> Mapping[str, Any]:
    said: dict[str, Any] = dict.fromkeys(ATTRIBUTES) | json.loads(text)
    if said["fte_pct"] is not None:
        said["fte_pct"] = Decimal(said["fte_pct"])
    return said


def personal(row: RosterRow) -> dict[str, str | None]:
    """The personal fields of the row."""
    fields: Any = row
    return {name: fields[name] for name in _PERSONAL_ORDER}


def spans(entries: Iterable[Entry], *, since: Span | None = None) -> list[Span]:
    """The days of employment that follow from a member's live entries, ordered by effective date.

    When the entries are not all there are, ``since`` is the open span before the first of them.
    """
    found: list[Span] = [] if since is None else [since]
    last_day: date | None = None
    first = since is None
    for entry in entries:
        start = entry.effective_date
        if first:
            start = entry.hire_date
            if entry.action == "terminate":
                last_day = entry.last_day
        elif entry.action == "terminate":
            # Who had left already may turn out to have stayed longer.
            start = last_day + _DAY if last_day is not None and last_day < start else start
            last_day = entry.last_day
        elif last_day is not None and last_day < start:
            if entry.action == "change":
                continue
            start = entry.hire_date if entry.hire_date > last_day else start
            last_day = None
        elif entry.action == "hire":
            last_day = None
        first = False
        _cut(found, start - _DAY if last_day is None else min(start - _DAY, last_day))
        if not found or found[-1].until != start - _DAY:
            # Nobody works before the first day; within an employment another hire date moves nothing.
            start = max(start, entry.hire_date)
        if last_day is None or start <= last_day:
            found.append(Span(start, last_day, entry))
    return found


def _cut(found: list[Span], until: date) -> None:
    """End everything at ``until``."""
    while found and found[-1].since > until:
        found.pop()
    if found and (found[-1].until is None or found[-1].until > until):
        found[-1] = found[-1]._replace(until=until)


def first_difference(before: Sequence[Span], after: Sequence[Span]) -> date | None:
    """The first day on which the two courses of employment differ, or None."""
    for old, new in zip(before, after, strict=False):
        if old.since != new.since or old.entry.id != new.entry.id:
            return min(old.since, new.since)
        if old.until != new.until:
            ends = [until for until in (old.until, new.until) if until is not None]
            return min(ends) + _DAY
    longer = before[len(after) :] or after[len(before) :]
    return longer[0].since if longer else None


class Standing(NamedTuple):
    """A member on one day: the facts in force, and until when nothing that is known changes them."""

    status: Literal["active", "terminated"]
    entry: Entry
    last_day: date | None
    next_date: date | None


def standing(entries: Sequence[Entry], course: Sequence[Span], on: date) -> Standing:
    """How a member with these live entries stands on a day; before the first entry, as the first says."""
    in_force = entries[0]
    for entry in entries:
        if entry.effective_date <= on:
            in_force = entry
    ahead = [entry.effective_date for entry in entries if entry.effective_date > on]
    status: Literal["active", "terminated"] = "terminated"
    last_day = _left_without_a_day(entries, on)
    for span in course:
        if span.since > on:
            ahead.append(span.since)
            # Somebody whose first day is still to come has not left.
            if last_day is None:
                status = "active"
            elif status == "active" and span.since == last_day + _DAY:
                # The same employment, under facts that are foreseen: it ends with the last of them.
                last_day = span.until
            continue
        last_day = span.until
        if span.until is None or span.until >= on:
            status, in_force = "active", span.entry
            if span.until is not None:
                ahead.append(span.until + _DAY)
    if status == "terminated" and last_day is None:
        last_day = in_force.term_date or in_force.effective_date - _DAY
    return Standing(status, in_force, last_day, min(ahead, default=None))


def _left_without_a_day(entries: Sequence[Entry], on: date) -> date | None:
    """The last day by the last termination before ``on``: all there is of an employment that ended before it began."""
    stated = [entry.last_day for entry in entries if entry.action == "terminate" and entry.effective_date <= on]
    return stated[-1] if stated and stated[-1] < on else None


def intervals(course: Sequence[Span], holds: Callable[[Entry], bool], *, since: date) -> list[tuple[date, date | None]]:
    """The maximal periods from ``since`` on of employment under entries of which ``holds`` is true."""
    found: list[tuple[date, date | None]] = []
    for span in course:
        if (span.until is not None and span.until < since) or not holds(span.entry):
            continue
        start = max(span.since, since)
        if found and found[-1][1] is not None and found[-1][1] + _DAY == start:
            found[-1] = (found[-1][0], span.until)
        else:
            found.append((start, span.until))
    return found
