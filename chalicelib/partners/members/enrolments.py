"""Enrolments: who takes part in which program on which days, by the program's rule or by hand.

A program's rule is a condition over the facts of a roster entry. It is judged entry by entry, so it may not read the
calendar (``as_of``): waiting periods belong to the accrual rule. By hand wins: once somebody enrolled or ended a member
by hand, the rule leaves that member and program alone, and only the end of employment still ends the enrolment.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput
from chalicelib.language import DecisionRefused, compile_expression, parse_json
from chalicelib.partners.members.drafting import Draft
from chalicelib.partners.members.periods import Changes, Period, reconciled
from chalicelib.partners.members.roster import Entry, intervals, parsed_attributes
from chalicelib.partners.models.partners import enrolment as table
from chalicelib.partners.models.partners import member
from chalicelib.partners.programs.programs import Program
from chalicelib.records import dataclass
from chalicelib.rules import canonical, facts
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, new_ids, public_id

_DAY: Final = timedelta(days=1)

#: The facts that a condition may read, as the language declares inputs.
INPUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    name: {"type": fact.type, "nullable": fact.nullable}
    | ({"scale": fact.scale} if fact.scale is not None else {})
    | ({"values": list(fact.values)} if fact.values else {})
    for name, fact in facts.MEMBER.items()
}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One period of a member in a program; ``valid_to`` is its last day, None is open."""

    id: bytes
    program_id: bytes
    member_id: bytes
    valid_from: date
    valid_to: date | None
    tier: str | None
    source: Literal["rule", "api"]


def of_members(db: Connection, member_ids: Collection[bytes]) -> dict[bytes, list[Enrolment]]:
    """Every enrolment of up to a page of members, by member, oldest first."""
    rows = db.execute(
        select(*(table.c[name] for name in Enrolment.__slots__))
        .where(table.c.member_id.in_(sorted(set(member_ids))), not_void())
        .order_by(table.c.member_id, table.c.valid_from)
    )
    found: dict[bytes, list[Enrolment]] = {}
    for row in rows:
        found.setdefault(row.member_id, []).append(Enrolment(*row))
    return found


def enrol(
    db: Connection,
    program: Program,
    member_id: bytes,
    *,
    valid_from: date,
    valid_to: date | None = None,
    tier: str | None = None,
    caller: Caller,
    now: datetime,
) -> Enrolment:
    """Enrol a member by hand from a day on, change the tier from then on, or (by ``valid_to``) end it.

    A period that starts on that day is changed; one that covers it ends the day before. The same again changes nothing.
    Raises InvalidInput when the end precedes the start, Conflict when a later period would overlap.
    """
    if valid_to is not None and valid_to < valid_from:
        raise InvalidInput("The enrolment would end before it begins.", code="ends_before_it_begins")
    # Rosters hold this lock too when they enrol: periods of one member change one after the other.
    db.execute(select(member.c.id).where(member.c.id == member_id).with_for_update()).one()
    periods = [one for one in of_members(db, [member_id]).get(member_id, []) if one.program_id == program.id]
    wanted = {"valid_to": valid_to, "tier": tier, "source": "api"}
    same_start = next((one for one in periods if one.valid_from == valid_from), None)
    if same_start is not None and all(getattr(same_start, name) == value for name, value in wanted.items()):
        return same_start
    for one in periods:
        if one.valid_from > valid_from and (valid_to is None or one.valid_from <= valid_to):
            raise Conflict(f"The member is enrolled from {one.valid_from} on: change that period.", code="overlaps")
    covering = next(
        (p for p in periods if p.valid_from < valid_from and (p.valid_to is None or p.valid_to >= valid_from)), None
    )
    if covering is not None:
        _set(db, covering.id, {"valid_to": valid_from - _DAY}, now)
    enrolment_id = _write(db, program, member_id, valid_from, wanted, now)
    audit.record(
        db,
        caller=caller,
        action="member.enrolled",
        subject=public_id("mbr", member_id),
        partner_id=program.partner_id,
        before=None if same_start is None else {"valid_to": same_start.valid_to, "tier": same_start.tier},
        after={"program": program.code, "valid_from": valid_from, "valid_to": valid_to, "tier": tier},
        now=now,
    )
    return Enrolment(enrolment_id, program.id, member_id, valid_from, valid_to, tier, "api")


def apply_rule(
    db: Connection, partner_id: bytes, programs: Iterable[Program], drafts: Sequence[Draft], *, now: datetime
) -> int:
    """Let enrolments follow what the drafts change about employment and facts; how many periods changed.

    The members' rows are locked. A rule counts from the program's ``effective_from`` on. A condition that has no answer
    for an entry does not hold.
    """
    running = [program for program in programs if program.status == "active"]
    changed = [draft for draft in drafts if draft.since is not None]
    stored = _stored(db, [draft.member_id for draft in changed if draft.held is not None])
    added: list[tuple[bytes, bytes, date, date | None]] = []
    ended: list[dict[str, Any]] = []
    for program in running:
        holds = _condition(program)
        for draft in changed:
            changes = _judged(program, holds, draft, stored.get((draft.member_id, program.id), []))
            added += [(draft.member_id, program.id, since, until) for since, until in changes.added]
            ended += [{"id": one, "valid_to": until, "changed_at": now} for one, until in changes.ends]
    added.sort(key=lambda row: row[:3])
    rows = [
        {
            "id": enrolment_id,
            "partner_id": partner_id,
            "program_id": program_id,
            "member_id": member_id,
            "valid_from": since,
            "valid_to": until,
            "tier": None,
            "source": "rule",
            "created_at": now,
            "changed_at": now,
        }
        for enrolment_id, (member_id, program_id, since, until) in zip(new_ids(len(added)), added, strict=True)
    ]
    bulk.insert(db, table, rows)
    ended.sort(key=lambda row: row["id"])
    bulk.update_by_key(db, table, ended, key=["id"], set_=["valid_to", "changed_at"])
    return len(rows) + len(ended)


@lru_cache(maxsize=512)
def compiled_condition(text: str) -> Callable[[Mapping[str, Any], date], Any]:
    """The condition whose canonical JSON is ``text``. Raises RuleRefused when it is none."""
    return compile_expression(parse_json(text), INPUTS, result="boolean")


def _judged(
    program: Program, holds: Callable[[Entry], bool] | None, draft: Draft, stored: list[tuple[Period, str]]
) -> Changes:
    assert draft.since is not None  # noqa: S101 - the caller selects those that change
    by_hand = any(source == "api" for _, source in stored)
    if by_hand or holds is None:
        employed = intervals(draft.course, lambda _entry: True, since=draft.since)
        return Changes(_cut_to(employed, [period for period, _ in stored], draft.since), [])
    wanted = intervals(draft.course, holds, since=max(draft.since, program.effective_from))
    return reconciled([period for period, _ in stored], wanted, draft.since)


def _cut_to(
    employed: Sequence[tuple[date, date | None]], stored: Sequence[Period], since: date
) -> list[tuple[bytes, date | None]]:
    """The new ends of periods that outlast the employment they began in."""
    ends: list[tuple[bytes, date | None]] = []
    for period in stored:
        start = max(period.since, since)
        if period.until is not None and period.until < start:
            continue
        until = next((end for begin, end in employed if begin <= start and (end is None or end >= start)), start - _DAY)
        if until is not None and (period.until is None or until < period.until):
            ends.append((period.id, until))
    return ends


def _condition(program: Program) -> Callable[[Entry], bool] | None:
    if program.enrolment is None:
        return None
    condition = compiled_condition(canonical.text(program.enrolment["when"]))

    def holds(entry: Entry) -> bool:
        try:
            return condition(facts_of(entry), entry.effective_date) is True
        except DecisionRefused:
            return False

    return holds


def facts_of(entry: Entry) -> dict[str, Any]:
    """What a condition may read of an entry; the member is employed, or the entry would not be judged."""
    said = parsed_attributes(entry.attributes)
    said |= {
        "status": "active",
        "hire_date": entry.hire_date,
        "term_date": entry.term_date,
        "job_code": entry.job_code,
        "country": entry.country,
    }
    return {name: said[name] for name in INPUTS}


def _stored(db: Connection, member_ids: Sequence[bytes]) -> dict[tuple[bytes, bytes], list[tuple[Period, str]]]:
    found: dict[tuple[bytes, bytes], list[tuple[Period, str]]] = defaultdict(list)
    for chunk in bulk.in_chunks(sorted(member_ids)):
        rows = db.execute(
            select(
                table.c.member_id, table.c.program_id, table.c.id, table.c.valid_from, table.c.valid_to, table.c.source
            )
            .where(table.c.member_id.in_(chunk))
            .order_by(table.c.valid_from)
        )
        for member_id, program_id, period_id, since, until, source in rows:
            found[member_id, program_id].append((Period(period_id, since, until), source))
    return found


def _write(
    db: Connection, program: Program, member_id: bytes, valid_from: date, values: Mapping[str, Any], now: datetime
) -> bytes:
    """Write the period that starts on a day, over a void one of that day where there is one; its id."""
    key = (table.c.member_id == member_id, table.c.program_id == program.id, table.c.valid_from == valid_from)
    known = db.execute(select(table.c.id).where(*key)).scalar_one_or_none()
    if known is not None:
        _set(db, known, values, now)
        return bytes(known)
    enrolment_id = new_id()
    row = {
        "id": enrolment_id,
        "partner_id": program.partner_id,
        "program_id": program.id,
        "member_id": member_id,
        "valid_from": valid_from,
        "created_at": now,
        "changed_at": now,
    }
    bulk.insert(db, table, [row | dict(values)])
    return enrolment_id


def _set(db: Connection, enrolment_id: bytes, values: Mapping[str, Any], now: datetime) -> None:
    db.execute(update(table).where(table.c.id == enrolment_id).values(**values, changed_at=now))


def not_void() -> ColumnElement[bool]:
    """The condition that a period has at least one day: the others were taken back."""
    return (table.c.valid_to.is_(None)) | (table.c.valid_to >= table.c.valid_from)
