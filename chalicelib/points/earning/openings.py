"""Opening balances: points that members had before the hub kept them, brought over once, each as a lot of its own.

They are no earning of the program: what stands against them is a house account of their own, so that the points issued
in a period are those that were issued in it. A balance is known by its account and the old system's reference; the same
content again is a duplicate, other content is refused. Taken back with its file (``points.corrections.annulling``) it
is unknown.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import enrolments
from chalicelib.partners.members.enrolments import Enrolment
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import ACCEPTED, DUPLICATE, RowSource, Told, refused
from chalicelib.points.deciding import concerned, standing
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.deciding.standing import Standing, Wanted
from chalicelib.points.ledger import accounts, transfers
from chalicelib.points.ledger.transfers import AMOUNT_MINOR_MAX, Earning
from chalicelib.points.models.ledger import opening_balance
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

_CHARACTERS_MAX: Final = {"legacy_ref": 100}


class OpeningRow(TypedDict):
    """One balance, typed (layout I4). Dates are in the program's time zone."""

    program_code: str
    employee_id: str
    balance_points: Decimal
    as_of: date
    lot_expiry: date | None
    legacy_ref: str


_Enrolled: TypeAlias = Mapping[bytes, Sequence[Enrolment]]


class _Wanted(NamedTuple):
    """A row whose program and member are known."""

    at: int
    row: OpeningRow
    program: Program
    member_id: bytes
    account_id: bytes
    amount_minor: int

    @property
    def key(self) -> tuple[bytes, str]:
        return self.account_id, self.row["legacy_ref"]

    @property
    def content(self) -> tuple[int, date, date | None]:
        """What two rows of one key must share to be the same."""
        return self.amount_minor, self.row["as_of"], self.row["lot_expiry"]


@dataclass(frozen=True, slots=True)
class _Batch:
    partner: Partner
    sources: Sequence[RowSource]
    caller: Caller
    now: datetime


def record(
    db: Connection,
    partner: Partner,
    rows: Sequence[OpeningRow],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> list[Told]:
    """Post each balance of the partner's own members; one outcome per row, in order.

    A refused row does not touch the others. Raises nothing for bad rows.
    """
    batch = _Batch(partner, sources, caller, now)
    wanted_on = {Wanted(row["program_code"], row["employee_id"], row["as_of"]) for row in rows}
    found = standing.of(db, partner.id, wanted_on)
    told: dict[int, Told] = {}
    wanted: list[_Wanted] = []
    for at, row in enumerate(rows):
        known = _known(at, row, found)
        if isinstance(known, Told):
            told[at] = known
        else:
            wanted.append(known)
    if wanted:
        _record(db, batch, wanted, told)
    return [told[at] for at in range(len(rows))]


def _known(at: int, row: OpeningRow, found: Standing) -> _Wanted | Told:
    """The row with its program and member, or why there are none."""
    unusable = concerned.unusable(row, ("program_code", "employee_id", "legacy_ref"), _CHARACTERS_MAX)
    if unusable is not None:
        return unusable
    wanted = Wanted(row["program_code"], row["employee_id"], row["as_of"])
    known = concerned.of(found, wanted, row["balance_points"], column="balance_points")
    if isinstance(known, Told):
        return known
    program, member, amount = known
    if not 0 < amount <= AMOUNT_MINOR_MAX:
        message = "An opening balance is above zero: a member without points needs none."
        return refused("amount_out_of_range", "balance_points", message)
    return _Wanted(at, row, program, member.id, account_id(program.id, MEMBER, member.id), amount)


def _record(db: Connection, batch: _Batch, wanted: Sequence[_Wanted], told: dict[int, Told]) -> None:
    owners = {each.account_id: (each.program.id, each.member_id) for each in wanted}
    locked = accounts.lock_members(db, batch.partner.id, owners, now=batch.now)
    # Read under the locks: nobody else brings over a balance of these accounts meanwhile.
    stored = _stored(db, sorted(owners))
    enrolled = _enrolled(db, sorted({each.member_id for each in wanted}))
    fresh: list[_Wanted] = []
    for each in wanted:
        earlier = stored.get(each.key)
        if earlier is not None:
            told[each.at] = DUPLICATE if earlier == each.content else _OTHER_CONTENT
            continue
        refusal = _undue(each, enrolled, programs.business_date(batch.now, each.program))
        if refusal is None:
            stored[each.key] = each.content
            fresh.append(each)
        told[each.at] = ACCEPTED if refusal is None else refusal
    ids = new_ids(len(fresh))
    bulk.insert(db, opening_balance, [_row(batch, each, own) for each, own in zip(fresh, ids, strict=True)])
    earnings = [_earning(batch, each, own) for each, own in zip(fresh, ids, strict=True)]
    transfers.earn(db, locked, earnings, kind="opening", now=batch.now)


def _undue(each: _Wanted, enrolled: _Enrolled, today: date) -> Told | None:
    """Why a balance that is not known yet may not be brought over."""
    row, program = each.row, each.program
    if row["as_of"] > today:
        return refused("date_in_future", "as_of", "The balance is of a day that is still to come.")
    if row["lot_expiry"] is not None and row["lot_expiry"] < row["as_of"]:
        return refused("expires_before_as_of", "lot_expiry", "The points had expired on the day of the balance.")
    # A program may begin on the day after the old system's last one.
    day = max(row["as_of"], program.effective_from)
    periods = enrolled.get(each.member_id, ())
    if not any(
        period.program_id == program.id
        and period.valid_from <= day
        and (period.valid_to is None or day <= period.valid_to)
        for period in periods
    ):
        message = f"The employee is not enrolled in {program.code} on {day}."
        return refused("not_enrolled", "employee_id", message)
    return None


def _enrolled(db: Connection, member_ids: Sequence[bytes]) -> _Enrolled:
    """Every period of the members: the day that counts is not always the day of the row."""
    found: dict[bytes, list[Enrolment]] = {}
    for chunk in bulk.in_chunks(member_ids):
        found |= enrolments.of_members(db, chunk)
    return found


def _row(batch: _Batch, each: _Wanted, own: bytes) -> dict[str, Any]:
    file_id, row_no, byte_offset, byte_length = batch.sources[each.at]
    return {
        "id": own,
        "partner_id": batch.partner.id,
        "program_id": each.program.id,
        "member_id": each.member_id,
        "account_id": each.account_id,
        "legacy_ref": each.row["legacy_ref"],
        "amount_minor": each.amount_minor,
        "as_of": each.row["as_of"],
        "lot_expiry": each.row["lot_expiry"],
        "generation": CURRENT,
        "source_file_id": file_id,
        "row_no": row_no,
        "byte_offset": byte_offset,
        "byte_length": byte_length,
        "actor": batch.caller.actor,
        "correlation_id": batch.caller.correlation_id,
        "recorded_at": batch.now,
    }


def _earning(batch: _Batch, each: _Wanted, own: bytes) -> Earning:
    return Earning(
        account_id=each.account_id,
        amount_minor=each.amount_minor,
        source_id=own,
        business_date=programs.business_date(batch.now, each.program),
        expires_on=each.row["lot_expiry"] or programs.expires_on(each.program, each.row["as_of"]),
    )


def _stored(db: Connection, account_ids: Sequence[bytes]) -> dict[tuple[bytes, str], tuple[int, date, date | None]]:
    """What was brought over to these accounts already, by account and reference."""
    return {
        (row.account_id, row.legacy_ref): (row.amount_minor, row.as_of, row.lot_expiry)
        for chunk in bulk.in_chunks(account_ids)
        for row in db.execute(_STORED, {"account_ids": chunk})
    }


_OTHER_CONTENT: Final = refused(
    "other_content", "legacy_ref", "This balance was brought over before with another content: it is never changed."
)
_STORED: Final = select(
    opening_balance.c.account_id,
    opening_balance.c.legacy_ref,
    opening_balance.c.amount_minor,
    opening_balance.c.as_of,
    opening_balance.c.lot_expiry,
).where(
    opening_balance.c.account_id.in_(bindparam("account_ids", expanding=True)),
    # What was taken back with its file may be brought over anew.
    opening_balance.c.generation == CURRENT,
)
