"""A version that is tried on what it decided itself changes nothing, whatever came in whichever order."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.storage.ids import new_id
from tests.factories import backtests, partners, rules
from tests.factories.points import NOW, event, make_earning, record

_numbers = count(1)
DAYS = [date(2026, 9, 28), date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 17), date(2026, 11, 2)]


def order_matters():
    """Bonuses above a monthly cap of 100 that they fill, half the rate above 250 a year, no answer to 13 hours."""
    room = {"max": [0, {"-": [100, {"var": "month"}]}]}
    rate = {"if": [{">": [{"var": "year"}, 250]}, Decimal("0.5"), 1]}
    earned = {"min": [{"*": [{"var": "quantity"}, rate]}, room]}
    answered = {"/": [{"*": [earned, {"-": [{"var": "quantity"}, 13]}]}, {"-": [{"var": "quantity"}, 13]}]}
    return rules.accrual_document(
        inputs={
            "event_type": {"type": "enum", "values": ["HOURS", "BONUS", "SPEND"]},
            "quantity": {"type": "decimal", "scale": 6},
            "grade": {"type": "string", "nullable": True},
        },
        aggregates={
            "month": {"of": "points", "period": "calendar_month"},
            "year": {"of": "points", "period": "calendar_year"},
        },
        when={"and": [{"!=": [{"var": "event_type"}, "SPEND"]}, {"==": [{"coalesce": [{"var": "grade"}, ""]}, "G5"]}]},
        outputs={
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {"if": [{"==": [{"var": "event_type"}, "BONUS"]}, {"var": "quantity"}, answered]},
            }
        },
        cases=[
            _case("HOURS", "8", "8.00"),
            _case("HOURS", "8", "4.00", year="251.00"),
            _case("BONUS", "30", "30.00"),
            _case("SPEND", "30", None),
            _case("HOURS", "8", None, grade="G9"),
            _case("HOURS", "8", None, grade=None),
            _case("HOURS", "30", "5.00", month="95.00"),
            _case("HOURS", "30", "0.00", month="105.00"),
        ],
    )


def _case(what, quantity, points, *, grade="G5", year="0.00", month="0.00"):
    return {
        "name": f"{what} {quantity} {grade} {year} {month}",
        "as_of": "2026-11-02",
        "given": {"event_type": what, "quantity": quantity, "grade": grade},
        "aggregates": {"month": month, "year": year},
        "expect": {"applies": False} if points is None else {"points": points},
    }


happenings = st.tuples(
    st.sampled_from(["E1", "E2"]),
    st.sampled_from(DAYS),
    st.sampled_from(["HOURS", "HOURS", "BONUS", "SPEND"]),
    st.sampled_from([0, 1, 13, 30, 45, 60, 90]),
)
#: Requests and slices of files, each with its events in the order in which they are decided.
histories = st.lists(st.tuples(st.booleans(), st.lists(happenings, min_size=1, max_size=5)), min_size=1, max_size=6)
selections = st.sampled_from(
    [
        backtests.YEAR,
        {"first_day": date(2026, 9, 30), "last_day": date(2026, 10, 1)},
        {"first_day": date(2026, 10, 2)},
    ]
)


def live_through(database, history):
    """A partner with the history behind it, and rosters that were corrected since."""
    with database.write() as db:
        earning = make_earning(db, document=order_matters())
        partners.make_member(db, earning.partner, "E2")
    files = []
    for number, (by_file, batch) in enumerate(history):
        # Event ids in an order of their own: rows are stored by them.
        names = [f"{(7 * at) % 5}-{next(_numbers)}" for at in range(len(batch))]
        events = [
            event(event_id=name, employee_id=who, event_date=day, event_type=what, quantity=Decimal(quantity))
            for name, (who, day, what, quantity) in zip(names, batch, strict=True)
        ]
        file_id = new_id()
        sources = [RowSource(file_id, row_no, 0, 1) if by_file else BY_API for row_no in range(1, len(batch) + 1)]
        with database.write() as db:
            record(db, earning.partner, events, sources=sources, now=NOW + timedelta(seconds=number))
        files += [file_id] if by_file else []
    with database.write() as db:
        partners.apply_rows(db, earning.partner, [partners.roster_row("E1", action="C", grade="G9")])
    return earning


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, selection=selections)
def test_the_same_version_changes_nothing_for_anybody(database, data_key, history, selection):
    earning = live_through(database, history)

    done = backtests.run(database, earning.partner.id, earning.version, **selection)

    assert done.state == "done", done.reason
    assert done.events_done == done.events_total
    assert all(then == now for then, now in backtests.members(database, done).values())
    for program in backtests.summary(done)["programs"].values():
        assert program["changes"] == dict.fromkeys(program["changes"], 0) | {"unchanged": program["events"]}
