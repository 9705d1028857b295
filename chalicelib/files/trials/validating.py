"""A file of any size is tried as ``intake.trying`` tries a small one, part by part: of each part nothing is kept.

Its content is put into the inbox under a name that intake leaves alone. Parts do not depend on each other
(``trials.parting``), so their figures add up to what the whole would come to.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Unprocessable
from chalicelib.files.answers import receipts
from chalicelib.files.formats import layouts
from chalicelib.files.formats.reading import Measured, records
from chalicelib.files.formats.translating import Header
from chalicelib.files.formats.unpacking import content_of
from chalicelib.files.intake import applying, arrivals, checking, opening, trying, uploading
from chalicelib.files.intake.uploading import Upload
from chalicelib.files.register import trials
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.trials import Trial
from chalicelib.files.rows import conserving, gathering
from chalicelib.files.rows.recording import Work
from chalicelib.files.rows.tallies import OUTCOMES
from chalicelib.files.trials import parting
from chalicelib.files.trials.parting import Spread, Stored
from chalicelib.partners.directory import Partner
from chalicelib.rules import rulesets
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.engine import Database

SUMMED: Final = (
    *(f"rows_{outcome}" for outcome in OUTCOMES),
    *(f"control_{outcome}" for outcome in OUTCOMES),
)


def request(
    db: Connection, partner: Partner, layout_name: str, name: str, *, size_bytes: int, caller: Caller, now: datetime
) -> tuple[Trial, Upload]:
    """A trial that waits for its content, and the permission to put it.

    Raises what ``trying.agreed`` raises, and Unprocessable (``too_large_to_try``) for rows that depend on one another.
    """
    version, layout = trying.agreed(db, partner, layout_name, name, now=now)
    if layout.spec.entity not in parting.ENTITIES or layout.spec.mode == "snapshot":
        message = f"Files of this kind are tried up to {trying.ROWS_MAX} rows: by POST /v1/files/validate."
        raise Unprocessable(message, code="too_large_to_try")
    if layout.spec.control.kind == "sidecar":
        message = f"Files with a sidecar are tried up to {trying.ROWS_MAX} rows: by POST /v1/files/validate."
        raise Unprocessable(message, code="too_large_to_try")
    values = {
        "partner_id": partner.id,
        "kind": "validate",
        "layout_name": layout_name,
        "layout_version_id": version.version_id,
        "name": name,
        "size_bytes": size_bytes,
        "state": "awaiting",
    }
    made = trials.create(db, values, caller=caller, now=now)
    key = f"{partner.code}/{layout_name}/{made.public_id}{arrivals.TRIAL_SUFFIX}"
    made = trials.put(db, made.id, {"object_key": key})
    url, headers = objects.presigned_put(arrivals.inbox(), key, size=size_bytes, expires_s=uploading.EXPIRES_S)
    audit.record(
        db,
        caller=caller,
        action="file.trial_requested",
        subject=made.public_id,
        partner_id=partner.id,
        after={"layout": layout_name, "name": name, "size_bytes": size_bytes},
        now=now,
    )
    return made, Upload(url, headers, key, now + uploading.EXPIRES)


def check(database: Database, trial: Trial, partner: Partner, *, now: datetime) -> dict[str, Any]:
    """Read the whole content: the figures with which the trial's parts begin, or what the file is refused for."""
    file, reading = database.run(lambda db: _looked_at(db, trial, partner, now))
    with objects.open_range(arrivals.inbox(), _key(trial)) as source:
        found = checking.check(
            source,
            reading,
            partner_code=partner.code,
            sidecar=None,
            expanded_bytes_max=settings().expanded_bytes_max,
            alive=lambda: None,
        )
    if found.refused is None:
        _require_partable(found.rows, Header(found.header, reading.layout))
    with database.read() as db:
        values = opening.decided(db, file, reading, found)
    shown = {name: _plain(value) for name, value in values.items()}
    return {"file": shown | {"size_bytes": found.size_bytes}, "errors": [], "points": {}, "broken": []}


def cut(database: Database, trial: Trial, partner: Partner, directory: Path, *, now: datetime) -> tuple[Spread, Work]:
    """Spread the rows of a checked file over the trial's parts."""
    figures = trial.found["file"]
    work = database.run(lambda db: _work(db, trial, partner, now))
    with objects.open_range(arrivals.inbox(), _key(trial)) as source:
        how = work.reading.layout.spec.format
        content, _ = content_of(Measured(source), how, expanded_bytes_max=settings().expanded_bytes_max)
        found = records(content, how)
        next(found)
        lines = applying.lines_of(islice(found, figures["rows_total"]), work, 1)
        return parting.spread(lines, work, directory, parts=trial.parts or 1), work


def try_part(
    db: Connection, trial: Trial, partner: Partner, work: Work, rows: Sequence[Stored], *, now: datetime
) -> dict[str, Any]:
    """Apply the rows of one part, take it all back, and add what they came to to the trial's figures."""
    figures = trial.found
    if not rows:
        return figures
    savepoint = db.begin_nested()
    try:
        file = _part_of(db, trial, partner, rows, now)
        for lines in trying.batches(iter(parting.lines(rows, work))):
            file = trying.moved(db, file, applying.apply_lines(db, file, work, lines, now=now))
        gathering.gather_all(db, file, now=now)
        breaks = conserving.breaks(db, file)
        errors = [_error(row._mapping) for row in trying.refused(db, file)]  # noqa: SLF001 - SQLAlchemy's public name
        points = receipts.points_by_program(db, file) if file.entity == "accrual" else {}
    finally:
        savepoint.rollback()
    for name in SUMMED:
        figures["file"][name] = figures["file"].get(name, 0) + getattr(file, name)
    figures["errors"] = sorted([*figures["errors"], *errors], key=_row_no)[: trying.ERRORS_MAX]
    figures["broken"] = [*figures["broken"], *breaks][:5]
    for code, of in points.items():
        figures["points"][code] = _added(figures["points"].get(code), of)
    return figures


def finished(db: Connection, trial: Trial, figures: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """The figures of a file of which every part was tried: it would be processed, or broken, or is not even begun."""
    del db, trial, now  # nothing is kept
    if figures["file"]["state"] != "checked":
        return figures
    breaks = figures.pop("broken")
    state = {"state": "broken", "reason_code": "not_conserved", "reason": "; ".join(breaks)[:500]}
    return figures | {"file": figures["file"] | (state if breaks else {"state": "processed"})}


def forget(trial: Trial) -> None:
    """Delete the content of a trial that is over. Raises Unavailable."""
    objects.delete(arrivals.inbox(), _key(trial))


def warnings_of(file: Mapping[str, Any]) -> list[str]:
    """Sentences for the sender about what does not stop the file."""
    texts: list[str] = json.loads(file["warnings"])
    return texts


def file_of(trial: Trial, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the file as it would stand."""
    file = dict(figures["file"])
    for name in ("sha256", "duplicate_of"):
        file[name] = None if file.get(name) is None else bytes.fromhex(file[name])
    return file | {"name": trial.name}


def _looked_at(db: Connection, trial: Trial, partner: Partner, now: datetime) -> tuple[InboundFile, layouts.Reading]:
    """The file as its arrival would be registered, and how it is read; nothing is kept."""
    savepoint = db.begin_nested()
    try:
        file = _registered(db, trial, partner, now)
        return file, layouts.reading_of(db, file, partner)
    finally:
        savepoint.rollback()


def _work(db: Connection, trial: Trial, partner: Partner, now: datetime) -> Work:
    savepoint = db.begin_nested()
    try:
        file = trying.moved(db, _registered(db, trial, partner, now), _checked(trial))
        return applying.work_of(db, file, partner)
    finally:
        savepoint.rollback()


def _part_of(db: Connection, trial: Trial, partner: Partner, rows: Sequence[Stored], now: datetime) -> InboundFile:
    """A file of the rows of one part."""
    own = {
        "rows_total": len(rows),
        "control_in": sum(row.amount or 0 for row in rows),
        "control_unreadable": sum(row.amount is None for row in rows),
    }
    return trying.moved(db, _registered(db, trial, partner, now), _checked(trial) | own)


def _registered(db: Connection, trial: Trial, partner: Partner, now: datetime) -> InboundFile:
    version = rulesets.version(db, trial.layout_version_id)
    live = version, layouts.of_version(version)
    key = f"{partner.code}/{trial.layout_name}/{trial.name}"
    return trying.registered(db, partner, live, key, trial.size_bytes, now)


def _checked(trial: Trial) -> dict[str, Any]:
    file = file_of(trial, trial.found)
    names = ("sha256", "compressed", "header", "warnings", "state", "control_source", "next_offset")
    values = {name: file[name] for name in names}
    day = file["snapshot_date"]
    return values | {"snapshot_date": None if day is None else date.fromisoformat(day)}


def _require_partable(rows: int, header: Header) -> None:
    if rows > parting.ROWS_MAX:
        message = f"The file has {rows} rows; at most {parting.ROWS_MAX} are tried: try a part of it."
        raise Unprocessable(message, code="too_large_to_try")
    if header.is_of_rejects:
        message = f"Rejects that come back are tried up to {trying.ROWS_MAX} rows: by POST /v1/files/validate."
        raise Unprocessable(message, code="too_large_to_try")


def _added(known: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one program, summed."""
    if known is None:
        return dict(more)
    found: dict[str, Any] = {"program_code": more["program_code"]}
    for name in ("events", "corrections"):
        if name in known or name in more:
            found[name] = known.get(name, 0) + more.get(name, 0)
    for name in ("points_in", "points_posted", "points_corrected"):
        if name in known or name in more:
            # Texts of one program have its decimals, which a sum keeps.
            found[name] = str(Decimal(known.get(name, "0")) + Decimal(more.get(name, "0")))
    versions = {*known["ruleset_versions"], *more["ruleset_versions"]}
    return found | {"ruleset_versions": sorted(versions)}


def _error(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "row_no": row["row_no"],
        "code": row["code"],
        "column": row["column_name"],
        "message": row["message"],
        "fixable": bool(row["fixable"]),
    }


def _row_no(error: Mapping[str, Any]) -> int:
    number: int = error["row_no"]
    return number


def _plain(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else value


def _key(trial: Trial) -> str:
    assert trial.object_key is not None  # noqa: S101 - every trial of a file that was not sent has one
    return trial.object_key
