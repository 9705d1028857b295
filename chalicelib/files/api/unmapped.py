"""GET /v1/code-tables/{table}/unmapped: which codes files bring that a table does not have."""

from datetime import datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.files import unmapped
from chalicelib.files.unmapped import UnmappedCode
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
    """A row that has the code: the first one of the latest file."""

    file_id: PublicId
    file_name: str
    row_no: int


class UnmappedView(View):
    """One code that the table lacks on a day for which a row asked."""

    code: str = Field(description="As the look-up asked for it. Codes of personal columns are not kept.")
    rows: int = Field(description="Rows of files that were rejected for it.")
    first_seen: datetime
    last_seen: datetime
    example: ExampleView

    @classmethod
    def of(cls, found: UnmappedCode) -> "UnmappedView":
        """The view of one code."""
        example = ExampleView(file_id=public_id("fil", found.file_id), file_name=found.file_name, row_no=found.row_no)
        return cls(
            code=found.code,
            rows=found.rows,
            first_seen=found.first_seen,
            last_seen=found.last_seen,
            example=example,
        )


@endpoint(blueprint, "GET /v1/code-tables/{table}/unmapped", scope=Scope.RULES_READ, raises=[NotFound])
def list_unmapped_codes(call: Call, table: CodeTableCode, query: PageQuery) -> Page[UnmappedView]:
    """List the codes that rows of files were rejected for, because the table lacks them still, in their order."""
    found = code_table_listing.find(call.db, table, partner_id=call.partner_scope)
    after = pages.after_text(call, query)
    codes = unmapped.of_table(
        call.db, found.id, found.code, partner_id=call.partner_scope, after=after, limit=query.limit + 1
    )
    return pages.page(call, query, codes, view=UnmappedView.of, position=lambda row: (row.code,))
