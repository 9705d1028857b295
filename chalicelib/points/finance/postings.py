"""Documents of the books as they are looked up: one by one, or in pages by what the outside systems say of them."""

from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound
from chalicelib.points.finance.documents import Source
from chalicelib.points.models.acknowledgements import posting_acknowledgement as word
from chalicelib.points.models.books import posting
from chalicelib.records import dataclass

Answered: TypeAlias = Literal["unanswered", "posted", "rejected"]


@dataclass(frozen=True, slots=True)
class Posting:
    """One document without its lines; ``source_id`` is the settlement that it posts."""

    seq: int
    id: bytes
    partner_id: bytes
    company_code: str
    doc_type: str
    posting_date: date
    period: str
    currency: str
    decimals: int
    source_type: Source
    source_id: bytes
    posted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingFilter:
    """Which documents a list shows; None filters nothing. ``period`` is written 2026-10.

    ``answered``: no system has said anything of it, or one says so now.
    """

    partner_id: bytes | None = None
    company_code: str | None = None
    period: str | None = None
    source_id: bytes | None = None
    answered: Answered | None = None


def by_id(db: Connection, posting_id: bytes) -> Posting:
    """One document. Raises NotFound."""
    row = db.execute(_POSTINGS.where(posting.c.id == posting_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such posting.")
    return Posting(*row)


def newest_first(db: Connection, wanted: PostingFilter, *, before_seq: int | None, limit: int) -> list[Posting]:
    """Up to ``limit`` documents, newest first, older than ``before_seq``."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (posting.c.partner_id, wanted.partner_id),
        (posting.c.company_code, wanted.company_code),
        (posting.c.period, wanted.period),
        (posting.c.source_id, wanted.source_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.answered == "unanswered":
        conditions.append(~exists(select(word.c.id).where(*_STANDS)))
    elif wanted.answered is not None:
        conditions.append(_SAYS.where(word.c.status == wanted.answered.upper()).exists())
    if before_seq is not None:
        conditions.append(posting.c.seq < before_seq)
    query = _POSTINGS.where(*conditions).order_by(posting.c.seq.desc()).limit(limit)
    return [Posting(*row) for row in db.execute(query)]


_POSTINGS: Final = select(*(posting.c[name] for name in Posting.__slots__))
_STANDS: Final = (word.c.posting_id == posting.c.id, word.c.version >= 0)
_NEWER: Final = word.alias("newer")
#: What a system says now of a document: the last of its words, under whatever number.
_SAYS: Final = select(word.c.id).where(
    *_STANDS,
    ~exists(
        select(_NEWER.c.id).where(
            _NEWER.c.posting_id == word.c.posting_id,
            _NEWER.c.system == word.c.system,
            or_(
                _NEWER.c.version > word.c.version,
                and_(_NEWER.c.version == word.c.version, _NEWER.c.seq > word.c.seq),
            ),
        )
    ),
)
