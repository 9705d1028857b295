"""What a sender states about a file so that a short one is noticed: a trailer line or a sidecar, and a column's sum.

Sums are kept in millionths, as integers, whatever the unit of the column is.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from chalicelib.files.register.refusals import FileRefused
from chalicelib.language import RuleRefused, parse_json
from chalicelib.records import dataclass
from chalicelib.rules.layouts import Control

#: Decimals of a control sum.
SUM_SCALE = 6
#: A sidecar is a few lines; anything longer is something else.
SIDECAR_BYTES_MAX = 65_536
_WHOLE_DIGITS_MAX = 12
_KEPT_AMOUNTS = 65_536
_SIDECAR_KEYS = frozenset({"rows", "sum", "sha256"})


@dataclass(frozen=True, slots=True)
class Stated:
    """What the sender says: number of rows, sum of the control column in millionths, SHA-256 of the object in hex."""

    source: Literal["trailer", "sidecar"]
    rows: int
    total: int | None
    sha256: str | None = None


def amounts(control: Control) -> Callable[[str], int | None]:
    """The reader of one cell of the control column: millionths, or None when it is no plain number."""
    decimal_mark, group_mark = control.decimal_mark, control.group_mark

    @lru_cache(maxsize=_KEPT_AMOUNTS)
    def millionths(cell: str) -> int | None:
        text = cell.strip()
        sign = -1 if text.startswith("-") else 1
        whole, mark, fraction = text.removeprefix("-").partition(decimal_mark)
        if group_mark and group_mark in whole:
            groups = whole.split(group_mark)
            if not 0 < len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
                return None
            whole = "".join(groups)
        digits = whole + fraction
        if not (digits.isascii() and digits.isdigit()) or not 0 < len(whole) <= _WHOLE_DIGITS_MAX:
            return None
        if len(fraction) > SUM_SCALE or (mark and not fraction):
            return None
        return sign * int(whole + fraction.ljust(SUM_SCALE, "0"))

    return millionths


def shown_sum(millionths: int) -> str:
    """A control sum as people write it: ``1234.5`` for 1234500000, ``12`` for 12000000."""
    sign = "-" if millionths < 0 else ""
    whole, fraction = divmod(abs(millionths), 10**SUM_SCALE)
    decimals = f"{fraction:0{SUM_SCALE}}".rstrip("0")
    return f"{sign}{whole}" + (f".{decimals}" if decimals else "")


def of_trailer(cells: Sequence[str], control: Control, headers: Mapping[str, str]) -> Stated:
    """What ``#TRAILER,<rows>,<sum>`` states; ``headers`` has what the sender calls each column.

    Raises FileRefused when it is not that.
    """
    rows = cells[1].strip() if len(cells) > 1 else ""
    total = amounts(control)(cells[2]) if len(cells) > 2 else None
    if not (rows.isascii() and rows.isdigit() and len(rows) <= _WHOLE_DIGITS_MAX):
        raise FileRefused("bad_trailer", f"The last line must be {control.marker}, then the number of rows.")
    if control.column is not None and total is None:
        raise FileRefused(
            "bad_trailer",
            f"The last line must state the sum of `{headers[control.column]}` after the number of rows.",
        )
    return Stated("trailer", int(rows), total if control.column is not None else None)


def of_sidecar(data: bytes, control: Control, headers: Mapping[str, str]) -> Stated:
    """What ``{"rows": 120, "sum": "1234.5", "sha256": "…"}`` states; ``headers`` as for ``of_trailer``.

    Raises FileRefused when it is not that.
    """
    try:
        stated = parse_json(data) if len(data) <= SIDECAR_BYTES_MAX else None
    except RuleRefused as error:
        raise FileRefused("bad_sidecar", f"The sidecar is not JSON: {error.message}.") from error
    if not isinstance(stated, dict) or not stated.keys() <= _SIDECAR_KEYS:
        raise FileRefused("bad_sidecar", "The sidecar must be a JSON object of rows, sum and sha256.")
    rows, digest = stated.get("rows"), stated.get("sha256")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        raise FileRefused("bad_sidecar", "The sidecar must state the number of rows.")
    if digest is not None and (not isinstance(digest, str) or len(digest) != 64):
        raise FileRefused("bad_sidecar", "The sidecar's sha256 must be 64 hexadecimal digits.")
    total = _stated_sum(stated.get("sum"))
    if control.column is not None and total is None:
        message = f'The sidecar must state the sum of `{headers[control.column]}`, like "1234.5".'
        raise FileRefused("bad_sidecar", message)
    return Stated("sidecar", rows, total if control.column is not None else None, digest.lower() if digest else None)


def _stated_sum(value: object) -> int | None:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = format(value, "f")
    return amounts(Control())(value) if isinstance(value, str) else None


def compare(stated: Stated, *, rows: int, total: int, sha256: bytes) -> None:
    """Raise FileRefused (``control_mismatch``) when the file is not the one that its sender speaks of."""
    if stated.rows != rows:
        message = f"The {stated.source} states {stated.rows} rows and the file has {rows}."
        raise FileRefused("control_mismatch", message)
    if stated.total is not None and stated.total != total:
        message = (
            f"The {stated.source} states a control sum of {shown_sum(stated.total)} "
            f"and the file adds up to {shown_sum(total)}."
        )
        raise FileRefused("control_mismatch", message)
    if stated.sha256 is not None and stated.sha256 != sha256.hex():
        raise FileRefused("control_mismatch", f"The {stated.source} states another SHA-256 than the file has.")
