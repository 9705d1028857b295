"""What marks a file of rejects: the columns that we add, the token that names a row, and cells made harmless.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, the sender's cells like ours; one that
begins with apostrophes and goes on like a formula gets one more. So ``restored`` gives back exactly what was there.
Plain numbers, such as ``-8``, stay as they are: nothing is executed by them.
"""

import re

from chalicelib.errors import NotFound
from chalicelib.storage.ids import public_id, raw_id

TOKEN = "resubmit_token"  # noqa: S105 - the name of a column
#: What is added to the sender's columns.
REASON_COLUMNS = (
    "row_no",
    "error_code",
    "error_field",
    "error_message",
    "rule_id",
    "rule_version",
    "fixable",
    TOKEN,
)
#: How a cell is shown to whoever may not see it.
MASK = "***"
#: What spreadsheets take for the beginning of a formula, also behind blanks, marks that are not shown and control
#: characters, and in its full-width form.
_FORMULA = re.compile(r"'*[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\x00-\x1f]")
_NUMBER = re.compile(r"[+-]?[0-9][0-9 .,']*")
_MARKED = re.compile(rf"'(?={_FORMULA.pattern})")
_ROW_DIGITS_MAX = 9


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restored(text: str) -> str:
    """The text that ``harmless`` was given; other text stays as it is."""
    return text[1:] if _MARKED.match(text) else text


def resubmit_token(file_id: bytes, row_no: int) -> str:
    """What names one row of one file."""
    return f"{public_id('fil', file_id)}.{row_no}"


def row_named(token: str) -> tuple[bytes, int] | None:
    """The file and the row that a token names; None for what is no token."""
    name, _, number = token.strip().partition(".")
    if not (number.isascii() and number.isdigit() and len(number) <= _ROW_DIGITS_MAX):
        return None
    try:
        return raw_id("fil", name), int(number)
    except NotFound:
        return None
