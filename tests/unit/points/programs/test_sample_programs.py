"""The ten sample programs (docs/programs.md), each by a story: files go in, and what comes out was worked out by hand.

Two of them are older and have their own files in other forms; their stories here use the hub's own layouts.
"""

from datetime import UTC, datetime

import pytest

from chalicelib.language import parse_json
from tests.factories import samples
from tests.factories.files import Hub
from tests.factories.samples import EVENT, PERSON, SAMPLES, earned, rejected, told

pytestmark = pytest.mark.usefixtures("aws")


class TestTenureTiers:
    def test_an_hour_earns_more_from_the_day_of_two_years_on(self, onboard):
        hub = onboard("aurora-air")
        told(hub, "hr_roster", PERSON, "X-1,A,Ada,Byron,2024-10-20,31,,US,100,2026-10-01")
        told(
            hub,
            "accruals",
            EVENT,
            "uniform,x-1,X-1,HOURS,2026-10-19,10,HOUR",
            "uniform,x-2,X-1,HOURS,2026-10-20,10,HOUR",
        )

        # Ten hours at 1.0 the day before, ten at 1.25 on the day.
        assert earned(hub, "uniform") == {"X-1": "22.50"}


class TestPartTimeFactor:
    def test_five_eighths_of_the_time_earn_five_eighths_of_the_grades_allowance(self, onboard):
        hub = onboard("harbor-hotels")
        told(hub, "hr_roster", PERSON, "H-1,A,Ada,Byron,2020-03-01,REZ,E3,DE,62.5,2026-01-01")
        told(
            hub,
            "accruals",
            EVENT,
            "wardrobe,h-1,H-1,ALLOWANCE,2026-06-30,1,POINT",
            "wardrobe,h-2,H-1,ALLOWANCE,2026-07-31,1,POINT",
        )

        # 40.00 until June: 25.00; 42.50 from July on: 26.5625, rounded half up.
        assert earned(hub, "wardrobe") == {"H-1": "51.56"}


class TestCapWithCarryOver:
    def test_a_quarter_has_room_for_what_the_one_before_left(self, onboard):
        hub = onboard("vega-motors")
        samples.drop(hub, "vega-motors/hr_roster/people_2026-11.csv")
        samples.drop(hub, "vega-motors/accruals/workwear_2026-11.csv")

        # V-2001, assembly: 92.5 and 80 hours at 0.50. V-2003, body shop: 40 hours at 0.75.
        # V-2002, paint, 0.75 an hour. Third quarter: 126, then 120 hours' worth of which 64 fit into 150 and the 40
        # carried over, then nothing: 190. It left nothing, so the fourth has room for 150: 126, then 24 of 60.
        assert earned(hub, "workwear") == {"V-2001": "86.25", "V-2002": "340.00", "V-2003": "30.00"}

    def test_an_hour_slip_found_late_fills_its_own_quarter(self, onboard):
        hub = onboard("vega-motors")
        samples.drop(hub, "vega-motors/hr_roster/people_2026-11.csv")
        told(hub, "accruals", EVENT, "workwear,late-1,V-2001,HOURS,2026-06-30,260,HOUR")
        told(hub, "accruals", EVENT, "workwear,late-2,V-2001,HOURS,2026-09-30,400,HOUR")
        told(hub, "accruals", EVENT, "workwear,late-3,V-2001,HOURS,2026-05-29,100,HOUR")

        # June 130 of 190. September: 150 and the 20 that June had left of 150. Then May: 50 of the 60 still free.
        assert earned(hub, "workwear") == {"V-2001": "350.00"}


class TestCurrencyByDatedTable:
    def test_each_purchase_counts_at_the_rate_of_its_quarter(self, onboard):
        hub = onboard("vega-motors")
        samples.drop(hub, "vega-motors/hr_roster/people_2026-11.csv")
        samples.drop(hub, "vega-motors/accruals/brand-store_2026-10.csv")

        # V-2003: 30 USD on 28 September at 0.8547 are 25.64 EUR, on 2 October at 0.8621 25.86; two points a euro.
        # V-2004: 450 MXN at 0.0465 are 20.925, half to even 20.92. V-2005: 18.50 CHF at 1.0650 are 19.7025: 19.70.
        assert earned(hub, "brand-store") == {"V-2003": "103.00", "V-2004": "41.84", "V-2005": "39.40"}
        [brazil] = [row for row in hub.rows("brand-store_2026-10.csv") if row.outcome == "rejected"]
        assert "vega-motors.eur-rate" in brazil.message


class TestProRataOfHireAndLeave:
    def test_a_month_is_paid_by_the_days_employed_and_not_on_unpaid_leave(self, onboard):
        hub = onboard("st-brigid")
        samples.drop(hub, "st-brigid/hr_roster/staff_2026-11.csv")
        samples.drop(hub, "st-brigid/accruals/allowance_2026-10.csv")

        assert earned(hub, "scrubs") == {
            "B-101": "24.00",
            "B-102": "7.74",  # 20 of 31 days of 12
            "B-103": "20.90",  # 27 of 31 days of 24
            "B-104": "31.20",  # October, and 9 of 30 days of November
        }


class TestAnniversaryGrants:
    def test_an_award_is_paid_once_on_the_anniversary(self, onboard):
        hub = onboard("st-brigid")
        samples.drop(hub, "st-brigid/hr_roster/staff_2026-11.csv")
        samples.drop(hub, "st-brigid/accruals/awards_2026-11.csv")

        # One year: 15. Five years: 40; claimed once more two weeks later: nothing.
        assert earned(hub, "service-awards") == {"B-103": "15.00", "B-105": "40.00"}
        assert hub.file("awards_2026-11.csv").rows_accepted == 3


class TestMultipliersByCategory:
    def test_what_is_bought_decides_what_a_dollar_earns(self, onboard):
        hub = onboard("fairfield")
        samples.drop(hub, "fairfield/hr_roster/colleagues_2026-11.csv")
        samples.drop(hub, "fairfield/accruals/till_2026-11-07.csv")

        # F-1001: 12.66 x 3 = 37.98 and 8.50 x 2 = 17. F-1002: tobacco none, 9.95 x 1. Each line rounded down.
        assert earned(hub, "shop-points") == {"F-1001": "54", "F-1002": "9", "F-1004": "5"}


class TestOneOffBonus:
    def test_everybody_who_was_there_is_granted_it_once(self, onboard):
        hub = onboard("fairfield")
        samples.drop(hub, "fairfield/hr_roster/colleagues_2026-11.csv")
        samples.drop(hub, "fairfield/grants/jubilee_2026-10-15.csv")

        # F-1003 was hired after 1 October; F-1004 had five years on that day. F-1002 is on two stores' lists.
        assert earned(hub, "jubilee") == {"F-1001": "75", "F-1002": "25", "F-1004": "75"}
        assert rejected(hub, "jubilee_2026-10-15.csv") == {"other_content": 1}

    def test_another_event_id_does_not_grant_it_again(self, onboard):
        hub = onboard("fairfield")
        samples.drop(hub, "fairfield/hr_roster/colleagues_2026-11.csv")
        samples.drop(hub, "fairfield/grants/jubilee_2026-10-15.csv")

        again = "jubilee,by-hand-1,F-1002,BONUS,2026-11-02,1,POINT,JUBILEE-75"
        told(hub, "accruals", f"{EVENT},category", again)

        assert earned(hub, "jubilee")["F-1002"] == "25"


class TestUnionAgreements:
    def test_each_is_paid_by_the_agreement_of_the_union_and_the_day(self, onboard):
        hub = onboard("metro-transit")
        samples.drop(hub, "metro-transit/hr_roster/employees_2026-11.csv")
        samples.drop(hub, "metro-transit/accruals/uniform_2026-q3.csv")

        # M-301, ATU operator: 60 for the second quarter, 66 for the third. M-302, ATU mechanic: 80. M-303, IBEW: 90.
        # M-304, no union: 45. M-305's union has no agreement: refused.
        assert earned(hub, "uniform") == {"M-301": "126.00", "M-302": "80.00", "M-303": "90.00", "M-304": "45.00"}
        assert rejected(hub, "uniform_2026-q3.csv") == {"rule_refused": 1}


class TestRetroactiveCorrection:
    AWARDED = datetime(2026, 11, 11, 9, 0, tzinfo=UTC)

    def award(self, hub: Hub) -> None:
        """The corrected rule of the arbitration award, in force from 1 July on, applied in November."""
        corrected = SAMPLES / "metro-transit/award-2026-11/metro-transit.night-duty.json"
        document = parse_json(corrected.read_bytes())
        bundle = samples.bundle("metro-transit")
        others = [each for each in bundle["rulesets"] if each["id"] != document["id"]]
        samples.apply(hub.database, bundle | {"rulesets": [*others, document]}, now=self.AWARDED)

    def test_a_slip_found_late_earns_what_was_in_force_on_its_day(self, onboard):
        hub = onboard("metro-transit")
        samples.drop(hub, "metro-transit/hr_roster/employees_2026-11.csv")
        samples.drop(hub, "metro-transit/accruals/night_2026-10.csv")

        # M-301, north: 8 hours of March at 0.50; 8 of August and 7.5 of October at 0.55: 4.00, 4.40 and 4.125.
        assert earned(hub, "night-duty") == {"M-301": "12.53", "M-302": "3.00", "M-304": "0.80"}

    def test_after_the_award_old_nights_earn_by_it_and_what_was_decided_stays(self, onboard):
        hub = onboard("metro-transit")
        samples.drop(hub, "metro-transit/hr_roster/employees_2026-11.csv")
        samples.drop(hub, "metro-transit/accruals/night_2026-10.csv")

        self.award(hub)
        assert earned(hub, "night-duty")["M-301"] == "12.53"
        told(hub, "accruals", EVENT, "night-duty,nd-0814-301x,M-301,HOURS,2026-06-30,8,HOUR")
        # The day before the award's first day: 8 x 0.55, without the fifth.
        assert earned(hub, "night-duty")["M-301"] == "16.93"
        told(hub, "accruals", EVENT, "night-duty,nd-0701-301,M-301,HOURS,2026-07-01,8,HOUR")
        # On its first day: 8 x 0.55 x 1.2.
        assert earned(hub, "night-duty")["M-301"] == "22.21"
        told(hub, "accruals", EVENT, "night-duty,award-301,M-301,BONUS,2026-11-16,1.70,POINT")
        # What the award owes for August (0.88) and October (4.95 instead of 4.13).
        assert earned(hub, "night-duty")["M-301"] == "23.91"
