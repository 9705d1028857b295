"""From a notification to a registered file: what the inbox holds now decides, not what the message says.

A message only names a key; the object's ETag and time are asked for. So messages may come twice, late, out of order or
from the sweeper, and the same object is registered once.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from chalicelib.errors import Broken, DatabaseUnavailable
from chalicelib.files.formats import layouts
from chalicelib.files.models.files import NOBODY, inbound_file
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.onboarding import manifests
from chalicelib.records import dataclass
from chalicelib.rules.entities import HOUSE, UNASKED
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id
from chalicelib.storage.objects import ObjectInfo

SIDECAR_SUFFIX = ".ctl"
#: A sidecar that no file has asked for by then is answered by itself. Its file may be large and slow to come.
SIDECAR_ALONE_S = 24 * 3600
#: The end of the name under which the content of a trial waits: intake leaves it alone.
TRIAL_SUFFIX = ".trial.tmp"
_TEMPORARY = (".tmp", ".filepart", ".part", ".partial")
_NAME_LENGTH_MAX = 255
_TRIES_MAX = 5
_NUMBERS_MAX = 1000
_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True)
class Named:
    """An object that a message speaks of; the key is decoded."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whose file it is, how it will be read, or why it will not be."""

    partner_id: bytes
    layout_version_id: bytes | None = None
    entity: str | None = None
    rank: int | None = None
    reason_code: str | None = None
    reason: str | None = None


def named_in(message: Mapping[str, Any]) -> list[Named]:
    """The objects of one message: S3's notification, or ``{"arrived": {"bucket", "key"}}`` of the sweeper.

    S3's test event names none. Keys in notifications are form-encoded, in the sweeper's messages they are not.
    """
    if "arrived" in message:
        return [Named(message["arrived"]["bucket"], message["arrived"]["key"])]
    return [
        Named(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
        for record in message.get("Records", ())
        if "s3" in record and not str(record.get("eventName", "ObjectCreated:")).startswith("ObjectRemoved")
    ]


def is_temporary(key: str) -> bool:
    """Whether the sender is still writing, or this is a folder: such objects are left alone."""
    return key.endswith("/") or key.lower().endswith(_TEMPORARY)


def is_sidecar(key: str) -> bool:
    """Whether the object states the control figures of another one."""
    return key.lower().endswith(SIDECAR_SUFFIX)


def sidecars_of(key: str) -> list[str]:
    """Where the sidecar of a data file may be: ``a.csv.gz`` has ``a.csv.gz.ctl``, ``a.csv.ctl`` or ``a.ctl``."""
    folder, _, name = key.rpartition("/")
    parts = name.split(".")
    stems = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [f"{folder}/{stem}{SIDECAR_SUFFIX}" for stem in stems if stem]


def arrival_key(bucket: str, found: ObjectInfo) -> bytes:
    """What tells one arrival of an object from all others: bucket, key, ETag and time, to the second as HEAD has it."""
    moment = int(found.last_modified.timestamp())
    return sha256("\n".join([bucket, found.key, found.etag, str(moment)]).encode()).digest()


def register_object(database: Database, bucket: str, found: ObjectInfo, *, now: datetime) -> InboundFile:
    """The file of an object in the inbox, registered if it was not. The unique key decides who was first."""
    key = arrival_key(bucket, found)
    for _ in range(_TRIES_MAX):
        try:
            return database.run(lambda db: _registered(db, bucket, found, key, now))
        except IntegrityError:
            # Another handler registered this object, or another one of the same name, at the same time.
            continue
    raise DatabaseUnavailable("An arrival could not be registered: too many handlers register the same name.")


def _registered(db: Connection, bucket: str, found: ObjectInfo, key: bytes, now: datetime) -> InboundFile:
    known = register.by_arrival(db, key)
    if known is not None:
        return known
    verdict = _judge(db, found.key, now)
    file_id = new_id()
    key_hash = register.key_hash(found.key)
    parts = found.key.split("/")
    db.execute(
        insert(inbound_file),
        {
            "id": file_id,
            "partner_id": verdict.partner_id,
            "arrival_key": key,
            "bucket": bucket,
            "object_key": found.key,
            "key_hash": key_hash,
            "arrival_no": _arrival_no(db, found.key),
            "etag": found.etag,
            "name": parts[-1][:_NAME_LENGTH_MAX],
            "layout_name": parts[1][:64] if len(parts) > 2 else "",
            "layout_version_id": verdict.layout_version_id,
            "entity": verdict.entity,
            "rank": verdict.rank,
            "size_bytes": found.size,
            "state": "arrived" if verdict.reason_code is None else "quarantined",
            "reason_code": verdict.reason_code,
            "reason": verdict.reason,
            "correlation_id": public_id("fil", file_id),
            "arrived_at": found.last_modified.astimezone(UTC),
            "changed_at": now,
        },
    )
    return register.load(db, file_id)


def _arrival_no(db: Connection, key: str) -> int:
    """How many objects of this name have come, this one included.

    A number is passed over when an object of that very name has come (``a.csv.2`` before the second ``a.csv``), for
    receipts and refused originals are kept under name and number.
    """
    columns = inbound_file.c
    latest = db.execute(select(func.max(columns.arrival_no)).where(columns.key_hash == register.key_hash(key))).scalar()
    first = (latest or 0) + 1
    for number in range(first, first + _NUMBERS_MAX):
        shown = register.numbered(key, number)
        base, _, last = shown.rpartition(".")
        taken = (columns.key_hash == register.key_hash(shown)) & (columns.arrival_no == 1)
        if last.isascii() and last.isdigit() and len(last) <= _DIGITS_MAX:
            taken |= (columns.key_hash == register.key_hash(base)) & (columns.arrival_no == int(last))
        if db.execute(select(columns.id).where(taken)).first() is None:
            return number
    raise Broken(f"No number is free for another file of the name {key}.")


def _judge(db: Connection, key: str, now: datetime) -> _Verdict:
    """Whose file a key announces. What cannot be read is refused before a byte of it is."""
    parts = key.split("/")
    partner = directory.by_code(db, parts[0]) if len(parts) > 1 else None
    if partner is None:
        reason = f"The key must be <partner>/<layout>/<name>, and `{parts[0][:100]}` is no partner."
        return _Verdict(NOBODY, reason_code="unknown_partner", reason=reason)
    if len(parts) != 3 or not parts[2] or len(parts[2]) > _NAME_LENGTH_MAX:
        reason = "The key must be <partner>/<layout>/<name> without further folders; a name has at most 255 characters."
        return _Verdict(partner.id, reason_code="bad_key", reason=reason)
    if partner.status != "active":
        reason = f"The partner {partner.code} is {partner.status}: its files are not processed."
        return _Verdict(partner.id, reason_code="partner_not_active", reason=reason)
    if is_sidecar(key):
        return _Verdict(
            partner.id,
            reason_code="sidecar_alone",
            reason=f"This sidecar came {SIDECAR_ALONE_S // 3600} hours ago and no data file of its name asked for it.",
        )
    return _by_layout(db, partner, parts[1], now)


def _by_layout(db: Connection, partner: Partner, name: str, now: datetime) -> _Verdict:
    live = layouts.in_force(db, partner, name, now=now)
    if live is None:
        reason = f"The partner {partner.code} has no layout `{name[:64]}`."
        return _Verdict(partner.id, reason_code="unknown_layout", reason=reason)
    version, layout = live
    entity = layout.spec.entity
    refusal = not_agreed(db, partner, live)
    if refusal is not None:
        return _Verdict(partner.id, reason_code=refusal[0], reason=refusal[1])
    return _Verdict(partner.id, version.version_id, entity, layout.spec.rank)


def not_agreed(db: Connection, partner: Partner, live: layouts.Live) -> tuple[str, str] | None:
    """Why the partner may not send files of a layout, as a code and a sentence; None where it may.

    What they change decides points, or is everybody's: to be able to drop a file is not enough.
    """
    version, layout = live
    entity, name = layout.spec.entity, layout.spec.name
    if entity in HOUSE and not manifests.is_house(db, partner):
        return "not_the_house", f"Files of `{name}` are the retailer's own: {partner.code} sends none."
    if entity in UNASKED or version.partner_id is not None or manifests.names_layout(db, partner, name):
        return None
    reason = f"Files of `{name}` give points or decide about them: the manifest of {partner.code} has to list it."
    return "layout_not_agreed", reason


def sidecar_of(file: InboundFile) -> ObjectInfo | None:
    """The sidecar of a file as it stands in the inbox, or None."""
    for key in sidecars_of(file.object_key):
        found = objects.head(file.bucket, key)
        if found is not None:
            return found
    return None


def waiting_for(db: Connection, named: Named) -> list[bytes]:
    """The files that wait for this sidecar."""
    return [file_id for file_id, state in _unfinished_with(db, named) if state == "waiting"]


def is_alone(db: Connection, named: Named, since: datetime, *, now: datetime) -> bool:
    """Whether a sidecar that came at ``since`` has waited long enough, and no file is in work that it may be of."""
    return since <= now - timedelta(seconds=SIDECAR_ALONE_S) and not _unfinished_with(db, named)


def _unfinished_with(db: Connection, named: Named) -> list[tuple[bytes, str]]:
    """Id and state of the unfinished files whose sidecar this object may be."""
    folder, _, name = named.key.rpartition("/")
    stem = name[: -len(SIDECAR_SUFFIX)]
    columns = inbound_file.c
    rows = db.execute(
        select(columns.id, columns.state, columns.object_key).where(
            columns.finished_at.is_(None),
            columns.bucket == named.bucket,
            columns.object_key != named.key,
            columns.object_key.startswith(f"{folder}/{stem}", autoescape=True),
        )
    )
    return [(row.id, row.state) for row in rows if named.key in sidecars_of(row.object_key)]


def inbox() -> str:
    """The bucket that senders write to."""
    return settings().bucket("hub-in")
