"""Customers: who buys, as each outside system says it (I12), and the one person behind what they say.

A system's word about a customer is kept with its time of change; an older word than the one known is ignored. Words
belong to one person when they share the system's number, a Salesforce id or the employee. The golden record is computed
when it is asked for: of each field, the latest word that has it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypedDict

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.language import parse_json
from chalicelib.partners.account_ids import HOUSE
from chalicelib.partners.house import customer_linking, customer_withdrawing, moments, words
from chalicelib.partners.house.customer_linking import Linked, Wanted
from chalicelib.partners.house.words import Word
from chalicelib.partners.models.house import customer, customer_identity
from chalicelib.partners.models.house import customer_version as table
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage.encryption import blind_index, decrypt_fields, encrypt_fields, keyed_digest
from chalicelib.storage.ids import new_ids

#: Fields that are stored encrypted only.
PERSONAL: Final = ("email", "first_name", "last_name")
_OPEN: Final = ("customer_list", "partner_code", "employee_id", "salesforce_id", "consent_marketing")
_KEY: Final = ("source", "customer_no")
_TEXT_CHARACTERS_MAX: Final = 200
_NUMBER_CHARACTERS_MAX: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CustomerRow(TypedDict):
    """One customer as one system knows it, typed (layout I12). ``consent_marketing`` is "true", "false" or not said."""

    source: str
    customer_no: str
    customer_list: str | None
    email: str
    first_name: str | None
    last_name: str | None
    partner_code: str | None
    employee_id: str | None
    salesforce_id: str | None
    consent_marketing: str | None
    last_modified: str


class Field(NamedTuple):
    """One field of a golden record: what is said, by which system, and when that system last changed its record."""

    value: str
    source: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """The golden record of one person; ``partner_id`` None: nobody's employee. ``identities``: number by system."""

    id: bytes
    partner_id: bytes | None
    member_id: bytes | None
    fields: dict[str, Field]
    identities: dict[str, str]
    created_at: datetime
    changed_at: datetime


class Recorded(NamedTuple):
    """What became of one row, and whom it is about; None where it was refused."""

    told: Told
    customer_id: bytes | None = None


def record(
    db: Connection, rows: Sequence[CustomerRow], *, sources: Sequence[RowSource], caller: Caller, now: datetime
) -> list[Recorded]:
    """Take over what the rows say, in order; one outcome each.

    Raises nothing for bad rows; Unavailable when other writers change the same customers.
    """
    told: dict[int, Told] = {}
    wanted: dict[int, Wanted] = {}
    for at, row in enumerate(rows):
        modified = moments.parsed(row["last_modified"])
        wrong = _unusable(row)
        if wrong is not None or modified is None:
            told[at] = wrong or refused("bad_moment", "last_modified", _MOMENT)
        else:
            wanted[at] = _wanted(row)
    linked, refusals = customer_linking.find(db, wanted)
    told |= refusals
    said = {
        at: _word(rows[at], link, own) for (at, link), own in zip(linked.items(), new_ids(len(linked)), strict=True)
    }
    added = words.add(db, table, _KEY, said, sources=sources, caller=caller, now=now)
    told |= added
    fresh = {at: link for at, link in linked.items() if added[at].outcome == "accepted"}
    customer_linking.write(db, fresh, now=now)
    return [Recorded(told[at], linked[at].customer_id if at in linked else None) for at in range(len(rows))]


def by_id(db: Connection, customer_id: bytes) -> Customer | None:
    """The golden record of one customer."""
    row = db.execute(select(customer).where(customer.c.id == customer_id)).one_or_none()
    if row is None or not customer_withdrawing.shown(db, [row.id]):
        return None
    spoken = db.execute(words.latest(table, _KEY).where(table.c.customer_id == customer_id)).all()
    fields: dict[str, Field] = {}
    for word in sorted(spoken, key=lambda each: (each.version, each.source)):
        changed = _EPOCH + timedelta(microseconds=word.version)
        said = parse_json(word.content) | decrypt_fields(word.personal, bound_to=word.id)
        fields |= {name: Field(said[name], word.source, changed) for name in (*PERSONAL, *_OPEN) if said.get(name)}
    numbers = select(customer_identity.c.system, customer_identity.c.external_id)
    identities = db.execute(numbers.where(customer_identity.c.customer_id == customer_id)).all()
    return Customer(
        row.id,
        None if row.partner_id == HOUSE else row.partner_id,
        row.member_id,
        fields,
        {each.system: each.external_id for each in sorted(identities)},
        row.created_at,
        row.changed_at,
    )


def by_email(db: Connection, email: str) -> list[bytes]:
    """The ids of the customers of whom some system's latest word has this address, in any letter case."""
    found = words.latest(table, _KEY).where(table.c.email_index == blind_index(email))
    return sorted({row.customer_id for row in db.execute(found)})


def of_members(db: Connection, member_ids: Collection[bytes]) -> dict[bytes, bytes]:
    """The customer of each of up to a page of members, by member."""
    found = select(customer.c.member_id, customer.c.id).where(customer.c.member_id.in_(sorted(set(member_ids))))
    rows = db.execute(found).all()
    known = customer_withdrawing.shown(db, [row.id for row in rows])
    return {row.member_id: row.id for row in rows if row.id in known}


_MOMENT: Final = "A moment is written as 2026-11-20T06:00:00Z, with its offset."


def _unusable(row: CustomerRow) -> Told | None:
    wrong = unusable("customer_no", row["customer_no"], _NUMBER_CHARACTERS_MAX)
    if wrong is not None:
        return wrong
    if row["salesforce_id"] is not None:
        wrong = unusable("salesforce_id", row["salesforce_id"], _NUMBER_CHARACTERS_MAX)
        if wrong is not None:
            return wrong
    fields: Any = row
    for name in ("email", "first_name", "last_name", "customer_list"):
        if fields[name] is not None and len(fields[name]) > _TEXT_CHARACTERS_MAX:
            return refused("too_long", name, f"{name} has more than {_TEXT_CHARACTERS_MAX} characters.")
    if row["employee_id"] is not None and row["partner_code"] is None:
        return refused("missing_value", "partner_code", "An employee is somebody's: name the partner.")
    return None


def _wanted(row: CustomerRow) -> Wanted:
    return Wanted(row["source"], row["customer_no"], row["salesforce_id"], row["partner_code"], row["employee_id"])


def _word(row: CustomerRow, link: Linked, own: bytes) -> Word:
    fields: Any = row
    content = {name: fields[name] for name in _OPEN}
    personal: dict[str, str | None] = {name: fields[name] for name in PERSONAL}
    modified = moments.parsed(row["last_modified"])
    assert modified is not None  # noqa: S101 - rows without one are refused before
    last_name = row["last_name"]
    return Word(
        (row["source"], row["customer_no"]),
        content,
        version=moments.number(modified),
        also={
            "customer_id": link.customer_id,
            "partner_id": link.partner_id,
            "personal": encrypt_fields(personal, bound_to=own),
            "email_index": blind_index(row["email"]),
            "last_name_index": None if last_name is None else blind_index(last_name),
        },
        digest=keyed_digest(canonical.text(content | personal).encode()),
        id=own,
    )
