"""Which back-tests count for a version: those that looked at enough, asked for by who may speak for the ruleset."""

from datetime import date, timedelta

import pytest

from chalicelib.rules import gates
from chalicelib.workbench import backtests as room
from chalicelib.workbench import covering, evidence
from chalicelib.workbench.evidence import BacktestMissing, BacktestOutdated
from tests.factories import backtests, partners, rules
from tests.factories.points import earn

NOW = backtests.NOW


def draft(database, earning, **changes):
    """Another rate for the partner's rule; with ``partner=None`` one for everybody."""
    code = earning.version.ruleset_code
    with database.write() as db:
        return backtests.draft(db, earning.partner.id, rules.accrual_document(code, rate="2", **changes))


def required(database, version):
    with database.read() as db:
        return evidence.require(db, version)


def missing(database, version) -> str:
    with pytest.raises(BacktestMissing) as refused:
        required(database, version)
    return refused.value.message


def ids(found) -> set[bytes]:
    return {run.backtest_id for run in found.latest}


class TestABackTestCounts:
    def test_that_looked_at_all_that_was_decided(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        version = draft(database, earning)
        done = backtests.run(database, earning.partner.id, version)

        assert ids(required(database, version)) == {done.id}

    def test_and_none_is_needed_where_nothing_was_decided(self, database, earning):
        assert required(database, draft(database, earning)) is None

    def test_and_none_is_needed_of_what_decided_everything_itself(self, database, earning):
        with database.write() as db:
            earn(db, earning)

        assert required(database, earning.version) is None

    def test_when_events_came_in_since(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        version = draft(database, earning)
        backtests.run(database, earning.partner.id, version, first_day=date(2026, 1, 1), last_day=date(2026, 11, 2))
        with database.write() as db:
            earn(db, earning, event_date=date(2026, 11, 10))

        assert required(database, version) is not None


class TestABackTestDoesNotCount:
    def test_over_days_without_events(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        version = draft(database, earning)
        done = backtests.run(
            database, earning.partner.id, version, first_day=date(2026, 3, 1), last_day=date(2026, 3, 2)
        )

        told = missing(database, version)

        assert (done.state, done.events_total) == ("done", 0)
        assert "its latest back-test did not look at 1 events of program uniform" in told
        assert "all its programs from 2026-10-04 on" in told

    def test_over_a_tiny_program_only(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            partners.make_program(db, earning.partner, code="tiny")
        version = draft(database, earning)
        backtests.run(database, earning.partner.id, version, program_codes=["tiny"], first_day=date(2026, 1, 1))

        assert "program uniform" in missing(database, version)

    def test_over_the_last_day_of_a_month(self, database, earning):
        with database.write() as db:
            for day in (1, 2, 28):
                earn(db, earning, event_date=date(2026, 10, day))
        version = draft(database, earning)
        backtests.run(database, earning.partner.id, version, first_day=date(2026, 10, 28))

        assert "did not look at 2 events" in missing(database, version)

    def test_over_the_last_month_of_a_program_in_which_little_happens(self, database, earning, monkeypatch):
        monkeypatch.setattr(covering, "EVENTS_MIN", 3)
        with database.write() as db:
            for month in (2, 5, 8, 11):
                earn(db, earning, event_date=date(2026, month, 1))
        version = draft(database, earning)
        backtests.run(database, earning.partner.id, version, first_day=date(2026, 8, 1))
        assert "2026-05-01" in missing(database, version)
        done = backtests.run(
            database, earning.partner.id, version, now=NOW + timedelta(minutes=1), first_day=date(2026, 5, 1)
        )

        assert done.id in ids(required(database, version))

    def test_when_a_program_began_since(self, database, earning):
        version = draft(database, earning)
        backtests.run(database, earning.partner.id, version)
        with database.write() as db:
            earn(db, earning)

        assert "program uniform" in missing(database, version)

    def test_without_having_ended(self, database, earning):
        with database.write() as db:
            earn(db, earning)
        version = draft(database, earning)
        backtests.asked(database, earning.partner.id, version)

        assert "there is no back-test of 1 events" in missing(database, version)


class TestWhoAsked:
    @pytest.fixture
    def shared(self, database):
        """A rule that every partner may use."""
        with database.write() as db:
            return backtests.draft(db, None, rules.accrual_document("everybodys", partner=None))

    @staticmethod
    def run(database, earning, version, bound_to: bytes | None):
        with database.write() as db:
            waiting = room.create(
                db,
                version,
                earning.partner.id,
                program_codes=["uniform"],
                first_day=date(2026, 1, 1),
                bound_to=bound_to,
                caller=backtests.CALLER,
                now=NOW,
            )
        return backtests.finish(database, waiting)

    def test_for_one_partner_says_nothing_for_what_all_use(self, database, earning, shared):
        mine = self.run(database, earning, shared, None)
        self.run(database, earning, shared, earning.partner.id)

        with database.read() as db:
            assert ids(evidence.of(db, shared)) == {mine.id}

    def test_for_one_partner_speaks_for_its_own(self, database, earning):
        version = draft(database, earning)
        theirs = self.run(database, earning, version, earning.partner.id)

        with database.read() as db:
            assert ids(evidence.of(db, version)) == {theirs.id}


class TestACodeTableThatChanged:
    @pytest.fixture
    def looking_up(self, database, earning):
        """A version that looks a factor up, and the code of the table."""
        code = f"{earning.partner.code}.factor"
        factor = {"parse_decimal": [{"lookup": [code, {"var": "status"}, {"on_miss": "error"}]}]}
        output = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"*": [{"var": "quantity"}, factor]}}
        written = rules.accrual_document(earning.version.ruleset_code, outputs={"points": output})
        written["cases"][0]["code_tables"] = {code: {"active": "1.5"}}
        with database.write() as db:
            rules.code_table(db, earning.partner.id, rules.table_document(code, {"active": "1.5"}))
            earn(db, earning)
            return backtests.draft(db, earning.partner.id, written), code

    @staticmethod
    def approvable(database, version, seen: bytes):
        with database.read() as db:
            return evidence.for_approval(db, version, {seen}, examined=gates.examine(db, version), now=NOW)

    def test_since_the_back_test_asks_for_another(self, database, earning, looking_up):
        version, code = looking_up
        seen = backtests.run(database, earning.partner.id, version).id
        assert self.approvable(database, version, seen) is not None
        with database.write() as db:
            rules.code_table(db, earning.partner.id, rules.table_document(code, {"active": "3"}))

        with pytest.raises(BacktestOutdated, match="a code table that it looks up in has changed"):
            self.approvable(database, version, seen)
        again = backtests.run(database, earning.partner.id, version, now=NOW + timedelta(minutes=1)).id
        assert self.approvable(database, version, again) is not None
