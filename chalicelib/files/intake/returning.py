"""Rejects that came back: each row takes over the rejected row that its token names, whatever the file is called.

The row counts for the file in which it came back, like any other row. The row that it replaces is not rejected any
more but a duplicate (``resubmitted``), whether its replacement is accepted or rejected again: so one of the two is open
at most. A token whose row is settled already, because it was accepted by another way or came back before, makes its row
a duplicate (``settled_already``): nothing is posted twice, also when the correction changed what identifies the event.
A row whose replacement was taken back with its file is not settled: it may be taken over again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection, Row

from chalicelib.files.formats.marking import restored, row_named
from chalicelib.files.mending import fixing
from chalicelib.files.mending.fixing import Fix
from chalicelib.files.models.files import file_row, file_row_fix, inbound_file
from chalicelib.files.models.rollbacks import file_rollback, file_rollback_left
from chalicelib.files.register import register
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile, header_cells
from chalicelib.files.rows import deciding_again, settling
from chalicelib.files.rows.holding import caller_of
from chalicelib.files.rows.recording import Line, Work
from chalicelib.storage import bulk

_ROW = file_row.c
_FILE = inbound_file.c
_SETTLED = RowRefused(
    "duplicate", "settled_already", None, "The row that the token names was settled before: it is not applied again."
)
_SET = ("outcome", "code", "column_name", "message", "fixable", "resolved_at", "fixes", "fixes_tried")
_FIX = file_row_fix.c
#: Why some points of a record were left although it was taken back.
_GONE = ("points_overdrawn", "points_given_up")
_FORM_CODES = frozenset({"short_row", "long_row", "malformed_row", "nul_byte"})


def take_over(db: Connection, file: InboundFile, work: Work, lines: Sequence[Line], *, now: datetime) -> list[Line]:
    """The lines of one slice, those refused whose token names a settled row; the rows of the others are taken over.

    Tokens that name no row of the partner's files of this layout mean nothing: such a row stands for itself.
    """
    named = {line.row_no: place for line in lines if (place := _place(line, work)) is not None}
    originals = _files(db, file, {file_id for file_id, _ in named.values()})
    rows = {file_id: _rows(db, file_id, named.values()) for file_id in originals}
    open_again = {(file_id, row_no) for file_id in originals for row_no in _open_again(db, file_id, rows[file_id])}
    taken: dict[bytes, list[tuple[Row[Any], Line]]] = defaultdict(list)
    settled: set[int] = set()
    seen: set[tuple[bytes, int]] = set()
    for line in lines:
        place = named.get(line.row_no)
        original = None if place is None else originals.get(place[0])
        if place is None or original is None or not 0 < place[1] <= (original.rows_total or 0):
            continue
        row = rows[place[0]].get(place[1])
        if row is None or (row.outcome != "rejected" and place not in open_again) or place in seen:
            settled.add(line.row_no)
        else:
            taken[place[0]].append((row, line))
        seen.add(place)
    for file_id in sorted(taken):
        _replace(db, originals[file_id], file, work, taken[file_id], now=now)
    return [line._replace(row=_SETTLED) if line.row_no in settled else line for line in lines]


def _place(line: Line, work: Work) -> tuple[bytes, int] | None:
    """The file and the row that a line's token names; lines of the wrong form and those that say nothing name none."""
    at, cells = work.header.token_at, line.record.cells
    if isinstance(line.row, RowRefused) and line.row.code == "masked_cell":
        return None
    if at is None or line.record.fault is not None or len(cells) != len(work.header.cells):
        return None
    return row_named(cells[at])


def _files(db: Connection, file: InboundFile, file_ids: set[bytes]) -> dict[bytes, InboundFile]:
    """The finished files among these that may be meant, their rows locked in the order of their ids."""
    known = set(
        db.execute(
            select(_FILE.id).where(
                _FILE.id.in_(sorted(file_ids - {file.id})),
                _FILE.partner_id == file.partner_id,
                _FILE.layout_name == file.layout_name,
                _FILE.finished_at.is_not(None),
                # Rows of a file that was taken back have no standing: what comes back for them stands for itself.
                _FILE.state.not_in(("rolling_back", "rolled_back")),
            )
        ).scalars()
    )
    return {file_id: register.lock(db, file_id) for file_id in sorted(known)}


def _rows(db: Connection, file_id: bytes, places: Any) -> dict[int, Row[Any]]:  # noqa: ANN401 - a view of values
    """What is kept of the rows that are named; those accepted at once are not in it."""
    numbers = sorted({row_no for named, row_no in places if named == file_id})
    found: dict[int, Row[Any]] = {}
    for chunk in bulk.in_chunks(numbers):
        query = select(file_row).where(_ROW.file_id == file_id, _ROW.row_no.in_(chunk))
        found |= {row.row_no: row for row in db.execute(query)}
    return found


def _open_again(db: Connection, file_id: bytes, rows: Mapping[int, Row[Any]]) -> set[int]:
    """Those of the rows of a file that came back in a file which was taken back since, and of which nothing stayed."""
    left, run, later = file_rollback_left.c, file_rollback.c, file_rollback.alias("later")
    latest = ~select(later.c.id).where(later.c.file_id == run.file_id, later.c.run_no > run.run_no).exists()
    stays = (
        select(left.number)
        .join(file_rollback, run.id == left.rollback_id)
        .where(run.file_id == _FIX.source_file_id, left.row_no == _FIX.source_row_no, left.code.not_in(_GONE), latest)
    )
    found: set[int] = set()
    for chunk in bulk.in_chunks(sorted(number for number, row in rows.items() if row.code == "resubmitted")):
        query = (
            select(_ROW.row_no)
            .join(file_row_fix, (_FIX.file_id == _ROW.file_id) & (_FIX.row_no == _ROW.row_no))
            .join(inbound_file, _FILE.id == _FIX.source_file_id)
            .where(_ROW.file_id == file_id, _ROW.row_no.in_(chunk), _FIX.fix_no == _ROW.fixes)
            .where(_FILE.state == "rolled_back", ~stays.exists())
        )
        found |= set(db.execute(query).scalars())
    return found


def _replace(
    db: Connection,
    original: InboundFile,
    file: InboundFile,
    work: Work,
    taken: Sequence[tuple[Row[Any], Line]],
    *,
    now: datetime,
) -> None:
    """Settle the rows of one file that others stand for now, with what changed, and count its figures again."""
    caller = caller_of(file)
    changed: list[Mapping[str, Any]] = []
    for row, line in taken:
        cells = _differences(row, line, original, work)
        made = Fix(row.fixes + 1, "file", file.id, line.row_no, cells, None, caller.actor, now)
        fixing.keep(db, original, row.row_no, made, caller)
        changed.append(
            {
                "file_id": original.id,
                "row_no": row.row_no,
                "outcome": "duplicate",
                "code": "resubmitted",
                "column_name": None,
                "message": f"The row came back as row {line.row_no} of file {file.public_id}, which counts it now.",
                "fixable": False,
                "resolved_at": now,
                "fixes": made.fix_no,
                "fixes_tried": made.fix_no,
            }
        )
    changed.sort(key=lambda values: values["row_no"])
    bulk.update_by_key(db, file_row, changed, key=("file_id", "row_no"), set_=_SET)
    # One whose replacement was taken back is a duplicate already.
    rejected = [row for row, _ in taken if row.outcome == "rejected"]
    moved = [(row.control_minor if row.control_readable else None, "duplicate") for row in rejected]
    deciding_again.move(db, original.id, moved, now=now)
    settling.settle_again(db, original.id, now=now)


def _differences(row: Row[Any], line: Line, original: InboundFile, work: Work) -> dict[str, tuple[str, str]]:
    """What the row says otherwise than the one it stands for; of a row whose form was wrong, all that it says."""
    header = work.header
    sent = {header.cells[at]: restored(line.record.cells[at]) for at in header.own}
    names = header_cells(original)
    if row.code in _FORM_CODES:
        return {name: ("", sent[name]) for name in names if sent.get(name)}
    return fixing.differences(row, sent, names, work.reading.layout.spec.format)
