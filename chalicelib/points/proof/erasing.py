"""Forgetting a person in the ledger: accounts and entries name a member by id, but people's words may name anybody.

The facts of an event repeat the employee number and the sender's free texts, of which no rule reads anything: the hash
chain leaves them out. Reasons and comments, which somebody wrote to explain an entry, are chained by a keyed digest of
each, which takes the text's place once it is erased. So the chain still holds when these words are gone, which are the
only part of the ledger that may ever go, and still finds it when one was altered.
"""

import json
import re
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, or_, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.points.models.ledger import account, accrual_event, adjustment, annulment, redemption, refund, reversal
from chalicelib.points.models.terms import increase_request
from chalicelib.storage.encryption import keyed_digest
from chalicelib.storage.ids import public_id

#: Of what an event's facts say in the sender's words: what may name a person.
_PERSONAL: Final = ("employee_id", "reference", "description")
_EVENT: Final = ',"event":'
_TRACE: Final = re.compile("erased-[0-9a-f]{32}")
_TRACE_BYTES: Final = 16
_UPDATE: Final = update(accrual_event).where(accrual_event.c.seq == bindparam("of"))


def without_person(facts: str) -> str:
    """An event's facts without the words that may name a person: the same before and after these were erased."""
    proof, event = _parts(facts)
    if event is None:
        return proof
    return proof + _EVENT + _text({name: value for name, value in event.items() if name not in _PERSONAL})


def forget(db: Connection, member_id: bytes, pseudonym: str, *, after: int, rows_max: int) -> tuple[int, int | None]:
    """Put the pseudonym into the facts of a member's events behind ``after``, and take free texts out.

    How many were changed, and the ``seq`` to go on behind; None at the end.
    """
    column = accrual_event.c
    rows = db.execute(
        select(column.seq, column.facts)
        .where(column.account_id.in_(_accounts(member_id)), column.seq > after)
        .order_by(column.seq)
        .limit(rows_max)
    ).all()
    changes = [{"of": row.seq, "facts": told} for row in rows if (told := _told(row.facts, pseudonym)) != row.facts]
    if changes:
        db.execute(_UPDATE.values(facts=bindparam("facts")), changes)
    return len(changes), rows[-1].seq if len(rows) == rows_max else None


class Texts(NamedTuple):
    """The columns of one table in which people explain entries.

    The audit trail repeats them under the id in the column ``subject``, shown with ``prefix``.
    """

    of: Table
    names: tuple[str, ...]
    prefix: str
    subject: str = "id"


TEXTS: Final = (
    Texts(adjustment, ("comment", "requested_by", "approved_by", "decision_comment"), "adj"),
    Texts(annulment, ("reason",), "adj", "cause_id"),
    Texts(increase_request, ("reason", "decision_comment"), "inc"),
    Texts(refund, ("reason",), "rfd"),
    Texts(reversal, ("reason",), "acr", "accrual_event_id"),
)
_NAMES: Final = {each.of.name: frozenset(each.names) for each in TEXTS}


def is_text(table: str, name: str) -> bool:
    """Whether a column has words that may be erased, leaving their trace."""
    return name in _NAMES.get(table, ())


def trace(name: str, row_id: bytes, text: str | None) -> str | None:
    """What is chained of a text, and stays of it: of the trace itself, itself.

    It is of one row's column, so the same words elsewhere leave another.
    """
    if text is None or _TRACE.fullmatch(text):
        return text
    return f"erased-{keyed_digest(name.encode() + row_id + text.encode())[:_TRACE_BYTES].hex()}"


def forget_texts(db: Connection, member_id: bytes, *, after: str, rows_max: int) -> tuple[int, str | None]:
    """Leave only the traces of what people wrote of a member's entries, in the audit trail too; a slice of them.

    How many rows were changed, and the place to go on ``after``; None at the end.
    """
    number, _, last = after.partition(" ")
    own = TEXTS[int(number or 0)]
    texts = [own.of.c[name] for name in own.names]
    rows = db.execute(
        select(own.of.c.id, own.of.c[own.subject].label("about"), *texts)
        .where(
            own.of.c.id > bytes.fromhex(last),
            _of_member(own.of, member_id),
            or_(*(each.is_not(None) for each in texts)),
        )
        .order_by(own.of.c.id)
        .limit(rows_max)
    ).all()
    changed = 0
    for row in rows:
        told = {name: trace(name, row.id, getattr(row, name)) for name in own.names}
        if any(told[name] != getattr(row, name) for name in own.names):
            changed += db.execute(update(own.of).where(own.of.c.id == row.id).values(**told)).rowcount
    audit.forget_reasons(db, [public_id(own.prefix, row.about) for row in rows])
    if len(rows) == rows_max:
        return changed, f"{number or 0} {rows[-1].id.hex()}"
    following = int(number or 0) + 1
    return changed, f"{following} " if following < len(TEXTS) else None


def _of_member(of: Table, member_id: bytes) -> ColumnElement[bool]:
    if of is refund:
        bought = select(redemption.c.id).where(redemption.c.account_id.in_(_accounts(member_id)))
        return of.c.redemption_id.in_(bought)
    found: ColumnElement[bool] = of.c.account_id.in_(_accounts(member_id))
    return found


def _accounts(member_id: bytes) -> Any:  # noqa: ANN401 - a select of ids
    return select(account.c.id).where(account.c.owner_id == member_id)


def _told(facts: str, pseudonym: str) -> str:
    proof, event = _parts(facts)
    if event is None:
        return facts
    free = {name: None for name in _PERSONAL if event.get(name) is not None}
    said = {**event, **free, **({"employee_id": pseudonym} if "employee_id" in event else {})}
    return f"{proof}{_EVENT}{_text(said)}}}"


def _parts(facts: str) -> tuple[str, dict[str, Any] | None]:
    """What decided the event, as the exact text, and what the event said."""
    proof, found, event = facts.rpartition(_EVENT)
    if not found:
        return facts, None
    said: dict[str, Any] = json.loads(event[:-1])
    return proof, said


def _text(said: dict[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
