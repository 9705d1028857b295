"""The life of a ruleset: a document becomes an immutable version, and a version is activated from a date."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Broken, Conflict, UnknownReference
from chalicelib.records import dataclass
from chalicelib.rules import canonical, code_tables, documents
from chalicelib.rules.activation import activate
from chalicelib.rules.envelopes import Envelope
from chalicelib.rules.models import ruleset, ruleset_version
from chalicelib.rules.versions import LiveVersion, Timeline, by_number, locked, timeline, timelines, version
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

__all__ = [
    "LiveVersion",
    "SavedVersion",
    "Timeline",
    "activate",
    "by_number",
    "save",
    "timeline",
    "timelines",
    "version",
]


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """A stored version; ``created`` is False when this content was stored before."""

    version_id: bytes
    number: int
    content_hash: bytes
    created: bool


def save(
    db: Connection, document: Mapping[str, Any], *, partner_id: bytes | None, caller: Caller, now: datetime
) -> SavedVersion:
    """Store a document as the next version of the ruleset it names; the same content again is the same version.

    ``document`` was read by ``language.parse_json``. ``partner_id`` is of the partner that its ``partner`` names, None
    when it names none. Saving decides nothing, and the cases of a draft may be red: see ``activate``. Raises
    RuleRefused when the document is no rule; UnknownReference for a code table that does not exist or is another
    partner's; Conflict when the ruleset is of another kind or another owner.
    """
    checked = documents.read(document)
    opened = checked.envelope
    content = canonical.text(document)
    content_hash = canonical.digest(content)
    for table in code_tables.foreign(db, checked.code_tables, partner_id):
        raise UnknownReference(f"{opened.code} looks up in code table {table!r}, which its owner does not have.")
    owner = _ruleset(db, opened, partner_id=partner_id, now=now)
    stored = db.execute(
        select(ruleset_version.c.id, ruleset_version.c.number).where(
            ruleset_version.c.ruleset_id == owner.id, ruleset_version.c.content_hash == content_hash
        )
    ).first()
    if stored is not None:
        return SavedVersion(stored.id, stored.number, content_hash, created=False)
    latest = db.execute(
        select(func.max(ruleset_version.c.number)).where(ruleset_version.c.ruleset_id == owner.id)
    ).scalar()
    number = (latest or 0) + 1
    version_id = new_id()
    db.execute(
        insert(ruleset_version),
        {
            "id": version_id,
            "ruleset_id": owner.id,
            "number": number,
            "content_hash": content_hash,
            "content": content,
            "created_at": now,
            "created_by": caller.actor,
        },
    )
    audit.record(
        db,
        caller=caller,
        action="ruleset.saved",
        subject=opened.code,
        partner_id=partner_id,
        after={"version": number, "content_hash": content_hash},
        now=now,
    )
    return SavedVersion(version_id, number, content_hash, created=True)


def _ruleset(db: Connection, opened: Envelope, *, partner_id: bytes | None, now: datetime) -> Row[Any]:
    """The locked row of the ruleset, made where there is none."""
    opened.require_owner(partner_id)
    found = locked(db, opened.code)
    if found is None:
        row = {
            "id": new_id(),
            "code": opened.code,
            "kind": opened.kind,
            "partner_id": partner_id,
            "owner": opened.owner,
            "created_at": now,
        }
        bulk.insert_new(db, ruleset, [row], key=["code"])
        found = locked(db, opened.code)
    if found is None:
        raise Broken(f"Ruleset {opened.code!r} vanished while it was locked.")
    if found.partner_id != partner_id:
        raise Conflict(f"Ruleset {opened.code!r} belongs to another owner.", code="other_owner")
    if found.kind != opened.kind:
        raise Conflict(f"Ruleset {opened.code!r} is of kind {found.kind}, not {opened.kind}.", code="other_kind")
    return found
