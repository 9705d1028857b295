"""Every point traces to its source, the version and the facts that decided it; recomputing gives the same points."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import insert, update

from chalicelib.deliveries.models import delivery_attempt
from chalicelib.errors import NotFound
from chalicelib.partners.provenance import RowSource
from chalicelib.points.earning import lineage
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import accrual_event
from chalicelib.storage.ids import new_id
from tests.factories import partners, rules
from tests.factories.deliveries import make_delivery
from tests.factories.points import CALLER, NOW, earn, event, make_earning, record, spend

pytestmark = pytest.mark.usefixtures("data_key")


def entry_of(db, recorded):
    [entry] = history.entries_of_source(db, recorded.id)
    return entry


class TestOf:
    def test_leads_from_an_entry_to_the_row_of_the_file(self, database, earning):
        source = RowSource(new_id(), 7, 120, 33)
        with database.write() as db:
            [recorded] = record(db, earning.partner, [event()], sources=[source])
            found = lineage.of(db, entry_of(db, recorded).id)

        brought = found.decided.event
        assert (brought.source_file_id, brought.row_no, brought.byte_offset, brought.byte_length) == tuple(source)

    def test_leads_to_the_request_that_brought_it(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            found = lineage.of(db, entry_of(db, recorded).id)

        assert found.decided.event.source_file_id is None
        assert (found.decided.event.actor, found.decided.event.correlation_id) == (
            CALLER.actor,
            CALLER.correlation_id,
        )

    def test_names_the_version_the_facts_and_the_trace(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            found = lineage.of(db, entry_of(db, recorded).id)

        decided = found.decided
        assert decided.version.content_hash == earning.version.content_hash
        assert decided.facts["inputs"] == {"status": "active", "quantity": "10"}
        assert decided.trace["applies"] is True
        assert decided.trace["outputs"] == {"points": "15.00"}

    def test_of_a_spend_names_the_lots(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            spent = spend(db, earning.account_id, 700)
            found = lineage.of(db, spent.transfer_id)

        assert found.decided is None
        assert found.taken == spent.taken
        assert found.entry.amount_minor == -700

    def test_of_an_unknown_entry_is_not_found(self, database):
        with database.read() as db, pytest.raises(NotFound):
            lineage.of(db, new_id())


class TestRecompute:
    def test_gives_the_same_points_after_rule_roster_and_code_table_changed(self, database):
        looked_up = {"lookup": ["tests.rate", {"coalesce": [{"var": "grade"}, "-"]}, {"on_miss": "error"}]}
        expr = {"*": [{"var": "quantity"}, {"parse_decimal": [looked_up]}]}
        case = {
            "name": "by grade",
            "as_of": "2026-11-02",
            "given": {"grade": "G5", "quantity": "10"},
            "code_tables": {"tests.rate": {"G5": "3"}},
            "expect": {"points": "30.00"},
        }
        nobody = case | {
            "name": "no grade",
            "given": {"grade": None, "quantity": "10"},
            "expect": {"refused": "unknown_code"},
        }
        document = rules.accrual_document(
            inputs={"quantity": {"type": "decimal", "scale": 6}, "grade": {"type": "string", "nullable": True}},
            when=True,
            outputs={"points": {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": expr}},
            cases=[case, nobody],
        )
        with database.write() as db:
            rules.code_table(db, None, rules.table_document("tests.rate", {"G5": "3", "G9": "9"}, partner=None))
            earning = make_earning(db, document=document)
            recorded = earn(db, earning, "8.5")
            rules.code_table(
                db, None, rules.table_document("tests.rate", {"G5": "4", "G9": "9"}, partner=None), now=NOW
            )
            rules.live_ruleset(
                db,
                earning.partner.id,
                rules.accrual_document(f"{earning.partner.code}.accrual", rate="9"),
                now=NOW,
            )
            moved = partners.roster_row("E1", action="C", grade="G9", effective_date=date(2026, 1, 2))
            assert partners.apply_rows(db, earning.partner, [moved]) == ["accepted"]
            found = lineage.of(db, entry_of(db, recorded).id, recompute=True)

        assert recorded.points_minor == 2550
        assert (found.decided.recomputed_minor, found.decided.agrees) == (2550, True)

    def test_disagrees_when_what_is_stored_was_tampered_with(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            db.execute(update(accrual_event).values(points_minor=1501))
            found = lineage.of(db, entry_of(db, recorded).id, recompute=True)

        assert (found.decided.recomputed_minor, found.decided.agrees) == (1500, False)

    def test_uses_the_sums_that_the_decision_saw(self, database):
        document = rules.accrual_document(
            inputs={"quantity": {"type": "decimal", "scale": 6}},
            when=True,
            aggregates={"so_far": {"of": "points", "period": "calendar_month"}},
            outputs={
                "points": {
                    "type": "decimal",
                    "scale": 2,
                    "rounding": "half_up",
                    "expr": {"+": [{"var": "quantity"}, {"var": "so_far"}]},
                }
            },
            cases=[
                {
                    "name": "adds up",
                    "as_of": "2026-11-02",
                    "given": {"quantity": "1"},
                    "aggregates": {"so_far": "2.00"},
                    "expect": {"points": "3.00"},
                }
            ],
        )
        with database.write() as db:
            earning = make_earning(db, document=document)
            _, second, _ = record(db, earning.partner, [event(), event(quantity=Decimal(5)), event()])
            found = lineage.of(db, entry_of(db, second).id, recompute=True)

        assert found.decided.event.points_minor == 1500
        assert found.decided.agrees


class TestCarried:
    @pytest.fixture
    def attempt(self, earning, balance_target):
        """Note an attempt of the account's balance delivery."""
        assert balance_target

        def made(db, version, outcome, number):
            delivery = make_delivery(db, earning.partner.id, earning.account_id.hex())
            values = {"started_at": NOW, "finished_at": NOW, "mapping_version_id": new_id()}
            db.execute(
                insert(delivery_attempt).values(
                    id=new_id(),
                    partner_id=earning.partner.id,
                    delivery_id=delivery.id,
                    attempt=number,
                    version=version,
                    outcome=outcome,
                    **values,
                )
            )
            return delivery.id

        return made

    def test_by_nothing_before_an_attempt_is_confirmed(self, database, earning, attempt):
        with database.write() as db:
            recorded = earn(db, earning)
            attempt(db, 1, "failed", 1)

            assert lineage.of(db, entry_of(db, recorded).id).carried is None

    def test_by_the_first_confirmed_attempt_of_its_version_or_later(self, database, earning, attempt):
        with database.write() as db:
            earn(db, earning)
            second = earn(db, earning)
            delivery_id = attempt(db, 1, "confirmed", 1)
            attempt(db, 3, "confirmed", 2)
            attempt(db, 4, "confirmed", 3)
            found = lineage.of(db, entry_of(db, second).id)

        assert (found.carried.delivery_id, found.carried.version, found.carried.attempt) == (delivery_id, 3, 2)
