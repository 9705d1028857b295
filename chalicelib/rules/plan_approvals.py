"""A second person's word for a plan: for steps that change money otherwise than by a version of a rule.

A plan is named by its hash, which covers the documents, every step, and what each step found. The hub keeps the plans
that it made and that need approval, so that an approver reads what the hub says of a plan and not what a file says. An
approval is used up when the plan is applied, and ends by itself like that of a version.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit, keys, users
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role
from chalicelib.errors import Fault, NotFound, NotPermitted
from chalicelib.records import dataclass
from chalicelib.rules.approvals import VALID_FOR
from chalicelib.rules.models import configuration_plan, configuration_plan_event
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, raw_id

_APPROVERS: Final = frozenset({Role.ADMIN, Role.APPROVER})
_USER: Final = "usr_"


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """A plan was approved, or applied."""

    event: Literal["approved", "applied"]
    actor: str
    key_id: bytes | None
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan that needs approval, as the hub made it. ``content`` is JSON; ``partner_id`` None: it is of several."""

    plan_hash: bytes
    partner_id: bytes | None
    content: str
    planned_by: str
    created_at: datetime
    events: tuple[PlanEvent, ...]


def keep(
    db: Connection, plan_hash: bytes, content: str, *, partner_id: bytes | None, caller: Caller, now: datetime
) -> None:
    """Keep a plan for its approver; nothing happens when it is kept already."""
    row = {
        "plan_hash": plan_hash,
        "partner_id": partner_id,
        "content": content,
        "planned_by": caller.actor,
        "created_at": now,
    }
    bulk.insert_new(db, configuration_plan, [row], key=["plan_hash"], own="plan_hash")


def find(db: Connection, plan_hash: bytes, *, partner_id: bytes | None) -> KeptPlan:
    """A kept plan that ``partner_id`` (None: every partner) may see. Raises NotFound."""
    row = db.execute(select(configuration_plan).where(configuration_plan.c.plan_hash == plan_hash)).first()
    if row is None or (partner_id is not None and row.partner_id != partner_id):
        raise _unknown()
    return _kept(db, row)


def approve(
    db: Connection,
    plan_hash: bytes,
    *,
    note: str | None = None,
    partner_id: bytes | None,
    key_id: bytes,
    caller: Caller,
    now: datetime,
) -> KeptPlan:
    """Note that the caller, by the key ``key_id``, stands behind a plan; who applies it must be another person.

    The same word again, while it holds, changes nothing. ``partner_id`` is the caller's reach. Raises NotFound, and
    NotPermitted (``not_an_approver``) for who may not approve what the plan is about.
    """
    plan = _locked(db, plan_hash)
    if partner_id is not None and plan.partner_id != partner_id:
        raise _unknown()
    _require_approver(db, plan, caller.actor)
    if any(each.actor == caller.actor and each.key_id == key_id for each in _standing(plan, now)):
        return plan
    _add(db, plan_hash, "approved", note=note, key_id=key_id, caller=caller, now=now)
    audit.record(
        db,
        caller=caller,
        action="configuration_plan.approved",
        subject=plan_hash.hex(),
        partner_id=plan.partner_id,
        after={"plan_hash": plan_hash},
        reason=note,
        now=now,
    )
    return _kept(db, plan)


def use(db: Connection, plan_hash: bytes, steps: Sequence[Fault], *, caller: Caller, now: datetime) -> None:
    """Use up the approval of a plan that is being applied by the caller.

    Raises NotPermitted (``approval_required``, its faults are the ``steps`` that need a second person) unless another
    person approved this plan and it was not applied since; ``own_approval``, ``key_from_author`` or
    ``key_given_to_author`` when the only approval is by one who may be the same person.
    """
    row = db.execute(
        select(configuration_plan).where(configuration_plan.c.plan_hash == plan_hash).with_for_update()
    ).first()
    standing = [] if row is None else _standing(_kept(db, row), now)
    if row is None or not standing:
        raise NotPermitted(
            "This plan changes money otherwise than by a rule: another person must approve it before it is applied.",
            code="approval_required",
            faults=steps,
        )
    refusal: NotPermitted | NotFound | None = None
    for each in reversed(standing):
        try:
            _require_approver(db, _kept(db, row), each.actor)
            _require_hands_apart(db, each, caller, now)
        except (NotPermitted, NotFound) as error:
            refusal = refusal or error
        else:
            _add(db, plan_hash, "applied", note=None, key_id=None, caller=caller, now=now)
            audit.record(
                db,
                caller=caller,
                action="configuration_plan.applied",
                subject=plan_hash.hex(),
                partner_id=row.partner_id,
                after={"plan_hash": plan_hash, "approved_by": each.actor},
                now=now,
            )
            return
    if refusal is not None:
        raise refusal


def _require_approver(db: Connection, plan: KeptPlan, actor: str) -> None:
    """Raise NotPermitted unless ``actor`` is a user who may approve what the plan is about."""
    if not actor.startswith(_USER):
        raise NotPermitted("A person approves plans: use a key that belongs to a user.", code="not_an_approver")
    approver = users.find(db, raw_id("usr", actor), partner_id=None)
    in_reach = approver.partner_id is None or approver.partner_id == plan.partner_id
    if approver.status != users.ACTIVE or approver.role not in _APPROVERS or not in_reach:
        raise NotPermitted(f"{actor} may not approve this plan.", code="not_an_approver")


def _require_hands_apart(db: Connection, approval: PlanEvent, caller: Caller, now: datetime) -> None:
    """Raise NotPermitted when who approved and who applies may be one person who holds the keys of two."""
    if approval.actor == caller.actor:
        raise NotPermitted("You approved this plan: another person must apply it.", code="own_approval")
    if approval.key_id is not None and caller.actor in keys.holders(db, approval.key_id):
        raise NotPermitted(
            "You have had the key in hand that approved this plan, or one that it was made of: a third person must"
            " approve it, or apply it.",
            code="key_from_author",
        )
    if caller.actor.startswith(_USER) and approval.actor in keys.held_for(db, raw_id("usr", caller.actor), at=now):
        raise NotPermitted(
            "Who approved this plan has had a key of yours in hand: a third person must approve it, or apply it.",
            code="key_given_to_author",
        )


def _standing(plan: KeptPlan, now: datetime) -> list[PlanEvent]:
    """The approvals that no application has used up yet and that have not ended."""
    found: list[PlanEvent] = []
    for each in plan.events:
        found = [] if each.event == "applied" else [*found, each]
    return [each for each in found if now < each.created_at + VALID_FOR]


def _locked(db: Connection, plan_hash: bytes) -> KeptPlan:
    """A kept plan; whoever approves or applies it takes turns here. Raises NotFound."""
    row = db.execute(
        select(configuration_plan).where(configuration_plan.c.plan_hash == plan_hash).with_for_update()
    ).first()
    if row is None:
        raise _unknown()
    return _kept(db, row)


def _add(
    db: Connection,
    plan_hash: bytes,
    event: Literal["approved", "applied"],
    *,
    note: str | None,
    key_id: bytes | None,
    caller: Caller,
    now: datetime,
) -> None:
    row = {
        "id": new_id(),
        "plan_hash": plan_hash,
        "event": event,
        "actor": caller.actor,
        "key_id": key_id,
        "note": note,
        "created_at": now,
    }
    db.execute(insert(configuration_plan_event), row)


def _kept(db: Connection, row: Row[Any] | KeptPlan) -> KeptPlan:
    events = db.execute(
        select(configuration_plan_event)
        .where(configuration_plan_event.c.plan_hash == row.plan_hash)
        .order_by(configuration_plan_event.c.created_at, configuration_plan_event.c.id)
    )
    return KeptPlan(
        plan_hash=row.plan_hash,
        partner_id=row.partner_id,
        content=row.content,
        planned_by=row.planned_by,
        created_at=row.created_at,
        events=tuple(PlanEvent(each.event, each.actor, each.key_id, each.note, each.created_at) for each in events),
    )


def _unknown() -> NotFound:
    return NotFound("There is no plan of this hash that waits for approval: plan first (POST /v1/config/plan).")
