"""Points that one person asks for and another decides about: adjustments, and requests for more.

Who asks names a reference: the same one asks once. What was asked is ``pending`` until somebody else agrees, which
posts it, or refuses it, or until it is withdrawn; decided, it stays so, and to decide the same again changes nothing.
Both are in the audit trail.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Table, bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound, NotPermitted, OtherContent
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.models.partners import program as program_table
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, overdrafts, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.ledger.transfers import Kind, NewLot
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

PENDING: Final = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked. Amounts are minor units at ``scale``; ``transfer_id`` None: not posted, or not yet."""

    seq: int
    id: bytes
    partner_id: bytes
    program_id: bytes
    member_id: bytes
    account_id: bytes
    reference: str
    amount_minor: int
    state: str
    transfer_id: bytes | None
    author: str
    decided_by: str | None
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None
    scale: int


AskedT = TypeVar("AskedT", bound=Asked)


@dataclass(frozen=True, slots=True, eq=False)
class Form(Generic[AskedT]):
    """One kind of asking: where it is kept, what its states and its refusals are called.

    ``named_by`` is the unique key of a reference, ``told`` what else of the row has to be the same when it is asked
    again, and ``noted`` what the audit trail tells of it.
    """

    table: Table
    shown: Callable[..., AskedT]
    columns: tuple[str, ...]
    posted_as: Kind
    prefix: str
    called: str
    agreed: str
    refused: str
    named_by: tuple[str, ...]
    told: tuple[str, ...]
    noted: tuple[str, ...]
    own: type[NotPermitted]
    decided: type[Conflict]


def row(
    program: Program, member_id: bytes, amount_minor: int, *, reference: str, author: str, caller: Caller, now: datetime
) -> dict[str, Any]:
    """The columns that all have, of something that is asked now. Raises Unprocessable for an unusable amount."""
    transfers.require_amount(abs(amount_minor))
    return {
        "id": new_id(),
        "partner_id": program.partner_id,
        "program_id": program.id,
        "member_id": member_id,
        "account_id": account_id(program.id, MEMBER, member_id),
        "reference": reference,
        "amount_minor": amount_minor,
        "state": PENDING,
        "author": author,
        "correlation_id": caller.correlation_id,
        "created_at": now,
    }


def earlier(db: Connection, form: Form[AskedT], wanted: dict[str, Any]) -> AskedT | None:
    """What was asked under this reference before, if anything was. Raises OtherContent when it was something else."""
    found = db.execute(_named(form), {name: wanted[name] for name in form.named_by}).mappings().one_or_none()
    if found is None:
        return None
    if any(found[name] != wanted[name] for name in ("account_id", "amount_minor", *form.told)):
        raise OtherContent(f"The reference named another {form.called} before.")
    return form.shown(**found)


def keep(db: Connection, form: Form[AskedT], wanted: dict[str, Any]) -> tuple[AskedT, bool]:
    """Keep what is asked; it, or what was asked under its reference before, and whether it is new.

    Raises OtherContent.
    """
    if bulk.insert_new(db, form.table, [wanted], key=form.named_by):
        found = earlier(db, form, wanted)
        if found is None:
            raise OtherContent(f"The reference named another {form.called} before.")
        return found, False
    return by_id(db, form, wanted["id"]), True


def decide(
    db: Connection,
    form: Form[AskedT],
    asked_id: bytes,
    post: Callable[[AskedT], bytes],
    *,
    agree: bool,
    comment: str | None,
    caller: Caller,
    on: date | None = None,
    now: datetime,
) -> AskedT:
    """Agree, which posts it, or refuse what waits; deciding the same again changes nothing.

    ``post`` posts it and returns the entry's id; ``on`` is the date of the decision where the form keeps it. Raises the
    form's ``own`` when the caller asked for it and ``decided`` when it was decided otherwise, what ``post`` raises, and
    NotFound.
    """
    db.execute(_lock(form), {"id": asked_id})
    found = by_id(db, form, asked_id)
    if found.author == caller.actor:
        raise form.own(f"Another person must decide about this {form.called}: you asked for it.")
    state = form.agreed if agree else form.refused
    if found.state == state:
        return found
    if found.state != PENDING:
        raise form.decided(f"The {form.called} was {found.state} already.")
    entry = post(found) if agree else None
    settle(db, form, found.id, state, entry=entry, by=caller.actor, comment=comment, on=on, now=now)
    note(db, form, found, "approved" if agree else form.refused, caller=caller, reason=comment, now=now)
    return by_id(db, form, asked_id)


def settle(
    db: Connection,
    form: Form[AskedT],
    asked_id: bytes,
    state: str,
    *,
    entry: bytes | None,
    by: str | None,
    comment: str | None,
    on: date | None = None,
    now: datetime,
) -> None:
    """Write what was decided."""
    dated = {} if on is None else {"decided_on": on}
    db.execute(
        update(form.table)
        .where(form.table.c.id == asked_id)
        .values(state=state, transfer_id=entry, decided_by=by, decision_comment=comment, decided_at=now, **dated)
    )


def withdraw(db: Connection, form: Form[AskedT], ids: Sequence[bytes], *, now: datetime) -> None:
    """Have these, which wait and are locked, wait no more: nobody can decide about them."""
    for chunk in bulk.in_chunks(sorted(ids)):
        withdrawn = update(form.table).where(form.table.c.id.in_(list(chunk)))
        db.execute(withdrawn.values(state="withdrawn", decided_at=now))


def given_to(db: Connection, program: Program, found: Asked, now: datetime) -> Locked:
    """The locked account of who gets the points; opened where there is none yet."""
    owner = {found.account_id: (program.id, found.member_id)}
    return accounts.lock_members(db, program.partner_id, owner, now=now)[found.account_id]


def post(
    db: Connection,
    form: Form[AskedT],
    program: Program,
    holder: Locked,
    found: AskedT,
    *,
    uses: Sequence[Taken] = (),
    counted_from: date | None = None,
    now: datetime,
) -> bytes:
    """Post what was asked to the locked account; the entry's id.

    Points that are given are a lot of their own, whose last day is counted from a day (None: today); those that are
    taken come from ``uses``.
    """
    today = programs.business_date(now, program)
    gained = found.amount_minor > 0
    transfer_id = transfers.post(
        db,
        holder,
        found.amount_minor,
        kind=form.posted_as,
        source_id=found.id,
        uses=uses,
        opens=NewLot(found.amount_minor, programs.expires_on(program, counted_from or today)) if gained else None,
        business_date=today,
        now=now,
    )
    overdrafts.repay(db, holder, day=today, now=now)
    transfers.finish(db, holder, now=now)
    return transfer_id


def by_id(db: Connection, form: Form[AskedT], asked_id: bytes) -> AskedT:
    """One of them. Raises NotFound."""
    found = db.execute(_by_id(form), {"id": asked_id}).mappings().one_or_none()
    if found is None:
        raise NotFound(f"There is no such {form.called}.")
    return form.shown(**found)


def newest_first(
    db: Connection,
    form: Form[AskedT],
    *,
    partner_id: bytes | None,
    member_id: bytes | None = None,
    program_id: bytes | None = None,
    state: str | None = None,
    before_seq: int | None,
    limit: int,
) -> list[AskedT]:
    """Up to ``limit`` of a form, newest first, older than ``before_seq``; None filters nothing."""
    conditions: list[ColumnElement[bool]] = []
    wanted = {"partner_id": partner_id, "member_id": member_id, "program_id": program_id, "state": state}
    for name, value in wanted.items():
        if value is not None:
            conditions.append(form.table.c[name] == value)
    if before_seq is not None:
        conditions.append(form.table.c.seq < before_seq)
    query = all_of(form).where(*conditions).order_by(form.table.c.seq.desc()).limit(limit)
    return [form.shown(**found) for found in db.execute(query).mappings()]


def note(
    db: Connection,
    form: Form[AskedT],
    found: AskedT,
    action: str,
    *,
    caller: Caller,
    reason: str | None,
    now: datetime,
) -> None:
    """Leave in the audit trail what was done about one of them."""
    audit.record(
        db,
        caller=caller,
        action=f"{form.posted_as}.{action}",
        subject=public_id(form.prefix, found.id),
        partner_id=found.partner_id,
        after={name: getattr(found, name) for name in form.noted},
        reason=reason,
        now=now,
    )


@cache
def all_of(form: Form[AskedT]) -> Select[Any]:
    """Every one of a form, with the scale of its amounts."""
    columns = (program_table.c.scale if name == "scale" else form.table.c[name] for name in form.columns)
    return select(*columns).join_from(form.table, program_table, program_table.c.id == form.table.c.program_id)


@cache
def _by_id(form: Form[AskedT]) -> Select[Any]:
    return all_of(form).where(form.table.c.id == bindparam("id"))


@cache
def _named(form: Form[AskedT]) -> Select[Any]:
    return all_of(form).where(*(form.table.c[name] == bindparam(name) for name in form.named_by))


@cache
def _lock(form: Form[AskedT]) -> Select[Any]:
    return select(form.table.c.id).where(form.table.c.id == bindparam("id")).with_for_update()
