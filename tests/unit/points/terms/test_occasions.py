"""When grants are due, worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.partners.programs.terms import Grant
from chalicelib.points.terms import occasions
from chalicelib.points.terms.occasions import Occasion

ALWAYS = [(date(2020, 1, 1), None)]
HIRED = date(2024, 2, 29)


def grant(**values):
    return Grant.model_validate({"code": "g", "event_type": "ALLOWANCE", **values})


def days(of, stays=ALWAYS, *, hired=HIRED, first, last):
    return [each.day for each in occasions.of(of, hired, stays, first=first, last=last)]


class TestOnceInAnEmployment:
    def test_a_grant_on_hire_is_due_on_the_hire_date(self):
        assert days(grant(on="hire"), first=date(2024, 2, 1), last=date(2024, 3, 1)) == [HIRED]

    def test_and_not_when_the_member_joined_the_program_later(self):
        assert days(grant(on="hire"), [(date(2024, 3, 1), None)], first=HIRED, last=date(2025, 1, 1)) == []

    def test_a_grant_on_enrolment_is_due_on_the_first_day_and_not_after_a_leave(self):
        stays = [(date(2026, 1, 5), date(2026, 3, 1)), (date(2026, 6, 1), None)]
        assert days(grant(on="enrolment"), stays, first=date(2026, 1, 1), last=date(2026, 12, 31)) == [date(2026, 1, 5)]


class TestAnniversaries:
    def test_of_29_february_are_on_the_28th_but_in_leap_years(self):
        found = days(grant(on="anniversary"), first=date(2024, 1, 1), last=date(2028, 12, 31))
        assert found == [date(2025, 2, 28), date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29)]

    def test_are_none_while_the_member_is_on_leave(self):
        stays = [(date(2024, 2, 29), date(2026, 2, 1)), (date(2026, 4, 1), None)]
        found = days(grant(on="anniversary"), stays, first=date(2025, 1, 1), last=date(2027, 12, 31))
        assert found == [date(2025, 2, 28), date(2027, 2, 28)]


class TestRollingYears:
    def test_renew_so_many_months_after_the_first_day_in_the_program(self):
        rolling = grant(on="rolling", months=24)
        stays = [(date(2021, 5, 31), None)]
        found = days(rolling, stays, first=date(2021, 1, 1), last=date(2026, 12, 31))
        assert found == [date(2021, 5, 31), date(2023, 5, 31), date(2025, 5, 31)]

    def test_a_window_far_from_the_beginning_finds_the_same_days(self):
        rolling = grant(on="rolling", months=24)
        stays = [(date(2021, 5, 31), None)]
        assert days(rolling, stays, first=date(2025, 5, 31), last=date(2025, 5, 31)) == [date(2025, 5, 31)]


class TestPeriods:
    @pytest.mark.parametrize(
        ("months", "anchor", "expected"),
        [
            (12, "2000-01-01", [date(2026, 1, 1), date(2027, 1, 1)]),
            (12, "2026-07-01", [date(2026, 7, 1), date(2027, 7, 1)]),
            (3, "2026-01-01", [date(2026, m, 1) for m in (1, 4, 7, 10)] + [date(2027, m, 1) for m in (1, 4, 7, 10)]),
        ],
        ids=["calendar years", "fiscal years", "quarters"],
    )
    def test_in_advance_are_granted_on_their_first_day(self, months, anchor, expected):
        asked = Grant.model_validate_json(
            f'{{"code":"g","event_type":"ALLOWANCE","on":"period","months":{months},"anchor":"{anchor}"}}'
        )
        assert days(asked, first=date(2026, 1, 1), last=date(2027, 12, 31)) == expected

    def test_in_arrears_on_their_last_day(self):
        found = days(grant(on="period", months=1, paid="arrears"), first=date(2026, 1, 1), last=date(2026, 3, 30))
        assert found == [date(2026, 1, 31), date(2026, 2, 28)]

    def test_who_joins_within_a_period_is_granted_the_rest_of_it(self):
        year = grant(on="period", pro_rata="days")
        found = occasions.of(year, HIRED, [(date(2026, 12, 1), None)], first=date(2026, 1, 1), last=date(2026, 12, 31))
        # 31 of 365 days.
        assert found == [Occasion(date(2026, 1, 1), date(2026, 12, 1), Decimal("0.084932"))]

    def test_by_months_the_month_that_has_begun_counts(self):
        year = grant(on="period", pro_rata="months")
        [found] = occasions.of(
            year, HIRED, [(date(2026, 10, 31), None)], first=date(2026, 1, 1), last=date(2026, 12, 31)
        )
        assert found.share == Decimal("0.250000")

    def test_who_joins_is_not_granted_where_the_program_says_so(self):
        year = grant(on="period", joiners=False)
        assert days(year, [(date(2026, 3, 1), None)], first=date(2026, 1, 1), last=date(2026, 12, 31)) == []

    def test_who_leaves_is_granted_in_arrears_for_the_days_there(self):
        month = grant(on="period", months=1, paid="arrears", pro_rata="days")
        [found] = occasions.of(
            month, HIRED, [(date(2026, 1, 1), date(2026, 4, 10))], first=date(2026, 4, 1), last=date(2026, 6, 30)
        )
        assert found == Occasion(date(2026, 4, 1), date(2026, 4, 10), Decimal("0.333333"))

    def test_leave_within_a_period_is_no_part_of_its_share(self):
        month = grant(on="period", months=1, paid="arrears", pro_rata="days")
        stays = [(date(2026, 1, 1), date(2026, 4, 10)), (date(2026, 4, 26), None)]
        [found] = occasions.of(month, HIRED, stays, first=date(2026, 4, 1), last=date(2026, 4, 30))
        assert found.share == Decimal("0.500000")

    def test_leave_and_return_within_a_period_grant_it_once(self):
        stays = [(date(2025, 1, 1), date(2026, 3, 1)), (date(2026, 6, 1), None)]
        assert days(grant(on="period"), stays, first=date(2026, 1, 1), last=date(2026, 12, 31)) == [date(2026, 1, 1)]
