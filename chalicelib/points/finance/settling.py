"""The way to a settlement: a partner's entries are named slice by slice, then the month is invoiced and posted, once.

Each slice is one transaction with the checkpoint, so it may die anywhere and go on; the last one makes the settlement,
its lines and its documents. A partner is settled month by month, and one month at a time.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import RowMapping, bindparam, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict
from chalicelib.partners import directory
from chalicelib.partners.account_ids import HOUSE
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.points.finance import figures, months, ranges, settlements
from chalicelib.points.finance.figures import Before, Line
from chalicelib.points.finance.settlements import Settlement
from chalicelib.points.models.books import settlement, settlement_run
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id

#: Accounts of one slice.
SLICE_ACCOUNTS: Final = 500
#: Slices that a caller who waits works through; the clock goes on.
SLICES_AT_ONCE: Final = 4


class LaterPeriodSettled(Conflict):
    """A later period was settled already, so what this one would have had is in it."""

    code = "later_period_settled"


@dataclass(frozen=True, slots=True)
class Run:
    """One way to a settlement; ``of_id`` is the run whose entries it names again. ``checkpoint``: the last account."""

    id: bytes
    partner_id: bytes
    period: str
    part: int
    of_id: bytes | None
    until: datetime
    state: str
    checkpoint: bytes
    entries: int
    actor: str
    correlation_id: str

    @property
    def caller(self) -> Caller:
        """Who asked for it, in whose name it goes on."""
        return Caller(self.actor, self.correlation_id)


class Progress(NamedTuple):
    """How far a period is. ``made`` None: entries are still being named. ``new``: not made or begun before."""

    made: Settlement | None
    run: Run | None
    new: bool


def settle(
    db: Connection,
    partner: Partner,
    period: str,
    *,
    caller: Caller,
    now: datetime,
    slices_max: int = SLICES_AT_ONCE,
) -> Progress:
    """Settle a partner's month as far as so many slices go. The month of a settlement that stands is settled already.

    Everything posted before the month's end that no settlement named yet is in it. Raises NotSettled, PeriodOpen,
    LaterPeriodSettled, SettlementRunning, NoValue, CurrencyChanged, AccountMissing, InvalidInput.
    """
    progress = begin(db, partner, period, caller=caller, now=now)
    for _ in range(slices_max):
        if progress.run is None or progress.made is not None:
            break
        run, made = run_slice(db, progress.run.id, now=now)
        progress = Progress(made, run, new=progress.new or made is not None)
    return progress


def begin(db: Connection, partner: Partner, period: str, *, caller: Caller, now: datetime) -> Progress:
    """Open the way to a partner's month, or find it under way or ended. Names no entries yet; raises as ``settle``."""
    month = months.named(period, partner)
    # One settlement of a partner at a time: two would name the same entries.
    settlements.lock(db, partner.id)
    earlier = settlements.of_period(db, partner.id, period)
    last = earlier[-1] if earlier else None
    if last is not None and last.kind == "settlement":
        return Progress(last, None, new=False)
    open_run = running(db, partner.id)
    if open_run is not None:
        if open_run.period != month.name:
            raise settlements.SettlementRunning(f"The period {open_run.period} is being settled.")
        return Progress(None, open_run, new=False)
    months.require_over(month, now)
    if last is None and db.execute(_LATER, {"partner_id": partner.id, "period": period}).scalar_one():
        raise LaterPeriodSettled(f"A period after {period} was settled already.")
    # Asked for now: nobody begins what cannot be ended.
    settlements.terms_of(db, partner)
    taken_back = None if last is None or last.reverses_id is None else settlements.by_id(db, last.reverses_id)
    run = Run(
        id=new_id(),
        partner_id=partner.id,
        period=month.name,
        part=1 if last is None else last.part + 1,
        of_id=None if taken_back is None else taken_back.run_id,
        until=month.until,
        state="running",
        checkpoint=HOUSE,
        entries=0,
        actor=caller.actor,
        correlation_id=caller.correlation_id,
    )
    row = {name: getattr(run, name) for name in Run.__slots__}
    bulk.insert(db, settlement_run, [{**row, "created_at": now, "changed_at": now}])
    return Progress(None, run, new=True)


def run_slice(db: Connection, run_id: bytes, *, now: datetime) -> tuple[Run, Settlement | None]:
    """Name the entries of the next accounts; after the last ones, the settlement too. One that is done stays as it is.

    Raises NoValue, CurrencyChanged, AccountMissing, NotSettled: the last slice then waits for what they name.
    """
    run = _run(db.execute(_LOCK, {"id": run_id}).mappings().one())
    if run.state == "done":
        return run, _made(db, run)
    if run.of_id is None:
        found, last = ranges.waiting(db, run.partner_id, after=run.checkpoint, limit=SLICE_ACCOUNTS, until=run.until)
    else:
        found, last = ranges.of_run(db, run.of_id, after=run.checkpoint, limit=SLICE_ACCOUNTS)
    named = ranges.name(db, new_id(), run.id, run.partner_id, found)
    run = replace(
        run, checkpoint=last or run.checkpoint, entries=run.entries + named, state="running" if last else "done"
    )
    made = None if last else _finish(db, run, now)
    db.execute(
        _PROGRESS,
        {
            "of": run.id,
            "now_state": run.state,
            "after": run.checkpoint,
            "so_many": run.entries,
            "at": now,
            "ended": None if made is None else now,
        },
    )
    return run, made


def run_all(database: Database, run: Run, *, clock: Callable[[], datetime]) -> Settlement:
    """Carry one to its end, each slice in a transaction of its own. Raises as ``run_slice``."""
    while True:
        _, made = database.run(lambda db: run_slice(db, run.id, now=clock()))
        if made is not None:
            return made


def running(db: Connection, partner_id: bytes) -> Run | None:
    """The way that a partner's settlement is on, if one is."""
    row = db.execute(_RUNNING_OF, {"partner_id": partner_id}).mappings().one_or_none()
    return None if row is None else _run(row)


def under_way(db: Connection, *, after: bytes, limit: int) -> list[Run]:
    """The next runs that are under way, in the order of their ids."""
    return [_run(row) for row in db.execute(_RUNNING, {"after": after, "at_most": limit}).mappings()]


def recomputed(db: Connection, of: Settlement) -> list[Line]:
    """What a settlement's entries amount to, by its terms and what programs say their points are worth today."""
    assert of.run_id is not None  # noqa: S101 - a counter-document has no entries
    own = {each.id: each for each in programs.of_partner(db, of.partner_id).values()}
    before = _before(db, of.partner_id, of.run_id, of.period, before_seq=of.seq)
    return figures.of(ranges.moved(db, of.run_id), own, of.terms, before=before, last_day=of.last_day)


def _finish(db: Connection, run: Run, now: datetime) -> Settlement:
    partner = directory.known(db, run.partner_id)
    month = months.named(run.period, partner)
    terms = settlements.terms_of(db, partner)
    own = {each.id: each for each in programs.of_partner(db, partner.id).values()}
    before = _before(db, partner.id, run.id, run.period)
    lines = figures.of(ranges.moved(db, run.id), own, terms, before=before, last_day=month.last_day)
    row = {
        "partner_id": partner.id,
        "period": month.name,
        "part": run.part,
        "kind": "settlement",
        "run_id": run.id,
        "terms": terms.model_dump_json(),
        "first_day": month.first_day,
        "last_day": month.last_day,
        "until": month.until,
        "entries": run.entries,
    }
    return settlements.keep(db, row, lines, posting_date=month.last_day, caller=run.caller, now=now)


def _before(db: Connection, partner_id: bytes, run_id: bytes, period: str, *, before_seq: int | None = None) -> Before:
    named = ranges.standing(db, partner_id, through=period)
    return Before(
        left=ranges.left([each for each in named if each.run_id != run_id]),
        liability=figures.liability(db, partner_id, through=period, before_seq=before_seq),
        settled=figures.settled_points(db, partner_id, before_seq=before_seq),
        ledger=ranges.redeemed(named),
    )


def _made(db: Connection, run: Run) -> Settlement:
    return settlements.of_period(db, run.partner_id, run.period)[run.part - 1]


def _run(row: RowMapping) -> Run:
    return Run(**{name: row[name] for name in Run.__slots__})


_LATER: Final = select(func.count()).where(
    settlement.c.partner_id == bindparam("partner_id"), settlement.c.period > bindparam("period")
)
_LOCK: Final = select(settlement_run).where(settlement_run.c.id == bindparam("id")).with_for_update()
_RUNNING: Final = (
    select(settlement_run)
    .where(settlement_run.c.state == "running", settlement_run.c.id > bindparam("after"))
    .order_by(settlement_run.c.id)
    .limit(bindparam("at_most"))
)
_RUNNING_OF: Final = select(settlement_run).where(
    settlement_run.c.partner_id == bindparam("partner_id"), settlement_run.c.state == "running"
)
_PROGRESS: Final = (
    update(settlement_run)
    .where(settlement_run.c.id == bindparam("of"))
    .values(
        state=bindparam("now_state"),
        checkpoint=bindparam("after"),
        entries=bindparam("so_many"),
        changed_at=bindparam("at"),
        finished_at=bindparam("ended"),
    )
)
