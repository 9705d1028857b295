"""A second person's word for a version, and whether it still holds.

An approval is bound to what the approver saw: the rule, its cases and how they ended, the code tables it looks up in,
and the data and the result of its back-test. When any of these is another one, the approval is void and says which.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit, users
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role
from chalicelib.errors import Fault, NotFound, NotPermitted
from chalicelib.rules import canonical, documents, gates
from chalicelib.rules.gates import Examined
from chalicelib.rules.models import code_table, ruleset_approval, ruleset_version
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import new_id, raw_id

_APPROVERS = frozenset({Role.ADMIN, Role.APPROVER})
_WORDS = {
    "rule": "the rule",
    "tests": "its cases or how they end",
    "code_tables": "a code table that it looks up in",
    "data": "the data of its back-test",
    "result": "the result of its back-test",
    "approver": "the approver, who may not approve any more",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a finished back-test of a version read and gave; it is made in a higher room, which knows back-tests."""

    backtest_id: bytes
    data_hash: bytes
    result_hash: bytes


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
    approved_by: str
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The latest approval of a version, None when there is none, and what has changed since it was given."""

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
    note: str | None = None,
    caller: Caller,
    now: datetime,
) -> Approval:
    """Note that the caller stands behind the version as it is now.

    ``evidence`` None: there is nothing to back-test on. The same word again, while it holds, is the same approval.
    Raises NotPermitted when the caller is no user (``not_an_approver``), the author (``own_approval``), or may not
    approve what this partner, or every partner, uses; GatesClosed when the version could not decide anyway.
    """
    require_approver(db, version, caller.actor)
    examined = gates.examine(db, version)
    examined.require()
    latest = _latest(db, version.version_id)
    bound = _bound(db, version, examined, evidence)
    if latest is not None and (latest.bound_hash, latest.approved_by) == (bound["bound_hash"], caller.actor):
        return latest
    row = {
        "id": new_id(),
        "version_id": version.version_id,
        **bound,
        "backtest_id": None if evidence is None else evidence.backtest_id,
        "approved_by": caller.actor,
        "note": note,
        "created_at": now,
    }
    db.execute(insert(ruleset_approval), row)
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
        },
        reason=note,
        now=now,
    )
    return Approval(**row)


def standing(
    db: Connection, version: LiveVersion, *, evidence: Evidence | None, examined: Examined | None = None
) -> Standing:
    """Whether the latest approval of a version holds; ``examined`` spares examining the version again."""
    latest = _latest(db, version.version_id)
    if latest is None:
        return Standing(None)
    now_bound = _bound(db, version, examined or gates.examine(db, version), evidence)
    changed = [
        what
        for what, column in (
            ("tests", "tests_hash"),
            ("code_tables", "tables_hash"),
            ("data", "data_hash"),
            ("result", "result_hash"),
        )
        if getattr(latest, column) != now_bound[column]
    ]
    if canonical.digest(canonical.text(version.document)) != version.content_hash or (
        not changed and latest.bound_hash != now_bound["bound_hash"]
    ):
        # The stored text is not the one that was approved: somebody wrote past the hub.
        changed.insert(0, "rule")
    try:
        require_approver(db, version, latest.approved_by)
    except (NotPermitted, NotFound):
        changed.append("approver")
    return Standing(latest, tuple(changed))


def require(db: Connection, version: LiveVersion, *, evidence: Evidence | None, examined: Examined) -> Approval:
    """The approval that holds. Raises NotPermitted: ``approval_required`` or ``approval_void``, naming what changed."""
    approval = require_any(db, version)
    found = standing(db, version, evidence=evidence, examined=examined)
    name = f"{version.ruleset_code} version {version.number}"
    if found.changed:
        words = ", ".join(_WORDS[what] for what in found.changed)
        raise NotPermitted(
            f"The approval of {name} is void, because this has changed since: {words}. It needs a new one.",
            code="approval_void",
            faults=[Fault(f"/approval/{what}", "changed_since", f"Changed: {_WORDS[what]}.") for what in found.changed],
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


def require_approver(db: Connection, version: LiveVersion, actor: str) -> None:
    """Raise NotPermitted unless ``actor`` is a user who may stand behind this version: a second person, in reach.

    NotFound for a user that there is not.
    """
    name = f"{version.ruleset_code} version {version.number}"
    if actor == version.created_by:
        raise NotPermitted(f"{name} was written by its approver: another person must approve it.", code="own_approval")
    if not actor.startswith("usr_"):
        raise NotPermitted("A person approves rules: use a key that belongs to a user.", code="not_an_approver")
    approver = users.find(db, raw_id("usr", actor), partner_id=None)
    in_reach = approver.partner_id is None or approver.partner_id == version.partner_id
    if approver.status != users.ACTIVE or approver.role not in _APPROVERS or not in_reach:
        raise NotPermitted(f"{actor} may not approve {name}.", code="not_an_approver")


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


def _bound(db: Connection, version: LiveVersion, examined: Examined, evidence: Evidence | None) -> dict[str, Any]:
    """The hashes that an approval of the version would be bound to now."""
    tables = documents.compiled(version).code_tables
    hashes = sorted(
        [row.code, row.content_hash.hex()]
        for row in db.execute(select(code_table.c.code, code_table.c.content_hash).where(code_table.c.code.in_(tables)))
    )
    bound = {
        "tests_hash": examined.tests_hash,
        "tables_hash": canonical.digest(canonical.text(hashes)),
        "data_hash": None if evidence is None else evidence.data_hash,
        "result_hash": None if evidence is None else evidence.result_hash,
    }
    parts = {name: None if value is None else value.hex() for name, value in bound.items()}
    rule = canonical.digest(canonical.text(version.document)).hex()
    return {**bound, "bound_hash": canonical.digest(canonical.text({"rule": rule, **parts}))}


def _approval(row: Row[Any]) -> Approval:
    return Approval(**{name: getattr(row, name) for name in Approval.__slots__})
