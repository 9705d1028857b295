"""A change of facts that is foreseen ends nobody's employment: not for payroll, and not for rules."""

from datetime import date

import pytest

from chalicelib.files.exporting.registry import Asked
from chalicelib.files.exports import payroll_feed
from chalicelib.partners.members import members
from chalicelib.points.terms import terminations
from tests.factories.finance import VALUE, with_terms
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, NOW, earn, make_earning, redeem, reverse, with_rules

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def test_a_promotion_that_is_foreseen_is_no_leaving(database):
    with database.write() as db:
        made = make_earning(db)
        row = roster_row(action="C", job_code="CHIEF", effective_date=date(2026, 12, 1))
        assert apply_rows(db, made.partner, [row]) == ["accepted"]
        found = members.by_ids(db, [made.member.id])[made.member.id]
        assert (found.status, found.term_date) == ("active", None)


def test_payroll_deducts_nothing_from_who_works_on(database):
    with database.write() as db:
        made = make_earning(db)
        made = with_rules(db, made, corrections={"reversal": "overdraft"})
        made = with_terms(db, made, value=VALUE)
        first = earn(db, made, 10)
        redeem(db, made, 1500)
        reverse(db, made, first)
        # Announced for 28 November, put off to the end of the year.
        for last in (date(2026, 11, 28), date(2026, 12, 31)):
            [ref] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], NOW.date())
            terminations.terminate(db, made.partner, ref, last, reason="a test", caller=CALLER, now=NOW)
        [then] = members.as_of(db, [members.by_ids(db, [made.member.id])[made.member.id]], date(2026, 12, 2))
        assert then.status == "active"
        period = (date(2026, 11, 1), date(2026, 11, 30))
        given = dict.fromkeys(Asked.__slots__) | {"partner": made.partner, "period": period}
        [told] = payroll_feed.rows(db, Asked(**given))
        assert not told["payroll_deduction"]


def test_a_fact_of_a_day_knows_no_leaving_that_was_none(database):
    """Promoted on the 10th: on the 2nd nobody was about to leave, and rules that read `term_date` must not think so."""
    with database.write() as db:
        made = make_earning(db)
        row = roster_row(action="C", job_code="CHIEF", effective_date=date(2026, 11, 10))
        assert apply_rows(db, made.partner, [row]) == ["accepted"]
        [found] = members.by_employee_on(db, made.partner.id, [("E1", date(2026, 11, 2))]).values()
        assert (found.status, found.term_date) == ("active", None)
