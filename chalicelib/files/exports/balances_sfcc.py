"""O1: what each member may spend, for Commerce Cloud; a delta has the balances with a version it was not yet sent.

A version grows with every entry and every hold. What changes by the calendar alone (a lot whose last day is over) or
beside the ledger (a customer number) is in the next full file.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.files.exporting.accounts_of import accounts_of
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.files.models.files import export_mark
from chalicelib.partners import directory
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import identities, members
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import business_date
from chalicelib.points.finance import worth
from chalicelib.points.finance.worth import NoValue, Worth
from chalicelib.points.ledger import balances
from chalicelib.points.ledger.balances import Balance
from chalicelib.points.models.ledger import account
from chalicelib.storage import bulk

_ACCOUNTS: Final = bulk.CHUNK


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each balance in which anything was ever posted, of active partners."""
    after = b""
    while True:
        ids = _some(db, asked, after)
        if ids:
            yield from _told(db, asked, balances.of_accounts(db, ids, now=asked.as_of))
        if len(ids) < _ACCOUNTS:
            return
        after = ids[-1]


def _some(db: Connection, asked: Asked, after: bytes) -> Sequence[bytes]:
    wanted: list[ColumnElement[bool]] = [account.c.kind == MEMBER, account.c.entry_no > 0, account.c.id > after]
    if asked.partner is not None:
        wanted.append(account.c.partner_id == asked.partner.id)
    found = select(account.c.id)
    if asked.mode == "delta":
        columns = export_mark.c
        of_account = (columns.key == account.c.id) & (columns.export == NAME) & (columns.receiver == asked.receiver)
        found = found.outerjoin(export_mark, of_account)
        version = account.c.entry_no + account.c.hold_changes
        wanted.append(columns.version.is_(None) | (columns.version < version))
    return db.execute(found.where(*wanted).order_by(account.c.id).limit(_ACCOUNTS)).scalars().all()


def _told(db: Connection, asked: Asked, found: Sequence[Balance]) -> Iterator[Row]:
    member_ids = sorted({each.member_id for each in found})
    people = members.by_ids(db, member_ids)
    partners = directory.by_ids(db, [each.partner_id for each in found])
    known = programs.by_ids(db, [each.program_id for each in found])
    numbers = identities.customer_numbers(db, member_ids, on=asked.as_of.date())
    values = {each.id: worth.of(each) for each in known.values()}
    for each in found:
        partner = partners[each.partner_id]
        if partner.status != "active":
            continue
        if asked.mode == "delta":
            asked.marks.note(each.account_id, each.version)
        value = values[each.program_id]
        expiring = each.next_expiry_minor
        yield {
            "customer_no": numbers.get(each.member_id),
            "partner_code": partner.code,
            "employee_id": people[each.member_id].employee_id,
            "program_code": each.program_code,
            "available_points": each.amount(each.available_minor),
            "held_points": each.amount(each.held_minor),
            "pending_points": each.amount(each.pending_minor),
            "next_expiry_date": each.next_expiry_date,
            "next_expiry_points": None if expiring is None else each.amount(expiring),
            "currency_value": _worth(each, value, asked),
            "currency": None if value is None else value.currency,
            "as_of": asked.as_of,
            "seq": each.version,
        }


def _worth(each: Balance, value: Worth | None, asked: Asked) -> Decimal | None:
    """What may be spent in money; None where the program does not say, or not yet."""
    if value is None:
        return None
    try:
        exact = value.exact(each.available_minor, business_date(asked.as_of, each))
    except NoValue:
        return None
    return Decimal(worth.rounded(exact)).scaleb(-value.decimals)


def marks_of(db: Connection, asked: Asked, found: Sequence[Row]) -> Iterator[tuple[bytes, int]]:
    """Which versions of which balances a file that was written has."""
    for of_account, row in accounts_of(db, asked, found):
        yield of_account, row["seq"]


NAME: Final = "balances_sfcc"
EXPORT: Final = Export(
    NAME,
    rows,
    scopes=frozenset({Scope.LEDGER_READ, Scope.MEMBERS_READ}),
    system="commerce-cloud",
    deltas=True,
    marks_of=marks_of,
)
