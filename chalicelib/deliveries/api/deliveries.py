"""/v1/deliveries: what is on its way to outside systems, and what an operator does about it."""

from datetime import datetime, timedelta
from typing import Final, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries import operating, outbox
from chalicelib.deliveries.outbox import Delivery, DeliveryFilter
from chalicelib.deliveries.wake import wake
from chalicelib.errors import Conflict, NotFound
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import DeliveryId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

#: Ten years.
_OLDER_THAN_S_MAX: Final = 315_360_000
State = Literal["ready", "leased", "confirmed", "dead", "superseded", "discarded"]


class DeliveryView(View):
    """One message to one target. A ``ready`` one with a ``last_code`` waits after a failure, a ``dead`` one for you."""

    id: PublicId
    partner_id: PublicId
    target: str
    entity: str = Field(examples=["balance"])
    key: str = Field(description="The record: for a balance, its account.", examples=["acc_01m80ezmgbefm8btvg41ypyz86"])
    state: State
    version: int | None = Field(description="Of the record, as it was read for the latest attempt.")
    attempts: int
    failures: int = Field(description="Attempts that count towards the target's limit.")
    next_at: datetime
    last_code: str | None = Field(examples=["customer_missing"])
    last_detail: str | None
    created_at: datetime
    changed_at: datetime
    confirmed_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        """The delivery as shown."""
        of_account = delivery.entity == "balance"
        return cls(
            id=public_id("dlv", delivery.id),
            partner_id=public_id("par", delivery.partner_id),
            target=delivery.target_code,
            entity=delivery.entity,
            key=public_id("acc", bytes.fromhex(delivery.entity_key)) if of_account else delivery.entity_key,
            state=delivery.state,
            version=delivery.version,
            attempts=delivery.attempts,
            failures=delivery.failures,
            next_at=delivery.next_at,
            last_code=delivery.last_code,
            last_detail=delivery.last_detail,
            created_at=delivery.created_at,
            changed_at=delivery.changed_at,
            confirmed_at=delivery.confirmed_at,
        )


class DeliveryQuery(PageQuery):
    """Which deliveries are wanted."""

    partner_id: str | None = Field(
        default=None, description="Id of a partner.", examples=["par_01m80ezmgbefm8btvg41ypyz86"]
    )
    target: str | None = Field(default=None, max_length=64, description="The target's code.", examples=["store"])
    state: State | None = Field(default=None, description="How far they are.")
    code: str | None = Field(
        default=None, max_length=60, description="How the latest attempt failed.", examples=["customer_missing"]
    )
    account_id: str | None = Field(
        default=None,
        description="Only those of one account's balance: the `key` of a delivery.",
        examples=["acc_01m80ezmgbefm8btvg41ypyz86"],
    )
    older_than_s: int | None = Field(
        default=None,
        ge=0,
        le=_OLDER_THAN_S_MAX,
        description="Only those made at least so many seconds ago.",
        examples=[3600],
    )


class ActionBody(Body):
    """What to do. ``reason`` is kept in the audit trail; for ``mark_done`` it is the proof that it arrived."""

    action: operating.Action = "retry"
    reason: str = Field(min_length=3, max_length=500)


class ActionView(View):
    """The delivery afterwards; ``superseded`` when a newer state of its record took the retry over."""

    id: PublicId
    state: State


@endpoint(blueprint, "GET /v1/deliveries", scope=Scope.DELIVERIES_READ)
def list_deliveries(call: Call, query: DeliveryQuery) -> Page[DeliveryView]:
    """List what goes to outside systems, newest first: by target, state, failure and age."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = raw_id("par", query.partner_id)
        call.require_partner(partner_id)
    wanted = DeliveryFilter(
        partner_id=partner_id,
        target_code=query.target,
        state=query.state,
        code=query.code,
        entity_key=None if query.account_id is None else raw_id("acc", query.account_id).hex(),
        created_before=None if query.older_than_s is None else call.now - timedelta(seconds=query.older_than_s),
    )
    found = outbox.newest_first(call.db, wanted, before_seq=pages.after_seq(call, query), limit=query.limit + 1)
    return pages.page(call, query, found, view=DeliveryView.of, position=lambda each: (each.seq,))


@endpoint(
    blueprint,
    "POST /v1/deliveries/{delivery_id}/retry",
    scope=Scope.DELIVERIES_WRITE,
    idempotent="required",
    raises=[NotFound, Conflict],
)
def act_on_delivery(call: Call, delivery_id: DeliveryId, body: ActionBody) -> ActionView:
    """Send a waiting or dead delivery again at once, mark it done with proof, or discard it."""
    raw = raw_id("dlv", delivery_id)
    found = outbox.by_id(call.db, raw)
    if found is None:
        raise NotFound("There is no such delivery.")
    call.require_partner(found.partner_id)
    state = operating.act(call.db, raw, body.action, reason=body.reason, caller=call.caller, now=call.now)
    if body.action == "retry":
        call.after_commit(lambda: wake(now=call.now))
    return ActionView(id=delivery_id, state=state)
