"""What files of the retailer's own systems and of documents brought is withdrawn, slice by slice, the last row first.

Rows that came back in another file for rows of this one go first, and with it. A row that stays keeps its document or
word as it is, and is told.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, Table, func, select
from sqlalchemy.engine import Connection

from chalicelib.documents import completing, gaps, taking_back
from chalicelib.documents.kinds import UNCOUNTED, Kind
from chalicelib.documents.models import document_gap, document_line
from chalicelib.errors import Unavailable
from chalicelib.files.models.files import export_mark, export_stream
from chalicelib.files.models.rollbacks import file_rollback_left
from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.register.rollbacks import Rollback
from chalicelib.files.rollback.slices import Slice, returned_rows
from chalicelib.partners.house import customer_withdrawing, words
from chalicelib.partners.models.house import customer_version, price_version, product_version, stock_version
from chalicelib.points.corrections.reversals import Why
from chalicelib.points.corrections.taking_back import Left, TakenBack
from chalicelib.points.models.acknowledgements import posting_acknowledgement
from chalicelib.storage import bulk

#: The words of each kind of file.
WORDS: Final[Mapping[str, Table]] = {
    "product": product_version,
    "price": price_version,
    "stock": stock_version,
    "customer": customer_version,
    "erp_ack": posting_acknowledgement,
}
#: Files by which orders are sent on, each noting the revision that it has.
_ORDER_EXPORTS: Final = ("netsuite_orders",)
_LINE = document_line.c
_GAP = document_gap.c
_LEFT = file_rollback_left.c


def words_of(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Let the latest other word about each key hold again."""
    del why  # words keep who brought them; that the file was taken back is in the audit trail
    of = WORDS.get(load(db, run.file_id).entity or "")
    if of is None:
        return Slice(TakenBack(), None)
    found, checkpoint = _page(db, run, of, of.c.id, of.c.version >= 0, rows)
    if not found:
        return Slice(TakenBack(), None)
    if of is customer_version:
        customer_withdrawing.withdraw(db, found, now=now)
    else:
        words.withdraw(db, of, found)
    return Slice(TakenBack(len(found)), checkpoint)


def gaps_of(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Let rows that the file was refused keep no document waiting, and those whose lines it brought do so again."""
    kind = completing.kind_of(load(db, run.file_id).entity)
    if kind is None:
        return Slice(TakenBack(), None)
    if gaps.open_again(db, run.file_id, limit=rows):
        return Slice(TakenBack(), run.checkpoint)
    found = db.execute(
        select(_GAP.row_no)
        .where(_GAP.file_id == run.file_id, _GAP.row_no < run.checkpoint)
        .order_by(_GAP.row_no.desc())
        .limit(rows)
    )
    numbers = list(found.scalars())
    if not numbers:
        return Slice(TakenBack(), None)
    freed = gaps.close(db, [(run.file_id, number) for number in numbers])
    # Those with lines of the file itself are looked at when the lines go.
    others = taking_back.without_lines_of(db, run.partner_id, kind, freed, file_id=run.file_id)
    completing.complete(db, run.partner_id, kind, others, caller=why.caller, now=now)
    return Slice(TakenBack(), numbers[-1])


def documents_of(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Take the file's lines out of documents; documents that were sent on or are used stay."""
    kind = completing.kind_of(load(db, run.file_id).entity)
    if kind is None:
        return Slice(TakenBack(), None)
    found, checkpoint = _page(db, run, document_line, _LINE.document_id, _LINE.revision >= UNCOUNTED, rows)
    if not found and checkpoint is None:
        return Slice(TakenBack(), None)
    _require_none_being_sent(db, kind)
    ids = set(_not_left(db, run, found))
    going = taking_back.lines_of(db, ids, _files(db, run.file_id))
    told = taking_back.take_back(db, run.partner_id, kind, going, sent=sent(db, kind, ids), caller=why.caller, now=now)
    left = [Left("document", each.document_id, None, each.why) for each in told if each.why is not None]
    return Slice(TakenBack(len(told) - len(left), {}, left), checkpoint)


def _require_none_being_sent(db: Connection, kind: Kind) -> None:
    """Let no file of orders be begun before the end of the transaction. Raises Unavailable while one is being written.

    Which revisions it has is only noted once it is there.
    """
    if kind.name != "order":
        return
    streams = select(export_stream.c.writing_id).where(export_stream.c.export.in_(_ORDER_EXPORTS))
    if any(db.execute(streams.with_for_update()).scalars()):
        raise Unavailable("Orders are being sent on at this moment: which ones is known once that is done.")


def foresee_words(db: Connection, file: InboundFile, now: datetime) -> Iterator[TakenBack]:
    """How many words would go: nothing keeps one."""
    del now
    of = WORDS[file.entity or ""]
    for file_id, numbers in _files(db, file.id).items():
        query = select(func.count()).where(of.c.source_file_id == file_id, of.c.version >= 0)
        for chunk in [None] if numbers is None else bulk.in_chunks(sorted(numbers)):
            yield TakenBack(
                int(db.execute(query if chunk is None else query.where(of.c.row_no.in_(chunk))).scalar_one())
            )


def foresee_documents(db: Connection, file: InboundFile, now: datetime) -> Iterator[TakenBack]:
    """Which documents would go, and which would stay."""
    del now
    kind = completing.kind_of(file.entity)
    assert kind is not None  # noqa: S101 - asked for documents only
    files = _files(db, file.id)
    after = b""
    while ids := _documents_after(db, files, after):
        going = taking_back.lines_of(db, ids, files)
        told = taking_back.foresee(db, file.partner_id, kind, going, sent=sent(db, kind, ids))
        left = [Left("document", each.document_id, None, each.why) for each in told if each.why is not None]
        yield TakenBack(len(told) - len(left), {}, left)
        after = ids[-1]


def _documents_after(db: Connection, files: Mapping[bytes, Collection[int] | None], after: bytes) -> list[bytes]:
    """The next documents with lines of these files, by id."""
    query = (
        select(_LINE.document_id)
        .where(_LINE.source_file_id.in_(sorted(files)), _LINE.revision >= UNCOUNTED, _LINE.document_id > after)
        .distinct()
        .order_by(_LINE.document_id)
        .limit(bulk.CHUNK)
    )
    return list(db.execute(query).scalars())


def sent(db: Connection, kind: Kind, document_ids: Collection[bytes]) -> dict[bytes, int]:
    """The latest revision of each document that went out in a file; those of which none did are left out."""
    if kind.name != "order":
        return {}
    found: dict[bytes, int] = {}
    mark, streams = export_mark.c, select(export_stream.c.export, export_stream.c.receiver)
    for export, receiver in db.execute(streams.where(export_stream.c.export.in_(_ORDER_EXPORTS))).all():
        for chunk in bulk.in_chunks(sorted(document_ids)):
            query = select(mark.key, mark.version).where(
                mark.export == export, mark.receiver == receiver, mark.key.in_(chunk)
            )
            found |= {row.key: max(int(row.version), found.get(row.key, -1)) for row in db.execute(query)}
    return found


def _files(db: Connection, file_id: bytes) -> dict[bytes, Collection[int] | None]:
    """Which rows of which files are taken back with a file; None: all."""
    return {**returned_rows(db, file_id), file_id: None}


def _not_left(db: Connection, run: Rollback, ids: Sequence[bytes]) -> list[bytes]:
    """Those of the records that did not have to stay."""
    left: set[bytes] = set()
    for chunk in bulk.in_chunks(sorted(set(ids))):
        query = select(_LEFT.subject_id).where(_LEFT.rollback_id == run.id, _LEFT.subject_id.in_(chunk))
        left |= set(db.execute(query).scalars())
    return [each for each in ids if each not in left]


def _page(
    db: Connection, run: Rollback, of: Table, column: Column[bytes], standing: ColumnElement[bool], rows: int
) -> tuple[list[bytes], int | None]:
    """Which records the next rows brought, and the checkpoint after them."""
    for file_id, numbers in sorted(returned_rows(db, run.file_id).items()):
        for chunk in bulk.in_chunks(sorted(numbers)):
            query = select(column).where(of.c.source_file_id == file_id, of.c.row_no.in_(chunk), standing)
            found = _not_left(db, run, list(db.execute(query.order_by(of.c.row_no.desc())).scalars()))
            if found:
                return found[:rows], run.checkpoint
    query = (
        select(column.label("found"), of.c.row_no)
        .where(of.c.source_file_id == run.file_id, standing, of.c.row_no < run.checkpoint)
        .order_by(of.c.row_no.desc())
        .limit(rows)
    )
    page = db.execute(query).all()
    if not page:
        return [], None
    return [row.found for row in page], page[-1].row_no
