"""Lines of a redemption lie over its lots in their order, so each line knows which lots it took: pure arithmetic."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chalicelib.points.ledger.lots import Use


class Laid(NamedTuple):
    """A line by its number: what was paid for it, and how much of that came back so far, from its end on."""

    line_no: int
    amount_minor: int
    refunded_minor: int


def returning(lines: Sequence[Laid], uses: Sequence[Use], parts: Mapping[int, int]) -> list[Use]:
    """How much of each lot comes back with these parts of lines, by their numbers; in the order of the lots."""
    spans = []
    start = 0
    for each in lines:
        end = start + each.amount_minor - each.refunded_minor
        if each.line_no in parts:
            spans.append((end - parts[each.line_no], end))
        start += each.amount_minor
    found = []
    start = 0
    for lot_id, amount_minor, expires_on in uses:
        end = start + amount_minor
        part = sum(max(0, min(end, until) - max(start, since)) for since, until in spans)
        if part:
            found.append(Use(lot_id, part, expires_on))
        start = end
    return found
