"""What a member has: points available, held and pending, and what expires next; now or as of a past day.

Available is what unexpired lots still hold, less what of it is held for orders, less what is owed after a reversal.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, case, func, select
from sqlalchemy.engine import Connection

from chalicelib.deliveries.snapshots import Snapshot, Source
from chalicelib.language import Value
from chalicelib.partners import directory
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import erasing, identities, members
from chalicelib.partners.models.partners import program
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER
from chalicelib.points.ledger import positions, transfers
from chalicelib.points.ledger.positions import Whose
from chalicelib.points.models.ledger import account, lot, transfer
from chalicelib.records import dataclass
from chalicelib.storage import bulk

_EXACT = Context(prec=60)
#: No time zone's date is further behind UTC's; which lots are spendable is then decided by each program's own date.
_BEHIND_UTC_MAX = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Balance:
    """One account's balance, in minor units of its program (10^-scale).

    ``version`` grows with every entry and every change of a hold. ``held_minor`` is reserved for orders, also in lots
    that have expired and are kept for them; ``pending_minor`` is on its way in. ``available_minor`` is below zero when
    the account is overdrawn. The next expiry is None when nothing expires. ``time_zone`` is the program's.
    """

    account_id: bytes
    partner_id: bytes
    member_id: bytes
    program_id: bytes
    program_code: str
    unit: str
    scale: int
    time_zone: str
    version: int
    held_minor: int
    pending_minor: int
    lifetime_minor: int
    available_minor: int
    next_expiry_date: date | None
    next_expiry_minor: int | None

    def amount(self, minor: int) -> Decimal:
        """An amount of this balance in whole units, at exactly the program's scale."""
        return Decimal(minor).scaleb(-self.scale, _EXACT)


_ACCOUNT = (
    account.c.id,
    account.c.partner_id,
    account.c.owner_id,
    account.c.program_id,
    program.c.code,
    program.c.unit,
    program.c.scale,
    program.c.time_zone,
    account.c.entry_no,
    account.c.hold_changes,
    account.c.debits_pending,
    account.c.credits_pending,
    account.c.credits_posted,
    account.c.unearned_minor,
)


class _Held(NamedTuple):
    """The columns ``_ACCOUNT`` of one account."""

    id: bytes
    partner_id: bytes
    owner_id: bytes
    program_id: bytes
    code: str
    unit: str
    scale: int
    time_zone: str
    entry_no: int
    hold_changes: int
    debits_pending: int
    credits_pending: int
    credits_posted: int
    unearned_minor: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> "_Held":
        return cls(*row[: len(_ACCOUNT)])


# One row per account and expiry day that still has points; an account without any comes once, with nulls. An overdraft
# is a lot that never expires, with less than nothing in it.
_NOW = (
    select(*_ACCOUNT, lot.c.expires_on, func.sum(lot.c.remaining_minor - lot.c.held_minor))
    .select_from(
        account.join(program, program.c.id == account.c.program_id).outerjoin(
            lot,
            (lot.c.account_id == account.c.id)
            & (lot.c.remaining_minor != 0)
            & (lot.c.expires_on >= bindparam("earliest")),
        )
    )
    .where(account.c.kind == MEMBER)
    .group_by(*_ACCOUNT, lot.c.expires_on)
    .order_by(account.c.id, lot.c.expires_on)
)
# An account whose every event was refused or earned nothing is open all the same (``accruals``): it is no balance.
_NOW_OF_MEMBER = _NOW.where(account.c.owner_id == bindparam("member_id"), account.c.entry_no > 0)
# In the order written: MariaDB, while its statistics are old, would begin with a program and read all of its accounts.
_NOW_OF_ACCOUNTS = _NOW.where(account.c.id.in_(bindparam("ids", expanding=True))).prefix_with(
    "STRAIGHT_JOIN", dialect="mysql"
)


def of(db: Connection, member_id: bytes, *, now: datetime) -> list[Balance]:
    """The member's balances, by program code; only of programs in which anything was ever posted. One statement."""
    rows = db.execute(_NOW_OF_MEMBER, {"member_id": member_id, "earliest": _earliest(now)})
    return sorted(_balances(rows, now), key=attrgetter("program_code"))


_LAST_THEN = func.coalesce(func.max(transfer.c.version), 0)
_EARNED_THEN = func.coalesce(
    func.sum(
        case(
            # A reversal that gives back what another took restores what was earned.
            (
                transfer.c.kind.in_(transfers.UNEARNED - {"reversal"}) & (transfer.c.credit_account_id == account.c.id),
                0,
            ),
            (transfer.c.credit_account_id == account.c.id, transfer.c.amount_minor),
            (transfer.c.kind.in_(transfers.UNEARNED), -transfer.c.amount_minor),
            else_=0,
        )
    ),
    0,
)
_ACCOUNTS_THEN = (
    select(*_ACCOUNT, _EARNED_THEN, _LAST_THEN)
    .select_from(
        account.join(program, program.c.id == account.c.program_id).outerjoin(
            transfer, (transfer.c.account_id == account.c.id) & (transfer.c.posted_at < bindparam("before"))
        )
    )
    .where(account.c.id == bindparam("id"))
    .group_by(*_ACCOUNT)
)
_OF_MEMBER = (
    select(account.c.id, program.c.time_zone)
    .join(program, program.c.id == account.c.program_id)
    .where(account.c.owner_id == bindparam("member_id"), account.c.kind == MEMBER, account.c.entry_no > 0)
)


def of_accounts(db: Connection, account_ids: Sequence[bytes], *, now: datetime) -> list[Balance]:
    """The balances of up to an IN list of accounts (``bulk.CHUNK``), by account id. One statement."""
    rows = db.execute(_NOW_OF_ACCOUNTS, {"ids": sorted(set(account_ids)), "earliest": _earliest(now)})
    return list(_balances(rows, now))


def as_of(db: Connection, member_id: bytes, *, day: date) -> list[Balance]:
    """The balances at the end of a day of each program, recomputed from what was posted by then, by program code.

    Holds leave no dated trail, so nothing counts as held or pending on a past day. Two statements a program.
    """
    found = []
    for of in db.execute(_OF_MEMBER, {"member_id": member_id}).all():
        before = positions.end_of(day, of)
        row = db.execute(_ACCOUNTS_THEN, {"id": of.id, "before": before}).one()
        held = _Held.of(row)
        whose = Whose(member_id, held.program_id)
        # What is owed has no last day, so it is counted on every day.
        spendable: dict[date, int] = {}
        for left in positions.of_accounts(db, whose, before=before):
            if left.expires_on >= day:
                spendable[left.expires_on] = spendable.get(left.expires_on, 0) + left.minor
        then = _balance(
            held,
            version=row[-1],
            held_minor=0,
            pending_minor=0,
            lifetime_minor=int(row[-2]),
            spendable=sorted(spendable.items()),
        )
        found.append(then)
    return sorted(found, key=attrgetter("program_code"))


def for_delivery(db: Connection, keys: Sequence[str], *, now: datetime) -> dict[str, Snapshot]:
    """The balances behind outbox keys (account ids in hexadecimal) as records for a mapping; unknown keys are left out.

    The record's fields are ``rules.facts.BALANCE``; the version is the account's.
    """
    found: list[Balance] = []
    for chunk in bulk.in_chunks(sorted({bytes.fromhex(key) for key in keys})):
        found += _balances(db.execute(_NOW_OF_ACCOUNTS, {"ids": chunk, "earliest": _earliest(now)}), now)
    if not found:
        return {}
    member_ids = sorted({balance.member_id for balance in found})
    partners = directory.by_ids(db, sorted({balance.partner_id for balance in found}))
    people = members.by_ids(db, member_ids)
    personal = members.personal(db, member_ids)
    numbers = identities.customer_numbers(db, member_ids, on=now.date())
    erased = erasing.erased_members(db, member_ids)
    snapshots = {}
    for balance in found:
        member_id = balance.member_id
        if member_id in erased:
            snapshots[balance.account_id.hex()] = Snapshot(balance.version, {}, erased=True)
            continue
        record: dict[str, Value] = {
            "partner_code": partners[balance.partner_id].code,
            "employee_id": people[member_id].employee_id,
            "customer_no": numbers.get(member_id),
            "last_name": personal[member_id]["last_name"],
            **_figures(balance),
            "as_of": now.astimezone(UTC).isoformat(),
        }
        snapshots[balance.account_id.hex()] = Snapshot(balance.version, record)
    return snapshots


_KEYS = (
    select(account.c.id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        account.c.entry_no > 0,
        account.c.id > bindparam("after"),
    )
    .order_by(account.c.id)
    .limit(bindparam("keys", type_=Integer()))
    .with_for_update()
)


def delivery_keys(db: Connection, partner_id: bytes, after: str, limit: int) -> list[str]:
    """The outbox keys of up to ``limit`` balances of a partner, ascending, behind ``after``; their accounts locked.

    Whoever posts to an account locks it first and asks for the targets last: so a posting that does not see a target
    yet is waited for here, and is seen.
    """
    given = {"partner_id": partner_id, "after": bytes.fromhex(after), "keys": limit}
    return [account_id.hex() for account_id in db.execute(_KEYS, given).scalars()]


def source(clock: Callable[[], datetime]) -> Source:
    """Balances as the pump takes them, read at the time of the clock."""
    return Source(lambda db, keys: for_delivery(db, keys, now=clock()), delivery_keys)


def _figures(balance: Balance) -> dict[str, Value]:
    expiring = balance.next_expiry_minor
    return {
        "program_code": balance.program_code,
        "available": balance.amount(balance.available_minor),
        "held": balance.amount(balance.held_minor),
        "lifetime_earned": balance.amount(balance.lifetime_minor),
        "next_expiry_date": balance.next_expiry_date,
        "next_expiry_points": None if expiring is None else balance.amount(expiring),
        "version": balance.version,
    }


def _earliest(now: datetime) -> date:
    return (now.astimezone(UTC) - _BEHIND_UTC_MAX).date()


def _balances(rows: Iterable[Sequence[Any]], now: datetime) -> Iterator[Balance]:
    """One balance for each account, from its rows of ``_NOW``, which come together and by expiry day."""
    for _, group in groupby(rows, key=itemgetter(0)):
        of_account = list(group)
        held = _Held.of(of_account[0])
        today = programs.business_date(now, held)
        lots = [(row[-2], row[-1]) for row in of_account]
        yield _balance(
            held,
            version=held.entry_no + held.hold_changes,
            held_minor=held.debits_pending,
            pending_minor=held.credits_pending,
            lifetime_minor=held.credits_posted - held.unearned_minor,
            spendable=[(expires_on, int(rest)) for expires_on, rest in lots if expires_on and expires_on >= today],
        )


def _balance(
    held: _Held,
    *,
    version: int,
    held_minor: int,
    pending_minor: int,
    lifetime_minor: int,
    spendable: Sequence[tuple[date, int]],
) -> Balance:
    """``spendable`` pairs each expiry day, ascending, with the free points that expire after it."""
    expiring = next(((day, rest) for day, rest in spendable if rest > 0 and day != NEVER), (None, None))
    return Balance(
        account_id=held.id,
        partner_id=held.partner_id,
        member_id=held.owner_id,
        program_id=held.program_id,
        program_code=held.code,
        unit=held.unit,
        scale=held.scale,
        time_zone=held.time_zone,
        version=version,
        held_minor=held_minor,
        pending_minor=pending_minor,
        lifetime_minor=lifetime_minor,
        available_minor=sum(rest for _, rest in spendable),
        next_expiry_date=expiring[0],
        next_expiry_minor=expiring[1],
    )
