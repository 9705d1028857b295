"""/v1/programs/{program_id}: what is owed to members, and how a plan year ends."""

from datetime import date, datetime
from typing import Final, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners.account_ids import HOUSE
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.api.ledger import DayToCome
from chalicelib.points.api.whose import program_of
from chalicelib.points.finance import liability
from chalicelib.points.finance.liability import Liability
from chalicelib.points.finance.worth import NoValue
from chalicelib.points.ledger import positions
from chalicelib.points.plan_years import closing
from chalicelib.points.plan_years.closes import Close, LaterYearClosed, NotClosed, PlanYearOpen, Totals
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import ProgramId
from chalicelib.web.shapes import Body, Day, Moment, PublicId, Query, View

blueprint = Blueprint(__name__)

#: Slices of a plan year that one request closes; the rest is left to the schedule.
_SLICES_MAX: Final = 5
#: Members that a trial looks at.
_TRIAL_MEMBERS_MAX: Final = 100_000


class BucketView(View):
    """What is left of points whose last day lies within the bucket, both ends included; null is open."""

    bucket: str = Field(
        description="`expired`: their last day is over, and that was not posted yet. `months_3`: within three months,"
        " and not within one. `never`: they have no last day. `owed`: what members owe, below zero."
    )
    since: date | None
    until: date | None
    points: AmountText
    value: AmountText | None


class LiabilityView(View):
    """What a program owed its members at a moment. The buckets add up to the whole."""

    program_id: PublicId
    program: str
    unit: str
    as_of: datetime = Field(description="What was posted before this moment is in it.")
    business_date: date = Field(description="The day of that moment in the program's time zone: of buckets and value.")
    currency: str | None = Field(description="Null: the program does not say what its points are worth.")
    points: AmountText
    value: AmountText | None
    buckets: list[BucketView]

    @classmethod
    def of(cls, program: Program, found: Liability) -> "LiabilityView":
        """The view of a program's liability."""

        def money(minor: int | None) -> str | None:
            return None if minor is None or found.worth is None else amounts.text(minor, found.worth.decimals)

        return cls(
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            as_of=found.before,
            business_date=found.day,
            currency=None if found.worth is None else found.worth.currency,
            points=amounts.text(found.points_minor, program.scale),
            value=money(found.value_minor),
            buckets=[
                BucketView(
                    bucket=each.span.name,
                    since=each.span.since,
                    until=each.span.until,
                    points=amounts.text(each.points_minor, program.scale),
                    value=money(each.value_minor),
                )
                for each in found.buckets
            ],
        )


class LiabilityQuery(Query):
    """As of when."""

    as_of: Day | None = Field(
        None, description="A day of the program's time zone, not a future one: at its end.", examples=["2026-10-31"]
    )
    before: Moment | None = Field(
        None,
        description="Instead of a day, a moment: what was posted before it. Left out both: now.",
        examples=["2026-10-31T12:00:00Z"],
    )


class PlanYearBody(Body):
    """Which plan year to close."""

    plan_year: int = Field(ge=2000, le=9000, description="The calendar year in which it begins.", examples=[2026])
    dry_run: bool = Field(default=False, description="Tell what would be carried and forfeited, and change nothing.")


class PlanYearView(View):
    """The end of a plan year, in the program's unit. before = carried + forfeited."""

    program_id: PublicId
    program: str
    unit: str
    plan_year: int
    state: Literal["trial", "running", "done"] = Field(
        description="`running`: not every member's year is closed yet; the hub goes on by itself."
    )
    complete: bool = Field(description="Whether the figures are of all members whose year is over by now.")
    members: int
    before: AmountText
    carried: AmountText
    held: AmountText = Field(description="Of what is carried: covered by holds.")
    forfeited: AmountText
    grants: int = Field(
        description="Members who were granted something for the new year. A trial does not foretell it."
    )
    granted: AmountText
    grants_refused: int
    closed_by: str | None
    created_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, program: Program, named: int, totals: Totals, *, close: Close | None, complete: bool) -> "PlanYearView":
        """The view of a close, or of a trial of one."""

        def points(minor: int) -> str:
            return amounts.text(minor, program.scale)

        return cls(
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            plan_year=named,
            state="trial" if close is None else "done" if close.done else "running",
            complete=complete,
            members=totals.members,
            before=points(totals.before_minor),
            carried=points(totals.carried_minor),
            held=points(totals.held_minor),
            forfeited=points(totals.forfeited_minor),
            grants=totals.grants,
            granted=points(totals.granted_minor),
            grants_refused=totals.grants_refused,
            closed_by=None if close is None else close.actor,
            created_at=None if close is None else close.created_at,
            finished_at=None if close is None else close.finished_at,
        )


@endpoint(
    blueprint,
    "GET /v1/programs/{program_id}/liability",
    scope=Scope.LEDGER_READ,
    raises=[NotFound, InvalidInput, DayToCome, NoValue],
)
def get_liability(call: Call, program_id: ProgramId, query: LiabilityQuery) -> LiabilityView:
    """Show what a program owes its members by when it expires, now or as of any past day or moment."""
    program = program_of(call, raw_id("prg", program_id))
    return LiabilityView.of(program, liability.of(call.db, program, before=_before(call, program, query)))


@endpoint(
    blueprint,
    "POST /v1/programs/{program_id}/plan-year",
    scope=Scope.PROGRAMS_ADMIN,
    status=201,
    idempotent=True,
    raises=[NotFound, NotClosed, PlanYearOpen, LaterYearClosed],
)
def close_plan_year(call: Call, program_id: ProgramId, body: PlanYearBody) -> Answer[PlanYearView]:
    """Close a plan year: carry over, forfeit the rest and begin the new year; once, so the same again answers 200."""
    program = program_of(call, raw_id("prg", program_id))
    if body.dry_run:
        totals, complete = closing.preview(
            call.db, program, body.plan_year, members_max=_TRIAL_MEMBERS_MAX, now=call.now
        )
        return Answer(200, PlanYearView.of(program, body.plan_year, totals, close=None, complete=complete))
    close, created = closing.begin(call.db, program, body.plan_year, caller=call.caller, now=call.now)
    for _ in range(0 if close.done else _SLICES_MAX):
        close = closing.run_slice(call.db, program, close.id, now=call.now)
        if close.checkpoint == HOUSE:
            break
    call.after_commit(lambda: wake(now=clock.now()))
    view = PlanYearView.of(program, body.plan_year, close.totals, close=close, complete=close.checkpoint == HOUSE)
    return Answer(201 if created else 200, view)


def _before(call: Call, program: Program, query: LiabilityQuery) -> datetime:
    """The moment before which everything counts. Raises DayToCome, InvalidInput."""
    if query.as_of is not None and query.before is not None:
        raise InvalidInput("Give a day or a moment, not both.", code="as_of_unclear")
    if query.before is not None:
        if query.before > call.now:
            raise DayToCome(f"{query.before.isoformat()} is still to come.")
        return query.before
    if query.as_of is None:
        return call.now
    today = programs.business_date(call.now, program)
    if query.as_of > today:
        raise DayToCome(f"{query.as_of} is still to come: in {program.time_zone} it is {today}.")
    return positions.end_of(query.as_of, program)
