"""What became of the rows of one slice: the figures that the checkpoint moves by, and the rows that are kept."""

from dataclasses import field
from datetime import datetime
from typing import Any

from chalicelib.files.formats.reading import Record
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.records import dataclass
from chalicelib.storage import encryption

OUTCOMES = ("accepted", "rejected", "duplicate", "ignored")
#: Outcomes of which neighbouring rows are kept as one range.
_IN_RUNS = frozenset({"duplicate", "ignored"})
_MESSAGE_LENGTH_MAX = 500
_COLUMN_LENGTH_MAX = 100


@dataclass(slots=True)
class Tally:
    """Counts and control sums by outcome, and the ``file_row`` rows of everything that was not accepted."""

    file: InboundFile
    now: datetime
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    rows: list[dict[str, Any]] = field(default_factory=list)

    def accept(self, amount: int | None) -> None:
        """Count one accepted row; ``amount`` is its control amount in millionths, None when unreadable."""
        self.counts["accepted"] += 1
        self.sums["accepted"] += amount or 0

    def refuse(
        self, row_no: int, record: Record, amount: int | None, refused: RowRefused, *, fixable: bool = False
    ) -> None:
        """Count one row that was not accepted and keep what is to be known of it."""
        outcome = refused.outcome
        self.counts[outcome] += 1
        self.sums[outcome] += amount or 0
        if outcome in _IN_RUNS and self._extends(row_no, record, amount, refused):
            return
        message, column = refused.message, refused.column
        self.rows.append(
            {
                "file_id": self.file.id,
                "row_no": row_no,
                "row_to": row_no,
                "partner_id": self.file.partner_id,
                "outcome": outcome,
                "code": refused.code,
                "column_name": column if column is None else column[:_COLUMN_LENGTH_MAX],
                "message": message if message is None else message[:_MESSAGE_LENGTH_MAX],
                "fixable": fixable,
                "byte_offset": record.offset,
                "byte_length": len(record.raw),
                "control_minor": amount or 0,
                "control_readable": amount is not None,
                "raw": seal(record.raw, self.file.id) if outcome == "rejected" else None,
                "fixes": 0,
                "fixes_tried": 0,
                "control_fixed_minor": None,
                "rule_version_id": refused.rule_version_id,
                **unmapped_columns(refused),
                "retried_for": None,
                "recorded_at": self.now,
                "resolved_at": None,
            }
        )

    def checkpoint(self) -> dict[str, int]:
        """The file's counters after this slice."""
        moved = {
            f"rows_{outcome}": getattr(self.file, f"rows_{outcome}") + self.counts[outcome] for outcome in OUTCOMES
        }
        sums = {
            f"control_{outcome}": getattr(self.file, f"control_{outcome}") + self.sums[outcome] for outcome in OUTCOMES
        }
        return moved | sums

    def _extends(self, row_no: int, record: Record, amount: int | None, refused: RowRefused) -> bool:
        last = self.rows[-1] if self.rows else None
        if (
            last is None
            or last["outcome"] != refused.outcome
            or last["code"] != refused.code
            or last["row_to"] != row_no - 1
            or last["control_readable"] != (amount is not None)
        ):
            return False
        last["row_to"] = row_no
        last["byte_length"] = record.offset + len(record.raw) - last["byte_offset"]
        last["control_minor"] += amount or 0
        return True


def unmapped_columns(refused: RowRefused | None) -> dict[str, Any]:
    """The columns of ``file_row`` that say which code a table lacks for the row."""
    table, code, on = (None, None, None) if refused is None or refused.unmapped is None else refused.unmapped
    return {"unmapped_table": table, "unmapped_code": code, "unmapped_on": on}


def seal(raw: bytes, file_id: bytes) -> bytes:
    """A row's bytes as they are kept: encrypted, since they may be personal."""
    return encryption.encrypt(raw, bound_to=file_id)


def unseal(sealed: bytes, file_id: bytes) -> bytes:
    """The bytes that ``seal`` was given."""
    return encryption.decrypt(sealed, bound_to=file_id)
