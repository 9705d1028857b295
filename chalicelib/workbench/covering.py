"""Which past events a version must have been tried on before it is approved, and which of them nobody has looked at.

Of each program that the ruleset decides: the last days on which other versions decided something, so many that a month
and a fair number of events are among them. An empty back-test, or one of a quiet program, shows nothing.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, false, func, select, true
from sqlalchemy.engine import Connection, Row

from chalicelib.partners.models.partners import partner, program
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules.versions import LiveVersion
from chalicelib.workbench.backtests import Selection
from chalicelib.workbench.models import backtest

#: The last days, back from the newest event, that a back-test must have looked at, and at least so many events.
DAYS_MIN: Final = 30
EVENTS_MIN: Final = 100
_EVENT = accrual_event.c


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of one program that no back-test has looked at: those of ``first_day`` to ``last_day``."""

    partner_code: str
    program_code: str
    first_day: date
    last_day: date
    events: int

    @property
    def told(self) -> str:
        """What was not looked at, in words."""
        return (
            f"{self.events} events of program {self.program_code} of {self.partner_code}, "
            f"{self.first_day} to {self.last_day}"
        )


def needed(db: Connection, version: LiveVersion) -> bool:
    """Whether anything was decided that the version might have decided otherwise."""
    return any(_decided(db, version, each) for each in _programs(db, version))


def gaps(db: Connection, version: LiveVersion, backtest_ids: Collection[bytes]) -> list[Gap]:
    """What these back-tests of a version have not looked at and must have; empty: they show enough."""
    runs = db.execute(select(backtest).where(backtest.c.id.in_(sorted(backtest_ids)))).all()
    by_partner = {row.partner_id: row for row in runs}
    found = (_gap(db, version, each, by_partner.get(each.partner_id)) for each in _programs(db, version))
    return [gap for gap in found if gap is not None]


def _programs(db: Connection, version: LiveVersion) -> list[Row[Any]]:
    """The programs that the version's ruleset decides."""
    if version.kind != "accrual":
        return []
    query = (
        select(program.c.id, program.c.code, program.c.partner_id, partner.c.code.label("partner_code"))
        .join(partner, partner.c.id == program.c.partner_id)
        .where(program.c.ruleset_code == version.ruleset_code)
        .order_by(partner.c.code, program.c.code)
    )
    if version.partner_id is not None:
        query = query.where(program.c.partner_id == version.partner_id)
    return list(db.execute(query))


def _of(of: Row[Any]) -> list[ColumnElement[bool]]:
    """The condition that an event is of the program, and so of its partner.

    The partner is not named besides: MariaDB would read all its events by the index that begins with it.
    """
    return [_EVENT.program_id == of.id]


def _decided(db: Connection, version: LiveVersion, of: Row[Any]) -> bool:
    """Whether anything else than this version has decided an event of the program."""
    other = exists().where(*_of(of), _EVENT.ruleset_version_id != version.version_id)
    return bool(db.execute(select(other)).scalar_one())


def _gap(db: Connection, version: LiveVersion, of: Row[Any], run: Row[Any] | None) -> Gap | None:
    """What the back-test, None: there is none, has not looked at in one program."""
    if not _decided(db, version, of):
        return None
    # What came in since a back-test was asked for is no reason to run it again; without any, all of it is.
    known = _of(of)
    if run is not None:
        known.append(_EVENT.seq <= run.seq_max)
    first, last = _window(db, known)
    if first is None or last is None:
        run, known = None, _of(of)
        first, last = _window(db, known)
    if first is None or last is None:
        return None
    wanted = [*known, _EVENT.event_date.between(first, last)]
    looked_at = case((false() if run is None else _selected(Selection.of(run.selection), of.id), 1))
    events, seen = db.execute(select(func.count(), func.count(looked_at)).where(*wanted)).one()
    if seen == events:
        return None
    return Gap(of.partner_code, of.code, first, last, events - seen)


def _window(db: Connection, known: Sequence[ColumnElement[bool]]) -> tuple[date | None, date | None]:
    """The first and the last day that must have been looked at; None where there are no events."""
    newest = select(_EVENT.event_date).where(*known).order_by(_EVENT.event_date.desc())
    last: date | None = db.execute(newest.limit(1)).scalar()
    if last is None:
        return None, None
    hundredth: date | None = db.execute(newest.offset(EVENTS_MIN - 1).limit(1)).scalar()
    if hundredth is None:
        hundredth = db.execute(select(func.min(_EVENT.event_date)).where(*known)).scalar_one()
    return min(hundredth, last - timedelta(days=DAYS_MIN - 1)), last


def _selected(chosen: Selection, program_id: bytes) -> ColumnElement[bool]:
    """The condition that an event of the program was among the selection."""
    conditions: list[ColumnElement[bool]] = [true() if program_id in chosen.program_ids else false()]
    if chosen.file_ids:
        conditions.append(_EVENT.source_file_id.in_(chosen.file_ids))
    if chosen.first_day is not None:
        conditions.append(_EVENT.event_date >= chosen.first_day)
    if chosen.last_day is not None:
        conditions.append(_EVENT.event_date <= chosen.last_day)
    return and_(*conditions)
