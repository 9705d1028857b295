"""Balances: what may be spent now and at the end of a past day, and what the store is told."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from chalicelib.deliveries.models import delivery
from chalicelib.points.ledger import balances, trial_balance
from chalicelib.storage.ids import new_id
from tests.factories import partners, rules
from tests.factories.deliveries import make_target
from tests.factories.points import NOW, earn, event, hold, make_earning, record, spend

pytestmark = pytest.mark.usefixtures("data_key")


def only(found):
    [balance] = found
    return balance


class TestNow:
    def test_adds_up_what_was_earned_and_not_spent(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10, event_date=date(2026, 10, 2))
            earn(db, earning, 20)
            spend(db, earning.account_id, 500)
            found = only(balances.of(db, earning.member.id, now=NOW))

        assert (found.available_minor, found.held_minor, found.pending_minor) == (4000, 0, 0)
        assert (found.lifetime_minor, found.version) == (4500, 3)
        assert (found.next_expiry_date, found.next_expiry_minor) == (date(2028, 10, 2), 1000)
        assert (found.program_code, found.unit, found.scale) == ("uniform", "points", 2)

    def test_leaves_out_what_has_expired_in_the_programs_time_zone(self, database, earning):
        with database.write() as db:
            earn(db, earning, event_date=date(2026, 10, 2))
        # In Chicago it is 2 October until five in the morning of the 3rd UTC.
        with database.read() as db:
            last_minute = balances.of(db, earning.member.id, now=datetime(2028, 10, 3, 4, 59, tzinfo=UTC))
            after = balances.of(db, earning.member.id, now=datetime(2028, 10, 3, 5, 0, tzinfo=UTC))

        assert only(last_minute).available_minor == 1500
        assert only(after).available_minor == 0
        assert only(after).next_expiry_date is None

    def test_subtracts_what_is_held(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            hold(db, earning, 400)
            found = only(balances.of(db, earning.member.id, now=NOW))

        assert (found.available_minor, found.held_minor) == (1100, 400)

    def test_names_no_next_expiry_for_points_that_never_expire(self, database):
        with database.write() as db:
            earning = make_earning(db, lots={"expires": None})
            earn(db, earning)
            found = only(balances.of(db, earning.member.id, now=NOW))

        assert (found.next_expiry_date, found.next_expiry_minor) == (None, None)
        assert found.available_minor == 1500

    def test_shows_each_program(self, database, earning):
        with database.write() as db:
            program = partners.make_program(
                db, earning.partner, "wellness", scale=0, ruleset_code=earning.program.ruleset_code
            )
            partners.enrol(db, program, earning.member)
            record(db, earning.partner, [event(), event(program_code="wellness")])
            found = balances.of(db, earning.member.id, now=NOW)

        assert [(each.program_code, each.available_minor) for each in found] == [("uniform", 1500), ("wellness", 15)]

    def test_of_who_never_earned_is_empty(self, database, earning):
        with database.read() as db:
            assert balances.of(db, earning.member.id, now=NOW) == []

    @pytest.mark.parametrize(
        ("values", "outcome"), [({"quantity": Decimal(0)}, "no_points"), ({"quantity": Decimal(25)}, "rejected")]
    )
    @pytest.mark.usefixtures("provable")
    def test_of_who_was_only_refused_or_earned_nothing_is_empty(self, database, values, outcome):
        a_day_at_most = rules.accrual_document(
            inputs={"quantity": {"type": "decimal", "scale": 6, "max": "24"}},
            when=True,
            cases=[{"name": "a day", "as_of": "2026-11-02", "given": {"quantity": "8"}, "expect": {"points": "12.00"}}],
        )
        with database.write() as db:
            earning = make_earning(db, document=a_day_at_most)
            make_target(db, earning.partner.id)
            [recorded] = record(db, earning.partner, [event(**values)])
            assert recorded.outcome == outcome

            assert balances.of(db, earning.member.id, now=NOW) == []
            assert balances.as_of(db, earning.member.id, day=NOW.date()) == []
            assert db.execute(select(delivery)).all() == []
            [shown] = trial_balance.of(db, partner_id=earning.partner.id)
            assert [(line.kind, line.accounts) for line in shown.lines] == [("member", 0)]


class TestAsOf:
    def test_is_what_it_was_at_the_end_of_that_day(self, database, earning):
        monday, tuesday, wednesday = (NOW + timedelta(days=days) for days in (0, 1, 2))
        with database.write() as db:
            record(db, earning.partner, [event()], now=monday)
            spend(db, earning.account_id, 700, on=tuesday.date(), now=tuesday)
            record(db, earning.partner, [event()], now=wednesday)
            found = {
                day: only(balances.as_of(db, earning.member.id, day=day.date()))
                for day in (monday - timedelta(days=1), monday, tuesday, wednesday)
            }

        assert [each.available_minor for each in found.values()] == [0, 1500, 800, 2300]
        assert [each.lifetime_minor for each in found.values()] == [0, 1500, 1500, 3000]
        assert [each.version for each in found.values()] == [0, 1, 2, 3]

    def test_leaves_out_what_had_expired_by_then(self, database, earning):
        with database.write() as db:
            earn(db, earning, event_date=date(2026, 10, 2))
            last_day = only(balances.as_of(db, earning.member.id, day=date(2028, 10, 2)))
            next_day = only(balances.as_of(db, earning.member.id, day=date(2028, 10, 3)))

        assert (last_day.available_minor, next_day.available_minor) == (1500, 0)

    def test_counts_only_the_members_own_spends(self, database, earning):
        with database.write() as db:
            partners.make_member(db, earning.partner, "E2")
            first, second = record(db, earning.partner, [event(), event(employee_id="E2")])
            assert first.member_id != second.member_id
            spend(db, earning.account_id, 700)
            found = only(balances.as_of(db, second.member_id, day=NOW.date()))

        assert found.available_minor == 1500


class TestForDelivery:
    def test_gives_the_record_that_a_mapping_maps(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            spend(db, earning.account_id, 100)
            partners.number_customer(db, earning.member, "00042", date(2026, 1, 1))
            found = balances.for_delivery(db, [earning.account_id.hex()], now=NOW)

        snapshot = found[earning.account_id.hex()]
        assert snapshot.version == 2
        assert snapshot.record == {
            "partner_code": earning.partner.code,
            "program_code": "uniform",
            "employee_id": "E1",
            "customer_no": "00042",
            "last_name": "Haze",
            "available": Decimal("14.00"),
            "held": Decimal("0.00"),
            "lifetime_earned": Decimal("15.00"),
            "next_expiry_date": date(2028, 11, 2),
            "next_expiry_points": Decimal("14.00"),
            "as_of": "2026-11-20T12:00:00+00:00",
            "version": 2,
        }

    def test_knows_no_customer_number_that_was_never_linked(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            found = balances.source(lambda: NOW).read(db, [earning.account_id.hex()])

        assert found[earning.account_id.hex()].record["customer_no"] is None

    def test_leaves_out_keys_of_no_account(self, database):
        with database.read() as db:
            assert balances.for_delivery(db, [new_id().hex()], now=NOW) == {}
