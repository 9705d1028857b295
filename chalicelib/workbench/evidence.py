"""What the back-tests of a version say for it, and whether they have looked at enough to be approved."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection, Row

from chalicelib.errors import Conflict, Unprocessable
from chalicelib.rules import approvals
from chalicelib.rules.approvals import VALID_FOR
from chalicelib.rules.backtested import Evidence, Run
from chalicelib.rules.gates import Examined
from chalicelib.rules.versions import LiveVersion
from chalicelib.settings import settings
from chalicelib.storage.ids import public_id
from chalicelib.workbench import covering
from chalicelib.workbench.models import backtest


class BacktestMissing(Unprocessable):
    """Events have been decided that no back-test of the version has looked at: they must be seen first."""

    code = "backtest_missing"


class BacktestNotNamed(Unprocessable):
    """Approvers say which figures they saw."""

    code = "backtest_not_named"


class BacktestOutdated(Unprocessable):
    """What the back-test was run with is not what would decide now."""

    code = "backtest_outdated"


def of(db: Connection, version: LiveVersion) -> Evidence | None:
    """The finished back-tests that count for a version; None: there is none.

    For what every partner uses only those count that were asked for by who is bound to no partner: nobody else's word
    may move what others decide by.
    """
    runs = tuple(
        Run(row.id, row.partner_id, row.data_hash, row.result_hash, row.finished_at) for row in _finished(db, version)
    )
    return Evidence(runs) if runs else None


def require(db: Connection, version: LiveVersion) -> Evidence | None:
    """The same, once they have looked at what the version would decide; None only where there is nothing to look at.

    Raises BacktestMissing, which says what to run.
    """
    found = of(db, version)
    latest = () if found is None else found.latest
    gaps = covering.gaps(db, version, [run.backtest_id for run in latest])
    if gaps:
        name = f"{version.ruleset_code} version {version.number}"
        partners = sorted({gap.partner_code for gap in gaps})
        whose = "all its programs" if version.partner_id is not None else f"each of {', '.join(partners)}"
        raise BacktestMissing(
            f"Nobody has seen all that {name} would have decided: "
            f"{'there is no back-test of' if found is None else 'its latest back-test did not look at'} "
            f"{gaps[0].told}{f' ({len(gaps) - 1} more)' if len(gaps) > 1 else ''}. "
            f"Back-test it on {whose} from {min(gap.first_day for gap in gaps)} on."
        )
    return found


def for_approval(
    db: Connection, version: LiveVersion, seen: Collection[bytes], *, examined: Examined, now: datetime
) -> Evidence | None:
    """The same, for an approver who saw the back-tests ``seen``.

    Raises BacktestMissing; Conflict (``other_backtest``) when they are not the latest ones; BacktestNotNamed when they
    are needed and left out; BacktestOutdated when the code tables or the cases are others since, or it is long ago.
    """
    found = require(db, version)
    latest = {} if found is None else {run.backtest_id: run for run in found.latest}
    if seen and set(seen) != latest.keys():
        others = ", ".join(public_id("bkt", each) for each in sorted(latest)) or "none"
        raise Conflict(
            f"What you saw is not the latest finished back-test of this version ({others}): look at that one.",
            code="other_backtest",
        )
    if latest and not seen and covering.needed(db, version):
        raise BacktestNotNamed(
            "Say which back-test you looked at: "
            f"`backtest_id` is {', '.join(public_id('bkt', each) for each in sorted(latest))}."
        )
    _require_current(db, version, latest, examined, now)
    return found


def for_promotion(db: Connection, version: LiveVersion) -> Evidence | None:
    """The same, as a version needs it that is to decide. Raises BacktestMissing where approval is required.

    A version may have been approved when there was nothing to back-test on, and be promoted when there is.
    """
    return require(db, version) if settings().rule_approval == "required" else of(db, version)


def _finished(db: Connection, version: LiveVersion, ids: Collection[bytes] = ()) -> list[Row[Any]]:
    column = backtest.c
    wanted = [column.version_id == version.version_id, column.state == "done"]
    if version.partner_id is None:
        wanted.append(column.bound_to.is_(None))
    else:
        wanted.append(or_(column.bound_to.is_(None), column.bound_to == version.partner_id))
    if ids:
        wanted.append(column.id.in_(sorted(ids)))
    return list(db.execute(select(backtest).where(*wanted)))


def _require_current(
    db: Connection, version: LiveVersion, latest: Collection[bytes], examined: Examined, now: datetime
) -> None:
    if not latest:
        return
    tables = approvals.tables_hash(db, version)
    for row in _finished(db, version, latest):
        changed = [
            what
            for what, moved in (
                ("a code table that it looks up in has changed since", row.tables_hash != tables),
                ("its cases, the golden ones too, are others since", row.tests_hash != examined.tests_hash),
                (f"it was run more than {VALID_FOR.days} days ago", now - row.created_at > VALID_FOR),
            )
            if moved
        ]
        if changed:
            raise BacktestOutdated(
                f"{public_id('bkt', row.id)} does not show what {version.ruleset_code} version {version.number} would "
                f"decide now: {'; '.join(changed)}. Run it again."
            )
