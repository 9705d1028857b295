"""Cursor pages: a list continues where it ended, whatever was added meanwhile.

A cursor holds the position after the last item and a checksum over it, the route, the filter and the caller's partner.
So a mistyped cursor, or one of another list, filter or partner, is refused. It grants nothing: every query keeps its
own partner condition, and the checksum needs no secret.
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.web.call import Call
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import Query

ViewT = TypeVar("ViewT")
RowT = TypeVar("RowT")

#: What orders a list: sequence numbers, texts or raw ids.
Position = tuple[int | str | bytes, ...]

LIMIT_MAX: Final = 200
_CHECK_BYTES: Final = 9
_CURSOR_MAX: Final = 1000
_SEQ_MAX: Final = 2**63 - 1


class PageQuery(Query):
    """The parameters that every list takes; a list adds its filters."""

    limit: int = Field(default=50, ge=1, le=LIMIT_MAX, description="How many items a page has at most.")
    cursor: str | None = Field(default=None, max_length=_CURSOR_MAX, description="`next_cursor` of the page before.")


class Page(BaseModel, Generic[ViewT]):
    """Some items of a list, in its order, and where it goes on."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    items: list[ViewT]
    next_cursor: str | None = Field(description="Send it as `cursor` for the following page; null at the end.")


def position(call: Call, query: PageQuery) -> Position | None:
    """After which item the page begins; None at the start. Raises Malformed for a cursor that is not of this list."""
    if query.cursor is None:
        return None
    refused = Malformed(
        "The cursor is not one of this list with this filter: repeat the query that gave it, or begin without one.",
        code="cursor_foreign",
    )
    try:
        packed = urlsafe_b64decode(query.cursor.encode("ascii") + b"=" * (-len(query.cursor) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise refused from None
    check, text = packed[:_CHECK_BYTES], packed[_CHECK_BYTES:]
    if check != _check(call, query, text):
        raise refused
    try:
        return tuple(bytes.fromhex(part["b"]) if isinstance(part, dict) else part for part in json.loads(text))
    except (ValueError, TypeError, KeyError):
        # The checksum is no secret: whoever computes it may put anything behind it.
        raise refused from None


def after_id(call: Call, query: PageQuery) -> bytes | None:
    """The raw id after which a page begins, of a list whose position is ``(id,)``. Raises Malformed."""
    match position(call, query):
        case None:
            return None
        case (bytes(found),):
            return found
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")


def after_text(call: Call, query: PageQuery) -> str | None:
    """The text after which a page begins, of a list whose position is ``(text,)``. Raises Malformed."""
    match position(call, query):
        case None:
            return None
        case (str(found),):
            return found
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")


def after_seq(call: Call, query: PageQuery) -> int | None:
    """The number after which a page begins, of a list whose position is ``(seq,)``. Raises Malformed."""
    match position(call, query):
        case None:
            return None
        case (int(found),) if found <= _SEQ_MAX:
            return found
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")


def page(
    call: Call,
    query: PageQuery,
    rows: Sequence[RowT],
    *,
    view: Callable[[RowT], ViewT],
    position: Callable[[RowT], Position],
) -> Page[ViewT]:
    """A page of rows that were read with ``limit + 1``: the one too many only tells that there is more."""
    shown = rows[: query.limit]
    cursor = _cursor(call, query, position(shown[-1])) if len(rows) > len(shown) else None
    return Page(items=[view(row) for row in shown], next_cursor=cursor)


def _cursor(call: Call, query: PageQuery, after: Position) -> str:
    parts = [{"b": part.hex()} if isinstance(part, bytes) else part for part in after]
    text = json.dumps(parts, separators=(",", ":")).encode()
    return urlsafe_b64encode(_check(call, query, text) + text).decode().rstrip("=")


def _check(call: Call, query: PageQuery, text: bytes) -> bytes:
    partner = call.partner_scope or b""
    filters = query.model_dump_json(exclude={"cursor", "limit"})
    return sha256(b"\n".join((call.bound_to.encode(), filters.encode(), partner.hex().encode(), text))).digest()[
        :_CHECK_BYTES
    ]
