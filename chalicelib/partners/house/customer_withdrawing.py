"""What a file said of customers is withdrawn: the words, the numbers that came with them, and whose employee they are.

A number goes that only withdrawn words said; one that was put by hand, or that a standing word says, stays. A customer
of whom nothing is left is not shown any more: it is kept, so that erasure still finds what was said.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, select, update
from sqlalchemy.engine import Connection

from chalicelib.deliveries import outbox
from chalicelib.deliveries.routes import BALANCE
from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.account_ids import HOUSE, MEMBER, account_id
from chalicelib.partners.house import words
from chalicelib.partners.members import identities
from chalicelib.partners.models.house import customer, customer_identity
from chalicelib.partners.models.house import customer_version as table
from chalicelib.partners.programs import programs
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id

_IDENTITY = customer_identity.c


class _Said(NamedTuple):
    """One word about a customer: the numbers that it says, and whether it names a partner and an employee."""

    id: bytes
    customer_id: bytes
    numbers: Mapping[str, str]
    of_partner: bool
    of_employee: bool
    recorded_at: datetime
    stands: bool


def withdraw(db: Connection, ids: Sequence[bytes], *, now: datetime) -> None:
    """Withdraw these words, of up to a slice; safe to call again."""
    named = select(table.c.customer_id).where(table.c.id.in_(sorted(ids))).distinct()
    customer_ids = sorted(db.execute(named).scalars())
    query = select(customer).where(customer.c.id.in_(customer_ids)).order_by(customer.c.id).with_for_update()
    held = db.execute(query).all()
    words.withdraw(db, table, ids)
    said: dict[bytes, list[_Said]] = {customer_id: [] for customer_id in customer_ids}
    for row in db.execute(select(table).where(table.c.customer_id.in_(customer_ids)).order_by(table.c.seq)):
        said[row.customer_id].append(_read(row))
    lost: dict[bytes, dict[bytes, set[str]]] = {}
    for row in held:
        gone = _without_numbers(db, row.id, said[row.id])
        standing = [each for each in said[row.id] if each.stands]
        if standing:
            gone |= _unlinked(db, row, said[row.id], now)
        if row.member_id is not None and gone:
            lost.setdefault(row.partner_id, {})[row.member_id] = gone
    for partner_id, members in sorted(lost.items()):
        _unknown_in_store(db, partner_id, members, now)


def shown(db: Connection, customer_ids: Collection[bytes]) -> set[bytes]:
    """Those of the customers of whom something is known: a standing word, or a number."""
    found: set[bytes] = set()
    for chunk in bulk.in_chunks(sorted(set(customer_ids))):
        spoken = select(table.c.customer_id).where(table.c.customer_id.in_(chunk), table.c.version >= 0)
        numbered = select(_IDENTITY.customer_id).where(_IDENTITY.customer_id.in_(chunk))
        found |= {*db.execute(spoken).scalars(), *db.execute(numbered).scalars()}
    return found


def _read(row: Row[Any]) -> _Said:
    content = parse_json(row.content)
    numbers = {row.source: row.customer_no}
    if content.get("salesforce_id") is not None:
        numbers[identities.SALESFORCE] = content["salesforce_id"]
    return _Said(
        row.id,
        row.customer_id,
        numbers,
        content.get("partner_code") is not None,
        content.get("employee_id") is not None,
        row.recorded_at,
        row.version >= 0,
    )


def _without_numbers(db: Connection, customer_id: bytes, said: Sequence[_Said]) -> set[str]:
    """Take away the numbers that only withdrawn words said; those of the store."""
    stands = {place for each in said if each.stands for place in each.numbers.items()}
    # A number came with a word of its moment; put by hand, it did not.
    withdrawn = {(*place, each.recorded_at) for each in said if not each.stands for place in each.numbers.items()}
    gone: set[str] = set()
    for row in db.execute(select(customer_identity).where(_IDENTITY.customer_id == customer_id)).all():
        if (row.system, row.external_id) in stands:
            continue
        if (row.system, row.external_id, row.created_at) in withdrawn:
            db.execute(delete(customer_identity).where(_IDENTITY.id == row.id))
            if row.system == identities.STORE:
                gone.add(row.external_id)
    return gone


def _unlinked(db: Connection, row: Row[Any], said: Sequence[_Said], now: datetime) -> set[str]:
    """Let a customer be nobody's where no standing word says whose; the store's numbers that the member had by it."""
    standing = [each for each in said if each.stands]
    values: dict[str, Any] = {}
    gone: set[str] = set()
    if row.member_id is not None and not any(each.of_employee for each in standing):
        values["member_id"] = None
        held = select(_IDENTITY.external_id).where(
            _IDENTITY.customer_id == row.id, _IDENTITY.system == identities.STORE
        )
        gone = set(db.execute(held).scalars())
        _to_shell(db, row, [each.id for each in said if each.of_employee and not each.stands], now)
    if row.partner_id != HOUSE and not any(each.of_partner for each in standing):
        values["partner_id"] = HOUSE
    if values:
        db.execute(update(customer).where(customer.c.id == row.id).values(values | {"changed_at": now}))
    return gone


def _to_shell(db: Connection, row: Row[Any], ids: Sequence[bytes], now: datetime) -> None:
    """Keep withdrawn words with the member whom they named, so that erasure finds them."""
    shell = {"id": new_id(), "partner_id": row.partner_id, "member_id": row.member_id}
    bulk.insert(db, customer, [shell | {"created_at": now, "changed_at": now}])
    for chunk in bulk.in_chunks(sorted(ids)):
        db.execute(update(table).where(table.c.id.in_(chunk)).values(customer_id=shell["id"]))


def _unknown_in_store(
    db: Connection, partner_id: bytes, members: Mapping[bytes, Collection[str]], now: datetime
) -> None:
    """Let the store not know members under these numbers any more; the number before, if any, is theirs again."""
    of = directory.by_ids(db, [partner_id])[partner_id]
    identities.unknow(db, members, on=programs.business_date(now, of))
    keys = [
        account_id(program.id, MEMBER, member_id).hex()
        for program in programs.of_partner(db, partner_id).values()
        for member_id in sorted(members)
    ]
    outbox.told_otherwise(db, partner_id, BALANCE, keys, now=now)
