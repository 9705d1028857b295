"""Redemptions: points spent, at once or by capturing a hold, with the lines that they bought."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, InvalidInput, NotFound, OtherContent, Unprocessable
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.models.partners import program as program_table
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, lots, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import InsufficientPoints, Taken
from chalicelib.points.models.ledger import account, redemption, redemption_line
from chalicelib.points.models.terms import tender
from chalicelib.points.spending import holds, leaving, refusals
from chalicelib.points.spending.holds import Covered, Hold, HoldEnded
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

#: The name of the only line where none are given.
WHOLE: Final = "all"


class Line(NamedTuple):
    """One line of what was bought, by the shop's own name of it."""

    line: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points spent. Amounts are minor units at ``scale``; ``hold_id`` None: at once, without a hold.

    ``seq`` is its place among all redemptions, None when it has only just been made.
    """

    seq: int | None = field(compare=False)
    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    member_id: bytes
    reference: str
    hold_id: bytes | None
    order_no: str | None
    transfer_id: bytes
    amount_minor: int
    business_date: date
    redeemed_at: datetime
    scale: int


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line as it is now; ``line_no`` is its place among the redemption's lines."""

    line_no: int
    line: str
    amount_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionFilter:
    """Which redemptions a list shows; None filters nothing. The days are business days, both inclusive."""

    partner_id: bytes | None = None
    member_id: bytes | None = None
    program_id: bytes | None = None
    order_no: str | None = None
    since: date | None = None
    until: date | None = None


class HoldExceeded(Unprocessable):
    """More is to be captured than the hold still covers."""

    code = "hold_exceeded"


class _Repeated(Broken):
    """The reference was redeemed before; not a fault unless that redemption cannot be found."""


def redeem(
    db: Connection,
    program: Program,
    member_id: bytes,
    lines: Sequence[Line],
    *,
    reference: str,
    order_no: str | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[Redemption, bool]:
    """Spend points at once, from the lots that expire first; the redemption, and whether it is new.

    ``reference`` is the shop's own: the same one with the same content is spent once in a program. Raises OtherContent,
    InsufficientPoints, EmploymentEnded, Unprocessable.
    """
    amount_minor = _total(lines)
    of = account_id(program.id, MEMBER, member_id)
    try:
        holder = accounts.lock(db, of)
    except NotFound:
        raise InsufficientPoints("The member never had any points in this program.") from None
    today = programs.business_date(now, program)
    new = {"within_id": program.id, "reference": reference, "hold_id": None, "order_no": order_no}
    # The reference is most likely new, and its unique key says so: only when it is not, or when the redemption cannot
    # be made, is the first one looked for. The same in ``capture``.
    try:
        leaving.require_spendable(db, program, member_id, today)
        row = _write(db, holder, new, lines, lots.take(db, holder, amount_minor, today), today, caller, now)
    except (InsufficientPoints, EmploymentEnded, _Repeated) as refusal:
        earlier = _earlier(db, program.id, reference, refusal)
        first = (earlier.account_id, earlier.order_no, lines_as_sold(db, earlier.id))
        if first != (of, order_no, list(lines)):
            raise OtherContent(
                "The reference was redeemed before by another member, order or for other lines."
            ) from None
        return earlier, False
    transfers.finish(db, holder, now=now)
    return _made(row, member_id, program), True


def capture(
    db: Connection,
    program: Program,
    hold_id: bytes,
    *,
    reference: str,
    amount_minor: int | None = None,
    lines: Sequence[Line] = (),
    of_tender: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[Redemption, bool]:
    """Spend what a hold covers, or so much of it, or what ``lines`` add up to; the redemption, and whether it is new.

    ``reference`` is the capture's key: the same one with the same content is captured once of a hold. ``of_tender``
    names the tender that asks. Raises OtherContent, holds.HoldEnded, refusals.BelongsToTender, HoldExceeded,
    InsufficientPoints when lots that the hold covered have expired and the program lets them, EmploymentEnded where
    the program takes what a leaver holds, NotFound.
    """
    found, holder, covers = holds.locked(db, hold_id)
    refusals.require_own(found.tender_id, of_tender)
    asked = _total(lines) if lines else amount_minor
    today = programs.business_date(now, program)
    new = {"within_id": hold_id, "reference": reference, "hold_id": hold_id, "order_no": found.order_no}
    try:
        holds.require_open(found, now)
        leaving.require_spendable(db, program, found.member_id, today, held_already=True)
        taken = _of_hold(found, covers, asked, None if policy.of(program).keeps_held else today)
        amount_minor = sum(each.amount_minor for each in taken)
        row = _write(db, holder, new, lines or [Line(WHOLE, amount_minor)], taken, today, caller, now)
    except (Unprocessable, HoldEnded, _Repeated) as refusal:
        earlier = _earlier(db, hold_id, reference, refusal)
        if asked not in {None, earlier.amount_minor} or (lines and lines_as_sold(db, earlier.id) != list(lines)):
            raise OtherContent("The key captured another amount of this hold before.") from None
        return earlier, False
    holds.spent(db, holder, found, taken, now=now)
    transfers.finish(db, holder, now=now)
    return _made(row, found.member_id, program), True


def by_id(db: Connection, redemption_id: bytes) -> Redemption:
    """One redemption. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": redemption_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such redemption.")
    return Redemption(*row)


def of_hold(db: Connection, hold_id: bytes) -> list[Redemption]:
    """The captures of a hold, in their order."""
    return [Redemption(*row) for row in db.execute(_OF_HOLD, {"hold_id": hold_id})]


def lines_of(db: Connection, redemption_id: bytes) -> list[SoldLine]:
    """The lines of a redemption, in their order."""
    return [SoldLine(*row) for row in db.execute(_LINES, {"redemption_id": redemption_id})]


def lines_and_tender(db: Connection, redemption_id: bytes) -> tuple[list[SoldLine], bytes | None]:
    """The same, and the tender whose cart the points paid, None where they paid none."""
    rows = db.execute(_LINES_AND_TENDER, {"redemption_id": redemption_id}).all()
    return [SoldLine(*row[:-1]) for row in rows], rows[0][-1] if rows else None


def lines_as_sold(db: Connection, redemption_id: bytes) -> list[Line]:
    """The lines of a redemption as they were given."""
    return [Line(each.line, each.amount_minor) for each in lines_of(db, redemption_id)]


def newest_first(db: Connection, wanted: RedemptionFilter, *, before_seq: int | None, limit: int) -> list[Redemption]:
    """Up to ``limit`` redemptions, newest first, older than ``before_seq``."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (redemption.c.partner_id, wanted.partner_id),
        (redemption.c.program_id, wanted.program_id),
        (redemption.c.order_no, wanted.order_no),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.member_id is not None:
        owned = select(account.c.id).where(account.c.owner_id == wanted.member_id, account.c.kind == MEMBER)
        conditions.append(redemption.c.account_id.in_(owned))
    if wanted.since is not None:
        conditions.append(redemption.c.business_date >= wanted.since)
    if wanted.until is not None:
        conditions.append(redemption.c.business_date <= wanted.until)
    if before_seq is not None:
        conditions.append(redemption.c.seq < before_seq)
    query = _REDEMPTIONS.where(*conditions).order_by(redemption.c.seq.desc()).limit(limit)
    return [Redemption(*row) for row in db.execute(query)]


def _total(lines: Sequence[Line]) -> int:
    if not lines or len({line.line for line in lines}) != len(lines) or any(line.amount_minor <= 0 for line in lines):
        raise InvalidInput("Every line has a name of its own and points above zero.", code="lines_unusable")
    total = sum(line.amount_minor for line in lines)
    transfers.require_amount(total)
    return total


def _of_hold(found: Hold, covers: Sequence[Covered], asked: int | None, last_day: date | None) -> list[Taken]:
    """What to take of a hold's lots, None for all; ``last_day`` leaves out those that expired before it."""
    left = found.open_minor if asked is None else asked
    transfers.require_amount(left)
    if left > found.open_minor:
        raise HoldExceeded("The hold covers less than is to be captured.")
    taken: list[Taken] = []
    for each in covers:
        part = min(left, each.open_minor)
        if part and (last_day is None or each.expires_on >= last_day):
            taken.append(Taken(each.lot_id, part))
            left -= part
    if not left:
        return taken
    if last_day is None:
        raise Broken("The lots of a hold do not add up to what it covers.")
    raise InsufficientPoints("Points that the hold covered have expired, and the program does not keep them.")


def _write(
    db: Connection,
    holder: Locked,
    new: Mapping[str, Any],
    lines: Sequence[Line],
    taken: Sequence[Taken],
    today: date,
    caller: Caller,
    now: datetime,
) -> dict[str, Any]:
    """Keep why and post the spend; the redemption's row. Raises _Repeated before anything is written."""
    redemption_id, transfer_id = new_ids(2)
    amount_minor = sum(each.amount_minor for each in taken)
    row = {
        **new,
        "id": redemption_id,
        "partner_id": holder.partner_id,
        "program_id": holder.program_id,
        "account_id": holder.id,
        "transfer_id": transfer_id,
        "amount_minor": amount_minor,
        "business_date": today,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "redeemed_at": now,
    }
    if bulk.insert_new(db, redemption, [row], key=("within_id", "reference")):
        raise _Repeated("A reference was taken when it was written and free when it was read.")
    bulk.insert(
        db,
        redemption_line,
        [
            {"redemption_id": redemption_id, "line_no": number, "partner_id": holder.partner_id, "line": line,
             "amount_minor": amount, "refunded_minor": 0}
            for number, (line, amount) in enumerate(lines, start=1)
        ],
    )  # fmt: skip
    transfers.post(
        db,
        holder,
        -amount_minor,
        kind="redemption",
        source_id=redemption_id,
        uses=taken,
        held=new["hold_id"] is not None,
        business_date=today,
        now=now,
        transfer_id=transfer_id,
    )
    return row


def _made(row: Mapping[str, Any], member_id: bytes, program: Program) -> Redemption:
    given = {**row, "seq": None, "member_id": member_id, "scale": program.scale}
    return Redemption(**{name: given[name] for name in Redemption.__slots__})


_REDEMPTIONS: Final = select(
    *(
        {"member_id": account.c.owner_id, "scale": program_table.c.scale}[name]
        if name in {"member_id", "scale"}
        else redemption.c[name]
        for name in Redemption.__slots__
    )
).select_from(
    redemption.join(account, account.c.id == redemption.c.account_id).join(
        program_table, program_table.c.id == redemption.c.program_id
    )
)
_BY_ID: Final = _REDEMPTIONS.where(redemption.c.id == bindparam("id"))
_OF_HOLD: Final = _REDEMPTIONS.where(redemption.c.within_id == bindparam("hold_id")).order_by(redemption.c.seq)
_EARLIER: Final = _REDEMPTIONS.where(
    redemption.c.within_id == bindparam("within_id"), redemption.c.reference == bindparam("reference")
)
_LINES: Final = (
    select(*(redemption_line.c[name] for name in SoldLine.__slots__))
    .where(redemption_line.c.redemption_id == bindparam("redemption_id"))
    .order_by(redemption_line.c.line_no)
)
_LINES_AND_TENDER: Final = (
    _LINES.add_columns(tender.c.id)
    .join(redemption, redemption.c.id == redemption_line.c.redemption_id)
    .outerjoin(tender, tender.c.hold_id == redemption.c.hold_id)
)


def _earlier(db: Connection, within_id: bytes, reference: str, refusal: Exception) -> Redemption:
    """The first redemption of a reference. Raises ``refusal`` when there is none."""
    row = db.execute(_EARLIER, {"within_id": within_id, "reference": reference}).one_or_none()
    if row is None:
        raise refusal
    return Redemption(*row)
