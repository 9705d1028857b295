"""Which version decides from which date: promoting one, and taking one back. Activations are only ever added.

What is decided stays decided: neither touches an event that was decided before. Whoever changes what a ruleset decides
holds its row locked; readers wait for nobody and see one activation whole or not at all.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput, NotFound
from chalicelib.records import dataclass
from chalicelib.rules import approvals, code_table_content, deciders, gates, rivals
from chalicelib.rules.approvals import Approval
from chalicelib.rules.backtested import Evidence
from chalicelib.rules.gates import Examined
from chalicelib.rules.models import ruleset_activation
from chalicelib.rules.versions import LiveVersion, deciding, require_locked, version
from chalicelib.settings import settings
from chalicelib.storage.ids import new_id

#: What the back-tests of a version say for it. A higher room brings it, which knows back-tests.
Backtested: TypeAlias = Callable[[Connection, LiveVersion], Evidence | None]


#: How far after today, and after the last day that something is planned for, a rollback may begin.
AHEAD_MAX: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did. ``restored``: from which day on which version decides again."""

    withdrawn: LiveVersion
    restored: tuple[tuple[date, LiveVersion], ...]
    activated_at: datetime


def activate(
    db: Connection,
    ruleset_code: str,
    version_id: bytes,
    *,
    effective_from: date,
    by_file: bool = False,
    backtested: Backtested | None = None,
    reason: str | None = None,
    caller: Caller,
    now: datetime,
) -> bool:
    """Let a version decide every event dated ``effective_from`` or later that is not decided yet.

    False, and nothing written, when it does so already. ``by_file``: rule files ask for it, not a person who names the
    day (``by_files`` says what files may take away). Without ``backtested`` there are no back-tests at all.
    Raises NotFound for an unknown ruleset or a version that is not its own; InvalidInput for a day outside the
    document's ``effective`` period; GatesClosed while a case is red, a place not covered, a lint an error, or another
    ruleset decides the same; NotPermitted when approval is required and missing (``approval_required``) or void
    (``approval_void``); what ``backtested`` raises.
    """
    chosen = version(db, version_id)
    if chosen.ruleset_code != ruleset_code:
        raise NotFound(f"Ruleset {ruleset_code!r} has no such version.")
    # Before the ruleset, as whoever applies files does. Who changes an entry waits for this, and asks afterwards if the
    # table decides money; who did so first is waited for here, and what the table says now must be what was approved.
    code_table_content.hold(db, gates.code_tables_of(chosen))
    owner = require_locked(db, ruleset_code)
    known = _activations(db, owner.id)
    if _decides_from(known, chosen.version_id, effective_from):
        return False
    _require_period(chosen, effective_from)
    examined = gates.examine(db, chosen)
    examined.require(rivals.of(db, chosen, effective_from=effective_from, now=now))
    approval = _approval(db, chosen, backtested, effective_from, examined, now)
    approved_by = None if approval is None else approval.approved_by
    _add(db, owner, known, chosen, effective_from, by_file=by_file, approved_by=approved_by, caller=caller, now=now)
    audit.record(
        db,
        caller=caller,
        action="ruleset.activated",
        subject=ruleset_code,
        partner_id=owner.partner_id,
        after={
            "version": chosen.number,
            "content_hash": chosen.content_hash,
            "effective_from": effective_from,
            "approved_by": approved_by,
            "bound_hash": None if approval is None else approval.bound_hash,
        },
        reason=reason,
        now=now,
    )
    return True


def roll_back(
    db: Connection, ruleset_code: str, *, effective_from: date, reason: str, caller: Caller, now: datetime
) -> RolledBack:
    """Let the version that decided before decide again from a day on; the one that decides now is withdrawn from then.

    What was planned for later days stays planned, unless it is of the withdrawn version, which decides no day from this
    one on (``deciders``). The version before was let through when it came, so it is not held to today's cases again,
    nor to another approval: taking back must not wait. Raises NotFound; Conflict (``nothing_to_roll_back``) when
    nothing decides on that day, or nothing did before; InvalidInput when the version before is not meant for that day,
    or the day is more than a year ahead of today and of everything planned (``rollback_too_far_ahead``).
    """
    owner = require_locked(db, ruleset_code)
    known = _activations(db, owner.id)
    _require_near(known, effective_from, now)
    stack = deciders.of_day(known, effective_from)
    if len(stack) < 2:
        what = "decided before" if stack else "decides"
        raise Conflict(
            f"No version of {ruleset_code} {what} on {effective_from}: there is nothing to go back to.",
            code="nothing_to_roll_back",
        )
    withdrawn = version(db, stack[-1])
    steps = deciders.without(known, withdrawn.version_id, effective_from)
    restored = tuple((day, version(db, each)) for day, each in steps)
    _require_period(restored[0][1], effective_from)
    activated_at = now
    for day, chosen in restored:
        approved_by = next((row.approved_by for row in reversed(known) if row.version_id == chosen.version_id), None)
        activated_at = _add(
            db,
            owner,
            known,
            chosen,
            day,
            withdraws_id=withdrawn.version_id,
            approved_by=approved_by,
            caller=caller,
            now=now,
        )
        known = _activations(db, owner.id)
    audit.record(
        db,
        caller=caller,
        action="ruleset.rolled_back",
        subject=ruleset_code,
        partner_id=owner.partner_id,
        before={"version": withdrawn.number, "content_hash": withdrawn.content_hash},
        after={
            "effective_from": effective_from,
            "decides": [[day.isoformat(), chosen.number] for day, chosen in restored],
        },
        reason=reason,
        now=now,
    )
    return RolledBack(withdrawn, restored, activated_at)


def _approval(
    db: Connection,
    chosen: LiveVersion,
    backtested: Backtested | None,
    effective_from: date,
    examined: Examined,
    now: datetime,
) -> Approval | None:
    """The approval that holds; where none is asked for, None when there is none. Raises NotPermitted."""
    required = settings().rule_approval == "required"
    if required:
        approvals.require_any(db, chosen)
    evidence = None if backtested is None else backtested(db, chosen)
    if required:
        return approvals.require(
            db, chosen, evidence=evidence, effective_from=effective_from, examined=examined, now=now
        )
    found = approvals.standing(db, chosen, evidence=evidence, effective_from=effective_from, examined=examined, now=now)
    return found.approval if found.valid else None


def _activations(db: Connection, ruleset_id: bytes) -> list[Row[Any]]:
    """All activations of a ruleset, in the order in which they became known."""
    return list(
        db.execute(
            select(ruleset_activation)
            .where(ruleset_activation.c.ruleset_id == ruleset_id)
            .order_by(ruleset_activation.c.activated_at)
        )
    )


def _add(
    db: Connection,
    owner: Row[Any],
    known: Sequence[Row[Any]],
    chosen: LiveVersion,
    effective_from: date,
    *,
    by_file: bool = False,
    withdraws_id: bytes | None = None,
    approved_by: str | None,
    caller: Caller,
    now: datetime,
) -> datetime:
    """Add one activation; since when it is known."""
    # The latest activation wins, so two of one ruleset never bear the same time, whatever the clocks say.
    latest = known[-1].activated_at if known else None
    activated_at = now if latest is None or latest < now else latest + timedelta(microseconds=1)
    db.execute(
        insert(ruleset_activation),
        {
            "id": new_id(),
            "ruleset_id": owner.id,
            "version_id": chosen.version_id,
            "effective_from": effective_from,
            "activated_at": activated_at,
            "activated_by": caller.actor,
            "approved_by": approved_by,
            "withdraws_id": withdraws_id,
            "by_file": by_file,
        },
    )
    return activated_at


def _decides_from(known: Sequence[Row[Any]], version_id: bytes, day: date) -> bool:
    """Whether this version is what decides every day from ``day`` on."""
    steps = deciding((row.effective_from, row.activated_at, row.version_id) for row in known)
    from_then = {each for start, each in steps if start > day}
    before = [each for start, each in steps if start <= day]
    return bool(before) and {before[-1], *from_then} == {version_id}


def _require_near(known: Sequence[Row[Any]], day: date, now: datetime) -> None:
    """Refuse a day on which nobody notices that the version to be taken back goes on deciding until then."""
    last = max((now.date(), *(row.effective_from for row in known)))
    if day > last and day - last > AHEAD_MAX:
        raise InvalidInput(
            f"Until {day} everything would be decided as it is now. Name the first event day on which the version"
            f" before is to decide again: at most a year after {last}.",
            code="rollback_too_far_ahead",
        )


def _require_period(chosen: LiveVersion, effective_from: date) -> None:
    first, last = chosen.effective_from, chosen.effective_to
    if first is not None and effective_from < first:
        raise InvalidInput(f"{chosen.ruleset_code} version {chosen.number} is meant for {first} and later.")
    if last is not None and effective_from > last:
        raise InvalidInput(f"{chosen.ruleset_code} version {chosen.number} is meant for days up to {last}.")
