"""Forgetting a person in the ledger: accounts and entries name a member by id, but the facts of an event repeat words.

They repeat the employee number and the sender's free texts, of which no rule reads anything. These words are the only
part of the ledger that may ever go; the hash chain leaves them out, so it still holds once they are gone.
"""

import json
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.points.models import account, accrual_event

#: Of what an event's facts say in the sender's words: what may name a person.
_PERSONAL: Final = ("employee_id", "reference", "description")
_EVENT: Final = ',"event":'
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
