"""Rows of the selected files that the rule of their time refused, and that the draft may accept.

They are found in the order of their files, and decided among the events of their accounts. In between only their places
are kept (``backtest_row``): the rows themselves stay sealed where they are.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.engine import Connection

from chalicelib.files.formats.reading import one_record
from chalicelib.files.intake import applying
from chalicelib.files.models.files import file_row
from chalicelib.files.register import register
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.rows.tallies import unseal
from chalicelib.points.deciding import screening
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.points.deciding.screening import Question
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.workbench.drafts import Draft
from chalicelib.workbench.models import backtest_row

#: The outcomes of asking an accrual rule, or of having none to ask.
CODES: Final = (
    "rule_refused",
    "points_refused",
    "points_too_fine",
    "negative_points",
    "points_out_of_range",
    "no_rule_in_force",
)
#: Rows that are looked at in one slice.
ROWS_MAX: Final = 2_000
_ROW = file_row.c


class Rejected(NamedTuple):
    """A rejected row that the draft may decide: where it is, when it was refused and why."""

    account_id: bytes
    recorded_at: datetime
    file_id: bytes
    row_no: int
    question: Question
    code: str | None
    field: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of rejected rows: where they are, as rows of ``backtest_row``, and the last one that was looked at."""

    rows: list[dict[str, Any]]
    last: tuple[bytes, int] | None
    days: tuple[date, ...]


def find(db: Connection, draft: Draft) -> Found:
    """The next page of rows that the draft may decide; ``last`` is None when there are no more."""
    asked = draft.asked
    conditions = [
        _ROW.file_id.in_(asked.selected.file_ids),
        _ROW.outcome == "rejected",
        _ROW.code.in_(CODES),
    ]
    if asked.checkpoint_file is not None:
        file_id, row_no = asked.checkpoint_file, asked.checkpoint_row
        conditions.append(or_(_ROW.file_id > file_id, and_(_ROW.file_id == file_id, _ROW.row_no > row_no)))
    rows = db.execute(select(file_row).where(*conditions).order_by(_ROW.file_id, _ROW.row_no).limit(ROWS_MAX)).all()
    if not rows:
        return Found([], None, ())
    found = _screened(db, draft, rows)
    taken = _taken(db, draft, [each.question.event["event_id"] for each in found])
    free: list[Rejected] = []
    for each in found:
        event_id = each.question.event["event_id"]
        # Of two rows with one event id the first would be accepted, and the other be its duplicate.
        if event_id not in taken:
            taken.add(event_id)
            free.append(each)
    places = [
        {
            "backtest_id": asked.id,
            "account_id": each.account_id,
            "file_id": each.file_id,
            "row_no": each.row_no,
            "partner_id": asked.partner_id,
            "event_id": each.question.event["event_id"],
        }
        for each in free
    ]
    return Found(places, (rows[-1].file_id, rows[-1].row_no), tuple(each.question.event["event_date"] for each in free))


def of_accounts(db: Connection, draft: Draft, account_ids: Sequence[bytes]) -> dict[bytes, list[Rejected]]:
    """What ``find`` found for these accounts, in the order in which it was refused."""
    place = backtest_row.c
    found: dict[bytes, list[Rejected]] = {}
    for chunk in bulk.in_chunks(account_ids):
        rows = db.execute(
            select(file_row)
            .join(backtest_row, and_(place.file_id == _ROW.file_id, place.row_no == _ROW.row_no))
            .where(place.backtest_id == draft.asked.id, place.account_id.in_(chunk))
        ).all()
        for each in _screened(db, draft, rows):
            found.setdefault(each.account_id, []).append(each)
    for rejects in found.values():
        rejects.sort(key=lambda each: (each.recorded_at, each.file_id, each.row_no))
    return found


def _screened(db: Connection, draft: Draft, rows: Sequence[Row[Any]]) -> list[Rejected]:
    """The rows that concern a member of a selected program on a selected day."""
    asked = draft.asked
    chosen = asked.selected
    events: dict[int, NewAccrual] = {}
    for index, row in enumerate(rows):
        event = _event(db, draft, row)
        if event is None or screening.malformed(event) is not None:
            continue
        day = event["event_date"]
        if (chosen.first_day is None or chosen.first_day <= day) and (
            chosen.last_day is None or day <= chosen.last_day
        ):
            events[index] = event
    if not events:
        return []
    screened = screening.screen(db, asked.partner_id, events, now=asked.created_at, instead=draft.version)
    return [
        Rejected(
            question.account_id,
            rows[question.at].recorded_at,
            rows[question.at].file_id,
            rows[question.at].row_no,
            question,
            rows[question.at].code,
            rows[question.at].column_name,
            rows[question.at].message,
        )
        for question in screened.questions
        if question.program.id in chosen.program_ids
    ]


def _event(db: Connection, draft: Draft, row: Row[Any]) -> NewAccrual | None:
    """What the row says by its layout; None when the layout refuses it now."""
    work = draft.works.get(row.file_id)
    if work is None:
        file = register.load(db, row.file_id)
        work = draft.works[row.file_id] = applying.work_of(db, file, draft.partner)
    record = one_record(unseal(row.raw, row.file_id), work.reading.layout.spec.format)
    said = work.translator.row(record)
    return None if isinstance(said, RowRefused) else cast("NewAccrual", said)


def _taken(db: Connection, draft: Draft, event_ids: Sequence[str]) -> set[str]:
    """Those of the event ids that were accepted after all, or that an earlier page found already."""
    asked = draft.asked
    found: set[str] = set()
    for chunk in bulk.in_chunks(sorted(set(event_ids))):
        accepted = select(accrual_event.c.event_id).where(
            accrual_event.c.partner_id == asked.partner_id,
            accrual_event.c.event_id.in_(chunk),
            accrual_event.c.generation == 0,
        )
        placed = select(backtest_row.c.event_id).where(
            backtest_row.c.backtest_id == asked.id, backtest_row.c.event_id.in_(chunk)
        )
        found.update(db.execute(accepted).scalars(), db.execute(placed).scalars())
    return found


def content(each: Rejected) -> bytes:
    """What names the row in the chain of what was read."""
    return each.file_id + each.row_no.to_bytes(8)


def facts_said(event: NewAccrual) -> Mapping[str, object]:
    """What the partner said in the row, as a stored decision would keep it."""
    return {name: value for name, value in event.items() if value is not None and name in _KEPT}


_KEPT: Final = frozenset(
    {"employee_id", "quantity", "unit", "amount", "currency", "pay_period", "job_code_override", "category"}
)
