"""What the store is told of members and their balances, over the real ledger, rosters and pump."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from chalicelib.deliveries import pump, senders
from chalicelib.deliveries.models import delivery
from chalicelib.deliveries.pump import PumpReport
from chalicelib.points.ledger import balances
from tests.factories import partners, rules
from tests.factories.commerce_cloud import RunningStore, running_store
from tests.factories.deliveries import make_secret, make_target
from tests.factories.points import NOW, earn, event, record

MAPPING = "commerce-cloud.balance"
NEXT_DAY = date(2026, 11, 21)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with running_store(tmp_path / "store") as running:
        yield running
    senders.reset()


@pytest.fixture
def told(database, earning, store) -> Callable[[], PumpReport]:
    """The partner's store creates whom it misses; the function lets the pump run."""
    make_secret()
    with database.write() as db:
        rules.live_ruleset(db, None, rules.document(f"rulesets/{MAPPING}"))
        config = store.config(settle_s=0, create_missing=True)
        make_target(db, earning.partner.id, config=config, mapping=MAPPING, inflight_max=1)
    sources = {"balance": balances.source(lambda: NOW)}
    return lambda: pump.run(database, sources=sources, clock=lambda: NOW, deadline_s=60)


def rename(db, earning, last_name: str, employee_id: str = "E1", **values) -> None:
    row = partners.roster_row(employee_id, action="C", last_name=last_name, effective_date=date(2026, 11, 19))
    assert partners.apply_rows(db, earning.partner, [row | values]) == ["accepted"]


class TestANewLastName:
    def test_reaches_the_store_of_who_has_points_there(self, database, earning, told, store):
        number = f"{earning.partner.code}_E1"
        with database.write() as db:
            earn(db, earning)
        told()
        assert store.customers()[number]["lastName"] == "Haze"

        with database.write() as db:
            rename(db, earning, "Quilty")

        assert told().states == {"confirmed": 1}
        assert store.customers()[number]["lastName"] == "Quilty"
        assert store.customers()[number]["c_interlinePoints"] == "15.00"

    def test_of_who_has_no_points_is_told_with_the_first_ones(self, database, earning, told, store):
        with database.write() as db:
            rename(db, earning, "Quilty")
        assert told().states == {}
        with database.write() as db:
            earn(db, earning)
        told()

        assert store.customers()[f"{earning.partner.code}_E1"]["lastName"] == "Quilty"

    def test_is_told_once_for_each_program_and_of_nobody_else(self, database, earning, told):
        with database.write() as db:
            boots = partners.make_program(db, earning.partner, "boots", ruleset_code=earning.program.ruleset_code)
            partners.make_member(db, earning.partner, "E2")
            partners.enrol(db, boots, earning.member)
            record(db, earning.partner, [event(), event(program_code="boots"), event(employee_id="E2")])
        told()
        with database.write() as db:
            rename(db, earning, "Quilty")

        with database.read() as db:
            waiting = db.execute(select(delivery.c.entity_key).where(delivery.c.state == "ready")).scalars().all()
            mine = {balance.account_id.hex() for balance in balances.of(db, earning.member.id, now=NOW)}
        assert len(waiting) == 2
        assert set(waiting) == mine

    @pytest.mark.parametrize(
        "values",
        [{"grade": "G9"}, {"first_name": "Lolita"}, {"effective_date": NEXT_DAY, "last_name": "Quilty"}],
        ids=["another grade", "another first name", "a name from tomorrow on"],
    )
    def test_is_all_that_is_told_of_a_roster_row(self, database, earning, told, values):
        with database.write() as db:
            earn(db, earning)
        told()
        with database.write() as db:
            rename(db, earning, values.pop("last_name", "Haze"), **values)

        assert told().states == {}
