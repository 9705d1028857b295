"""POST /v1/files/validate: what would become of a file, without sending it."""

import binascii
from base64 import b64decode
from typing import Annotated, Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.files.api.asking import FileName, partner_of
from chalicelib.files.api.files import CountsView, FileState, FileView, ProgramPointsView, SumsView
from chalicelib.files.intake import trying
from chalicelib.files.intake.trying import Tried
from chalicelib.storage.ids import public_id
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

#: Of the whole request: what a Lambda function is given at most, less what is put around it.
BODY_BYTES_MAX = 5 << 20


class TrialBody(Body):
    """A file and where it would be put. Its content is either text, which is sent as UTF-8, or bytes in Base64."""

    partner_code: str | None = Field(None, description="May be left out by a key of one partner.")
    layout: Annotated[str, Field(max_length=64)] = Field(description="Name of a layout: the second part of the key.")
    name: FileName = "file.csv"
    text: str | None = None
    content_base64: str | None = Field(None, description="For other encodings and compressed files.")
    sidecar: Annotated[str, Field(max_length=65_536)] | None = Field(
        None, description="The text of the sidecar, where the layout takes one."
    )


class TrialErrorView(View):
    """One row that would be refused."""

    row_no: int
    code: str
    column: str | None
    message: str | None
    fixable: bool


class CodeTableEffectView(View):
    """How many entries of a code table would be set and ended."""

    table: str
    entries_set: int
    entries_ended: int


class TrialView(View):
    """What would become of the file if it arrived now; nothing of it is kept."""

    state: FileState = Field(description="`processed`, `quarantined` or `duplicate`.")
    reason_code: str | None
    reason: str | None
    duplicate_of: PublicId | None
    layout_version: str | None
    sha256: str | None
    size_bytes: int
    warnings: list[str]
    rows: CountsView
    control: SumsView
    programs: list[ProgramPointsView] = Field(description="What the accepted rows would earn.")
    members_absent: int = Field(description="Members whom the snapshot would terminate by leaving them out.")
    code_tables: list[CodeTableEffectView]
    errors: list[TrialErrorView] = Field(description=f"The first {trying.ERRORS_MAX} rows that would be refused.")

    @classmethod
    def of(cls, tried: Tried) -> "TrialView":
        """The view of a trial."""
        file = tried.file
        return cls.model_validate(
            {
                "state": file.state,
                "reason_code": file.reason_code,
                "reason": file.reason,
                "duplicate_of": None if file.duplicate_of is None else public_id("fil", file.duplicate_of),
                "layout_version": tried.layout_version,
                "sha256": None if file.sha256 is None else file.sha256.hex(),
                "size_bytes": file.size_bytes,
                "warnings": file.warning_texts,
                "rows": FileView.of(file).rows,
                "control": SumsView.of(file),
                "programs": list(tried.points.values()),
                "members_absent": file.rows_absent,
                "code_tables": tried.code_tables,
                "errors": [_error(row) for row in tried.errors],
            }
        )


@endpoint(
    blueprint,
    "POST /v1/files/validate",
    scope=Scope.FILES_WRITE,
    idempotent=True,
    raises=[NotFound, InvalidInput, Unprocessable],
    body_bytes_max=BODY_BYTES_MAX,
)
def validate_file(call: Call, body: TrialBody) -> TrialView:
    """Try a file as if it had arrived: counts, errors, control sums and points, all of it taken back."""
    partner = partner_of(call, body.partner_code)
    sidecar = None if body.sidecar is None else body.sidecar.encode()
    tried = trying.attempt(call.db, partner, body.layout, _content(body), name=body.name, sidecar=sidecar, now=call.now)
    return TrialView.of(tried)


def _content(body: TrialBody) -> bytes:
    if (body.text is None) == (body.content_base64 is None):
        raise InvalidInput("Send the content either as text or as content_base64.", code="one_content")
    if body.text is not None:
        return body.text.encode()
    try:
        return b64decode(body.content_base64 or "", validate=True)
    except binascii.Error:
        raise InvalidInput("content_base64 is no Base64.", code="not_base_sixty_four") from None


def _error(row: Any) -> TrialErrorView:  # noqa: ANN401 - a row of file_row
    return TrialErrorView(
        row_no=row.row_no, code=row.code, column=row.column_name, message=row.message, fixable=row.fixable
    )
