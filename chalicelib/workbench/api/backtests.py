"""/v1/backtests: run past events again under a version, and see by how many points it would differ; nothing is posted.

A back-test is asked for on a version, is run by the workers, and is kept. Its ``data_hash`` and ``result_hash`` are
what an approval of the version is bound to.
"""

from datetime import date, datetime
from functools import partial
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, Unprocessable
from chalicelib.partners import directory
from chalicelib.rules import versions
from chalicelib.rules.showing import SHA256, version_for
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import BacktestId, RulesetId, VersionNumber
from chalicelib.web.shapes import Body, Day, PublicId, View
from chalicelib.workbench import backtests, running
from chalicelib.workbench.backtests import FILES_MAX, Backtest, State

blueprint = Blueprint(__name__)

_PROGRAMS_MAX = 100
_HASH = Field(pattern=SHA256)


class BacktestBody(Body):
    """Which past events are run again: those of the files, those dated within the days, or of the files and days."""

    partner_code: str | None = Field(None, description="Of a ruleset that every partner uses: whose events.")
    file_ids: list[str] = Field(
        default_factory=list, max_length=FILES_MAX, description="Finished files of accruals; also rows they refused."
    )
    from_date: Day | None = Field(None, description="The first event date; needed without files.")
    to_date: Day | None = Field(None, description="The last event date; null: no end.")
    program_codes: list[str] = Field(
        default_factory=list, max_length=_PROGRAMS_MAX, description="Empty: the programs that the ruleset decides."
    )


class SelectionView(View):
    """Which past events are run again."""

    program_ids: list[PublicId]
    file_ids: list[PublicId]
    from_date: date | None
    to_date: date | None


class BacktestView(View):
    """One back-test. ``events_done`` of ``events_total`` are decided again; the total is null until it is counted."""

    id: PublicId
    partner_id: PublicId
    ruleset: str
    version: int
    version_id: PublicId
    content_hash: str = Field(pattern=SHA256, description="Of the version that is tried.")
    selection: SelectionView
    state: State
    reason_code: str | None
    reason: str | None
    events_total: int | None
    events_done: int
    data_hash: str | None = Field(pattern=SHA256, description="Of everything that was read; null until it is done.")
    result_hash: str | None = Field(pattern=SHA256, description="Of the whole result; null until it is done.")
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, asked: Backtest, tried: LiveVersion) -> "BacktestView":
        """The view of one back-test of a version."""
        chosen = asked.selected
        return cls(
            id=asked.public_id,
            partner_id=public_id("par", asked.partner_id),
            ruleset=tried.ruleset_code,
            version=tried.number,
            version_id=public_id("rsv", asked.version_id),
            content_hash=asked.content_hash.hex(),
            selection=SelectionView(
                program_ids=[public_id("prg", one) for one in chosen.program_ids],
                file_ids=[public_id("fil", one) for one in chosen.file_ids],
                from_date=chosen.first_day,
                to_date=chosen.last_day,
            ),
            state=asked.state,
            reason_code=asked.reason_code,
            reason=asked.reason,
            events_total=asked.events_total,
            events_done=asked.events_done,
            data_hash=None if asked.data_hash is None else asked.data_hash.hex(),
            result_hash=None if asked.result_hash is None else asked.result_hash.hex(),
            created_by=asked.created_by,
            created_at=asked.created_at,
            started_at=asked.started_at,
            finished_at=asked.finished_at,
        )


class BacktestQuery(PageQuery):
    """Which back-tests."""

    ruleset_id: RulesetId | None = Field(None, max_length=100, description="The ruleset's code.")
    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = Field(
        None, description="How far they are."
    )


@endpoint(
    blueprint,
    "POST /v1/rulesets/{ruleset_id}/versions/{version}/backtests",
    scope=Scope.RULES_WRITE,
    status=202,
    idempotent="required",
    raises=[NotFound, InvalidInput, Unprocessable],
)
def start_backtest(call: Call, ruleset_id: RulesetId, version: VersionNumber, body: BacktestBody) -> BacktestView:
    """Have the workers run past events again under one version; ask for the back-test's state until it is done."""
    tried = version_for(call, ruleset_id, version)
    asked = backtests.create(
        call.db,
        tried,
        _partner(call, tried, body.partner_code),
        program_codes=body.program_codes,
        file_ids=[raw_id("fil", one) for one in body.file_ids],
        first_day=body.from_date,
        last_day=body.to_date,
        bound_to=call.partner_scope,
        caller=call.caller,
        now=call.now,
    )
    call.after_commit(partial(running.announce, asked.id))
    return BacktestView.of(asked, tried)


@endpoint(blueprint, "GET /v1/backtests", scope=Scope.RULES_READ, raises=[NotFound, InvalidInput])
def list_backtests(call: Call, query: BacktestQuery) -> Page[BacktestView]:
    """List back-tests, the latest first, by ruleset and state."""
    rows = backtests.newest_first(
        call.db,
        partner_id=call.partner_scope,
        ruleset_code=query.ruleset_id,
        state=query.state,
        before=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=partial(view_of, call.db), position=lambda asked: (asked.id,))


@endpoint(
    blueprint,
    "POST /v1/backtests/{backtest_id}/cancel",
    scope=Scope.RULES_WRITE,
    idempotent=True,
    raises=[NotFound, Conflict],
)
def cancel_backtest(call: Call, backtest_id: BacktestId) -> BacktestView:
    """Stop a back-test that has not ended; what it found so far stays, but nothing can be approved by it."""
    asked = readable(call, backtest_id)
    return view_of(call.db, backtests.cancel(call.db, asked, caller=call.caller, now=call.now))


def readable(call: Call, backtest_id: BacktestId) -> Backtest:
    """A back-test that the caller may see. Raises NotFound."""
    asked = backtests.load(call.db, raw_id("bkt", backtest_id))
    call.require_partner(asked.partner_id)
    return asked


def view_of(db: Connection, asked: Backtest) -> BacktestView:
    """The view of a back-test."""
    return BacktestView.of(asked, versions.version(db, asked.version_id))


def _partner(call: Call, tried: LiveVersion, code: str | None) -> bytes:
    """Whose events: the ruleset's partner, or the one that is named, or the only one that the caller may touch."""
    named = None if code is None else directory.named(call.db, code).id
    if named is not None:
        call.require_partner(named)
        if tried.partner_id not in {None, named}:
            raise NotFound(f"{tried.ruleset_code} is not of partner {code!r}.")
    found = named or tried.partner_id or call.partner_scope
    if found is None:
        raise InvalidInput(f"Every partner uses {tried.ruleset_code}: say whose events.", code="partner_missing")
    return found
