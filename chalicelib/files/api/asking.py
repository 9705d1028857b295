"""What requests about files that are still to come have in common: whose they are, and what they are called."""

from typing import Annotated

from pydantic import Field

from chalicelib.errors import InvalidInput
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.web.call import Call
from chalicelib.web.shapes import Written

#: The last part of a key.
FileName = Annotated[
    str,
    Field(max_length=255, examples=["hours_2026-11-15.csv"]),
    Written(r"[^/\x00-\x1f\x7f]{1,255}", "A name has 1 to 255 characters, no slash and no control character."),
]


def partner_of(call: Call, code: str | None) -> Partner:
    """The partner of that code or id, or the only one that the caller may touch. Raises NotFound and InvalidInput."""
    if code is not None:
        partner = directory.named(call.db, code)
    elif call.partner_scope is not None:
        partner = directory.known(call.db, call.partner_scope)
    else:
        raise InvalidInput("Say whose file it is: partner_code.", code="partner_missing")
    call.require_partner(partner.id)
    return partner
