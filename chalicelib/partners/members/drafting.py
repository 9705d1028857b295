"""What a batch of roster rows changes about one member: pure, decided before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date

from chalicelib.partners.members.roster import Entry, Span, Standing, first_difference, spans, standing
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """A stored member, its row locked: what the batch builds on."""

    id: bytes
    employee_id: str
    status: str
    hire_date: date
    term_date: date | None
    effective_date: date
    next_effective_date: date | None
    job_code: str | None
    country: str | None
    attributes: str
    personal: bytes

    def entry(self) -> Entry:
        """The state in force as if it were one entry; its id and hash equal no stored one's."""
        return Entry(
            id=b"",
            effective_date=self.effective_date,
            revision=0,
            action="change",
            hire_date=self.hire_date,
            term_date=self.term_date,
            job_code=self.job_code,
            country=self.country,
            attributes=self.attributes,
            content_hash=b"",
            sealed=self.personal,
        )


@dataclass(slots=True)
class Draft:
    """The new truth about one member.

    ``written`` are entries to store, in row order; of two about one date the later supersedes the earlier (its id is
    in ``overtaken``). ``replaced`` are stored entries to mark superseded. ``since`` is the first day on which
    employment or facts differ from before; None when they do not. ``duplicates`` are rows that say nothing new.
    """

    member_id: bytes
    employee_id: str
    held: Held | None
    written: list[Entry] = field(default_factory=list)
    replaced: list[Entry] = field(default_factory=list)
    overtaken: set[bytes] = field(default_factory=set)
    duplicates: list[Entry] = field(default_factory=list)
    course: list[Span] = field(default_factory=list)
    since: date | None = None
    standing: Standing | None = None


def builds_on_state(held: Held, said: Sequence[Entry]) -> bool:
    """Whether the state in force is enough to judge the rows: employed, all rows newer, and nothing foreseen yet."""
    if held.status != "active" or held.next_effective_date is not None:
        return False
    # A hire may be told before the first day: whether that day has come is what the state does not say.
    begun = max(held.effective_date, held.hire_date)
    return all(entry.effective_date > begun and (entry.term_date is None or entry.term_date >= begun) for entry in said)


def draft_new(member_id: bytes, employee_id: str, said: Sequence[Entry], *, today: date) -> Draft:
    """The draft of somebody who is not known yet."""
    draft = Draft(member_id, employee_id, None)
    live: dict[date, Entry] = {}
    _take(draft, live, said)
    entries = _in_order(live)
    draft.course = spans(entries)
    draft.since = first_difference([], draft.course)
    draft.standing = standing(entries, draft.course, today)
    return draft


def draft_on_state(held: Held, said: Sequence[Entry], *, today: date) -> Draft:
    """The draft of an employed member whose state in force precedes every row (``builds_on_state``)."""
    draft = Draft(held.id, held.employee_id, held)
    state = held.entry()
    live: dict[date, Entry] = {}
    _take(draft, live, said)
    since = Span(held.effective_date, None, state)
    entries = _in_order(live)
    draft.course = spans(entries, since=since)
    draft.since = first_difference([since], draft.course)
    draft.standing = standing([state, *entries], draft.course, today)
    return draft


def draft_on_history(held: Held, history: Sequence[Entry], said: Sequence[Entry], *, today: date) -> Draft:
    """The draft of a member by every live entry: for corrections, late rows and rows that take effect later."""
    draft = Draft(held.id, held.employee_id, held)
    live = {entry.effective_date: entry for entry in history}
    before = spans(history)
    _take(draft, live, said)
    entries = _in_order(live)
    draft.course = spans(entries)
    draft.since = first_difference(before, draft.course)
    draft.standing = standing(entries, draft.course, today)
    return draft


def _take(draft: Draft, live: dict[date, Entry], said: Sequence[Entry]) -> None:
    for entry in said:
        known = live.get(entry.effective_date)
        if known is not None and known.content_hash == entry.content_hash:
            draft.duplicates.append(entry)
            continue
        if known is not None:
            entry.revision = known.revision + 1
            if any(known is earlier for earlier in draft.written):
                draft.overtaken.add(known.id)
            else:
                draft.replaced.append(known)
        live[entry.effective_date] = entry
        draft.written.append(entry)


def _in_order(live: Mapping[date, Entry]) -> list[Entry]:
    return [live[day] for day in sorted(live)]
