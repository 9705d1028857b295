"""Allowance plans (I3): what each kind of employee is allowed in a plan year, as grant rules look it up.

A plan's figures are entries of code tables of the program, one table a figure: ``<partner>.<program>-allowance`` has
the points, ``-cap``, ``-carryover``, ``-grace-days`` and ``-first-order-bonus`` the others. An entry's code is the job
code, followed by ``/`` and the grade where the plan names one. So a plan changes what rules decide only as their tables
may be changed: where rules need approval, not by a file, once a rule looks the figure up. The plan itself is kept
beside it, as the row said it. A figure that a plan leaves empty stays as its table has it. A plan is taken back with
its file: its entries first (``rules.code_table_restoring``), then the plan itself.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypedDict

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.language.rounding import plain
from chalicelib.partners.directory import Partner
from chalicelib.partners.house import words
from chalicelib.partners.house.words import Word
from chalicelib.partners.models.house import allowance_plan as table
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.rules import code_table_editing
from chalicelib.rules.code_table_editing import EntryOverlaps, OfFile, Wanted, Way
from chalicelib.web import amounts

#: The figures of a plan, and what comes after the program's code in the name of the table of each.
FIGURES: Final[Mapping[str, str]] = {
    "points": "allowance",
    "cap": "cap",
    "carryover_pct": "carryover",
    "grace_days": "grace-days",
    "first_order_bonus": "first-order-bonus",
}
#: Figures in the unit of the program.
_IN_UNITS: Final = ("points", "cap", "first_order_bonus")
_KEY: Final = ("program_id", "plan_year", "job_code", "grade")
_CHARACTERS_MAX: Final = 40
_AMOUNT_MAX: Final = Decimal(10) ** 12
_PERCENT_MAX: Final = 100
_DAYS_MAX: Final = 366


class PlanRow(TypedDict):
    """One plan, typed (layout I3). ``points``, ``cap`` and ``first_order_bonus`` are in the program's unit."""

    program_code: str
    plan_year: Decimal
    job_code: str
    grade: str | None
    points: Decimal
    cap: Decimal | None
    carryover_pct: Decimal | None
    grace_days: Decimal | None
    first_order_bonus: Decimal | None
    valid_from: date
    valid_to: date


class _Batch(NamedTuple):
    partner: Partner
    caller: Caller
    now: datetime


def record(
    db: Connection,
    partner: Partner,
    rows: Sequence[PlanRow],
    *,
    sources: Sequence[RowSource],
    caller: Caller,
    now: datetime,
) -> list[Told]:
    """Take over plans of the partner's own programs, in order; one outcome each.

    Another plan for the same year, job and grade corrects the earlier one. A row that a table refuses changes nothing.
    Raises nothing for bad rows.
    """
    of_partner = programs.of_partner(db, partner.id)
    batch = _Batch(partner, caller, now)
    told: list[Told] = []
    for row, source in zip(rows, sources, strict=True):
        program = of_partner.get(row["program_code"])
        wrong = _unusable(row, program)
        if wrong is not None or program is None:
            told.append(wrong or refused("unknown_program", "program_code", _NO_PROGRAM))
        else:
            told.append(_taken_over(db, batch, program, row, source))
    return told


_NO_PROGRAM: Final = "The partner has no program of this code."


def _taken_over(db: Connection, batch: _Batch, program: Program, row: PlanRow, source: RowSource) -> Told:
    savepoint = db.begin_nested()
    word = Word(
        (program.id, int(row["plan_year"]), row["job_code"], row["grade"] or ""),
        _content(row),
        also={"partner_id": program.partner_id},
    )
    told = words.add(db, table, _KEY, {0: word}, sources=[source], caller=batch.caller, now=batch.now)[0]
    if told.outcome == "accepted":
        refusal = _entered(db, batch, program, row, source)
        if refusal is not None:
            savepoint.rollback()
            return refusal
    savepoint.commit()
    return told


def withdraw(db: Connection, file_id: bytes, *, but: Collection[int]) -> int:
    """Let the plans of a file not hold any more, those of rows ``but`` excepted; how many there were.

    What was said before of the same year, job and grade holds again; a plan may come anew.
    """
    said = select(table.c.id, table.c.row_no).where(table.c.source_file_id == file_id, table.c.version >= 0)
    ids = [row.id for row in db.execute(said) if row.row_no not in but]
    words.withdraw(db, table, ids)
    return len(ids)


def _entered(db: Connection, batch: _Batch, program: Program, row: PlanRow, source: RowSource) -> Told | None:
    """Put each figure of the plan into its table; what refuses it, or None."""
    of_file = None
    if source.file_id is not None and source.row_no is not None:
        of_file = OfFile(source.file_id, source.row_no, batch.partner.id)
    fields: Mapping[str, Any] = row
    for name, figure in FIGURES.items():
        if fields[name] is None:
            continue
        code = f"{batch.partner.code}.{program.code}-{figure}"
        wanted = Wanted(
            row["job_code"] if row["grade"] is None else f"{row['job_code']}/{row['grade']}",
            _written(fields[name], program.scale if name in _IN_UNITS else None),
            row["valid_from"],
            row["valid_to"],
            f"Plan year {row['plan_year']}",
        )
        try:
            code_table_editing.put(
                db,
                code,
                wanted,
                way=Way.FIT,
                partner_id=batch.partner.id,
                of_file=of_file,
                caller=batch.caller,
                now=batch.now,
            )
        except NotFound:
            return refused("unknown_code_table", name, f"The partner has no code table {code} to keep this in.")
        except (EntryOverlaps, NotPermitted, Unprocessable) as error:
            return refused(error.code, name, error.message)
    return None


def _written(figure: Decimal, scale: int | None) -> str:
    """The figure as its table has it: what is in the program's unit with all of its decimals."""
    return plain(figure) if scale is None else amounts.text(amounts.minor(figure, scale), scale)


def _unusable(row: PlanRow, program: Program | None) -> Told | None:
    """Why the plan cannot be taken over, whatever the tables say."""
    if program is None:
        return refused("unknown_program", "program_code", _NO_PROGRAM)
    wrong = unusable("job_code", row["job_code"], _CHARACTERS_MAX)
    if wrong is None and row["grade"] is not None:
        wrong = unusable("grade", row["grade"], _CHARACTERS_MAX)
    if wrong is not None:
        return wrong
    if row["valid_to"] < row["valid_from"]:
        return refused("ends_before_it_starts", "valid_to", "The plan ends before it starts.")
    if not row["valid_from"].year <= row["plan_year"] <= row["valid_to"].year:
        return refused("date_out_of_range", "plan_year", "The plan year is the year of its first or its last day.")
    return _out_of_range(row, program)


def _out_of_range(row: PlanRow, program: Program) -> Told | None:
    bounds = dict.fromkeys(_IN_UNITS, _AMOUNT_MAX) | {
        "carryover_pct": Decimal(_PERCENT_MAX),
        "grace_days": Decimal(_DAYS_MAX),
    }
    fields: Mapping[str, Any] = row
    for name, most in bounds.items():
        figure = fields[name]
        if figure is None:
            continue
        if not 0 <= figure <= most:
            return refused("amount_out_of_range", name, f"The figure is from 0 to {plain(most)}.")
        if name in _IN_UNITS:
            try:
                amounts.minor(figure, program.scale)
            except InvalidInput as error:
                return refused(error.code, name, error.message)
    return None


def _content(row: PlanRow) -> dict[str, object]:
    fields: Mapping[str, Any] = row
    said = {name: None if fields[name] is None else plain(fields[name]) for name in FIGURES}
    return {**said, "valid_from": row["valid_from"].isoformat(), "valid_to": row["valid_to"].isoformat()}
