"""Forgetting a person: the member stays as a pseudonym, which the ledger goes on with; what names the person goes.

The employee number becomes the pseudonym everywhere in this room; names, addresses, blind indexes and the numbers under
which outside systems know the person are overwritten. A keyed digest of the number stays, so that what comes for it
later is refused by name instead of bringing the person back; so does one of each number under which outside systems
knew the person as a customer. Nothing else needs those numbers: the ledger and deliveries go by the hub's own ids.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.language import parse_json
from chalicelib.partners.members.identities import HR, SALESFORCE
from chalicelib.partners.members.roster import PERSONAL
from chalicelib.partners.models.erasures import member_erasure
from chalicelib.partners.models.house import customer, customer_identity, customer_version
from chalicelib.partners.models.partners import member, member_history, member_identity
from chalicelib.partners.provenance import refused
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.encryption import decrypt_fields, encrypt_fields, keyed_digest
from chalicelib.storage.ids import public_id

#: What a row about an erased person is refused with.
ERASED: Final = "member_erased"
ERASED_MESSAGE: Final = "The person of this number was erased on request: nothing is recorded under it any more."

#: The same for rows that are told so.
REFUSAL: Final = refused(ERASED, "employee_id", ERASED_MESSAGE)

_DIGEST: Final = re.compile("erased-[0-9a-f]{64}")
_NOTHING: Final = dict.fromkeys(sorted(PERSONAL))


@dataclass(frozen=True, slots=True)
class Sought:
    """What names one person. ``numbers`` are employee numbers, ``mails`` addresses in small letters.

    ``accounts`` are the numbers of outside systems, ``values`` everything personal that was ever known, numbers
    included.
    """

    numbers: frozenset[str]
    mails: frozenset[str]
    accounts: frozenset[str]
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
    versions = db.execute(_CUSTOMERS.where(customer.c.member_id == member_id)).all()
    fields += [decrypt_fields(version.personal, bound_to=version.id) for version in versions]
    values = {text for each in fields for text in each.values() if text}
    mails = {each["email"].casefold() for each in fields if each.get("email")}  # type: ignore[union-attr]
    known = db.execute(
        select(member_identity.c.system, member_identity.c.external_id).where(member_identity.c.member_id == member_id)
    ).all()
    numbers = {row.employee_id} | {each.external_id for each in known if each.system == HR}
    accounts = {each.external_id for each in known if each.system != HR}
    accounts |= {version.customer_no for version in versions}
    accounts |= {said for version in versions if (said := parse_json(version.content).get("salesforce_id"))}
    accounts |= set(db.execute(_IDENTITIES.where(customer.c.member_id == member_id)).scalars(2))
    return Sought(frozenset(numbers), frozenset(mails), frozenset(accounts), frozenset(values | numbers | accounts))


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
    versions = _forget_customers(db, member_id, pseudonym, blank)
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


def _forget_customers(db: Connection, member_id: bytes, pseudonym: str, blank: bytes) -> int:
    of = customer_identity.c
    for identity_id, system, number in db.execute(_IDENTITIES.where(customer.c.member_id == member_id)).all():
        db.execute(update(customer_identity).where(of.id == identity_id).values(external_id=digest_of(system, number)))
    found = db.execute(_CUSTOMERS.where(customer.c.member_id == member_id)).all()
    for version in found:
        fields = decrypt_fields(version.personal, bound_to=version.id)
        content = parse_json(version.content)
        if content.get("employee_id") is not None:
            content["employee_id"] = pseudonym
        if content.get("salesforce_id") is not None:
            content["salesforce_id"] = digest_of(SALESFORCE, content["salesforce_id"])
        values: dict[str, Any] = {
            "content": canonical.text(content),
            "personal": encrypt_fields(dict.fromkeys(fields), bound_to=version.id),
            "customer_no": digest_of(version.source, version.customer_no),
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


def erased_accounts(db: Connection, places: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the numbers, each with its system, under which customers were known who were erased."""
    if db.execute(select(member_erasure.c.id).limit(1)).first() is None:
        return set()
    by_digest = {(system, digest_of(system, number)): (system, number) for system, number in places}
    found: set[tuple[str, str]] = set()
    for of, key in ((customer_identity, ("system", "external_id")), (customer_version, ("source", "customer_no"))):
        columns = [of.c[name] for name in key]
        for chunk in bulk.in_chunks(sorted(by_digest)):
            told = db.execute(select(*columns).where(bulk.key_in(of, key, chunk)).distinct())
            found |= {by_digest[system, digest] for system, digest in told}
    return found


def digest_of(system: str, number: str) -> str:
    """What stands in place of the number under which a system knew an erased customer: keyed, and of itself itself."""
    if _DIGEST.fullmatch(number):
        return number
    return f"erased-{keyed_digest(f'{system} {number}'.encode()).hex()}"


def number_index(partner_id: bytes, employee_id: str) -> bytes:
    """The keyed digest of one partner's employee number."""
    return keyed_digest(partner_id + employee_id.encode())


_CUSTOMERS: Final = select(
    customer_version.c.id,
    customer_version.c.personal,
    customer_version.c.source,
    customer_version.c.customer_no,
    customer_version.c.content,
).join_from(customer_version, customer, customer.c.id == customer_version.c.customer_id)
_IDENTITIES: Final = select(
    customer_identity.c.id, customer_identity.c.system, customer_identity.c.external_id
).join_from(customer_identity, customer, customer.c.id == customer_identity.c.customer_id)
