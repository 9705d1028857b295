"""What a version decided from a date on: what a rollback leaves behind, and what a promotion comes too late for."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Event, EventFilter
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules.models import ruleset, ruleset_version
from chalicelib.rules.versions import LiveVersion

#: Events that are listed; the others are under GET /v1/accruals?ruleset_version=….
LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """Events that stay as they were decided: how many, what they earned in all, and the newest of them."""

    count: int
    points_minor: int
    newest: Sequence[Event]


def by_version(db: Connection, version: LiveVersion, *, since: date) -> Decided:
    """The events dated ``since`` or later that the version decided."""
    wanted = [accrual_event.c.ruleset_version_id == version.version_id, accrual_event.c.event_date >= since]
    if version.partner_id is not None:
        wanted.append(accrual_event.c.partner_id == version.partner_id)
    count, points = db.execute(
        select(func.count(), func.coalesce(func.sum(accrual_event.c.points_minor), 0)).where(*wanted)
    ).one()
    newest = history.events(
        db,
        EventFilter(partner_id=version.partner_id, version_id=version.version_id, since_day=since),
        before_seq=None,
        limit=LISTED_MAX,
    )
    return Decided(count, int(points), newest if count else ())


def by_others(db: Connection, version: LiveVersion, *, since: date) -> int:
    """How many events dated ``since`` or later other versions of the ruleset have decided already."""
    others = (
        select(ruleset_version.c.id)
        .join(ruleset, ruleset.c.id == ruleset_version.c.ruleset_id)
        .where(ruleset.c.code == version.ruleset_code, ruleset_version.c.id != version.version_id)
    )
    wanted = [accrual_event.c.ruleset_version_id.in_(others), accrual_event.c.event_date >= since]
    if version.partner_id is not None:
        wanted.append(accrual_event.c.partner_id == version.partner_id)
    return db.execute(select(func.count()).select_from(accrual_event).where(*wanted)).scalar_one()
