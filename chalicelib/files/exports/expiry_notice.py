"""O10: whose points expire within thirty days; a delta has the last days that a member was not yet told of."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.files.exporting.accounts_of import accounts_of
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.files.models.files import export_mark
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import account, lot
from chalicelib.storage import bulk

NAME: Final = "expiry_notice"
#: How long before its last day a member is told of it.
DAYS_AHEAD: Final = 30
_ACCOUNTS: Final = bulk.CHUNK

_ACCOUNT_IDS: Final = (
    select(account.c.id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        account.c.entry_no > 0,
        account.c.id > bindparam("after"),
    )
    .order_by(account.c.id)
    .limit(_ACCOUNTS)
)
_POINTS: Final = func.sum(lot.c.remaining_minor - lot.c.held_minor)
_EXPIRING: Final = (
    select(account.c.id, account.c.owner_id, account.c.program_id, lot.c.expires_on, _POINTS.label("points_minor"))
    .join_from(account, lot, lot.c.account_id == account.c.id)
    .where(
        account.c.id.in_(bindparam("ids", expanding=True)),
        lot.c.expires_on.between(bindparam("first"), bindparam("last")),
        lot.c.remaining_minor > lot.c.held_minor,
    )
    .group_by(account.c.id, account.c.owner_id, account.c.program_id, lot.c.expires_on)
    .order_by(account.c.id, lot.c.expires_on)
)
_TOLD: Final = select(export_mark.c.key).where(
    export_mark.c.export == NAME,
    export_mark.c.receiver == bindparam("receiver"),
    export_mark.c.key.in_(bindparam("keys", expanding=True)),
)


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each active member, program and last day on which free points may be spent."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    after = b""
    while True:
        ids = db.execute(_ACCOUNT_IDS, {"partner_id": asked.partner.id, "after": after}).scalars().all()
        if ids:
            yield from _expiring(db, asked, ids)
        if len(ids) < _ACCOUNTS:
            return
        after = ids[-1]


def _expiring(db: Connection, asked: Asked, ids: Sequence[bytes]) -> Iterator[Row]:
    # No program's date is more than a day before or after the partner's.
    first, last = asked.day - timedelta(days=1), asked.day + timedelta(days=DAYS_AHEAD + 1)
    found = db.execute(_EXPIRING, {"ids": ids, "first": first, "last": last}).all()
    if not found:
        return
    known = programs.by_ids(db, {each.program_id for each in found})
    people = members.by_ids(db, {each.owner_id for each in found})
    told: set[bytes] = set()
    if asked.mode == "delta":
        for some in bulk.in_chunks([_key(each.id, each.expires_on) for each in found]):
            told |= set(db.execute(_TOLD, {"receiver": asked.receiver, "keys": some}).scalars())
    for each in found:
        program, member = known[each.program_id], people[each.owner_id]
        days_left = (each.expires_on - programs.business_date(asked.as_of, program)).days
        if not 0 <= days_left <= DAYS_AHEAD or member.status != "active":
            continue
        if _key(each.id, each.expires_on) in told:
            continue
        if asked.mode == "delta":
            asked.marks.note(_key(each.id, each.expires_on), each.expires_on.toordinal())
        yield _row(
            each.expires_on, member, program.code, Decimal(int(each.points_minor)).scaleb(-program.scale), days_left
        )


def _row(expires_on: date, member: MemberRef, program_code: str, points: Decimal, days_left: int) -> Row:
    return {
        "employee_id": member.employee_id,
        "program_code": program_code,
        "points": points,
        "expires_on": expires_on,
        "days_left": days_left,
        "locale": None if member.country is None else f"und-{member.country}",
    }


def marks_of(db: Connection, asked: Asked, found: Sequence[Row]) -> Iterator[tuple[bytes, int]]:
    """Of which last days of whom a file that was written tells."""
    for of_account, row in accounts_of(db, asked, found):
        yield _key(of_account, row["expires_on"]), row["expires_on"].toordinal()


def _key(account_id: bytes, last_day: date) -> bytes:
    """Each last day is remembered by itself: one that comes before another may become known after it."""
    return sha256(account_id + last_day.isoformat().encode()).digest()[:16]


EXPORT: Final = Export(
    NAME,
    rows,
    scopes=frozenset({Scope.LEDGER_READ, Scope.MEMBERS_READ}),
    deltas=True,
    marks_of=marks_of,
    skip_empty=True,
)
