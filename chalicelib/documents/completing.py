"""Revisions of which all rows are there become versions."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access.caller import Caller
from chalicelib.documents import gaps, known, saving
from chalicelib.documents.gaps import Revision
from chalicelib.documents.kinds import KINDS, UNCOUNTED, Key, Kind
from chalicelib.documents.models import document, document_draft, document_line
from chalicelib.documents.saving import NewDocument
from chalicelib.errors import Broken
from chalicelib.language import parse_json
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields

_DRAFT = document_draft.c
_LINE = document_line.c
_DOCUMENT = document.c
_KEY = ("document_id", "revision")


def open_in(db: Connection, file_id: bytes, *, limit: int) -> list[tuple[str, Revision]]:
    """Revisions that wait for the end of a file, by kind, at most ``limit``."""
    query = (
        select(_DOCUMENT.kind, _DOCUMENT.scope, _DOCUMENT.number, _DRAFT.revision)
        .join(document, _DOCUMENT.id == _DRAFT.document_id)
        .where(_DRAFT.open_file_id == file_id)
        .order_by(_DRAFT.document_id, _DRAFT.revision)
        .limit(limit)
    )
    return [(row.kind, Revision((row.scope, row.number), row.revision)) for row in db.execute(query)]


def finish(
    db: Connection,
    partner_id: bytes,
    file_id: bytes,
    kind: Kind,
    revisions: Collection[Revision],
    *,
    caller: Caller,
    now: datetime,
) -> None:
    """The file was read to its end: save those of these revisions that are whole, and wait for no more of it."""
    held = known.locked(db, partner_id, kind, {each.key for each in revisions}, now=now)
    for chunk in bulk.in_chunks(sorted((held[each.key].id, each.number) for each in revisions)):
        these = bulk.key_in(document_draft, _KEY, chunk)
        db.execute(update(document_draft).where(these, _DRAFT.open_file_id == file_id).values(open_file_id=None))
    complete(db, partner_id, kind, revisions, source_file_id=file_id, caller=caller, now=now)


def complete(
    db: Connection,
    partner_id: bytes,
    kind: Kind,
    revisions: Iterable[Revision],
    *,
    source_file_id: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> None:
    """Save those of these revisions that no rejected row and no file in work keeps from being whole."""
    wanted = set(revisions)
    waiting = gaps.among(db, partner_id, kind.name, {each.key for each in wanted})
    held = known.locked(db, partner_id, kind, {each.key for each in wanted - waiting}, now=now)
    names: dict[bytes, Key] = {row.id: key for key, row in held.items()}
    newest = {row.id: row.newest_revision for row in held.values()}
    places = sorted((held[each.key].id, each.number) for each in wanted - waiting)
    rows: list[Row[Any]] = []
    for chunk in bulk.in_chunks(places):
        query = select(document_draft).where(
            bulk.key_in(document_draft, _KEY, chunk), _DRAFT.whole.is_(False), _DRAFT.open_file_id.is_(None)
        )
        rows += db.execute(query).all()
    lines = _lines(db, [(row.document_id, row.revision) for row in rows])
    before = known.versions(
        db, {(row.document_id, newest[row.document_id]) for row in rows if newest[row.document_id] is not None}
    )
    made = []
    for row in rows:
        own = {line["line_no"]: line for line in lines[row.document_id, row.revision]}
        if row.revision == UNCOUNTED and newest[row.document_id] is not None:
            # What was known before stays: a later file adds to it.
            earlier = before[row.document_id, newest[row.document_id]].lines
            own = {line["line_no"]: line for line in earlier} | own
        made.append(
            NewDocument(
                kind.name,
                names[row.document_id],
                row.revision if kind.revised else None,
                parse_json(row.header),
                {} if row.personal is None else decrypt_fields(row.personal, bound_to=row.document_id),
                list(own.values()),
                row.concerns_id,
                source_file_id,
            )
        )
    saved = saving.save_all(db, partner_id, made, of_drafts=True, caller=caller, now=now)
    if any(each.outcome == "other_content" for each in saved):
        raise Broken("A revision that was saved has rows of another content.")
    for chunk in bulk.in_chunks([(row.document_id, row.revision) for row in rows]):
        these = bulk.key_in(document_draft, _KEY, chunk)
        # What is personal is in the version from here on, and nowhere twice.
        db.execute(update(document_draft).where(these).values(whole=True, personal=None, changed_at=now))


def reopen(db: Connection, partner_id: bytes, kind: Kind, revisions: Collection[Revision], *, file_id: bytes) -> None:
    """Have revisions looked at again at the end of a file, because nothing of another one is in their way any more."""
    values = [(partner_id, kind.name, *each.key) for each in revisions]
    numbers: dict[Key, list[int]] = {}
    for each in revisions:
        numbers.setdefault(each.key, []).append(each.number)
    for chunk in bulk.in_chunks(sorted(set(values))):
        query = select(_DOCUMENT.id, _DOCUMENT.scope, _DOCUMENT.number).where(
            bulk.key_in(document, ("partner_id", "kind", "scope", "number"), chunk)
        )
        places = sorted((row.id, number) for row in db.execute(query) for number in numbers[row.scope, row.number])
        if places:
            these = bulk.key_in(document_draft, _KEY, places)
            opened = update(document_draft).where(these, _DRAFT.whole.is_(False), _DRAFT.open_file_id.is_(None))
            db.execute(opened.values(open_file_id=file_id))


def figures(db: Connection, file_id: bytes) -> dict[str, int]:
    """How many documents a file made whole, and how many that it has rows of are not."""
    standing = (_LINE.source_file_id == file_id, _LINE.revision >= UNCOUNTED)
    own = select(_LINE.document_id, _LINE.revision).where(*standing).distinct().subquery()
    query = select(_DRAFT.whole).join(
        own, (own.c.document_id == _DRAFT.document_id) & (own.c.revision == _DRAFT.revision)
    )
    states = list(db.execute(query).scalars())
    return {"documents_whole": sum(map(bool, states)), "documents_incomplete": sum(not state for state in states)}


def kind_of(name: str | None) -> Kind | None:
    """The kind of the rows of an entity; None for rows that are no documents."""
    return None if name is None else KINDS.get(name)


def _lines(db: Connection, places: Collection[tuple[bytes, int]]) -> dict[tuple[bytes, int], list[dict[str, Any]]]:
    found: dict[tuple[bytes, int], list[dict[str, Any]]] = {place: [] for place in places}
    for chunk in bulk.in_chunks(sorted(places)):
        for row in db.execute(select(document_line).where(bulk.key_in(document_line, _KEY, chunk))):
            found[row.document_id, row.revision].append({**parse_json(row.content), "line_no": row.line_no})
    return found
