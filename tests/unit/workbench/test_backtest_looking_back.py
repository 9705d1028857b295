"""A rule that looks back ties the periods of one request together: a back-test decides in the order of then."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import backtests, rules
from tests.factories.points import NOW, event, make_earning, record

pytestmark = pytest.mark.usefixtures("data_key")

_numbers = count(1)
DAYS = [date(2026, 9, 28), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 17), date(2026, 11, 2)]


def carrying():
    """A point an hour, up to 100 a month and what the month before left of its 100."""
    left = {"max": [0, {"-": [100, {"var": "before"}]}]}
    room = {"max": [0, {"-": [{"+": [100, left]}, {"var": "now"}]}]}
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={
            "now": {"of": "points", "period": "calendar_month"},
            "before": {"of": "points", "period": "calendar_month", "back": 1},
        },
        outputs={
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {"min": [{"var": "quantity"}, room]},
            }
        },
        cases=[
            rules.capped_case("300", "25.00", now="95.00", before="80.00"),
            rules.capped_case("1", "1.00", now="0.00", before="105.00"),
            rules.capped_case("1", "0.00", now="205.00", before="80.00"),
        ],
    )


def live_through(database, history):
    """Requests of E1, one after the other, with event ids in the opposite order."""
    with database.write() as db:
        earning = make_earning(db, document=carrying())
    for number, request in enumerate(history):
        events = [
            event(event_id=f"{9 - at}-{next(_numbers)}", event_date=day, quantity=Decimal(quantity))
            for at, (day, quantity) in enumerate(request)
        ]
        with database.write() as db:
            record(db, earning.partner, events, now=NOW + timedelta(seconds=number))
    return earning


def unchanged(database, earning):
    done = backtests.run(database, earning.partner.id, earning.version, **backtests.YEAR)
    assert done.state == "done", done.reason
    [program] = backtests.summary(done)["programs"].values()
    return program["changes"]["unchanged"] == program["events"]


@pytest.mark.parametrize(
    "request_of",
    [
        # November was decided while October was still empty.
        [(date(2026, 11, 2), 150), (date(2026, 10, 1), 60), (date(2026, 11, 2), 90)],
        [(date(2026, 10, 1), 60), (date(2026, 11, 2), 150), (date(2026, 9, 28), 90), (date(2026, 10, 17), 90)],
        # The sum of the month before is the greatest that either of the last two saw.
        [(date(2026, 10, 1), 100), (date(2026, 11, 2), 60), (date(2026, 11, 2), 60)],
    ],
)
def test_the_months_of_one_request_are_decided_in_its_order(database, request_of):
    assert unchanged(database, live_through(database, [request_of]))


happenings = st.tuples(st.sampled_from(DAYS), st.sampled_from([0, 1, 30, 45, 60, 90, 150]))
histories = st.lists(st.lists(happenings, min_size=1, max_size=6), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_the_same_version_changes_nothing_whatever_the_order(database, data_key, history):
    assert unchanged(database, live_through(database, history))
