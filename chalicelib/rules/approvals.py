"""A second person's word for a version, and whether it still holds.

An approval is bound to what the approver saw: the rule, its cases and how they ended, the code tables it looks up in,
and the data and the result of its back-test; to the first day from which the version may decide; and to a time. What
does not hold any more says why.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import exists, insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Fault, InvalidInput, NotFound, NotPermitted
from chalicelib.records import dataclass
from chalicelib.rules import approvers, backtested, canonical, documents, gates
from chalicelib.rules.backtested import Evidence, Run
from chalicelib.rules.gates import Examined
from chalicelib.rules.models import code_table, ruleset_activation, ruleset_approval, ruleset_version
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import new_id, public_id

#: How long an approval can be used, and how old a back-test may be when it is approved.
VALID_FOR: Final = timedelta(days=30)
_CHANGED: Final = "changed_since"
#: What may keep an approval from holding -> the code of its fault, and what is said of it.
_VOID: Final = {
    "rule": (_CHANGED, "the rule has changed"),
    "tests": (_CHANGED, "its cases or how they end have changed"),
    "code_tables": (_CHANGED, "a code table that it looks up in has changed"),
    "data": (_CHANGED, "a later back-test read other data"),
    "result": (_CHANGED, "a later back-test gave another result"),
    "approver": (_CHANGED, "the approver may not approve it any more"),
    "expired": ("expired", f"it is more than {VALID_FOR.days} days old"),
    "used_up": ("used_up", "a rollback has taken the version back since"),
    "effective_from": ("too_early", "it was given for later days"),
}


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval as it was given. ``data_hash`` and ``result_hash`` None: there was nothing to back-test on."""

    id: bytes
    version_id: bytes
    tests_hash: bytes
    tables_hash: bytes
    data_hash: bytes | None
    result_hash: bytes | None
    bound_hash: bytes
    backtest_id: bytes | None
    backtest_ids: tuple[bytes, ...]
    effective_from: date
    approved_by: str
    note: str | None
    created_at: datetime

    @property
    def valid_until(self) -> datetime:
        """When it ends, used or not."""
        return self.created_at + VALID_FOR


@dataclass(frozen=True, slots=True)
class Standing:
    """The latest approval of a version, None when there is none, and why it does not hold, if it does not."""

    approval: Approval | None
    changed: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether a second person stands behind the version as it is now."""
        return self.approval is not None and not self.changed


def approve(
    db: Connection,
    version: LiveVersion,
    *,
    evidence: Evidence | None,
    effective_from: date | None = None,
    note: str | None = None,
    key_id: bytes,
    caller: Caller,
    now: datetime,
) -> Approval:
    """Note that the caller, by the key ``key_id``, stands behind the version as it is now.

    ``effective_from``: the first day from which it may come to decide; None: today (UTC), or the first day of its
    document, whichever is later. ``evidence`` None: there is nothing to back-test on. The same word again, while it
    holds, is the same approval. Raises what ``require_may_approve`` does; GatesClosed when the version could not decide
    anyway; InvalidInput for a day for which the version is not meant.
    """
    require_may_approve(db, version, key_id=key_id, caller=caller)
    day = _day(version, effective_from, now)
    examined = gates.examine(db, version)
    examined.require()
    runs = () if evidence is None else evidence.latest
    bound = _bound(db, version, examined, runs, day)
    known = standing(db, version, evidence=evidence, examined=examined, now=now)
    if known.approval is not None and known.valid:
        same = (known.approval.bound_hash, known.approval.approved_by) == (bound["bound_hash"], caller.actor)
        if same and known.approval.backtest_ids == tuple(run.backtest_id for run in runs):
            return known.approval
    row = {
        "id": new_id(),
        "version_id": version.version_id,
        **bound,
        "backtest_id": max(runs, key=lambda run: run.place).backtest_id if runs else None,
        "backtest_ids": tuple(run.backtest_id for run in runs),
        "effective_from": day,
        "approved_by": caller.actor,
        "note": note,
        "created_at": now,
    }
    stored = {**row, "backtest_ids": json.dumps([run.backtest_id.hex() for run in runs])}
    db.execute(insert(ruleset_approval), stored)
    audit.record(
        db,
        caller=caller,
        action="ruleset.approved",
        subject=version.ruleset_code,
        partner_id=version.partner_id,
        after={
            "version": version.number,
            "content_hash": version.content_hash,
            "bound_hash": bound["bound_hash"],
            "backtest": row["backtest_id"],
            "effective_from": day,
            "key": public_id("key", key_id),
            "hands_on_both": approvers.hands_on_both(db, version, key_id),
        },
        reason=note,
        now=now,
    )
    return Approval(**row)


def require_may_approve(db: Connection, version: LiveVersion, *, key_id: bytes, caller: Caller) -> None:
    """Raise NotPermitted unless the caller may approve the version by this key.

    Refused are the author (``own_approval``), who is no user or may not approve what this partner, or every partner,
    uses (``not_an_approver``), and keys that author or approver had from the other (``key_from_author``,
    ``key_given_to_author``).
    """
    approvers.require(db, version, caller.actor)
    approvers.require_hands_apart(db, version, caller.actor, key_id)


def standing(
    db: Connection,
    version: LiveVersion,
    *,
    evidence: Evidence | None,
    effective_from: date | None = None,
    examined: Examined | None = None,
    now: datetime,
) -> Standing:
    """Whether the latest approval of a version holds, and, unless it is None, for ``effective_from``.

    ``evidence``: all its finished back-tests; one that is later than those approved, and read or gave anything else,
    makes the approval void for good. ``examined`` spares examining the version again.
    """
    latest = _latest(db, version.version_id)
    if latest is None:
        return Standing(None)
    runs = () if evidence is None else evidence.of(latest.backtest_ids)
    bound = _bound(db, version, examined or gates.examine(db, version), runs, latest.effective_from)
    newer = backtested.newer_than(evidence, latest.backtest_ids)
    moved = {
        "tests": latest.tests_hash != bound["tests_hash"],
        "code_tables": latest.tables_hash != bound["tables_hash"],
        "data": latest.data_hash != bound["data_hash"]
        or any(before is None or run.data_hash != before.data_hash for run, before in newer),
        "result": latest.result_hash != bound["result_hash"]
        or any(before is None or run.result_hash != before.result_hash for run, before in newer),
    }
    changed = [what for what, is_moved in moved.items() if is_moved]
    if canonical.digest(canonical.text(version.document)) != version.content_hash or (
        not changed and latest.bound_hash != bound["bound_hash"]
    ):
        # The stored text is not the one that was approved: somebody wrote past the hub.
        changed.insert(0, "rule")
    try:
        approvers.require(db, version, latest.approved_by)
    except (NotPermitted, NotFound):
        changed.append("approver")
    if now >= latest.valid_until:
        changed.append("expired")
    if _taken_back(db, latest):
        changed.append("used_up")
    if effective_from is not None and effective_from < latest.effective_from:
        changed.append("effective_from")
    return Standing(latest, tuple(changed))


def require(
    db: Connection,
    version: LiveVersion,
    *,
    evidence: Evidence | None,
    effective_from: date,
    examined: Examined,
    now: datetime,
) -> Approval:
    """The approval that holds for a promotion from this day.

    Raises NotPermitted: ``approval_required``, or ``approval_void``, with why it does not hold.
    """
    approval = require_any(db, version)
    found = standing(db, version, evidence=evidence, effective_from=effective_from, examined=examined, now=now)
    if found.changed:
        told = {what: _VOID[what] for what in found.changed}
        if "effective_from" in told:
            told["effective_from"] = ("too_early", f"it was given for {approval.effective_from} and later")
        raise NotPermitted(
            f"The approval of {version.ruleset_code} version {version.number} does not hold: "
            f"{'; '.join(words for _, words in told.values())}. It needs a new one.",
            code="approval_void",
            faults=[
                Fault(f"/approval/{what}", code, f"{words[0].upper()}{words[1:]}.")
                for what, (code, words) in told.items()
            ],
        )
    return approval


def require_any(db: Connection, version: LiveVersion) -> Approval:
    """The latest approval of a version, whether it holds or not. Raises NotPermitted (``approval_required``)."""
    latest = _latest(db, version.version_id)
    if latest is None:
        raise NotPermitted(
            f"{version.ruleset_code} version {version.number} needs approval by a second person before it decides"
            f"{_of_another(db, version)}.",
            code="approval_required",
        )
    return latest


def tables_hash(db: Connection, version: LiveVersion) -> bytes:
    """The hash of the code tables that the version looks up in, as they are now."""
    tables = documents.compiled(version).code_tables
    rows = db.execute(select(code_table.c.code, code_table.c.content_hash).where(code_table.c.code.in_(tables)))
    return canonical.digest(canonical.text(sorted([row.code, row.content_hash.hex()] for row in rows)))


def first_day(version: LiveVersion, now: datetime) -> date:
    """The day from which a version decides when nobody says: today (UTC), or the first day that it is meant for."""
    today = now.date()
    return today if version.effective_from is None else max(today, version.effective_from)


def _day(version: LiveVersion, asked: date | None, now: datetime) -> date:
    """The first day of an approval. Raises InvalidInput."""
    first, last = version.effective_from, version.effective_to
    day = asked or first_day(version, now)
    if (first is not None and day < first) or (last is not None and day > last):
        raise InvalidInput(
            f"{version.ruleset_code} version {version.number} is not meant for {day}: its document says from when "
            "to when it decides."
        )
    return day


def _taken_back(db: Connection, approval: Approval) -> bool:
    """Whether a rollback has withdrawn the version since it was approved: that used the approval up."""
    column = ruleset_activation.c
    taken = exists().where(column.withdraws_id == approval.version_id, column.activated_at >= approval.created_at)
    return bool(db.execute(select(taken)).scalar_one())


def _latest(db: Connection, version_id: bytes) -> Approval | None:
    row = db.execute(
        select(ruleset_approval)
        .where(ruleset_approval.c.version_id == version_id)
        .order_by(ruleset_approval.c.created_at.desc(), ruleset_approval.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _approval(row)


def _of_another(db: Connection, version: LiveVersion) -> str:
    """The end of a sentence: which other version of the ruleset was approved last."""
    mine = select(ruleset_version.c.ruleset_id).where(ruleset_version.c.id == version.version_id).scalar_subquery()
    row = db.execute(
        select(ruleset_version.c.number, ruleset_approval.c.created_at)
        .join(ruleset_approval, ruleset_approval.c.version_id == ruleset_version.c.id)
        .where(ruleset_version.c.ruleset_id == mine)
        .order_by(ruleset_approval.c.created_at.desc(), ruleset_approval.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return ""
    return f" (the latest approval, of {row.created_at:%Y-%m-%d}, is of version {row.number}: the rule has changed)"


def _bound(
    db: Connection, version: LiveVersion, examined: Examined, runs: Sequence[Run], effective_from: date
) -> dict[str, Any]:
    """The hashes that an approval of the version on these back-tests, from that day, would be bound to now."""
    bound = {
        "tests_hash": examined.tests_hash,
        "tables_hash": tables_hash(db, version),
        "data_hash": backtested.data_hash(runs),
        "result_hash": backtested.result_hash(runs),
    }
    parts = {name: None if value is None else value.hex() for name, value in bound.items()}
    whole = {
        "rule": canonical.digest(canonical.text(version.document)).hex(),
        "effective_from": effective_from.isoformat(),
        **parts,
    }
    return {**bound, "bound_hash": canonical.digest(canonical.text(whole))}


def _approval(row: Row[Any]) -> Approval:
    said = {name: getattr(row, name) for name in Approval.__slots__}
    return Approval(**{**said, "backtest_ids": tuple(map(bytes.fromhex, json.loads(row.backtest_ids)))})
