"""Promise 1, conservation: nothing of a file is lost or made up. Checked before a file may be called processed.

Every figure is counted again from what the rooms stored, not from what intake believes it did.
"""

from collections.abc import Callable

from sqlalchemy import case, func, select
from sqlalchemy.engine import Connection

from chalicelib.files.models.files import file_row
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import handlers
from chalicelib.files.rows.tallies import OUTCOMES
from chalicelib.partners.models.partners import member_history
from chalicelib.points.models.ledger import accrual_event, reversal, transfer
from chalicelib.rules.models import code_table_change

_ROWS = file_row.c.row_to - file_row.c.row_no + 1


def breaks(db: Connection, file: InboundFile) -> list[str]:
    """Where the figures of a file do not add up, one sentence each; empty when nothing is lost."""
    found: list[str] = []

    def equal(what: str, one: int, other: int) -> None:
        if one != other:
            found.append(f"{what}: {one} is not {other}")

    equal("rows read and rows with an outcome", file.rows_total or 0, sum(_rows(file).values()))
    equal(
        "control sum read and control sum of the outcomes",
        file.control_in,
        sum(getattr(file, f"control_{outcome}") for outcome in OUTCOMES),
    )
    kept = {
        row.outcome: row
        for row in db.execute(
            select(
                file_row.c.outcome,
                func.sum(_ROWS).label("rows"),
                func.sum(file_row.c.control_minor).label("total"),
            )
            .where(file_row.c.file_id == file.id)
            .group_by(file_row.c.outcome)
        )
    }
    for outcome in ("rejected", "duplicate", "ignored"):
        row = kept.get(outcome)
        equal(f"{outcome} rows counted and kept", _rows(file)[outcome], int(row.rows) if row else 0)
        total = int(row.total) if row else 0
        equal(f"control sum of {outcome} rows counted and kept", getattr(file, f"control_{outcome}"), total)
    unreadable = db.execute(_UNREADABLE.where(file_row.c.file_id == file.id)).scalar() or 0
    if int(unreadable) > file.control_unreadable:
        found.append(f"unreadable control amounts kept and read: {unreadable} is more than {file.control_unreadable}")
    if file.entity == "accrual":
        _points(db, file, equal)
    elif file.entity == "code_table":
        _changes(db, file, equal)
    elif (handler := handlers.of(file.entity)) is not None:
        equal("accepted rows and kept rows", file.rows_accepted, handler.rows(db, file))
    elif file.state != "rolled_back":
        # Members whom nobody but the file knew are forgotten with it.
        _history(db, file, equal)
    return found


_UNREADABLE = select(func.sum(case((file_row.c.control_readable, 0), else_=_ROWS)))


def _rows(file: InboundFile) -> dict[str, int]:
    return {outcome: getattr(file, f"rows_{outcome}") for outcome in OUTCOMES}


def _points(db: Connection, file: InboundFile, equal: Callable[[str, int, int], None]) -> None:
    """Accepted rows are stored events, and what the events earned is what was posted."""
    events = db.execute(
        select(func.count().label("number"), func.sum(accrual_event.c.points_minor).label("points")).where(
            accrual_event.c.source_file_id == file.id, accrual_event.c.generation >= 0
        )
    ).one()
    corrections = db.execute(
        select(func.count()).where(reversal.c.source_file_id == file.id, reversal.c.cause == "correction")
    ).scalar()
    stored = events.number + (corrections or 0)
    equal("accepted rows and stored events", file.rows_accepted, stored)
    posted = db.execute(
        select(func.sum(transfer.c.amount_minor))
        .join_from(accrual_event, transfer, transfer.c.source_id == accrual_event.c.id)
        .where(
            accrual_event.c.source_file_id == file.id,
            # Below zero: recorded anew when the file was processed again.
            accrual_event.c.generation >= 0,
            transfer.c.kind == "accrual",
        )
    ).scalar()
    equal("points of the events and points posted", int(events.points or 0), int(posted or 0))


def _history(db: Connection, file: InboundFile, equal: Callable[[str, int, int], None]) -> None:
    """Accepted roster rows are entries of the members' history."""
    entries = db.execute(
        select(func.count()).where(
            member_history.c.source_id == file.id,
            member_history.c.source_kind == "file",
            member_history.c.partner_id == file.partner_id,
        )
    ).scalar()
    equal("accepted rows and history entries", file.rows_accepted, entries or 0)


def _changes(db: Connection, file: InboundFile, equal: Callable[[str, int, int], None]) -> None:
    """Accepted rows of code tables are changes that were written down."""
    changes = db.execute(select(func.count()).where(code_table_change.c.file_id == file.id)).scalar()
    equal("accepted rows and changed entries", file.rows_accepted, changes or 0)
