"""/v1/schedules: what the hub does by the clock, when it last did, and doing it now."""

from datetime import date, datetime

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unavailable
from chalicelib.operations import schedules
from chalicelib.operations.schedules import Ended, Schedule
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import ScheduleName
from chalicelib.web.shapes import Body, Day, View

blueprint = Blueprint(__name__)


class ScheduleView(View):
    """One job. Times are UTC."""

    name: str
    when: str = Field(examples=["cron(0 2 * * ? *)"], description="As EventBridge writes it.")
    purpose: str
    by_hand: bool = Field(description="Whether it can be run now.")
    by_date: bool = Field(description="Whether it can be run for a business date.")
    dry_run: bool = Field(description="Whether it can say what it would do.")
    last_at: datetime | None = Field(description="When it last ended, also by hand; null: never.")
    last_ok: bool | None
    next_at: datetime | None = Field(
        description="When it is due next; at a rate, counted from when it last ended. Null: it never did."
    )
    drift_s: int | None = Field(
        description="Seconds from when it was last due to when it ended, or to now if it has not. Null: it never ran.",
        examples=[4],
    )


class SchedulesView(View):
    """Every job, in the order of the day."""

    schedules: list[ScheduleView]


class RunBody(Body):
    """How to run it."""

    business_date: Day | None = Field(None, description="Of jobs that have one; left out: the date that it is there.")
    dry_run: bool = Field(False, description="Only say what it would do.")


class RunView(View):
    """What was asked of the workers. `GET /v1/schedules` says when it has ended."""

    schedule: str
    business_date: date | None
    queued: bool
    would: list[str] | None = Field(description="Of a dry run: what it would do.")


@endpoint(blueprint, "GET /v1/schedules", scope=Scope.SCHEDULES_READ)
def list_schedules(call: Call) -> SchedulesView:
    """List what the hub does by the clock: when it last did, how late, and when it will again."""
    beats = schedules.latest(call.db)
    views = [_view(each, beats.get(each.name), call.now) for each in schedules.SCHEDULES.values()]
    return SchedulesView(schedules=views)


@endpoint(
    blueprint,
    "POST /v1/schedules/{schedule}/run",
    scope=Scope.SCHEDULES_RUN,
    status=202,
    idempotent="required",
    raises=[NotFound, InvalidInput, NotPermitted, Unavailable],
)
def run_schedule(call: Call, schedule: ScheduleName, body: RunBody) -> RunView:
    """Have a worker run a job now. It does what is due: running it again does nothing more."""
    if call.partner_scope is not None:
        raise NotPermitted("The hub's jobs are of all partners: a key of one partner cannot run them.")
    day = body.business_date
    if body.dry_run:
        would = list(schedules.preview(call.db, schedule, day, now=call.now))
        return RunView(schedule=schedule, business_date=day, queued=False, would=would)
    schedules.ask(call.db, schedule, day, caller=call.caller, now=call.now)
    return RunView(schedule=schedule, business_date=day, queued=True, would=None)


def _view(of: Schedule, ended: Ended | None, now: datetime) -> ScheduleView:
    timing = schedules.timing(of, ended, now=now)
    return ScheduleView(
        name=of.name,
        when=of.when,
        purpose=of.purpose,
        by_hand=of.run is not None,
        by_date=of.run_for is not None,
        dry_run=of.would is not None,
        last_at=None if ended is None else ended.latest.at,
        last_ok=None if ended is None else ended.latest.ok,
        next_at=timing.next_at,
        drift_s=timing.drift_s,
    )
