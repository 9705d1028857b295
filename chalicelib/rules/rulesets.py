"""The life of a ruleset: a checked document becomes an immutable version, and a version is activated from a date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit, users
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role
from chalicelib.errors import Broken, Conflict, InvalidInput, NotFound, NotPermitted, UnknownReference
from chalicelib.rules import canonical, code_tables, documents
from chalicelib.rules.envelopes import Envelope
from chalicelib.rules.models import ruleset, ruleset_activation, ruleset_version
from chalicelib.rules.versions import LiveVersion, Timeline, by_number, deciding, timeline, timelines, version
from chalicelib.settings import settings
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, raw_id

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

_APPROVERS = frozenset({Role.ADMIN, Role.APPROVER})


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
    when it names none. Saving decides nothing: see ``activate``. Raises RuleRefused when the document, or one of its
    cases, is wrong; UnknownReference for a code table that does not exist or is another partner's; Conflict when the
    ruleset is of another kind or another owner.
    """
    checked = documents.check(document)
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


def activate(
    db: Connection,
    ruleset_code: str,
    version_id: bytes,
    *,
    effective_from: date,
    approved_by: str | None = None,
    caller: Caller,
    now: datetime,
) -> bool:
    """Let a version decide every event dated ``effective_from`` or later that is not decided yet.

    False, and nothing written, when it does so already. ``approved_by`` is the public id of a user. Raises NotFound for
    an unknown ruleset or a version that is not its own; InvalidInput for a day outside the document's ``effective``
    period; NotPermitted when approval is required and the approver is missing or is the author.
    """
    owner = _locked(db, ruleset_code)
    if owner is None:
        raise NotFound(f"There is no ruleset {ruleset_code!r}.")
    chosen = version(db, version_id)
    if chosen.ruleset_code != ruleset_code:
        raise NotFound(f"Ruleset {ruleset_code!r} has no such version.")
    activations = [
        (row.effective_from, row.activated_at, row.version_id)
        for row in db.execute(select(ruleset_activation).where(ruleset_activation.c.ruleset_id == owner.id))
    ]
    if _decides_from(activations, chosen.version_id, effective_from):
        return False
    _require_period(chosen, effective_from)
    _require_approval(db, chosen, approved_by)
    # The latest activation wins, so two of one ruleset never bear the same time, whatever the clocks say.
    latest = max((activated_at for _, activated_at, _ in activations), default=None)
    activated_at = now if latest is None or latest < now else latest + timedelta(microseconds=1)
    db.execute(
        insert(ruleset_activation),
        {
            "id": new_id(),
            "ruleset_id": owner.id,
            "version_id": chosen.version_id,
            "effective_from": effective_from,
            "activated_at": activated_at,
            "activated_by": caller.actor,
            "approved_by": approved_by,
        },
    )
    audit.record(
        db,
        caller=caller,
        action="ruleset.activated",
        subject=ruleset_code,
        partner_id=owner.partner_id,
        after={
            "version": chosen.number,
            "content_hash": chosen.content_hash,
            "effective_from": effective_from,
            "approved_by": approved_by,
        },
        now=now,
    )
    return True


def _decides_from(activations: list[tuple[date, datetime, bytes]], version_id: bytes, day: date) -> bool:
    """Whether this version is what decides every day from ``day`` on."""
    steps = deciding(activations)
    from_then = {each for start, each in steps if start > day}
    before = [each for start, each in steps if start <= day]
    return bool(before) and {before[-1], *from_then} == {version_id}


def _require_period(chosen: LiveVersion, effective_from: date) -> None:
    first, last = chosen.effective_from, chosen.effective_to
    if first is not None and effective_from < first:
        raise InvalidInput(f"{chosen.ruleset_code} version {chosen.number} is meant for {first} and later.")
    if last is not None and effective_from > last:
        raise InvalidInput(f"{chosen.ruleset_code} version {chosen.number} is meant for days up to {last}.")


def _require_approval(db: Connection, chosen: LiveVersion, approved_by: str | None) -> None:
    if settings().rule_approval == "off":
        return
    name = f"{chosen.ruleset_code} version {chosen.number}"
    if approved_by is None:
        raise NotPermitted(f"{name} needs approval by a second person before it decides.", code="approval_required")
    if approved_by == chosen.created_by:
        raise NotPermitted(f"{name} was written by its approver: another person must approve it.", code="own_approval")
    approver = users.find(db, raw_id("usr", approved_by), partner_id=None)
    in_reach = approver.partner_id is None or approver.partner_id == chosen.partner_id
    if approver.status != users.ACTIVE or approver.role not in _APPROVERS or not in_reach:
        raise NotPermitted(f"{approved_by} may not approve rules.", code="not_an_approver")


def _ruleset(db: Connection, opened: Envelope, *, partner_id: bytes | None, now: datetime) -> Row[Any]:
    """The locked row of the ruleset, made where there is none."""
    opened.require_owner(partner_id)
    found = _locked(db, opened.code)
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
        found = _locked(db, opened.code)
    if found is None:
        raise Broken(f"Ruleset {opened.code!r} vanished while it was locked.")
    if found.partner_id != partner_id:
        raise Conflict(f"Ruleset {opened.code!r} belongs to another owner.", code="other_owner")
    if found.kind != opened.kind:
        raise Conflict(f"Ruleset {opened.code!r} is of kind {found.kind}, not {opened.kind}.", code="other_kind")
    return found


def _locked(db: Connection, code: str) -> Row[Any] | None:
    return db.execute(select(ruleset).where(ruleset.c.code == code).with_for_update()).first()
