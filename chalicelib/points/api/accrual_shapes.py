"""What /v1/accruals takes and shows."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, JsonValue, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from chalicelib.errors import Fault
from chalicelib.points.deciding.events import CATEGORY_LENGTH_MAX, EVENT_ID_LENGTH_MAX, QUANTITY_SCALE, rejected
from chalicelib.points.deciding.previewing import Preview
from chalicelib.points.earning.accruals import NewAccrual, Recorded
from chalicelib.points.ledger.history import Event
from chalicelib.rules.rulesets import LiveVersion
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts, wording
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.shapes import Body, Day, PublicId, View, Written

#: Events in one batch.
BATCH_MAX = 500

_QUANTUM = Decimal(1).scaleb(-QUANTITY_SCALE)


def _kept(value: Decimal) -> Decimal:
    if value != value.quantize(_QUANTUM):
        raise PydanticCustomError(
            "excess_digits", "At most {scale} decimals are kept, and nothing is rounded.", {"scale": QUANTITY_SCALE}
        )
    return value


_Decimals = Annotated[DecimalText, AfterValidator(_kept)]
_Quantity = Annotated[_Decimals, Field(description=f"How much of it, in `unit`; up to {QUANTITY_SCALE} decimals.")]
_Unit = Annotated[
    str, Written("HOUR|POINT|[A-Z]{3}", "A unit is HOUR, POINT, or the three capital letters of a currency.")
]
_Currency = Annotated[str, Written("[A-Z]{3}", "Write a currency by its three capital letters, such as USD.")]


class EventBody(Body):
    """One event that may earn points."""

    program_code: str = Field(min_length=1, max_length=40, examples=["uniform"])
    event_id: str = Field(
        min_length=1,
        max_length=EVENT_ID_LENGTH_MAX,
        description="The partner's own id; the same id is posted once.",
        examples=["till-1"],
    )
    employee_id: str = Field(min_length=1, max_length=64, examples=["10047"])
    event_type: Literal["HOURS", "ALLOWANCE", "ANNIVERSARY", "BONUS", "SPEND"]
    event_date: Day = Field(description="The rule in force on this day decides.")
    quantity: _Quantity
    unit: _Unit = Field(description="What `quantity` counts: HOUR, POINT or a currency.", examples=["HOUR"])
    amount: _Decimals | None = None
    currency: _Currency | None = Field(default=None, description="ISO 4217.", examples=["USD"])
    pay_period: str | None = Field(default=None, max_length=40)
    job_code_override: str | None = Field(default=None, max_length=64, description="Used instead of the roster's.")
    category: str | None = Field(
        default=None,
        max_length=CATEGORY_LENGTH_MAX,
        description="The partner's own kind of it: what was bought, which campaign.",
        examples=["OWN-BRAND"],
    )
    reference: str | None = Field(default=None, max_length=200)
    description: str | None = Field(default=None, max_length=500)

    def event(self) -> NewAccrual:
        """The event as the points room takes it."""
        return NewAccrual(
            program_code=self.program_code,
            event_id=self.event_id,
            employee_id=self.employee_id,
            event_type=self.event_type,
            event_date=self.event_date,
            quantity=self.quantity,
            unit=self.unit,
            amount=self.amount,
            currency=self.currency,
            pay_period=self.pay_period,
            job_code_override=self.job_code_override,
            category=self.category,
            reference=self.reference,
            description=self.description,
        )


_PartnerCode = Annotated[
    str | None,
    Field(max_length=40, description="Needed with a key that is not bound to a partner.", examples=["aurora-air"]),
]


class AccrualBody(EventBody):
    """One event to record."""

    partner_code: _PartnerCode = None


class MalformedEvent(NamedTuple):
    """An event of a batch that could not be read, and why."""

    event_id: str
    faults: list[Fault]

    def rejected(self) -> Recorded:
        """Its outcome: the first fault by name, all of them in the message."""
        first = self.faults[0]
        message = " ".join(f"{fault.pointer.removeprefix('/') or 'event'}: {fault.message}" for fault in self.faults)
        return rejected(self.event_id, first.code, first.pointer.removeprefix("/") or None, message)


def _read_or_told(given: object, read: ValidatorFunctionWrapHandler) -> EventBody | MalformedEvent:
    try:
        event: EventBody = read(given)
    except ValidationError as error:
        name = given.get("event_id") if isinstance(given, dict) else None
        return MalformedEvent(name[:EVENT_ID_LENGTH_MAX] if isinstance(name, str) else "", wording.faults(error, given))
    return event


class BatchBody(Body):
    """Events to record in their order; each has an outcome of its own, also one that cannot be read."""

    partner_code: _PartnerCode = None
    events: list[Annotated[EventBody, WrapValidator(_read_or_told)]] = Field(min_length=1, max_length=BATCH_MAX)

    def readable(self) -> dict[int, EventBody]:
        """The events that could be read, by their place."""
        return {at: event for at, event in self._all() if isinstance(event, EventBody)}

    def malformed(self) -> dict[int, MalformedEvent]:
        """The others."""
        return {at: event for at, event in self._all() if isinstance(event, MalformedEvent)}

    def _all(self) -> Iterator[tuple[int, EventBody | MalformedEvent]]:
        # The declared type is what the OpenAPI document shows; the validator lets in what could not be read.
        return enumerate(self.events)


class PreviewBody(AccrualBody):
    """One event to decide without recording it."""

    ruleset_version: str | None = Field(
        default=None, description="Decide by this version of the program's ruleset instead of the one in force."
    )


class AccrualView(View):
    """One recorded event and the points it earned."""

    id: PublicId
    event_id: str
    program_id: PublicId
    member_id: PublicId
    outcome: Literal["posted", "no_points"]
    points: AmountText
    ruleset_version: PublicId

    @classmethod
    def of(cls, recorded: Recorded) -> "AccrualView":
        """The view of an event that was recorded now or before."""
        return cls.model_validate(
            {
                "id": _public("acr", recorded.id),
                "event_id": recorded.event_id,
                "program_id": _public("prg", recorded.program_id),
                "member_id": _public("mbr", recorded.member_id),
                "outcome": recorded.decided,
                "points": amounts.text(recorded.points_minor, recorded.scale),
                "ruleset_version": _public("rsv", recorded.version_id),
            }
        )


class OutcomeView(View):
    """What became of one event of a batch. A duplicate shows the original; a rejected event says why."""

    event_id: str
    outcome: Literal["posted", "no_points", "duplicate", "rejected"]
    id: PublicId | None
    points: AmountText | None
    ruleset_version: PublicId | None
    code: str | None
    field: str | None
    message: str | None
    fixable: bool = Field(description="Whether the same event may pass once a roster has brought the member.")

    @classmethod
    def of(cls, recorded: Recorded) -> "OutcomeView":
        """The view of one outcome."""
        known = recorded.outcome != "rejected"
        return cls(
            event_id=recorded.event_id,
            outcome=recorded.outcome,
            id=_public("acr", recorded.id),
            points=amounts.text(recorded.points_minor, recorded.scale) if known else None,
            ruleset_version=_public("rsv", recorded.version_id),
            code=recorded.code,
            field=recorded.column,
            message=recorded.message,
            fixable=recorded.fixable,
        )


class BatchView(View):
    """One outcome for each event, in the order of the request, and how many there are of each."""

    posted: int
    no_points: int
    duplicate: int
    rejected: int
    outcomes: list[OutcomeView]


class AccrualItemView(AccrualView):
    """One recorded event as lists show it. ``file_id`` null: it came by API."""

    partner_id: PublicId
    event_type: str
    event_date: date
    file_id: PublicId | None
    row_no: int | None
    actor: str
    correlation_id: str
    received_at: datetime

    @classmethod
    def of_event(cls, event: Event) -> "AccrualItemView":
        """The view of a stored event."""
        return cls.model_validate(item(event))


class RuleView(View):
    """The version that decided."""

    id: PublicId
    ruleset: str
    number: int
    content_hash: str = Field(description="SHA-256 of the version's canonical JSON.")


class AccrualDetailView(AccrualItemView):
    """One recorded event with all that decided it."""

    content_hash: str = Field(description="SHA-256 of what the event says.")
    rule: RuleView
    facts: dict[str, JsonValue]
    trace: dict[str, JsonValue] = Field(description="How the rule came to its result, step by step.")
    entries: list[PublicId] = Field(description="The ledger entries that it posted.")


class PreviewView(View):
    """What would become of the event; nothing was written."""

    outcome: Literal["posted", "no_points", "rejected"]
    points: AmountText | None
    rule: RuleView | None
    facts: dict[str, JsonValue] | None
    trace: dict[str, JsonValue] | None
    code: str | None
    field: str | None
    message: str | None

    @classmethod
    def of(cls, preview: Preview) -> "PreviewView":
        """The view of a preview."""
        outcome = preview.outcome
        decided = outcome.outcome != "rejected"
        return cls.model_validate(
            {
                "outcome": outcome.outcome,
                "points": amounts.text(outcome.points_minor, outcome.scale) if decided else None,
                "rule": None if preview.version is None else rule_view(preview.version),
                "facts": preview.facts,
                "trace": preview.trace,
                "code": outcome.code,
                "field": outcome.column,
                "message": outcome.message,
            }
        )


def rule_view(version: LiveVersion) -> RuleView:
    """The version that decided, as answers name it."""
    return RuleView(
        id=public_id("rsv", version.version_id),
        ruleset=version.ruleset_code,
        number=version.number,
        content_hash=version.content_hash.hex(),
    )


def item(event: Event) -> dict[str, Any]:
    """The fields of AccrualItemView, for it and for what extends it."""
    return {
        "id": public_id("acr", event.id),
        "event_id": event.event_id,
        "program_id": public_id("prg", event.program_id),
        "member_id": public_id("mbr", event.member_id),
        "outcome": event.outcome,
        "points": amounts.text(event.points_minor, event.scale),
        "ruleset_version": public_id("rsv", event.ruleset_version_id),
        "partner_id": public_id("par", event.partner_id),
        "event_type": event.event_type,
        "event_date": event.event_date,
        "file_id": _public("fil", event.source_file_id),
        "row_no": event.row_no,
        "actor": event.actor,
        "correlation_id": event.correlation_id,
        "received_at": event.received_at,
    }


def _public(prefix: str, raw: bytes | None) -> str | None:
    return None if raw is None else public_id(prefix, raw)
