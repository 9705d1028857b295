"""What the back-tests of a version say for it: the hashes that an approval is bound to."""

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Unprocessable
from chalicelib.points.models import accrual_event
from chalicelib.rules import canonical
from chalicelib.rules.approvals import Evidence
from chalicelib.rules.models import ruleset_version
from chalicelib.rules.versions import LiveVersion
from chalicelib.settings import settings
from chalicelib.workbench.models import backtest


class BacktestMissing(Unprocessable):
    """Other versions of the ruleset have decided events: what this one would have decided must be seen first."""

    code = "backtest_missing"


def of(db: Connection, version: LiveVersion) -> Evidence | None:
    """The latest finished back-test of a version; of a shared ruleset, the latest of each partner taken together."""
    rows = db.execute(
        select(backtest.c.id, backtest.c.partner_id, backtest.c.data_hash, backtest.c.result_hash)
        .where(backtest.c.version_id == version.version_id, backtest.c.state == "done")
        .order_by(backtest.c.id)
    ).all()
    latest = {row.partner_id: row for row in rows}
    if not latest:
        return None
    newest = rows[-1]
    if len(latest) == 1:
        return Evidence(newest.id, newest.data_hash, newest.result_hash)
    each = [latest[partner_id] for partner_id in sorted(latest)]
    return Evidence(
        newest.id,
        canonical.digest(canonical.text([row.data_hash.hex() for row in each])),
        canonical.digest(canonical.text([row.result_hash.hex() for row in each])),
    )


def require(db: Connection, version: LiveVersion) -> Evidence | None:
    """The same; None only where there is nothing to back-test on. Raises BacktestMissing."""
    found = of(db, version)
    if found is None and _others_decided(db, version):
        raise BacktestMissing(
            f"{version.ruleset_code} has decided events: back-test version {version.number} on them before it is "
            "approved."
        )
    return found


def for_promotion(db: Connection, version: LiveVersion) -> Evidence | None:
    """The same, as a version needs it that is to decide. Raises BacktestMissing where approval is required.

    A version may have been approved when there was nothing to back-test on, and be promoted when there is.
    """
    return require(db, version) if settings().rule_approval == "required" else of(db, version)


def _others_decided(db: Connection, version: LiveVersion) -> bool:
    """Whether any event was decided by another version of the ruleset."""
    if version.kind != "accrual":
        return False
    mine = select(ruleset_version.c.ruleset_id).where(ruleset_version.c.id == version.version_id).scalar_subquery()
    others = select(ruleset_version.c.id).where(
        ruleset_version.c.ruleset_id == mine, ruleset_version.c.id != version.version_id
    )
    wanted: list[ColumnElement[bool]] = [accrual_event.c.ruleset_version_id.in_(others)]
    if version.partner_id is not None:
        wanted.append(accrual_event.c.partner_id == version.partner_id)
    return bool(db.execute(select(exists().where(*wanted))).scalar_one())
