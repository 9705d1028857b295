"""GET /v1/code-tables/{table}/unmapped: which codes come that a table does not have, and what became of them."""

from datetime import datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.files.answers import unmapped
from chalicelib.files.answers.unmapped import Example, UnmappedCode
from chalicelib.rules import code_table_listing
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import CodeTableCode
from chalicelib.web.shapes import PublicId, View

blueprint = Blueprint(__name__)


class ExampleView(View):
    """A record that has the code: the first row of the latest file, or an accrual where no file brought the code."""

    file_id: PublicId | None
    file_name: str | None
    row_no: int | None
    accrual_id: PublicId | None

    @classmethod
    def of(cls, found: Example) -> "ExampleView":
        """The view of one example."""
        return cls(
            file_id=None if found.file_id is None else public_id("fil", found.file_id),
            file_name=found.file_name,
            row_no=found.row_no,
            accrual_id=None if found.accrual_id is None else public_id("acr", found.accrual_id),
        )


class TreatedView(View):
    """What became of the records that asked for the code; where a rule has a default and null, ``default`` has both."""

    refused: int = Field(description="Rows of files that were rejected for it; they pass when the table has it.")
    default: int = Field(description="Records that were decided with the default of their rule or layout.")
    null: int = Field(description="Records that were decided without a value.")


class UnmappedView(View):
    """One code that the table lacks on a day for which a record asked."""

    code: str = Field(description="As the look-up asked for it. Codes of personal columns are not kept.")
    rows: int = Field(description="Records that asked for it, however they were treated.")
    treated: TreatedView
    first_seen: datetime
    last_seen: datetime
    example: ExampleView

    @classmethod
    def of(cls, found: UnmappedCode) -> "UnmappedView":
        """The view of one code."""
        return cls(
            code=found.code,
            rows=found.rows,
            treated=TreatedView(refused=found.refused, default=found.defaulted, null=found.nulled),
            first_seen=found.first_seen,
            last_seen=found.last_seen,
            example=ExampleView.of(found.example),
        )


@endpoint(blueprint, "GET /v1/code-tables/{table}/unmapped", scope=Scope.RULES_READ, raises=[NotFound])
def list_unmapped_codes(call: Call, table: CodeTableCode, query: PageQuery) -> Page[UnmappedView]:
    """List the codes that records asked for and the table lacks still, in their order, and how they were treated."""
    found = code_table_listing.find(call.db, table, partner_id=call.partner_scope)
    after = pages.after_text(call, query)
    codes = unmapped.of_table(
        call.db, found.id, found.code, partner_id=call.partner_scope, after=after, limit=query.limit + 1
    )
    return pages.page(call, query, codes, view=UnmappedView.of, position=lambda row: (row.code,))
