"""Programs: business dates, expiry, and what they say to a manifest again."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chalicelib.errors import Conflict, InvalidInput
from chalicelib.partners import directory
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, make_partner, make_program


@pytest.fixture
def program(sqlite_database: Database):
    """A function that makes a program with other properties."""

    def make(**values):
        with sqlite_database.write() as db:
            return make_program(db, make_partner(db), **values)

    return make


class TestExpiresOn:
    @pytest.mark.parametrize(
        ("expires", "earned", "last_day"),
        [
            ({"months": 24}, date(2026, 1, 15), date(2028, 1, 15)),
            ({"months": 1}, date(2026, 1, 31), date(2026, 2, 28)),
            ({"months": 1}, date(2028, 1, 31), date(2028, 2, 29)),
            ({"months": 12}, date(2028, 2, 29), date(2029, 2, 28)),
            ({"days": 90}, date(2026, 11, 20), date(2027, 2, 18)),
            ({"months": 600}, date(9990, 1, 1), NEVER),
            ({"days": 36500}, date(9990, 1, 1), NEVER),
            (None, date(2026, 1, 15), NEVER),
        ],
    )
    def test_is_the_last_day_the_points_may_be_spent(self, program, expires, earned, last_day):
        assert programs.expires_on(program(lots={"expires": expires}), earned) == last_day


class TestBusinessDate:
    @pytest.mark.parametrize(
        ("time_zone", "moment", "day"),
        [
            ("America/Chicago", datetime(2026, 11, 20, 5, 59, tzinfo=UTC), date(2026, 11, 19)),
            ("America/Chicago", datetime(2026, 11, 20, 6, 0, tzinfo=UTC), date(2026, 11, 20)),
            ("America/Chicago", datetime(2026, 7, 20, 5, 0, tzinfo=UTC), date(2026, 7, 20)),
            ("Asia/Tokyo", datetime(2026, 11, 20, 15, 0, tzinfo=UTC), date(2026, 11, 21)),
        ],
    )
    def test_is_the_date_at_the_place(self, program, time_zone, moment, day):
        assert programs.business_date(moment, program(time_zone=time_zone)) == day

    def test_of_an_unknown_zone_is_refused(self, program):
        with pytest.raises(InvalidInput):
            programs.business_date(NOW, program(time_zone="Mars/Olympus"))


class TestCreate:
    def test_twice_under_one_code_is_refused(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_program(db, partner)
            with pytest.raises(Conflict):
                make_program(db, partner)
            assert list(programs.of_partner(db, partner.id)) == ["uniform"]

    def test_under_the_code_of_another_partners_is_no_clash(self, database: Database):
        with database.write() as db:
            one, other = make_partner(db), make_partner(db)
            assert make_program(db, one).id != make_program(db, other).id


class TestChange:
    def test_to_what_it_is_already_writes_nothing(self, database: Database):
        with database.write() as db:
            program = make_program(db, make_partner(db))
            later = datetime(2027, 1, 1, tzinfo=UTC)
            same = programs.change(db, program, programs.spec_of(program), caller=CALLER, now=later)
            assert same == programs.by_id(db, program.id)
            assert same.changed_at == NOW

    def test_keeps_the_exact_numbers_of_a_condition(self, database: Database):
        condition = {"when": {">=": [{"coalesce": [{"var": "fte_pct"}, 0]}, Decimal("62.50")]}}
        with database.write() as db:
            program = make_program(db, make_partner(db), enrolment=condition)
        assert str(program.enrolment["when"][">="][1]) == "62.50"


class TestPartner:
    def test_of_a_code_that_is_taken_is_refused(self, database: Database):
        with database.write() as db:
            make_partner(db, "acme")
            with pytest.raises(Conflict):
                make_partner(db, "acme")

    def test_that_is_suspended_is_not_to_be_acted_for(self, database: Database):
        with database.write() as db:
            partner = make_partner(db, "acme")
            directory.require_active(partner)
            suspended = directory.change_status(db, partner, "suspended", reason="Unpaid", caller=CALLER, now=NOW)
            with pytest.raises(InvalidInput, match="suspended since 2026-11-20"):
                directory.require_active(suspended)
