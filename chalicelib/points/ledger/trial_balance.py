"""The double-entry check of each program: member accounts by their counters, house accounts by their transfers.

The two are kept apart, so the sum is zero only when the counters are right.
"""

from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, case, func, literal, select, union_all
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.models.partners import program
from chalicelib.points.models.ledger import account, transfer
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """All accounts of one kind in one program, in minor units; ``accounts`` are those with anything posted."""

    kind: str
    accounts: int
    debits_minor: int
    credits_minor: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """One program. ``difference_minor`` is credits less debits over all lines, and must be zero."""

    program_id: bytes
    partner_id: bytes
    program_code: str
    unit: str
    scale: int
    lines: tuple[Line, ...]
    difference_minor: int


def of(db: Connection, *, partner_id: bytes | None = None, program_id: bytes | None = None) -> list[TrialBalance]:
    """The trial balance of each program of a partner, of one program, or of all; by partner and code."""
    chosen: list[ColumnElement[bool]] = []
    if partner_id is not None:
        chosen.append(program.c.partner_id == partner_id)
    if program_id is not None:
        chosen.append(program.c.id == program_id)
    shown = db.execute(
        select(program.c.id, program.c.partner_id, program.c.code, program.c.unit, program.c.scale)
        .where(*chosen)
        .order_by(program.c.partner_id, program.c.code)
    ).all()
    ids = [row.id for row in shown]
    lines: dict[bytes, list[Line]] = {each: [] for each in ids}
    for program_of, line in [*_members(db, ids), *_houses(db, ids)]:
        lines[program_of].append(line)
    return [
        TrialBalance(
            row.id,
            row.partner_id,
            row.code,
            row.unit,
            row.scale,
            tuple(lines[row.id]),
            sum(line.credits_minor - line.debits_minor for line in lines[row.id]),
        )
        for row in shown
    ]


def _members(db: Connection, program_ids: list[bytes]) -> list[tuple[bytes, Line]]:
    query = (
        select(
            account.c.program_id,
            # An account may be open with nothing posted to it.
            func.count(case((account.c.entry_no > 0, 1))),
            func.sum(account.c.debits_posted),
            func.sum(account.c.credits_posted),
        )
        .where(account.c.program_id.in_(program_ids), account.c.kind == MEMBER)
        .group_by(account.c.program_id)
    )
    return [(row[0], Line(MEMBER, row[1], int(row[2]), int(row[3]))) for row in db.execute(query)]


def _houses(db: Connection, program_ids: list[bytes]) -> list[tuple[bytes, Line]]:
    moved = union_all(_moved(program_ids, "debit"), _moved(program_ids, "credit")).subquery()
    query = (
        select(
            moved.c.program_id,
            moved.c.kind,
            func.count(moved.c.account_id.distinct()),
            func.sum(moved.c.debited),
            func.sum(moved.c.credited),
        )
        .group_by(moved.c.program_id, moved.c.kind)
        .order_by(moved.c.program_id, moved.c.kind)
    )
    return [(row[0], Line(row[1], row[2], int(row[3]), int(row[4]))) for row in db.execute(query)]


def _moved(program_ids: list[bytes], side: Literal["debit", "credit"]) -> Select[Any]:
    """What moved on one side of house accounts, by account."""
    amount = func.sum(transfer.c.amount_minor)
    return (
        select(
            account.c.program_id,
            account.c.kind,
            account.c.id.label("account_id"),
            (amount if side == "debit" else literal(0)).label("debited"),
            (amount if side == "credit" else literal(0)).label("credited"),
        )
        .join_from(account, transfer, transfer.c[f"{side}_account_id"] == account.c.id)
        .where(account.c.program_id.in_(program_ids), account.c.kind != MEMBER)
        .group_by(account.c.program_id, account.c.kind, account.c.id)
    )
