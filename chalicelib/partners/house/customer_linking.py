"""Which person a system's customer is: found by the system's number, a Salesforce id or the employee, or a new one.

A person belongs to one partner at most. What would join two persons, or take one from another partner, is refused by
name: that is for people to decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.deliveries import outbox
from chalicelib.deliveries.routes import BALANCE
from chalicelib.errors import Conflict, NotFound, Unavailable
from chalicelib.partners import directory
from chalicelib.partners.account_ids import HOUSE, MEMBER, account_id
from chalicelib.partners.house import prices
from chalicelib.partners.members import erasing, identities, members
from chalicelib.partners.models.house import customer, customer_identity, customer_version
from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import Told, refused
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id


class Wanted(NamedTuple):
    """What a row says of who it is about."""

    source: str
    customer_no: str
    salesforce_id: str | None
    partner_code: str | None
    employee_id: str | None

    def numbers(self) -> dict[str, str]:
        """The numbers under which systems know the person: one a system."""
        named = {self.source: self.customer_no}
        if self.salesforce_id is not None:
            named[identities.SALESFORCE] = self.salesforce_id
        return named


class Linked(NamedTuple):
    """Who it is; ``is_new``: nobody has heard of them before."""

    customer_id: bytes
    partner_id: bytes
    member_id: bytes | None
    numbers: Mapping[str, str]
    is_new: bool


class IdentityTaken(Conflict):
    """The system knows another customer under this number."""

    code = "identity_taken"


@dataclass(slots=True)
class _Known:
    """Who is known already; what the rows before added is in it."""

    owners: dict[bytes, tuple[bytes, bytes | None]]
    by_number: dict[tuple[str, str], bytes]
    numbers: dict[tuple[bytes, str], str]
    by_member: dict[bytes, bytes]


def find(db: Connection, wanted: Mapping[int, Wanted]) -> tuple[dict[int, Linked], dict[int, Told]]:
    """Who each row is about, and the refusals of rows that are about nobody who may be; nothing is written."""
    linked: dict[int, Linked] = {}
    told: dict[int, Told] = {}
    partner_ids = prices.partner_ids(db, (each.partner_code for each in wanted.values()))
    employees = _employees(db, partner_ids, wanted.values())
    gone = _erased(db, partner_ids, employees, wanted)
    known = _known(db, list(wanted.values()), employees.values())
    for at, each in wanted.items():
        partner_id = HOUSE if each.partner_code is None else partner_ids.get(each.partner_code)
        if partner_id is None:
            told[at] = prices.unknown_partner()
            continue
        if at in gone:
            told[at] = gone[at]
            continue
        member_id = None
        if each.employee_id is not None:
            member_id = employees.get((partner_id, each.employee_id))
            if member_id is None:
                message = "The partner has no employee of this number: send the roster, then this row again."
                told[at] = refused("unknown_member", "employee_id", message, fixable=True)
                continue
        answer = _linked(known, each, partner_id, member_id)
        if isinstance(answer, Told):
            told[at] = answer
        else:
            linked[at] = answer
    return linked, told


def write(db: Connection, linked: Mapping[int, Linked], *, now: datetime) -> None:
    """Keep who the accepted rows are about. Raises Unavailable when another writer was quicker."""
    latest = {each.customer_id: each for each in linked.values()}
    created = {each.customer_id for each in linked.values() if each.is_new}
    rows = [
        {
            "id": each.customer_id,
            "partner_id": each.partner_id,
            "member_id": each.member_id,
            "created_at": now,
            "changed_at": now,
        }
        for _, each in sorted(latest.items())
    ]
    bulk.insert(db, customer, [row for row in rows if row["id"] in created])
    changed = [row for row in rows if row["id"] not in created]
    bulk.update_by_key(db, customer, changed, key=("id",), set_=("partner_id", "member_id", "changed_at"))
    wanted = {(system, number): each for each in linked.values() for system, number in each.numbers.items()}
    stored = _owners_of(db, sorted(wanted))
    identities = [
        _identity(each.customer_id, each.partner_id, system, number, now)
        for (system, number), each in sorted(wanted.items())
        if (system, number) not in stored
    ]
    if bulk.insert_new(db, customer_identity, identities, key=("system", "external_id")):
        raise Unavailable("Another writer links the same customers: send it again.", code="batch_overtaken")
    _know_in_store(db, latest.values(), now)


def _know_in_store(db: Connection, linked: Iterable[Linked], now: datetime) -> None:
    """Let balances of employees go to the store's own number of them from today on."""
    numbers: dict[bytes, dict[bytes, str]] = {}
    for each in linked:
        if each.member_id is not None and identities.STORE in each.numbers:
            numbers.setdefault(each.partner_id, {})[each.member_id] = each.numbers[identities.STORE]
    of = directory.by_ids(db, sorted(numbers))
    for partner_id, of_members in sorted(numbers.items()):
        today = programs.business_date(now, of[partner_id])
        renumbered = identities.know(db, partner_id, of_members, since=today)
        keys = [
            account_id(program.id, MEMBER, member_id).hex()
            for program in programs.of_partner(db, partner_id).values()
            for member_id in renumbered
        ]
        outbox.told_otherwise(db, partner_id, BALANCE, keys, now=now)


def link(db: Connection, customer_id: bytes, system: str, external_id: str, *, caller: Caller, now: datetime) -> bool:
    """Let a system know a customer under this number from now on; whether that was new.

    Raises NotFound for an unknown customer, IdentityTaken when the system knows another customer under it.
    """
    owner = db.execute(select(customer.c.partner_id).where(customer.c.id == customer_id).with_for_update()).scalar()
    if owner is None:
        raise NotFound("There is no such customer.")
    held = _owners_of(db, [(system, external_id)]).get((system, external_id))
    if held is not None and held != customer_id:
        raise IdentityTaken(f"{system} knows another customer under this number: unlink that one first.")
    if held is not None:
        return False
    of_customer = (customer_identity.c.customer_id == customer_id) & (customer_identity.c.system == system)
    before = db.execute(select(customer_identity.c.external_id).where(of_customer)).scalar()
    if before is None:
        row = _identity(customer_id, owner, system, external_id, now)
        if bulk.insert_new(db, customer_identity, [row], key=("system", "external_id")):
            raise IdentityTaken(f"{system} knows another customer under this number: unlink that one first.")
    else:
        db.execute(update(customer_identity).where(of_customer).values(external_id=external_id))
    db.execute(update(customer).where(customer.c.id == customer_id).values(changed_at=now))
    audit.record(
        db,
        caller=caller,
        action="customer.identity_linked",
        subject=public_id("cus", customer_id),
        partner_id=None if owner == HOUSE else owner,
        before={"system": system, "external_id": before},
        after={"system": system, "external_id": external_id},
        now=now,
    )
    return True


def _linked(known: _Known, each: Wanted, partner_id: bytes, member_id: bytes | None) -> Linked | Told:
    numbers = each.numbers()
    found = {known.by_number[place] for place in numbers.items() if place in known.by_number}
    if member_id is not None and member_id in known.by_member:
        found.add(known.by_member[member_id])
    if len(found) > 1:
        message = "The numbers of this row belong to different customers: somebody has to say who it is."
        return refused("identity_taken", "customer_no", message)
    if not found:
        customer_id, is_new = new_id(), True
        owner: tuple[bytes, bytes | None] = (HOUSE, None)
    else:
        [customer_id] = found
        owner, is_new = known.owners[customer_id], False
    if owner[0] != HOUSE and partner_id not in {HOUSE, owner[0]}:
        return refused("customer_of_other_partner", "partner_code", "The customer belongs to another partner.")
    if owner[1] is not None and member_id not in {None, owner[1]}:
        return refused("identity_taken", "employee_id", "The customer is another employee of the partner.")
    for system, number in numbers.items():
        if known.numbers.get((customer_id, system), number) != number:
            column = "customer_no" if system == each.source and each.salesforce_id is None else "salesforce_id"
            return refused("identity_taken", column, f"The customer has another number in {system}.")
    # A row that does not name the partner leaves the customer where it belongs.
    now_owner = (partner_id if owner[0] == HOUSE else owner[0], member_id or owner[1])
    known.owners[customer_id] = now_owner
    known.by_number |= dict.fromkeys(numbers.items(), customer_id)
    known.numbers |= {(customer_id, system): number for system, number in numbers.items()}
    if now_owner[1] is not None:
        known.by_member[now_owner[1]] = customer_id
    return Linked(customer_id, *now_owner, numbers, is_new)


def _employees(
    db: Connection, partner_ids: Mapping[str, bytes], wanted: Iterable[Wanted]
) -> dict[tuple[bytes, str], bytes]:
    """The members that rows name, by partner and employee number."""
    named: dict[str, set[str]] = {}
    for each in wanted:
        if each.partner_code is not None and each.employee_id is not None:
            named.setdefault(each.partner_code, set()).add(each.employee_id)
    return {
        (partner_ids[code], employee_id): member.id
        for code in sorted(named.keys() & partner_ids.keys())
        for employee_id, member in members.by_employee(db, partner_ids[code], named[code]).items()
    }


def _erased(
    db: Connection,
    partner_ids: Mapping[str, bytes],
    employees: Mapping[tuple[bytes, str], bytes],
    wanted: Mapping[int, Wanted],
) -> dict[int, Told]:
    """The refusals of rows about erased persons.

    They are known by the employee's number, unless somebody hired later has it, or by any number of a system.
    """
    accounts = erasing.erased_accounts(db, {place for each in wanted.values() for place in each.numbers().items()})
    unknown: dict[bytes, set[str]] = {}
    for each in wanted.values():
        partner_id = partner_ids.get(each.partner_code or "")
        if partner_id is not None and each.employee_id is not None and (partner_id, each.employee_id) not in employees:
            unknown.setdefault(partner_id, set()).add(each.employee_id)
    numbers = {
        (partner_id, number)
        for partner_id, named in sorted(unknown.items())
        for number in erasing.erased_numbers(db, partner_id, named)
    }
    told: dict[int, Told] = {}
    for at, each in wanted.items():
        if (partner_ids.get(each.partner_code or ""), each.employee_id) in numbers:
            told[at] = erasing.REFUSAL
        elif not accounts.isdisjoint(each.numbers().items()):
            told[at] = refused(erasing.ERASED, "customer_no", erasing.ERASED_MESSAGE)
    return told


def _known(db: Connection, wanted: Sequence[Wanted], member_ids: Iterable[bytes]) -> _Known:
    by_number = _owners_of(db, sorted({place for each in wanted for place in each.numbers().items()}))
    # A number that was changed by hand is still the one of what its system said.
    said = sorted({(each.source, each.customer_no) for each in wanted})
    version = customer_version.c
    for chunk in bulk.in_chunks(said):
        spoken = select(version.source, version.customer_no, version.customer_id)
        these = (bulk.key_in(customer_version, ("source", "customer_no"), chunk), version.version >= 0)
        for row in db.execute(spoken.where(*these)):
            by_number.setdefault((row.source, row.customer_no), row.customer_id)
    rows: list[Any] = []
    for of_members in bulk.in_chunks(sorted(set(member_ids))):
        rows += db.execute(select(customer).where(customer.c.member_id.in_(of_members))).all()
    for of_ids in bulk.in_chunks(sorted(set(by_number.values()))):
        rows += db.execute(select(customer).where(customer.c.id.in_(of_ids))).all()
    ids = sorted({row.id for row in rows})
    numbers: dict[tuple[bytes, str], str] = {}
    for of_ids in bulk.in_chunks(ids):
        held = select(customer_identity).where(customer_identity.c.customer_id.in_(of_ids))
        numbers |= {(row.customer_id, row.system): row.external_id for row in db.execute(held)}
    return _Known(
        {row.id: (row.partner_id, row.member_id) for row in rows},
        by_number,
        numbers,
        {row.member_id: row.id for row in rows if row.member_id is not None},
    )


def _owners_of(db: Connection, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """The customers that systems know under these numbers."""
    columns = customer_identity.c
    return {
        (row.system, row.external_id): row.customer_id
        for chunk in bulk.in_chunks(places)
        for row in db.execute(
            select(columns.system, columns.external_id, columns.customer_id).where(
                bulk.key_in(customer_identity, ("system", "external_id"), chunk)
            )
        )
    }


def _identity(customer_id: bytes, partner_id: bytes, system: str, number: str, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "partner_id": partner_id,
        "customer_id": customer_id,
        "system": system,
        "external_id": number,
        "created_at": now,
    }
