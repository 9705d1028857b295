"""Adjustments: points that a person gives or takes, with a reason, and above a threshold a second person's consent."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted, OtherContent
from chalicelib.partners import programs
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.models import program as program_table
from chalicelib.partners.programs import Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points import accounts, ledger, lots, overdrafts, policy
from chalicelib.points.ledger import NewLot
from chalicelib.points.lots import InsufficientPoints
from chalicelib.points.models import adjustment
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

State: TypeAlias = Literal["pending", "posted", "rejected"]


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """Points to give or, below zero, to take. ``reference`` is unique within the partner.

    What a file says besides: ``effective_date``, from which the expiry of points given is counted (None: the day on
    which they are posted), who asked for it and who agreed. ``agreed``: that counts as the second person's consent.
    ``author`` is the user who asked, where that is known; None: the caller.
    """

    member_id: bytes
    amount_minor: int
    reference: str
    reason_code: str
    comment: str | None = None
    effective_date: date | None = None
    requested_by: str | None = None
    approved_by: str | None = None
    agreed: bool = False
    author: str | None = None
    source: RowSource = field(default=BY_API)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One adjustment. Amounts are minor units at ``scale``; ``transfer_id`` None: not posted, or not yet."""

    seq: int
    id: bytes
    partner_id: bytes
    program_id: bytes
    member_id: bytes
    account_id: bytes
    reference: str
    amount_minor: int
    reason_code: str
    comment: str | None
    effective_date: date | None
    state: State
    transfer_id: bytes | None
    author: str
    decided_by: str | None
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None
    scale: int


class OwnAdjustment(NotPermitted):
    """Who asked for an adjustment does not decide about it."""

    code = "own_adjustment"


class Decided(Conflict):
    """The adjustment was decided otherwise already."""

    code = "adjustment_decided"


def request(
    db: Connection, program: Program, wanted: NewAdjustment, *, caller: Caller, now: datetime
) -> tuple[Adjustment, bool]:
    """Post an adjustment, or keep it for a second person where the program wants one; it, and whether it is new.

    The same reference with the same content returns the first one. Raises OtherContent, InvalidInput for a reason that
    the program does not know, InsufficientPoints when more is to be taken than is available.
    """
    rules = policy.of(program)
    if wanted.reason_code not in rules.reason_codes:
        known = ", ".join(rules.reason_codes)
        raise InvalidInput(f"The program adjusts points for these reasons: {known}.", code="unknown_reason")
    ledger.require_amount(abs(wanted.amount_minor))
    of = account_id(program.id, MEMBER, wanted.member_id)
    above = rules.second_person_above_minor
    row: dict[str, Any] = {
        "id": new_id(),
        "partner_id": program.partner_id,
        "program_id": program.id,
        "member_id": wanted.member_id,
        "account_id": of,
        "reference": wanted.reference,
        "amount_minor": wanted.amount_minor,
        "reason_code": wanted.reason_code,
        "comment": wanted.comment,
        "effective_date": wanted.effective_date,
        "state": "pending",
        "author": wanted.author or caller.actor,
        "requested_by": wanted.requested_by,
        "approved_by": wanted.approved_by,
        "source_file_id": wanted.source.file_id,
        "row_no": wanted.source.row_no,
        "byte_offset": wanted.source.byte_offset,
        "byte_length": wanted.source.byte_length,
        "correlation_id": caller.correlation_id,
        "created_at": now,
    }
    if bulk.insert_new(db, adjustment, [row], key=("partner_id", "reference")):
        return _again(db, row), False
    made = by_id(db, row["id"])
    if above is None or abs(wanted.amount_minor) <= above:
        _post(db, program, made, None, None, now)
    elif wanted.agreed:
        _post(db, program, made, wanted.approved_by, None, now)
    _note(db, made, "adjustment.requested", caller, wanted.comment, now)
    return by_id(db, made.id), True


def decide(
    db: Connection,
    program: Program,
    adjustment_id: bytes,
    *,
    approve: bool,
    comment: str | None,
    caller: Caller,
    now: datetime,
) -> Adjustment:
    """Approve, which posts it, or reject an adjustment that waits; deciding the same again changes nothing.

    Raises OwnAdjustment when the caller asked for it, Decided when it was decided otherwise, InsufficientPoints when
    the points to take have been spent meanwhile, NotFound.
    """
    db.execute(_LOCK, {"id": adjustment_id})
    found = by_id(db, adjustment_id)
    if found.author == caller.actor:
        raise OwnAdjustment("Another person must decide about this adjustment: you asked for it.")
    decided: State = "posted" if approve else "rejected"
    if found.state == decided:
        return found
    if found.state != "pending":
        raise Decided(f"The adjustment was {found.state} already.")
    if approve:
        _post(db, program, found, caller.actor, comment, now)
    else:
        _decided(db, found.id, "rejected", None, caller.actor, comment, now)
    _note(db, found, f"adjustment.{'approved' if approve else 'rejected'}", caller, comment, now)
    return by_id(db, adjustment_id)


def by_id(db: Connection, adjustment_id: bytes) -> Adjustment:
    """One adjustment. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": adjustment_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such adjustment.")
    return Adjustment(*row)


def _post(
    db: Connection, program: Program, found: Adjustment, decider: str | None, comment: str | None, now: datetime
) -> None:
    owner = {found.account_id: (program.id, found.member_id)}
    today = programs.business_date(now, program)
    gained = found.amount_minor > 0
    if gained:
        holder = accounts.lock_members(db, program.partner_id, owner, now=now)[found.account_id]
    else:
        try:
            holder = accounts.lock(db, found.account_id)
        except NotFound:
            raise InsufficientPoints("The member never had any points in this program.") from None
    transfer_id = ledger.post(
        db,
        holder,
        found.amount_minor,
        kind="adjustment",
        source_id=found.id,
        uses=() if gained else lots.take(db, holder, -found.amount_minor, today),
        opens=NewLot(found.amount_minor, programs.expires_on(program, found.effective_date or today))
        if gained
        else None,
        business_date=today,
        now=now,
    )
    overdrafts.repay(db, holder, day=today, now=now)
    ledger.finish(db, holder, now=now)
    _decided(db, found.id, "posted", transfer_id, decider, comment, now)


def _decided(
    db: Connection,
    adjustment_id: bytes,
    state: State,
    transfer_id: bytes | None,
    decider: str | None,
    comment: str | None,
    now: datetime,
) -> None:
    db.execute(
        _DECIDE,
        {"of": adjustment_id, "new": state, "entry": transfer_id, "by": decider, "said": comment, "at": now},
    )


def _again(db: Connection, row: dict[str, Any]) -> Adjustment:
    given = {"partner_id": row["partner_id"], "reference": row["reference"]}
    earlier = Adjustment(*db.execute(_BY_REFERENCE, given).one())
    same = ("account_id", "amount_minor", "reason_code", "comment", "effective_date")
    if any(getattr(earlier, name) != row[name] for name in same):
        raise OtherContent("The reference named another adjustment before.")
    return earlier


def _note(db: Connection, found: Adjustment, action: str, caller: Caller, reason: str | None, now: datetime) -> None:
    audit.record(
        db,
        caller=caller,
        action=action,
        subject=public_id("adj", found.id),
        partner_id=found.partner_id,
        after={"amount_minor": found.amount_minor, "reason_code": found.reason_code},
        reason=reason,
        now=now,
    )


_ADJUSTMENT: Final = select(
    *(program_table.c.scale if name == "scale" else adjustment.c[name] for name in Adjustment.__slots__)
).join_from(adjustment, program_table, program_table.c.id == adjustment.c.program_id)
_BY_ID: Final = _ADJUSTMENT.where(adjustment.c.id == bindparam("id"))
_BY_REFERENCE: Final = _ADJUSTMENT.where(
    adjustment.c.partner_id == bindparam("partner_id"), adjustment.c.reference == bindparam("reference")
)
_LOCK: Final = select(adjustment.c.id).where(adjustment.c.id == bindparam("id")).with_for_update()
_DECIDE: Final = (
    update(adjustment)
    .where(adjustment.c.id == bindparam("of"))
    .values(
        state=bindparam("new"),
        transfer_id=bindparam("entry"),
        decided_by=bindparam("by"),
        decision_comment=bindparam("said"),
        decided_at=bindparam("at"),
    )
)
