"""What SAP and NetSuite answer to the documents of the books (I15): posted under a number, or rejected and why.

Documents never change: the state of one in a system is the system's latest word about it. A document that was posted
under one number is not posted under another: that would be two invoices.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypedDict

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import NotFound
from chalicelib.language import parse_json
from chalicelib.partners.house import moments, words
from chalicelib.partners.house.words import Word
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.points.models.acknowledgements import posting_acknowledgement as table
from chalicelib.points.models.books import posting
from chalicelib.storage import bulk
from chalicelib.storage.ids import raw_id

_KEY: Final = ("system", "posting_id", "doc_no")
_DOC_NO_CHARACTERS_MAX: Final = 40
_MESSAGE_CHARACTERS_MAX: Final = 500
_YEARS: Final = range(2000, 2101)
_UNKNOWN: Final = refused("unknown_posting", "posting_id", "The books have no posting of this number.", fixable=True)


class AcknowledgementRow(TypedDict):
    """One answer, typed (layout I15). ``doc_no`` is the system's number of the document; none when it made none."""

    system: str
    posting_id: str
    company_code: str
    doc_no: str | None
    fiscal_year: Decimal | None
    status: str
    message: str | None
    posted_ts: str


class State(NamedTuple):
    """What one system says of one posting."""

    status: str
    doc_no: str | None
    fiscal_year: int | None
    message: str | None
    said_at: datetime


class _Posting(NamedTuple):
    id: bytes
    partner_id: bytes
    company_code: str


def record(
    db: Connection, rows: Sequence[AcknowledgementRow], *, sources: Sequence[RowSource], caller: Caller, now: datetime
) -> list[Told]:
    """Take over the answers, in order; one outcome each.

    The same answer again is a duplicate, an older one than the one known of the same number is ignored. Raises nothing
    for bad rows.
    """
    postings = _postings(db, {row["posting_id"] for row in rows})
    numbers = _posted(db, {each.id for each in postings.values()})
    told: dict[int, Told] = {}
    said: dict[int, Word] = {}
    for at, row in enumerate(rows):
        of = postings.get(row["posting_id"])
        wrong = _wrong(row, of, numbers)
        moment = moments.parsed(row["posted_ts"])
        if wrong is not None or moment is None or of is None:
            told[at] = wrong or refused(
                "bad_moment", "posted_ts", "A moment is written as 2026-11-20T06:00:00Z, with its offset."
            )
            continue
        if row["status"] == "POSTED" and row["doc_no"] is not None:
            numbers[row["system"], of.id] = row["doc_no"]
        said[at] = _word(row, of, moment)
    told |= words.add(db, table, _KEY, said, sources=sources, caller=caller, now=now)
    return [told[at] for at in range(len(rows))]


def states(db: Connection, posting_ids: Collection[bytes]) -> dict[bytes, dict[str, State]]:
    """What each system says of these postings now, by posting and system; nothing of those that none has answered."""
    found: dict[bytes, dict[str, State]] = {}
    columns = table.c
    for chunk in bulk.in_chunks(sorted(set(posting_ids))):
        stands = (columns.posting_id.in_(chunk), columns.version >= 0)
        query = select(table).where(*stands).order_by(columns.version, columns.seq)
        for row in db.execute(query):
            content = parse_json(row.content)
            found.setdefault(row.posting_id, {})[row.system] = State(
                row.status,
                row.doc_no or None,
                content["fiscal_year"],
                content["message"],
                datetime.fromisoformat(content["posted_ts"]),
            )
    return found


def _postings(db: Connection, references: Collection[str]) -> dict[str, _Posting]:
    """The postings of these shown ids, locked in one order: two files about the same one wait for each other."""
    by_id: dict[bytes, str] = {}
    for reference in references:
        try:
            by_id[raw_id("pst", reference)] = reference
        except NotFound:
            # It is no id at all: its row is refused as one that names no posting.
            continue
    found: dict[str, _Posting] = {}
    for chunk in bulk.in_chunks(sorted(by_id)):
        query = select(posting.c.id, posting.c.partner_id, posting.c.company_code).where(posting.c.id.in_(chunk))
        for row in db.execute(query.order_by(posting.c.id).with_for_update()):
            found[by_id[row.id]] = _Posting(*row)
    return found


def _posted(db: Connection, posting_ids: Collection[bytes]) -> dict[tuple[str, bytes], str]:
    """Under which number each system has posted these."""
    found: dict[tuple[str, bytes], str] = {}
    for chunk in bulk.in_chunks(sorted(posting_ids)):
        query = select(table.c.system, table.c.posting_id, table.c.doc_no).where(
            table.c.posting_id.in_(chunk), table.c.status == "POSTED", table.c.version >= 0
        )
        found |= {(row.system, row.posting_id): row.doc_no for row in db.execute(query)}
    return found


def _wrong(row: AcknowledgementRow, of: _Posting | None, numbers: dict[tuple[str, bytes], str]) -> Told | None:
    if of is None:
        return _UNKNOWN
    if row["company_code"] != of.company_code:
        return refused("other_company", "company_code", "The posting is another company's.")
    if row["doc_no"] is None and row["status"] == "POSTED":
        return refused("missing_value", "doc_no", "What was posted has a number.")
    wrong = None if row["doc_no"] is None else unusable("doc_no", row["doc_no"], _DOC_NO_CHARACTERS_MAX)
    if wrong is not None:
        return wrong
    before = numbers.get((row["system"], of.id))
    if row["status"] == "POSTED" and before is not None and before != row["doc_no"]:
        return refused("posted_twice", "doc_no", "The system has posted it under another number before.")
    return _out_of_range(row)


def _out_of_range(row: AcknowledgementRow) -> Told | None:
    if row["fiscal_year"] is not None and int(row["fiscal_year"]) not in _YEARS:
        return refused("quantity_out_of_range", "fiscal_year", "A year is from 2000 to 2100.")
    if row["message"] is not None and len(row["message"]) > _MESSAGE_CHARACTERS_MAX:
        return refused("too_long", "message", f"message has more than {_MESSAGE_CHARACTERS_MAX} characters.")
    return None


def _word(row: AcknowledgementRow, of: _Posting, moment: datetime) -> Word:
    year = row["fiscal_year"]
    content = {
        "company_code": row["company_code"],
        "fiscal_year": None if year is None else int(year),
        "status": row["status"],
        "message": row["message"],
        "posted_ts": moments.written(moment),
    }
    return Word(
        (row["system"], of.id, row["doc_no"] or ""),
        content,
        version=moments.number(moment),
        also={"partner_id": of.partner_id, "status": row["status"]},
    )
