"""Erasing a person on request: at once where the hub looks the person up, then place by place through everything kept.

The first step is one transaction: from its end on the person has no name here, and what comes for the employee number
is refused. What follows searches the kept answers, the files with their rows, those of the retailer's own systems too,
orders, quotes and leads, refused and sent files, in slices, each of which notes how far it came: it may die anywhere,
and doing a slice twice changes nothing more.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from sqlalchemy import Row, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit, idempotency
from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.deliveries import outbox
from chalicelib.documents import erasing as documents
from chalicelib.errors import Broken, NotFound
from chalicelib.files.erasure import erasing as files
from chalicelib.files.erasure import erasing_objects as left
from chalicelib.partners import directory
from chalicelib.partners.members import erasing, members
from chalicelib.partners.members.erasing import Sought
from chalicelib.partners.models.erasures import member_erasure
from chalicelib.partners.onboarding import manifests
from chalicelib.points.models.ledger import account
from chalicelib.points.proof import erasing as of_points
from chalicelib.records import dataclass
from chalicelib.storage.encryption import decrypt, encrypt
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id
from chalicelib.storage.objects import ObjectInfo

log = logging.getLogger(__name__)

State = Literal["running", "done"]
#: The kinds of places, in the order in which they are searched.
STAGES: Final = ("events", "texts", "answers", "files", "house", "documents", "refused", "sent")
#: Answers looked at in one transaction, and erasures that one run carries on.
_ANSWERS_MAX: Final = 500
_DOCUMENTS_MAX: Final = 200
_ERASURES_MAX: Final = 100
_SLICES_MAX: Final = 1_000_000
_OF: Final = member_erasure.c


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure: what was found and erased so far, by kind of place."""

    id: bytes
    partner_id: bytes
    member_id: bytes
    pseudonym: str
    state: State
    stage: str
    found: Mapping[str, int]
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "Erasure":
        """The erasure of a row."""
        values = {name: getattr(row, name) for name in cls.__slots__}
        return cls(**{**values, "found": json.loads(row.found)})


def request(db: Connection, member_id: bytes, *, reason: str, caller: Caller, now: datetime) -> tuple[Erasure, bool]:
    """Erase a member where the hub looks people up, and note that the rest is to be searched; and whether it is new.

    Asking again gives the first one as it stands. Raises NotFound.
    """
    erasing.lock(db, member_id)
    earlier = of_member(db, member_id)
    if earlier is not None:
        return earlier, False
    known = members.by_ids(db, [member_id]).get(member_id)
    if known is None:
        raise NotFound("There is no such member.")
    sought = erasing.sought_of(db, member_id)
    erasure_id = new_id()
    found = dict(erasing.forget(db, member_id, now=now))
    audit.forget_reasons(db, [public_id("mbr", member_id)])
    found["deliveries"] = outbox.forget(db, _balance_keys(db, member_id))
    row: dict[str, Any] = {
        "id": erasure_id,
        "partner_id": known.partner_id,
        "member_id": member_id,
        "number_index": erasing.number_index(known.partner_id, known.employee_id),
        "pseudonym": erasing.pseudonym_of(member_id),
        "reason": reason,
        "state": "running",
        "stage": STAGES[0],
        "checkpoint": "",
        "found": json.dumps(found),
        "sought": encrypt(sought.text().encode(), bound_to=erasure_id),
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "requested_at": now,
        "changed_at": now,
    }
    db.execute(insert(member_erasure), row)
    _note(db, row, "member.erasure_requested", caller, now, reason=reason)
    return _known(of_member(db, member_id)), True


def of_member(db: Connection, member_id: bytes) -> Erasure | None:
    """The erasure of a member, if it was asked for."""
    row = db.execute(select(member_erasure).where(_OF.member_id == member_id)).one_or_none()
    return None if row is None else Erasure.of(row)


def run(database: Database, *, clock: Callable[[], datetime], deadline_s: float | None = None) -> int:
    """Carry on the erasures that are not done, until the time is over; how many are done now.

    ``deadline_s`` are seconds from now. Raises SomeFailed once all others were carried on, and Unavailable: the next
    run goes on.
    """
    ends_at = None if deadline_s is None else time.monotonic() + deadline_s
    with database.read() as db:
        query = select(_OF.id).where(_OF.state == "running").order_by(_OF.id).limit(_ERASURES_MAX)
        waiting = list(db.execute(query).scalars())
    done = 0
    with Round("erasures") as each:
        for erasure_id in waiting:
            with each.turn(erasure_id.hex()):
                done += _carry_on(database, erasure_id, clock, ends_at)
    return done


def _carry_on(database: Database, erasure_id: bytes, clock: Callable[[], datetime], ends_at: float | None) -> bool:
    """Whether the erasure is done."""
    for _ in range(_SLICES_MAX):
        if ends_at is not None and time.monotonic() >= ends_at:
            return False
        with database.read() as db:
            row = db.execute(select(member_erasure).where(_OF.id == erasure_id)).one()
        if row.state == "done":
            return True
        moved = _SEARCH[row.stage](database, row, _sought(row))
        if moved is None:
            return False
        stage, checkpoint, found = moved
        if not database.run(partial(_move, row=row, stage=stage, checkpoint=checkpoint, found=found, now=clock())):
            # Another run has come further meanwhile.
            return False
    raise Broken("An erasure does not come to its end.")


#: How a slice ended: the next stage (None: done), the checkpoint in it, and what was erased. None: nothing to do yet.
_Moved = tuple[str | None, str, Counter[str]] | None


def _events(database: Database, row: Row[Any], _sought: Sought) -> _Moved:
    """The sender's words in the facts of the member's events."""
    changed, last = database.run(
        partial(
            of_points.forget,
            member_id=row.member_id,
            pseudonym=row.pseudonym,
            after=int(row.checkpoint or 0),
            rows_max=_ANSWERS_MAX,
        )
    )
    found = Counter({"events": changed})
    return ("texts", "", found) if last is None else ("events", str(last), found)


def _texts(database: Database, row: Row[Any], _sought: Sought) -> _Moved:
    """What people wrote to explain the member's entries."""
    changed, last = database.run(
        partial(of_points.forget_texts, member_id=row.member_id, after=row.checkpoint, rows_max=_ANSWERS_MAX)
    )
    found = Counter({"texts": changed})
    return ("answers", "", found) if last is None else ("texts", last, found)


def _answers(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    """Kept answers of requests: the texts in them that are the person's."""
    subject = public_id("mbr", row.member_id)
    after = bytes.fromhex(row.checkpoint.partition(" ")[0]), row.checkpoint.partition(" ")[2]

    def scrub(db: Connection) -> tuple[int, tuple[bytes, str] | None]:
        return idempotency.rewrite(
            db,
            lambda body: _without(body, subject, sought),
            after=after if row.checkpoint else None,
            rows_max=_ANSWERS_MAX,
        )

    changed, last = database.run(scrub)
    found = Counter({"answers": changed})
    return ("files", "", found) if last is None else ("answers", f"{last[0].hex()} {last[1]}", found)


def _without(body: str, subject: str, sought: Sought) -> str | None:
    """An answer without the person's values; None when it is not about the person."""
    if subject not in body and not any(value in body for value in sought.numbers | sought.mails):
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    cleaned = json.dumps(_cleaned(document, sought), ensure_ascii=False, separators=(",", ":"))
    return None if cleaned == body else cleaned


def _cleaned(value: Any, sought: Sought) -> Any:  # noqa: ANN401 - a JSON document
    if isinstance(value, dict):
        return {name: _cleaned(each, sought) for name, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, sought) for each in value]
    if isinstance(value, str) and (value in sought.values or value.casefold() in sought.mails):
        return "erased"
    return value


def _files(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    """One finished file of the partner."""
    return _file(database, row, sought, [row.partner_id], None, "house")


def _house(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    """One finished file about people, of the retailer's own systems."""
    return _file(database, row, sought, _houses(database, row), files.OF_PEOPLE, "documents")


def _houses(database: Database, row: Row[Any]) -> list[bytes]:
    with database.read() as db:
        return [house for house in manifests.houses(db) if house != row.partner_id]


def _file(
    database: Database,
    row: Row[Any],
    sought: Sought,
    senders: Collection[bytes],
    entities: Collection[str] | None,
    following: str,
) -> _Moved:
    place = None
    if row.checkpoint:
        at, _, file_id = row.checkpoint.partition(" ")
        place = datetime.fromisoformat(at), bytes.fromhex(file_id)
    with database.read() as db:
        file = files.finished_after(db, senders, place, entities=entities)
        waits = file is None and files.unfinished(db, senders, until=row.requested_at)
        partner = directory.known(db, row.partner_id)
        sender = partner if file is None else directory.known(db, file.partner_id)
    if waits:
        return None
    if file is None or file.finished_at is None:
        return following, "", Counter()
    found = files.erase(database, file, sender, sought, code=partner.code)
    return row.stage, f"{file.finished_at.isoformat()} {file.id.hex()}", found


def _documents(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    """Some orders, quotes and leads that are about the person; nobody finds them a second time."""
    person = documents.Person(row.partner_id, row.pseudonym, sought, [row.partner_id, *_houses(database, row)])
    done = database.run(partial(documents.forget, person=person, documents_max=_DOCUMENTS_MAX))
    if not done:
        # A file that was in work when the erasure was asked for may have named the person once more.
        database.run(partial(erasing.forget, member_id=row.member_id, now=row.requested_at))
        return "refused", "", Counter()
    return "documents", str(int(row.checkpoint or 0) + 1), Counter({"documents": done})


def _refused(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    def erase(found: ObjectInfo, partner_code: str) -> int:
        return left.erase_refused(found, sought, partner_code=partner_code)

    return _objects(database, row, "hub-reject", erase, "sent")


def _sent(database: Database, row: Row[Any], sought: Sought) -> _Moved:
    def erase(found: ObjectInfo, partner_code: str) -> int:
        return left.erase_sent(found, sought, partner_code=partner_code)

    return _objects(database, row, "hub-out", erase, None)


def _objects(
    database: Database, row: Row[Any], bucket: str, erase: Callable[[ObjectInfo, str], int], following: str | None
) -> _Moved:
    """All objects of the partner and the retailer in a bucket, up to as many as one slice takes."""
    with database.read() as db:
        partner = directory.known(db, row.partner_id)
        houses = directory.by_ids(db, _houses(database, row))
    codes = [partner.code, *sorted(house.code for house in houses.values())]
    found: Counter[str] = Counter()
    for number, each in enumerate(left.following(bucket, codes, row.checkpoint), start=1):
        found[row.stage] += erase(each, partner.code)
        if number == _ANSWERS_MAX:
            return row.stage, each.key, found
    return following, "", found


_SEARCH: Final[Mapping[str, Callable[[Database, Row[Any], Sought], _Moved]]] = {
    "events": _events,
    "texts": _texts,
    "answers": _answers,
    "files": _files,
    "house": _house,
    "documents": _documents,
    "refused": _refused,
    "sent": _sent,
}


def _move(
    db: Connection, *, row: Row[Any], stage: str | None, checkpoint: str, found: Counter[str], now: datetime
) -> bool:
    """Note how far an erasure has come; False when another run was quicker."""
    total = Counter(json.loads(row.found)) + found
    values: dict[str, Any] = {
        "stage": stage or row.stage,
        "checkpoint": checkpoint,
        "found": json.dumps(total, sort_keys=True),
        "changed_at": now,
    }
    if stage is None:
        values |= {"state": "done", "sought": None, "finished_at": now}
    moved = db.execute(
        update(member_erasure)
        .where(_OF.id == row.id, _OF.stage == row.stage, _OF.checkpoint == row.checkpoint, _OF.state == "running")
        .values(values)
    ).rowcount
    if moved and stage is None:
        caller = Caller("system:erasures", row.correlation_id)
        _note(db, {**row._mapping, **values}, "member.erased", caller, now)  # noqa: SLF001 - SQLAlchemy's public name
    return bool(moved)


def _note(
    db: Connection, row: Mapping[str, Any], action: str, caller: Caller, now: datetime, *, reason: str | None = None
) -> None:
    audit.record(
        db,
        caller=caller,
        action=action,
        subject=public_id("mbr", row["member_id"]),
        partner_id=row["partner_id"],
        after={"pseudonym": row["pseudonym"], "found": json.loads(row["found"])},
        reason=reason,
        now=now,
    )


def _sought(row: Row[Any]) -> Sought:
    return Sought.parsed(decrypt(row.sought, bound_to=row.id).decode())


def _balance_keys(db: Connection, member_id: bytes) -> list[str]:
    return [found.hex() for found in db.execute(select(account.c.id).where(account.c.owner_id == member_id)).scalars()]


def _known(found: Erasure | None) -> Erasure:
    if found is None:
        raise Broken("An erasure was written and is not there.")
    return found
