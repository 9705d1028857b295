"""A file of a period waits until all that was posted within it is committed."""

from datetime import date

import pytest

from chalicelib.errors import Unprocessable
from chalicelib.files.exporting import asking, timetable
from chalicelib.files.exports import payroll_feed
from chalicelib.partners.onboarding.scheduled_exports import ScheduledExport
from tests.factories.finance import at
from tests.factories.points import CALLER, make_earning

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def test_a_file_of_a_period_waits_for_what_is_still_being_posted(database):
    """Movements of the period's last second commit after its end: a feed written before has them in no period."""

    with database.write() as db:
        made = make_earning(db)
    said = {"export": "payroll_feed", "every": "month", "since": "2026-10-01", "at": "00:00"}
    scheduled = ScheduledExport.model_validate(said)
    # One second into 1 November in Chicago.
    just_over = at(date(2026, 11, 1)).replace(hour=5, second=1)
    assert list(timetable.due(scheduled, made.partner, just_over)) == []


def test_a_file_of_a_period_is_not_asked_for_while_it_settles(database):
    just_over = at(date(2026, 11, 1)).replace(hour=5, second=1)
    period = (date(2026, 10, 1), date(2026, 10, 31))
    with database.write() as db:
        made = make_earning(db)
        with pytest.raises(Unprocessable):
            asking.ask(db, payroll_feed.EXPORT, made.partner, period=period, caller=CALLER, now=just_over)
