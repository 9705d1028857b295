"""Back-tests as they are asked for and looked up: what is to be run again under which version, and how far it is."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput, NotFound, Unprocessable
from chalicelib.files.register import register
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules import approvals, canonical, gates
from chalicelib.rules.models import ruleset
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import new_id, public_id
from chalicelib.workbench.models import backtest, backtest_row

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
#: States in which there is still something to do.
OPEN: Final = ("queued", "running")
#: Files of one back-test.
FILES_MAX: Final = 100
_COLUMNS = backtest.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which past events: of these programs, and brought by these files, and dated within these days (inclusive).

    No files: however they came. At least files or a first day are given.
    """

    program_ids: tuple[bytes, ...]
    file_ids: tuple[bytes, ...] = ()
    first_day: date | None = None
    last_day: date | None = None

    def text(self) -> str:
        """The one JSON text of the selection."""
        return canonical.text(
            {
                "program_ids": [one.hex() for one in self.program_ids],
                "file_ids": [one.hex() for one in self.file_ids],
                "first_day": None if self.first_day is None else self.first_day.isoformat(),
                "last_day": None if self.last_day is None else self.last_day.isoformat(),
            }
        )

    @classmethod
    def of(cls, text: str) -> "Selection":
        """What ``text`` wrote."""
        said = json.loads(text)
        return cls(
            program_ids=tuple(map(bytes.fromhex, said["program_ids"])),
            file_ids=tuple(map(bytes.fromhex, said["file_ids"])),
            first_day=None if said["first_day"] is None else date.fromisoformat(said["first_day"]),
            last_day=None if said["last_day"] is None else date.fromisoformat(said["last_day"]),
        )


@dataclass(frozen=True, slots=True)
class Backtest:
    """One back-test; each field is the column of that name (``models.backtest`` says what it means)."""

    id: bytes
    partner_id: bytes
    ruleset_id: bytes
    version_id: bytes
    content_hash: bytes
    tables_hash: bytes
    tests_hash: bytes
    bound_to: bytes | None
    selection: str
    state: State
    reason_code: str | None
    reason: str | None
    seq_max: int
    stage: str
    slice_no: int
    checkpoint: bytes | None
    checkpoint_file: bytes | None
    checkpoint_row: int | None
    first_day: date | None
    last_day: date | None
    events_total: int | None
    events_done: int
    summary: str | None
    data_hash: bytes | None
    result_hash: bytes | None
    lease_until: datetime | None
    attempts: int
    created_by: str
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    changed_at: datetime

    @property
    def public_id(self) -> str:
        """The back-test as callers name it."""
        return public_id("bkt", self.id)

    @property
    def selected(self) -> Selection:
        """Which events it runs again."""
        return Selection.of(self.selection)


def create(
    db: Connection,
    version: LiveVersion,
    partner_id: bytes,
    *,
    program_codes: Sequence[str] = (),
    file_ids: Sequence[bytes] = (),
    first_day: date | None = None,
    last_day: date | None = None,
    bound_to: bytes | None = None,
    caller: Caller,
    now: datetime,
) -> Backtest:
    """Ask for a back-test of a partner's past events under a version; nothing is run yet.

    Without codes: of the programs that the version's ruleset decides. ``bound_to``: the partner to which who asks is
    bound, None: to nobody; it says for whom the figures count (``evidence.of``). Raises NotFound for a file or program
    that the partner does not have; InvalidInput when nothing is selected or the days are in the wrong order, or the
    version does not compile any more; Unprocessable for a version that decides no accruals.
    """
    selection = _selection(
        db,
        version,
        partner_id,
        program_codes=program_codes,
        file_ids=file_ids,
        first_day=first_day,
        last_day=last_day,
    )
    backtest_id = new_id()
    db.execute(
        insert(backtest),
        {
            "id": backtest_id,
            "partner_id": partner_id,
            "ruleset_id": db.execute(select(ruleset.c.id).where(ruleset.c.code == version.ruleset_code)).scalar_one(),
            "version_id": version.version_id,
            "content_hash": version.content_hash,
            # What it is run with: code tables are read as known now, whenever it runs.
            "tables_hash": approvals.tables_hash(db, version),
            "tests_hash": gates.examine(db, version).tests_hash,
            "bound_to": bound_to,
            "selection": selection.text(),
            "state": "queued",
            "seq_max": db.execute(select(func.max(accrual_event.c.seq))).scalar() or 0,
            "stage": "counting",
            "slice_no": 0,
            "events_done": 0,
            "attempts": 0,
            "created_by": caller.actor,
            "correlation_id": caller.correlation_id,
            "created_at": now,
            "changed_at": now,
        },
    )
    audit.record(
        db,
        caller=caller,
        action="backtest.asked",
        subject=public_id("bkt", backtest_id),
        partner_id=partner_id,
        after={"ruleset": version.ruleset_code, "version": version.number, "content_hash": version.content_hash},
        now=now,
    )
    return load(db, backtest_id)


_BY_ID = select(backtest).where(_COLUMNS.id == bindparam("id"))


def load(db: Connection, backtest_id: bytes) -> Backtest:
    """One back-test. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": backtest_id}).first()
    if row is None:
        raise NotFound("There is no such back-test.")
    return _of(row)


def newest_first(
    db: Connection,
    *,
    partner_id: bytes | None,
    ruleset_code: str | None = None,
    state: State | None = None,
    before: bytes | None,
    limit: int,
) -> list[Backtest]:
    """Up to ``limit`` back-tests, the latest first, asked for before the one with the id ``before``."""
    conditions: list[ColumnElement[bool]] = []
    if partner_id is not None:
        conditions.append(_COLUMNS.partner_id == partner_id)
    if ruleset_code is not None:
        of_code = select(ruleset.c.id).where(ruleset.c.code == ruleset_code)
        conditions.append(_COLUMNS.ruleset_id.in_(of_code))
    if state is not None:
        conditions.append(_COLUMNS.state == state)
    if before is not None:
        conditions.append(_COLUMNS.id < before)
    query = select(backtest).where(*conditions).order_by(_COLUMNS.id.desc()).limit(limit)
    return [_of(row) for row in db.execute(query)]


def cancel(db: Connection, asked: Backtest, *, caller: Caller, now: datetime) -> Backtest:
    """Stop a back-test; what it found so far stays. Raises Conflict when it has ended; cancelled twice is once."""
    stopped = db.execute(
        update(backtest)
        .where(_COLUMNS.id == asked.id, _COLUMNS.state.in_(OPEN))
        .values(state="cancelled", lease_until=None, finished_at=now, changed_at=now)
    ).rowcount
    found = load(db, asked.id)
    if not stopped:
        if found.state != "cancelled":
            raise Conflict(f"The back-test has ended: it is {found.state}.", code="backtest_ended")
        return found
    forget_rows(db, asked.id)
    audit.record(
        db,
        caller=caller,
        action="backtest.cancelled",
        subject=asked.public_id,
        partner_id=asked.partner_id,
        before={"state": asked.state},
        after={"state": "cancelled"},
        now=now,
    )
    return found


def _selection(
    db: Connection,
    version: LiveVersion,
    partner_id: bytes,
    *,
    program_codes: Sequence[str],
    file_ids: Sequence[bytes],
    first_day: date | None,
    last_day: date | None,
) -> Selection:
    """What ``create`` was asked for, once all of it is the partner's and can be run again."""
    if version.kind != "accrual":
        raise Unprocessable(
            f"{version.ruleset_code} decides no accruals: it is of kind {version.kind}.", code="decides_no_accruals"
        )
    if not file_ids and first_day is None:
        raise InvalidInput("Say which files, or from which day on.", code="nothing_selected")
    if first_day is not None and last_day is not None and last_day < first_day:
        raise InvalidInput("The last day is before the first.", code="days_in_wrong_order")
    if len(file_ids) > FILES_MAX:
        raise InvalidInput(f"At most {FILES_MAX} files at once.", code="too_many_files")
    for file_id in file_ids:
        file = register.load(db, file_id)
        if file.partner_id != partner_id:
            raise NotFound("There is no such file.")
        if file.entity != "accrual" or file.finished_at is None:
            raise Unprocessable(f"{file.shown_name} is no finished file of accruals.", code="file_not_usable")
    return Selection(
        program_ids=tuple(sorted(program.id for program in _programs(db, version, partner_id, program_codes))),
        file_ids=tuple(sorted(set(file_ids))),
        first_day=first_day,
        last_day=last_day,
    )


def forget_rows(db: Connection, backtest_id: bytes) -> None:
    """Delete the places of rejected rows, which nobody needs once a back-test has ended."""
    db.execute(delete(backtest_row).where(backtest_row.c.backtest_id == backtest_id))


def _programs(db: Connection, version: LiveVersion, partner_id: bytes, codes: Sequence[str]) -> list[Program]:
    of_partner = programs.of_partner(db, partner_id)
    for code in codes:
        if code not in of_partner:
            raise NotFound(f"The partner has no program {code!r}.")
    chosen = [
        program
        for program in of_partner.values()
        if (program.code in codes if codes else program.ruleset_code == version.ruleset_code)
    ]
    if not chosen:
        raise Unprocessable(
            f"No program of the partner is decided by {version.ruleset_code}: name the programs to try it on.",
            code="no_program",
        )
    return chosen


def _of(row: Row[Any]) -> Backtest:
    return Backtest(**row._mapping)  # noqa: SLF001 - the public name of a row's names and values
