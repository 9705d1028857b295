"""Increase requests: more points or pieces than a program gives, asked for with a reason and granted by a manager."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound, NotPermitted, OtherContent, Unprocessable
from chalicelib.partners import enrolments, programs, terms
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.models import program as program_table
from chalicelib.partners.programs import Program
from chalicelib.partners.terms import Increases
from chalicelib.points import accounts, ledger, overdrafts
from chalicelib.points.ledger import NewLot
from chalicelib.points.terms_models import increase_request
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

State: TypeAlias = Literal["pending", "approved", "refused"]


@dataclass(frozen=True, slots=True)
class Increase:
    """One request. Amounts are minor units at ``scale``; ``transfer_id`` None: not granted, or not yet."""

    seq: int
    id: bytes
    partner_id: bytes
    program_id: bytes
    member_id: bytes
    account_id: bytes
    reference: str
    amount_minor: int
    reason: str
    state: State
    transfer_id: bytes | None
    author: str
    decided_by: str | None
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None
    scale: int


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
    ledger.require_amount(amount_minor)
    of = account_id(program.id, MEMBER, member_id)
    row: dict[str, Any] = {
        "id": new_id(),
        "partner_id": program.partner_id,
        "program_id": program.id,
        "member_id": member_id,
        "account_id": of,
        "reference": reference,
        "amount_minor": amount_minor,
        "reason": reason,
        "state": "pending",
        "author": caller.actor,
        "correlation_id": caller.correlation_id,
        "created_at": now,
    }
    earlier = db.execute(_BY_REFERENCE, {"partner_id": program.partner_id, "reference": reference}).one_or_none()
    if earlier is None:
        _require_within(db, program, member_id, amount_minor, now)
        if not bulk.insert_new(db, increase_request, [row], key=("partner_id", "reference")):
            made = by_id(db, row["id"])
            _note(db, made, "increase.requested", caller, reason, now)
            return made, True
        earlier = db.execute(_BY_REFERENCE, {"partner_id": program.partner_id, "reference": reference}).one()
    found = Increase(*earlier)
    if any(getattr(found, name) != row[name] for name in ("account_id", "amount_minor", "reason")):
        raise OtherContent("The reference named another request before.")
    return found, False


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

    Raises OwnIncrease when the caller asked for it, IncreaseDecided when it was decided otherwise, NotOffered and
    TooMuch when the program does not let it any more, NotFound.
    """
    db.execute(_LOCK, {"id": increase_id})
    found = by_id(db, increase_id)
    if found.author == caller.actor:
        raise OwnIncrease("Another person must decide about this request: you asked for it.")
    decided: State = "approved" if approve else "refused"
    if found.state == decided:
        return found
    if found.state != "pending":
        raise IncreaseDecided(f"The request was {found.state} already.")
    transfer_id = _post(db, program, found, now) if approve else None
    db.execute(
        _DECIDE,
        {
            "of": increase_id,
            "new": decided,
            "entry": transfer_id,
            "by": caller.actor,
            "said": comment,
            "day": programs.business_date(now, program),
            "at": now,
        },
    )
    _note(db, found, f"increase.{decided}", caller, comment, now)
    return by_id(db, increase_id)


def by_id(db: Connection, increase_id: bytes) -> Increase:
    """One request. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": increase_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such request.")
    return Increase(*row)


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
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (increase_request.c.partner_id, partner_id),
        (increase_request.c.member_id, member_id),
        (increase_request.c.state, state),
    ):
        if value is not None:
            conditions.append(column == value)
    if before_seq is not None:
        conditions.append(increase_request.c.seq < before_seq)
    query = _INCREASE.where(*conditions).order_by(increase_request.c.seq.desc()).limit(limit)
    return [Increase(*row) for row in db.execute(query)]


def _post(db: Connection, program: Program, found: Increase, now: datetime) -> bytes:
    owner = {found.account_id: (program.id, found.member_id)}
    holder = accounts.lock_members(db, program.partner_id, owner, now=now)[found.account_id]
    # Under the account's lock: two approvals of one member do not both see the room that is left.
    _require_within(db, program, found.member_id, found.amount_minor, now)
    today = programs.business_date(now, program)
    transfer_id = ledger.post(
        db,
        holder,
        found.amount_minor,
        kind="increase",
        source_id=found.id,
        opens=NewLot(found.amount_minor, programs.expires_on(program, today)),
        business_date=today,
        now=now,
    )
    overdrafts.repay(db, holder, day=today, now=now)
    ledger.finish(db, holder, now=now)
    return transfer_id


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


def _note(db: Connection, found: Increase, action: str, caller: Caller, reason: str | None, now: datetime) -> None:
    audit.record(
        db,
        caller=caller,
        action=action,
        subject=public_id("inc", found.id),
        partner_id=found.partner_id,
        after={"amount_minor": found.amount_minor},
        reason=reason,
        now=now,
    )


_INCREASE: Final = select(
    *(program_table.c.scale if name == "scale" else increase_request.c[name] for name in Increase.__slots__)
).join_from(increase_request, program_table, program_table.c.id == increase_request.c.program_id)
_BY_ID: Final = _INCREASE.where(increase_request.c.id == bindparam("id"))
_BY_REFERENCE: Final = _INCREASE.where(
    increase_request.c.partner_id == bindparam("partner_id"), increase_request.c.reference == bindparam("reference")
)
_LOCK: Final = select(increase_request.c.id).where(increase_request.c.id == bindparam("id")).with_for_update()
_GRANTED: Final = select(func.sum(increase_request.c.amount_minor)).where(
    increase_request.c.account_id == bindparam("account_id"),
    increase_request.c.state == "approved",
    increase_request.c.decided_on.between(bindparam("since"), bindparam("today")),
)
_DECIDE: Final = (
    update(increase_request)
    .where(increase_request.c.id == bindparam("of"))
    .values(
        state=bindparam("new"),
        transfer_id=bindparam("entry"),
        decided_by=bindparam("by"),
        decision_comment=bindparam("said"),
        decided_on=bindparam("day"),
        decided_at=bindparam("at"),
    )
)
