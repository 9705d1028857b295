"""Finding members: by employee id, last name, email, status, in pages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.engine import Connection

from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.models.partners import member
from chalicelib.partners.programs.programs import business_date
from chalicelib.records import dataclass
from chalicelib.storage.encryption import blind_index

#: No place's date is further ahead of UTC.
_AHEAD_MAX: Final = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members are wanted; None is no condition. Names and mail match whole, whatever their letter case."""

    partner_id: bytes | None = None
    employee_id: str | None = None
    last_name: str | None = None
    email: str | None = None
    status: str | None = None


def search(
    db: Connection, wanted: MemberFilter, *, after: tuple[bytes, str] | None, limit: int, now: datetime
) -> list[MemberRef]:
    """Up to ``limit`` members as they stand now, by partner and employee id, after that (partner id, employee id)."""
    found: list[MemberRef] = []
    while len(found) < limit:
        rows = members.matching(db, _conditions(wanted, after, now), limit=limit)
        found += [ref for ref in standing_now(db, rows, now=now) if wanted.status in {None, ref.status}]
        if len(rows) < limit:
            break
        after = (rows[-1].partner_id, rows[-1].employee_id)
    return found[:limit]


def standing_now(db: Connection, refs: Sequence[MemberRef], *, now: datetime) -> list[MemberRef]:
    """The same members with the facts in force today at their partner, in the same order."""
    partners = directory.by_ids(db, sorted({ref.partner_id for ref in refs}))
    today = {partner_id: business_date(now, partner) for partner_id, partner in partners.items()}
    standing: dict[bytes, MemberRef] = {}
    for partner_id, day in today.items():
        mine = [ref for ref in refs if ref.partner_id == partner_id]
        standing.update((ref.id, ref) for ref in members.as_of(db, mine, day))
    return [standing[ref.id] for ref in refs]


def _conditions(wanted: MemberFilter, after: tuple[bytes, str] | None, now: datetime) -> list[ColumnElement[bool]]:
    column = member.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.partner_id is not None:
        conditions.append(column.partner_id == wanted.partner_id)
    if wanted.employee_id is not None:
        conditions.append(column.employee_id == wanted.employee_id)
    if wanted.last_name is not None:
        conditions.append(column.last_name_index == blind_index(wanted.last_name))
    if wanted.email is not None:
        conditions.append(column.email_index == blind_index(wanted.email))
    if wanted.status is not None:
        # A state that was foreseen may have come since it was stored: those are looked at one by one.
        due = column.next_effective_date <= (now + _AHEAD_MAX).date()
        conditions.append(or_(column.status == wanted.status, due))
    if after is not None:
        partner_id, employee_id = after
        same = and_(column.partner_id == partner_id, column.employee_id > employee_id)
        conditions.append(or_(column.partner_id > partner_id, same))
    return conditions
