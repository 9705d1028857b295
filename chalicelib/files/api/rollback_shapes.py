"""How a file that is taken back is shown: by the request for it, and with the file."""

from datetime import datetime
from typing import Final, Literal

from pydantic import Field
from sqlalchemy.engine import Connection

from chalicelib.files.register import rollbacks
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.rollbacks import Kept, Rollback
from chalicelib.partners.programs import programs
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText
from chalicelib.web.shapes import PublicId, View

Kind = Literal["accrual", "opening", "adjustment", "document", "member", "entry"]
State = Literal["processed", "broken", "rolling_back", "rolled_back"]
#: Things that stay which one answer names.
LISTED_MAX: Final = 200
#: The prefix of the ids of each kind of thing that may stay.
_PREFIX: Final = {
    "accrual": "acr", "opening": "opb", "adjustment": "adj", "document": "doc", "member": "mbr", "entry": "cdt",
}  # fmt: skip


class RolledBackProgramView(View):
    """What became of the points of one program."""

    program_code: str
    records: int
    points: AmountText = Field(description="What the records had earned and had not been taken back before.")
    recovered: AmountText = Field(description="Taken from the members' lots.")
    overdrawn: AmountText = Field(description="Spent, and owed: what is earned next repays it.")
    given_up: AmountText = Field(description="Spent, and given up by the program's policy.")
    expired: AmountText = Field(description="Had expired, so nobody had it.")
    refused: AmountText = Field(description="Of records that stay, because the policy takes back nothing spent.")


class LeftView(View):
    """One thing that stays as it is, or of whose points some stay."""

    kind: Kind
    id: PublicId
    row_no: int | None
    code: str
    entry_code: str | None = Field(description="Of an entry of a code table.")
    program_code: str | None
    points: AmountText | None


class RollbackView(View):
    """How far a file is taken back, or what that would come to."""

    file_id: PublicId
    dry_run: bool
    state: State = Field(description="Of the file: `rolled_back` once all is done.")
    reason: str
    requested_at: datetime
    finished_at: datetime | None
    done: int = Field(description="Records that were taken back.")
    left_count: int = Field(description="How many could not, whole or in part.")
    programs: list[RolledBackProgramView]
    left: list[LeftView] = Field(description=f"The first {LISTED_MAX} things that stay.")


def view(db: Connection, file: InboundFile, run: Rollback, left: list[Kept], *, dry_run: bool = False) -> RollbackView:
    """The view of a run that takes a file back; ``left`` is what had to stay."""
    ids = set(run.sums) | {each.program_id for each in left if each.program_id is not None}
    known = programs.by_ids(db, ids)

    def kept(each: Kept) -> LeftView:
        program = None if each.program_id is None else known[each.program_id]
        return LeftView.model_validate(
            {
                "kind": each.kind,
                "id": public_id(_PREFIX[each.kind], each.subject_id),
                "row_no": each.row_no,
                "code": each.code,
                "entry_code": each.entry_code,
                "program_code": None if program is None else program.code,
                "points": None if program is None else amounts.text(each.amount_minor, program.scale),
            }
        )

    by_program = [
        RolledBackProgramView(
            program_code=known[program_id].code,
            records=sums.records,
            points=amounts.text(sums.points_minor + sums.refused_minor, known[program_id].scale),
            recovered=amounts.text(sums.recovered_minor, known[program_id].scale),
            overdrawn=amounts.text(sums.overdrawn_minor, known[program_id].scale),
            given_up=amounts.text(sums.lost_minor, known[program_id].scale),
            expired=amounts.text(sums.expired_minor, known[program_id].scale),
            refused=amounts.text(sums.refused_minor, known[program_id].scale),
        )
        for program_id, sums in sorted(run.sums.items(), key=lambda item: known[item[0]].code)
    ]
    return RollbackView.model_validate(
        {
            "file_id": file.public_id,
            "dry_run": dry_run,
            "state": file.state,
            "reason": run.reason,
            "requested_at": run.requested_at,
            "finished_at": run.finished_at,
            "done": run.undone,
            "left_count": run.left_over,
            "programs": by_program,
            "left": [kept(each) for each in left],
        }
    )


def of_file(db: Connection, file: InboundFile) -> RollbackView | None:
    """How far the file is taken back; None when nobody asked for it."""
    run = rollbacks.of_file(db, file.id)
    return None if run is None else view(db, file, run, rollbacks.left(db, run.id, limit=LISTED_MAX))
