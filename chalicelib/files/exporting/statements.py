"""Statements that were asked for: of a partner's members, or of one, each for a month."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.engine import Connection

from chalicelib.files.exporting.jobs import ExportFile
from chalicelib.files.exports import member_statement, statement
from chalicelib.files.models.files import export_file
from chalicelib.points.finance.months import Month

WHOLE = statement.EXPORT.name
OF_MEMBER = member_statement.EXPORT.name
_COLUMNS = export_file.c


class Of(NamedTuple):
    """Whose month a statement is of; ``member`` is a member's public id, None: all members."""

    month: str
    member: str | None


def told(file: ExportFile) -> Of:
    """Whose month a statement is of."""
    asked = file.asked
    if asked.period is not None:
        return Of(f"{asked.period[0]:%Y-%m}", None)
    return Of(*member_statement.parts(asked.reference or ""))


def reference(month: Month, member: str) -> str:
    """What the statement of one member is asked for by."""
    return f"{month.name} {member}"


def newest_first(
    db: Connection,
    *,
    partner_id: bytes | None,
    member: str | None,
    period: str | None,
    before: bytes | None,
    limit: int,
) -> Sequence[ExportFile]:
    """Up to ``limit`` statements, the latest request first, asked for before the one of the id ``before``.

    With ``member``, a public id, only statements of this member alone; with ``period`` only of that month.
    """
    whole: list[ColumnElement[bool]] = [_COLUMNS.export == WHOLE]
    single: list[ColumnElement[bool]] = [_COLUMNS.export == OF_MEMBER]
    if period is not None:
        whole.append(_COLUMNS.request_key.startswith(f"{period}-01..", autoescape=True))
        single.append(_COLUMNS.request_key.startswith(f"{period} ", autoescape=True))
    if member is not None:
        single.append(_COLUMNS.request_key.endswith(f" {member}", autoescape=True))
    wanted = [and_(*single)] if member is not None else [or_(and_(*whole), and_(*single))]
    if partner_id is not None:
        wanted.append(_COLUMNS.partner_id == partner_id)
    if before is not None:
        wanted.append(_COLUMNS.id < before)
    rows = db.execute(select(export_file).where(*wanted).order_by(_COLUMNS.id.desc()).limit(limit)).mappings()
    return [ExportFile(**row) for row in rows]
