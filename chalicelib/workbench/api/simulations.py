"""POST /v1/rulesets/{ruleset_id}/versions/{version}/simulate: what a version says to one record, and why.

The record is in the request, or it is one that is already there: a posted accrual, or a row of a file.
"""

from datetime import date
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.language import json_value
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Event
from chalicelib.rules import simulation
from chalicelib.rules.showing import SHA256, FaultView, version_for
from chalicelib.rules.simulation import Simulated
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import INTEGER_MAX, RulesetId, VersionNumber
from chalicelib.web.shapes import Body, Day, PublicId, View
from chalicelib.workbench import rows, simulating
from chalicelib.workbench.simulating import Then

blueprint = Blueprint(__name__)


class Simulation(Body):
    """One record for a version to decide: exactly one of `record`, `accrual_id`, and `file_id` with `row_no`."""

    as_of: Day | None = Field(
        default=None,
        description="The day of the decision. Needed with `record`; else null is the record's own day, and another is"
        " `as if` it had happened then.",
    )
    record: dict[str, Any] | None = Field(
        default=None, description="The declared inputs by name; decimals and dates as text."
    )
    aggregates: dict[str, DecimalText] = Field(
        default_factory=dict,
        description="With `record`: declared aggregates by name; one that is not given is zero.",
    )
    accrual_id: str | None = Field(default=None, description="A posted record, by the facts that decided it.")
    file_id: str | None = Field(
        default=None,
        description="With `row_no`: the accrual that the row became, or a rejected row as if it came in now.",
    )
    row_no: int | None = Field(default=None, ge=1, le=INTEGER_MAX)


class ThenView(View):
    """What was decided of the record when it was posted."""

    ruleset: str
    version: int
    version_id: PublicId
    content_hash: str = Field(pattern=SHA256)
    event_date: date
    outcome: Literal["posted", "no_points"]
    points: AmountText


class SimulationView(View):
    """What the version says to the record, and how it came to it."""

    outcome: Literal["decided", "not_applicable", "refused"]
    outputs: dict[str, Any] | None = Field(description="Decimals and dates as text; null unless decided.")
    faults: list[FaultView]
    trace: dict[str, Any]
    then: ThenView | None = Field(description="Of a posted record.")

    @classmethod
    def of(cls, simulated: Simulated, then: Then | None) -> "SimulationView":
        """The view of a simulation."""
        return cls(
            outcome=simulated.outcome,
            outputs=None if simulated.outputs is None else json_value(dict(simulated.outputs)),
            faults=[FaultView.of(fault) for fault in simulated.faults],
            trace=dict(simulated.trace),
            then=None if then is None else _then(then),
        )


@endpoint(
    blueprint,
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/simulate",
    scope=Scope.RULES_READ,
    idempotent=False,
    raises=[NotFound, NotPermitted, InvalidInput, Unprocessable],
)
def simulate_version(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: Simulation) -> SimulationView:
    """Let one version decide one record, given or real, on its day or another, with the whole trace.

    Nothing is written.
    """
    tried = version_for(call, ruleset_id, version)
    event = None if body.accrual_id is None else _event(call, tried, raw_id("acr", body.accrual_id))
    file = None if body.file_id is None else _file(call, tried, raw_id("fil", body.file_id))
    _require_one(body)
    if file is not None and body.row_no is not None:
        event = _accepted(call, file, body.row_no)
    if event is not None:
        return SimulationView.of(*simulating.posted(call.db, tried, event, as_of=body.as_of))
    if file is not None and body.row_no is not None:
        refused = simulating.refused_row(call.db, tried, file, body.row_no, as_of=body.as_of, now=call.now)
        return SimulationView.of(refused, None)
    if body.record is None or body.as_of is None:
        raise InvalidInput("A given record needs the day of the decision, `as_of`.", code="one_record")
    simulated = simulation.simulate(call.db, tried, body.record, as_of=body.as_of, aggregates=body.aggregates)
    return SimulationView.of(simulated, None)


def _event(call: Call, tried: LiveVersion, accrual_id: bytes) -> Event:
    """A posted record that the caller may see. Raises NotFound and NotPermitted."""
    _require_scope(call, Scope.ACCRUALS_READ)
    event = history.event(call.db, accrual_id)
    call.require_partner(event.partner_id)
    _require_reach(tried, event.partner_id)
    return event


def _accepted(call: Call, file: InboundFile, row_no: int) -> Event | None:
    """The accrual that a row became, if the caller may see it; None of another row. Raises NotPermitted."""
    event = rows.accepted(call.db, file, row_no)
    if event is not None:
        _require_scope(call, Scope.ACCRUALS_READ)
    return event


def _file(call: Call, tried: LiveVersion, file_id: bytes) -> InboundFile:
    """A file that the caller may see. Raises NotFound and NotPermitted."""
    _require_scope(call, Scope.FILES_READ)
    file = register.load(call.db, file_id)
    call.require_partner(file.partner_id)
    _require_reach(tried, file.partner_id)
    return file


def _require_one(body: Simulation) -> None:
    given = [body.record is not None, body.accrual_id is not None, body.file_id is not None]
    whole = (body.file_id is None) == (body.row_no is None)
    if sum(given) != 1 or not whole or (body.aggregates and body.record is None):
        raise InvalidInput(
            "Give exactly one record: `record` (with its `aggregates`), `accrual_id`, or `file_id` with `row_no`.",
            code="one_record",
        )


def _require_scope(call: Call, scope: Scope) -> None:
    if scope not in call.principal.scopes:
        raise NotPermitted(f"A record of this kind needs the scope {scope}.", code="scope_missing")


def _require_reach(tried: LiveVersion, partner_id: bytes) -> None:
    """Refuse to try one partner's rule on another partner's record. Raises NotFound."""
    if tried.partner_id not in {None, partner_id}:
        raise NotFound("There is no such record of this ruleset's partner.")


def _then(then: Then) -> ThenView:
    version, event = then.version, then.event
    return ThenView.model_validate(
        {
            "ruleset": version.ruleset_code,
            "version": version.number,
            "version_id": public_id("rsv", version.version_id),
            "content_hash": version.content_hash.hex(),
            "event_date": event.event_date,
            "outcome": event.outcome,
            "points": amounts.text(event.points_minor, event.scale),
        }
    )
