"""/v1/programs: what employees earn and spend, and by which rules."""

from datetime import date, datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound
from chalicelib.partners import directory
from chalicelib.partners.onboarding import program_setup
from chalicelib.partners.onboarding.manifest import ProgramDocument
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Kind, Program, Status
from chalicelib.rules import rulesets
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import ProgramId
from chalicelib.web.shapes import PublicId, View

blueprint = Blueprint(__name__)


class ProgramView(View):
    """One program. ``scale`` is the number of decimals of its amounts; ``lots`` says when what is earned expires."""

    id: PublicId
    partner_id: PublicId
    code: str
    name: str
    kind: Kind
    unit: str
    scale: int
    time_zone: str
    ruleset: str
    effective_from: date
    lots: dict[str, Any]
    corrections: dict[str, Any] | None = Field(description="How points are corrected; null: as every program does.")
    enrolment: dict[str, Any] | None = Field(description="The rule that enrols; null: members are enrolled by hand.")
    terms: dict[str, Any] | None = Field(description="Grants, eligibility, leaving, increases, prices; null: none.")
    status: Status
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, program: Program) -> "ProgramView":
        """The view of a program."""
        return cls(**_shown(program))


class LiveRulesetView(View):
    """The ruleset version that decides events of today."""

    code: str
    version: int
    version_id: PublicId
    content_hash: str


class ProgramDetailView(ProgramView):
    """One program with the version of its ruleset that decides today; null when none does."""

    live_ruleset: LiveRulesetView | None


class NewProgram(ProgramDocument):
    """A program to create, of the partner of that code; a partner's own key may leave the code out."""

    partner_code: str | None = None


class ProgramQuery(PageQuery):
    """Which programs."""

    partner_id: str | None = Field(None, description="Id or code of a partner.", examples=["aurora-air"])
    kind: Kind | None = Field(None, description="What the program is.")
    status: Status | None = Field(None, description="Whether anything is still earned in it.")


@endpoint(blueprint, "GET /v1/programs", scope=Scope.PROGRAMS_READ, raises=[NotFound])
def list_programs(call: Call, query: ProgramQuery) -> Page[ProgramView]:
    """List programs in the order of their creation."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    rows = programs.search(
        call.db,
        partner_id=partner_id,
        kind=query.kind,
        status=query.status,
        after=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=ProgramView.of, position=lambda program: (program.id,))


@endpoint(
    blueprint,
    "POST /v1/programs",
    scope=Scope.PROGRAMS_ADMIN,
    status=201,
    idempotent=True,
    raises=[Conflict, InvalidInput, NotFound],
)
def create_program(call: Call, body: NewProgram) -> Answer[ProgramView]:
    """Create a program and enrol the partner's members by its rule; the same program again is answered with 200."""
    if body.partner_code is None and call.partner_scope is None:
        raise InvalidInput("Say whose program it is: partner_code.", code="partner_missing")
    partner = (
        directory.named(call.db, body.partner_code)
        if body.partner_code is not None
        else directory.known(call.db, call.partner_scope or b"")
    )
    call.require_partner(partner.id)
    program, created = program_setup.create(call.db, partner, body, caller=call.caller, now=call.now)
    return Answer(201 if created else 200, ProgramView.of(program))


@endpoint(blueprint, "GET /v1/programs/{program_id}", scope=Scope.PROGRAMS_READ, raises=[NotFound])
def get_program(call: Call, program_id: ProgramId) -> ProgramDetailView:
    """Show one program with the ruleset version that decides today."""
    program = visible(call, program_id)
    timeline = rulesets.timeline(call.db, program.ruleset_code, known_at=call.now)
    live = timeline.on(programs.business_date(call.now, program))
    return ProgramDetailView(
        **_shown(program),
        live_ruleset=None
        if live is None
        else LiveRulesetView(
            code=live.ruleset_code,
            version=live.number,
            version_id=public_id("rsv", live.version_id),
            content_hash=live.content_hash.hex(),
        ),
    )


def visible(call: Call, text: str) -> Program:
    """The program of an id, if the caller may see it. Raises NotFound."""
    program = programs.by_id(call.db, raw_id("prg", text))
    if program is None:
        raise NotFound(f"There is no program {text!r}.")
    call.require_partner(program.partner_id)
    return program


def _shown(program: Program) -> dict[str, Any]:
    same = (
        "code",
        "name",
        "kind",
        "unit",
        "scale",
        "time_zone",
        "effective_from",
        "status",
        "created_at",
        "changed_at",
    )
    return {
        "id": public_id("prg", program.id),
        "partner_id": public_id("par", program.partner_id),
        "ruleset": program.ruleset_code,
        "lots": dict(program.lots),
        "corrections": None if program.corrections is None else dict(program.corrections),
        "enrolment": None if program.enrolment is None else dict(program.enrolment),
        "terms": None if program.terms is None else dict(program.terms),
        **{name: getattr(program, name) for name in same},
    }
