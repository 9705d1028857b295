"""/v1/members/{member_id}/erase: forget a person; the ledger goes on under a pseudonym."""

from datetime import datetime
from typing import Annotated, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.operations import erasure
from chalicelib.operations.erasure import Erasure
from chalicelib.partners.members import members
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import MemberId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class EraseBody(Body):
    """Why a person is forgotten."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="For the audit trail, which keeps it for ever: name nobody in it."
    )


class ErasureView(View):
    """How far an erasure has come."""

    member_id: PublicId
    pseudonym: str = Field(description="The member's employee number from now on.")
    state: Literal["running", "done"] = Field(
        description="`running`: the person has no name here any more, and what is kept of files is being searched."
    )
    found: dict[str, int] = Field(description="How much was erased so far, by kind of place.")
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, found: Erasure) -> "ErasureView":
        """The view of one erasure."""
        return cls(
            member_id=public_id("mbr", found.member_id),
            pseudonym=found.pseudonym,
            state=found.state,
            found=dict(found.found),
            requested_at=found.requested_at,
            finished_at=found.finished_at,
        )


@endpoint(
    blueprint,
    "POST /v1/members/{member_id}/erase",
    scope=Scope.MEMBERS_ERASE,
    status=202,
    idempotent=True,
    raises=[NotFound],
)
def erase_member(call: Call, member_id: MemberId, body: EraseBody) -> Answer[ErasureView]:
    """Erase what names a person, for ever; ask again to see how far that has come: 200 once it is done."""
    raw = raw_id("mbr", member_id)
    known = members.by_ids(call.db, [raw]).get(raw)
    if known is None:
        raise NotFound("There is no such member.")
    call.require_partner(known.partner_id)
    found, _ = erasure.request(call.db, raw, reason=body.reason, caller=call.caller, now=call.now)
    return Answer(200 if found.state == "done" else 202, ErasureView.of(found))
