"""A processed file of accruals of any size is decided again: the difference first, then the effect, part by part.

Each part is compared as ``reprocessing.differences`` compares a small file, and has a digest of its difference. The
effect is made part by part, too, where the digest is the one that was looked at; what ends otherwise by then is left as
it is, and counted. Where a program refuses to take back what is spent, only the rows of that employee are left.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, Unprocessable
from chalicelib.files.register import register, trials
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.trials import Trial
from chalicelib.files.reprocessing import differences, effect
from chalicelib.files.reprocessing.differences import Compared, Difference, Outcome, Rules
from chalicelib.files.reprocessing.effect import EventCorrected
from chalicelib.files.rows import recording, settling
from chalicelib.files.rows.recording import Work
from chalicelib.files.trials import parting
from chalicelib.files.trials.parting import Spread, Stored
from chalicelib.partners.directory import Partner
from chalicelib.points.corrections.reversals import PointsSpent
from chalicelib.storage.engine import Database

_COUNTS: Final = ("rows", "differing", "newly_accepted", "newly_refused")
#: What is left as it is, by why.
_LEFT: Final = ("difference_changed", PointsSpent.code, EventCorrected.code)


class NotCompared(Conflict):
    """Only a comparison that is done can be made, and only once."""

    code = "not_compared"


def request(
    db: Connection, file: InboundFile, partner: Partner, rules: Rules, *, caller: Caller, now: datetime
) -> Trial:
    """A comparison of a processed file for the workers to begin. Raises FileNotFinished, Unprocessable."""
    differences.require_comparable(file)
    if (file.rows_total or 0) > parting.ROWS_MAX:
        message = f"The file has {file.rows_total} rows; at most {parting.ROWS_MAX} are compared."
        raise Unprocessable(message, code="too_large_to_try")
    read_by = differences.read_by(db, file, partner, rules, now)
    return _asked(db, file, "compare", rules, read_by.layout_version_id, {}, caller, now)


def request_effect(db: Connection, compared: Trial, *, reason: str, caller: Caller, now: datetime) -> Trial:
    """Have the difference made that a comparison has shown. Raises NotCompared, NotFound, FileNotFinished."""
    if compared.kind != "compare" or compared.state != "done" or compared.file_id is None:
        raise NotCompared("Only the difference that a comparison has shown can be made.")
    # One at a time: under the file's lock only one of two requests finds the comparison unmade.
    file = register.lock(db, compared.file_id)
    differences.require_comparable(file)
    if not trials.mark_made(db, compared.id, now=now):
        raise NotCompared("The difference that this comparison has shown is made, or being made.")
    digests = compared.found["digests"]
    figures = {"digests": digests, "reason": reason, "comparison": compared.id.hex()}
    audit.record(
        db,
        caller=caller,
        action="file.reprocess_requested",
        subject=file.public_id,
        partner_id=file.partner_id,
        after={"comparison": compared.public_id, "rows": compared.found["differing"]},
        reason=reason,
        now=now,
    )
    return _asked(db, file, "reprocess", compared.rules, compared.layout_version_id, figures, caller, now)


def check(database: Database, trial: Trial, partner: Partner, *, now: datetime) -> dict[str, Any]:
    """The figures with which the trial's parts begin."""
    del partner, now
    with database.read() as db:
        file = _file(db, trial)
    begun: dict[str, Any] = {"file": {"state": "checked", "rows_total": file.rows_total}}
    counts = dict.fromkeys(_COUNTS, 0)
    left = dict.fromkeys(_LEFT, 0)
    return begun | counts | {"differences": [], "points": {}, "digests": [], "left": left} | trial.found


def cut(database: Database, trial: Trial, partner: Partner, directory: Path, *, now: datetime) -> tuple[Spread, Work]:
    """Spread the rows of the file, as corrected, over the trial's parts."""
    with database.read() as db:
        file = _file(db, trial)
        work = _work(db, file, trial, partner, now)
        lines = differences.lines_of(db, file, partner, work)
        return parting.spread(lines, work, directory, parts=trial.parts or 1), work


def try_part(
    db: Connection, trial: Trial, partner: Partner, work: Work, rows: Sequence[Stored], *, now: datetime
) -> dict[str, Any]:
    """Compare the rows of one part, make their difference if that was asked for, and add it to the figures."""
    figures = trial.found
    if not rows:
        # The part of rows that share ids, mostly.
        return figures if trial.kind == "reprocess" else figures | {"digests": [*figures["digests"], ""]}
    file = register.lock(db, _file(db, trial).id)
    differences.require_comparable(file)
    rules: Rules = "same" if trial.rules == "same" else "latest"
    lines = parting.lines(rows, work)
    # As of when the comparison was asked for: a rule that is activated since is another comparison's business.
    known_at = differences.known_at(file, rules, now)
    numbers = [row.row_no for row in rows]
    found = differences.compare_lines(db, file, work, lines, known_at=known_at, rows=numbers)
    digest = effect.token(found, rules) if found.differing else ""
    if trial.kind == "compare":
        return _added(figures, found) | {"digests": [*figures["digests"], digest]}
    if figures["digests"][trial.part : trial.part + 1] != [digest]:
        figures["left"]["difference_changed"] += len(rows)
        return figures
    return _made(db, trial, file, partner, work, rows, found, now)


def finished(db: Connection, trial: Trial, figures: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """The figures of a trial of which every part is done; a file that was processed again is proved once more."""
    if trial.kind == "reprocess" and trial.file_id is not None:
        settling.settle_again(db, trial.file_id, now=now)
        file = register.load(db, trial.file_id)
        audit.record(
            db,
            caller=Caller(trial.actor, trial.correlation_id),
            action="file.reprocessed",
            subject=file.public_id,
            partner_id=file.partner_id,
            after={"rows": figures["differing"], "points_minor": figures["points"], "left": figures["left"]},
            reason=figures["reason"],
            now=now,
        )
    return figures


def _made(
    db: Connection,
    trial: Trial,
    file: InboundFile,
    partner: Partner,
    work: Work,
    rows: Sequence[Stored],
    found: Compared,
    now: datetime,
) -> dict[str, Any]:
    """Make the difference of one part: at once, or, where that is refused, of each employee by itself."""
    figures = trial.found
    if not found.differing:
        return _added(figures, found)
    differing = {each.row_no: each for each in found.differences}
    wanted = [row for row in rows if row.row_no in differing]
    groups: defaultdict[int, list[Stored]] = defaultdict(list)
    for row in wanted:
        groups[row.key].append(row)
    why = _try_making(db, trial, file, partner, work, wanted, differing, now)
    if why is None:
        return _added(figures, found)
    for key, some in sorted(groups.items()):
        refused = why if len(groups) == 1 else _try_making(db, trial, file, partner, work, some, differing, now)
        if refused is not None:
            figures["left"][refused] += len(some)
            for row in groups[key]:
                del differing[row.row_no]
    return _added(figures, differences.of_rows(found, differing))


def _try_making(
    db: Connection,
    trial: Trial,
    file: InboundFile,
    partner: Partner,
    work: Work,
    rows: Sequence[Stored],
    differing: Mapping[int, Difference],
    now: datetime,
) -> str | None:
    """Why the difference of these rows cannot be made; None: it is."""
    of = {row.row_no: differing[row.row_no] for row in rows}
    savepoint = db.begin_nested()
    try:
        effect.make(
            db,
            register.load(db, file.id),
            partner,
            work,
            of,
            parting.lines(rows, work),
            rules="same" if trial.rules == "same" else "latest",
            reason=trial.found["reason"],
            caller=Caller(trial.actor, trial.correlation_id),
            now=now,
        )
    except (PointsSpent, EventCorrected) as refusal:
        savepoint.rollback()
        # Points that are only held stay like spent ones.
        return PointsSpent.code if isinstance(refusal, PointsSpent) else refusal.code
    savepoint.commit()
    return None


def _added(figures: dict[str, Any], found: Compared) -> dict[str, Any]:
    for name in _COUNTS:
        figures[name] += getattr(found, name)
    shown = [*figures["differences"], *(_shown(each) for each in found.differences[: differences.DIFFERENCES_MAX])]
    figures["differences"] = sorted(shown, key=_row_no)[: differences.DIFFERENCES_MAX]
    for program_id, pair in found.points_minor.items():
        before, after = figures["points"].get(program_id.hex(), (0, 0))
        figures["points"][program_id.hex()] = [before + pair[0], after + pair[1]]
    return figures


def _shown(each: Difference) -> dict[str, Any]:
    def outcome(of: Outcome) -> list[Any]:
        return [part.hex() if isinstance(part, bytes) else part for part in of]

    return {"row_no": each.row_no, "before": outcome(each.before), "after": outcome(each.after)}


def outcome_of(shown: Sequence[Any]) -> Outcome:
    """An outcome as figures have it."""
    *rest, program_id, version_id = shown
    ids = [None if each is None else bytes.fromhex(each) for each in (program_id, version_id)]
    return Outcome(*rest, *ids)


def token(trial: Trial) -> str:
    """What names the whole difference of a comparison: SHA-256 over those of its parts, in hexadecimal."""
    return sha256("\n".join([str(trial.rules), *trial.found["digests"]]).encode()).hexdigest()


def _row_no(shown: Mapping[str, Any]) -> int:
    number: int = shown["row_no"]
    return number


def _work(db: Connection, file: InboundFile, trial: Trial, partner: Partner, now: datetime) -> Work:
    rules: Rules = "same" if trial.rules == "same" else "latest"
    return recording.work_of(db, differences.read_by(db, file, partner, rules, now), partner)


def _file(db: Connection, trial: Trial) -> InboundFile:
    assert trial.file_id is not None  # noqa: S101 - a comparison is of a file
    return register.load(db, trial.file_id)


def _asked(
    db: Connection,
    file: InboundFile,
    kind: str,
    rules: str | None,
    layout_version_id: bytes | None,
    figures: Mapping[str, Any],
    caller: Caller,
    now: datetime,
) -> Trial:
    values = {
        "partner_id": file.partner_id,
        "kind": kind,
        "file_id": file.id,
        "layout_name": file.layout_name,
        "layout_version_id": layout_version_id,
        "name": file.name,
        "size_bytes": file.size_bytes,
        "rules": rules,
        "state": "working",
    }
    return trials.create(db, values, figures=figures, caller=caller, now=now)
