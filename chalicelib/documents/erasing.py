"""Forgetting what documents say of people: of one person on request, and of everybody after so much time.

Of a document that concerns an erased member, what is personal goes, and pseudonyms take the place of the employee's and
the customer's number. What was ordered, quoted or sent back stays, and so do the keyed hashes of what was said: a
source that says the same again is told that it is known, and nothing of it is kept anew.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Table, and_, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.documents.models import document, document_draft, document_version
from chalicelib.language import parse_json
from chalicelib.partners.members import erasing
from chalicelib.partners.members.erasing import Sought
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage.encryption import blind_index

_DOCUMENT: Final = document.c
_VERSION: Final = document_version.c
_DRAFT: Final = document_draft.c
_TOLD: Final = (document_version, document_draft)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is forgotten: a member of one partner. ``houses`` are the retailer's own senders, which may name anybody."""

    partner_id: bytes
    pseudonym: str
    sought: Sought
    houses: Collection[bytes]

    @property
    def employee_indexes(self) -> list[bytes]:
        """Under which employee indexes documents name the person."""
        return sorted(erasing.number_index(self.partner_id, number) for number in self.sought.numbers)

    @property
    def contact_indexes(self) -> list[bytes]:
        """Under which customer's numbers and mail addresses they do."""
        return sorted({blind_index(value) for value in self.sought.accounts | self.sought.mails})


def forget(db: Connection, person: Person, *, documents_max: int) -> int:
    """Forget a person in up to so many documents, which are locked; in how many. 0: none is left."""
    employee, contact = person.employee_indexes, person.contact_indexes
    ids = sorted(_concerned(db, person, employee, contact, documents_max))
    if not ids:
        return 0
    list(db.execute(select(_DOCUMENT.id).where(_DOCUMENT.id.in_(ids)).order_by(_DOCUMENT.id).with_for_update()))
    for of in _TOLD:
        named = of.c.employee_index.in_(employee) | of.c.contact_index.in_(contact)
        for row in db.execute(select(of).where(of.c.document_id.in_(ids), named)).all():
            values = _without(of, row, person, is_employee=row.employee_index in employee)
            own = and_(*(column == row._mapping[column.name] for column in of.primary_key))  # noqa: SLF001 - SQLAlchemy's public name
            db.execute(update(of).where(own).values(values))
    return len(ids)


def _concerned(
    db: Connection, person: Person, employee: Collection[bytes], contact: Collection[bytes], documents_max: int
) -> set[bytes]:
    """Documents that name the person: by the partner's employee number, or by what outside systems call the person.

    A number or an address means this person where the partner says it, or the retailer of nobody else's employee.
    """
    owner, concerns = _DOCUMENT.partner_id, _DOCUMENT.concerns_id
    of_house = owner.in_(sorted(person.houses)) & concerns.is_(None)
    theirs = (owner == person.partner_id) | (concerns == person.partner_id) | of_house
    found: set[bytes] = set()
    for of in _TOLD:
        # One index each: together they would be a scan.
        by_number = select(of.c.document_id).where(of.c.employee_index.in_(employee))
        by_contact = (
            select(of.c.document_id)
            .join_from(of, document, _DOCUMENT.id == of.c.document_id)
            .where(of.c.contact_index.in_(contact), theirs)
        )
        for query in (by_number, by_contact):
            left = documents_max - len(found)
            if left > 0:
                found |= set(db.execute(query.distinct().order_by(of.c.document_id).limit(left)).scalars())
    return found


def _without(of: Table, row: Row[Any], person: Person, *, is_employee: bool) -> dict[str, Any]:
    """The columns of a revision that does not name the person any more."""
    name = "content" if of is document_version else "header"
    content = parse_json(row._mapping[name])  # noqa: SLF001 - SQLAlchemy's public name
    header = content["header"] if of is document_version else content
    values: dict[str, Any] = {"personal": None, "contact_index": None}
    wanted = ("employee_id", "customer_no") if is_employee else ("customer_no",)
    header |= {field: person.pseudonym for field in wanted if header.get(field) is not None}
    if is_employee:
        values["employee_index"] = None
    return {**values, name: canonical.text(content)}


def let_go(db: Connection, before: datetime, *, rows_max: int) -> int:
    """Let go of what is personal in up to so many revisions that were told before a moment; in how many.

    Numbers of employees and customers are no such thing: orders go on under them.
    """
    done = 0
    for of, old in _old(before):
        keys = list(of.primary_key)
        rows = db.execute(select(*keys, of.c.document_id.label("of")).where(old).order_by(*keys).limit(rows_max)).all()
        leads = select(_DOCUMENT.id).where(_DOCUMENT.id.in_(sorted({row.of for row in rows})), _DOCUMENT.kind == "lead")
        of_leads = set(db.execute(leads).scalars())
        for row in rows:
            own = and_(*(column == value for column, value in zip(keys, row, strict=False)))
            values: dict[str, Any] = {"personal": None}
            if row.of in of_leads:
                # It is the digest of an address that is not kept any more.
                values["contact_index"] = None
            db.execute(update(of).where(own).values(values))
        done += len(rows)
        rows_max -= len(rows)
    return done


def count_old(db: Connection, before: datetime) -> int:
    """In how many revisions there is something personal that was told before a moment."""
    return sum(db.execute(select(func.count()).select_from(of).where(old)).scalar_one() for of, old in _old(before))


def _old(before: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    return [
        (document_version, _VERSION.personal.is_not(None) & (_VERSION.recorded_at < before)),
        (document_draft, _DRAFT.personal.is_not(None) & (_DRAFT.changed_at < before)),
    ]
