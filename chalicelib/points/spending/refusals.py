"""What may not be done with points that are held: keep them for ever, or move those that another owns."""

from chalicelib.errors import Conflict, Fault, Unprocessable


class HoldBound(Conflict):
    """The hold is bound to another order already."""

    code = "hold_bound"


class HoldWithoutEnd(Unprocessable):
    """Points are held for a while or for an order: for neither they would be held for ever."""

    code = "hold_without_end"


class BelongsToTender(Conflict):
    """The points pay a cart together with a card: its tender alone captures, releases and gives back."""

    code = "belongs_to_tender"


def require_end(ttl_s: int | None, order_no: str | None) -> None:
    """Raises HoldWithoutEnd for points that nothing would ever give back."""
    if ttl_s is None and order_no is None:
        message = "Say for how long the points are held (ttl_s), or for which order (order_no)."
        raise HoldWithoutEnd(message, faults=[Fault("/ttl_s", HoldWithoutEnd.code, message)])


def require_own(tender_id: bytes | None, asking: bytes | None) -> None:
    """Raises BelongsToTender where points that pay a tender's cart are to be moved by anyone but that tender."""
    if tender_id != asking:
        raise BelongsToTender("The points pay a cart together with a card: use the endpoints of its tender.")
