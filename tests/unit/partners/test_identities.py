"""Under which number the store knows a member, and when."""

from datetime import date

import pytest

from chalicelib.errors import Conflict
from chalicelib.partners import identities
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, make_member, make_partner

pytestmark = pytest.mark.usefixtures("data_key")

MARCH = date(2026, 3, 1)


def link(db, member, number, valid_from=MARCH):
    identities.link(
        db,
        partner_id=member.partner_id,
        member_id=member.id,
        system="sfcc",
        external_id=number,
        valid_from=valid_from,
        caller=CALLER,
        now=NOW,
    )


class TestCustomerNumbers:
    def test_are_those_of_the_day(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            one, other = make_member(db, partner, "E1"), make_member(db, partner, "E2")
            link(db, one, "0001")
            link(db, one, "0002", date(2026, 6, 1))
            link(db, one, "0002", date(2026, 7, 1))

            def on(day):
                return identities.customer_numbers(db, [one.id, other.id], on=day)

            assert on(date(2026, 2, 28)) == {}
            assert on(MARCH) == {one.id: "0001"}
            assert on(date(2026, 5, 31)) == {one.id: "0001"}
            assert on(date(2026, 6, 1)) == {one.id: "0002"}

    def test_are_not_employee_numbers(self, database: Database):
        with database.write() as db:
            member = make_member(db, make_partner(db), "E1")
            today = date(2026, 11, 20)
            assert identities.customer_numbers(db, [member.id], on=today) == {}
            assert identities.customer_numbers(db, [member.id], system="hrms", on=today) == {member.id: "E1"}

    def test_stand_for_one_member_only(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            one, other = make_member(db, partner, "E1"), make_member(db, partner, "E2")
            link(db, one, "0001")
            with pytest.raises(Conflict):
                link(db, other, "0001", date(2026, 5, 1))
