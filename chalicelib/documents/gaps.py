"""Rejected rows of documents: a revision is not whole while one of its rows waits to be mended."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from chalicelib.documents.kinds import Key
from chalicelib.documents.models import document_gap
from chalicelib.documents.saying import Place
from chalicelib.storage import bulk

_GAP = document_gap.c
#: A row of a file.
RowPlace = tuple[bytes, int]


class Revision(NamedTuple):
    """One revision of one document by its name."""

    key: Key
    number: int


def note(db: Connection, partner_id: bytes, kind: str, rows: Mapping[RowPlace, Place]) -> None:
    """Remember rejected rows with the line that each would have been; a row that was tried again is placed anew."""
    if not rows:
        return
    close(db, rows)
    values: list[dict[str, Any]] = [
        {
            "file_id": file_id,
            "row_no": row_no,
            "partner_id": partner_id,
            "kind": kind,
            "scope": where.key[0],
            "number": where.key[1],
            "revision": where.revision,
            "line_no": where.line_no,
        }
        for (file_id, row_no), where in sorted(rows.items())
    ]
    bulk.insert(db, document_gap, values)


def close(db: Connection, rows: Iterable[RowPlace]) -> set[Revision]:
    """Forget rows that are not rejected any more; the revisions that they were in the way of."""
    found: set[Revision] = set()
    for chunk in bulk.in_chunks(sorted(rows)):
        these = bulk.key_in(document_gap, ("file_id", "row_no"), chunk)
        found |= _revisions(db, these)
        db.execute(delete(document_gap).where(these))
    return found


def fill(db: Connection, partner_id: bytes, kind: str, lines: Collection[Place]) -> None:
    """Forget rejected rows of lines that another row has brought since."""
    names = ("partner_id", "kind", "scope", "number", "revision", "line_no")
    values = [(partner_id, kind, *each.key, each.revision, each.line_no) for each in sorted(set(lines))]
    for chunk in bulk.in_chunks(values):
        db.execute(delete(document_gap).where(bulk.key_in(document_gap, names, chunk)))


def among(db: Connection, partner_id: bytes, kind: str, keys: Collection[Key]) -> set[Revision]:
    """The revisions of these documents that have gaps."""
    found: set[Revision] = set()
    for chunk in bulk.in_chunks(sorted(set(keys))):
        values = [(partner_id, kind, *key) for key in chunk]
        found |= _revisions(db, bulk.key_in(document_gap, ("partner_id", "kind", "scope", "number"), values))
    return found


def _revisions(db: Connection, condition: Any) -> set[Revision]:  # noqa: ANN401 - a condition of SQLAlchemy's
    query = select(_GAP.scope, _GAP.number, _GAP.revision).where(condition).distinct()
    return {Revision((row.scope, row.number), row.revision) for row in db.execute(query)}
