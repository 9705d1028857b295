"""Documents are saved whole: one version a revision, the same one once, and the newest revision is what holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection, Row

from chalicelib.access.caller import Caller
from chalicelib.documents import known, whose
from chalicelib.documents.kinds import KINDS, Key
from chalicelib.documents.models import document, document_draft, document_version
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.encryption import encrypt_fields, keyed_digest
from chalicelib.storage.ids import new_ids

_NEWEST: Final = ("concerns_id", "state", "newest_version_id", "newest_revision", "changed_at")


@dataclass(frozen=True, slots=True)
class NewDocument:
    """One revision of a document, whole. ``revision`` None: the sender counts none, so it is the next one.

    ``lines`` each have a ``line_no``. ``concerns_id``: the partner whose employee it is about. ``source_file_id``: the
    file that completed it.
    """

    kind: str
    key: Key
    revision: int | None
    header: Mapping[str, Any]
    personal: Mapping[str, str | None]
    lines: Sequence[Mapping[str, Any]]
    concerns_id: bytes | None = None
    source_file_id: bytes | None = None

    @property
    def content(self) -> str:
        """What is kept in the clear: the same for the same lines in any order."""
        lines = sorted((dict(line) for line in self.lines), key=lambda line: line["line_no"])
        return canonical.text({"header": dict(self.header), "lines": lines})

    @property
    def digest(self) -> bytes:
        """What two versions must share to be the same."""
        return keyed_digest(f"{self.content}\n{canonical.text(dict(self.personal))}".encode())


class Saved(NamedTuple):
    """What became of one: ``duplicate``: known with this content; ``other_content``: known with another.

    ``draft``: rows of the same revision are kept of a file that is not whole yet. ``is_newest``: it is what holds now;
    an older revision is kept and does not. ``version_id`` is the version that there is; None for a draft.
    """

    outcome: Literal["saved", "duplicate", "other_content", "draft"]
    document_id: bytes
    version_id: bytes | None
    revision: int
    is_newest: bool


def save(db: Connection, partner_id: bytes, new: NewDocument, *, caller: Caller, now: datetime) -> Saved:
    """Save one document; see ``save_all``."""
    [saved] = save_all(db, partner_id, [new], caller=caller, now=now)
    return saved


def save_all(
    db: Connection,
    partner_id: bytes,
    documents: Sequence[NewDocument],
    *,
    of_drafts: bool = False,
    caller: Caller,
    now: datetime,
) -> list[Saved]:
    """Save documents of one partner in order; one answer each. What is newest is ``pending`` from then on.

    Safe to call again, and in parallel: business key and revision decide. ``of_drafts``: they are made of rows that are
    kept, so that a draft is no obstacle. Who calls writes the audit trail.
    """
    held = _Held.of(db, partner_id, documents, now)
    drafts = set() if of_drafts else held.drafts(db)
    saved = [held.place(new, own, drafts) for new, own in zip(documents, new_ids(len(documents)), strict=True)]
    fresh = [
        (new, each) for new, each in zip(documents, saved, strict=True) if each.outcome == "saved" and each.version_id
    ]
    rows = [_row(partner_id, new, each, caller, now) for new, each in fresh]
    bulk.insert(db, document_version, sorted(rows, key=lambda row: (row["document_id"], row["revision"])))
    newest = {
        each.document_id: {
            "id": each.document_id,
            "concerns_id": new.concerns_id,
            "state": "pending",
            "newest_version_id": each.version_id,
            "newest_revision": each.revision,
            "changed_at": now,
        }
        for new, each in fresh
        if each.is_newest
    }
    bulk.update_by_key(db, document, [newest[key] for key in sorted(newest)], key=("id",), set_=_NEWEST)
    return saved


class _Version(NamedTuple):
    id: bytes
    digest: bytes


class _Held:
    """The documents of a batch as they stand, under their locks, and as the batch changes them."""

    def __init__(self, ids: Mapping[tuple[str, Key], Row[Any]], versions: dict[tuple[bytes, int], _Version]) -> None:
        self._ids = {key: row.id for key, row in ids.items()}
        self._newest: dict[bytes, int | None] = {row.id: row.newest_revision for row in ids.values()}
        self._versions = versions

    @classmethod
    def of(cls, db: Connection, partner_id: bytes, documents: Sequence[NewDocument], now: datetime) -> "_Held":
        """Lock the documents, making those that are new, and read the versions that may matter."""
        by_kind: dict[str, set[Key]] = {}
        for new in documents:
            by_kind.setdefault(new.kind, set()).add(new.key)
        ids = {
            (kind, key): row
            for kind in sorted(by_kind)
            for key, row in known.locked(db, partner_id, KINDS[kind], by_kind[kind], now=now).items()
        }
        wanted = {
            (row.id, revision)
            for new in documents
            for row in [ids[new.kind, new.key]]
            for revision in [row.newest_revision if new.revision is None else new.revision]
            if revision is not None
        }
        of = document_version.c
        versions: dict[tuple[bytes, int], _Version] = {}
        for chunk in bulk.in_chunks(sorted(wanted)):
            query = select(of.document_id, of.revision, of.id, of.content_hash).where(
                bulk.key_in(document_version, ("document_id", "revision"), chunk)
            )
            versions |= {
                (row.document_id, row.revision): _Version(row.id, row.content_hash) for row in db.execute(query)
            }
        return cls(ids, versions)

    def drafts(self, db: Connection) -> set[tuple[bytes, int]]:
        """The revisions of which rows are kept that are not whole."""
        of = document_draft.c
        found: set[tuple[bytes, int]] = set()
        for chunk in bulk.in_chunks(sorted(self._newest)):
            query = select(of.document_id, of.revision).where(of.document_id.in_(chunk), of.whole.is_(False))
            found |= {(row.document_id, row.revision) for row in db.execute(query)}
        return found

    def place(self, new: NewDocument, own: bytes, drafts: set[tuple[bytes, int]]) -> Saved:
        """What becomes of one document, which may be saved under the id ``own``."""
        of, digest = self._ids[new.kind, new.key], new.digest
        newest = self._newest[of]
        if (of, new.revision or 0) in drafts:
            return Saved("draft", of, None, new.revision or 0, is_newest=False)
        revision = new.revision
        if revision is None:
            last = None if newest is None else self._versions.get((of, newest))
            if newest is not None and last is not None and last.digest == digest:
                return Saved("duplicate", of, last.id, newest, is_newest=True)
            revision = (newest or 0) + 1
        version = self._versions.get((of, revision))
        if version is not None:
            same = version.digest == digest
            return Saved("duplicate" if same else "other_content", of, version.id, revision, revision == newest)
        self._versions[of, revision] = _Version(own, digest)
        is_newest = newest is None or revision > newest
        if is_newest:
            self._newest[of] = revision
        return Saved("saved", of, own, revision, is_newest)


def _row(partner_id: bytes, new: NewDocument, saved: Saved, caller: Caller, now: datetime) -> dict[str, Any]:
    own = saved.version_id
    assert own is not None  # noqa: S101 - what was saved has an id
    personal = {name: value for name, value in new.personal.items() if value is not None}
    return {
        "id": own,
        "partner_id": partner_id,
        "document_id": saved.document_id,
        "revision": saved.revision,
        "content": new.content,
        "personal": encrypt_fields(personal, bound_to=own) if personal else None,
        "content_hash": new.digest,
        "source_file_id": new.source_file_id,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "recorded_at": now,
        **whose.indexes(new.header, personal, partner_id=partner_id, concerns_id=new.concerns_id),
    }
