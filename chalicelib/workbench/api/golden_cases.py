"""PUT /v1/rulesets/{ruleset_id}/cases/{case_id}: a case that every version must pass, by hand or of a real record."""

from typing import Any, NamedTuple

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Event
from chalicelib.rules import catalogue, golden
from chalicelib.rules.showing import GoldenCaseView, require_own
from chalicelib.storage.ids import raw_id
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import INTEGER_MAX, CaseId, RulesetId
from chalicelib.web.shapes import Body, Day
from chalicelib.workbench import masking, rows

blueprint = Blueprint(__name__)

_SOURCES = frozenset({"from_accrual", "from_file", "from_row"})
_OF_ANY = _SOURCES | {"name", "why"}


class GoldenCaseBody(Body):
    """A case as a document has it, or the record to make one of."""

    from_accrual: str | None = Field(
        default=None, description="A posted record: its facts are given, its points expected, nothing personal is kept."
    )
    from_file: str | None = Field(
        default=None,
        description="With `from_row`: a row of this file, as if the accrual that it became was named. Of a rejected row"
        " its facts are given, and expected is `expect`, or else what the version in force says of it now.",
    )
    from_row: int | None = Field(default=None, ge=1, le=INTEGER_MAX)
    name: str | None = Field(default=None, min_length=1, max_length=200, description="What it shows; null: its id.")
    why: str | None = Field(default=None, min_length=1, max_length=2000)
    as_of: Day | None = Field(default=None, description="The day of the decision.")
    given: dict[str, Any] | None = Field(default=None, description="Inputs by name; decimals and dates as text.")
    expect: dict[str, Any] | None = Field(
        default=None, description="Outputs by name, or `refused` with a code, or `applies`."
    )
    aggregates: dict[str, Any] | None = None
    code_tables: dict[str, dict[str, str]] | None = Field(default=None, description="What the tables say in this case.")


@endpoint(
    blueprint,
    "PUT /v1/rulesets/{ruleset_id}/cases/{case_id}",
    scope=Scope.RULES_WRITE,
    raises=[NotFound, NotPermitted, InvalidInput, Unprocessable],
    exact_numbers=True,
)
def keep_golden_case(
    call: Call, ruleset_id: RulesetId, case_id: CaseId, body: GoldenCaseBody
) -> Answer[GoldenCaseView]:
    """Keep a golden case; 201 when its id is new. Approvals that were given without it become void."""
    listed = catalogue.find(call.db, ruleset_id, partner_id=call.partner_scope, now=call.now)
    require_own(call, listed.partner_id, ruleset_id)
    made = _made(call, ruleset_id, case_id, body)
    kept = golden.put(
        call.db,
        ruleset_id,
        case_id,
        made.document,
        partner_id=made.partner_id,
        accrual_id=made.accrual_id,
        caller=call.caller,
        now=call.now,
    )
    return Answer(201 if kept.created else 200, GoldenCaseView.of(call, kept.case))


class _Made(NamedTuple):
    """A case, and whose record, and which, it was made of."""

    document: dict[str, Any]
    partner_id: bytes | None = None
    accrual_id: bytes | None = None


def _made(call: Call, ruleset_id: str, case_id: str, body: GoldenCaseBody) -> _Made:
    """The case that the body describes. Raises NotFound, NotPermitted, InvalidInput and Unprocessable."""
    event = None
    if body.from_accrual is not None:
        _require_alone(body)
        event = _readable(call, history.event(call.db, raw_id("acr", body.from_accrual)))
    elif body.from_file is not None and body.from_row is not None:
        file = _file(call, body.from_file)
        event = rows.accepted(call.db, file, body.from_row)
        if event is None:
            return _of_rejected(call, ruleset_id, case_id, body, file, body.from_row)
        _require_alone(body)
        _readable(call, event)
    elif body.from_file is not None or body.from_row is not None:
        raise InvalidInput("A row is named by `from_file` and `from_row`.", code="case_refused")
    if event is None:
        return _Made(_written(case_id, body))
    document = masking.case_of(call.db, ruleset_id, event.id, name=body.name or case_id, why=body.why)
    return _Made(document, event.partner_id, event.id)


def _of_rejected(
    call: Call, ruleset_id: str, case_id: str, body: GoldenCaseBody, file: InboundFile, row_no: int
) -> _Made:
    _require_alone(body, but="expect")
    document = masking.case_of_row(
        call.db,
        ruleset_id,
        file,
        row_no,
        name=body.name or case_id,
        why=body.why,
        expect=body.expect,
        now=call.now,
    )
    return _Made(document, file.partner_id)


def _readable(call: Call, event: Event) -> Event:
    """The record, if the caller may read it. Raises NotFound and NotPermitted."""
    _require_scope(call, Scope.ACCRUALS_READ)
    call.require_partner(event.partner_id)
    return event


def _file(call: Call, file_id: str) -> InboundFile:
    """The file, if the caller may read it. Raises NotFound and NotPermitted."""
    _require_scope(call, Scope.FILES_READ)
    file = register.load(call.db, raw_id("fil", file_id))
    call.require_partner(file.partner_id)
    return file


def _require_scope(call: Call, scope: Scope) -> None:
    if scope not in call.principal.scopes:
        raise NotPermitted(f"A case of a record needs the scope {scope}.", code="scope_missing")


def _written(case_id: str, body: GoldenCaseBody) -> dict[str, Any]:
    said = body.model_dump(exclude=set(_SOURCES), exclude_none=True)
    if body.as_of is not None:
        said["as_of"] = body.as_of.isoformat()
    return {"name": case_id, **said}


def _require_alone(body: GoldenCaseBody, *, but: str | None = None) -> None:
    """Refuse a record with what is made of it. Raises InvalidInput."""
    others = body.model_dump(exclude={*_OF_ANY, but or ""}, exclude_none=True)
    both = body.from_accrual is not None and (body.from_file is not None or body.from_row is not None)
    if others or both:
        words = ", ".join(others) or "from_file or from_accrual"
        raise InvalidInput(f"A case of a record is made of the record: leave out {words}.", code="case_refused")
