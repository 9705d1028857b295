"""Sums of the events of some types: what is granted above a cap neither fills it nor is held by it."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.language import RuleRefused, compile_ruleset
from chalicelib.partners.account_ids import account_id
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points.deciding import aggregates, previewing
from chalicelib.points.deciding.aggregates import PeriodTotals, Span
from chalicelib.points.ledger import history
from chalicelib.rules import documents
from chalicelib.storage.ids import new_id
from chalicelib.workbench import simulating
from tests.factories import backtests, rules
from tests.factories.points import NOW, event, make_earning, record

_numbers = count(1)
MONTH, CAPPED = Span("calendar_month"), Span("calendar_month", 0, ("HOURS", "SPEND"))
UNITS = {"HOURS": "HOUR", "SPEND": "USD", "BONUS": "POINT", "ANNIVERSARY": "POINT"}
MEMBER = account_id(b"p" * 16, "member")


def aurora(*, event_types=("HOURS", "SPEND")):
    """The airline's rule; its member was hired on 2024-10-01, so an hour of November 2026 earns 1.25."""
    document = rules.document("rulesets/aurora-air.accrual")
    document["aggregates"]["points_this_month"]["event_types"] = list(event_types)
    return document


def of(event_type, quantity, **values):
    return event(event_type=event_type, quantity=Decimal(quantity), unit=UNITS[event_type], **values)


class TestTotals:
    def test_count_an_event_to_the_sums_of_its_type_and_of_all_types(self):
        totals = PeriodTotals([MONTH, CAPPED])
        totals.add(MEMBER, date(2026, 11, 2), 5, "HOURS")
        totals.add(MEMBER, date(2026, 11, 3), 7, "BONUS")

        assert totals.of(MEMBER, CAPPED, date(2026, 11, 30)) == 5
        assert totals.of(MEMBER, MONTH, date(2026, 11, 30)) == 12

    def test_look_back_by_type_too(self):
        before = Span("calendar_month", 1, ("BONUS",))
        totals = PeriodTotals([before])
        totals.add(MEMBER, date(2026, 10, 31), 5, "HOURS")
        totals.add(MEMBER, date(2026, 10, 31), 7, "BONUS")

        assert totals.of(MEMBER, before, date(2026, 11, 1)) == 7

    @pytest.mark.usefixtures("data_key")
    def test_start_from_what_is_stored_of_the_types(self, database):
        with database.write() as db:
            earning = make_earning(db, document=aurora())
            record(db, earning.partner, [of("BONUS", 400), of("HOURS", 100), of("SPEND", 60)])
            read = aggregates.read(db, [(earning.account_id, date(2026, 11, 2))], [MONTH, CAPPED])

            assert read.of(earning.account_id, CAPPED, date(2026, 11, 2)) == 155_00
            assert read.of(earning.account_id, MONTH, date(2026, 11, 2)) == 555_00


@pytest.mark.usefixtures("provable", "data_key")
class TestTheAirlinesCap:
    @pytest.mark.parametrize("grant_first", [True, False])
    @pytest.mark.parametrize("together", [True, False])
    def test_is_not_filled_by_grants(self, database, grant_first, together):
        events = [of("BONUS", 400), of("HOURS", 100)] if grant_first else [of("HOURS", 100), of("BONUS", 400)]
        with database.write() as db:
            earning = make_earning(db, document=aurora())
            batches = [events] if together else [[each] for each in events]
            recorded = [each for batch in batches for each in record(db, earning.partner, batch)]

        assert sorted(each.points_minor for each in recorded) == [125_00, 400_00]

    def test_a_preview_sees_what_the_decision_would(self, database):
        with database.write() as db:
            earning = make_earning(db, document=aurora())
            record(db, earning.partner, [of("BONUS", 300), of("HOURS", 280)])
            preview = previewing.preview(db, earning.partner, of("SPEND", 200), now=NOW)

        # 280 hours earned 350.
        assert preview.outcome.points_minor == 50_00
        assert preview.facts["aggregates"] == {"points_this_month": "350.00"}

    def test_a_simulation_under_other_types_sums_anew(self, database):
        with database.write() as db:
            earning = make_earning(db, document=aurora())
            recorded = record(db, earning.partner, [of("BONUS", 300), of("HOURS", 100)])
            found = history.event(db, recorded[1].id)
            filled = aurora(event_types=["BONUS", "HOURS"]) | {
                "id": earning.version.ruleset_code,
                "partner": earning.partner.code,
            }
            tried = backtests.draft(db, earning.partner.id, filled)

            same = simulating.posted(db, earning.version, found, as_of=None)[0]
            other = simulating.posted(db, tried, found, as_of=None)[0]

        assert (same.outputs, other.outputs) == ({"points": Decimal("125.00")}, {"points": Decimal("100.00")})


class TestDeclaring:
    def test_the_order_of_the_types_says_nothing(self):
        one, other = (compile_ruleset(aurora(event_types=types)) for types in (("HOURS", "SPEND"), ("SPEND", "HOURS")))

        assert one.aggregates == other.aggregates

    @pytest.mark.parametrize("types", [[], ["HOURS", "HOURS"], "HOURS", [1], [""]])
    def test_refuses_what_is_no_list_of_types(self, types):
        document = aurora()
        document["aggregates"]["points_this_month"]["event_types"] = types

        with pytest.raises(RuleRefused) as refused:
            compile_ruleset(document)

        assert {fault.pointer for fault in refused.value.faults} == {"/aggregates/points_this_month/event_types"}

    def test_refuses_a_type_that_the_rule_does_not_know(self):
        with pytest.raises(RuleRefused) as refused:
            documents.check(aurora(event_types=["HOURS", "SPENT"]))

        [fault] = refused.value.faults
        assert (fault.pointer, fault.suggestion) == (
            "/aggregates/points_this_month/event_types",
            "did you mean `SPEND`?",
        )

    def test_without_the_input_any_type_that_an_event_can_have_is_known(self):
        declared = {"sum": {"of": "points", "period": "calendar_month", "event_types": ["ALLOWANCE"]}}
        points = {"type": "decimal", "scale": 2, "expr": {"var": "sum"}}
        case = {"name": "one", "as_of": "2026-11-02", "given": {}, "expect": {"points": "0.00"}}
        document = rules.accrual_document(
            inputs={}, when=True, aggregates=declared, outputs={"points": points}, cases=[case]
        )

        assert documents.check(document).envelope.kind == "accrual"
        declared["sum"]["event_types"] = ["OVERTIME"]
        with pytest.raises(RuleRefused):
            documents.check(document)


happenings = st.lists(
    st.tuples(
        st.sampled_from(sorted(UNITS)),
        st.sampled_from([date(2026, 11, 1), date(2026, 11, 9), date(2026, 11, 19)]),
        st.sampled_from(["0", "0.05", "7.25", "61.5", "120", "300"]),
    ),
    min_size=2,
    max_size=7,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(month=happenings, cut=st.integers(0, 7), by_file=st.booleans(), data=st.data())
def test_the_order_within_a_month_decides_nothing_and_a_back_test_of_the_same_version_changes_nothing(
    database, data_key, month, cut, by_file, data
):
    ordered = data.draw(st.permutations(month))
    events = [
        of(what, quantity, event_date=day, event_id=f"{9 - at}-{next(_numbers)}")
        for at, (what, day, quantity) in enumerate(ordered)
    ]
    with database.write() as db:
        earning = make_earning(db, document=aurora())
    recorded = []
    for number, batch in enumerate([events[:cut], events[cut:]]):
        file_id = new_id()
        sources = [RowSource(file_id, row_no, 0, 1) if by_file else BY_API for row_no in range(1, len(batch) + 1)]
        with database.write() as db:
            recorded += record(db, earning.partner, batch, sources=sources, now=NOW + timedelta(seconds=number))

    granted, earned = Decimal(0), Decimal(0)
    for what, _, quantity in month:
        if what in {"BONUS", "ANNIVERSARY"}:
            granted += Decimal(quantity)
        else:
            rate = Decimal("1.25") if what == "HOURS" else Decimal("0.5")
            earned += (Decimal(quantity) * rate).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert sum(each.points_minor for each in recorded) == (granted + min(earned, Decimal(400))) * 100
    done = backtests.run(database, earning.partner.id, earning.version)
    assert done.state == "done", done.reason
    [program] = backtests.summary(done)["programs"].values()
    assert program["changes"]["unchanged"] == program["events"] == len(events)


def grants_by_room():
    """A grant is halved once 100 points were earned by hours this month: it sees a sum to which it does not count."""
    halved = {"if": [{">=": [{"var": "earned"}, 100]}, Decimal("0.5"), 1]}
    return rules.accrual_document(
        inputs={
            "event_type": {"type": "enum", "values": ["HOURS", "BONUS"]},
            "quantity": {"type": "decimal", "scale": 6},
        },
        when=True,
        aggregates={"earned": {"of": "points", "period": "calendar_month", "event_types": ["HOURS"]}},
        outputs={
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {
                    "*": [{"var": "quantity"}, {"if": [{"==": [{"var": "event_type"}, "BONUS"]}, halved, 1]}],
                },
            }
        },
        cases=[
            {
                "name": f"{what} after {earned}",
                "as_of": "2026-11-02",
                "given": {"event_type": what, "quantity": "50"},
                "aggregates": {"earned": earned},
                "expect": {"points": points},
            }
            for what, earned, points in (
                ("BONUS", "0", "50.00"),
                ("BONUS", "100", "25.00"),
                ("HOURS", "100", "50.00"),
            )
        ],
    )


@pytest.mark.parametrize(
    "request_of",
    [
        [("BONUS", 300), ("HOURS", 150), ("BONUS", 40)],
        [("HOURS", 150), ("BONUS", 300), ("HOURS", 10), ("BONUS", 40)],
        [("BONUS", 10), ("HOURS", 0), ("BONUS", 200), ("HOURS", 100), ("BONUS", 10)],
    ],
)
def test_a_request_whose_grants_see_the_hours_is_run_again_in_its_order(database, data_key, request_of):
    with database.write() as db:
        earning = make_earning(db, document=grants_by_room())
        # Event ids in the opposite order: rows are stored by them.
        events = [of(what, much, event_id=f"{9 - at}-{next(_numbers)}") for at, (what, much) in enumerate(request_of)]
        record(db, earning.partner, events)

    done = backtests.run(database, earning.partner.id, earning.version)

    assert done.state == "done", done.reason
    [program] = backtests.summary(done)["programs"].values()
    assert program["changes"]["unchanged"] == program["events"]
