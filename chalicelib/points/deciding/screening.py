"""Whom an event concerns and which rule decides it: program, member, enrolment, version in force on its date."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.partners import identifiers
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members import erasing
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.deciding import standing
from chalicelib.points.deciding.events import (
    CATEGORY_LENGTH_MAX,
    EVENT_ID_LENGTH_MAX,
    EVENT_TYPE_LENGTH_MAX,
    HUBS_OWN,
    QUANTITY_MAX,
    NewAccrual,
    Recorded,
    rejected,
)
from chalicelib.points.deciding.standing import Wanted
from chalicelib.rules import rulesets
from chalicelib.rules.rulesets import LiveVersion

#: How far an event's date may be ahead of the program's own: for a partner further east, the next day has begun.
AHEAD_MAX: Final = timedelta(days=1)


class Question(NamedTuple):
    """An event, by its place in the batch, with the version in force on its date as known now."""

    at: int
    event: NewAccrual
    program: Program
    member: MemberRef
    account_id: bytes
    version: LiveVersion


class Screened(NamedTuple):
    """The events that a rule may decide, and the outcomes of the others, by index."""

    questions: list[Question]
    refused: dict[int, Recorded]


def malformed(event: NewAccrual, *, by_hub: bool = False) -> Recorded | None:
    """The refusal of an event that no table could keep or no rule may see, whoever it concerns.

    ``by_hub``: the hub made it itself, under an id that nobody else may give.
    """
    event_id = event["event_id"]
    if not 0 < len(event_id) <= EVENT_ID_LENGTH_MAX:
        message = f"The event id must have 1 to {EVENT_ID_LENGTH_MAX} characters."
        return rejected(event_id[:EVENT_ID_LENGTH_MAX], "event_id_length", "event_id", message)
    for name in ("event_id", "employee_id", "program_code"):
        unusable = identifiers.unusable(name, event[name])
        if unusable is not None:
            code, message = unusable
            return rejected(event_id, code, name, message)
    if event_id.startswith(HUBS_OWN) and not by_hub:
        message = f"Event ids that begin with {HUBS_OWN!r} are those of the hub's own grants: choose another."
        return rejected(event_id, "event_id_reserved", "event_id", message)
    if not 0 < len(event["event_type"]) <= EVENT_TYPE_LENGTH_MAX:
        message = f"The event type must have 1 to {EVENT_TYPE_LENGTH_MAX} characters."
        return rejected(event_id, "event_type_length", "event_type", message)
    category = event["category"]
    if category is not None and len(category) > CATEGORY_LENGTH_MAX:
        message = f"The category must have at most {CATEGORY_LENGTH_MAX} characters."
        return rejected(event_id, "category_length", "category", message)
    return _unusable(event_id, event["quantity"])


def _unusable(event_id: str, quantity: Decimal) -> Recorded | None:
    """The refusal of a quantity that no event may have."""
    if quantity < 0:
        message = "A quantity below zero corrects the event that the reference names: no rule decides it."
        return rejected(event_id, "negative_quantity", "quantity", message)
    if quantity > QUANTITY_MAX:
        return rejected(event_id, "quantity_out_of_range", "quantity", f"The quantity exceeds {QUANTITY_MAX:,}.")
    return None


def screen(
    db: Connection,
    partner_id: bytes,
    events: Mapping[int, NewAccrual],
    *,
    now: datetime,
    instead: LiveVersion | None = None,
) -> Screened:
    """Find for each event what decides it; refuse by name those that concern nobody, no program, no day or no rule.

    ``instead`` is asked in place of the version in force: what would it have decided?
    """
    # With the facts in force on the event's date: a file may bring last month's hours.
    wanted = {Wanted(event["program_code"], event["employee_id"], event["event_date"]) for event in events.values()}
    by_code, known, enrolled = standing.of(db, partner_id, wanted)
    codes = {by_code[each.program_code].ruleset_code for each in wanted if each.program_code in by_code}
    timelines = rulesets.timelines(db, sorted(codes) if enrolled and instead is None else [], known_at=now)
    latest = {code: programs.business_date(now, program) + AHEAD_MAX for code, program in by_code.items()}
    unknown = {event["employee_id"] for event in events.values()} - {number for number, _ in known}
    erased = erasing.erased_numbers(db, partner_id, unknown) if unknown else {}
    account_ids: dict[tuple[bytes, bytes], bytes] = {}
    questions: list[Question] = []
    refused: dict[int, Recorded] = {}
    for index, event in events.items():
        program = by_code.get(event["program_code"])
        if program is None or program.status != "active":
            refused[index] = _no_program(event, program)
            continue
        day = event["event_date"]
        if not program.effective_from <= day <= latest[program.code]:
            refused[index] = _no_day(event, program)
            continue
        member = known.get((event["employee_id"], day))
        if member is None and event["employee_id"] in erased:
            message = erasing.ERASED_MESSAGE
            refused[index] = rejected(event["event_id"], erasing.ERASED, "employee_id", message)
            continue
        if member is None:
            message = "The partner has no employee of this number: send the roster, then this event again."
            refused[index] = rejected(event["event_id"], "unknown_member", "employee_id", message, fixable=True)
            continue
        pair = (program.id, member.id)
        if not _in_force(enrolled.get(pair, ()), day):
            message = f"The employee is not enrolled in {program.code} on {day}."
            refused[index] = rejected(event["event_id"], "not_enrolled", "employee_id", message)
            continue
        version = instead or timelines[program.ruleset_code].on(day)
        if version is None:
            message = f"No version of {program.ruleset_code} is in force on {day}."
            refused[index] = rejected(event["event_id"], "no_rule_in_force", "event_date", message)
            continue
        account = account_ids.get(pair)
        if account is None:
            account = account_ids[pair] = account_id(program.id, MEMBER, member.id)
        questions.append(Question(index, event, program, member, account, version))
    return Screened(questions, refused)


def _no_program(event: NewAccrual, program: Program | None) -> Recorded:
    if program is None:
        message = "The partner has no program of this code."
        return rejected(event["event_id"], "unknown_program", "program_code", message)
    return rejected(event["event_id"], "program_closed", "program_code", f"The program {program.code} is closed.")


def _no_day(event: NewAccrual, program: Program) -> Recorded:
    if event["event_date"] < program.effective_from:
        message = f"The program {program.code} begins on {program.effective_from}."
        return rejected(event["event_id"], "before_program", "event_date", message)
    message = "The event's date is still to come: send it on that day."
    return rejected(event["event_id"], "event_in_future", "event_date", message)


def _in_force(periods: Sequence[tuple[date, date | None]], day: date) -> bool:
    return any(first <= day and (last is None or day <= last) for first, last in periods)
