"""/v1/file-trials: what would become of a large file, worked out by the workers; and how far that is."""

from datetime import datetime
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Broken, InvalidInput, NotFound, Unprocessable
from chalicelib.files.api.asking import FileName, partner_of
from chalicelib.files.api.files import CountsView, FileState, ProgramPointsView, SumsView, readable
from chalicelib.files.api.reprocessing import (
    ProgramDifferenceView,
    RowDifferenceView,
    outcome_view,
    program_differences,
)
from chalicelib.files.api.trying import TrialErrorView
from chalicelib.files.formats.controls import shown_sum
from chalicelib.files.intake import trying, uploading
from chalicelib.files.mending.fixing import FileNotFinished
from chalicelib.files.register import trials
from chalicelib.files.register.trials import Trial, TrialBegun
from chalicelib.files.reprocessing import differences
from chalicelib.files.reprocessing.differences import Rules
from chalicelib.files.rows.tallies import OUTCOMES
from chalicelib.files.trials import comparing, validating, way
from chalicelib.files.trials.comparing import NotCompared
from chalicelib.partners import directory
from chalicelib.partners.programs import programs
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import FileId, FileTrialId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class FileTrialBody(Body):
    """Which file is to be tried."""

    partner_code: str | None = Field(None, description="May be left out by a key of one partner.")
    layout: Annotated[str, Field(max_length=64)] = Field(description="Name of a layout: the second part of the key.")
    name: FileName = "file.csv"
    size_bytes: Annotated[int, Field(ge=1, le=uploading.UPLOAD_BYTES_MAX)] = Field(
        description="Exactly as many bytes are taken."
    )


class TrialUploadView(View):
    """A PUT of this key and size, good until it expires: the content of the file."""

    method: str = "PUT"
    url: str
    headers: dict[str, str] = Field(description="To be sent with it as they are.")
    expires_at: datetime


class TriedFileView(View):
    """What would become of the file; while the trial works, of the rows that were tried so far."""

    state: FileState = Field(description="`checked` while the trial works; `processed`, `quarantined` or `duplicate`.")
    reason_code: str | None
    reason: str | None
    duplicate_of: PublicId | None
    sha256: str | None
    warnings: list[str]
    rows: CountsView
    control: SumsView
    programs: list[ProgramPointsView] = Field(description="What the accepted rows would earn.")
    errors: list[TrialErrorView] = Field(description=f"The first {trying.ERRORS_MAX} rows that would be refused.")


class LeftRowsView(View):
    """Rows that were to end otherwise and are left as they are, by why."""

    difference_changed: int = Field(description="Of parts that would end otherwise than when they were compared.")
    points_spent: int = Field(description="Of employees who have spent, or hold, what had to be taken back.")
    event_corrected: int = Field(description="Of employees of whom an event was corrected or taken back since.")


class ComparisonView(View):
    """The difference between the file as it is and as it would be, or what was made of it."""

    difference: str | None = Field(description="What names exactly this difference; null until all is compared.")
    rules: Literal["same", "latest"]
    rows: int
    differing: int
    newly_accepted: int
    newly_refused: int
    programs: list[ProgramDifferenceView]
    differences: list[RowDifferenceView] = Field(
        description=f"The first {differences.DIFFERENCES_MAX} rows that differ."
    )
    left: LeftRowsView


class FileTrialView(View):
    """One trial, and what has come of it so far."""

    id: PublicId
    kind: Literal["validate", "compare", "reprocess"]
    state: Literal["awaiting", "working", "done", "failed", "made"] = Field(
        description="`awaiting`: the content is not put; `made`: the difference was made, or is being made."
    )
    file_id: PublicId | None = Field(description="The processed file that is decided again.")
    layout: str
    name: str
    reason_code: str | None = Field(description="Why the trial failed.")
    reason: str | None
    parts_done: int
    parts: int | None = Field(description="Null: the content was not read yet.")
    requested_at: datetime
    finished_at: datetime | None
    upload: TrialUploadView | None = Field(None, description="Given once, by the request for the trial.")
    file: TriedFileView | None = Field(description="Of `validate`; null until the content was read.")
    comparison: ComparisonView | None = Field(description="Of the other kinds; null until the work begins.")


class CompareBody(Body):
    """By which layout and rules."""

    rules: Rules = Field("latest", description="`same`: as known when the file came; `latest`: as in force now.")


class MakeBody(Body):
    """Why the difference is made."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


@endpoint(
    blueprint,
    "POST /v1/file-trials",
    scope=Scope.FILES_WRITE,
    status=201,
    idempotent=True,
    raises=[NotFound, InvalidInput, Unprocessable],
)
def ask_for_trial(call: Call, body: FileTrialBody) -> FileTrialView:
    """Ask for the trial of a file of up to 2,000,000 rows, and get a URL by which its content is put."""
    partner = partner_of(call, body.partner_code)
    made, upload = validating.request(
        call.db, partner, body.layout, body.name, size_bytes=body.size_bytes, caller=call.caller, now=call.now
    )
    url = TrialUploadView(url=upload.url, headers=upload.headers, expires_at=upload.expires_at)
    return _view(call, made, url)


@endpoint(
    blueprint,
    "POST /v1/file-trials/{trial_id}/start",
    scope=Scope.FILES_WRITE,
    status=202,
    idempotent=True,
    raises=[NotFound, TrialBegun],
)
def start_trial(call: Call, trial_id: FileTrialId) -> FileTrialView:
    """Have the workers try the file, whose content was put; nothing of it is kept."""
    found = _readable(call, trial_id)
    begun = trials.begin(call.db, found.id, now=call.now)
    call.after_commit(lambda: way.announce(begun))
    return _view(call, begun)


@endpoint(blueprint, "GET /v1/file-trials/{trial_id}", scope=Scope.FILES_READ, raises=[NotFound])
def get_trial(call: Call, trial_id: FileTrialId) -> FileTrialView:
    """Show how far a trial is, and what has come of it: counts, control sums, points and the first refused rows."""
    return _view(call, _readable(call, trial_id))


@endpoint(
    blueprint,
    "POST /v1/files/{file_id}/comparisons",
    scope=Scope.FILES_WRITE,
    status=202,
    idempotent=True,
    raises=[NotFound, FileNotFinished, Unprocessable],
)
def compare_file(call: Call, file_id: FileId, body: CompareBody) -> FileTrialView:
    """Have the workers find out what a file of accruals would come to if it were loaded again, of any size."""
    file = readable(call, file_id)
    partner = directory.by_id(call.db, file.partner_id)
    if partner is None:
        raise Broken(f"File {file.public_id} belongs to no partner.")
    asked = comparing.request(call.db, file, partner, body.rules, caller=call.caller, now=call.now)
    call.after_commit(lambda: way.announce(asked))
    return _view(call, asked)


@endpoint(
    blueprint,
    "POST /v1/file-trials/{trial_id}/reprocess",
    scope=Scope.LEDGER_ADJUST,
    status=202,
    idempotent=True,
    raises=[NotFound, NotCompared, FileNotFinished, Unprocessable],
)
def make_difference(call: Call, trial_id: FileTrialId, body: MakeBody) -> FileTrialView:
    """Have the difference made that a comparison has shown, part by part; what would end otherwise by now is left."""
    found = _readable(call, trial_id)
    asked = comparing.request_effect(call.db, found, reason=body.reason, caller=call.caller, now=call.now)
    call.after_commit(lambda: way.announce(asked))
    return _view(call, asked)


def _readable(call: Call, trial_id: str) -> Trial:
    found = trials.load(call.db, raw_id("trl", trial_id))
    call.require_partner(found.partner_id)
    return found


def _view(call: Call, trial: Trial, upload: TrialUploadView | None = None) -> FileTrialView:
    found = trial.found
    return FileTrialView.model_validate(
        {
            "id": trial.public_id,
            "kind": trial.kind,
            "file_id": None if trial.file_id is None else public_id("fil", trial.file_id),
            "state": trial.state,
            "layout": trial.layout_name,
            "name": trial.name,
            "reason_code": trial.reason_code,
            "reason": trial.reason,
            "parts_done": min(trial.part, trial.parts or 0),
            "parts": trial.parts,
            "requested_at": trial.requested_at,
            "finished_at": trial.finished_at,
            "upload": upload,
            "file": _file(found) if found and trial.kind == "validate" else None,
            "comparison": _comparison(call, trial, found) if "differing" in found else None,
        }
    )


def _file(found: dict[str, Any]) -> dict[str, Any]:
    file: dict[str, Any] = found["file"]
    rows = {outcome: file.get(f"rows_{outcome}", 0) for outcome in OUTCOMES}
    sums = {outcome: shown_sum(file.get(f"control_{outcome}", 0)) for outcome in OUTCOMES}
    original = file.get("duplicate_of")
    return {
        "state": file["state"],
        "reason_code": file.get("reason_code"),
        "reason": file.get("reason"),
        "duplicate_of": None if original is None else public_id("fil", bytes.fromhex(original)),
        "sha256": file.get("sha256"),
        "warnings": validating.warnings_of(file),
        "rows": {"total": file.get("rows_total"), "done": sum(rows.values()), **rows},
        "control": {
            "read": shown_sum(file.get("control_in", 0)),
            "unreadable": file.get("control_unreadable", 0),
            **sums,
        },
        "programs": [found["points"][code] for code in sorted(found["points"])],
        "errors": found["errors"],
    }


def _comparison(call: Call, trial: Trial, found: dict[str, Any]) -> dict[str, Any]:
    points = {bytes.fromhex(key): pair for key, pair in found["points"].items()}
    rows = [
        (each["row_no"], comparing.outcome_of(each["before"]), comparing.outcome_of(each["after"]))
        for each in found["differences"]
    ]
    named = {outcome.program_id for _, *both in rows for outcome in both if outcome.program_id is not None}
    known = programs.by_ids(call.db, points.keys() | named)
    told = {name: found[name] for name in ("rows", "differing", "newly_accepted", "newly_refused", "left")}
    return told | {
        "difference": comparing.token(trial) if trial.state in {"done", "made"} else None,
        "rules": trial.rules,
        "programs": program_differences(known, points),
        "differences": [
            {"row_no": number, "before": outcome_view(known, before), "after": outcome_view(known, after)}
            for number, before, after in rows
        ],
    }
