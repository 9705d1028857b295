"""/v1/code-tables: what partners' codes mean, from when to when, and one entry at a time to change that.

A key that is bound to a partner sees the partner's tables and the shared ones, and changes the partner's own. A whole
table is applied as a document (``PUT /v1/partners/{partner_id}/onboarding``), many entries as a file.
"""

from datetime import date, datetime
from typing import Annotated, Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.rules import code_table_editing, code_table_listing
from chalicelib.rules.code_table_content import (
    ALWAYS,
    CODE_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    VALUE_LENGTH_MAX,
    Entry,
)
from chalicelib.rules.code_table_editing import EntryOverlaps, Wanted, Way
from chalicelib.rules.code_table_listing import CodeTable, Recorded
from chalicelib.rules.code_table_values import Values
from chalicelib.rules.showing import SHA256, require_own
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import CodeTableCode, EntryCode
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import Body, Day, Moment, PublicId, View

blueprint = Blueprint(__name__)

_SINCE = "First day; null: always."
_UNTIL = "Last day; null: for ever."


class CodeTableView(View):
    """One code table. ``partner_id`` null: every partner may use it."""

    code: str
    partner_id: PublicId | None
    owner: str
    value: dict[str, Any] | None = Field(description="What its values may be, as declared; null: any text.")
    entries: int = Field(description="How many entries it has now, of all days.")
    content_hash: str = Field(pattern=SHA256, description="SHA-256 of what it says; approvals are bound to it.")
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, table: CodeTable) -> "CodeTableView":
        """The view of one table."""
        return cls(
            code=table.code,
            partner_id=None if table.partner_id is None else public_id("par", table.partner_id),
            owner=table.owner,
            value=Values(table.value_declaration).document,
            entries=table.entries,
            content_hash=table.content_hash.hex(),
            created_at=table.created_at,
            changed_at=table.changed_at,
        )


class CodeTableEntryView(View):
    """What a code means on some days, both inclusive."""

    code: str
    value: str
    description: str | None
    effective_from: date | None = Field(description=_SINCE)
    effective_to: date | None = Field(description=_UNTIL)

    @classmethod
    def of(cls, entry: Entry) -> "CodeTableEntryView":
        """The view of one entry."""
        return cls(**_shown(entry))


class RecordedEntryView(CodeTableEntryView):
    """One entry, and in which time the hub knew it so."""

    recorded_at: datetime
    superseded_at: datetime | None = Field(description="When another one took its place; null: it is the current one.")

    @classmethod
    def of_recorded(cls, recorded: Recorded) -> "RecordedEntryView":
        """The view of one stored entry."""
        return cls(**_shown(recorded.entry), recorded_at=recorded.recorded_at, superseded_at=recorded.superseded_at)


class CodeTableEntryQuery(PageQuery):
    """Which entries."""

    on: Day | None = Field(None, description="Only what holds on this day.")
    known_at: Moment | None = Field(
        None, description="As the hub knew them at this moment; without it, as it does now."
    )
    code: str | None = Field(
        None, max_length=CODE_LENGTH_MAX, description="Only what this code means.", examples=["Regular"]
    )


class CodeTableEntryBody(Body):
    """What the code of the path means from one day to another."""

    value: Annotated[str, Field(min_length=1, max_length=VALUE_LENGTH_MAX)]
    description: Annotated[str, Field(min_length=1, max_length=DESCRIPTION_LENGTH_MAX)] | None = None
    effective_from: Day | None = Field(default=None, description=_SINCE)
    effective_to: Day | None = Field(default=None, description=_UNTIL)
    active: bool = Field(
        default=True,
        description="False ends it: without `effective_to`, the code has no value from `effective_from` on.",
    )
    ends_earlier: bool = Field(
        default=False, description="An entry that reaches into this one ends the day before; else this one is refused."
    )
    splits_earlier: bool = Field(
        default=False, description="The same, and it goes on the day after this one has ended."
    )
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="Kept in the audit trail."
    )


class EditedView(View):
    """All that the code means now."""

    table: str
    code: str
    changed: bool = Field(description="False: it was so already, and nothing was written.")
    entries: list[CodeTableEntryView]


@endpoint(blueprint, "GET /v1/code-tables", scope=Scope.RULES_READ)
def list_code_tables(call: Call, query: PageQuery) -> Page[CodeTableView]:
    """List code tables by code: the partner's own and those that every partner may use."""
    tables = code_table_listing.in_order(
        call.db, partner_id=call.partner_scope, after_code=pages.after_text(call, query), limit=query.limit + 1
    )
    return pages.page(call, query, tables, view=CodeTableView.of, position=lambda table: (table.code,))


@endpoint(blueprint, "GET /v1/code-tables/{table}", scope=Scope.RULES_READ, raises=[NotFound])
def list_code_table_entries(call: Call, table: CodeTableCode, query: CodeTableEntryQuery) -> Page[RecordedEntryView]:
    """List the entries of one table by code and first day, those of one day, or as they were known at a moment."""
    found = code_table_listing.find(call.db, table, partner_id=call.partner_scope)
    entries = code_table_listing.entries(
        call.db,
        found.id,
        code=query.code,
        on=query.on,
        known_at=query.known_at,
        after=_after(call, query),
        limit=query.limit + 1,
    )
    return pages.page(
        call, query, entries, view=RecordedEntryView.of_recorded, position=lambda recorded: recorded.position
    )


@endpoint(
    blueprint,
    "PUT /v1/code-tables/{table}/entries/{code}",
    scope=Scope.RULES_WRITE,
    raises=[NotFound, NotPermitted, EntryOverlaps, InvalidInput, Unprocessable],
)
def put_code_table_entry(
    call: Call, table: CodeTableCode, code: EntryCode, body: CodeTableEntryBody
) -> Answer[EditedView]:
    """Set what a code means from a day on, or end it; 201 when no entry began on that day. Again changes nothing.

    What was is kept: events that are decided stay as they are. Approvals of rules that look up in the table become
    void. Where rules need approval, tables that decide points are changed by an approved plan only
    (``approval_required``).
    """
    found = code_table_listing.find(call.db, table, partner_id=call.partner_scope)
    require_own(call, found.partner_id, table)
    if not 0 < len(code) <= CODE_LENGTH_MAX:
        raise Unprocessable(f"A code has 1 to {CODE_LENGTH_MAX} characters, this one {len(code)}.", code="code_length")
    first = body.effective_from or ALWAYS
    if first < ALWAYS:
        raise Unprocessable(f"Entries begin on {ALWAYS} or later.", code="begins_too_early")
    edited = code_table_editing.put(
        call.db,
        found.code,
        Wanted(code, body.value, first, body.effective_to, body.description, active=body.active),
        way=Way.SPLIT if body.splits_earlier else Way.END if body.ends_earlier else Way.REFUSE,
        partner_id=call.partner_scope,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    view = EditedView(
        table=found.code,
        code=code,
        changed=edited.changed,
        entries=[CodeTableEntryView.of(entry) for entry in edited.entries],
    )
    return Answer(201 if edited.created else 200, view)


def _shown(entry: Entry) -> dict[str, str | date | None]:
    return {
        "code": entry.code,
        "value": entry.value,
        "description": entry.description,
        "effective_from": None if entry.effective_from == ALWAYS else entry.effective_from,
        "effective_to": entry.effective_to,
    }


def _after(call: Call, query: CodeTableEntryQuery) -> tuple[str, date, bytes] | None:
    refused = Malformed("The cursor is not one of this list.", code="cursor_foreign")
    match pages.position(call, query):
        case None:
            return None
        case (str(code), str(first), bytes(identity)):
            try:
                return code, date.fromisoformat(first), identity
            except ValueError:
                raise refused from None
    raise refused
