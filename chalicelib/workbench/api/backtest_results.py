"""/v1/backtests/{backtest_id}: what a back-test found, in points: by program, unit, member and record."""

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.files.formats.marking import harmless
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts, pages
from chalicelib.web.amounts import AmountText
from chalicelib.web.answers import Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import BacktestId
from chalicelib.web.shapes import PublicId, View
from chalicelib.workbench import showing
from chalicelib.workbench.api.backtests import BacktestView, readable, view_of
from chalicelib.workbench.backtests import Backtest
from chalicelib.workbench.showing import Difference, MovedEvent, MovedMember, ProgramResult, Record, Result

blueprint = Blueprint(__name__)

#: Rows of one CSV: an answer of a Lambda function holds some six megabytes.
CSV_ROWS_MAX = 40_000


class SumView(View):
    """Points that stand, that the version would give, and the second less the first."""

    unit: str
    points_then: AmountText
    points_now: AmountText
    difference: AmountText


class ChangesView(View):
    """How many events changed how; each is in exactly one of them.

    ``accepted``: rows of the files that were rejected and would not be.
    """

    unchanged: int
    more: int
    less: int = Field(description="Less, but something.")
    without_points: int
    refused: int
    accepted: int


class ProgramSumView(SumView):
    """One program."""

    program_id: PublicId
    program_code: str
    events: int
    members: int
    members_changed: int
    changes: ChangesView


class DecidedByView(View):
    """A version that decided some of the events when they came."""

    ruleset: str
    version: int
    version_id: PublicId
    events: int


class ReasonView(View):
    """Why records are refused now (``refused``), or were refused then (``accepted``), and how many."""

    change: Literal["refused", "accepted"]
    reason: str = Field(description="Code, and the field where there is one.")
    records: int


class MovedEventView(View):
    """One event that moves, with the explanation of both versions where there is one."""

    program_code: str
    unit: str
    event_id: str
    event_date: date
    accrual_id: PublicId | None = Field(description="Null: a row that was rejected.")
    file_id: PublicId | None
    row_no: int | None
    points_then: AmountText
    points_now: AmountText
    difference: AmountText
    refused_because: str | None = Field(description="Why the version refuses it; null: it does not.")
    trace_then: dict[str, Any] | None
    trace_now: dict[str, Any] | None


class MovedMemberView(SumView):
    """One member in one program, and the event that moves most."""

    member_id: PublicId
    employee_id: str
    program_code: str
    events: int
    changed: int
    biggest: MovedEventView | None


class BacktestResultView(BacktestView):
    """One back-test with what it found so far; the movers are there once it is done."""

    units: list[SumView]
    programs: list[ProgramSumView]
    decided_by: list[DecidedByView]
    reasons: list[ReasonView]
    members_moved: list[MovedMemberView] = Field(description="The biggest differences first.")
    events_moved: list[MovedEventView] = Field(description="The biggest differences first.")


class DifferenceView(SumView):
    """What the version changes for one member in one program."""

    member_id: PublicId
    employee_id: str
    program_code: str
    events: int
    changed: int


class RecordView(View):
    """One record that is refused now and was not, or the reverse."""

    change: Literal["refused", "accepted"]
    member_id: PublicId
    program_code: str
    event_id: str
    event_date: date
    accrual_id: PublicId | None
    file_id: PublicId | None
    row_no: int | None
    points_then: AmountText
    points_now: AmountText
    code: str | None = Field(description="Why it is refused now, or was then.")
    field: str | None
    message: str | None


class DifferenceQuery(PageQuery):
    """Which members, and in which form."""

    changed: bool = Field(default=False, description="Only those for whom something changes.")
    format: Literal["json", "csv"] = Field(
        "json", description=f"`csv`: all of them in one answer, up to {CSV_ROWS_MAX:,}."
    )


class BacktestRecordQuery(PageQuery):
    """Which records."""

    change: Literal["refused", "accepted"] | None = Field(
        None, description="Only events that the version refuses and were not refused, or the other way round."
    )


@endpoint(blueprint, "GET /v1/backtests/{backtest_id}", scope=Scope.RULES_READ, raises=[NotFound, NotPermitted])
def get_backtest(call: Call, backtest_id: BacktestId) -> BacktestResultView:
    """Show how far a back-test is and what it found: sums by program and unit, reasons, movers with both traces."""
    asked = _with_records(call, backtest_id)
    found = showing.result(call.db, asked)
    return BacktestResultView(**view_of(call.db, asked).model_dump(), **_result(found))


@endpoint(
    blueprint,
    "GET /v1/backtests/{backtest_id}/members",
    scope=Scope.RULES_READ,
    raises=[NotFound, NotPermitted, InvalidInput, Unprocessable],
)
def list_backtest_members(
    call: Call, backtest_id: BacktestId, query: DifferenceQuery
) -> Page[DifferenceView] | Attachment:
    """List what the version changes for each member, as pages or as one CSV."""
    asked = _with_records(call, backtest_id)
    after = pages.after_id(call, query)
    if query.format == "csv":
        rows = showing.members_of(call.db, asked, changed=query.changed, after=after, limit=CSV_ROWS_MAX + 1)
        if len(rows) > CSV_ROWS_MAX:
            raise Unprocessable(
                f"There are more than {CSV_ROWS_MAX:,} members: ask for `changed=true`, or for pages.",
                code="too_many_rows",
            )
        return Attachment(_csv(rows), "text/csv", f"{asked.public_id}.csv")
    rows = showing.members_of(call.db, asked, changed=query.changed, after=after, limit=query.limit + 1)
    return pages.page(call, query, rows, view=_difference, position=lambda row: (row.account_id,))


@endpoint(
    blueprint,
    "GET /v1/backtests/{backtest_id}/records",
    scope=Scope.RULES_READ,
    raises=[NotFound, NotPermitted, InvalidInput],
)
def list_backtest_records(call: Call, backtest_id: BacktestId, query: BacktestRecordQuery) -> Page[RecordView]:
    """List the records that the version refuses and that were accepted, and the reverse; the first 10,000 are kept."""
    asked = _with_records(call, backtest_id)
    rows = showing.records_of(
        call.db, asked, kind=query.change, after=pages.after_seq(call, query), limit=query.limit + 1
    )
    return pages.page(call, query, rows, view=_record, position=lambda row: (row.number,))


def _with_records(call: Call, backtest_id: str) -> Backtest:
    """A back-test that the caller may see with what it says of members. Raises NotFound and NotPermitted."""
    if Scope.ACCRUALS_READ not in call.principal.scopes:
        raise NotPermitted(
            f"What a back-test found is of records: it needs the scope {Scope.ACCRUALS_READ}.", code="scope_missing"
        )
    return readable(call, backtest_id)


def _result(found: Result | None) -> dict[str, Any]:
    if found is None:
        return {name: [] for name in ("units", "programs", "decided_by", "reasons", "members_moved", "events_moved")}
    return {
        "units": _units(found),
        "programs": [_program(each) for each in found.programs],
        "decided_by": [
            DecidedByView(
                ruleset=version.ruleset_code,
                version=version.number,
                version_id=public_id("rsv", version.version_id),
                events=events,
            )
            for version, events in found.versions
        ],
        "reasons": [
            ReasonView(change=change, reason=reason, records=records)
            for change, reasons in found.reasons.items()
            for reason, records in reasons.items()
        ],
        "members_moved": [_moved_member(each) for each in found.members],
        "events_moved": [
            _moved_event(moved, program.code, program.unit, program.scale) for moved, program in found.events
        ],
    }


def _units(found: Result) -> list[SumView]:
    """The programs' sums by unit, at the finest scale that a program of the unit has."""
    scales: dict[str, int] = {}
    for each in found.programs:
        scales[each.program.unit] = max(scales.get(each.program.unit, 0), each.program.scale)
    return [
        _sum(
            unit,
            scale,
            *(
                sum(getattr(each, name) * 10 ** (scale - each.program.scale)
                    for each in found.programs if each.program.unit == unit)
                for name in ("then_minor", "now_minor")
            ),
        )
        for unit, scale in sorted(scales.items())
    ]  # fmt: skip


def _sums(unit: str, scale: int, then_minor: int, now_minor: int) -> dict[str, str]:
    return {
        "unit": unit,
        "points_then": amounts.text(then_minor, scale),
        "points_now": amounts.text(now_minor, scale),
        "difference": amounts.text(now_minor - then_minor, scale),
    }


def _sum(unit: str, scale: int, then_minor: int, now_minor: int) -> SumView:
    return SumView(**_sums(unit, scale, then_minor, now_minor))


def _program(each: ProgramResult) -> ProgramSumView:
    return ProgramSumView(
        **_sums(each.program.unit, each.program.scale, each.then_minor, each.now_minor),
        program_id=public_id("prg", each.program.id),
        program_code=each.program.code,
        events=each.events,
        members=each.members,
        members_changed=each.members_changed,
        changes=ChangesView.model_validate(each.changes),
    )


def _moved_member(each: MovedMember) -> MovedMemberView:
    program = each.program
    return MovedMemberView(
        **_sums(program.unit, program.scale, each.then_minor, each.now_minor),
        member_id=public_id("mbr", each.member_id),
        employee_id=each.employee_id,
        program_code=program.code,
        events=each.events,
        changed=each.changed,
        biggest=None if each.event is None else _moved_event(each.event, program.code, program.unit, program.scale),
    )


def _moved_event(moved: MovedEvent, program_code: str, unit: str, scale: int) -> MovedEventView:
    return MovedEventView(
        program_code=program_code,
        **_sums(unit, scale, moved.then_minor, moved.now_minor),
        event_id=moved.event_id,
        event_date=moved.event_date,
        accrual_id=_public("acr", moved.accrual_id),
        file_id=_public("fil", moved.file_id),
        row_no=moved.row_no,
        refused_because=None if moved.refusal is None else moved.refusal["message"],
        trace_then=_plain(moved.trace_then),
        trace_now=_plain(moved.trace_now),
    )


def _difference(row: Difference) -> DifferenceView:
    return DifferenceView(
        **_sums(row.unit, row.scale, row.then_minor, row.now_minor),
        member_id=public_id("mbr", row.member_id),
        employee_id=row.employee_id,
        program_code=row.program_code,
        events=row.events,
        changed=row.changed,
    )


def _record(row: Record) -> RecordView:
    return RecordView(
        change=row.kind,
        member_id=public_id("mbr", row.member_id),
        program_code=row.program_code,
        event_id=row.event_id,
        event_date=row.event_date,
        accrual_id=_public("acr", row.accrual_id),
        file_id=_public("fil", row.file_id),
        row_no=row.row_no,
        points_then=amounts.text(row.then_minor, row.scale),
        points_now=amounts.text(row.now_minor, row.scale),
        code=row.code,
        field=row.field,
        message=row.message,
    )


def _csv(rows: list[Difference]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(("employee_id", "program", "unit", "events", "changed", "points_then", "points_now", "difference"))
    for row in rows:
        sums = _sums(row.unit, row.scale, row.then_minor, row.now_minor)
        table.writerow(
            (
                harmless(row.employee_id),
                row.program_code,
                row.unit,
                row.events,
                row.changed,
                sums["points_then"],
                sums["points_now"],
                sums["difference"],
            )
        )
    return text.getvalue()


def _public(prefix: str, raw: bytes | None) -> str | None:
    return None if raw is None else public_id(prefix, raw)


def _plain(trace: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if trace is None else dict(trace)
