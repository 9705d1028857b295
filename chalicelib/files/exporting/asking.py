"""Asking for an export: which questions make sense, and under which key the same file is asked for again."""

from collections.abc import Iterator
from datetime import date, datetime

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput, Unprocessable
from chalicelib.files.exporting import jobs
from chalicelib.files.exporting.jobs import ExportFile, Parameters
from chalicelib.files.exporting.registry import Export, Mode
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs.programs import business_date
from chalicelib.points.finance.months import SETTLING

#: The longest period of one file, in days.
PERIOD_DAYS_MAX = 366
_PARTNERS_READ = 200


def ask(
    db: Connection,
    export: Export,
    partner: Partner | None,
    *,
    mode: Mode = "full",
    period: tuple[date, date] | None = None,
    reference: str | None = None,
    request_key: str | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[ExportFile, bool]:
    """The export that is asked for, and whether it is to be written now. ``partner`` None: of all, for the system.

    What has a period or a reference is written once for each, and anew only after a failure; other files once for each
    ``request_key``. Raises InvalidInput for a question that makes no sense, Unprocessable when the partner is not
    active.
    """
    _examine_receiver(export, partner)
    if mode == "delta" and not export.deltas:
        raise InvalidInput(f"{export.name} has no deltas: ask for it in full.", code="export_without_deltas")
    if export.has_reference != (reference is not None):
        raise InvalidInput(
            f"{export.name} is asked for {'with' if export.has_reference else 'without'} a reference: what it is about,"
            " such as a settlement's id.",
            code="export_reference",
        )
    today = now.date() if partner is None else business_date(now, partner)
    # What was posted within the period may be committed some minutes after its end, and is in no other file.
    over = today if partner is None else business_date(now - SETTLING, partner)
    _examine_period(export, period, over)
    if period is not None:
        request_key = f"{period[0]}..{period[1]}"
    elif reference is not None:
        request_key = reference
    wanted = Parameters(mode, today, period, reference)
    return jobs.request(db, export, partner, wanted, request_key=request_key, caller=caller, now=now)


def active_partners(db: Connection) -> Iterator[Partner]:
    """Every partner that is active, by code."""
    after: str | None = None
    while True:
        some = directory.search(db, status="active", after=after, limit=_PARTNERS_READ)
        yield from some
        if len(some) < _PARTNERS_READ:
            return
        after = some[-1].code


def _examine_receiver(export: Export, partner: Partner | None) -> None:
    if partner is None and export.system is None:
        raise InvalidInput(f"{export.name} goes to a partner: say to whom, by partner_code.", code="partner_missing")
    if partner is not None:
        if not export.partners:
            raise Unprocessable(f"{export.name} does not go to partners.", code="export_not_for_partners")
        directory.require_active(partner)


def _examine_period(export: Export, period: tuple[date, date] | None, open_on: date) -> None:
    if export.has_period != (period is not None):
        raise InvalidInput(
            f"{export.name} is asked for {'with' if export.has_period else 'without'} a first and a last day"
            " (period_start and period_end).",
            code="export_period",
        )
    if period is None:
        return
    first, last = period
    if last < first:
        raise InvalidInput(f"The last day, {last}, is before the first, {first}.", code="export_period")
    if (last - first).days >= PERIOD_DAYS_MAX:
        raise InvalidInput(
            f"{first} to {last} is longer than {PERIOD_DAYS_MAX} days: ask for shorter periods.", code="export_period"
        )
    if last >= open_on:
        raise Unprocessable(
            f"The period is not over: it ends with {last}. Ask {int(SETTLING.total_seconds() / 60)} minutes after it.",
            code="period_not_over",
        )
