"""Amounts at the edge: decimal strings at exactly the program's or currency's scale, never floats."""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.errors import InvalidInput

_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,9})?", re.ASCII)
_PATTERN: Final = r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?$"


def text(minor: int, scale: int) -> str:
    """An amount in minor units as a decimal string with exactly ``scale`` digits after the point."""
    if not scale:
        return str(minor)
    digits = str(abs(minor)).rjust(scale + 1, "0")
    return f"{'-' if minor < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def minor(amount: Decimal, scale: int) -> int:
    """An amount in minor units. Raises InvalidInput (``excess_digits``) when ``scale`` digits cannot hold it."""
    scaled = amount.scaleb(scale)
    whole = int(scaled)
    if scaled != whole:
        raise InvalidInput(
            f"The amount has more than {scale} digits after the point: nothing is rounded silently.",
            code="excess_digits",
        )
    return whole


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("decimal_not_text", 'Send decimals as strings, such as "1.10".')
    if not _DECIMAL.fullmatch(value):
        raise PydanticCustomError(
            "decimal_malformed", 'A decimal looks like "-12.50": up to 18 digits, a point and up to 9 digits.'
        )
    return Decimal(value)


#: A decimal in a body: text such as "8.5".
DecimalText = Annotated[
    Decimal, BeforeValidator(_decimal), WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["8.50"]})
]
#: An amount in an answer, written by ``text``.
AmountText = Annotated[str, Field(json_schema_extra={"pattern": _PATTERN, "examples": ["125.00"]})]
