"""POST /v1/files/{file_id}/reprocess: what a file would come to if it were loaded again, and having it so."""

from collections.abc import Mapping, Sequence
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import Broken, NotFound, NotPermitted, Unprocessable
from chalicelib.files.api.files import readable
from chalicelib.files.api.mending import answer_soon
from chalicelib.files.mending.fixing import FileNotFinished
from chalicelib.files.reprocessing import differences, effect
from chalicelib.files.reprocessing.differences import Compared, Outcome
from chalicelib.files.reprocessing.effect import DifferenceChanged, EventCorrected
from chalicelib.partners import directory
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.corrections.reversals import PointsSpent
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import FileId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class ReprocessBody(Body):
    """By which layout and rules."""

    rules: Literal["same", "latest"] = Field(
        "latest", description="`same`: as known when the file came; `latest`: as in force now."
    )
    dry_run: bool = Field(True, description="Only work out the difference.")
    difference: str | None = Field(
        None,
        max_length=64,
        description="With `dry_run` false: the difference that is to be made, as a dry run named it.",
        examples=["9f" * 32],
    )
    reason: str | None = Field(None, max_length=500, description="With `dry_run` false: why.")


class RowOutcomeView(View):
    """What becomes of a row, and what its event earns."""

    outcome: Literal["accepted", "rejected", "duplicate", "ignored"]
    code: str | None
    event_id: str | None
    points: AmountText | None
    ruleset_version: PublicId | None


class RowDifferenceView(View):
    """One row that would end otherwise."""

    row_no: int
    before: RowOutcomeView
    after: RowOutcomeView


class ProgramDifferenceView(View):
    """The points of one program that the file's events have, and would have."""

    program_code: str
    points_before: AmountText
    points_after: AmountText
    difference: AmountText


class ReprocessView(View):
    """The difference between the file as it was and as it is now; of a dry run, as it would be."""

    file_id: PublicId
    dry_run: bool
    difference: str = Field(description="What names exactly this difference; give it back to have it made.")
    rules: Literal["same", "latest"]
    rows: int
    differing: int
    newly_accepted: int
    newly_refused: int
    programs: list[ProgramDifferenceView]
    differences: list[RowDifferenceView] = Field(
        description=f"The first {differences.DIFFERENCES_MAX} rows that differ."
    )


@endpoint(
    blueprint,
    "POST /v1/files/{file_id}/reprocess",
    scope=Scope.FILES_WRITE,
    idempotent=True,
    raises=[NotFound, FileNotFinished, Unprocessable, DifferenceChanged, EventCorrected, PointsSpent, NotPermitted],
)
def reprocess_file(call: Call, file_id: FileId, body: ReprocessBody) -> ReprocessView:
    """Show what a file of accruals would come to if it were loaded again, or have exactly that difference made.

    Rows that end otherwise are recorded anew by the named rules, and what they had earned is taken back. Made by those
    only who may correct the ledger.
    """
    file = readable(call, file_id)
    partner = directory.by_id(call.db, file.partner_id)
    if partner is None:
        raise Broken(f"File {file.public_id} belongs to no partner.")
    if body.dry_run:
        found = differences.compare(call.db, file, partner, body.rules, now=call.now)
        return _view(call, file.public_id, body, found)
    if Scope.LEDGER_ADJUST not in call.principal.scopes:
        raise NotPermitted(f"Processing a file again with effect needs the scope {Scope.LEDGER_ADJUST}.")
    if body.difference is None or not body.reason:
        raise Unprocessable("Name the difference that a dry run has shown, and say why.", code="difference_not_named")
    found = effect.apply(
        call.db,
        file.id,
        partner,
        body.rules,
        difference=body.difference,
        reason=body.reason,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(answer_soon(file))
    call.after_commit(lambda: wake(now=clock.now()))
    return _view(call, file.public_id, body, found)


def _view(call: Call, file_id: str, body: ReprocessBody, found: Compared) -> ReprocessView:
    known = programs.by_ids(call.db, set(found.points_minor))
    return ReprocessView(
        file_id=file_id,
        dry_run=body.dry_run,
        difference=effect.token(found, body.rules),
        rules=body.rules,
        rows=found.rows,
        differing=found.differing,
        newly_accepted=found.newly_accepted,
        newly_refused=found.newly_refused,
        programs=program_differences(known, found.points_minor),
        differences=[
            RowDifferenceView(
                row_no=each.row_no, before=outcome_view(known, each.before), after=outcome_view(known, each.after)
            )
            for each in found.differences[: differences.DIFFERENCES_MAX]
        ],
    )


def outcome_view(known: Mapping[bytes, Program], each: Outcome) -> RowOutcomeView:
    """What becomes of a row, with the points of one of these programs."""
    program = None if each.program_id is None else known[each.program_id]
    return RowOutcomeView.model_validate(
        {
            "outcome": each.outcome,
            "code": each.code,
            "event_id": each.event_id,
            "points": None if program is None else amounts.text(each.points_minor, program.scale),
            "ruleset_version": None if each.version_id is None else public_id("rsv", each.version_id),
        }
    )


def program_differences(
    known: Mapping[bytes, Program], points: Mapping[bytes, Sequence[int]]
) -> list[ProgramDifferenceView]:
    """Points before and after, by program."""
    return [
        ProgramDifferenceView(
            program_code=known[program_id].code,
            points_before=amounts.text(before, known[program_id].scale),
            points_after=amounts.text(after, known[program_id].scale),
            difference=amounts.text(after - before, known[program_id].scale),
        )
        for program_id, (before, after) in points.items()
    ]
