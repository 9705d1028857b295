"""What rulesets there are, which version of each decides today, and how that came about."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import NotFound
from chalicelib.records import dataclass
from chalicelib.rules.models import ruleset, ruleset_activation, ruleset_version
from chalicelib.rules.versions import LiveVersion, deciding, timelines


@dataclass(frozen=True, slots=True)
class Listed:
    """One ruleset; ``live`` decides events of the day asked for, None when nothing does."""

    code: str
    kind: str
    partner_id: bytes | None
    owner: str
    created_at: datetime
    latest_number: int
    live: LiveVersion | None


@dataclass(frozen=True, slots=True)
class Saved:
    """One version in a ruleset's history."""

    version_id: bytes
    number: int
    content_hash: bytes
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Activated:
    """One activation in a ruleset's history."""

    number: int
    effective_from: date
    activated_at: datetime
    activated_by: str
    approved_by: str | None
    #: A rollback: the version that it took back.
    withdraws_number: int | None
    by_file: bool


@dataclass(frozen=True, slots=True)
class History:
    """Versions and activations, oldest first; ``decides``: the first day of each stretch and the version's number."""

    versions: tuple[Saved, ...]
    activations: tuple[Activated, ...]
    decides: tuple[tuple[date, int], ...]


_LISTED = (
    select(ruleset, func.max(ruleset_version.c.number).label("latest_number"))
    .join(ruleset_version, ruleset_version.c.ruleset_id == ruleset.c.id)
    .group_by(*ruleset.c)
    .order_by(ruleset.c.code)
)


def in_order(
    db: Connection,
    *,
    partner_id: bytes | None,
    kind: str | None = None,
    after_code: str | None = None,
    limit: int,
    now: datetime,
) -> list[Listed]:
    """Up to ``limit`` rulesets by code, following ``after_code``; live as of the UTC date of ``now``.

    ``partner_id`` sees its own and the shared ones, None sees all.
    """
    wanted = _LISTED.limit(limit)
    if partner_id is not None:
        wanted = wanted.where(or_(ruleset.c.partner_id.is_(None), ruleset.c.partner_id == partner_id))
    if kind is not None:
        wanted = wanted.where(ruleset.c.kind == kind)
    if after_code is not None:
        wanted = wanted.where(ruleset.c.code > after_code)
    return _listed(db, list(db.execute(wanted)), now)


def find(db: Connection, code: str, *, partner_id: bytes | None, now: datetime) -> Listed:
    """One ruleset that ``partner_id`` (None: every partner) may see. Raises NotFound."""
    rows = [
        row
        for row in db.execute(_LISTED.where(ruleset.c.code == code))
        if partner_id is None or row.partner_id in {None, partner_id}
    ]
    if not rows:
        raise NotFound(f"There is no ruleset {code!r}.")
    return _listed(db, rows, now)[0]


def history(db: Connection, code: str) -> History:
    """Everything that was saved and activated under a code; empty when there is no such ruleset."""
    versions = [
        Saved(row.id, row.number, row.content_hash, row.created_at, row.created_by)
        for row in db.execute(
            select(ruleset_version)
            .join(ruleset, ruleset.c.id == ruleset_version.c.ruleset_id)
            .where(ruleset.c.code == code)
            .order_by(ruleset_version.c.number)
        )
    ]
    numbers = {each.version_id: each.number for each in versions}
    rows = list(
        db.execute(
            select(ruleset_activation)
            .join(ruleset, ruleset.c.id == ruleset_activation.c.ruleset_id)
            .where(ruleset.c.code == code)
            .order_by(ruleset_activation.c.activated_at)
        )
    )
    steps = deciding((row.effective_from, row.activated_at, row.version_id) for row in rows)
    return History(
        versions=tuple(versions),
        activations=tuple(
            Activated(
                numbers[row.version_id],
                row.effective_from,
                row.activated_at,
                row.activated_by,
                row.approved_by,
                None if row.withdraws_id is None else numbers[row.withdraws_id],
                row.by_file,
            )
            for row in rows
        ),
        decides=tuple((start, numbers[version_id]) for start, version_id in steps),
    )


def _listed(db: Connection, rows: list[Row[Any]], now: datetime) -> list[Listed]:
    known = timelines(db, [row.code for row in rows], known_at=now)
    return [
        Listed(
            code=row.code,
            kind=row.kind,
            partner_id=row.partner_id,
            owner=row.owner,
            created_at=row.created_at,
            latest_number=row.latest_number,
            live=known[row.code].on(now.date()),
        )
        for row in rows
    ]
