"""The shapes that adjustments and requests for more have in common: the decision, and what was asked of whom."""

from datetime import datetime
from typing import Any

from pydantic import Field

from chalicelib.points.corrections.asking import Asked
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText
from chalicelib.web.shapes import Body, PublicId, View


class CommentedBody(Body):
    """What somebody else says who decides."""

    comment: str | None = Field(default=None, max_length=500)


class AskedView(View):
    """Points that one person asked for and another decides about. ``pending``: it waits."""

    id: PublicId
    partner_id: PublicId
    program_id: PublicId
    member_id: PublicId
    reference: str
    points: AmountText
    entry_id: PublicId | None = Field(description="Its entry in the ledger; null: not posted, or not yet.")
    author: str
    decided_by: str | None = Field(description="Null: nobody had to, or has yet.")
    decision_comment: str | None
    created_at: datetime
    decided_at: datetime | None


def shown(prefix: str, found: Asked) -> dict[str, Any]:
    """The fields that all have; ``prefix`` is that of the id."""
    return {
        "id": public_id(prefix, found.id),
        "partner_id": public_id("par", found.partner_id),
        "program_id": public_id("prg", found.program_id),
        "member_id": public_id("mbr", found.member_id),
        "reference": found.reference,
        "points": amounts.text(found.amount_minor, found.scale),
        "entry_id": None if found.transfer_id is None else public_id("trf", found.transfer_id),
        "author": found.author,
        "decided_by": found.decided_by,
        "decision_comment": found.decision_comment,
        "created_at": found.created_at,
        "decided_at": found.decided_at,
    }
