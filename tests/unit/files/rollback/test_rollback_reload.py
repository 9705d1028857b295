"""Rollback, then reload, equals a clean load: of two members with the same story, one's file comes twice."""

from datetime import date
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.files.rollback import way
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.points.deciding import aggregates
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.proof import checks
from tests.factories import partners, rules
from tests.factories.files import hours
from tests.factories.rollbacks import available, of_member, roll_back, spend, standing_lots, with_policy

SPAN = Span("calendar_month")
#: Examples share a database: each has members of its own.
STORY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_numbers = count(1)
Rows = list[tuple[date, int]]
days = st.dates(date(2026, 10, 1), date(2026, 11, 19))
some = st.lists(st.tuples(days, st.integers(0, 12)), max_size=4)
file_rows = st.lists(st.tuples(days, st.integers(0, 12)), min_size=1, max_size=6)


class Kept(NamedTuple):
    """What a member has: points, lots, and how much of each month's cap is used."""

    available: int
    lots: list[tuple[date, int, int]]
    used: list[int]


def capped():
    """A point an hour, at most 20 a month."""
    left = {"max": [0, {"-": [20, {"var": "so_far"}]}]}
    points = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"min": [{"var": "quantity"}, left]}}
    return rules.accrual_document(
        "acme.accrual",
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={"so_far": {"of": "points", "period": "calendar_month"}},
        outputs={"points": points},
        cases=[
            rules.capped_case("1", "1.00", so_far="0.00"),
            rules.capped_case("10", "5.00", so_far="15.00"),
            rules.capped_case("10", "0.00", so_far="25.00"),
        ],
    )


@pytest.fixture
def capped_hub(hub, monkeypatch):
    monkeypatch.setattr(way, "ROWS_MAX", 2)
    with hub.database.write() as db:
        rules.live_ruleset(db, hub.partner.id, capped())
    return hub


def twins(hub):
    """Two new members: whose file is taken back, and whose is not."""
    number = next(_numbers)
    names = f"A{number}", f"B{number}"
    with hub.database.write() as db:
        for name in names:
            partners.make_member(db, hub.partner, name)
    return names


def load(hub, employee_id, rows: Rows, name: str, version: str = "") -> None:
    """A file of the member's hours; without rows there is none."""
    if rows:
        lines = [f"{employee_id}-{name}-{at},{employee_id},{day},{hour}" for at, (day, hour) in enumerate(rows)]
        file = hub.process("hours", hours(*lines), name=f"{employee_id}-{name}{version}.csv")
        assert (file.state, file.rows_accepted) == ("processed", len(rows))


def kept(hub, employee_id) -> Kept:
    of = account_id(hub.program.id, MEMBER, of_member(hub, employee_id).member.id)
    with hub.database.read() as db:
        months = [(of, date(2026, month, 1)) for month in (10, 11)]
        totals = aggregates.read(db, months, [SPAN])
        used = [totals.of(of, SPAN, day) for _, day in months]
        assert checks.check(db) == []
    return Kept(available(hub, employee_id), standing_lots(hub, employee_id), used)


class TestRollbackThenReload:
    @STORY
    @given(before=some, rows=file_rows, after=some)
    def test_equals_a_clean_load(self, capped_hub, before: Rows, rows: Rows, after: Rows):
        hub = capped_hub
        twice, once = twins(hub)
        for employee_id in (twice, once):
            load(hub, employee_id, before, "before")
        load(hub, twice, rows, "wrong")
        roll_back(hub, f"{twice}-wrong.csv")
        assert kept(hub, twice) == kept(hub, once)

        load(hub, twice, rows, "wrong", "-again")
        load(hub, once, rows, "wrong")
        assert kept(hub, twice) == kept(hub, once)
        for employee_id in (twice, once):
            load(hub, employee_id, after, "after")
        assert kept(hub, twice) == kept(hub, once)

    @STORY
    @given(before=some, rows=file_rows, share=st.integers(1, 100), policy=st.sampled_from(["refuse", "overdraft"]))
    def test_has_the_same_points_when_some_were_spent_between(
        self, capped_hub, before: Rows, rows: Rows, share: int, policy: str
    ):
        hub = capped_hub
        with_policy(hub, policy)
        twice, once = twins(hub)
        for employee_id in (twice, once):
            load(hub, employee_id, before, "before")
            load(hub, employee_id, rows, "wrong")
            amount = available(hub, employee_id) * share // 100
            if amount:
                spend(hub, employee_id, amount)
        run = roll_back(hub, f"{twice}-wrong.csv")
        again = [(day, hour) for day, hour in rows]
        lines = [f"{twice}-wrong-{at},{twice},{day},{hour}" for at, (day, hour) in enumerate(again)]
        file = hub.process("hours", hours(*lines), name=f"{twice}-again.csv")
        assert file.rows_accepted + file.rows_duplicate == len(rows)
        assert file.rows_duplicate == (run.left_over if policy == "refuse" else 0)

        first, second = kept(hub, twice), kept(hub, once)
        assert (first.available, first.used) == (second.available, second.used)
        assert sum(lot[1] for lot in first.lots) == sum(lot[1] for lot in second.lots)

    @STORY
    @given(rows=file_rows, share=st.integers(1, 100))
    def test_gives_again_what_a_program_gave_up(self, capped_hub, rows: Rows, share: int):
        hub = capped_hub
        with_policy(hub, "partial")
        twice, once = twins(hub)
        for employee_id in (twice, once):
            load(hub, employee_id, rows, "wrong")
            amount = available(hub, employee_id) * share // 100
            if amount:
                spend(hub, employee_id, amount)
        run = roll_back(hub, f"{twice}-wrong.csv")
        load(hub, twice, rows, "wrong", "-again")

        lost = sum(sums.lost_minor for sums in run.sums.values())
        first, second = kept(hub, twice), kept(hub, once)
        assert (first.available - lost, first.used) == (second.available, second.used)
