"""Which effects a file has that can be taken back, slice by slice, the latest first.

Rows that were mended by a file that came back are that file's by their figures, and this one's by what they say: they
are taken back with it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Integer, Table, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.files.models.files import file_row, file_row_fix
from chalicelib.files.models.rollbacks import file_rollback_left
from chalicelib.files.register.register import load
from chalicelib.files.register.rollbacks import LAST, Rollback
from chalicelib.files.rollback import withdrawing as said
from chalicelib.files.rollback.slices import Slice, returned_rows
from chalicelib.partners import directory
from chalicelib.partners.house import allowance_plans
from chalicelib.partners.members import withdrawing
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import annulling, taking_back
from chalicelib.points.corrections.reversals import Why
from chalicelib.points.corrections.taking_back import Left, TakenBack
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import known_members
from chalicelib.points.models.ledger import accrual_event, adjustment, opening_balance, reversal
from chalicelib.rules import code_table_restoring
from chalicelib.storage import bulk

_EVENT = accrual_event.c
_REVERSAL = reversal.c
_ROW = file_row.c
#: What becomes of members that stay as they are.
STAY: Final = frozenset({"changed_since", "in_use"})


def corrections(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Give back what negative rows of the file took from earlier events."""
    found = _corrections(db, run.file_id, before=run.checkpoint, limit=rows)
    if not found:
        return Slice(TakenBack(), None)
    of_program = programs.by_ids(db, _programs_of(db, run))
    done = taking_back.corrections(db, [key for _, key in found], why, of_program=of_program, now=now)
    return Slice(done, found[-1][0])


def has_corrections(db: Connection, file_id: bytes) -> bool:
    """Whether negative rows of the file, or rows that came back for some of it, correct events."""
    return bool(_corrections(db, file_id, before=LAST, limit=1))


def _corrections(db: Connection, file_id: bytes, *, before: int, limit: int) -> list[tuple[int, bytes]]:
    """The place in time and id of the latest corrections before one, the latest first."""
    own = (
        select(_REVERSAL.seq, _REVERSAL.id)
        .where(_REVERSAL.cause == "correction", _REVERSAL.generation == CURRENT, _REVERSAL.seq < before)
        .order_by(_REVERSAL.seq.desc())
        .limit(limit)
    )
    found = {tuple(row) for row in db.execute(own.where(_REVERSAL.source_file_id == file_id))}
    # Those of rows that came back in other files, too.
    for other, numbers in returned_rows(db, file_id).items():
        for chunk in bulk.in_chunks(sorted(numbers)):
            came_back = own.where(_REVERSAL.source_file_id == other, _REVERSAL.row_no.in_(chunk))
            found |= {tuple(row) for row in db.execute(came_back)}
    return sorted(found, reverse=True)[:limit]


def mended(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Take back the events of rows that were accepted later than the others: tried again, mended, or come back."""
    found = latest_mended(db, run.file_id, before=run.checkpoint, limit=rows)
    if not found:
        return Slice(TakenBack(), None)
    return Slice(_events(db, run, why, [event_id for _, event_id in found], now), found[-1][0])


def at_once(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Take back the events of the other rows, the last row first."""
    refused = select(file_rollback_left.c.subject_id).where(
        file_rollback_left.c.rollback_id == run.id, file_rollback_left.c.subject_id == _EVENT.id
    )
    found = db.execute(
        select(_EVENT.id, _EVENT.row_no)
        .where(*of_file(run.file_id), _EVENT.row_no < run.checkpoint, ~refused.exists())
        .order_by(_EVENT.row_no.desc())
        .limit(rows)
    ).all()
    if not found:
        return Slice(TakenBack(), None)
    return Slice(_events(db, run, why, [row.id for row in found], now), found[-1].row_no)


def brought(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Take back balances and adjustments, the latest first: an adjustment may have taken what an earlier one gave."""
    known = _BROUGHT.get(load(db, run.file_id).entity or "")
    if known is None:
        return Slice(TakenBack(), None)
    of, annul = known
    own = select(of.c.seq, of.c.id).where(of.c.generation == CURRENT, of.c.seq < run.checkpoint)
    latest = own.order_by(of.c.seq.desc()).limit(rows)
    found = [tuple(row) for row in db.execute(latest.where(of.c.source_file_id == run.file_id))]
    for other, numbers in returned_rows(db, run.file_id).items():
        for chunk in bulk.in_chunks(sorted(numbers)):
            mended_rows = latest.where(of.c.source_file_id == other, of.c.row_no.in_(chunk))
            found += [tuple(row) for row in db.execute(mended_rows)]
    ordered = sorted(found, reverse=True)[:rows]
    if not ordered:
        return Slice(TakenBack(), None)
    of_program = programs.by_ids(db, _programs_of(db, run))
    done = annul(db, [key for _, key in ordered], why, of_program=of_program, now=now)
    return Slice(done, ordered[-1][0])


def people(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Let members stand as they did before the file, where nobody spoke of them since and none is lost by it."""
    ids = _members_after(db, run, rows)
    if not ids:
        return Slice(TakenBack(), None)
    partner = directory.by_id(db, run.partner_id)
    if partner is None:
        raise Broken("A file that is taken back belongs to no partner.")
    told = withdrawing.withdraw(db, partner, run.file_id, ids, used=known_members.among, caller=why.caller, now=now)
    left = [Left("member", each.member_id, None, f"member_{each.outcome}") for each in told if each.outcome in STAY]
    return Slice(TakenBack(len(told) - len(left), {}, left), run.checkpoint - len(ids))


def _members_after(db: Connection, run: Rollback, rows: int) -> list[bytes]:
    """The next members of whom the file's word still holds; those that had to stay are passed over."""
    refused = select(file_rollback_left.c.subject_id).where(
        file_rollback_left.c.rollback_id == run.id, file_rollback_left.c.kind == "member"
    )
    # In the order of ids: those before the last one that had to stay are done.
    after = max(db.execute(refused).scalars(), default=b"")
    return withdrawing.members_of(db, run.file_id, after=after, limit=rows)


def entries(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Let the codes of code tables mean what they meant before the file, where nobody changed them since."""
    del rows  # a file changes few tables, and a table has few entries
    told = code_table_restoring.restore(db, run.file_id, caller=why.caller, now=now)
    left = [Left("entry", each.table_id, None, each.why, entry_code=each.entry_code) for each in told if each.why]
    records = len(told) - len(left)
    if load(db, run.file_id).entity == "allowance_plan":
        stay = {(each.id, each.entry_code or "") for each in left}
        # A plan of which an entry stays is what holds: sent again, it says nothing new.
        records = allowance_plans.withdraw(db, run.file_id, but=code_table_restoring.rows_of(db, run.file_id, stay))
    return Slice(TakenBack(records, {}, left), None)


def of_file(file_id: bytes) -> list[ColumnElement[bool]]:
    """The conditions of the events that a file brought and that still hold their ids."""
    return [_EVENT.source_file_id == file_id, _EVENT.generation == CURRENT]


def mended_events(db: Connection, file_id: bytes) -> dict[bytes, int]:
    """The events of a file's rows that were accepted after the others, with their place in time (``seq``)."""
    own = select(_EVENT.id, _EVENT.seq).join(
        file_row, (_ROW.file_id == _EVENT.source_file_id) & (_ROW.row_no == _EVENT.row_no)
    )
    found: dict[bytes, int] = {
        row.id: row.seq for row in db.execute(own.where(*of_file(file_id), _ROW.outcome == "accepted"))
    }
    for other, numbers in returned_rows(db, file_id).items():
        for chunk in bulk.in_chunks(sorted(numbers)):
            query = select(_EVENT.id, _EVENT.seq).where(*of_file(other), _EVENT.row_no.in_(chunk))
            found |= {row.id: row.seq for row in db.execute(query)}
    return found


def latest_mended(db: Connection, file_id: bytes, *, before: int, limit: int) -> list[tuple[int, bytes]]:
    """The place in time and id of the latest mended events before one, the latest first: only so many are read."""
    given = {"file_id": file_id, "before": before, "rows": limit}
    found = {tuple(row) for query in (_TRIED_AGAIN, _CAME_BACK) for row in db.execute(query, given)}
    return sorted(found, reverse=True)[:limit]


def _events(db: Connection, run: Rollback, why: Why, ids: Sequence[bytes], now: datetime) -> TakenBack:
    of_program = programs.by_ids(db, _programs_of(db, run))
    return taking_back.events(db, ids, why, of_program=of_program, now=now)


def _programs_of(db: Connection, run: Rollback) -> set[bytes]:
    return {program.id for program in programs.of_partner(db, run.partner_id).values()}


_LATEST: Final = (
    select(_EVENT.seq, _EVENT.id)
    .where(_EVENT.generation == CURRENT, _EVENT.seq < bindparam("before"))
    .order_by(_EVENT.seq.desc())
    .limit(bindparam("rows", type_=Integer()))
)
_TRIED_AGAIN: Final = _LATEST.join(
    file_row, (_ROW.file_id == _EVENT.source_file_id) & (_ROW.row_no == _EVENT.row_no)
).where(_EVENT.source_file_id == bindparam("file_id"), _ROW.outcome == "accepted")
_FIX: Final = file_row_fix.c
_returned: Final = (
    select(_FIX.source_file_id.label("file_id"), _FIX.source_row_no.label("row_no"))
    .where(_FIX.file_id == bindparam("file_id"), _FIX.source_file_id.is_not(None))
    .cte("returned", recursive=True)
)
#: Rows that came back, and rows that came back for these; each once, so it ends.
_RETURNED: Final = _returned.union(
    select(_FIX.source_file_id, _FIX.source_row_no)
    .join(_returned, (_FIX.file_id == _returned.c.file_id) & (_FIX.row_no == _returned.c.row_no))
    .where(_FIX.source_file_id.is_not(None))
)
_CAME_BACK: Final = _LATEST.join(
    _RETURNED, (_EVENT.source_file_id == _RETURNED.c.file_id) & (_EVENT.row_no == _RETURNED.c.row_no)
)
#: What keeps the rows of files that bring neither accruals nor members, and what takes them back.
_BROUGHT: Final[Mapping[str, tuple[Table, Callable[..., TakenBack]]]] = {
    "opening_balance": (opening_balance, annulling.openings),
    "adjustment": (adjustment, annulling.adjustments),
}
_Effect = Callable[..., Slice]
#: What each stage takes back; ``rollbacks.STAGES`` has their order.
EFFECTS: Final[Mapping[str, _Effect]] = {
    "corrections": corrections,
    "mended": mended,
    "rows": at_once,
    "brought": brought,
    "words": said.words_of,
    "gaps": said.gaps_of,
    "documents": said.documents_of,
    "members": people,
    "entries": entries,
}
