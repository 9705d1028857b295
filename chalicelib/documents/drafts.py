"""Revisions that come in rows: what is known of each before a row is judged, and what is written after."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.engine import Connection

from chalicelib.documents import known, whose
from chalicelib.documents.kinds import UNCOUNTED, Key, Kind
from chalicelib.documents.models import document_draft, document_line
from chalicelib.documents.saying import Said, header_hash, line_hash
from chalicelib.language import parse_json
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields, encrypt_fields

_DRAFT = document_draft.c
_LINE = document_line.c
_KEY = ("document_id", "revision")
#: Which revision of which document.
Place = tuple[bytes, int]


@dataclass(slots=True)
class Draft:
    """One revision: what is said of the whole, and the hash of each line.

    ``whole``: its version has all of them. ``stored``: it is in the table already. ``said``: a row belonged to it.
    """

    document_id: bytes
    revision: int
    header: Mapping[str, Any]
    personal: Mapping[str, str | None]
    digest: bytes
    concerns_id: bytes | None
    whole: bool
    stored: bool
    lines: dict[int, bytes] = field(default_factory=dict)
    said: bool = False

    @property
    def closed(self) -> bool:
        """Whether no line can be added: the sender counts revisions, and this one is whole."""
        return self.whole and self.revision != UNCOUNTED

    def differing(self, row: Said) -> str | None:
        """The first field of which a row says something else than the others of its document did."""
        if row.header_hash == self.digest:
            return None
        theirs: dict[str, Any] = {**row.header, **row.personal}
        ours: dict[str, Any] = {**self.header, **self.personal}
        return next((name for name, value in theirs.items() if ours.get(name) != value), None)


def of(db: Connection, kind: Kind, rows: Mapping[Key, Row[Any]], places: Collection[Place]) -> dict[Place, Draft]:
    """What is known of these revisions of documents that are locked, by rows of files or as they were saved whole."""
    found: dict[Place, Draft] = {}
    for chunk in bulk.in_chunks(sorted(places)):
        query = select(document_draft).where(bulk.key_in(document_draft, _KEY, chunk))
        found |= {(row.document_id, row.revision): _of_row(row) for row in db.execute(query)}
        lines = select(_LINE.document_id, _LINE.revision, _LINE.line_no, _LINE.content_hash)
        for line in db.execute(lines.where(bulk.key_in(document_line, _KEY, chunk))):
            found[line.document_id, line.revision].lines[line.line_no] = line.content_hash
    newest = {row.id: row.newest_revision for row in rows.values()}
    saved: dict[Place, Place] = {}
    # What is personal of a whole revision is in its version alone.
    for place in places:
        revision = place[1] if kind.revised else newest[place[0]]
        if revision is not None and (place not in found or (found[place].whole and kind.personal)):
            saved[place] = (place[0], revision)
    versions = known.versions(db, set(saved.values()))
    for place, version in saved.items():
        if version not in versions:
            continue
        if place in found:
            found[place].personal = versions[version].personal
        else:
            found[place] = _of_version(kind, place, versions[version])
    return found


def begun(place: Place, row: Said, concerns_id: bytes | None) -> Draft:
    """A revision of which this is the first row."""
    return Draft(*place, row.header, row.personal, row.header_hash, concerns_id, whole=False, stored=False)


def write(
    db: Connection, partner_id: bytes, drafts: Iterable[Draft], *, open_file_id: bytes | None, now: datetime
) -> None:
    """Keep what rows belonged to; ``open_file_id`` is the file in which more may come."""
    touched = sorted((draft for draft in drafts if draft.said), key=lambda each: (each.document_id, each.revision))
    new = [_row(partner_id, draft, open_file_id, now) for draft in touched if not draft.stored]
    bulk.insert(db, document_draft, new)
    for draft in touched:
        if draft.stored:
            own = (_DRAFT.document_id == draft.document_id) & (_DRAFT.revision == draft.revision)
            values: dict[str, Any] = {"whole": draft.whole, "changed_at": now}
            if open_file_id is not None:
                values["open_file_id"] = open_file_id
            db.execute(update(document_draft).where(own).values(values))


def _row(partner_id: bytes, draft: Draft, open_file_id: bytes | None, now: datetime) -> dict[str, Any]:
    personal = {name: value for name, value in draft.personal.items() if value is not None}
    return {
        "document_id": draft.document_id,
        "revision": draft.revision,
        "partner_id": partner_id,
        "header": canonical.text(dict(draft.header)),
        "personal": encrypt_fields(personal, bound_to=draft.document_id) if personal else None,
        "header_hash": draft.digest,
        "concerns_id": draft.concerns_id,
        "whole": draft.whole,
        "open_file_id": open_file_id,
        "changed_at": now,
        **whose.indexes(draft.header, personal, partner_id=partner_id, concerns_id=draft.concerns_id),
    }


def _of_row(row: Row[Any]) -> Draft:
    personal = {} if row.personal is None else decrypt_fields(row.personal, bound_to=row.document_id)
    return Draft(
        row.document_id,
        row.revision,
        parse_json(row.header),
        personal,
        row.header_hash,
        row.concerns_id,
        whole=bool(row.whole),
        stored=True,
    )


def _of_version(kind: Kind, place: Place, version: known.Version) -> Draft:
    personal = {name: version.personal.get(name) for name in kind.personal}
    lines = {int(line["line_no"]): line_hash(line) for line in version.lines}
    digest = header_hash(version.header, personal)
    return Draft(*place, version.header, personal, digest, None, whole=True, stored=False, lines=lines)
