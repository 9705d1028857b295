"""/v1/ledger/entries/{entry_id}/lineage: from points back to the row that earned them, and on to who was told."""

from datetime import datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import Field, JsonValue

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.files.answers import showing
from chalicelib.files.answers.showing import Cells
from chalicelib.files.formats import archive, redacting
from chalicelib.files.mending import fixing
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.partners import directory
from chalicelib.points.api.accrual_shapes import AccrualItemView, RuleView, rule_view
from chalicelib.points.api.ledger import EntryView, OpenedView
from chalicelib.points.earning import lineage
from chalicelib.points.earning.causes import Cause
from chalicelib.points.earning.lineage import Decided, Lineage
from chalicelib.points.ledger.history import Event
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import EntryId
from chalicelib.web.shapes import PublicId, Query, View

blueprint = Blueprint(__name__)


class ErasedLineView(View):
    """What is known of a row that was erased with the person it was about, or of which a cell was."""

    sha256: str = Field(
        description="Of the row's bytes as they arrived: whoever has them can prove that it is this one."
    )
    signed: bool = Field(description="Whether the hub's signature of the file's erased rows holds.")


class RowSourceView(View):
    """The row of a file, as it lies in the archive."""

    file_id: PublicId
    file_name: str
    sha256: str | None
    layout: str
    row_no: int
    byte_offset: int
    byte_length: int
    raw: str | None = Field(
        description="The row as it arrived; null when it holds personal or undeclared columns and the key lacks "
        "members:personal."
    )
    corrected: str | None = Field(
        description="The row as it was corrected before it was decided; null when it was not, or as for `raw`."
    )
    erased: ErasedLineView | None = Field(description="Null: the row is in the archive as it arrived.")


class DecisionView(View):
    """Why the event earned what it earned; ``recomputed`` and ``agrees`` are null unless asked for."""

    accrual: AccrualItemView
    source: RowSourceView | None = Field(description="Null: it came by API, under the accrual's correlation id.")
    rule: RuleView
    facts: dict[str, JsonValue]
    trace: dict[str, JsonValue]
    recomputed: AmountText | None
    agrees: bool | None


class CauseView(View):
    """What caused an entry that is no accrual: who asked for it, by which reference, and what it was about."""

    at: datetime
    actor: str | None = Field(description="Who asked for it; null: the schedule did it by itself.")
    correlation_id: str | None = Field(description="Of the request or job, as it is in the logs and the audit trail.")
    reference: str | None = Field(description="The sender's own key of it.")
    order_no: str | None
    reason: str | None = Field(description="In the words, or by the code, of who asked.")
    decided_by: str | None = Field(description="The second person; null: nobody had to.")
    hold_id: PublicId | None = Field(description="The hold that was captured.")
    tender_id: PublicId | None = Field(description="The cart that it paid together with a card.")
    redemption_id: PublicId | None = Field(description="The redemption that was given back.")
    accrual_id: PublicId | None = Field(description="The accrual that was taken back or clawed back.")
    source: RowSourceView | None = Field(description="Null: it came with no file.")


class TakenView(View):
    """How much an entry took of one lot, or, below zero, gave back to it."""

    lot_id: PublicId
    points: AmountText
    opened_by: OpenedView


class CarriedView(View):
    """The first confirmed delivery that carried a balance with this entry in it."""

    delivery_id: PublicId
    target: str
    version: int
    attempt: int
    mapping_version: PublicId
    confirmed_at: datetime


class LineageView(View):
    """One ledger entry: what decided or caused it, what it took, and what carried it on."""

    entry: EntryView
    partner_id: PublicId
    member_id: PublicId
    decided: DecisionView | None = Field(description="Of an accrual.")
    cause: CauseView | None = Field(description="Of all others but an expiry, which only the calendar causes.")
    taken: list[TakenView]
    carried: CarriedView | None


class LineageQuery(Query):
    """Whether to decide again from the stored facts and the stored rule version."""

    recompute: bool = Field(False, description="Decide again, and say whether that agrees with what was posted.")


@endpoint(blueprint, "GET /v1/ledger/entries/{entry_id}/lineage", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_lineage(call: Call, entry_id: EntryId, query: LineageQuery) -> LineageView:
    """Trace one ledger entry to its file row or request, its rule version and facts, and its first delivery."""
    found = lineage.of(call.db, raw_id("trf", entry_id), recompute=query.recompute)
    entry = found.entry
    call.require_partner(entry.partner_id)
    carried = found.carried
    return LineageView(
        entry=EntryView.of(entry),
        partner_id=public_id("par", entry.partner_id),
        member_id=public_id("mbr", entry.member_id),
        decided=None if found.decided is None else _decision(call, found.decided),
        cause=None if found.cause is None else _cause(call, found.cause),
        taken=_taken(found),
        carried=None
        if carried is None
        else CarriedView(
            delivery_id=public_id("dlv", carried.delivery_id),
            target=carried.target_code,
            version=carried.version,
            attempt=carried.attempt,
            mapping_version=public_id("rsv", carried.mapping_version_id),
            confirmed_at=carried.confirmed_at,
        ),
    )


def _taken(found: Lineage) -> list[TakenView]:
    return [
        TakenView(
            lot_id=public_id("trf", each.lot_id),
            points=amounts.text(each.amount_minor, found.entry.scale),
            opened_by=OpenedView.of(found.origins[each.lot_id]),
        )
        for each in found.taken
    ]


def _cause(call: Call, cause: Cause) -> CauseView:
    def named(prefix: str, raw: bytes | None) -> str | None:
        return None if raw is None else public_id(prefix, raw)

    return CauseView(
        at=cause.at,
        actor=cause.actor,
        correlation_id=cause.correlation_id,
        reference=cause.reference,
        order_no=cause.order_no,
        reason=cause.reason,
        decided_by=cause.decided_by,
        hold_id=named("hld", cause.hold_id),
        tender_id=named("tnd", cause.tender_id),
        redemption_id=named("rdm", cause.redemption_id),
        accrual_id=named("acr", cause.accrual_event_id),
        source=_source(call, cause),
    )


def _decision(call: Call, decided: Decided) -> DecisionView:
    event = decided.event
    minor = decided.recomputed_minor
    return DecisionView.model_validate(
        {
            "accrual": AccrualItemView.of_event(event),
            "source": _source(call, event),
            "rule": rule_view(decided.version),
            "facts": decided.facts,
            "trace": decided.trace,
            "recomputed": None if minor is None else amounts.text(minor, event.scale),
            "agrees": decided.agrees,
        }
    )


def _source(call: Call, of: Event | Cause) -> RowSourceView | None:
    if of.source_file_id is None or of.row_no is None:
        return None
    file = register.load(call.db, of.source_file_id)
    offset, length = of.byte_offset or 0, of.byte_length or 0
    return RowSourceView(
        file_id=file.public_id,
        file_name=file.name,
        sha256=None if file.sha256 is None else file.sha256.hex(),
        layout=file.layout_name,
        row_no=of.row_no,
        byte_offset=offset,
        byte_length=length,
        **_texts(call, file, of.row_no, offset, length),
    )


def _texts(call: Call, file: InboundFile, row_no: int, offset: int, length: int) -> dict[str, Any]:
    """The row as it arrived, by one ranged read of the archive, and as it was corrected."""
    layout = showing.layout_of(call.db, file)
    partner = directory.by_id(call.db, file.partner_id)
    if layout is None or partner is None or file.sha256 is None:
        return {"raw": None, "corrected": None, "erased": None}
    cells = Cells(layout, file, personal=Scope.MEMBERS_PERSONAL in call.principal.scopes)
    corrected = fixing.corrected(call.db, file, row_no)
    try:
        raw = archive.raw_row(partner.code, file.sha256, offset=offset, length=length)
    except NotFound:
        # Archives are kept for as long as the retention policy says; file and row number stay.
        return {"raw": None, "corrected": None, "erased": None}
    erased = _erased(partner.code, file.sha256, offset) if redacting.FILL in raw else None
    if erased is not None and redacting.is_erased(raw, layout.spec.format):
        return {"raw": None, "corrected": None, "erased": erased}
    return {
        "erased": erased,
        "raw": cells.text(raw),
        "corrected": None if corrected is None else cells.text(corrected),
    }


def _erased(partner_code: str, sha256: bytes, offset: int) -> ErasedLineView | None:
    found = redacting.read_record(partner_code, sha256)
    line = None if found is None else found[0].line_at(offset)
    return None if found is None or line is None else ErasedLineView(sha256=line.sha256, signed=found[1])
