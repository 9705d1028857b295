"""What /v1/redemptions takes and shows, and captures of holds with it."""

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import Field

from chalicelib.points.ledger.lots import Use
from chalicelib.points.spending.redemptions import Line, Redemption, SoldLine
from chalicelib.points.spending.refunds import Refund
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText, DecimalText
from chalicelib.web.shapes import Body, PublicId, View


class LineBody(Body):
    """One line of what was bought."""

    line: str = Field(min_length=1, max_length=40, description="Your own name of it.", examples=["1"])
    points: DecimalText


class RedemptionView(View):
    """Points spent, at once or by capturing a hold."""

    id: PublicId
    partner_id: PublicId
    program_id: PublicId
    member_id: PublicId
    reference: str
    order_no: str | None
    hold_id: PublicId | None = Field(description="Null: at once, without a hold.")
    entry_id: PublicId
    points: AmountText
    business_date: date
    redeemed_at: datetime

    @classmethod
    def of(cls, made: Redemption) -> "RedemptionView":
        """The view of one redemption."""
        return cls(
            id=public_id("rdm", made.id),
            partner_id=public_id("par", made.partner_id),
            program_id=public_id("prg", made.program_id),
            member_id=public_id("mbr", made.member_id),
            reference=made.reference,
            order_no=made.order_no,
            hold_id=None if made.hold_id is None else public_id("hld", made.hold_id),
            entry_id=public_id("trf", made.transfer_id),
            points=amounts.text(made.amount_minor, made.scale),
            business_date=made.business_date,
            redeemed_at=made.redeemed_at,
        )


class SoldLineView(View):
    """One line, and what of it has come back."""

    line: str
    points: AmountText
    refunded: AmountText


class UsedLotView(View):
    """What one lot gave, or was given back; a lot has the id of the entry that opened it."""

    lot_id: PublicId
    expires_on: date
    points: AmountText


class RefundView(View):
    """Points given back. ``lots`` are those they came from; what was given a new last day is ``graced``."""

    id: PublicId
    redemption_id: PublicId
    reference: str
    entry_id: PublicId
    points: AmountText
    graced: AmountText
    lots: list[UsedLotView]
    reason: str | None
    business_date: date
    refunded_at: datetime

    @classmethod
    def of(cls, made: Refund, uses: Sequence[Use], scale: int) -> "RefundView":
        """The view of a refund with the lots it gave back to."""
        back = [Use(each.lot_id, -each.amount_minor, each.expires_on) for each in uses if each.amount_minor < 0]
        return cls(
            id=public_id("rfd", made.id),
            redemption_id=public_id("rdm", made.redemption_id),
            reference=made.reference,
            entry_id=public_id("trf", made.transfer_id),
            points=amounts.text(made.amount_minor, scale),
            graced=amounts.text(made.amount_minor - sum(each.amount_minor for each in back), scale),
            lots=lots_shown(back, scale),
            reason=made.reason,
            business_date=made.business_date,
            refunded_at=made.refunded_at,
        )


class RedemptionDetailView(View):
    """One redemption with its lines, the lots it took, and what came back."""

    redemption: RedemptionView
    lines: list[SoldLineView]
    lots: list[UsedLotView]
    refunds: list[RefundView]


def lines_in(lines: Sequence[LineBody], scale: int) -> list[Line]:
    """The lines of a body in minor units. Raises InvalidInput for digits that the program does not have."""
    return [Line(each.line, amounts.minor(each.points, scale)) for each in lines]


def sold_shown(lines: Sequence[SoldLine], scale: int) -> list[SoldLineView]:
    """The lines of a redemption as answers show them."""
    return [
        SoldLineView(
            line=each.line,
            points=amounts.text(each.amount_minor, scale),
            refunded=amounts.text(each.refunded_minor, scale),
        )
        for each in lines
    ]


def lots_shown(uses: Sequence[Use], scale: int) -> list[UsedLotView]:
    """Lots as answers show them."""
    return [
        UsedLotView(
            lot_id=public_id("trf", each.lot_id),
            expires_on=each.expires_on,
            points=amounts.text(each.amount_minor, scale),
        )
        for each in uses
    ]
