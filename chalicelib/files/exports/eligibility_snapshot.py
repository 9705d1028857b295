"""O8: how many pieces of each garment group each member may still have, by the limits of programs' catalogues.

What the limits and the member's pieces say, and not what a program's eligibility rule says of an article.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.files.exporting import asking
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.models.partners import enrolment
from chalicelib.partners.programs import catalogs, programs
from chalicelib.partners.programs.catalogs import Group
from chalicelib.partners.programs.programs import Program
from chalicelib.points.carts import consumption
from chalicelib.points.carts.eligibility import IN_PIECES
from chalicelib.points.ledger import balances
from chalicelib.storage import bulk

_ENROLMENTS: Final = bulk.CHUNK
_DAY: Final = timedelta(days=1)
_ENROLLED: Final = (
    select(enrolment.c.member_id, enrolment.c.valid_to)
    .where(
        enrolment.c.program_id == bindparam("program_id"),
        enrolment.c.member_id > bindparam("after"),
        enrolment.c.valid_from <= bindparam("day"),
        enrolment.c.valid_to.is_(None) | (enrolment.c.valid_to >= bindparam("day")),
    )
    .order_by(enrolment.c.member_id)
    .limit(_ENROLMENTS)
)


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each member who is enrolled today, by program and garment group, of active partners."""
    for partner in [asked.partner] if asked.partner is not None else asking.active_partners(db):
        for program in programs.of_partner(db, partner.id).values():
            groups = catalogs.of_program(db, program.id).groups if program.status == "active" else ()
            if groups:
                yield from _of_program(db, asked, partner, program, groups)


def _of_program(
    db: Connection, asked: Asked, partner: Partner, program: Program, groups: Sequence[Group]
) -> Iterator[Row]:
    day = programs.business_date(asked.as_of, program)
    after = b""
    while True:
        found = db.execute(_ENROLLED, {"program_id": program.id, "after": after, "day": day}).all()
        ids = [each.member_id for each in found]
        accounts = {member_id: account_id(program.id, MEMBER, member_id) for member_id in ids}
        people = members.by_ids(db, ids)
        since = min(group.since(day) for group in groups)
        bought = consumption.by_account(db, list(accounts.values()), since=since, now=asked.as_of)
        free = _free(db, asked, program, list(accounts.values()))
        for member_id, valid_to in found:
            member = people[member_id]
            if member.status != "active":
                continue
            of_account = accounts[member_id]
            for group in groups:
                yield {
                    "partner_code": partner.code,
                    "employee_id": member.employee_id,
                    "program_code": program.code,
                    "sku_group": group.code,
                    "max_qty_left": _left(group, bought.get((of_account, group.code), {}), day, free.get(of_account)),
                    "reset_date": group.resets_on(day),
                    "valid_from": day,
                    "valid_to": _until(valid_to, group.resets_on(day)),
                }
        if len(found) < _ENROLMENTS:
            return
        after = ids[-1]


def _free(db: Connection, asked: Asked, program: Program, accounts: Sequence[bytes]) -> Mapping[bytes, int]:
    """The pieces that each account may spend; only of programs whose unit is pieces."""
    if program.kind not in IN_PIECES:
        return {}
    found = dict.fromkeys(accounts, 0)
    for each in balances.of_accounts(db, accounts, now=asked.as_of):
        found[each.account_id] = max(0, each.available_minor) // 10**program.scale
    return found


def _left(group: Group, bought: Mapping[date, int], day: date, free: int | None) -> int | None:
    since = group.since(day)
    limits = [] if free is None else [free]
    if group.quantity_max is not None:
        used = sum(number for bought_on, number in bought.items() if bought_on >= since)
        limits.append(max(0, group.quantity_max - used))
    return min(limits, default=None)


def _until(valid_to: date | None, resets_on: date | None) -> date | None:
    ends = [valid_to] if valid_to is not None else []
    return min([*ends, resets_on - _DAY] if resets_on is not None else ends, default=None)


EXPORT: Final = Export(
    "eligibility_snapshot",
    rows,
    scopes=frozenset({Scope.LEDGER_READ, Scope.MEMBERS_READ, Scope.PROGRAMS_READ}),
    system="commerce-cloud",
)
