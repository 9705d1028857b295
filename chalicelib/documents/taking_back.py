"""Lines of documents are taken back with the file that brought them, as if it had never come.

What goes is kept under a revision below zero, so that its place is free: the same lines, or others, may come anew. A
version that has one of them goes whole. Where other files' lines are left, and none of them waits to be mended, the
rest becomes a version again. A version that was sent on stays with its lines, and so does an order that a shipment or a
return names.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.documents import completing
from chalicelib.documents.drafts import Place
from chalicelib.documents.gaps import Revision
from chalicelib.documents.kinds import UNCOUNTED, Kind
from chalicelib.documents.known import WITHDRAWN
from chalicelib.documents.models import document, document_draft, document_line, document_version
from chalicelib.language import parse_json
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields, encrypt_fields

_DOCUMENT: Final = document.c
_VERSION: Final = document_version.c
_DRAFT: Final = document_draft.c
_LINE: Final = document_line.c
_REVISED: Final = (document_version, document_draft, document_line)


class Told(NamedTuple):
    """What became of one document: ``why`` it stays, or a revision of it; None: all that was to go is gone."""

    document_id: bytes
    why: str | None


@dataclass(slots=True)
class _Document:
    """One document: the lines that go and those that stay, its versions and its drafts, by revision."""

    row: Row[Any]
    going: dict[int, set[int]]
    staying: dict[int, int] = field(default_factory=dict)
    versions: dict[int, Row[Any]] = field(default_factory=dict)
    drafts: dict[int, Row[Any]] = field(default_factory=dict)
    #: The lowest revision that is taken: what goes is put below.
    lowest: int = 0

    def affected(self, kind: Kind, revision: int) -> list[int]:
        """Which versions have a line that goes from a revision."""
        if kind.revised:
            return [revision] if revision in self.versions else []
        numbers = self.going[revision]
        return [
            number
            for number, version in sorted(self.versions.items())
            if any(int(line["line_no"]) in numbers for line in parse_json(version.content)["lines"])
        ]

    def is_gone(self, kind: Kind) -> bool:
        """Whether nothing is left of it once its lines have gone."""
        gone = {number for revision in self.going for number in self.affected(kind, revision)}
        left = set(self.drafts) - {revision for revision in self.going if not self.staying.get(revision)}
        return not left and not set(self.versions) - gone


def take_back(
    db: Connection,
    partner_id: bytes,
    kind: Kind,
    going: Mapping[Place, Collection[int]],
    *,
    sent: Mapping[bytes, int],
    caller: Caller,
    now: datetime,
) -> list[Told]:
    """Take these lines back, by document and revision; what became of each document, in the order of ids.

    ``sent`` has the latest revision of each document that an outside system was given.
    """
    held = _held(db, going, locked=True)
    told = {each.document_id: each for each in _judged(db, partner_id, kind, held, sent)}
    again: list[Revision] = []
    for document_id, one in sorted(held.items()):
        key = (one.row.scope, one.row.number)
        again += [Revision(key, each) for each in sorted(one.going) if _withdraw(db, kind, one, each, now)]
        if one.going:
            _newest(db, document_id, one, now)
    if again:
        completing.complete(db, partner_id, kind, again, caller=caller, now=now)
    return [told[document_id] for document_id in sorted(told)]


def foresee(
    db: Connection, partner_id: bytes, kind: Kind, going: Mapping[Place, Collection[int]], *, sent: Mapping[bytes, int]
) -> list[Told]:
    """What ``take_back`` would say; nothing is written, and nothing locked."""
    return _judged(db, partner_id, kind, _held(db, going, locked=False), sent)


def lines_of(
    db: Connection, document_ids: Collection[bytes], files: Mapping[bytes, Collection[int] | None]
) -> dict[Place, set[int]]:
    """The lines of these documents that files brought: line numbers by document and revision.

    ``files`` has the rows of each file that count; None: all.
    """
    found: defaultdict[Place, set[int]] = defaultdict(set)
    for chunk in bulk.in_chunks(sorted(document_ids)):
        query = select(_LINE.document_id, _LINE.revision, _LINE.line_no, _LINE.source_file_id, _LINE.row_no).where(
            _LINE.document_id.in_(chunk), _LINE.revision >= UNCOUNTED, _LINE.source_file_id.in_(sorted(files))
        )
        for row in db.execute(query):
            numbers = files[row.source_file_id]
            if numbers is None or row.row_no in numbers:
                found[row.document_id, row.revision].add(row.line_no)
    return dict(found)


def without_lines_of(
    db: Connection, partner_id: bytes, kind: Kind, revisions: Collection[Revision], *, file_id: bytes
) -> list[Revision]:
    """Those of the revisions that have no line of a file."""
    by_key: defaultdict[tuple[bytes, str, str, str], set[int]] = defaultdict(set)
    for each in revisions:
        by_key[partner_id, kind.name, *each.key].add(each.number)
    found: list[Revision] = []
    for chunk in bulk.in_chunks(sorted(by_key)):
        query = select(_DOCUMENT.id, _DOCUMENT.scope, _DOCUMENT.number).where(
            bulk.key_in(document, ("partner_id", "kind", "scope", "number"), chunk)
        )
        rows = db.execute(query).all()
        theirs = lines_of(db, [row.id for row in rows], {file_id: None})
        for row in rows:
            numbers = sorted(by_key[partner_id, kind.name, row.scope, row.number])
            found += [Revision((row.scope, row.number), number) for number in numbers if (row.id, number) not in theirs]
    return found


def _held(db: Connection, going: Mapping[Place, Collection[int]], *, locked: bool) -> dict[bytes, _Document]:
    of: defaultdict[bytes, dict[int, set[int]]] = defaultdict(dict)
    for (document_id, revision), numbers in going.items():
        of[document_id][revision] = set(numbers)
    found: dict[bytes, _Document] = {}
    for chunk in bulk.in_chunks(sorted(of)):
        query = select(document).where(_DOCUMENT.id.in_(chunk)).order_by(_DOCUMENT.id)
        rows = db.execute(query.with_for_update() if locked else query)
        found |= {row.id: _Document(row, of[row.id]) for row in rows}
        for row in db.execute(select(document_version).where(_VERSION.document_id.in_(chunk), _VERSION.revision >= 0)):
            found[row.document_id].versions[row.revision] = row
        for row in db.execute(select(document_draft).where(_DRAFT.document_id.in_(chunk), _DRAFT.revision >= 0)):
            found[row.document_id].drafts[row.revision] = row
        lines = select(_LINE.document_id, _LINE.revision, _LINE.line_no)
        for row in db.execute(lines.where(_LINE.document_id.in_(chunk), _LINE.revision >= 0)):
            one = found[row.document_id]
            if row.line_no not in one.going.get(row.revision, ()):
                one.staying[row.revision] = one.staying.get(row.revision, 0) + 1
        for each in _REVISED:
            lowest = select(each.c.document_id, func.min(each.c.revision).label("lowest"))
            for row in db.execute(lowest.where(each.c.document_id.in_(chunk)).group_by(each.c.document_id)):
                found[row.document_id].lowest = min(found[row.document_id].lowest, row.lowest)
    return found


def _judged(
    db: Connection, partner_id: bytes, kind: Kind, held: Mapping[bytes, _Document], sent: Mapping[bytes, int]
) -> list[Told]:
    """What stays and why; it is taken out of what goes."""
    why: dict[bytes, str | None] = dict.fromkeys(sorted(held))
    for document_id, one in held.items():
        last = sent.get(document_id, -1)
        for revision in sorted(one.going):
            if any(number <= last for number in one.affected(kind, revision)):
                del one.going[revision]
                why[document_id] = "document_sent"
    if kind.name == "order":
        gone = [one for one in held.values() if one.going and one.is_gone(kind)]
        used = _in_use(db, partner_id, gone)
        for one in gone:
            # Orders of one number in several channels stay together: which of them is meant, nobody says.
            if one.row.number in used:
                one.going.clear()
                why[one.row.id] = "document_in_use"
    return [Told(document_id, reason) for document_id, reason in why.items()]


def _in_use(db: Connection, partner_id: bytes, gone: Collection[_Document]) -> set[str]:
    """Those of the orders' numbers that a shipment or return names."""
    ids = {one.row.id for one in gone}
    found: set[str] = set()
    for chunk in bulk.in_chunks(sorted({one.row.number for one in gone})):
        standing = (_DOCUMENT.partner_id == partner_id, _DOCUMENT.state != WITHDRAWN)
        found.update(db.execute(select(_DOCUMENT.order_no).where(*standing, _DOCUMENT.order_no.in_(chunk))).scalars())
        # An order of the same number, of another channel, is enough.
        others = select(_DOCUMENT.id, _DOCUMENT.number).where(
            *standing, _DOCUMENT.kind == "order", _DOCUMENT.number.in_(chunk)
        )
        found -= {row.number for row in db.execute(others) if row.id not in ids}
    return found


def _withdraw(db: Connection, kind: Kind, one: _Document, revision: int, now: datetime) -> bool:
    """Put the lines of a revision below zero, and the versions that have them; whether other lines are left."""
    own = one.row.id
    affected = one.affected(kind, revision)
    one.lowest -= 1
    place = (_LINE.document_id == own) & (_LINE.revision == revision)
    for chunk in bulk.in_chunks(sorted(one.going[revision])):
        db.execute(update(document_line).where(place, _LINE.line_no.in_(chunk)).values(revision=one.lowest))
    left = bool(one.staying.get(revision))
    draft = one.drafts.get(revision)
    if draft is not None:
        values: dict[str, Any] = {"open_file_id": None, "changed_at": now, "whole": False}
        if not left:
            values["revision"] = one.lowest
            del one.drafts[revision]
        elif draft.whole and affected:
            # What is personal was in the version alone.
            values["personal"] = _personal(one.versions[affected[-1]], own)
        db.execute(update(document_draft).where(_DRAFT.document_id == own, _DRAFT.revision == revision).values(values))
    for number in affected:
        one.lowest -= 1
        version = one.versions.pop(number)
        db.execute(update(document_version).where(_VERSION.id == version.id).values(revision=one.lowest))
    return left


def _personal(version: Row[Any], document_id: bytes) -> bytes | None:
    if version.personal is None:
        return None
    return encrypt_fields(decrypt_fields(version.personal, bound_to=version.id), bound_to=document_id)


def _newest(db: Connection, document_id: bytes, one: _Document, now: datetime) -> None:
    """Let the newest version that is left hold."""
    newest = max(one.versions, default=None)
    values: dict[str, Any] = {"newest_revision": newest, "newest_version_id": None, "changed_at": now}
    if newest is not None:
        values |= {"state": "pending", "newest_version_id": one.versions[newest].id}
        if newest in one.drafts:
            values["concerns_id"] = one.drafts[newest].concerns_id
    else:
        values["state"] = "incomplete" if one.drafts else WITHDRAWN
    db.execute(update(document).where(_DOCUMENT.id == document_id).values(values))
