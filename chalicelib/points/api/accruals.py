"""/v1/accruals: record what members earn, look it up, and ask what an event would earn."""

from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import Fault, InvalidInput, NotFound, OtherContent, Unprocessable
from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import BY_API
from chalicelib.points.api.accrual_shapes import (
    AccrualBody,
    AccrualDetailView,
    AccrualItemView,
    AccrualView,
    BatchBody,
    BatchView,
    OutcomeView,
    PreviewBody,
    PreviewView,
    item,
    rule_view,
)
from chalicelib.points.deciding import previewing
from chalicelib.points.deciding.events import Earner
from chalicelib.points.earning import accruals, lineage
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import EventFilter
from chalicelib.records import dataclass
from chalicelib.rules import rulesets
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import clock, pages
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import AccrualId

blueprint = Blueprint(__name__)


class Rejected(Unprocessable):
    """The event is well formed, but its member, program, enrolment or rule refuses it; `code` says which."""

    code = "accrual_rejected"


class AccrualQuery(PageQuery):
    """Which events; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Id of a member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    program_id: str | None = Field(
        default=None, description="Id of a program.", examples=["prg_01m80ezmgbefm8btvg41ypyz86"]
    )
    file_id: str | None = Field(
        default=None, description="Events that this file brought.", examples=["fil_01m80ezmgbefm8btvg41ypyz86"]
    )
    ruleset_version: str | None = Field(
        default=None,
        description="Events that this version decided: its `version_id`.",
        examples=["rsv_01m80ezmgbefm8btvg41ypyz86"],
    )
    outcome: Literal["posted", "no_points"] | None = Field(default=None, description="Whether they earned anything.")


@endpoint(
    blueprint,
    "POST /v1/accruals",
    scope=Scope.ACCRUALS_WRITE,
    status=201,
    idempotent=True,
    raises=[Rejected, OtherContent, NotFound],
)
def record_accrual(call: Call, body: AccrualBody) -> Answer[AccrualView]:
    """Record one accrual event and post the points it earns.

    The same event id with the same content answers 200 with the original, with other content 409.
    """
    partner = _partner(call, body.partner_code)
    [recorded] = accruals.record(call.db, partner, [body.event()], sources=[BY_API], caller=call.caller, now=call.now)
    if recorded.outcome == "rejected":
        message = recorded.message or "The event was rejected."
        faults = [Fault(f"/{recorded.column or ''}", recorded.code or Rejected.code, message)]
        if recorded.code == OtherContent.code:
            raise OtherContent(message, faults=faults)
        raise Rejected(message, code=recorded.code, faults=faults)
    call.after_commit(lambda: wake(now=clock.now()))
    return Answer(200 if recorded.outcome == "duplicate" else 201, AccrualView.of(recorded))


@endpoint(blueprint, "POST /v1/accruals/batch", scope=Scope.ACCRUALS_WRITE, idempotent=True, raises=[NotFound])
def record_accruals(call: Call, body: BatchBody) -> BatchView:
    """Record up to 500 events in their order, with an outcome for each; a rejected event does not touch the others."""
    partner = _partner(call, body.partner_code)
    readable = body.readable()
    outcome_at = {at: event.rejected() for at, event in body.malformed().items()}
    events = [each.event() for each in readable.values()]
    sources = [BY_API] * len(events)
    told = accruals.record(call.db, partner, events, sources=sources, caller=call.caller, now=call.now)
    outcome_at.update(zip(readable, told, strict=True))
    recorded = [outcome_at[at] for at in range(len(body.events))]
    call.after_commit(lambda: wake(now=clock.now()))
    outcomes = [each.outcome for each in recorded]
    return BatchView(
        posted=outcomes.count("posted"),
        no_points=outcomes.count("no_points"),
        duplicate=outcomes.count("duplicate"),
        rejected=outcomes.count("rejected"),
        outcomes=[OutcomeView.of(each) for each in recorded],
    )


@endpoint(
    blueprint,
    "POST /v1/accruals/preview",
    scope=Scope.ACCRUALS_READ,
    idempotent=False,
    raises=[NotFound, Unprocessable],
)
def preview_accrual(call: Call, body: PreviewBody) -> PreviewView:
    """Decide one event by the rule in force, or by a version of it, with facts and trace; nothing is written."""
    partner = _partner(call, body.partner_code)
    version = None
    if body.ruleset_version is not None:
        version = rulesets.version(call.db, raw_id("rsv", body.ruleset_version))
        if version.partner_id not in {None, partner.id}:
            raise NotFound("There is no such version of this partner's rulesets.")
    return PreviewView.of(previewing.preview(call.db, partner, body.event(), version=version, now=call.now))


@endpoint(blueprint, "GET /v1/accruals", scope=Scope.ACCRUALS_READ, raises=[NotFound])
def list_accruals(call: Call, query: AccrualQuery) -> Page[AccrualItemView]:
    """Recorded events, newest first, by member, program, file, rule version or outcome."""
    wanted = _filter(call, query)
    found = history.events(call.db, wanted, before_seq=pages.after_seq(call, query), limit=query.limit + 1)
    return pages.page(call, query, found, view=AccrualItemView.of_event, position=lambda event: (event.seq,))


@endpoint(blueprint, "GET /v1/accruals/{accrual_id}", scope=Scope.ACCRUALS_READ, raises=[NotFound])
def get_accrual(call: Call, accrual_id: AccrualId) -> AccrualDetailView:
    """One recorded event with the facts, the rule's trace, and the ledger entries it posted."""
    event = history.event(call.db, raw_id("acr", accrual_id))
    call.require_partner(event.partner_id)
    decided = lineage.decided_by(call.db, event)
    return AccrualDetailView.model_validate(
        {
            **item(event),
            "content_hash": event.content_hash.hex(),
            "rule": rule_view(decided.version),
            "facts": decided.facts,
            "trace": decided.trace,
            "entries": [public_id("trf", entry.id) for entry in history.entries_of_source(call.db, event.id)],
        }
    )


@dataclass(frozen=True, slots=True)
class _Bound:
    """The partner that a key is bound to. The keys of one that is not active are not accepted: no need to look."""

    id: bytes


def _partner(call: Call, code: str | None) -> Earner:
    """The partner that the key is bound to, or that the body names. Raises NotFound and InvalidInput."""
    if call.partner_scope is not None and code is None:
        return _Bound(call.partner_scope)
    if call.partner_scope is not None:
        partner = directory.by_id(call.db, call.partner_scope)
    elif code is None:
        message = "Name the partner: this key is not bound to one."
        raise InvalidInput(
            message, code="partner_code_missing", faults=[Fault("/partner_code", "partner_code_missing", message)]
        )
    else:
        partner = directory.by_code(call.db, code)
    if partner is None or (code is not None and partner.code != code):
        raise NotFound(f"There is no partner {code!r}, or it is not yours.")
    directory.require_active(partner)
    return partner


def _filter(call: Call, query: AccrualQuery) -> EventFilter:
    """The filter, with nothing in it that is another partner's. Raises NotFound."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    member_id = program_id = file_id = version_id = None
    if query.member_id is not None:
        member_id = raw_id("mbr", query.member_id)
        found = members.by_ids(call.db, [member_id])
        if member_id not in found:
            raise NotFound("There is no such member.")
        call.require_partner(found[member_id].partner_id)
    if query.program_id is not None:
        program_id = raw_id("prg", query.program_id)
        program = programs.by_id(call.db, program_id)
        if program is None:
            raise NotFound("There is no such program.")
        call.require_partner(program.partner_id)
    if query.ruleset_version is not None:
        version_id = raw_id("rsv", query.ruleset_version)
        owner = rulesets.version(call.db, version_id).partner_id
        if owner is not None:
            call.require_partner(owner)
    if query.file_id is not None:
        # Files are known in a higher room; here a file is known by what it brought.
        file_id = raw_id("fil", query.file_id)
        if not history.events(call.db, EventFilter(partner_id=partner_id, file_id=file_id), before_seq=None, limit=1):
            raise NotFound("No file of this id brought any event.")
    return EventFilter(
        partner_id=partner_id,
        member_id=member_id,
        program_id=program_id,
        file_id=file_id,
        version_id=version_id,
        outcome=query.outcome,
    )
