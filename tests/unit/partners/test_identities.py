"""Under which number the store knows a member, and when."""

from datetime import date

import pytest

from chalicelib.partners.members import identities
from chalicelib.storage.engine import Database
from tests.factories.partners import make_member, make_partner, number_customer

pytestmark = pytest.mark.usefixtures("data_key")

MARCH, JUNE = date(2026, 3, 1), date(2026, 6, 1)


class TestCustomerNumbers:
    def test_are_those_of_the_day(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            one, other = make_member(db, partner, "E1"), make_member(db, partner, "E2")
            number_customer(db, one, "0001", MARCH, date(2026, 5, 31))
            number_customer(db, one, "0002", JUNE)

            def on(day):
                return identities.customer_numbers(db, [one.id, other.id], on=day)

            assert on(date(2026, 2, 28)) == {}
            assert on(MARCH) == {one.id: "0001"}
            assert on(date(2026, 5, 31)) == {one.id: "0001"}
            assert on(JUNE) == {one.id: "0002"}

    def test_are_not_employee_numbers(self, database: Database):
        with database.write() as db:
            member = make_member(db, make_partner(db), "E1")
            today = date(2026, 11, 20)
            assert identities.customer_numbers(db, [member.id], on=today) == {}
            assert identities.customer_numbers(db, [member.id], system="hrms", on=today) == {member.id: "E1"}
