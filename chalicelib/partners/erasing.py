"""Forgetting a person: the member stays as a pseudonym, which the ledger goes on with; what names the person goes.

The employee number becomes the pseudonym everywhere in this room; names, addresses, blind indexes and the numbers under
which outside systems know the person are overwritten. A keyed digest of the number stays, so that what comes for it
later is refused by name instead of bringing the person back.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.partners.erasure_models import member_erasure
from chalicelib.partners.house_models import customer, customer_version
from chalicelib.partners.models import member, member_history, member_identity
from chalicelib.partners.roster import PERSONAL
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields, encrypt_fields, keyed_digest
from chalicelib.storage.ids import public_id

#: What a row about an erased person is refused with.
ERASED: Final = "member_erased"
ERASED_MESSAGE: Final = "The person of this number was erased on request: nothing is recorded under it any more."

_NOTHING: Final = dict.fromkeys(sorted(PERSONAL))


@dataclass(frozen=True, slots=True)
class Sought:
    """What names one person. ``numbers`` are employee numbers, ``mails`` addresses in small letters.

    ``values`` is everything personal that was ever known, ``numbers`` and numbers of other systems included.
    """

    numbers: frozenset[str]
    mails: frozenset[str]
    values: frozenset[str]

    def text(self) -> str:
        """The same as JSON; ``parsed`` reads it."""
        return json.dumps({name: sorted(getattr(self, name)) for name in self.__slots__}, ensure_ascii=False)

    @classmethod
    def parsed(cls, text: str) -> "Sought":
        """What ``text`` wrote."""
        return cls(**{name: frozenset(values) for name, values in json.loads(text).items()})


def pseudonym_of(member_id: bytes) -> str:
    """The employee number of an erased member."""
    return "erased-" + public_id("mbr", member_id).removeprefix("mbr_")


def sought_of(db: Connection, member_id: bytes) -> Sought:
    """Everything by which the member is named in this room, now and in the past."""
    row = db.execute(select(member.c.employee_id, member.c.personal).where(member.c.id == member_id)).one()
    told = [row.personal]
    told += db.execute(select(member_history.c.personal).where(member_history.c.member_id == member_id)).scalars()
    fields = [decrypt_fields(sealed, bound_to=member_id) for sealed in told]
    versions = db.execute(_CUSTOMERS.where(customer.c.member_id == member_id))
    fields += [decrypt_fields(version.personal, bound_to=version.id) for version in versions]
    known = db.execute(select(member_identity.c.external_id).where(member_identity.c.member_id == member_id)).scalars()
    values = {text for each in fields for text in each.values() if text}
    mails = {each["email"].casefold() for each in fields if each.get("email")}  # type: ignore[union-attr]
    return Sought(frozenset({row.employee_id}), frozenset(mails), frozenset(values | {row.employee_id, *known}))


def lock(db: Connection, member_id: bytes) -> None:
    """Hold the member's row: rosters, and others who would erase the member, wait."""
    db.execute(select(member.c.id).where(member.c.id == member_id).with_for_update())


def forget(db: Connection, member_id: bytes, *, now: datetime) -> Mapping[str, int]:
    """Overwrite what names the member; how many records of which kind. Doing it again changes nothing more."""
    pseudonym = pseudonym_of(member_id)
    known = db.execute(select(member.c.partner_id, member.c.employee_id).where(member.c.id == member_id)).one()
    blank = keyed_digest(b"erased" + member_id)
    sealed = encrypt_fields(_NOTHING, bound_to=member_id)
    changed = db.execute(
        update(member)
        .where(member.c.id == member_id)
        .values(employee_id=pseudonym, personal=sealed, last_name_index=blank, email_index=None, changed_at=now)
    ).rowcount
    history = db.execute(
        update(member_history)
        .where(member_history.c.member_id == member_id)
        .values(personal=sealed, content_hash=blank)
    ).rowcount
    identities = db.execute(
        update(member_identity).where(member_identity.c.member_id == member_id).values(external_id=pseudonym)
    ).rowcount
    versions = _forget_customers(db, member_id, blank)
    named = _forget_manager(db, known.partner_id, known.employee_id, pseudonym)
    return {
        "managers_of": named,
        "members": changed,
        "member_history": history,
        "identities": identities,
        "customers": versions,
    }


def _forget_manager(db: Connection, partner_id: bytes, employee_id: str, pseudonym: str) -> int:
    """Put the pseudonym where others name the number as their manager's; in how many records."""
    changed = 0
    for of in (member, member_history):
        query = select(of.c.id, of.c.attributes).where(
            of.c.partner_id == partner_id, of.c.attributes.contains(json.dumps(employee_id)[1:-1], autoescape=True)
        )
        for record_id, text in db.execute(query).all():
            attributes = json.loads(text)
            if attributes.get("manager_id") != employee_id:
                continue
            told = json.dumps({**attributes, "manager_id": pseudonym}, ensure_ascii=False, separators=(",", ":"))
            changed += db.execute(update(of).where(of.c.id == record_id).values(attributes=told)).rowcount
    return changed


def _forget_customers(db: Connection, member_id: bytes, blank: bytes) -> int:
    found = db.execute(_CUSTOMERS.where(customer.c.member_id == member_id)).all()
    for version in found:
        fields = decrypt_fields(version.personal, bound_to=version.id)
        values: dict[str, Any] = {
            "personal": encrypt_fields(dict.fromkeys(fields), bound_to=version.id),
            "customer_no": f"erased-{public_id('cus', version.id).removeprefix('cus_')}",
            "content_hash": blank,
            "email_index": blank,
            "last_name_index": None,
        }
        db.execute(update(customer_version).where(customer_version.c.id == version.id).values(values))
    return len(found)


def erased_numbers(db: Connection, partner_id: bytes, employee_ids: Collection[str]) -> dict[str, datetime]:
    """Those of the numbers whose persons were erased, and when that was asked for."""
    of = member_erasure.c
    if db.execute(select(of.id).where(of.partner_id == partner_id).limit(1)).first() is None:
        return {}
    by_index = {number_index(partner_id, number): number for number in employee_ids}
    found: dict[str, datetime] = {}
    for chunk in bulk.in_chunks(sorted(by_index)):
        query = select(of.number_index, of.requested_at).where(of.partner_id == partner_id, of.number_index.in_(chunk))
        for index, at in db.execute(query):
            number = by_index[index]
            found[number] = max(at, found.get(number, at))
    return found


def erased_members(db: Connection, member_ids: Collection[bytes]) -> set[bytes]:
    """Those of the members who were erased."""
    found: set[bytes] = set()
    for chunk in bulk.in_chunks(sorted(set(member_ids))):
        found |= set(
            db.execute(select(member_erasure.c.member_id).where(member_erasure.c.member_id.in_(chunk))).scalars()
        )
    return found


def number_index(partner_id: bytes, employee_id: str) -> bytes:
    """The keyed digest of one partner's employee number."""
    return keyed_digest(partner_id + employee_id.encode())


_CUSTOMERS: Final = select(customer_version.c.id, customer_version.c.personal).join_from(
    customer_version, customer, customer.c.id == customer_version.c.customer_id
)
