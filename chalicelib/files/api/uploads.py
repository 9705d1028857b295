"""POST /v1/files/upload-url: put a file into the inbox without an account of the files store."""

from datetime import datetime
from typing import Annotated

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.files.api.asking import FileName, partner_of
from chalicelib.files.intake import uploading
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.shapes import Body, View

blueprint = Blueprint(__name__)


class UploadBody(Body):
    """Which file is to come."""

    partner_code: str | None = Field(None, description="May be left out by a key of one partner.")
    layout: Annotated[str, Field(max_length=64)] = Field(description="Name of a layout: the second part of the key.")
    name: FileName
    size_bytes: Annotated[int, Field(ge=1, le=uploading.UPLOAD_BYTES_MAX)] = Field(
        description="Exactly as many bytes are taken."
    )


class UploadView(View):
    """A PUT of this key and size, good until it expires; the file then is at `GET /v1/files?object_key=…`."""

    method: str = "PUT"
    url: str
    headers: dict[str, str] = Field(description="To be sent with it as they are.")
    object_key: str
    expires_at: datetime


@endpoint(
    blueprint,
    "POST /v1/files/upload-url",
    scope=Scope.FILES_WRITE,
    idempotent=True,
    raises=[NotFound, InvalidInput, Unprocessable],
)
def permit_upload(call: Call, body: UploadBody) -> UploadView:
    """Give a URL by which one file of a stated size may be put into the partner's folder."""
    partner = partner_of(call, body.partner_code)
    found = uploading.permit(
        call.db, partner, body.layout, body.name, size_bytes=body.size_bytes, caller=call.caller, now=call.now
    )
    return UploadView(url=found.url, headers=found.headers, object_key=found.object_key, expires_at=found.expires_at)
