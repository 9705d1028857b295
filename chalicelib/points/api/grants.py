"""/v1/grants/run: grant by hand what the schedule would."""

from datetime import date

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound
from chalicelib.partners.programs import programs, terms
from chalicelib.partners.programs.programs import Program
from chalicelib.points.api.ledger import DayToCome
from chalicelib.points.api.whose import programs_named
from chalicelib.points.terms import grants
from chalicelib.points.terms.grants import Granted
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts, clock
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)

#: Members looked at in one request; more are left to another request or to the night.
_MEMBERS_MAX = 1_000


class GrantsBody(Body):
    """Which business date to run, and where."""

    business_date: Day | None = Field(default=None, description="Null: each program's own date.")
    partner_id: str | None = Field(default=None, description="Id or code of a partner.")
    program_id: str | None = Field(default=None, description="Only this program.")
    dry_run: bool = Field(default=False, description="Tell what would be granted, and change nothing.")


class ProgramGrantsView(View):
    """What was granted, or would be, in one program."""

    program_id: PublicId
    program: str
    unit: str
    business_date: date
    members: int = Field(description="Members looked at.")
    grants: int = Field(description="Occasions that were due and had not been granted.")
    posted: int
    points: AmountText
    rejected: dict[str, int] = Field(description="Grants that were refused, by code; the next run tries them again.")

    @classmethod
    def of(cls, program: Program, day: date, found: Granted) -> "ProgramGrantsView":
        """The view of one program's grants."""
        return cls(
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            business_date=day,
            members=found.members,
            grants=found.events,
            posted=found.posted,
            points=amounts.text(found.points_minor, program.scale),
            rejected=dict(sorted(found.rejected.items())),
        )


class GrantsView(View):
    """What was granted in each program that grants anything by itself."""

    dry_run: bool
    complete: bool = Field(description="False: there is more; ask again with another Idempotency-Key.")
    programs: list[ProgramGrantsView]


@endpoint(
    blueprint,
    "POST /v1/grants/run",
    scope=Scope.LEDGER_ADJUST,
    idempotent=True,
    raises=[DayToCome, NotFound],
)
def run_grants(call: Call, body: GrantsBody) -> GrantsView:
    """Grant what programs give by themselves up to a business date; running a date again grants nothing twice."""
    shown: list[ProgramGrantsView] = []
    complete = True
    for program in programs_named(call, body.partner_id, body.program_id):
        if not terms.of(program.terms).grants or program.status != "active":
            continue
        today = programs.business_date(call.now, program)
        day = body.business_date or today
        if day > today:
            raise DayToCome(f"{day} is still to come: in {program.time_zone} it is {today}.")
        left = _MEMBERS_MAX - sum(each.members for each in shown)
        if left <= 0:
            complete = False
            break
        found, whole = grants.grant_all(
            call.db, program, day, members_max=left, caller=call.caller, dry_run=body.dry_run, now=call.now
        )
        complete = complete and whole
        shown.append(ProgramGrantsView.of(program, day, found))
    if not body.dry_run:
        audit.record(
            call.db,
            caller=call.caller,
            action="grants.run",
            subject=body.program_id or body.partner_id or "all",
            partner_id=call.partner_scope,
            after={"posted": sum(each.posted for each in shown), "complete": complete},
            now=call.now,
        )
        call.after_commit(lambda: wake(now=clock.now()))
    return GrantsView(dry_run=body.dry_run, complete=complete, programs=shown)
