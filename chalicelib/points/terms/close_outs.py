"""Close-outs: what becomes of a member's points after the last day of employment, as the program's terms say.

Points are forfeited (breakage), at once or after days of grace, or paid out; before that, a grant in advance may be
clawed back for the days after the last one. Whatever comes to the account later, by a released hold or a refund, is
treated the same by the next run. Who is hired again in time keeps everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Integer, bindparam, insert, or_, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.models.partners import member
from chalicelib.partners.programs import plan_periods, programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.programs.terms import Terms
from chalicelib.points.corrections import own_lots
from chalicelib.points.deciding.events import HUBS_OWN
from chalicelib.points.ledger import accounts, lots, overdrafts, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import OpenLot
from chalicelib.points.models.ledger import account, accrual_event, hold, transfer
from chalicelib.points.models.terms import close_out
from chalicelib.points.spending import holds
from chalicelib.points.terms import grants
from chalicelib.records import dataclass
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id

Kind: TypeAlias = Literal["forfeiture", "pay_out", "claw_back"]

#: More than any account has.
_ALL: Final = 2**62
_ACCOUNTS_READ: Final = 200
_PROGRAMS_READ: Final = 100


@dataclass(frozen=True, slots=True)
class CloseOut:
    """One taking. Of ``due_minor`` so much was there: ``amount_minor``, in minor units of the program."""

    id: bytes
    program_id: bytes
    kind: Kind
    last_day: date
    due_minor: int
    amount_minor: int
    transfer_id: bytes
    business_date: date
    closed_at: datetime


class Page(NamedTuple):
    """How many takings there were; ``last`` continues behind these accounts, None when they were the last."""

    taken: int
    last: bytes | None


def close(
    db: Connection, program: Program, member_ref: MemberRef, account_id: bytes, *, caller: Caller, now: datetime
) -> list[CloseOut]:
    """Do what is due to the points of a member who has left, on the program's date of ``now``; what was taken.

    Nothing for who is employed, where nothing is due yet, or where the program has no such terms. Doing it again takes
    only what has come since. Raises NotFound when there is no such account.
    """
    own = terms.of(program.terms)
    today = programs.business_date(now, program)
    last_day = member_ref.term_date
    if own.termination is None or member_ref.status != "terminated" or last_day is None or today <= last_day:
        return []
    holder = accounts.lock(db, account_id)
    desk = _Desk(db, program, own, member_ref, holder, last_day, today, caller, now)
    overdrafts.repay(db, holder, day=today, now=now)
    if own.termination.claw_back:
        desk.claw_back()
    if today >= own.termination.due_on(last_day):
        if own.termination.held == "release":
            desk.release()
            # What holds had repays a debt like any points that come: else it would be forfeited, and owed besides.
            overdrafts.repay(db, holder, day=today, now=now)
        desk.take_rest("pay_out" if own.termination.policy == "pay_out" else "forfeiture")
    if desk.changed:
        transfers.finish(db, holder, now=now)
    return desk.done


def close_some(db: Connection, program: Program, *, after: bytes = b"", caller: Caller, now: datetime) -> Page:
    """Close the accounts of leavers that follow the member ``after``, up to a bound."""
    today = programs.business_date(now, program)
    given = {"program_id": program.id, "after": after, "today": today, "accounts": _ACCOUNTS_READ}
    rows = db.execute(_LEAVERS, given).all()
    known = members.by_ids(db, [row.owner_id for row in rows])
    refs = {ref.id: ref for ref in members.as_of(db, list(known.values()), today)}
    # In the order of their ids, as everybody locks them.
    taken = 0
    for row in sorted(rows, key=lambda each: bytes(each.id)):
        taken += len(close(db, program, refs[row.owner_id], row.id, caller=caller, now=now))
    return Page(taken, rows[-1].owner_id if len(rows) == _ACCOUNTS_READ else None)


def run(database: Database, *, caller: Caller, clock: Callable[[], datetime]) -> int:
    """Close what is due in every program, each slice in a transaction of its own; how many takings there were.

    Raises SomeFailed once all other programs were closed.
    """
    taken, before = 0, None
    with Round("close_outs") as each:
        while True:
            with database.read() as db:
                some = programs.search(db, after=before, limit=_PROGRAMS_READ)
            for program in some:
                with each.turn(public_id("prg", program.id)):
                    if terms.of(program.terms).termination is not None:
                        taken += _run_one(database, program, caller, clock)
            if len(some) < _PROGRAMS_READ:
                return taken
            before = some[-1].id


def of_member(db: Connection, member_id: bytes) -> list[CloseOut]:
    """Everything that was taken from a member who had left, oldest first."""
    return [CloseOut(*row) for row in db.execute(_OF_MEMBER, {"member_id": member_id})]


def accounts_of(db: Connection, member_id: bytes) -> dict[bytes, bytes]:
    """The member's accounts by program id."""
    rows = db.execute(
        select(account.c.program_id, account.c.id).where(account.c.owner_id == member_id, account.c.kind == MEMBER)
    )
    return {row.program_id: row.id for row in rows}


def _run_one(database: Database, program: Program, caller: Caller, clock: Callable[[], datetime]) -> int:
    taken, after = 0, b""
    while True:
        page = database.run(
            lambda db, after=after: close_some(db, program, after=after, caller=caller, now=clock())  # type: ignore[misc]
        )
        taken += page.taken
        if page.last is None:
            return taken
        after = page.last


@dataclass(slots=True)
class _Desk:
    """One account on its way to being closed; its row is locked."""

    db: Connection
    program: Program
    own: Terms
    member: MemberRef
    holder: Locked
    last_day: date
    today: date
    caller: Caller
    now: datetime
    changed: bool = False
    done: list[CloseOut] = field(default_factory=list)

    def claw_back(self) -> None:
        """Take from each grant in advance the share of the days after the last one, as far as there are points."""
        known = {grant.code: grant for grant in self.own.grants}
        done = set(self.db.execute(_CLAWED, {"account_id": self.holder.id}).scalars())
        for row in self.db.execute(_GRANTED, {"account_id": self.holder.id, "ids": f"{HUBS_OWN}%"}).all():
            named = grants.occasion_of(row.event_id)
            grant = None if named is None else known.get(named[1])
            if row.id in done or named is None or grant is None or grant.on != "period" or grant.paid != "advance":
                continue
            period = plan_periods.around(grant.anchor, grant.months, named[0])
            if not row.event_date <= self.last_day < period.last:
                continue
            days = (period.last - row.event_date).days + 1
            # Rounded down: a fraction stays the member's.
            due = row.points_minor * (period.last - self.last_day).days // days
            own = own_lots.of_event(self.db, row.id)
            # What lapsed of the grant the member never had.
            due -= own.expired_of(row.points_minor + own.reversed_minor, due)
            found = lots.free(self.db, self.holder.id, self.today, needed_minor=_ALL)
            # Its own lot first: what is left of the grant itself.
            self._take("claw_back", due, sorted(found, key=lambda each: each.id != row.lot_id), event_id=row.id)

    def release(self) -> None:
        """Take everything out of the member's holds."""
        for hold_id in self.db.execute(_OPEN_HOLDS, {"account_id": self.holder.id}).scalars().all():
            found = holds.by_id(self.db, hold_id)
            covered = holds.covered(self.db, hold_id)
            holds.uncover(self.db, self.holder, found, covered, found.open_minor, ended="released", now=self.now)
            self.changed = True

    def take_rest(self, kind: Kind) -> None:
        """Take all that is free and has not expired."""
        found = lots.free(self.db, self.holder.id, self.today, needed_minor=_ALL)
        self._take(kind, sum(each.free_minor for each in found), found)

    def _take(self, kind: Kind, due_minor: int, found: Sequence[OpenLot], *, event_id: bytes | None = None) -> None:
        taken = lots.first(found, due_minor)
        amount = sum(each.amount_minor for each in taken)
        if not amount:
            return
        close_id = new_id()
        transfer_id = transfers.post(
            self.db,
            self.holder,
            -amount,
            kind=kind,
            source_id=close_id,
            uses=taken,
            business_date=self.today,
            now=self.now,
        )
        self.changed = True
        row: dict[str, Any] = {
            "id": close_id,
            "partner_id": self.program.partner_id,
            "program_id": self.program.id,
            "member_id": self.member.id,
            "account_id": self.holder.id,
            "kind": kind,
            "last_day": self.last_day,
            "accrual_event_id": event_id,
            "due_minor": due_minor,
            "amount_minor": amount,
            "transfer_id": transfer_id,
            "business_date": self.today,
            "actor": self.caller.actor,
            "correlation_id": self.caller.correlation_id,
            "closed_at": self.now,
        }
        self.db.execute(insert(close_out), row)
        audit.record(
            self.db,
            caller=self.caller,
            action=f"member.{kind}",
            subject=public_id("mbr", self.member.id),
            partner_id=self.program.partner_id,
            after={"program": self.program.code, "amount_minor": amount, "due_minor": due_minor},
            now=self.now,
        )
        self.done.append(CloseOut(**{name: row[name] for name in CloseOut.__slots__}))


_LEAVERS: Final = (
    select(account.c.id, account.c.owner_id)
    .join(member, member.c.id == account.c.owner_id)
    .where(
        account.c.program_id == bindparam("program_id"),
        account.c.kind == MEMBER,
        account.c.owner_id > bindparam("after"),
        # What holds have may be all that a debt leaves.
        or_(account.c.credits_posted > account.c.debits_posted, account.c.debits_pending > 0),
        member.c.term_date < bindparam("today"),
    )
    .order_by(account.c.owner_id)
    .limit(bindparam("accounts", type_=Integer()))
)
_OF_MEMBER: Final = (
    select(*(close_out.c[name] for name in CloseOut.__slots__))
    .where(
        close_out.c.account_id.in_(
            select(account.c.id).where(account.c.owner_id == bindparam("member_id"), account.c.kind == MEMBER)
        )
    )
    .order_by(close_out.c.seq)
)
_CLAWED: Final = select(close_out.c.accrual_event_id).where(
    close_out.c.account_id == bindparam("account_id"), close_out.c.kind == "claw_back"
)
_GRANTED: Final = (
    select(
        accrual_event.c.id,
        accrual_event.c.event_id,
        accrual_event.c.event_date,
        (accrual_event.c.points_minor - accrual_event.c.reversed_minor).label("points_minor"),
        transfer.c.id.label("lot_id"),
    )
    .join(transfer, (transfer.c.source_id == accrual_event.c.id) & (transfer.c.kind == "accrual"))
    .where(
        accrual_event.c.account_id == bindparam("account_id"),
        accrual_event.c.event_id.like(bindparam("ids")),
        accrual_event.c.points_minor > accrual_event.c.reversed_minor,
    )
    .order_by(accrual_event.c.seq)
)
_OPEN_HOLDS: Final = (
    select(hold.c.id).where(hold.c.account_id == bindparam("account_id"), hold.c.state == "open").order_by(hold.c.id)
)
