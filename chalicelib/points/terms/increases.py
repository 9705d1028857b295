"""Increase requests: more points or pieces than a program gives, asked for with a reason and granted by a manager."""

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotPermitted, Unprocessable
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.members import enrolments
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Increases
from chalicelib.points.corrections import asking
from chalicelib.points.corrections.asking import Asked, Form
from chalicelib.points.ledger import transfers
from chalicelib.points.models.terms import increase_request
from chalicelib.records import dataclass

State: TypeAlias = Literal["pending", "approved", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Increase(Asked):
    """One request for more."""

    state: State
    reason: str


class NotOffered(Unprocessable):
    """The program takes no requests for more, or not from who is not in it."""

    code = "increase_not_offered"


class TooMuch(Unprocessable):
    """More than the program lets one request, or one member's year, have."""

    code = "increase_too_large"


class OwnIncrease(NotPermitted):
    """Who asked for an increase does not decide about it."""

    code = "own_increase"


class IncreaseDecided(Conflict):
    """The request was decided otherwise already."""

    code = "increase_decided"


INCREASES: Final = Form(
    table=increase_request,
    shown=Increase,
    columns=tuple(each.name for each in fields(Increase)),
    posted_as="increase",
    prefix="inc",
    called="request",
    agreed="approved",
    refused="refused",
    named_by=("partner_id", "reference"),
    told=("reason",),
    noted=("amount_minor",),
    own=OwnIncrease,
    decided=IncreaseDecided,
)


def request(
    db: Connection,
    program: Program,
    member_id: bytes,
    amount_minor: int,
    *,
    reference: str,
    reason: str,
    caller: Caller,
    now: datetime,
) -> tuple[Increase, bool]:
    """Keep a request for a manager of the partner; it, and whether it is new.

    The same reference with the same content returns the first one. Raises OtherContent, NotOffered, TooMuch.
    """
    transfers.require_amount(amount_minor)
    row = asking.row(program, member_id, amount_minor, reference=reference, author=caller.actor, caller=caller, now=now)
    row |= {"reason": reason}
    # What was asked before is answered, whatever the terms say by now.
    found = asking.earlier(db, INCREASES, row)
    if found is not None:
        return found, False
    _require_within(db, program, member_id, amount_minor, now)
    found, new = asking.keep(db, INCREASES, row)
    if new:
        asking.note(db, INCREASES, found, "requested", caller=caller, reason=reason, now=now)
    return found, new


def decide(
    db: Connection,
    program: Program,
    increase_id: bytes,
    *,
    approve: bool,
    comment: str | None,
    caller: Caller,
    now: datetime,
) -> Increase:
    """Grant, which posts it as a lot of its own, or refuse a request; deciding the same again changes nothing.

    Who may is ``points.terms.managers``' to say. Raises OwnIncrease when the caller asked for it, IncreaseDecided when
    it was decided otherwise, NotOffered and TooMuch when the program does not let it any more, NotFound.
    """
    return asking.decide(
        db,
        INCREASES,
        increase_id,
        lambda found: _post(db, program, found, now),
        agree=approve,
        comment=comment,
        caller=caller,
        on=programs.business_date(now, program),
        now=now,
    )


def by_id(db: Connection, increase_id: bytes) -> Increase:
    """One request. Raises NotFound."""
    return asking.by_id(db, INCREASES, increase_id)


def newest_first(
    db: Connection,
    *,
    partner_id: bytes | None,
    member_id: bytes | None = None,
    state: State | None = None,
    before_seq: int | None,
    limit: int,
) -> list[Increase]:
    """Up to ``limit`` requests, newest first, older than ``before_seq``."""
    return asking.newest_first(
        db, INCREASES, partner_id=partner_id, member_id=member_id, state=state, before_seq=before_seq, limit=limit
    )


def _post(db: Connection, program: Program, found: Increase, now: datetime) -> bytes:
    holder = asking.given_to(db, program, found, now)
    # Under the account's lock: two approvals of one member do not both see the room that is left.
    _require_within(db, program, found.member_id, found.amount_minor, now)
    return asking.post(db, INCREASES, program, holder, found, now=now)


def _require_within(db: Connection, program: Program, member_id: bytes, amount_minor: int, now: datetime) -> None:
    own = terms.of(program.terms).increases
    if own is None or program.status != "active":
        raise NotOffered("The program takes no requests for more.")
    today = programs.business_date(now, program)
    if not any(
        each.program_id == program.id and each.valid_from <= today and (each.valid_to is None or today <= each.valid_to)
        for each in enrolments.of_members(db, [member_id]).get(member_id, [])
    ):
        raise NotOffered("The member is not enrolled in the program today.")
    _require_small(own, program.scale, amount_minor)
    if own.year_max is None:
        return
    given = {"account_id": account_id(program.id, MEMBER, member_id), "since": date(today.year, 1, 1), "today": today}
    granted = int(db.execute(_GRANTED, given).scalar_one() or 0)
    if granted + amount_minor > _minor(own.year_max, program.scale):
        raise TooMuch(f"One member is given at most {own.year_max} more in a calendar year.")


def _require_small(own: Increases, scale: int, amount_minor: int) -> None:
    if amount_minor > _minor(own.request_max, scale):
        raise TooMuch(f"One request may be for at most {own.request_max}.")


def _minor(text: str, scale: int) -> int:
    """Rounded down: a finer limit than the program's unit lets no more through."""
    return int(Decimal(text).scaleb(scale))


_GRANTED: Final = select(func.sum(increase_request.c.amount_minor)).where(
    increase_request.c.account_id == bindparam("account_id"),
    increase_request.c.state == "approved",
    increase_request.c.decided_on.between(bindparam("since"), bindparam("today")),
)
