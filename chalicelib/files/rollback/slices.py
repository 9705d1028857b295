"""What one slice of a rollback is, and which rows of other files are taken back with a file."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.files.models.files import file_row_fix
from chalicelib.points.corrections.taking_back import TakenBack

_FIX = file_row_fix.c


class Slice(NamedTuple):
    """What one slice did; ``checkpoint`` None: the stage has nothing left."""

    done: TakenBack
    checkpoint: int | None


def returned_rows(db: Connection, file_id: bytes) -> dict[bytes, set[int]]:
    """Which rows of which files came back for rows of this one, however often."""
    found: dict[bytes, set[int]] = {}
    wave: dict[bytes, set[int] | None] = {file_id: None}
    # Each row is found once, so it ends.
    while wave:
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
        wave = following
    return found
