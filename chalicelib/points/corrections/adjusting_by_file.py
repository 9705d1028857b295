"""Adjustments that come in a file (I5): who asked for them, and who agreed, is what the file says.

A file is sent by a system, not by a person, so its word alone is no second person's: above the program's threshold an
adjustment waits for one in the hub, unless the program lets the consent that its files name count. Whoever asked never
agrees: not in the file, and not in the hub either, where the file names them by the mail address of a user.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypedDict

from sqlalchemy.engine import Connection

from chalicelib.access import users
from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, OtherContent, Unprocessable
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import ACCEPTED, DUPLICATE, RowSource, Told, refused
from chalicelib.points.corrections import adjustments
from chalicelib.points.corrections.adjustments import NewAdjustment
from chalicelib.points.deciding import concerned, standing
from chalicelib.points.deciding.standing import Standing, Wanted
from chalicelib.points.ledger import accounts, policy
from chalicelib.storage.ids import public_id

_IDENTIFYING: Final = ("adjustment_id", "program_code", "employee_id", "requested_by")
_CHARACTERS_MAX: Final = {"adjustment_id": 100, "requested_by": 60, "approved_by": 60, "comment": 500}
#: Which column is named for what an adjustment may be refused for.
_COLUMNS: Final = {
    "unknown_reason": "reason_code",
    "amount_out_of_range": "points",
    "insufficient_points": "points",
}


class AdjustmentRow(TypedDict):
    """One adjustment, typed (layout I5). ``points`` below zero are taken."""

    adjustment_id: str
    program_code: str
    employee_id: str
    points: Decimal
    reason_code: str
    effective_date: date
    requested_by: str
    approved_by: str | None
    comment: str | None


def record(
    db: Connection,
    partner: Partner,
    rows: Sequence[AdjustmentRow],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> list[Told]:
    """Post each adjustment of the partner's own members, or keep it for a second person; one outcome per row, in order.

    Both are accepted. A refused row changes nothing. Raises nothing for bad rows.
    """
    wanted_on = {Wanted(row["program_code"], row["employee_id"], row["effective_date"]) for row in rows}
    found = standing.of(db, partner.id, wanted_on)
    answers: list[tuple[Program, NewAdjustment] | Told] = [
        _examined(db, row, source, found, now) for row, source in zip(rows, sources, strict=True)
    ]
    owners = {
        account_id(program.id, MEMBER, wanted.member_id): (program.id, wanted.member_id)
        for program, wanted in (each for each in answers if not isinstance(each, Told))
    }
    if owners:
        # All at once and in the order of ids: two files about the same members wait for each other.
        accounts.lock_members(db, partner.id, owners, now=now)
    return [each if isinstance(each, Told) else _posted(db, *each, caller=caller, now=now) for each in answers]


def _posted(db: Connection, program: Program, wanted: NewAdjustment, *, caller: Caller, now: datetime) -> Told:
    savepoint = db.begin_nested()
    try:
        made, created = adjustments.request(db, program, wanted, caller=caller, now=now)
    except OtherContent as error:
        savepoint.rollback()
        return refused("other_content", "adjustment_id", error.message)
    except (InvalidInput, Unprocessable) as error:
        savepoint.rollback()
        return refused(error.code, _COLUMNS.get(error.code), error.message)
    savepoint.commit()
    if created:
        return ACCEPTED
    same = (made.program_id, made.member_id) == (program.id, wanted.member_id)
    return DUPLICATE if same else refused("other_content", "adjustment_id", "The number was another adjustment's.")


def _examined(
    db: Connection, row: AdjustmentRow, source: RowSource, found: Standing, now: datetime
) -> tuple[Program, NewAdjustment] | Told:
    """What is asked for, or why it cannot be."""
    unusable = concerned.unusable(row, _IDENTIFYING, _CHARACTERS_MAX)
    if unusable is not None:
        return unusable
    wanted = Wanted(row["program_code"], row["employee_id"], row["effective_date"])
    known = concerned.of(found, wanted, row["points"], column="points")
    if isinstance(known, Told):
        return known
    program, member, amount = known
    if row["effective_date"] > programs.business_date(now, program):
        return refused("date_in_future", "effective_date", "The adjustment is of a day that is still to come.")
    rules = policy.of(program)
    above = rules.second_person_above_minor
    asked, agreed = row["requested_by"], row["approved_by"]
    if above is not None and abs(amount) > above and agreed is not None and _same_person(asked, agreed):
        return refused("own_adjustment", "approved_by", "Who asks for an adjustment does not agree to it.")
    user = users.by_email(db, asked) if "@" in asked else None
    return program, NewAdjustment(
        member_id=member.id,
        amount_minor=amount,
        reference=row["adjustment_id"],
        reason_code=row["reason_code"],
        comment=row["comment"],
        effective_date=row["effective_date"],
        requested_by=asked,
        approved_by=agreed,
        agreed=agreed is not None and rules.consent_in_files,
        author=None if user is None else public_id("usr", user.id),
        source=source,
    )


def _same_person(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
