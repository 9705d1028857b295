"""Small things in plain words: constants, ranges, lists of words, rounding."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from chalicelib.language.rounding import plain

_INTERVAL = re.compile(r"\s*([\[(])\s*([^,\[\]()\s]*)\s*,\s*([^,\[\]()\s]*)\s*([\])])\s*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ROUNDED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "half_up": "rounded half up",
        "half_even": "rounded half to even",
        "half_down": "rounded half down",
        "up": "rounded away from zero",
        "down": "cut off",
        "ceiling": "rounded up",
        "floor": "rounded down",
    }
)


def number(value: object) -> str:
    """A number without the zeros that say nothing."""
    return plain(value) if isinstance(value, Decimal) else str(value)


def listed(parts: Iterable[str], last: str = "and") -> str:
    """``a, b and c``."""
    *most, end = [*parts] or [""]
    return f"{', '.join(most)} {last} {end}" if most else end


def interval(written: str) -> str | None:  # noqa: PLR0911 - one return for each form
    """``[6,24)`` as ``6 up to, not including, 24``; None when it is no interval."""
    match = _INTERVAL.fullmatch(written)
    if match is None:
        return None
    opening, low, high, closing = match.groups()
    dates = bool(_DAY.fullmatch(low or high))
    if not low and not high:
        return "anything"
    if not high:
        if opening == "(":
            return f"after {low}" if dates else f"more than {low}"
        return f"{low} or later" if dates else f"{low} or more"
    if not low:
        if closing == ")":
            return f"before {high}" if dates else f"less than {high}"
        return f"{high} or earlier" if dates else f"{high} or less"
    start = low if opening == "[" else f"{'after' if dates else 'more than'} {low}"
    return f"{start} up to, not including, {high}" if closing == ")" else f"{start} up to and including {high}"


def rounded(mode: str, scale: object) -> str:
    """``rounded half up to 2 places``."""
    return f"{rounding(mode)} to {places(scale)}"


def rounding(mode: str) -> str:
    """``rounded half up``."""
    return _ROUNDED.get(mode, mode)


def places(scale: object) -> str:
    """``2 places``."""
    return {"0": "whole numbers", "1": "1 place"}.get(str(scale), f"{scale} places")
