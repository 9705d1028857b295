"""O6, the receipt: the answer to every file, as one JSON object for its sender."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from chalicelib.files.formats.controls import shown_sum
from chalicelib.files.models.files import file_row
from chalicelib.files.register import rollbacks
from chalicelib.files.register.register import InboundFile, load, numbered
from chalicelib.files.register.rollbacks import Rollback
from chalicelib.files.rows import handlers
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import accrual_event, reversal, transfer
from chalicelib.rules import code_table_rows, rulesets
from chalicelib.settings import settings
from chalicelib.storage import objects
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts

#: S3 keys have 1024 bytes; this many leave room for what is added to a name here.
_OBJECT_KEY_BYTES_MAX = 1000
_FOLDER_LENGTH_MAX = 200
#: States in which rows were applied.
_APPLIED = frozenset({"processed", "broken", "rolling_back", "rolled_back"})


def bucket() -> str:
    """The bucket that senders read from."""
    return settings().bucket("hub-out")


def key_of(file: InboundFile) -> str:
    """``receipt_<file>.json`` in the folder of the object; a later file of the same name has its number in it."""
    folder, name = _place(file)
    return f"{folder}receipt_{name}.json"


def rejects_key_of(file: InboundFile) -> str:
    """``rejects_<file>`` in the folder of the object, with ``.txt`` after a name that does not end in ``.csv``.

    So no two files share one, and none seems to be compressed.
    """
    folder, name = _place(file)
    return f"{folder}rejects_{name}" if name.lower().endswith(".csv") else f"{folder}rejects_{name}.txt"


def _place(file: InboundFile) -> tuple[str, str]:
    """The object's own folder with its slash, and its numbered name; a hash stands for a key too long to add to."""
    folder, slash, name = file.object_key.rpartition("/")
    if len(file.object_key.encode()) > _OBJECT_KEY_BYTES_MAX:
        folder, name = file.place[:_FOLDER_LENGTH_MAX], file.key_hash.hex()
    return folder + slash, numbered(name, file.arrival_no)


def write(db: Connection, file: InboundFile, *, rejects_key: str | None) -> None:
    """Put the receipt of a file into the outbox bucket; again writes the same. Raises Unavailable."""
    text = json.dumps(build(db, file, rejects_key=rejects_key), ensure_ascii=False, indent=2)
    objects.put(bucket(), key_of(file), text.encode() + b"\n", content_type="application/json")


def build(db: Connection, file: InboundFile, *, rejects_key: str | None) -> dict[str, Any]:
    """The receipt. Sums are decimal strings; times and ids are the only values that another run would change."""
    receipt: dict[str, Any] = {
        "file_name": file.name,
        "object_key": file.object_key,
        "sha256": file.sha256.hex() if file.sha256 is not None else None,
        "layout": file.layout_name,
        "layout_version": layout_version(db, file),
        "received_at": _text(file.arrived_at),
        "run_id": file.public_id,
        "revision": max(1, file.receipt_revision),
        "status": file.state,
        "reason_code": file.reason_code,
        "reason": file.reason,
        "duplicate_of": None if file.duplicate_of is None else public_id("fil", file.duplicate_of),
        "warnings": json.loads(file.warnings or "[]"),
    }
    if file.duplicate_of is not None:
        receipt["duplicate_of_file"] = load(db, file.duplicate_of).shown_name
    if file.state in _APPLIED and file.rows_total is not None:
        receipt |= _figures(file)
        receipt["control_corrected"] = shown_sum(corrected_sum(db, file))
        receipt |= _effect(db, file)
    run = rollbacks.of_file(db, file.id)
    if run is not None:
        receipt["rolled_back"] = rolled_back(db, run)
    receipt["rejects"] = rejects_key
    return receipt


def rolled_back(db: Connection, run: Rollback) -> dict[str, Any]:
    """What the latest run that takes the file back came to, or has come to so far."""
    known = programs.by_ids(db, set(run.sums))
    return {
        "reason": run.reason,
        "requested_at": _text(run.requested_at),
        "finished_at": None if run.finished_at is None else _text(run.finished_at),
        "records": run.undone,
        "left": run.left_over,
        "programs": [
            {
                "program_code": known[program_id].code,
                **{
                    name.removesuffix("_minor"): amounts.text(value, known[program_id].scale)
                    for name, value in asdict(sums).items()
                    if name.endswith("_minor")
                },
            }
            for program_id, sums in sorted(run.sums.items(), key=lambda item: known[item[0]].code)
        ],
    }


def layout_version(db: Connection, file: InboundFile) -> str | None:
    """By which layout the file is read: ruleset code and version number."""
    if file.layout_version_id is None:
        return None
    version = rulesets.version(db, file.layout_version_id)
    return f"{version.ruleset_code}/{version.number}"


def _figures(file: InboundFile) -> dict[str, Any]:
    applied = file.control_accepted
    return {
        "rows_total": file.rows_total,
        "rows_accepted": file.rows_accepted,
        "rows_rejected": file.rows_rejected,
        "rows_duplicate": file.rows_duplicate,
        "rows_ignored": file.rows_ignored,
        "control_source": file.control_source,
        "control_in": shown_sum(file.control_in),
        "control_applied": shown_sum(applied),
        "control_rejected": shown_sum(file.control_rejected),
        "control_duplicate": shown_sum(file.control_duplicate),
        "control_ignored": shown_sum(file.control_ignored),
        "control_unreadable": file.control_unreadable,
    }


def corrected_sum(db: Connection, file: InboundFile) -> int:
    """By how much the accepted rows came to more than the file says of them, because they were corrected."""
    columns = file_row.c
    found = db.execute(
        select(func.sum(columns.control_fixed_minor - columns.control_minor)).where(
            columns.file_id == file.id, columns.outcome == "accepted", columns.control_fixed_minor.is_not(None)
        )
    ).scalar()
    return int(found or 0)


def _effect(db: Connection, file: InboundFile) -> dict[str, Any]:
    """What the accepted rows came to."""
    if file.entity == "accrual":
        return _points(db, file)
    if file.entity == "code_table":
        return {"code_tables": code_table_rows.by_table(db, file.id)}
    handler = handlers.of(file.entity)
    if handler is not None:
        further = handler.also(db, file.id) if handler.also is not None else {}
        return {handler.told: handler.rows(db, file), **further}
    return {"members_absent": file.rows_absent}


def _points(db: Connection, file: InboundFile) -> dict[str, Any]:
    """Points by program, since each has its own unit; the flat figures of O6 when there is only one."""
    by_program = list(points_by_program(db, file).values())
    only = by_program[0] if len(by_program) == 1 else None
    return {
        "points_in": only["points_in"] if only else None,
        "points_posted": only["points_posted"] if only else None,
        "ruleset_version": only["ruleset_versions"][0] if only and len(only["ruleset_versions"]) == 1 else None,
        "programs": by_program,
    }


def points_by_program(db: Connection, file: InboundFile) -> Mapping[str, dict[str, Any]]:
    """Program code -> events, points of the events, points posted, and the versions that decided them.

    Where rows corrected earlier events, also how many did, and how many points that took back.
    """
    columns = accrual_event.c
    earned = db.execute(
        select(
            columns.program_id,
            columns.ruleset_version_id,
            func.count().label("events"),
            func.sum(columns.points_minor).label("points"),
        )
        # Below zero: recorded anew when the file was processed again.
        .where(columns.source_file_id == file.id, columns.generation >= 0)
        .group_by(columns.program_id, columns.ruleset_version_id)
    ).all()
    posted = {
        row.program_id: int(row.points)
        for row in db.execute(
            select(columns.program_id, func.sum(transfer.c.amount_minor).label("points"))
            .join_from(accrual_event, transfer, transfer.c.source_id == columns.id)
            .where(columns.source_file_id == file.id, columns.generation >= 0, transfer.c.kind == "accrual")
            .group_by(columns.program_id)
        )
    }
    corrected = {
        row.program_id: (row.corrections, int(row.points))
        for row in db.execute(
            select(
                reversal.c.program_id,
                func.count().label("corrections"),
                func.sum(reversal.c.amount_minor).label("points"),
            )
            .where(reversal.c.source_file_id == file.id, reversal.c.cause == "correction")
            .group_by(reversal.c.program_id)
        )
    }
    known = programs.by_ids(db, {row.program_id for row in earned} | corrected.keys())
    found: dict[str, dict[str, Any]] = {}
    totals: dict[bytes, tuple[int, int, list[str]]] = {program_id: (0, 0, []) for program_id in corrected}
    for row in earned:
        events, points, versions = totals.get(row.program_id, (0, 0, []))
        version = rulesets.version(db, row.ruleset_version_id)
        shown = f"{version.ruleset_code}/{version.number}"
        totals[row.program_id] = (events + row.events, points + int(row.points), sorted([*versions, shown]))
    for program_id, (events, points, versions) in sorted(totals.items(), key=lambda item: known[item[0]].code):
        program = known[program_id]
        found[program.code] = {
            "program_code": program.code,
            "events": events,
            "points_in": amounts.text(points, program.scale),
            "points_posted": amounts.text(posted.get(program_id, 0), program.scale),
            "ruleset_versions": versions,
        }
        if program_id in corrected:
            number, taken = corrected[program_id]
            found[program.code] |= {"corrections": number, "points_corrected": amounts.text(taken, program.scale)}
    return found


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
