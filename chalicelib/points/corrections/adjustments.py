"""Adjustments: points that a person gives or takes, with a reason, and above a threshold a second person's consent."""

from dataclasses import field, fields
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points.corrections import asking
from chalicelib.points.corrections.asking import Asked, Form
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import accounts, lots, policy
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.models.ledger import adjustment
from chalicelib.records import dataclass

#: ``withdrawn``: it waited for a second person when the file that asked for it was taken back.
State: TypeAlias = Literal["pending", "posted", "rejected", "withdrawn"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment(Asked):
    """One adjustment; below zero points are taken."""

    state: State
    reason_code: str
    comment: str | None
    effective_date: date | None


class OwnAdjustment(NotPermitted):
    """Who asked for an adjustment does not decide about it."""

    code = "own_adjustment"


class Decided(Conflict):
    """The adjustment was decided otherwise already."""

    code = "adjustment_decided"


ADJUSTMENTS: Final = Form(
    table=adjustment,
    shown=Adjustment,
    columns=tuple(each.name for each in fields(Adjustment)),
    posted_as="adjustment",
    prefix="adj",
    called="adjustment",
    agreed="posted",
    refused="rejected",
    named_by=("partner_id", "reference", "generation"),
    told=("reason_code", "comment", "effective_date"),
    noted=("amount_minor", "reason_code"),
    own=OwnAdjustment,
    decided=Decided,
)


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
    author = wanted.author or caller.actor
    row = asking.row(
        program,
        wanted.member_id,
        wanted.amount_minor,
        reference=wanted.reference,
        author=author,
        caller=caller,
        now=now,
    )
    row |= {name: getattr(wanted, name) for name in ("reason_code", "comment", "effective_date")}
    row |= {"generation": CURRENT, "requested_by": wanted.requested_by, "approved_by": wanted.approved_by}
    row |= {"source_file_id": wanted.source.file_id, "row_no": wanted.source.row_no}
    row |= {"byte_offset": wanted.source.byte_offset, "byte_length": wanted.source.byte_length}
    made, new = asking.keep(db, ADJUSTMENTS, row)
    if not new:
        return made, False
    above = rules.second_person_above_minor
    at_once = above is None or abs(wanted.amount_minor) <= above
    if at_once or wanted.agreed:
        entry = _post(db, program, made, now)
        by = None if at_once else wanted.approved_by
        asking.settle(db, ADJUSTMENTS, made.id, "posted", entry=entry, by=by, comment=None, now=now)
    asking.note(db, ADJUSTMENTS, made, "requested", caller=caller, reason=wanted.comment, now=now)
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
    return asking.decide(
        db,
        ADJUSTMENTS,
        adjustment_id,
        lambda found: _post(db, program, found, now),
        agree=approve,
        comment=comment,
        caller=caller,
        now=now,
    )


def by_id(db: Connection, adjustment_id: bytes) -> Adjustment:
    """One adjustment. Raises NotFound."""
    return asking.by_id(db, ADJUSTMENTS, adjustment_id)


def newest_first(
    db: Connection,
    *,
    partner_id: bytes | None,
    member_id: bytes | None = None,
    program_id: bytes | None = None,
    state: State | None = None,
    before_seq: int | None,
    limit: int,
) -> list[Adjustment]:
    """Up to ``limit`` adjustments, newest first, older than ``before_seq``."""
    return asking.newest_first(
        db,
        ADJUSTMENTS,
        partner_id=partner_id,
        member_id=member_id,
        program_id=program_id,
        state=state,
        before_seq=before_seq,
        limit=limit,
    )


def _post(db: Connection, program: Program, found: Adjustment, now: datetime) -> bytes:
    if found.amount_minor > 0:
        holder = asking.given_to(db, program, found, now)
        return asking.post(db, ADJUSTMENTS, program, holder, found, counted_from=found.effective_date, now=now)
    try:
        holder = accounts.lock(db, found.account_id)
    except NotFound:
        raise InsufficientPoints("The member never had any points in this program.") from None
    uses = lots.take(db, holder, -found.amount_minor, programs.business_date(now, program))
    return asking.post(db, ADJUSTMENTS, program, holder, found, uses=uses, now=now)
