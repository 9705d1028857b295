"""Rejected rows of documents: a revision is not whole while one of its rows waits to be mended."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
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


def fill(db: Connection, partner_id: bytes, kind: str, lines: Mapping[Place, bytes]) -> None:
    """Have rejected rows of lines that another row has brought since be in nobody's way; each line with its file."""
    names = ("partner_id", "kind", "scope", "number", "revision", "line_no")
    by_file: dict[bytes, list[tuple[Any, ...]]] = {}
    for each, file_id in sorted(lines.items()):
        by_file.setdefault(file_id, []).append((partner_id, kind, *each.key, each.revision, each.line_no))
    for file_id, values in sorted(by_file.items()):
        for chunk in bulk.in_chunks(values):
            these = bulk.key_in(document_gap, names, chunk)
            db.execute(update(document_gap).where(these, _GAP.filled_by.is_(None)).values(filled_by=file_id))


def open_again(db: Connection, file_id: bytes, *, limit: int) -> int:
    """Let up to so many rejected rows of which a file had brought the lines be in the way again; how many."""
    found = db.execute(select(_GAP.file_id, _GAP.row_no).where(_GAP.filled_by == file_id).limit(limit)).all()
    for chunk in bulk.in_chunks([tuple(row) for row in found]):
        these = bulk.key_in(document_gap, ("file_id", "row_no"), chunk)
        db.execute(update(document_gap).where(these).values(filled_by=None))
    return len(found)


def among(db: Connection, partner_id: bytes, kind: str, keys: Collection[Key]) -> set[Revision]:
    """The revisions of these documents that have gaps."""
    found: set[Revision] = set()
    for chunk in bulk.in_chunks(sorted(set(keys))):
        values = [(partner_id, kind, *key) for key in chunk]
        these = bulk.key_in(document_gap, ("partner_id", "kind", "scope", "number"), values)
        found |= _revisions(db, these & _GAP.filled_by.is_(None))
    return found


def _revisions(db: Connection, condition: Any) -> set[Revision]:  # noqa: ANN401 - a condition of SQLAlchemy's
    query = select(_GAP.scope, _GAP.number, _GAP.revision).where(condition).distinct()
    return {Revision((row.scope, row.number), row.revision) for row in db.execute(query)}
