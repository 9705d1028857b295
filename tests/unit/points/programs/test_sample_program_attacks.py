"""The sample programs under what must not pay: lines sent twice, other units, other days, other orders, missing facts.

Each story tells the contract (``why`` of the rule) what it owes, in numbers that were worked out by hand.
"""

from datetime import timedelta

import pytest

from tests.factories import samples
from tests.factories.samples import EVENT, PERSON, earned, send, told

pytestmark = pytest.mark.usefixtures("aws")

MONEY = f"{EVENT},amount,currency"
HARBOR_PERSON = "H-1,A,Ada,Byron,2016-06-15,REZ,E3,DE,100,2026-01-01"
ROSTERS = {
    "vega-motors": "vega-motors/hr_roster/people_2026-11.csv",
    "fairfield": "fairfield/hr_roster/colleagues_2026-11.csv",
    "metro-transit": "metro-transit/hr_roster/employees_2026-11.csv",
    "st-brigid": "st-brigid/hr_roster/staff_2026-11.csv",
}


class TestOtherUnits:
    @pytest.mark.parametrize(
        ("partner", "row"),
        [
            ("vega-motors", "workwear,u-1,V-2001,HOURS,2026-10-30,480,MIN"),
            ("fairfield", "shop-points,u-1,F-1001,SPEND,2026-11-05,100,JPY"),
            ("fairfield", "shop-points,u-1,F-1001,SPEND,2026-11-05,100,HOUR"),
            ("metro-transit", "uniform,u-1,M-301,ALLOWANCE,2026-09-30,1,HOUR"),
            ("metro-transit", "night-duty,u-1,M-301,HOURS,2026-10-16,480,MIN"),
            ("metro-transit", "night-duty,u-1,M-301,BONUS,2026-10-16,8,HOUR"),
            ("st-brigid", "scrubs,u-1,B-101,ALLOWANCE,2026-10-31,8,HOUR"),
        ],
    )
    def test_are_refused_by_name_and_neither_paid_nor_passed_over(self, onboard, partner, row):
        hub = onboard(partner)
        samples.drop(hub, ROSTERS[partner])

        assert send(hub, "accruals", EVENT, row) == [("rule_refused", "unit")]
        assert earned(hub, row.partition(",")[0]) == {}

    @pytest.mark.parametrize(
        "row", ["HOURS,2026-10-20,480,MIN", "SPEND,2026-10-20,100,JPY", "BONUS,2026-10-20,100,USD"]
    )
    def test_are_refused_by_the_airline_for_each_kind_of_event(self, onboard, row):
        hub = onboard("aurora-air")
        told(hub, "hr_roster", PERSON, "X-1,A,Ada,Byron,2024-01-15,31,,US,100,2026-10-01")

        assert send(hub, "accruals", EVENT, f"uniform,u-1,X-1,{row}") == [("rule_refused", "unit")]


class TestTenureTiers:
    def test_grants_do_not_fill_the_cap_in_whichever_order_they_come(self, onboard):
        hub = onboard("aurora-air")
        people = [f"X-{number},A,Ada,Byron,2024-01-15,31,,US,100,2026-10-01" for number in (1, 2)]
        told(hub, "hr_roster", PERSON, *people)
        told(
            hub,
            "accruals",
            EVENT,
            "uniform,a-1,X-1,BONUS,2026-10-20,400,POINT",
            "uniform,a-2,X-1,HOURS,2026-10-21,100,HOUR",
            "uniform,b-1,X-2,HOURS,2026-10-21,100,HOUR",
            "uniform,b-2,X-2,BONUS,2026-10-20,400,POINT",
        )

        # 400 granted, and 100 hours at 1.25.
        assert earned(hub, "uniform") == {"X-1": "525.00", "X-2": "525.00"}

    def test_hours_and_purchases_share_one_cap_beside_the_grants(self, onboard):
        hub = onboard("aurora-air")
        told(hub, "hr_roster", PERSON, "X-1,A,Ada,Byron,2024-01-15,31,,US,100,2026-10-01")
        told(hub, "accruals", EVENT, "uniform,c-1,X-1,HOURS,2026-10-20,300,HOUR")
        told(hub, "accruals", EVENT, "uniform,c-2,X-1,ANNIVERSARY,2026-10-21,50,POINT")
        told(hub, "accruals", EVENT, "uniform,c-3,X-1,SPEND,2026-10-22,100,USD")

        # 375 of 400; 50 granted; of the purchase's 50 the 25 that are left.
        assert earned(hub, "uniform") == {"X-1": "450.00"}


class TestPartTimeFactor:
    def test_a_month_is_paid_once_however_many_lines_name_it(self, onboard):
        hub = onboard("harbor-hotels")
        told(hub, "hr_roster", PERSON, HARBOR_PERSON)
        told(
            hub,
            "accruals",
            EVENT,
            "wardrobe,m-1,H-1,ALLOWANCE,2026-06-29,1,POINT",
            "wardrobe,m-2,H-1,ALLOWANCE,2026-06-30,1,POINT",
            "wardrobe,m-3,H-1,ALLOWANCE,2026-07-31,1,POINT",
        )

        # 40.00 of June and 42.50 of July.
        assert earned(hub, "wardrobe") == {"H-1": "82.50"}

    def test_an_anniversary_is_paid_once_in_its_month_and_not_before_the_day(self, onboard):
        hub = onboard("harbor-hotels")
        told(hub, "hr_roster", PERSON, HARBOR_PERSON)
        days = ("2026-05-15", "2026-06-14", "2026-06-15", "2026-06-16", "2026-07-15")
        for number, day in enumerate(days):
            told(hub, "accruals", EVENT, f"wardrobe,j-{number},H-1,ANNIVERSARY,{day},1,POINT")
        # A bonus of the month is no anniversary, and fills nothing.
        told(hub, "accruals", EVENT, "wardrobe,b-1,H-1,BONUS,2026-06-01,5,POINT")

        assert earned(hub, "wardrobe") == {"H-1": "155.00"}

    @pytest.mark.parametrize(("grade", "fte", "column"), [("", "100", "grade"), ("E3", "", "fte_pct")])
    def test_who_has_no_grade_or_factor_is_refused_an_allowance_and_nothing_else(self, onboard, grade, fte, column):
        hub = onboard("harbor-hotels")
        told(hub, "hr_roster", PERSON, f"H-1,A,Ada,Byron,2016-06-15,REZ,{grade},DE,{fte},2026-01-01")

        allowance = "wardrobe,n-1,H-1,ALLOWANCE,2026-06-30,1,POINT"
        assert send(hub, "accruals", EVENT, allowance) == [("rule_refused", column)]
        told(hub, "accruals", EVENT, "wardrobe,n-2,H-1,SPEND,2026-06-30,80,EUR")
        told(hub, "accruals", EVENT, "wardrobe,n-3,H-1,BONUS,2026-06-30,12.5,POINT")
        assert earned(hub, "wardrobe") == {"H-1": "12.50"}


class TestProRataOfHireAndLeave:
    def test_a_month_is_paid_once_and_on_its_last_day(self, onboard):
        hub = onboard("st-brigid")
        samples.drop(hub, ROSTERS["st-brigid"])
        told(hub, "accruals", EVENT, "scrubs,e-1,B-101,ALLOWANCE,2026-10-15,0,POINT")
        assert earned(hub, "scrubs") == {}

        told(
            hub,
            "accruals",
            EVENT,
            "scrubs,e-2,B-101,ALLOWANCE,2026-10-31,0,POINT",
            "scrubs,e-3,B-101,ALLOWANCE,2026-10-31,0,POINT",
        )
        told(hub, "accruals", EVENT, "scrubs,e-4,B-101,ALLOWANCE,2026-10-31,0,POINT")
        assert earned(hub, "scrubs") == {"B-101": "24.00"}

    def test_a_leavers_month_is_paid_once_on_the_last_day_or_at_the_months_end(self, onboard):
        hub = onboard("st-brigid")
        hub.lateness = timedelta(days=30)
        samples.drop(hub, ROSTERS["st-brigid"])
        told(hub, "accruals", EVENT, "scrubs,l-1,B-104,ALLOWANCE,2026-11-09,0,POINT")
        told(hub, "accruals", EVENT, "scrubs,l-2,B-104,ALLOWANCE,2026-11-09,0,POINT")

        # Nine of 30 days of 24.
        assert earned(hub, "scrubs") == {"B-104": "7.20"}


class TestAnniversaryGrants:
    @pytest.mark.parametrize("days", [("2026-12-20", "2027-01-05"), ("2027-01-05", "2026-12-20")])
    def test_one_anniversary_does_not_pay_twice_over_new_year(self, onboard, days):
        hub = onboard("st-brigid")
        hub.lateness = timedelta(days=60)
        told(hub, "hr_roster", PERSON, "B-1,A,Ada,Byron,2016-12-20,RN,,IE,100,2026-01-01")
        for number, day in enumerate(days):
            told(hub, "accruals", EVENT, f"service-awards,y-{number},B-1,ANNIVERSARY,{day},1,POINT")

        assert earned(hub, "service-awards") == {"B-1": "80.00"}

    @pytest.mark.parametrize(
        ("hired", "points"),
        [
            ("1961-10-20", "150.00"),
            ("1966-10-20", "150.00"),
            ("1971-10-20", "150.00"),
            ("1976-10-20", "150.00"),
            ("2001-10-20", "150.00"),
        ],
    )
    def test_every_fifth_year_from_the_twenty_fifth_on_is_paid_once(self, onboard, hired, points):
        hub = onboard("st-brigid")
        told(hub, "hr_roster", PERSON, f"B-1,A,Ada,Byron,{hired},RN,,IE,100,2026-01-01")
        told(hub, "accruals", EVENT, "service-awards,z-1,B-1,ANNIVERSARY,2026-10-20,1,POINT")
        told(hub, "accruals", EVENT, "service-awards,z-2,B-1,ANNIVERSARY,2026-10-20,1,POINT")

        assert earned(hub, "service-awards") == {"B-1": points}

    @pytest.mark.parametrize("hired", ["1970-10-20", "2000-10-20", "2011-10-20", "2022-10-20"])
    def test_the_years_between_have_none(self, onboard, hired):
        hub = onboard("st-brigid")
        told(hub, "hr_roster", PERSON, f"B-1,A,Ada,Byron,{hired},RN,,IE,100,2026-01-01")
        told(hub, "accruals", EVENT, "service-awards,z-1,B-1,ANNIVERSARY,2026-10-20,1,POINT")

        assert earned(hub, "service-awards") == {}


class TestCurrencyByDatedTable:
    def test_hours_are_of_the_other_program_and_a_purchase_without_its_amount_is_refused(self, onboard):
        hub = onboard("vega-motors")
        samples.drop(hub, ROSTERS["vega-motors"])

        told(hub, "accruals", EVENT, "brand-store,h-1,V-2001,HOURS,2026-10-20,8,HOUR")
        without = [
            "brand-store,h-2,V-2001,SPEND,2026-10-20,30,EUR,,",
            "brand-store,h-3,V-2001,SPEND,2026-10-20,30,EUR,30,",
            "brand-store,h-4,V-2001,SPEND,2026-10-20,30,EUR,,EUR",
            "brand-store,h-5,V-2001,SPEND,2026-10-20,1,POINT,30.00,EUR",
        ]
        assert send(hub, "accruals", MONEY, *without) == [("rule_refused", "amount")] * 3

        # The amount counts, not the quantity: two points a euro.
        assert earned(hub, "brand-store") == {"V-2001": "60.00"}


class TestOneOffBonus:
    def test_a_bonus_of_no_campaign_is_none_of_it(self, onboard):
        hub = onboard("fairfield")
        samples.drop(hub, ROSTERS["fairfield"])

        told(hub, "accruals", EVENT, "jubilee,g-1,F-1001,BONUS,2026-11-02,1,POINT")

        assert earned(hub, "jubilee") == {}


class TestUnionAgreements:
    def test_a_quarter_is_paid_once_and_never_more_than_whole(self, onboard):
        hub = onboard("metro-transit")
        samples.drop(hub, ROSTERS["metro-transit"])
        twice = "uniform,q-0,M-301,ALLOWANCE,2026-09-30,2,POINT"
        assert send(hub, "accruals", EVENT, twice) == [("rule_refused", "quantity")]

        told(hub, "accruals", EVENT, "uniform,q-1,M-301,ALLOWANCE,2026-07-31,1,POINT")
        told(hub, "accruals", EVENT, "uniform,q-2,M-301,ALLOWANCE,2026-09-30,1,POINT")
        told(hub, "accruals", EVENT, "uniform,q-3,M-301,HOURS,2026-09-30,160,HOUR")

        assert earned(hub, "uniform") == {"M-301": "66.00"}
