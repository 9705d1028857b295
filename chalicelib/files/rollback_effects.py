"""Which effects a file has that can be taken back, slice by slice, the latest first.

Rows that were mended by a file that came back are that file's by their figures, and this one's by what they say: they
are taken back with it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.files.models import file_row, file_row_fix
from chalicelib.files.rollback_models import file_rollback_left
from chalicelib.files.rollbacks import Rollback
from chalicelib.partners import directory, programs, withdrawing
from chalicelib.points import taking_back
from chalicelib.points.events import CURRENT
from chalicelib.points.models import account, accrual_event, reversal
from chalicelib.points.reversals import Why
from chalicelib.points.taking_back import Left, TakenBack
from chalicelib.rules import code_table_restoring
from chalicelib.storage import bulk

_EVENT = accrual_event.c
_REVERSAL = reversal.c
_ROW = file_row.c
_FIX = file_row_fix.c
#: How often rejects of rejects may have come back.
_RETURNS_MAX: Final = 20
#: What becomes of members that stay as they are.
_STAY: Final = frozenset({"changed_since", "in_use"})


class Slice(NamedTuple):
    """What one slice did; ``checkpoint`` None: the stage has nothing left."""

    done: TakenBack
    checkpoint: int | None


def corrections(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Give back what negative rows of the file took from earlier events."""
    found = db.execute(
        select(_REVERSAL.id, _REVERSAL.seq)
        .where(
            _REVERSAL.source_file_id == run.file_id,
            _REVERSAL.cause == "correction",
            _REVERSAL.generation == CURRENT,
            _REVERSAL.seq < run.checkpoint,
        )
        .order_by(_REVERSAL.seq.desc())
        .limit(rows)
    ).all()
    if not found:
        return Slice(TakenBack(), None)
    of_program = programs.by_ids(db, _programs_of(db, run))
    done = taking_back.corrections(db, [row.id for row in found], why, of_program=of_program, now=now)
    return Slice(done, found[-1].seq)


def mended(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Take back the events of rows that were accepted later than the others: tried again, mended, or come back."""
    later = sorted((seq, event_id) for event_id, seq in mended_events(db, run.file_id).items() if seq < run.checkpoint)[
        -rows:
    ]
    if not later:
        return Slice(TakenBack(), None)
    return Slice(_events(db, run, why, [event_id for _, event_id in reversed(later)], now), later[0][0])


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


def people(db: Connection, run: Rollback, why: Why, *, rows: int, now: datetime) -> Slice:
    """Let members stand as they did before the file, where nobody spoke of them since and none is lost by it."""
    ids = _members_after(db, run, rows)
    if not ids:
        return Slice(TakenBack(), None)
    partner = directory.by_id(db, run.partner_id)
    if partner is None:
        raise Broken("A file that is taken back belongs to no partner.")
    used = list(db.execute(select(account.c.owner_id).where(account.c.owner_id.in_(ids))).scalars())
    told = withdrawing.withdraw(db, partner, run.file_id, ids, used=used, caller=why.caller, now=now)
    left = [Left("member", each.member_id, None, f"member_{each.outcome}") for each in told if each.outcome in _STAY]
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
    return Slice(TakenBack(len(told) - len(left), {}, left), None)


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


def returned_rows(db: Connection, file_id: bytes) -> dict[bytes, set[int]]:
    """Which rows of which files came back for rows of this one, however often."""
    found: dict[bytes, set[int]] = {}
    wave: dict[bytes, set[int] | None] = {file_id: None}
    for _ in range(_RETURNS_MAX):
        following: dict[bytes, set[int] | None] = {}
        for of, numbers in wave.items():
            query = select(_FIX.source_file_id, _FIX.source_row_no, _FIX.row_no).where(
                _FIX.file_id == of, _FIX.source_file_id.is_not(None)
            )
            for row in db.execute(query):
                if (numbers is None or row.row_no in numbers) and row.source_row_no not in found.get(
                    row.source_file_id, ()
                ):
                    found.setdefault(row.source_file_id, set()).add(row.source_row_no)
                    rows = following.setdefault(row.source_file_id, set())
                    assert rows is not None  # noqa: S101 - only the file itself stands for all of its rows
                    rows.add(row.source_row_no)
        if not following:
            return found
        wave = following
    raise Broken(f"Rows came back more than {_RETURNS_MAX} times.")


def _events(db: Connection, run: Rollback, why: Why, ids: Sequence[bytes], now: datetime) -> TakenBack:
    of_program = programs.by_ids(db, _programs_of(db, run))
    return taking_back.events(db, ids, why, of_program=of_program, now=now)


def _programs_of(db: Connection, run: Rollback) -> set[bytes]:
    return {program.id for program in programs.of_partner(db, run.partner_id).values()}


_Effect = Callable[..., Slice]
#: What each stage takes back; ``rollbacks.STAGES`` has their order.
EFFECTS: Final[Mapping[str, _Effect]] = {
    "corrections": corrections,
    "mended": mended,
    "rows": at_once,
    "members": people,
    "entries": entries,
}
