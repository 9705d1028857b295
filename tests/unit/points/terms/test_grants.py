"""Scheduled grants: once for each member and occasion, whatever happens to the run."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.partners import directory
from chalicelib.partners.members import enrolments
from chalicelib.partners.programs import programs, terms
from chalicelib.points.earning import lineage
from chalicelib.points.models.ledger import accrual_event, transfer
from chalicelib.points.models.terms import grant_progress
from chalicelib.points.terms import grants
from chalicelib.storage.engine import Database
from tests.factories import rules
from tests.factories.partners import apply_rows, make_member, roster_row
from tests.factories.points import CALLER, NOW, Earning, available, event, make_earning, record

pytestmark = pytest.mark.usefixtures("provable", "data_key")

YEAR: dict[str, Any] = {
    "code": "annual", "on": "period", "event_type": "ALLOWANCE", "quantity": "100", "pro_rata": "days",
}  # fmt: skip
TODAY = NOW.date()


def granting(database: Database, *grants_of: dict[str, Any], **more: Any) -> Earning:
    """E1 in a program with these grants, in which a quantity of one is one and a half points."""
    with database.write() as db:
        document = rules.accrual_document("any")
        return make_earning(db, document=document, terms={"grants": list(grants_of)}, **more)


def run(database: Database, *, now: datetime = NOW) -> grants.Granted:
    return grants.run(database, caller=CALLER, clock=lambda: now)


def events(database: Database) -> list[tuple[str, date, int]]:
    with database.read() as db:
        query = select(accrual_event.c.event_id, accrual_event.c.event_date, accrual_event.c.points_minor)
        return [(row[0].split(".")[1], row[1], row[2]) for row in db.execute(query.order_by(accrual_event.c.event_id))]


class TestScheduledGrants:
    def test_are_posted_once_however_often_a_date_is_run(self, database):
        earning = granting(database, YEAR)

        first, second = run(database), run(database)

        assert (first.posted, first.points_minor) == (1, 15000)
        assert (second.events, second.posted) == (0, 0)
        with database.read() as db:
            assert available(db, earning) == (15000, 0)

    def test_catch_up_on_quarters_that_were_missed(self, database):
        granting(database, {**YEAR, "months": 3})

        run(database, now=datetime(2026, 2, 1, 12, tzinfo=UTC))
        run(database, now=datetime(2026, 11, 20, 12, tzinfo=UTC))

        assert events(database) == [
            (day.isoformat(), day, 15000) for day in (date(2026, month, 1) for month in (1, 4, 7, 10))
        ]

    def test_give_who_joins_a_share_of_the_year(self, database):
        earning = granting(database, YEAR)
        with database.write() as db:
            make_member(db, earning.partner, "E2", hire_date=date(2026, 11, 1), effective_date=date(2026, 11, 1))

        run(database)

        # 61 of 365 days of 150 points: 25.068…
        assert ("2026-01-01", date(2026, 11, 1), 2507) in events(database)

    def test_reach_back_to_whom_a_late_roster_brings(self, database):
        earning = granting(database, {**YEAR, "code": "starter", "on": "hire", "quantity": "10"})
        run(database)
        with database.write() as db:
            make_member(db, earning.partner, "E2", hire_date=TODAY - timedelta(days=30), effective_date=TODAY)

        granted = run(database, now=NOW + timedelta(days=1))

        assert (granted.events, granted.posted) == (1, 1)
        assert events(database)[-1] == ("2026-10-21", date(2026, 10, 21), 1500)

    def test_do_not_reach_back_further_than_the_program_says(self, database):
        earning = granting(database, {**YEAR, "code": "starter", "on": "hire", "late_days": 10})
        run(database)
        with database.write() as db:
            make_member(db, earning.partner, "E2", hire_date=TODAY - timedelta(days=30), effective_date=TODAY)

        assert run(database, now=NOW + timedelta(days=1)).events == 0

    def test_go_to_nobody_who_is_not_enrolled_on_the_day(self, database):
        earning = granting(database, YEAR)
        with database.write() as db:
            enrolments.enrol(
                db,
                earning.program,
                earning.member.id,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 6, 30),
                caller=CALLER,
                now=NOW,
            )
        run(database, now=datetime(2027, 1, 5, 12, tzinfo=UTC))
        assert [day for _, day, _ in events(database)] == [date(2026, 1, 1)]

    def test_tell_by_a_dry_run_what_they_would_be_and_keep_nothing(self, database):
        earning = granting(database, YEAR)
        with database.write() as db:
            would = grants.grant_some(db, earning.program, TODAY, caller=CALLER, dry_run=True, now=NOW).granted

        assert (would.posted, would.points_minor) == (1, 15000)
        assert events(database) == []
        with database.read() as db:
            assert db.execute(select(grant_progress)).all() == []

    def test_are_tried_again_when_the_rule_refused_them(self, database):
        # A rule from December on: nothing decides the event of January before it is activated for that day.
        with database.write() as db:
            earning = make_earning(db, terms={"grants": [{**YEAR, "since": "2026-01-01"}]})
            later = replace(programs.spec_of(earning.program), ruleset_code="nothing.there")
            programs.change(db, earning.program, later, caller=CALLER, now=NOW)
        assert run(database).rejected == {"no_rule_in_force": 1}
        with database.write() as db:
            program = programs.by_id(db, earning.program.id)
            assert program is not None
            back = replace(programs.spec_of(program), ruleset_code=earning.program.ruleset_code)
            programs.change(db, program, back, caller=CALLER, now=NOW)
        # The next run looks 92 days back, not to January: the program says how late is too late.
        assert run(database).events == 0
        with database.write() as db:
            program = programs.by_id(db, earning.program.id)
            assert program is not None
            later = replace(programs.spec_of(program), terms={"grants": [{**YEAR, "late_days": 366}]})
            programs.change(db, program, later, caller=CALLER, now=NOW)
        assert run(database).posted == 1

    def test_go_on_where_a_run_died(self, database, monkeypatch):
        earning = granting(database, YEAR)
        with database.write() as db:
            apply_rows(db, earning.partner, [roster_row(f"E{number}") for number in range(2, 8)])
        monkeypatch.setattr(grants, "_MEMBERS_READ", 3)
        with database.write() as db:
            page = grants.grant_some(db, earning.program, TODAY, caller=CALLER, now=NOW)
        assert page.last == "E3"

        rest = run(database)

        assert (rest.members, rest.posted) == (4, 4)
        assert len(events(database)) == 7
        assert run(database).events == 0

    def test_are_paid_to_nobody_of_a_suspended_partner(self, database):
        earning = granting(database, YEAR)
        with database.write() as db:
            directory.change_status(db, earning.partner, "suspended", reason="a test", caller=CALLER, now=NOW)
        assert run(database).events == 0

    def test_have_the_lineage_of_every_accrual(self, database):
        granting(database, YEAR)
        run(database)
        with database.read() as db:
            [entry] = db.execute(select(transfer.c.id)).scalars()
            found = lineage.of(db, entry, recompute=True)
        assert found.decided is not None
        assert (found.decided.recomputed_minor, found.decided.agrees) == (15000, True)

    def test_name_their_occasion(self, database):
        earning = granting(database, YEAR)
        [grant] = terms.of(earning.program.terms).grants
        made = grants.event_id(earning.program, grant, earning.member.id, date(2026, 1, 1))
        assert grants.occasion_of(made) == (date(2026, 1, 1), "annual")
        assert grants.occasion_of("payroll-17") is None
        assert len(made) <= 100

    @pytest.mark.parametrize("event_id", ["grant.today.annual.x.y", "grant.2026-13-01.annual.x.y", "grant.x", "grants"])
    def test_are_told_from_events_that_only_look_like_one(self, event_id):
        assert grants.occasion_of(event_id) is None


class TestTheHubsOwnIds:
    @pytest.mark.parametrize("quantity", ["1", "-1"])
    def test_are_refused_from_everybody_else(self, database, quantity):
        earning = granting(database, YEAR)
        [grant] = terms.of(earning.program.terms).grants
        taken = grants.event_id(earning.program, grant, earning.member.id, date(2026, 1, 1))
        with database.write() as db:
            sent = event(event_id=taken, quantity=Decimal(quantity), reference=taken)
            [refused] = record(db, earning.partner, [sent])

        assert (refused.outcome, refused.code, refused.column) == ("rejected", "event_id_reserved", "event_id")
        assert run(database).posted == 1

    def test_are_only_those_that_begin_like_them(self, database):
        earning = granting(database, YEAR)
        with database.write() as db:
            [done] = record(db, earning.partner, [event(event_id="granted-17")])
        assert done.outcome == "posted"
