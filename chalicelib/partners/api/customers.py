"""/v1/customers: who buys, as Salesforce and the store know them, and under which numbers systems know them.

Mail and names are shown to keys with the scope ``members:personal``; to others each is ``***``.
"""

from datetime import datetime
from typing import Annotated, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.scopes import Scope
from chalicelib.errors import (
    NOT_YOURS,
    Conflict,
    Fault,
    InvalidInput,
    NotFound,
    NotPermitted,
    Unavailable,
    Unprocessable,
)
from chalicelib.partners import directory
from chalicelib.partners.house import customer_linking, customers, moments
from chalicelib.partners.house.customers import PERSONAL, Customer, CustomerRow
from chalicelib.partners.provenance import BY_API
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import CustomerId, OutsideSystem
from chalicelib.web.shapes import Body, Moment, PublicId, View, Written

blueprint = Blueprint(__name__)

_MASK = "***"
_Number = Annotated[
    str, Field(min_length=1, max_length=100), Written(r"\S(?:.*\S)?", "It neither begins nor ends with a space.")
]
_Text = Annotated[str | None, Field(min_length=1, max_length=200)]


class CustomerBody(Body):
    """A customer as one system knows it (layout I12)."""

    source: Literal["salesforce", "sfcc"]
    customer_no: _Number = Field(examples=["00012345"])
    customer_list: _Text = None
    email: str = Field(min_length=1, max_length=200, examples=["ada.byron@example.com"])
    first_name: _Text = None
    last_name: _Text = None
    partner_code: str | None = Field(None, description="Whose employee it is.", examples=["aurora-air"])
    employee_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    salesforce_id: _Number | None = Field(None, description="Under which Salesforce knows the same person.")
    consent_marketing: bool | None = None
    last_modified: Moment = Field(description="Older statements than the one known are ignored.")


class FieldView(View):
    """One field: what is said, by which system, and when that system last changed its record."""

    value: str
    source: str
    changed_at: datetime


class CustomerView(View):
    """The golden record of one person: of each field, the latest word that has it."""

    id: PublicId
    partner_id: PublicId | None = Field(description="Null: nobody's employee.")
    member_id: PublicId | None
    fields: dict[str, FieldView]
    identities: dict[str, str] = Field(description="Under which number each system knows the person.")
    created_at: datetime
    changed_at: datetime


class CustomerUpsertedView(CustomerView):
    """The customer after the statement, and what became of it."""

    outcome: Literal["accepted", "duplicate", "ignored"]


class IdentityBody(Body):
    """The number under which a system knows the customer."""

    external_id: _Number = Field(examples=["0035g00000ABCDE"])


@endpoint(
    blueprint,
    "POST /v1/customers",
    scope=Scope.CUSTOMERS_WRITE,
    status=201,
    idempotent=True,
    raises=[InvalidInput, NotFound, NotPermitted, Unavailable, Unprocessable],
)
def upsert_customer(call: Call, body: CustomerBody) -> Answer[CustomerUpsertedView]:
    """Take over what Salesforce or the store says of a customer; one that was known is answered with 200."""
    _require_house(call, body.partner_code)
    consent = {None: None, True: "true", False: "false"}[body.consent_marketing]
    said = body.model_dump() | {"consent_marketing": consent, "last_modified": moments.written(body.last_modified)}
    row = CustomerRow(**said)  # type: ignore[typeddict-item]
    [(told, customer_id)] = customers.record(call.db, [row], sources=[BY_API], caller=call.caller, now=call.now)
    if told.outcome == "rejected" or customer_id is None:
        fault = Fault(f"/{told.column}", told.code or "rejected", told.message or "")
        raise Unprocessable(fault.message, code=fault.code, faults=[fault])
    found = _known(call, customer_id)
    if told.outcome == "accepted":
        audit.record(
            call.db,
            caller=call.caller,
            action="customer.upserted",
            subject=public_id("cus", customer_id),
            partner_id=found.partner_id,
            after={"source": body.source},
            now=call.now,
        )
    fresh = told.outcome == "accepted" and found.created_at == call.now
    shown = _view(call, found).model_dump()
    return Answer(201 if fresh else 200, CustomerUpsertedView(**shown, outcome=told.outcome))


@endpoint(blueprint, "GET /v1/customers/{customer_id}", scope=Scope.CUSTOMERS_READ, raises=[NotFound])
def get_customer(call: Call, customer_id: CustomerId) -> CustomerView:
    """Show one customer: of each field the latest word, and which system said it."""
    return _view(call, _visible(call, customer_id))


@endpoint(
    blueprint,
    "PUT /v1/customers/{customer_id}/identities/{system}",
    scope=Scope.CUSTOMERS_WRITE,
    raises=[Conflict, InvalidInput, NotFound],
)
def put_identity(call: Call, customer_id: CustomerId, system: OutsideSystem, body: IdentityBody) -> CustomerView:
    """Say under which number a system knows a customer; the number must not be another customer's there."""
    found = _visible(call, customer_id)
    if system not in _SYSTEMS:
        raise InvalidInput(f"The system is one of: {', '.join(_SYSTEMS)}.", code="unknown_system")
    customer_linking.link(call.db, found.id, system, body.external_id, caller=call.caller, now=call.now)
    return _view(call, _known(call, found.id))


_SYSTEMS = ("hrms", "netsuite", "oms", "salesforce", "sap", "sfcc")


def _require_house(call: Call, partner_code: str | None) -> None:
    """Refuse whoever acts for one partner; another partner's code is answered as if there were none."""
    if call.partner_scope is None:
        return
    if partner_code is not None:
        call.require_partner(directory.named(call.db, partner_code).id)
    raise NotPermitted("Customers come from the retailer's own systems.", code="not_the_house")


def _visible(call: Call, customer_id: str) -> Customer:
    found = customers.by_id(call.db, raw_id("cus", customer_id))
    if found is None or call.partner_scope not in {None, found.partner_id}:
        raise NotFound(NOT_YOURS)
    return found


def _known(call: Call, customer_id: bytes) -> Customer:
    found = customers.by_id(call.db, customer_id)
    if found is None:
        raise NotFound(NOT_YOURS)
    return found


def _view(call: Call, found: Customer) -> CustomerView:
    shows = Scope.MEMBERS_PERSONAL in call.principal.scopes
    fields = {
        name: FieldView(
            value=field.value if shows or name not in PERSONAL else _MASK,
            source=field.source,
            changed_at=field.changed_at,
        )
        for name, field in found.fields.items()
    }
    return CustomerView(
        id=public_id("cus", found.id),
        partner_id=None if found.partner_id is None else public_id("par", found.partner_id),
        member_id=None if found.member_id is None else public_id("mbr", found.member_id),
        fields=fields,
        identities=found.identities,
        created_at=found.created_at,
        changed_at=found.changed_at,
    )
