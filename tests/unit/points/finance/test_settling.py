"""The way to a settlement: slices that may die anywhere, that read what is new alone, and that name each entry once."""

from datetime import date

import pytest
from sqlalchemy import delete, text, update

from chalicelib.files.exporting import books
from chalicelib.points.finance import figures, settlements, settling
from chalicelib.points.finance.settlements import SettlementRunning
from chalicelib.points.models.books import settlement_range
from chalicelib.points.proof import checks
from tests.factories import partners, points
from tests.factories.finance import VALUE, at, settled_by, with_terms
from tests.factories.points import CALLER, redeem

NOVEMBER = at(date(2026, 11, 1))
DECEMBER = at(date(2026, 12, 1))
MEMBERS = 5
CODE = "settled_otherwise_than_once"


@pytest.fixture
def crowd(database, earning, monkeypatch):
    """Five members more, each of whom earned 15 points in October; settlements look at two accounts at once."""
    monkeypatch.setattr(settling, "SLICE_ACCOUNTS", 2)
    with database.write() as db:
        made = with_terms(db, earning, value=VALUE)
        settled_by(db, made)
        people = partners.make_members(db, made.partner, MEMBERS)
        events = [points.event(employee_id=number, event_date=date(2026, 10, 1)) for number in ["E1", *people]]
        points.record(db, made.partner, events, now=at(date(2026, 10, 2)))
        redeem(db, made, 500, now=at(date(2026, 10, 3)))
    return made


def begin(database, of, period="2026-10", now=NOVEMBER):
    return database.run(lambda db: settling.begin(db, of.partner, period, caller=CALLER, now=now)).run


def ended(database, of, period="2026-10", now=NOVEMBER):
    return settling.run_all(database, begin(database, of, period, now), clock=lambda: now)


@pytest.mark.usefixtures("provable")
class TestSlices:
    def test_name_every_entry_once_and_end_with_the_settlement(self, database, crowd):
        run = begin(database, crowd)
        slices, made = 0, None
        while made is None:
            run, made = database.run(lambda db, of=run: settling.run_slice(db, of.id, now=NOVEMBER))
            slices += 1
        with database.read() as db:
            [line] = figures.stored(db, made.id)

        assert (slices, made.entries, run.state) == (4, MEMBERS + 2, "done")
        assert (line.given_minor, line.redeemed_minor) == ((MEMBERS + 1) * 1500, 500)

    def test_that_died_go_on_where_the_last_one_ended(self, database, crowd):
        run = begin(database, crowd)
        database.run(lambda db: settling.run_slice(db, run.id, now=NOVEMBER))
        with database.engine.connect() as db:
            db.info["purpose"] = "write"
            dies_before_its_commit = db.begin()
            settling.run_slice(db, run.id, now=NOVEMBER)
            dies_before_its_commit.rollback()

        found = books.go_on(database, clock=lambda: NOVEMBER)

        with database.read() as db:
            [made] = settlements.of_period(db, crowd.partner.id, "2026-10")
        assert (found.settled, made.entries) == (1, MEMBERS + 2)

    def test_of_one_that_is_done_change_nothing(self, database, crowd):
        run = begin(database, crowd)
        made = settling.run_all(database, run, clock=lambda: NOVEMBER)

        assert settling.run_all(database, run, clock=lambda: NOVEMBER) == made
        assert books.go_on(database, clock=lambda: NOVEMBER) == (0, 0, {})

    def test_have_whoever_asks_meanwhile_go_on_with_them_or_wait(self, database, crowd):
        run = begin(database, crowd)
        with database.write() as db:
            again = settling.settle(db, crowd.partner, "2026-10", caller=CALLER, now=NOVEMBER, slices_max=1)
            with pytest.raises(SettlementRunning):
                settling.begin(db, crowd.partner, "2026-11", caller=CALLER, now=DECEMBER)

        assert (again.made, again.run.id, again.run.checkpoint > run.checkpoint) == (None, run.id, True)

    def test_of_another_month_leave_what_is_settled_to_be_asked_for(self, database, crowd):
        october = ended(database, crowd)
        begin(database, crowd, "2026-11", DECEMBER)
        given = {"reason": "a test", "posting_date": date(2026, 12, 2), "caller": CALLER, "now": DECEMBER}
        with database.write() as db:
            again = settling.settle(db, crowd.partner, "2026-10", caller=CALLER, now=DECEMBER)
            with pytest.raises(SettlementRunning):
                settlements.take_back(db, october.id, **given)

        assert (again.made, again.new) == (october, False)

    def test_name_the_same_entries_again_once_it_was_taken_back(self, database, crowd):
        first = ended(database, crowd)
        given = {"reason": "a test", "posting_date": date(2026, 11, 2), "caller": CALLER, "now": NOVEMBER}
        with database.write() as db:
            redeem(db, crowd, 100, now=at(date(2026, 10, 31)))
            settlements.take_back(db, first.id, **given)

        second = ended(database, crowd)

        assert (second.part, second.entries) == (3, first.entries)

    def test_wait_for_what_a_person_must_mend_and_then_go_on(self, database, crowd):
        with database.write() as db:
            worthless = with_terms(db, crowd)
        first = books.close_month(database, clock=lambda: NOVEMBER)
        again = books.go_on(database, clock=lambda: NOVEMBER)
        with database.write() as db:
            with_terms(db, worthless, value=VALUE)
        mended = books.go_on(database, clock=lambda: NOVEMBER)

        refused = {crowd.partner.code: "point_value_missing"}
        assert (first, again) == ((0, 0, refused), (0, 0, refused))
        assert (mended.settled, mended.refused) == (1, {})


class TestRowsRead:
    @pytest.mark.usefixtures("data_key")
    def test_do_not_grow_with_what_was_settled_before(self, mariadb_database):
        with mariadb_database.write() as db:
            made = points.make_earning(db)
            made = with_terms(db, made, value=VALUE)
            settled_by(db, made)
        read = []
        for month, events in ((1, 5), (2, 5), (3, 300), (4, 5), (5, 5)):
            with mariadb_database.write() as db:
                now = at(date(2026, month, 2))
                of_month = [points.event(event_date=date(2026, month, 1)) for _ in range(events)]
                points.record(db, made.partner, of_month, now=now)
            read.append(self._rows_read(mariadb_database, made, f"2026-{month:02}", at(date(2026, month + 1, 2))))

        # The month of 300 entries reads 300 more, and the months after it do not read them again.
        assert read[2] > read[1] + 300
        assert read[4] - read[1] < 60

    @staticmethod
    def _rows_read(database, of, period, now):
        run = begin(database, of, period, now)
        with database.write() as db:
            before = _read_by_server(db)
            settling.run_slice(db, run.id, now=now)
            return _read_by_server(db) - before


def _read_by_server(db):
    rows = db.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()
    return sum(int(row[1]) for row in rows)


class TestTheProof:
    """Each of the ways in which an entry could be invoiced never, or twice."""

    @pytest.fixture
    def settled(self, database, crowd):
        ended(database, crowd)
        with database.write() as db:
            redeem(db, crowd, 100, now=at(date(2026, 11, 5)))
            redeem(db, crowd, 100, now=at(date(2026, 11, 6)))
        ended(database, crowd, "2026-11", DECEMBER)
        return crowd

    @staticmethod
    def _found(database, plant):
        """What the proof says once something was planted; nothing of it stays."""
        with database.engine.connect() as db:
            db.info["purpose"] = "write"
            planted = db.begin()
            assert db.execute(plant).rowcount
            found = {(each.code, each.subject) for each in checks.check(db)}
            planted.rollback()
        return found

    @pytest.mark.usefixtures("settled")
    def test_is_silent_about_months_that_follow_each_other(self, database):
        with database.read() as db:
            assert checks.check(db) == []

    def test_names_an_account_with_an_entry_that_was_passed_over(self, database, settled):
        of_november = (settlement_range.c.account_id == settled.account_id) & (settlement_range.c.first_entry_no == 3)

        found = self._found(database, update(settlement_range).where(of_november).values(first_entry_no=4))

        assert found == {(CODE, settled.account_id)}

    def test_names_one_with_an_entry_in_two_settlements(self, database, settled):
        of_november = (settlement_range.c.account_id == settled.account_id) & (settlement_range.c.first_entry_no == 3)

        found = self._found(database, update(settlement_range).where(of_november).values(first_entry_no=2))

        assert found == {(CODE, settled.account_id)}

    def test_names_one_whose_first_settlement_is_gone(self, database, settled):
        of_october = (settlement_range.c.account_id == settled.account_id) & (settlement_range.c.first_entry_no == 1)

        assert self._found(database, delete(settlement_range).where(of_october)) == {(CODE, settled.account_id)}

    def test_names_one_with_entries_settled_that_there_are_not(self, database, settled):
        of_november = (settlement_range.c.account_id == settled.account_id) & (settlement_range.c.first_entry_no == 3)

        found = self._found(database, update(settlement_range).where(of_november).values(last_entry_no=9))

        assert found == {(CODE, settled.account_id)}

    def test_is_silent_while_a_month_is_taken_back_and_settled_again(self, database, settled):
        with database.write() as db:
            [october] = settlements.of_period(db, settled.partner.id, "2026-10")
            given = {"reason": "a test", "posting_date": date(2026, 12, 2), "caller": CALLER, "now": DECEMBER}
            settlements.take_back(db, october.id, **given)
            assert checks.check(db) == []
        ended(database, settled, "2026-10", DECEMBER)
        with database.read() as db:
            assert checks.check(db) == []
