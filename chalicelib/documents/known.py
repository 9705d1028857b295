"""Which documents there are: looked up and locked by their names, and read with what their newest version says."""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.documents.kinds import Key, Kind
from chalicelib.documents.models import document, document_version
from chalicelib.language import parse_json
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields
from chalicelib.storage.ids import new_ids

_KEY = ("partner_id", "kind", "scope", "number")
_DOCUMENT = document.c
_VERSION = document_version.c
#: The state of a document of which nothing is left: all that was said of it was taken back.
WITHDRAWN: Final = "withdrawn"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document, with what is personal in the clear."""

    id: bytes
    document_id: bytes
    revision: int
    header: dict[str, Any]
    personal: dict[str, str | None]
    lines: list[dict[str, Any]]
    source_file_id: bytes | None
    recorded_at: datetime


def locked(
    db: Connection,
    partner_id: bytes,
    kind: Kind,
    keys: Collection[Key],
    *,
    orders: Mapping[Key, str] = MappingProxyType({}),
    now: datetime,
) -> dict[Key, Row[Any]]:
    """The documents of these names, their rows locked in one order; those that are new are made, ``incomplete``.

    ``orders`` has the orders that new ones are about.
    """
    found = _ids(db, partner_id, kind, keys)
    new = sorted(set(keys) - found.keys())
    rows = [
        {
            "id": own,
            "partner_id": partner_id,
            "kind": kind.name,
            "scope": key[0],
            "number": key[1],
            "order_no": orders.get(key),
            "state": "incomplete",
            "created_at": now,
            "changed_at": now,
        }
        for key, own in zip(new, new_ids(len(new)), strict=True)
    ]
    if rows:
        bulk.insert_new(db, document, rows, key=_KEY)
        found = _ids(db, partner_id, kind, keys)
    held: dict[Key, Row[Any]] = {}
    for chunk in bulk.in_chunks(sorted(found.values())):
        query = select(document).where(_DOCUMENT.id.in_(chunk)).order_by(_DOCUMENT.id).with_for_update()
        held |= {(row.scope, row.number): row for row in db.execute(query)}
    return held


def orders(db: Connection, partner_id: bytes, numbers: Collection[str]) -> set[str]:
    """Which of these order numbers the partner's feeds have named, of whatever channel, whole or not."""
    found: set[str] = set()
    for chunk in bulk.in_chunks(sorted(set(numbers))):
        query = select(_DOCUMENT.number).where(
            _DOCUMENT.partner_id == partner_id,
            _DOCUMENT.kind == "order",
            _DOCUMENT.number.in_(chunk),
            _DOCUMENT.state != WITHDRAWN,
        )
        found.update(db.execute(query).scalars())
    return found


def revive(db: Connection, held: Collection[Row[Any]], orders: Mapping[bytes, str], *, now: datetime) -> None:
    """Let documents of which everything was taken back begin anew, with the orders that they are about by now."""
    for row in sorted(held, key=lambda each: bytes(each.id)):
        if row.state == WITHDRAWN:
            values = {"state": "incomplete", "order_no": orders.get(row.id), "changed_at": now}
            db.execute(update(document).where(_DOCUMENT.id == row.id).values(values))


def newest(db: Connection, partner_id: bytes, kind: Kind, key: Key) -> Version | None:
    """What a document says now; None when there is none of this name, or no version of it."""
    document_id = _ids(db, partner_id, kind, [key]).get(key)
    if document_id is None:
        return None
    query = (
        select(document_version)
        .join(document, _DOCUMENT.newest_version_id == _VERSION.id)
        .where(_DOCUMENT.id == document_id)
    )
    row = db.execute(query).one_or_none()
    return None if row is None else of_row(row)


def versions(db: Connection, places: Collection[tuple[bytes, int]]) -> dict[tuple[bytes, int], Version]:
    """The versions of these documents and revisions."""
    found: dict[tuple[bytes, int], Version] = {}
    for chunk in bulk.in_chunks(sorted(places)):
        query = select(document_version).where(bulk.key_in(document_version, ("document_id", "revision"), chunk))
        found |= {(row.document_id, row.revision): of_row(row) for row in db.execute(query)}
    return found


def of_row(row: Row[Any]) -> Version:
    """A version as it is kept."""
    content = parse_json(row.content)
    personal = {} if row.personal is None else decrypt_fields(row.personal, bound_to=row.id)
    return Version(
        row.id,
        row.document_id,
        row.revision,
        content["header"],
        personal,
        content["lines"],
        row.source_file_id,
        row.recorded_at,
    )


def _ids(db: Connection, partner_id: bytes, kind: Kind, keys: Collection[Key]) -> dict[Key, bytes]:
    found: dict[Key, bytes] = {}
    for chunk in bulk.in_chunks(sorted(set(keys))):
        values = [(partner_id, kind.name, *key) for key in chunk]
        query = select(_DOCUMENT.id, _DOCUMENT.scope, _DOCUMENT.number).where(bulk.key_in(document, _KEY, values))
        found |= {(row.scope, row.number): row.id for row in db.execute(query)}
    return found
