"""/v1/expirations: what expired and what will, by program and day, and the expiry of a business date."""

from datetime import date, datetime, timedelta
from typing import Final

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries.wake import wake
from chalicelib.errors import NotFound
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.api.ledger import DayToCome
from chalicelib.points.api.whose import narrowed, programs_named
from chalicelib.points.terms import expirations, expiring
from chalicelib.points.terms.expirations import Expiry
from chalicelib.points.terms.expiring import Expiring, ExpiringFilter
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts, clock, pages
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)

#: Where the list begins when nobody says so: what was posted lately is of interest, years of it are not.
_LATELY: Final = timedelta(days=31)
#: Accounts expired in one request; more are left to another request or to the night.
_ACCOUNTS_MAX: Final = 1_000
#: Accounts that a dry run looks at.
_TRIAL_ACCOUNTS_MAX: Final = 50_000


class ExpirationQuery(PageQuery):
    """Whose points, and which last days; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    member_id: str | None = Field(
        default=None, description="Id of a member.", examples=["mbr_01m80ezmgbefm8btvg41ypyz86"]
    )
    program_id: str | None = Field(
        default=None, description="Id of a program.", examples=["prg_01m80ezmgbefm8btvg41ypyz86"]
    )
    since: Day | None = Field(default=None, description="First of the last days; null: 31 days ago (UTC).")
    until: Day | None = Field(default=None, description="Last of the last days; null: all to come.")


class ExpirationView(View):
    """Points of one program that may or might be spent through one day."""

    partner_id: PublicId
    program_id: PublicId
    program: str
    unit: str
    last_day: date = Field(description="The last day, in the program's time zone, on which they may be spent.")
    over: bool = Field(description="Whether that day is over: what is left waits for its expiry or for its holds.")
    members: int = Field(description="Whose points expired, or are left.")
    expired: AmountText = Field(description="Posted as expired.")
    left: AmountText = Field(description="Not spent and not posted as expired.")
    held: AmountText = Field(description="Of what is left: covered by holds.")

    @classmethod
    def of(cls, found: Expiring, program: Program, now: datetime) -> "ExpirationView":
        """The view of one program's day."""
        return cls(
            partner_id=public_id("par", program.partner_id),
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            last_day=found.last_day,
            over=found.last_day < programs.business_date(now, program),
            members=found.members,
            expired=amounts.text(found.expired_minor, program.scale),
            left=amounts.text(found.left_minor, program.scale),
            held=amounts.text(found.held_minor, program.scale),
        )


class ExpiryBody(Body):
    """Which business date to run, and where."""

    business_date: Day | None = Field(default=None, description="Null: each program's own date.")
    partner_id: str | None = Field(default=None, description="Id or code of a partner.")
    program_id: str | None = Field(default=None, description="Only this program.")
    dry_run: bool = Field(default=False, description="Tell what would expire, and change nothing.")


class ProgramExpiryView(View):
    """What expired, or would, in one program."""

    program_id: PublicId
    program: str
    unit: str
    business_date: date
    accounts: int
    points: AmountText
    kept: AmountText = Field(description="Its last day is over too, and a hold keeps it.")

    @classmethod
    def of(cls, program: Program, day: date, found: Expiry) -> "ProgramExpiryView":
        """The view of one program's expiry."""
        return cls(
            program_id=public_id("prg", program.id),
            program=program.code,
            unit=program.unit,
            business_date=day,
            accounts=found.accounts,
            points=amounts.text(found.expired_minor, program.scale),
            kept=amounts.text(found.kept_minor, program.scale),
        )


class ExpiryView(View):
    """What a business date expired, or would."""

    dry_run: bool
    complete: bool = Field(
        description="False: more accounts are due than one request expires. Send the same again, under an "
        "Idempotency-Key of its own, for the rest; or leave it to the night."
    )
    programs: list[ProgramExpiryView]


@endpoint(blueprint, "GET /v1/expirations", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_expirations(call: Call, query: ExpirationQuery) -> Page[ExpirationView]:
    """Points that expired and that will, by last day and program, the earliest day first."""
    of = narrowed(call, query.partner_id, query.member_id, query.program_id)
    since = query.since or call.now.date() - _LATELY
    wanted = ExpiringFilter(**of._asdict(), since=since, until=query.until)
    found = expiring.by_day(call.db, wanted, after=_after(call, query), limit=query.limit + 1)
    known = programs.by_ids(call.db, {each.program_id for each in found})
    return pages.page(
        call,
        query,
        found,
        view=lambda each: ExpirationView.of(each, known[each.program_id], call.now),
        position=lambda each: (each.last_day.isoformat(), each.program_id),
    )


@endpoint(
    blueprint,
    "POST /v1/expirations/run",
    scope=Scope.LEDGER_ADJUST,
    idempotent=True,
    raises=[DayToCome, NotFound],
)
def run_expirations(call: Call, body: ExpiryBody) -> ExpiryView:
    """Post what was not spent by its last day, as of a business date; running a date again changes nothing."""
    shown: list[ProgramExpiryView] = []
    complete, looked_at = True, 0
    for program in programs_named(call, body.partner_id, body.program_id):
        today = programs.business_date(call.now, program)
        day = body.business_date or today
        if day > today:
            raise DayToCome(f"{day} is still to come: in {program.time_zone} it is {today}.")
        if body.dry_run:
            foretold = expirations.preview(call.db, program, day, accounts_max=_TRIAL_ACCOUNTS_MAX - looked_at)
            found, looked_at = foretold.expiry, looked_at + foretold.accounts
            complete = complete and foretold.whole
        else:
            left = _ACCOUNTS_MAX - sum(each.accounts for each in shown)
            if left <= 0:
                complete = False
                break
            found, whole = expirations.post_some(
                call.db, program, day, accounts_max=left, caller=call.caller, now=call.now
            )
            complete = complete and whole
        shown.append(ProgramExpiryView.of(program, day, found))
    if not body.dry_run:
        call.after_commit(lambda: wake(now=clock.now()))
    return ExpiryView(dry_run=body.dry_run, complete=complete, programs=shown)


def _after(call: Call, query: ExpirationQuery) -> tuple[date, bytes] | None:
    match pages.position(call, query):
        case None:
            return None
        case (str(day), bytes(program_id)):
            try:
                return date.fromisoformat(day), program_id
            except ValueError:
                raise Malformed("The cursor is not one of this list.", code="cursor_foreign") from None
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")
