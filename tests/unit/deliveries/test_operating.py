"""What operators do to deliveries, by function and over REST."""

import pytest
from sqlalchemy import select, update

from chalicelib.access.models import audit_event
from chalicelib.deliveries import operating, outbox
from chalicelib.deliveries.models import delivery, target
from chalicelib.errors import Conflict, NotFound
from chalicelib.storage.ids import new_id
from tests.factories.deliveries import CALLER, NOW, make_delivery, make_target

PARTNER = new_id()


@pytest.fixture
def dead(database):
    """A dead letter."""
    with database.write() as db:
        make_target(db, PARTNER)
        made = make_delivery(db, PARTNER)
        db.execute(update(delivery).values(state="dead", unclaimed=None, failures=9, last_code="timeout"))
    return made


def act(database, made, action, **values):
    given = {"reason": "seen in the store", "caller": CALLER, "now": NOW} | values
    return database.run(lambda db: operating.act(db, made.id, action, **given))


def read(database, statement):
    with database.read() as db:
        return list(db.execute(statement))


class TestADeadLetter:
    def test_that_is_retried_is_due_at_once_with_a_clean_slate(self, database, dead):
        assert act(database, dead, "retry") == "ready"

        [row] = read(database, select(delivery))
        assert (row.state, row.unclaimed, row.failures, row.next_at) == ("ready", True, 0, NOW)

    def test_that_is_retried_gives_way_to_a_newer_state(self, database, dead):
        with database.write() as db:
            outbox.changed(db, PARTNER, "balance", [dead.entity_key], now=NOW)

        assert act(database, dead, "retry") == "superseded"

        first, second = read(database, select(delivery).order_by(delivery.c.seq))
        assert (first.state, second.state, second.failures) == ("superseded", "ready", 0)

    def test_that_is_retried_lets_its_target_be_tried(self, database, dead):
        with database.write() as db:
            db.execute(update(target).values(breaker_until=NOW.replace(year=2030), breaker_opened=3))

        act(database, dead, "retry")

        [row] = read(database, select(target))
        assert (row.breaker_until, row.breaker_opened) == (None, 3)

    def test_that_is_done_keeps_the_proof_and_is_not_taken_for_carried(self, database, dead):
        assert act(database, dead, "mark_done", reason="ticket 4711") == "confirmed"

        [row] = read(database, select(delivery))
        assert (row.state, row.last_code, row.last_detail) == ("confirmed", "marked_done", "ticket 4711")
        with database.read() as db:
            assert outbox.first_carrying(db, "balance", dead.entity_key, 0) is None

    def test_that_is_discarded_frees_its_key(self, database, dead):
        assert act(database, dead, "discard") == "discarded"

    @pytest.mark.parametrize(
        ("action", "noted"),
        [("retry", "delivery.retried"), ("mark_done", "delivery.marked_done"), ("discard", "delivery.discarded")],
    )
    def test_leaves_an_audit_entry_with_the_reason(self, database, dead, action, noted):
        act(database, dead, action, reason="because")

        entries = read(database, select(audit_event).where(audit_event.c.action.like("delivery.%")))
        assert [(each.action, each.reason, each.partner_id) for each in entries] == [(noted, "because", PARTNER)]


class TestOthers:
    @pytest.mark.parametrize("state", ["leased", "confirmed", "superseded", "discarded"])
    def test_that_are_on_their_way_or_finished_cannot_be_changed(self, database, dead, state):
        with database.write() as db:
            db.execute(update(delivery).values(state=state))

        with pytest.raises(Conflict):
            act(database, dead, "retry")

    def test_that_do_not_exist_are_not_found(self, database):
        with pytest.raises(NotFound), database.write() as db:
            operating.act(db, new_id(), "retry", reason="x", caller=CALLER, now=NOW)
