"""The programs of a police force, each from roster to close-out: pieces by garment group, a starter set, an allowance,
and off-duty wear that officers pay for themselves. What comes out was worked out by hand.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chalicelib.access.caller import Caller
from chalicelib.partners.members import members
from chalicelib.partners.programs import catalogs, programs
from chalicelib.partners.programs.catalogs import Group, Item
from chalicelib.points.carts import eligibility, tender_steps, tenders
from chalicelib.points.carts.eligibility import CartLine
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.ledger import balances
from chalicelib.points.terms import close_outs, expirations, grants, increases
from tests.factories.points import CALLER
from tests.factories.samples import PERSON, told

pytestmark = pytest.mark.usefixtures("aws")

OFFICER = "N-1,A,Ada,Byron,2024-03-01,PATROL,,US,100,2026-01-01"
RECRUIT = "N-2,A,Alan,Turing,2026-11-16,DETECTIVE,,US,62.5,2026-11-16"
NOVEMBER = datetime(2026, 11, 20, 18, tzinfo=UTC)
MANAGER = Caller("key_00000000000000000000000009", "test-market")


class Force:
    """The force with two people, at a moment that a story moves on."""

    def __init__(self, hub) -> None:
        self.hub = hub
        self.now = NOVEMBER
        told(hub, "hr_roster", PERSON, OFFICER, RECRUIT)
        with hub.database.write() as db:
            self.programs = programs.of_partner(db, hub.partner.id)
            for code, of in (("shirts", "shirts"), ("jackets", "jackets"), ("starter", None)):
                groups = [Group(of, None)] if of else []
                items = [Item("sku", f"{code.upper()}-1", of, None)]
                catalogs.replace(db, self.programs[code], groups, items, caller=CALLER, now=self.now)
            kit = [Item("category", "gear", "gear", None)]
            gear = Group("gear", 4, 12, date(2026, 1, 1))
            catalogs.replace(db, self.programs["gear"], [gear], kit, caller=CALLER, now=self.now)
            fleece = [Item("category", "fleece", None, None), Item("category", "insignia", None, None)]
            catalogs.replace(db, self.programs["off-duty"], [], fleece, caller=CALLER, now=self.now)

    def grant(self):
        return grants.run(self.hub.database, caller=CALLER, clock=lambda: self.now)

    def member(self, db, number):
        ref = members.by_employee(db, self.hub.partner.id, [number])[number]
        return members.as_of(db, [ref], self.now.date())[0]

    def has(self, number):
        with self.hub.database.read() as db:
            found = balances.of(db, self.member(db, number).id, now=self.now)
            return {each.program_code: str(each.amount(each.available_minor)) for each in found}

    def check(self, number, *lines):
        with self.hub.database.read() as db:
            found = eligibility.check(db, self.member(db, number), lines, now=self.now).verdicts
            return [(said.eligible, said.reason, said.program.code if said.program else None) for said in found]

    def buy(self, number, code, *lines, reference="cart"):
        with self.hub.database.write() as db:
            wanted = NewTender(lines, reference, "order-1")
            who = self.member(db, number)
            return tenders.place(db, self.programs[code], who, wanted, caller=CALLER, now=self.now)[0]

    def ship(self, code, made, **pieces):
        with self.hub.database.write() as db:
            how = {"reference": "shipment", "caller": CALLER, "now": self.now}
            return tender_steps.capture(db, self.programs[code], made.id, pieces, **how).moved

    def back(self, code, made, **pieces):
        with self.hub.database.write() as db:
            how = {"reference": "return", "caller": CALLER, "now": self.now}
            return tender_steps.refund(db, self.programs[code], made.id, pieces, **how).moved

    def leave(self, row):
        told(self.hub, "hr_roster", f"{PERSON},term_date", row)
        close_outs.run(self.hub.database, caller=CALLER, clock=lambda: self.now)

    def expire(self):
        expirations.run(self.hub.database, clock=lambda: self.now)


@pytest.fixture
def force(onboard) -> Force:
    return Force(onboard("northgate-police"))


def piece(sku, quantity=1, *, price="30.00", category=None):
    return CartLine("a", quantity, sku, category, price=Decimal(price), currency="USD")


class TestWhatTheScheduleGrants:
    def test_is_what_the_clothing_scale_says(self, force):
        granted = force.grant()

        # Ada: shirts from 1 January, a jacket on 1 July, 250 dollars. Alan joined on 16 November: a starter set by his
        # part-time factor, shirts, a jacket for the year that began in July, and 46 of 365 days of 400 dollars.
        assert force.has("N-1") == {"shirts": "5", "jackets": "1", "gear": "250.00"}
        assert force.has("N-2") == {"shirts": "5", "jackets": "1", "starter": "8", "gear": "50.41"}
        assert not granted.rejected
        assert force.grant().events == 0

    def test_renews_by_calendar_fiscal_and_rolling_year(self, force):
        force.grant()
        force.now = datetime(2028, 11, 20, 18, tzinfo=UTC)
        force.expire()
        force.grant()

        # Alan's shirts are renewed on 16 November 2028, and those of 2026 were his until that day. The jacket is that
        # of July 2028, those of 2026 and 2027 expired at the end of July of the year after; the dollars are 2028's.
        assert force.has("N-2") == {"shirts": "5", "jackets": "1", "starter": "0", "gear": "400.00"}


class TestAllotmentInPieces:
    def test_from_grant_to_close_out(self, force):
        force.grant()
        assert force.check("N-1", piece("SHIRTS-1", 5)) == [(True, "eligible", "shirts")]
        assert force.check("N-1", piece("SHIRTS-1", 6)) == [(False, "allotment_used", "shirts")]

        made = force.buy("N-1", "shirts", piece("SHIRTS-1", 3))
        assert (made.points_minor, made.cash_minor) == (3, 0)
        assert force.check("N-1", piece("SHIRTS-1", 3)) == [(False, "allotment_used", "shirts")]
        [moved] = force.ship("shirts", made, a=2)
        assert (moved.points_minor, moved.cash_minor) == (2, 0)
        [moved] = force.back("shirts", made, a=1)
        assert (moved.points_minor, moved.cash_minor) == (1, 0)
        # Five, less one that was kept, less one that is still held.
        assert force.has("N-1")["shirts"] == "3"

        force.leave("N-1,T,Ada,Byron,2024-03-01,PATROL,,US,100,2026-11-20,2026-11-19")
        assert force.has("N-1")["shirts"] == "0"

    def test_a_manager_grants_more(self, force):
        force.grant()
        with force.hub.database.write() as db:
            who, shirts = force.member(db, "N-1"), force.programs["shirts"]
            how = {"reference": "torn", "reason": "Torn on duty.", "caller": CALLER, "now": force.now}
            asked, _ = increases.request(db, shirts, who.id, 2, **how)
            increases.decide(db, shirts, asked.id, approve=True, comment=None, caller=MANAGER, now=force.now)
        assert force.has("N-1")["shirts"] == "7"


class TestStarterSet:
    def test_is_given_once_and_ends_with_its_half_year(self, force):
        force.grant()
        made = force.buy("N-2", "starter", piece("STARTER-1", 5))
        force.ship("starter", made)
        assert force.has("N-2")["starter"] == "3"

        force.now = datetime(2027, 5, 16, 18, tzinfo=UTC)
        force.expire()
        assert force.grant().rejected == {}
        assert force.has("N-2")["starter"] == "0"


class TestAllowance:
    def test_a_card_pays_what_the_allowance_does_not(self, force):
        force.grant()
        boots = piece("BOOTS", 2, price="150.00", category="gear")
        assert force.check("N-1", boots) == [(True, "eligible", "gear")]
        made = force.buy("N-1", "gear", boots)
        assert (made.points_minor, made.cash_minor) == (25000, 5000)
        force.ship("gear", made)
        # Points first: the whole of one pair.
        [moved] = force.back("gear", made, a=1)
        assert (moved.points_minor, moved.cash_minor) == (15000, 0)
        assert force.has("N-1")["gear"] == "150.00"
        assert force.check("N-1", piece("BELT", 4, category="gear")) == [(False, "quantity_limit", "gear")]

    def test_who_leaves_keeps_the_share_of_the_days_and_spends_it_in_time(self, force):
        force.grant()
        force.leave("N-1,T,Ada,Byron,2024-03-01,PATROL,,US,100,2026-11-20,2026-11-19")
        # 42 of 365 days of 250 dollars are 28.767…
        assert force.has("N-1")["gear"] == "221.24"
        assert force.check("N-1", piece("BELT", 1, category="gear")) == [(True, "eligible", "gear")]
        force.now = datetime(2026, 12, 4, 18, tzinfo=UTC)
        close_outs.run(force.hub.database, caller=CALLER, clock=lambda: force.now)
        assert force.has("N-1")["gear"] == "0.00"

    def test_the_rest_expires_with_the_year(self, force):
        force.grant()
        force.now = datetime(2027, 1, 1, 18, tzinfo=UTC)
        force.expire()
        assert force.has("N-1")["gear"] == "0.00"
        force.grant()
        assert force.has("N-1")["gear"] == "250.00"


class TestOnConsumption:
    def test_the_officer_pays_and_the_rule_says_who_may_buy(self, force):
        fleece, badge = piece(None, category="fleece"), piece(None, category="insignia")
        assert force.check("N-1", fleece) == [(True, "eligible", "off-duty")]
        assert force.check("N-2", fleece) == [(False, "first_year_of_service", "off-duty")]
        assert force.check("N-1", badge) == [(False, "insignia_not_sold", "off-duty")]

        made = force.buy("N-1", "off-duty", fleece)
        assert (made.points_minor, made.cash_minor, made.hold_id) == (0, 3000, None)
        [moved] = force.ship("off-duty", made)
        assert (moved.points_minor, moved.cash_minor) == (0, 3000)
        [moved] = force.back("off-duty", made, a=1)
        assert (moved.points_minor, moved.cash_minor) == (0, 3000)
